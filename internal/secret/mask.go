package secret

import (
	"sort"
	"strings"
)

// Masked stands in a text where a masked value stood; runners use the same word.
const Masked = "[MASKED]"

// Mask replaces every value in text. Longer values go first, so that a value that contains another is
// hidden whole. Empty values are ignored.
func Mask(text string, values []string) string {
	sorted := append([]string(nil), values...)
	sort.Slice(sorted, func(i, j int) bool { return len(sorted[i]) > len(sorted[j]) })
	for _, v := range sorted {
		if v != "" {
			text = strings.ReplaceAll(text, v, Masked)
		}
	}
	return text
}
