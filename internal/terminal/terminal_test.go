package terminal

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestStrip(t *testing.T) {
	for _, c := range []struct{ name, in, stripped, colours string }{
		{"plain", "plain\r\ntext\b\x00", "plain\r\ntext\b\x00", "plain\r\ntext\b\x00"},
		{"colours", "\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m"},
		{"colours with colons", "\x1b[38:5:1mred", "red", "\x1b[38:5:1mred"},
		{"tput sgr0", "\x1b[32mOK\x1b(B\x1b[m deployed", "OK deployed", "\x1b[32mOK\x1b[m deployed"},
		{"character sets", "\x1b)0a\x1b*Bb\x1b-Ac\x1b%Gd", "abcd", "abcd"},
		{"several intermediates", "\x1b $ Ab\x1b#8c", "bc", "bc"},
		{"two bytes", "\x1b7a\x1b8b\x1bcc\x1b=d\x1b>e\x1bMf\x1b~g", "abcdefg", "abcdefg"},
		{"cursor and erasing", "\x1b[2Ja\x1b[10;20Hb\x1b[?25lc\x1b[!pd\x1b[1 qe", "abcde", "abcde"},
		{"private sequence that ends in m", "\x1b[>4;2ma\x1b[?4mb", "ab", "ab"},
		{"OSC to BEL", "\x1b]0;title\x07text", "text", "text"},
		{"OSC to ST", "\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link", "link"},
		{"DCS", "a\x1bP1$r0m\x1b\\b", "ab", "ab"},
		{"DCS over lines", "a\x1bPq#0\n#1\n\x1b\\b", "ab", "ab"},
		{"SOS, PM, APC", "a\x1bXx\x1b\\b\x1b^y\x1b\\c\x1b_z\x1b\\d", "abcd", "abcd"},
		{"ST alone", "a\x1b\\b", "ab", "ab"},
		{"string that never ends", "a\x1b]0;title\nnext", "a\nnext", "a\nnext"},
		{"string that never ends, CR LF", "a\x1bPxx\r\nnext", "a\r\nnext", "a\r\nnext"},
		{"string broken off by a sequence", "a\x1b]0;title\x1b[31mred", "ared", "a\x1b[31mred"},
		{"string broken off on a later line", "a\x1b]0;title\nnext\x1b[31mred", "a\nnextred", "a\nnext\x1b[31mred"},
		{"ESC at the end", "a\x1b", "a", "a"},
		{"CSI at the end", "a\x1b[1;2", "a", "a"},
		{"ESC before a control", "a\x1b\nb", "a\nb", "a\nb"},
		{"ESC before ESC", "a\x1b\x1b[31mb", "ab", "a\x1b[31mb"},
		{"ESC before a letter of UTF-8", "a\x1béb", "aéb", "aéb"},
		{"CSI broken off", "a\x1b[3\nb", "a\nb", "a\nb"},
		{"C1 controls", "a\u009b31mb\u009d0;t\u009cc\u0090q\x1b\\d\u0085e", "abcde", "abcde"},
		{"letters like C1", "ÂÀ § é", "ÂÀ § é", "ÂÀ § é"},
	} {
		if got := Strip(c.in); got != c.stripped {
			t.Errorf("%s: stripped %q, want %q", c.name, got, c.stripped)
		}
		if got := KeepColours(c.in); got != c.colours {
			t.Errorf("%s: with colours %q, want %q", c.name, got, c.colours)
		}
	}
}

