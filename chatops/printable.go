package chatops

import (
	"strings"
	"unicode"

	"signalbox/internal/terminal"
)

// printable leaves of a text what people are to see of it: letters, line ends and colours. A line that was written over again
// shows what was written last, as a terminal does. It comes before masking: what is taken out must not hide a value that the
// rest then shows.
func printable(s string) string {
	s = terminal.KeepColours(strings.ReplaceAll(s, "\r\n", "\n"))
	if strings.Contains(s, "\r") {
		lines := strings.Split(s, "\n")
		for i, line := range lines {
			line = strings.TrimRight(line, "\r")
			lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
		}
		s = strings.Join(lines, "\n")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\x1b':
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // the latter turn text around
			return -1
		}
		return r
	}, s)
}
