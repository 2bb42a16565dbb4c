package web

import (
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"
)

var (
	sectionMark = regexp.MustCompile(`section_(?:start|end):\d+:[A-Za-z0-9_.-]+(?:\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)
	escapeSeq   = regexp.MustCompile(`\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)|\x1b$`)
)

// style is what the colours of a log say of the text that follows.
type style struct {
	foreground, background  int // 0: none; else colour + 1
	bold, italic, underline bool
}

func (s style) class() string {
	var c []string
	add := func(on bool, name string) {
		if on {
			c = append(c, name)
		}
	}
	add(s.foreground > 0, fmt.Sprintf("f%d", s.foreground-1))
	add(s.background > 0, fmt.Sprintf("b%d", s.background-1))
	add(s.bold, "bold")
	add(s.italic, "italic")
	add(s.underline, "underline")
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
		line = strings.TrimSuffix(line, "\r")
		if at := strings.LastIndexByte(line, '\r'); at >= 0 {
			line = line[at+1:]
		}
		now = writeLine(&b, line, now)
	}
	return template.HTML(b.String()) // all text in it went through HTMLEscapeString
}

func writeLine(b *strings.Builder, line string, now style) style {
	write := func(s string) {
		if s == "" {
			return
		}
		if class := now.class(); class != "" {
			fmt.Fprintf(b, `<span class="%s">%s</span>`, class, template.HTMLEscapeString(s))
			return
		}
		b.WriteString(template.HTMLEscapeString(s))
	}
	last := 0
	for _, m := range escapeSeq.FindAllStringSubmatchIndex(line, -1) {
		write(line[last:m[0]])
		last = m[1]
		if m[4] >= 0 && line[m[4]:m[5]] == "m" {
			now = now.apply(line[m[2]:m[3]])
		}
	}
	write(line[last:])
	return now
}

func (s style) apply(codes string) style {
	for _, c := range strings.Split(codes, ";") {
		n, err := strconv.Atoi(c)
		if c != "" && err != nil {
			return s
		}
		switch {
		case n == 0:
			s = style{}
		case n == 1:
			s.bold = true
		case n == 3:
			s.italic = true
		case n == 4:
			s.underline = true
		case n == 22:
			s.bold = false
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
		case n == 38 || n == 48:
			return s // palettes beyond the sixteen colours are left out
		}
	}
	return s
}

var markdownLink = regexp.MustCompile(`\[([^\]\n]+)\]\((https?://[^)\s]+)\)`)

// markdownLines shows a text meant for a chat: links without their brackets.
func markdownLines(s string) string { return markdownLink.ReplaceAllString(s, "$1 ($2)") }
