package httpapi

import (
	"mime"
	"testing"
)

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"gatling.zip":   `attachment; filename="gatling.zip"`,
		"ü [x].txt":     `attachment; filename="u [x].txt"; filename*=UTF-8''%C3%BC%20%5Bx%5D.txt`,
		"日本.zip":        `attachment; filename="__.zip"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.zip`,
		`a"b\c;d'e.txt`: `attachment; filename="a_b_c;d'e.txt"; filename*=UTF-8''a%22b%5Cc%3Bd%27e.txt`,
		"a\r\nX: y":     `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`,
		"100%.txt":      `attachment; filename="100%.txt"; filename*=UTF-8''100%25.txt`,
	} {
		got := Disposition("attachment", name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if kind, params, err := mime.ParseMediaType(got); err != nil || kind != "attachment" || params["filename"] != name {
			t.Errorf("%s is read as %q %v %v", got, kind, params, err)
		}
	}
}
