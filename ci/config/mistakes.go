package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"signalbox/ci/config/yaml"
)

// Error is a mistake in a configuration: GitLab's own text, and where it stands.
type Error struct {
	Text         string
	File         string
	Line, Column int // from 1; 0 if the mistake has no place
	Excerpt      string
	Via          []string // how it came there: includes, extends, references
	Hint         string   // more than GitLab says: what exactly is wrong, or what was likely meant
	Beyond       bool     // GitLab stops before it gets here and does not tell
	Echo         bool     // it only follows from the one before: GitLab tells it too, people need not read it
}

// Error is the text with its place in front.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Report is the mistake as people read it: text, place, the lines around it, and how it came there.
func (e *Error) Report() string {
	parts := []string{e.Error()}
	if e.Excerpt != "" {
		parts = append(parts, e.Excerpt)
	}
	parts = append(parts, e.Via...)
	if e.Hint != "" {
		parts = append(parts, e.Hint)
	}
	return strings.Join(parts, "\n")
}

// Told are the mistakes that GitLab would tell, in its order.
func Told(all []*Error) []*Error { return chosen(all, false) }

func beyond(all []*Error) []*Error { return chosen(all, true) }

func chosen(all []*Error, beyond bool) (out []*Error) {
	for _, e := range all {
		if e.Beyond == beyond {
			out = append(out, e)
		}
	}
	return out
}

// fatal notes a mistake after which GitLab tells nothing else.
func (l *loader) fatal(at *yaml.Node, text string) {
	for _, e := range l.errors {
		e.Beyond = true
	}
	l.beyond = false
	l.add(at, text)
	l.beyond = true
}

// add notes a mistake whose text is used as it is.
func (l *loader) add(at *yaml.Node, text string) {
	e := l.mistake(at, text)
	e.Beyond = l.beyond
	l.errors = append(l.errors, e)
}

// also notes what GitLab tells besides of the same mistake.
func (l *loader) also(at *yaml.Node, location, format string, args ...any) {
	l.bad(at, location, format, args...)
	l.errors[len(l.errors)-1].Echo = true
}

// Apart are the mistakes without those that only follow from another.
func Apart(all []*Error) (out []*Error) {
	for _, e := range all {
		if !e.Echo {
			out = append(out, e)
		}
	}
	return out
}

// mark and sound say whether a keyword is right in itself: only then GitLab looks into what it holds.
func (l *loader) mark() int { return len(l.errors) }

func (l *loader) sound(mark int) bool { return len(l.errors) == mark }

// inside reads what a keyword holds. What is wrong there GitLab tells only if the keyword itself is sound.
func (l *loader) inside(sound bool, read func()) {
	before := l.beyond
	l.beyond = before || !sound
	read()
	l.beyond = before
}

func (l *loader) mistake(at *yaml.Node, text string) *Error {
	e := &Error{Text: text, File: l.file.Name}
	if at != nil && at.Line > 0 {
		content := l.file.Content
		if at.Source != nil {
			e.File, content = at.Source.Name, at.Source.Content
		}
		e.Line, e.Column, e.Excerpt = at.Line, at.Column, excerpt(l.lines(e.File, content), at.Line, at.Column)
		e.Via = l.via(e.File, e.Line)
	}
	return e
}

// lines splits a file once.
func (l *loader) lines(name string, content []byte) []string {
	if l.split == nil {
		l.split = map[string][]string{}
	}
	if l.split[name] == nil {
		l.split[name] = strings.Split(string(content), "\n")
	}
	return l.split[name]
}

// explain says more of the mistake that was noted last.
func (l *loader) explain(text string) { l.errors[len(l.errors)-1].Hint = text }

// suggest names what was likely meant by a wrong name.
func (l *loader) suggest(wrong string, names []string) {
	if near := Nearest(wrong, names, 2); len(near) > 0 {
		l.explain("Did you mean `" + strings.Join(near, "` or `") + "`?")
	}
}

// warn notes what GitLab warns of.
func (l *loader) warn(at *yaml.Node, text string) {
	if !l.beyond {
		l.warnings = append(l.warnings, l.mistake(at, text))
	}
}

// bad notes a mistake in GitLab's form: the place in the configuration, then what is wrong, in lower case.
func (l *loader) bad(at *yaml.Node, location, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if location != "" {
		text = location + " " + text
	}
	l.add(at, strings.ToLower(text))
}

// excerpt shows the line of a mistake and the one before, with a mark below the column.
func excerpt(lines []string, line, column int) string {
	var b strings.Builder
	for n := max(1, line-1); n <= min(line, len(lines)); n++ {
		line := lines[n-1]
		text := []rune(strings.TrimSuffix(line[:min(len(line), 161*utf8.UTFMax)], "\r")) // a line may be a megabyte
		if len(text) > 160 {
			text = append(text[:159:159], '…')
		}
		fmt.Fprintf(&b, "%5d | %s\n", n, string(text))
	}
	if column > 0 && column < 160 {
		b.WriteString(strings.Repeat(" ", 7+column) + "^")
	}
	return strings.TrimRight(b.String(), "\n")
}
