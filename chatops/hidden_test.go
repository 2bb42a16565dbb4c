package chatops

import (
	"bytes"
	"strings"
	"testing"
)

type logBytes struct{ *bytes.Reader }

func (logBytes) Close() error { return nil }

// TestHiddenPlaces: a place of a log is found to be for the asker alone, however the log grows and wherever blocks and markers end.
func TestHiddenPlaces(t *testing.T) {
	start, end := "section_start:1:chat_reply_private\r\x1b[0K\n", "section_end:2:chat_reply_private\r\x1b[0K\n"
	head := "2024-05-01T10:00:00.000000Z 00O"
	type part struct {
		text string
		want bool
	}
	for name, parts := range map[string][]part{
		"plain":   {{strings.Repeat("x", 300<<10) + "\n", false}, {start, true}, {strings.Repeat("y\n", 400<<10), true}, {end, false}, {"z\n", false}},
		"twice":   {{start + "y" + end, false}, {start + "y", true}, {end, false}},
		"headers": {{head + " x\n" + head + " section_start:1:chat_rep\n", false}, {head + "+ly_private\r\x1b[0K\n", true}, {head + " " + end, false}},
	} {
		for every := range len(parts) { // the log is looked at less often
			var h hidden
			log := ""
			for i, p := range parts {
				log += p.text
				if i%(every+1) != every {
					continue
				}
				if got, err := h.within(1, logBytes{bytes.NewReader([]byte(log))}, int64(len(log))); err != nil || got != p.want {
					t.Errorf("%s after part %d, every %d: %v %v", name, i, every, got, err)
				}
			}
		}
	}
	for place := range len(start) - 1 {
		var h hidden
		if got, err := h.within(1, logBytes{bytes.NewReader([]byte(start + "y"))}, int64(place)); err != nil || got != (place > 0) {
			t.Errorf("within the marker, at %d: %v %v", place, got, err)
		}
	}
	var h hidden
	for _, c := range []struct {
		log  string
		want bool
	}{{start + "y", true}, {"x", false}} {
		if got, err := h.within(1, logBytes{bytes.NewReader([]byte(c.log))}, int64(len(c.log))); err != nil || got != c.want {
			t.Errorf("a log that was begun anew: %v %v", got, err)
		}
	}
}
