package chatops

import (
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/models"
	"signalbox/models/enum"
)

// TestLabelsOfLongNames are within what every chat takes, and tell jobs apart that begin alike.
func TestLabelsOfLongNames(t *testing.T) {
	for name, want := range map[string]string{
		"deploy":                 "Start deploy",
		strings.Repeat("a", 80):  "Start " + strings.Repeat("a", 62) + "… #12",
		strings.Repeat("日本", 30): "Start " + strings.Repeat("日本", 10) + "… #12",
	} {
		got := labelOf("Start", &models.Job{ID: 12, Name: name})
		if got != want || len(got) > maxLabel || !utf8.ValidString(got) {
			t.Errorf("%s: %q (%d bytes), want %q", name, got, len(got), want)
		}
	}
}

// TestManyJobsThatWait are named up to a bound.
func TestManyJobsThatWait(t *testing.T) {
	jobs := []*models.Job{{Name: "build", Status: enum.Success}}
	if got := byHand(jobs); got != "" {
		t.Errorf("none waits: %q", got)
	}
	for i := range int64(maxNamed + 3) {
		jobs = append(jobs, &models.Job{ID: i + 1, Name: "bring", Status: enum.Manual})
	}
	got := byHand(jobs)
	if !strings.HasPrefix(got, ", to be started by hand: bring (`play #1`), bring (`play #2`)") || !strings.HasSuffix(got, "bring (`play #20`) and 3 more") {
		t.Errorf("%q", got)
	}
}
