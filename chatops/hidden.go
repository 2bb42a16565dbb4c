package chatops

import (
	"errors"
	"io"
	"regexp"
	"sync"

	"signalbox/ci/trace"
)

const (
	hiddenBlock  = 256 << 10
	hiddenMarker = 1 << 10 // more than a marker has, with the header of a line within it
	maxHidden    = 1000
)

// hidden remembers of logs that grow whether they are within a section for the asker alone, so that each byte is read once.
type hidden struct {
	mu   sync.Mutex
	jobs map[int64]hiddenAt
}

type hiddenAt struct {
	at   int64
	open bool
}

// within says whether a place of a job's log lies in a section for the asker alone.
func (h *hidden) within(job int64, r trace.Reader, place int64) (bool, error) {
	h.mu.Lock()
	last := h.jobs[job]
	h.mu.Unlock()
	if last.at > place { // the log was begun anew
		last = hiddenAt{}
	}
	buf := make([]byte, hiddenBlock+2*hiddenMarker)
	for last.at < place {
		from, to := max(0, last.at-hiddenMarker), min(place, last.at+hiddenBlock)
		n, err := r.ReadAt(buf[:to-from+hiddenMarker], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if int64(n) < to-from {
			return false, io.ErrUnexpectedEOF
		}
		last = hiddenAt{to, hiddenAfter(buf[:n], int(to-from), last.open)}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil || len(h.jobs) >= maxHidden {
		h.jobs = map[int64]hiddenAt{}
	}
	h.jobs[job] = last
	return last.open, nil
}

// continued is where a runner broke a line that goes on.
var continued = regexp.MustCompile(`\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-fA-F]{2}[OE]\+`)

// hiddenAfter says whether the section is open after the markers of a text that begin before a place in it, with its state before them.
func hiddenAfter(text []byte, place int, open bool) bool {
	for _, m := range marker.FindAllSubmatch(continued.ReplaceAll(text[:place], nil), -1) {
		if Section(m[3]) == chatPrivate {
			open = string(m[1]) == "start"
		}
	}
	for _, m := range marker.FindAllSubmatchIndex(text, -1) {
		if Section(text[m[6]:m[7]]) == chatPrivate && m[0] < place && m[1] > place {
			open = string(text[m[2]:m[3]]) == "start"
		}
	}
	return open
}
