package chatops

import (
	"strings"
	"unicode"

	"signalbox/internal/terminal"
)

// printable leaves of a text what people are to see of it: letters, line ends and colours. A line that was written over again
// shows, column by column, what a terminal would show at the end. It comes before masking: what is taken out must not hide a value
// that the rest then shows.
func printable(s string) string {
	return seen(terminal.DrawColours(strings.ReplaceAll(s, "\r\n", "\n")), false)
}

// asData is a text for programs: as it was printed, with its line ends and each state of a line that was written over again, but
// without what could do something to whoever looks at it.
func asData(s string) string {
	return seen(terminal.KeepColours(s), true)
}

// seen is a text without controls.
func seen(s string, returns bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\x1b' || r == '\r' && returns:
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // the latter turn text around
			return -1
		}
		return r
	}, s)
}
