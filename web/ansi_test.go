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
		"\x1b[1;2;3":                   "[1;2;3",
		"section_start:1:a\r\x1b[0Khi": "hi",
		"\x1b[\"><b>m":                 "&#34;&gt;&lt;b&gt;m",
	} {
		got := string(ansiHTML(in))
		if in == "\x1b[1;2;3" || in == "\x1b[\"><b>m" {
			if got == "" || containsTag(got) {
				t.Errorf("%q = %q", in, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q = %q, want %q", in, got, want)
		}
	}
}

func containsTag(s string) bool {
	for _, tag := range []string{"<b", "<script"} {
		for i := 0; i+len(tag) <= len(s); i++ {
			if s[i:i+len(tag)] == tag {
				return true
			}
		}
	}
	return false
}

func TestLocalKeepsToOurOwnAddresses(t *testing.T) {
	for in, want := range map[string]string{"/a/b?c=d": "/a/b?c=d", "//evil": "/", "https://evil": "/", `/\evil`: "/", "": "/"} {
		if got := local(in); got != want {
			t.Errorf("%q = %q", in, got)
		}
	}
}
