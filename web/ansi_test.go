package web

import "testing"

func TestANSIBecomesHTMLAndNothingElseDoes(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"<script>alert(1)</script>":    "&lt;script&gt;alert(1)&lt;/script&gt;",
		"\x1b[32;1m$ ls\x1b[0;m":       `<span class="f2 bold">$ ls</span>`,
		"\x1b[31mred\nstill\x1b[0m no": "<span class=\"f1\">red</span>\n<span class=\"f1\">still</span> no",
		"10%\r20%\r100%":               "100%",
		"line\r":                       "line",
		"\x1b]8;;javascript:alert(1)\x07x\x1b]8;;": "x",
		"\x1b[1;2;3":                   "",
		"section_start:1:a\r\x1b[0Khi": "hi",
		"\x1b[\"><b>m":                 "&gt;m",
	} {
		got := string(ansiHTML(in))
		if got != want {
			t.Errorf("%q = %q, want %q", in, got, want)
		}
	}
}

func TestLocalKeepsToOurOwnAddresses(t *testing.T) {
	for in, want := range map[string]string{"/a/b?c=d": "/a/b?c=d", "//evil": "/", "https://evil": "/", `/\evil`: "/", "": "/"} {
		if got := local(in); got != want {
			t.Errorf("%q = %q", in, got)
		}
	}
}
