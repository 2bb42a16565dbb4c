package slack

import (
	"testing"
	"time"
)

// TestBackOff: connections that end at once are tried less and less often, be it that Slack asked for another one; after one that held,
// Slack gets the next one at once.
func TestBackOff(t *testing.T) {
	for _, failed := range []bool{false, true} {
		var b backOff
		var all time.Duration
		for i := range 12 {
			pause := b.after(0, failed)
			most := min(socketRetry, time.Second<<i)
			if pause < most/2 || pause > most {
				t.Errorf("pause %d: %s, want between %s and %s", i, pause, most/2, most)
			}
			all += pause
		}
		if all < 3*time.Minute {
			t.Errorf("12 connections within %s", all)
		}
		if pause := b.after(time.Hour, failed); failed != (pause > 0) || pause > time.Second {
			t.Errorf("after one that held: %s", pause)
		}
	}
	var one, other backOff
	same := 0
	for range 10 {
		if one.after(0, true) == other.after(0, true) {
			same++
		}
	}
	if same == 10 {
		t.Error("pauses do not differ by chance")
	}
}
