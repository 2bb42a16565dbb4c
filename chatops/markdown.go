package chatops

import "regexp"

// strong is how our texts write what is important.
var strong = regexp.MustCompile(`(^|[\s(])\*([^*\n]+)\*`)

// Markdown writes what is important as chats with Markdown do.
func Markdown(text string) string { return strong.ReplaceAllString(text, "$1**$2**") }

var link = regexp.MustCompile(`\[([^\]\n]+)\]\((https?://[^)\s]+)\)`)

// Links rewrites [text](address) as a chat writes links; the rest of the text goes through escape.
func Links(text string, escape func(string) string, write func(text, address string) string) string {
	out, last := "", 0
	for _, m := range link.FindAllStringSubmatchIndex(text, -1) {
		out += escape(text[last:m[0]]) + write(text[m[2]:m[3]], text[m[4]:m[5]])
		last = m[1]
	}
	return out + escape(text[last:])
}
