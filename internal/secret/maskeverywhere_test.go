package secret

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

func TestMaskEverywhere(t *testing.T) {
	const value = "s3cr3t/tok&n\"x"
	for name, text := range map[string]string{
		"plain":         value,
		"coloured":      value[:4] + "\x1b[31m" + value[4:7] + "\x1b[0m" + value[7:],
		"colour colons": value[:4] + "\x1b[38:5:1m" + value[4:],
		"character set": value[:4] + "\x1b(B" + value[4:],
		"title":         value[:4] + "\x1b]0;x\x07" + value[4:],
		"C1":            value[:4] + "\u009b1m" + value[4:],
		"return":        value[:4] + "\r\n" + value[4:],
		"split":         value[:5] + "\n" + value[5:],
		"base64":        base64.StdEncoding.EncodeToString([]byte(value)),
		"base64 in":     base64.StdEncoding.EncodeToString([]byte("user:" + value + "!")),
		"base64 url":    base64.URLEncoding.EncodeToString([]byte("ab" + value + "??")),
		"hex":           hex.EncodeToString([]byte(value)),
		"percent":       url.QueryEscape(value),
		"json":          `s3cr3t/tok\u0026n\"x`,
		"base64 cut":    base64.StdEncoding.EncodeToString([]byte(value))[:8] + "\n" + base64.StdEncoding.EncodeToString([]byte(value))[8:],
	} {
		got := MaskEverywhere("before "+text+" after", []string{value, "", "abc"})
		if !strings.Contains(got, Masked) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || strings.Contains(got, text) {
			t.Errorf("%s: %q", name, got)
		}
	}
	two := []string{"first-of-two", "of-two-and-second"}
	if got := MaskEverywhere("a\nfirst-\x1b[1mof-two-and-\x1b[msecond\nb", two); got != "a\n"+Masked+"\nb" {
		t.Errorf("two values that overlap: %q", got)
	}
	if got := MaskEverywhere("nothing\nto hide \x1b[1mhere", []string{value}); got != "nothing\nto hide \x1b[1mhere" {
		t.Errorf("%q", got)
	}
}
