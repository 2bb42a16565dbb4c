package web

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"

	"signalbox/internal/terminal"
)

var (
	sectionMark = regexp.MustCompile(`section_(?:start|end):\d+:[A-Za-z0-9_.-]+(?:\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)
	bareAddress = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `\x00-\x1f]*[^\s<>"'` + "`" + `\x00-\x1f.,:;!?)\]}]`)
)

// classOf names the classes of the style sheet that show a style.
func classOf(s terminal.Style) string {
	if s.Reversed {
		s.Foreground, s.Background = s.Background, s.Foreground
	}
	var c []string
	add := func(on bool, name string) {
		if on {
			c = append(c, name)
		}
	}
	add(s.Foreground > 0, fmt.Sprintf("f%d", s.Foreground-1))
	add(s.Background > 0, fmt.Sprintf("b%d", s.Background-1))
	add(s.Reversed && s.Foreground == 0, "rf")
	add(s.Reversed && s.Background == 0, "rb")
	add(s.Bold, "bold")
	add(s.Dim, "dim")
	add(s.Italic, "italic")
	add(s.Underline, "underline")
	add(s.Strike, "strike")
	return strings.Join(c, " ")
}

// ansiHTML shows a log with its colours: escape sequences become spans, everything else is escaped. A line
// that a program wrote over and over shows its last state.
func ansiHTML(text string) template.HTML {
	text = sectionMark.ReplaceAllString(text, "")
	var b strings.Builder
	var now terminal.Style
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		now = writeLine(&b, line, now)
	}
	return template.HTML(b.String()) // all text in it went through HTMLEscapeString
}

// writeLine shows one line in its last state. What was written over still counts for its colours.
func writeLine(b *strings.Builder, line string, now terminal.Style) terminal.Style {
	spans, now := terminal.Line(line, now)
	for _, span := range spans {
		writeText(b, span.Text, span.Style)
	}
	return now
}

func writeText(b *strings.Builder, text string, s terminal.Style) {
	class := classOf(s)
	if class != "" {
		fmt.Fprintf(b, `<span class="%s">`, class)
	}
	if s.Link != "" {
		writeLink(b, s.Link, text)
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
