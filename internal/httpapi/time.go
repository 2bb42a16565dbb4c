package httpapi

import (
	"strings"
	"time"
)

// timeLayouts are the forms of ISO 8601 and of databases that clients write, with every form of a zone; without one it is UTC.
var timeLayouts = func() []string {
	var out []string
	days, clocks := []string{"2006-01-02", "20060102", "2006/01/02"}, []string{"15:04:05", "15:04", "150405", "15"}
	for _, day := range days {
		for _, clock := range clocks {
			for _, between := range []string{"T", " "} {
				for _, zone := range []string{"Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " MST", ""} {
					out = append(out, day+between+clock+zone)
				}
			}
		}
		out = append(out, day)
	}
	return out
}()

// ParseTime reads a time as leniently as clients write it: in either case, with any fraction of a second, and with an offset
// whose plus sign became a blank on its way through an address.
func ParseTime(text string) (time.Time, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) > 64 {
		return time.Time{}, false
	}
	candidates := []string{text}
	if at := strings.LastIndexByte(text, ' '); at > 0 {
		candidates = append(candidates, text[:at]+"+"+text[at+1:])
	}
	for _, candidate := range candidates {
		for _, layout := range timeLayouts {
			if at, err := time.Parse(layout, candidate); err == nil && at.Year() > 0 && at.Year() < 10_000 {
				return at.UTC(), true
			}
		}
	}
	return time.Time{}, false
}
