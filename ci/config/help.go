package config

import (
	"strings"

	"signalbox/ci/config/yaml"
)

// help is the comment right above a key: what a job is for, in the words of whoever wrote it.
func (l *loader) help(key *yaml.Node) string {
	if key.Source == nil {
		return ""
	}
	lines := l.lines(key.Source.Name, key.Source.Content)
	if key.Line < 1 || key.Line > len(lines) {
		return ""
	}
	first := key.Line - 1
	for first > 0 && strings.HasPrefix(lines[first-1], "#") {
		first--
	}
	var out []string
	for _, line := range lines[first : key.Line-1] {
		text := strings.TrimLeft(line, "#")
		out = append(out, strings.TrimRight(strings.TrimPrefix(text, " "), " \t\r"))
	}
	return strings.Trim(strings.Join(out, "\n"), "\n")
}
