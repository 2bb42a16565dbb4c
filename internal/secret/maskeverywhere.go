package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"sort"
	"strings"
)

// between is what may stand within a value that a terminal still shows whole: colours, and line ends where it was split.
const between = `(?:\x1b\[[0-9;?]*[A-Za-z]|\r?\n)*`

// shortest is the fewest characters of a value that is looked for in pieces and in other forms; fewer would hide common words.
const shortest = 6

// MaskEverywhere hides values as Mask does, also where they are coloured, split over lines, or written in base64, hexadecimal
// digits, percent signs or JSON. Cost: linear in the text for each value.
func MaskEverywhere(text string, values []string) string {
	text = Mask(text, values)
	forms := map[string]bool{}
	for _, v := range values {
		if len(v) >= shortest {
			for _, f := range formsOf(v) {
				forms[f] = true
			}
		}
	}
	sorted := make([]string, 0, len(forms))
	for f := range forms {
		sorted = append(sorted, f)
	}
	sort.Slice(sorted, func(i, j int) bool {
		return len(sorted[i]) > len(sorted[j]) || len(sorted[i]) == len(sorted[j]) && sorted[i] < sorted[j]
	})
	broken := strings.ContainsAny(text, "\x1b\n")
	for _, f := range sorted {
		text = strings.ReplaceAll(text, f, Masked)
		if !broken {
			continue
		}
		var pattern strings.Builder
		for i, r := range f {
			if i > 0 {
				pattern.WriteString(between)
			}
			pattern.WriteString(regexp.QuoteMeta(string(r)))
		}
		re, err := regexp.Compile(pattern.String())
		if err != nil {
			continue // too long for a pattern; it was looked for whole
		}
		text = re.ReplaceAllLiteralString(text, Masked)
	}
	return text
}

// formsOf are the ways in which a value is written.
func formsOf(v string) []string {
	raw := []byte(v)
	out := []string{v, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), url.QueryEscape(v), url.PathEscape(v)}
	if j, err := json.Marshal(v); err == nil {
		out = append(out, strings.Trim(string(j), `"`))
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Wherever the value lies in what is encoded, its middle looks the same as at one of three offsets.
		for offset := range 3 {
			text := e.EncodeToString(append(make([]byte, offset), raw...))
			from, to := (offset*8+5)/6, (offset+len(raw))*8/6
			if to-from >= shortest {
				out = append(out, text[from:to])
			}
		}
	}
	return out
}
