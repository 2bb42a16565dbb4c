package web

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	sectionMark = regexp.MustCompile(`section_(?:start|end):\d+:[A-Za-z0-9_.-]+(?:\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)
	escapeSeq   = regexp.MustCompile(`\x1b(?:\[([0-?]*)[ -/]*([@-~])|\]([^\x07\x1b]*)(?:\x07|\x1b\\)?|.)|\x1b$`)
	bareAddress = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `\x00-\x1f]*[^\s<>"'` + "`" + `\x00-\x1f.,:;!?)\]}]`)
)

// style is what the escape sequences of a log say of the text that follows.
type style struct {
	foreground, background                         int // 0: none; else colour of 256 + 1
	bold, dim, italic, underline, strike, reversed bool
	link                                           string // of OSC 8
}

func (s style) class() string {
	if s.reversed {
		s.foreground, s.background = s.background, s.foreground
	}
	var c []string
	add := func(on bool, name string) {
		if on {
			c = append(c, name)
		}
	}
	add(s.foreground > 0, fmt.Sprintf("f%d", s.foreground-1))
	add(s.background > 0, fmt.Sprintf("b%d", s.background-1))
	add(s.reversed && s.foreground == 0, "rf")
	add(s.reversed && s.background == 0, "rb")
	add(s.bold, "bold")
	add(s.dim, "dim")
	add(s.italic, "italic")
	add(s.underline, "underline")
	add(s.strike, "strike")
	return strings.Join(c, " ")
}

// ansiHTML shows a log with its colours: escape sequences become spans, everything else is escaped. A line
// that a program wrote over and over shows its last state.
func ansiHTML(text string) template.HTML {
	text = sectionMark.ReplaceAllString(text, "")
	var b strings.Builder
	var now style
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		now = writeLine(&b, line, now)
	}
	return template.HTML(b.String()) // all text in it went through HTMLEscapeString
}

// plainText is a line without its escape sequences.
func plainText(line string) string { return escapeSeq.ReplaceAllString(line, "") }

// writeLine shows one line in its last state. What was written over still counts for its colours.
func writeLine(b *strings.Builder, line string, now style) style {
	line = strings.TrimRight(line, "\r")
	if at := strings.LastIndexByte(line, '\r'); at >= 0 {
		now = pieces(line[:at], now, func(string, style) {})
		line = line[at+1:]
	}
	return pieces(line, now, func(text string, s style) { writeText(b, text, s) })
}

// pieces cuts a line at its escape sequences and gives each text with its style.
func pieces(line string, now style, write func(text string, s style)) style {
	last := 0
	for _, m := range escapeSeq.FindAllStringSubmatchIndex(line, -1) {
		write(overstruck(line[last:m[0]]), now)
		last = m[1]
		switch {
		case m[4] >= 0 && line[m[4]:m[5]] == "m":
			now = now.apply(line[m[2]:m[3]])
		case m[6] >= 0:
			now.link = linkOf(line[m[6]:m[7]], now.link)
		}
	}
	write(overstruck(line[last:]), now)
	return now
}

// overstruck takes away what backspaces delete.
func overstruck(text string) string {
	if !strings.ContainsRune(text, '\b') {
		return text
	}
	var out []rune
	for _, r := range text {
		if r != '\b' {
			out = append(out, r)
		} else if len(out) > 0 {
			out = out[:len(out)-1]
		}
	}
	return string(out)
}

// linkOf reads OSC 8: `8;params;address`, without an address the end of a link.
func linkOf(osc, old string) string {
	rest, ok := strings.CutPrefix(osc, "8;")
	_, address, ok2 := strings.Cut(rest, ";")
	if !ok || !ok2 {
		return old
	}
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}

func writeText(b *strings.Builder, text string, s style) {
	if text == "" {
		return
	}
	class := s.class()
	if class != "" {
		fmt.Fprintf(b, `<span class="%s">`, class)
	}
	if s.link != "" {
		writeLink(b, s.link, text)
	} else {
		last := 0
		for _, m := range bareAddress.FindAllStringIndex(text, -1) {
			b.WriteString(template.HTMLEscapeString(text[last:m[0]]))
			writeLink(b, text[m[0]:m[1]], text[m[0]:m[1]])
			last = m[1]
		}
		b.WriteString(template.HTMLEscapeString(text[last:]))
	}
	if class != "" {
		b.WriteString("</span>")
	}
}

func writeLink(b *strings.Builder, address, text string) {
	fmt.Fprintf(b, `<a href="%s" rel="noopener noreferrer nofollow" target="_blank">%s</a>`, template.HTMLEscapeString(address), template.HTMLEscapeString(text))
}

// apply reads the numbers of an SGR sequence.
func (s style) apply(codes string) style {
	list := strings.FieldsFunc(codes, func(r rune) bool { return r == ';' || r == ':' })
	if codes == "" || codes[0] == ';' {
		list = slices.Insert(list, 0, "0")
	}
	for i := 0; i < len(list); i++ {
		n, err := strconv.Atoi(list[i])
		if err != nil {
			return s
		}
		if n == 38 || n == 48 {
			colour, used := palette(list[i+1:])
			if used == 0 {
				return s
			}
			i += used
			if n == 38 {
				s.foreground = colour + 1
			} else {
				s.background = colour + 1
			}
			continue
		}
		s = s.one(n)
	}
	return s
}

func (s style) one(n int) style {
	switch {
	case n == 0:
		return style{link: s.link}
	case n == 1:
		s.bold = true
	case n == 2:
		s.dim = true
	case n == 3:
		s.italic = true
	case n == 4, n == 21:
		s.underline = true
	case n == 7:
		s.reversed = true
	case n == 9:
		s.strike = true
	case n == 22:
		s.bold, s.dim = false, false
	case n == 23:
		s.italic = false
	case n == 24:
		s.underline = false
	case n == 27:
		s.reversed = false
	case n == 29:
		s.strike = false
	case n == 39:
		s.foreground = 0
	case n == 49:
		s.background = 0
	case n >= 30 && n <= 37:
		s.foreground = n - 30 + 1
	case n >= 90 && n <= 97:
		s.foreground = n - 90 + 8 + 1
	case n >= 40 && n <= 47:
		s.background = n - 40 + 1
	case n >= 100 && n <= 107:
		s.background = n - 100 + 8 + 1
	}
	return s
}

// palette reads what follows 38 or 48: 5;n, or 2;r;g;b as the nearest of the 256 colours. used is how many
// numbers that were; 0 if they make no colour.
func palette(rest []string) (colour, used int) {
	number := func(i int) int {
		if i >= len(rest) {
			return -1
		}
		n, err := strconv.Atoi(rest[i])
		if err != nil || n > 255 {
			return -1
		}
		return n
	}
	switch number(0) {
	case 5:
		if n := number(1); n >= 0 {
			return n, 2
		}
	case 2:
		r, g, b := number(1), number(2), number(3)
		if r >= 0 && g >= 0 && b >= 0 {
			step := func(v int) int { return (v*5 + 127) / 255 }
			return 16 + 36*step(r) + 6*step(g) + step(b), 4
		}
	}
	return 0, 0
}

// paletteCSS are the classes of the colours beyond the first sixteen, which the style sheet names itself.
func paletteCSS() string {
	var b strings.Builder
	for n := 16; n < 256; n++ {
		var r, g, bl int
		if n < 232 {
			level := func(v int) int {
				if v == 0 {
					return 0
				}
				return 55 + 40*v
			}
			r, g, bl = level((n-16)/36), level((n-16)/6%6), level((n-16)%6)
		} else {
			r = 8 + 10*(n-232)
			g, bl = r, r
		}
		fmt.Fprintf(&b, ".f%d{color:#%02x%02x%02x}.b%d{background:#%02x%02x%02x}\n", n, r, g, bl, n, r, g, bl)
	}
	return b.String()
}

var markdownLink = regexp.MustCompile(`\[([^\]\n]+)\]\((https?://[^)\s]+)\)`)

// markdownLines shows a text meant for a chat: links without their brackets.
func markdownLines(s string) string { return markdownLink.ReplaceAllString(s, "$1 ($2)") }
