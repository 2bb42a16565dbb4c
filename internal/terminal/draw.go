package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

const (
	// maxDrawn is how long a line, in bytes, may be whose cursor moves are followed column by column.
	maxDrawn = 64 << 10
	// maxColumn is how far a sequence may move the cursor behind what stands in the line, as a terminal stops at its edge.
	maxColumn = 512
	tabWidth  = 8
)

// Span is a piece of a line in one style. Its text holds no escape sequence and no control but tabs.
type Span struct {
	Text  string
	Style Style
}

// Line draws one line, without its line end, that begins in the style now: carriage returns, backspaces and the sequences
// that move within a line write over what stands there, column by column. It returns what is seen at the end and the style
// that the next line begins with. A line of over 64 KiB that moves its cursor shows what was written since its last return.
func Line(line string, now Style) ([]Span, Style) {
	spans, after, _ := draw(line, now)
	return spans, after
}

// Draw is a text as people see it on a terminal, without colours: each line in its last state.
func Draw(s string) string { return drawn(s, false) }

// DrawColours is Draw with the colours kept, as SGR sequences.
func DrawColours(s string) string { return drawn(s, true) }

func drawn(s string, colours bool) string {
	var b strings.Builder
	var now Style
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		spans, after, moved := draw(line, now)
		now = after
		if colours && !moved {
			b.WriteString(visible(KeepColours(line), esc))
			continue
		}
		for _, span := range spans {
			if colours {
				b.WriteString(span.Style.sequence())
			}
			b.WriteString(span.Text)
		}
		if colours {
			b.WriteString(now.sequence())
		}
	}
	return b.String()
}

// draw also says whether the line moved its cursor back or over a gap.
func draw(line string, now Style) (spans []Span, after Style, moved bool) {
	line = strings.TrimRight(line, "\r")
	if spans, after, ok := straight(line, now); ok {
		return spans, after, false
	}
	if len(line) > maxDrawn {
		at := strings.LastIndexByte(line, '\r') + 1
		_, now = pieces(line[:at], now)
		spans, now = pieces(line[at:], now)
		return spans, now, true
	}
	c := canvas{style: now, work: workEach * len(line)}
	for from := 0; ; {
		q, ok := next(line, from)
		if !ok {
			c.write(line[from:])
			return c.spans(), c.style, true
		}
		c.write(line[from:q.start])
		c.move(q)
		c.style = c.style.after(q)
		from = q.end
	}
}

// straight reads a line that only ever goes forward, as most do; ok is false for others.
func straight(line string, now Style) (spans []Span, after Style, ok bool) {
	if strings.ContainsAny(line, "\r\b") {
		return nil, now, false
	}
	for q, found := next(line, 0); found; q, found = next(line, q.end) {
		if q.moves() {
			return nil, now, false
		}
	}
	spans, now = pieces(line, now)
	return spans, now, true
}

// moves says whether a sequence at the end of what was written changes the line.
func (q sequence) moves() bool {
	switch q.final {
	case 'C', 'D', 'G', '`', 'X':
		return true
	case 'K':
		return number(q.parameters, 0) != 0
	}
	return false
}

// pieces cuts a line at its sequences.
func pieces(line string, now Style) ([]Span, Style) {
	var list spanList
	from := 0
	for q, ok := next(line, 0); ok; q, ok = next(line, q.end) {
		list.add(visible(line[from:q.start], noControl), now)
		now, from = now.after(q), q.end
	}
	list.add(visible(line[from:], noControl), now)
	return list.done(), now
}

// spanList joins texts of one style that follow one another.
type spanList struct {
	spans []Span
	text  strings.Builder
	style Style
}

func (l *spanList) add(text string, style Style) {
	if text == "" {
		return
	}
	if l.style != style {
		l.done()
		l.style = style
	}
	l.text.WriteString(text)
}

func (l *spanList) done() []Span {
	if l.text.Len() > 0 {
		l.spans = append(l.spans, Span{l.text.String(), l.style})
		l.text.Reset()
	}
	return l.spans
}

// noControl is what visible leaves in if it leaves in no control.
const noControl = -1

// visible leaves out the controls that a terminal shows nothing for, but one that the caller still needs.
func visible(text string, but rune) string {
	control := func(r rune) bool {
		return r != '\t' && (r < 0x20 && r != but || r >= 0x7f && r < 0xa0)
	}
	if strings.IndexFunc(text, control) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return -1
		}
		return r
	}, text)
}

// number reads the first parameter of a control sequence.
func number(parameters string, absent int) int {
	first, _, _ := strings.Cut(parameters, ";")
	n := 0
	for _, r := range first {
		if r < '0' || r > '9' {
			return absent
		}
		n = min(n*10+int(r-'0'), 1<<20)
	}
	if first == "" {
		return absent
	}
	return n
}

// columns is how many columns a terminal gives a character; 0 for those that are drawn upon the one before.
func columns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

func runes(text string, each func(r rune, s string)) {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		each(r, text[:size])
		text = text[size:]
	}
}
