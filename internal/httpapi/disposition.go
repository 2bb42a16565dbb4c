package httpapi

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Disposition is the value of Content-Disposition for a file: kind is inline or attachment. A name that quotes cannot hold as it
// is stands there twice, as by RFC 6266: in ASCII for old clients, and whole in UTF-8.
func Disposition(kind, filename string) string {
	value := kind + `; filename="` + asciiName(filename) + `"`
	if whole := percentName(filename); whole != filename {
		value += "; filename*=UTF-8''" + whole
	}
	return value
}

// asciiName leaves accents away and puts _ for what has no letter in ASCII, or would end the quotes.
func asciiName(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(name) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r < ' ' || r > '~' || r == '"' || r == '\\':
			b.WriteByte('_')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// percentName writes all but the characters that RFC 5987 lets stand.
func percentName(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
