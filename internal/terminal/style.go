package terminal

import (
	"slices"
	"strconv"
	"strings"
)

// Style is how a terminal shows a text. The zero value is its plain style.
type Style struct {
	Foreground, Background                         int // 0: the terminal's own; else a colour of the 256, plus 1
	Bold, Dim, Italic, Underline, Strike, Reversed bool
	Link                                           string // an address of the web, of OSC 8
}

// after is the style behind a sequence.
func (s Style) after(q sequence) Style {
	switch {
	case q.final == 'm':
		return s.rendition(q.parameters)
	case q.command != "":
		s.Link = linkOf(q.command, s.Link)
	}
	return s
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

// rendition reads the numbers of an SGR sequence.
func (s Style) rendition(codes string) Style {
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
				s.Foreground = colour + 1
			} else {
				s.Background = colour + 1
			}
			continue
		}
		s = s.one(n)
	}
	return s
}

func (s Style) one(n int) Style {
	switch {
	case n == 0:
		return Style{Link: s.Link}
	case n == 1:
		s.Bold = true
	case n == 2:
		s.Dim = true
	case n == 3:
		s.Italic = true
	case n == 4, n == 21:
		s.Underline = true
	case n == 7:
		s.Reversed = true
	case n == 9:
		s.Strike = true
	case n == 22:
		s.Bold, s.Dim = false, false
	case n == 23:
		s.Italic = false
	case n == 24:
		s.Underline = false
	case n == 27:
		s.Reversed = false
	case n == 29:
		s.Strike = false
	default:
		return s.colour(n)
	}
	return s
}

func (s Style) colour(n int) Style {
	switch {
	case n == 39:
		s.Foreground = 0
	case n == 49:
		s.Background = 0
	case n >= 30 && n <= 37:
		s.Foreground = n - 30 + 1
	case n >= 90 && n <= 97:
		s.Foreground = n - 90 + 8 + 1
	case n >= 40 && n <= 47:
		s.Background = n - 40 + 1
	case n >= 100 && n <= 107:
		s.Background = n - 100 + 8 + 1
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

// sequence is the SGR sequence that sets this style whatever was set before. Links are left out: they are no rendition.
func (s Style) sequence() string {
	codes := []string{"0"}
	for _, c := range []struct {
		on   bool
		code string
	}{{s.Bold, "1"}, {s.Dim, "2"}, {s.Italic, "3"}, {s.Underline, "4"}, {s.Reversed, "7"}, {s.Strike, "9"}} {
		if c.on {
			codes = append(codes, c.code)
		}
	}
	codes = appendColour(codes, s.Foreground, 30)
	codes = appendColour(codes, s.Background, 40)
	return "\x1b[" + strings.Join(codes, ";") + "m"
}

// appendColour writes a colour in its shortest form, which the fewest programs misread. base is the code of the first one.
func appendColour(codes []string, colour, base int) []string {
	switch n := colour - 1; {
	case n < 0:
		return codes
	case n < 8:
		return append(codes, strconv.Itoa(base+n))
	case n < 16:
		return append(codes, strconv.Itoa(base+60+n-8))
	default:
		return append(codes, strconv.Itoa(base+8), "5", strconv.Itoa(n))
	}
}
