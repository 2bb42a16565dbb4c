package chatops

import "testing"

func TestPrintable(t *testing.T) {
	for given, want := range map[string]string{
		"a\x00b\x07c\x7f":                       "abc",
		"10%\r20%\r100%\r\nnext":                "100%\nnext",
		"\x1b[31mred\x1b[0m \x1b[2Jdone":        "\x1b[31mred\x1b[0m done",
		"\x1b]0;title\x07text \x1b]8;;x\x1b\\":  "text ",
		"\x1b[32mOK\x1b(B\x1b[m deployed":       "\x1b[32mOK\x1b[m deployed",
		"\x1bPq\x1b\\a\x1b_x\x07b\x1b^y\x1b\\c": "abc",
		"abc\u202edcba\u2066":                   "abcdcba",
		"tab\tand é 日本 🙂":                       "tab\tand é 日本 🙂",
	} {
		if got := printable(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
