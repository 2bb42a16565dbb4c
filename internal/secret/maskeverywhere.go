package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strings"

	"signalbox/internal/terminal"
)

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
	for _, f := range sorted {
		text = strings.ReplaceAll(text, f, Masked)
	}
	if strings.ContainsAny(text, "\n\x1b\u009b") {
		text = maskBroken(text, sorted)
	}
	return text
}

// maskBroken hides values that escape sequences and line ends cut in pieces, which a terminal and a reader see whole.
func maskBroken(text string, forms []string) string {
	bare, at := withoutBreaks(text)
	var found [][2]int // where values stand in bare
	for _, f := range forms {
		if f = lineEnds.Replace(f); len(f) < shortest {
			continue
		}
		for from := 0; ; {
			i := strings.Index(bare[from:], f)
			if i < 0 {
				break
			}
			found = append(found, [2]int{from + i, from + i + len(f)})
			from += i + len(f)
		}
	}
	slices.SortFunc(found, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], b[1]-a[1]) })
	var out strings.Builder
	done := 0 // how far text was written or hidden
	for _, f := range found {
		start, end := at[f[0]], at[f[1]-1]+1
		if start >= done {
			out.WriteString(text[done:start])
			out.WriteString(Masked)
		}
		done = max(done, end)
	}
	out.WriteString(text[done:])
	return out.String()
}

var lineEnds = strings.NewReplacer("\r", "", "\n", "")

// withoutBreaks is a text without its escape sequences and line ends; at says where in text each of its bytes stands.
func withoutBreaks(text string) (bare string, at []int) {
	var b strings.Builder
	for start, end := range terminal.Texts(text) {
		for i := start; i < end; i++ {
			if text[i] != '\n' && text[i] != '\r' {
				b.WriteByte(text[i])
				at = append(at, i)
			}
		}
	}
	return b.String(), at
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