func TestDraw(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ntext":                     "plain\ntext",
		"line\r\nnext\r":                  "line\nnext",
		"10%\r20%\r100%\r\nnext":          "100%\nnext",
		"downloading\rdone":               "doneloading",
		"downloading\r\x1b[Kdone":         "done",
		"downloading\x1b[2K\rdone":        "done",
		"downloading\x1b[1K":              "",
		"abcdef\x1b[3D\x1b[1Kx":           "   xef",
		"50%\b\b\b75%":                    "75%",
		"|\b/\b-\b\\\bok":                 "ok",
		"a\bb":                            "b",
		"\b\bx":                           "x",
		"ab\b":                            "ab",
		"\x1b[32mOK\x1b(B\x1b[m deployed": "OK deployed",
		"service\x1b[20G[ OK ]":           "service            [ OK ]",
		"a\x1b[3Cb":                       "a   b",
		"a\x1b[3C":                        "a",
		"abc\x1b[2DX":                     "aXc",
		"abcdef\r\x1b[2X":                 "  cdef",
		"日本語\rab":                         "ab本語",
		"日本語\ra":                          "a 本語",
		"日本語\b\bx":                        "日本x",
		"日本語\bx":                          "日本 x",
		"e\u0301e\u0301\rx":               "xe\u0301",
		"10 %\t\r20":                      "20 %",
		"a\tb":                            "a\tb",
		"a\tb\rX":                         "X       b",
		"bell\x07 nul\x00 del\x7f vt\x0b": "bell nul del vt",
		"\x1b[0K\x1b[0;m$ ls":             "$ ls",
		"x\x1b[99999999999999999999Cy":    "x" + strings.Repeat(" ", 511) + "y",
		"\x1b[1Atwo":                      "two",
		strings.Repeat("x", maxDrawn) + "\rshort": "short",
	} {
		if got := Draw(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDrawColours(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[32;1mOK\x1b[0;m\x1b(B on\x07": "\x1b[32;1mOK\x1b[0;m on",
		"\x1b[31m10%\r\x1b[32m20%\nnext":    "\x1b[0;32m20%\x1b[0;32m\nnext",
		"red\r\x1b[1;38;5;196;48;5;9mR":     "\x1b[0;1;38;5;196;101mR\x1b[0med\x1b[0;1;38;5;196;101m",
	} {
		if got := DrawColours(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	red, bold := Style{Foreground: 2}, Style{Foreground: 2, Bold: true}
	for _, c := range []struct {
		name, in   string
		now, after Style
		want       []Span
	}{
		{"goes on in the style before", "still\x1b[0m no", red, Style{}, []Span{{"still", red}, {" no", Style{}}}},
		{"one span a style", "a\x1b[K\x1b[31mb\x1b[0;31mc", red, red, []Span{{"abc", red}}},
		{"colours of what was written over", "\x1b[31mold\rnew", Style{}, red, []Span{{"new", red}}},
		{"colours where they stand", "\x1b[31mold\r\x1b[1mn", Style{}, bold, []Span{{"n", bold}, {"ld", red}}},
		{"a link", "\x1b]8;;https://example.com\x07here\x1b]8;;\x07 on", Style{}, Style{}, []Span{{"here", Style{Link: "https://example.com"}}, {" on", Style{}}}},
		{"a link that is none", "\x1b]8;;javascript:alert(1)\x07here", Style{}, Style{}, []Span{{"here", Style{}}}},
		{"true colours", "\x1b[38;2;255;0;0;48;2;0;0;95mx", Style{}, Style{Foreground: 197, Background: 19}, []Span{{"x", Style{Foreground: 197, Background: 19}}}},
	} {
		got, after := Line(c.in, c.now)
		if d := cmp.Diff(c.want, got); d != "" || after != c.after {
			t.Errorf("%s: %s, after %+v", c.name, d, after)
		}
	}
}

// TestCostIsLinear draws hostile texts of a megabyte; each would take minutes if its cost grew with the square.
func TestCostIsLinear(t *testing.T) {
	for name, part := range map[string]string{
		"ESC":              "\x1b",
		"OSC":              "\x1b]",
		"C1 strings":       "\u009d\n",
		"erased to front":  "\x1b[1K",
		"blanked":          "\x1b[512G\r\x1b[512X",
		"empty sequences":  "a\x1b[K",
		"returns":          "a\r",
		"colours":          "\x1b[31ma\x1b[32mb\r",
		"marks on a mark":  "\u0301\b",
		"far to the right": "\r\x1b[K\x1b[9999Cx",
	} {
		text := strings.Repeat(part, 1<<20/len(part))
		start := time.Now()
		for _, s := range []string{text, cutIntoLines(text)} {
			Strip(s)
			DrawColours(s)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		} else {
			t.Log(name, took)
		}
	}
}

func cutIntoLines(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(len(s), maxDrawn-1)
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String()
}

func FuzzDraw(f *testing.F) {
	for _, seed := range []string{"a\x1b[31mb\rc", "\x1b]8;;x\x07\x1bP\n\x1b\\", "日\b\x1b[1K\x1b[5G\tx", "\u009b1K\u009d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Draw(s), strings.ReplaceAll(DrawColours(s), "\x1b[", "")} {
			if strings.ContainsAny(got, "\x1b\r\b\x00\x07") {
				t.Fatalf("%q: a control is left in %q", s, got)
			}
			if strings.Count(got, "\n") != strings.Count(s, "\n") {
				t.Fatalf("%q: lines were lost in %q", s, got)
			}
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Fatalf("%q: broken letters in %q", s, got)
			}
		}
		stripped := Strip(s)
		if strings.Contains(stripped, "\x1b") {
			t.Fatalf("%q: a sequence is left in %q", s, stripped)
		}
		if again := Strip(KeepColours(s)); again != stripped && utf8.ValidString(s) {
			t.Fatalf("%q: %q without colours, %q stripped at once", s, again, stripped)
		}
	})
}
