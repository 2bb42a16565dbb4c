// Package terminal reads what programs write to a terminal: it takes escape sequences out of a text, and draws lines as a
// terminal would show them, with their styles. It knows no log, no page and no chat.
//
// The forms of sequences are those of ECMA-48 and ECMA-35, with what terminals made of them: a control string may also end
// with BEL, and C1 controls are read in both forms, as ESC with a letter and as one character of UTF-8. Nothing here fails:
// what is no sequence is text. Every function is linear in its text.
package terminal

import (
	"iter"
	"strings"
)

const (
	bel = 0x07
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	c1  = 0xc2 // the first byte, in UTF-8, of the controls U+0080 to U+009F
)

// sequence is one escape sequence of a text.
type sequence struct {
	start, end int
	final      byte   // the last byte of a well-formed control sequence (CSI) without intermediates, else 0
	parameters string // of that control sequence
	command    string // what an operating system command (OSC) says
}

// next finds the first escape sequence at or behind a place.
func next(s string, from int) (sequence, bool) {
	for i := from; i < len(s); i++ {
		switch {
		case s[i] == esc:
			return escape(s, i), true
		case s[i] == c1 && i+1 < len(s) && isC1(s[i+1]):
			q := sequence{start: i, end: i + 2}
			q.control(s, s[i+1]-0x40)
			return q, true
		}
	}
	return sequence{}, false
}

func isC1(second byte) bool { return second >= 0x80 && second <= 0x9f }

// escape reads what begins with ESC: intermediates (0x20 to 0x2F) and one final byte (0x30 to 0x7E), or one of the controls
// that more follows. An ESC before anything else stands alone, as in a text that ends within a sequence.
func escape(s string, i int) sequence {
	q := sequence{start: i, end: i + 1}
	j := i + 1
	for j < len(s) && s[j] >= 0x20 && s[j] <= 0x2f {
		j++
	}
	if j < len(s) && s[j] >= 0x30 && s[j] <= 0x7e {
		q.end = j + 1
		if j == i+1 {
			q.control(s, s[j])
		}
	} else {
		q.end = j
	}
	return q
}

// control reads what follows a control by the letter of its two-byte form; q ends behind the letter.
func (q *sequence) control(s string, letter byte) {
	switch letter {
	case '[': // CSI
		q.controlSequence(s)
	case ']': // OSC
		from := q.end
		if to, ended := q.controlString(s); ended {
			q.command = s[from:to]
		}
	case 'P', 'X', '^', '_': // DCS, SOS, PM, APC
		q.controlString(s)
	}
}

// controlSequence reads parameters (0x30 to 0x3F), intermediates (0x20 to 0x2F) and a final byte (0x40 to 0x7E). One that is
// cut off or out of order does nothing, as in terminals.
func (q *sequence) controlSequence(s string) {
	from := q.end
	for q.end < len(s) && s[q.end] >= 0x20 && s[q.end] <= 0x3f {
		q.end++
	}
	if q.end == len(s) || s[q.end] < 0x40 || s[q.end] > 0x7e {
		return
	}
	q.end++
	parameters := s[from : q.end-1]
	private := parameters != "" && parameters[0] >= '<' && parameters[0] <= '?'
	if !private && strings.IndexFunc(parameters, func(r rune) bool { return r < 0x30 }) < 0 {
		q.final, q.parameters = s[q.end-1], parameters
	}
}

// controlString reads to ST or BEL; to is where what it says ends. A string that never ends, or that another control breaks
// off, takes no more than its line: what comes after it is seen.
func (q *sequence) controlString(s string) (to int, ended bool) {
	from, i := q.end, q.end
	for ; i < len(s); i++ {
		switch b := s[i]; {
		case b == bel:
			q.end = i + 1
			return i, true
		case b == esc && i+1 < len(s) && s[i+1] == '\\', b == c1 && i+1 < len(s) && s[i+1] == 0x9c:
			q.end = i + 2
			return i, true
		case b == esc, b == can, b == sub, b == c1 && i+1 < len(s) && isC1(s[i+1]):
			q.breakOff(s, from, i)
			return i, false
		}
	}
	q.breakOff(s, from, i)
	return i, false
}

func (q *sequence) breakOff(s string, from, to int) {
	q.end = to
	if line := strings.IndexAny(s[from:to], "\r\n"); line >= 0 {
		q.end = from + line
	}
}

// Texts are the parts of a text between its escape sequences, as the places where they begin and end. None is empty.
func Texts(s string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		from := 0
		for q, ok := next(s, 0); ok; q, ok = next(s, q.end) {
			if from < q.start && !yield(from, q.start) {
				return
			}
			from = q.end
		}
		if from < len(s) {
			yield(from, len(s))
		}
	}
}

// Strip takes every escape sequence out of a text and keeps all the rest as it is, line ends and other controls too.
func Strip(s string) string { return without(s, func(sequence) bool { return false }) }

// KeepColours takes every escape sequence but those of colours and fonts (SGR, with ESC) out of a text, and keeps all the rest
// as it is.
func KeepColours(s string) string {
	return without(s, func(q sequence) bool { return q.final == 'm' && s[q.start] == esc })
}

func without(s string, keep func(sequence) bool) string {
	q, ok := next(s, 0)
	if !ok {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	from := 0
	for ; ok; q, ok = next(s, q.end) {
		if !keep(q) {
			b.WriteString(s[from:q.start])
			from = q.end
		}
	}
	b.WriteString(s[from:])
	return b.String()
}
