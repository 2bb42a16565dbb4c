package chatops

import (
	"regexp"
	"strings"
)

var (
	mention  = regexp.MustCompile(`<([@#])[!&]?([A-Za-z0-9]+)(?:\|([^<>]*))?>`)
	autoLink = regexp.MustCompile(`<((?:https?|mailto|tel):[^<>|\s]+)(?:\|([^<>]*))?>`)
	longDash = regexp.MustCompile(`(^|\s)[—–](\w)`)
	typed    = strings.NewReplacer(
		"\u00a0", " ", "\u202f", " ", "\u2007", " ", "\u200b", "", "\u2060", "", "\ufeff", "",
		"‘", "'", "’", "'", "‚", "'", "“", `"`, "”", `"`, "„", `"`, "…", "...",
	)
	entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// Unmangle gives what a person typed, where chats and phones change it: smart quotes, long dashes, blanks that do not break,
// links and mentions that the chat wrote out.
func Unmangle(text string) string {
	text = typed.Replace(text)
	text = mention.ReplaceAllStringFunc(text, func(s string) string {
		m := mention.FindStringSubmatch(s)
		if m[3] != "" {
			return m[1] + m[3]
		}
		return m[1] + m[2]
	})
	text = autoLink.ReplaceAllStringFunc(text, func(s string) string {
		m := autoLink.FindStringSubmatch(s)
		if m[2] != "" {
			return m[2]
		}
		return strings.TrimPrefix(strings.TrimPrefix(m[1], "mailto:"), "tel:")
	})
	return entities.Replace(dashes(text))
}

// dashes are two hyphens again where a phone made one long dash of them.
func dashes(text string) string { return longDash.ReplaceAllString(text, "${1}--${2}") }
