package chatops

import (
	"regexp"
	"strings"
	"unicode"

	"signalbox/internal/fault"
)

// Words splits text at blanks as a shell does: quotes of both kinds keep blanks, a backslash keeps the next character. An apostrophe
// behind a letter or a digit is one, as in it's: people write words.
func Words(text string) ([]string, error) {
	var out []string
	var word strings.Builder
	in, quote := false, rune(0)
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case quote == 0 && c == '\'' && i > 0 && (unicode.IsLetter(runes[i-1]) || unicode.IsDigit(runes[i-1])):
			word.WriteRune(c)
		case quote == 0 && (c == '"' || c == '\''):
			in, quote = true, c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(runes):
			i++
			word.WriteRune(runes[i])
			in = true
		case quote == 0 && strings.ContainsRune(" \t\n\r\v\f", c):
			if in {
				out = append(out, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fault.New(fault.Invalid, "the quote %c is not closed", quote)
	}
	if in {
		out = append(out, word.String())
	}
	return out, nil
}

var (
	plainWord = regexp.MustCompile(`\A[\w./:@%+,-]+\z`)
	quoted    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "“", "\\“", "”", "\\”", "„", "\\„")
	// readAsMeant is what is read otherwise than it stands: links and mentions, entities, long dashes.
	readAsMeant = regexp.MustCompile(`<(?:[@#]|https?:|mailto:|tel:)|&(?:lt|gt|amp);|(?:^|\s)[—–]\w`)
)

// quote writes a value as one word that is read as the value.
func quote(value string) string {
	if plainWord.MatchString(value) && !strings.HasPrefix(value, "--") {
		return value
	}
	text := quoted.Replace(value)
	text = readAsMeant.ReplaceAllStringFunc(text, func(s string) string {
		i := 1
		if s[0] != '<' && s[0] != '&' { // before the dash
			i = strings.IndexAny(s, "—–")
		}
		return s[:i] + `\` + s[i:]
	})
	return `"` + text + `"`
}
