package chatops

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

type testClock struct{ at time.Time }

func (c *testClock) now() time.Time { return c.at }

// TestFiftyResultsAtOnce come one after the other, in their order, each at the time that it was told; edits let them go before.
func TestFiftyResultsAtOnce(t *testing.T) {
	clock := &testClock{time.Unix(1_000_000, 0)}
	b := newBudget(clock.now, nil)
	to := Target{Bot: "bot", Channel: "ops"}
	due := map[string]time.Time{}
	for i := range 50 {
		who := fmt.Sprintf("reply %02d", i)
		if at := b.turn(t.Context(), to, who, false); !at.IsZero() {
			due[who] = at
		}
	}
	if got := 50 - len(due); got != resultBurst {
		t.Errorf("%d go at once, want %d", got, resultBurst)
	}
	if at := b.turn(t.Context(), to, "edit", true); !at.After(clock.at.Add(44 * time.Second)) {
		t.Errorf("an edit goes at %s, before results", at.Sub(clock.at))
	}
	start, sent := clock.at, 0
	for len(due) > 0 {
		clock.at = clock.at.Add(100 * time.Millisecond)
		for who, at := range due {
			if at.After(clock.at) {
				continue
			}
			if again := b.turn(t.Context(), to, who, false); !again.IsZero() {
				t.Fatalf("%s comes at its time and waits until %s", who, again.Sub(start))
			}
			if want := start.Add(time.Duration(sent+1) * resultGap); clock.at.Sub(want).Abs() > 200*time.Millisecond {
				t.Errorf("%s goes after %s, want %s", who, clock.at.Sub(start), want.Sub(start))
			}
			sent++
			delete(due, who)
		}
	}
	if other := b.turn(t.Context(), Target{Bot: "bot", Channel: "other"}, "x", false); !other.IsZero() {
		t.Errorf("another channel waits until %s", other.Sub(clock.at))
	}
}

// TestEditsOfOneChannel: eight messages that follow jobs share what a channel takes, and each gets its share.
func TestEditsOfOneChannel(t *testing.T) {
	clock := &testClock{time.Unix(1_000_000, 0)}
	b := newBudget(clock.now, nil)
	to := Target{Bot: "bot", Channel: "ops"}
	next, edits := map[int]time.Time{}, map[int]int{}
	all := 0
	for end := clock.at.Add(45 * time.Second); clock.at.Before(end); clock.at = clock.at.Add(250 * time.Millisecond) {
		for i := range 8 {
			if next[i].After(clock.at) {
				continue
			}
			if next[i] = b.turn(t.Context(), to, fmt.Sprint(i), true); next[i].IsZero() {
				edits[i]++
				all++
				next[i] = clock.at.Add(pace(0))
			}
		}
	}
	if all > 20 {
		t.Errorf("%d edits in 45 seconds", all)
	}
	for i := range 8 {
		if edits[i] == 0 {
			t.Errorf("message %d was never edited: %v", i, edits)
		}
	}
}

// TestRetryAfterStopsAKindOfCall: who was asked to wait is not called in that way again before, by nobody; in other ways, and in other
// workspaces, it is.
func TestRetryAfterStopsAKindOfCall(t *testing.T) {
	clock := &testClock{time.Unix(1_000_000, 0)}
	b := newBudget(clock.now, nil)
	calls := 0
	call := func(to Target, kind callKind, answer error) error {
		return b.call(to, kind, func() error {
			calls++
			return answer
		})
	}
	here, there := Target{Bot: "a", Channel: "ops"}, Target{Bot: "b", Channel: "ops"}
	_ = call(here, callUpdate, &Busy{After: 30 * time.Second})
	var busy *Busy
	if err := call(Target{Bot: "a", Channel: "other"}, callUpdate, nil); !errors.As(err, &busy) || busy.After != 30*time.Second || calls != 1 {
		t.Errorf("an edit in another channel: %v, %d calls", err, calls)
	}
	for _, c := range []struct {
		to   Target
		kind callKind
	}{{here, callPost}, {there, callUpdate}} {
		if err := call(c.to, c.kind, nil); err != nil {
			t.Errorf("%s of %s: %v", c.kind, c.to.Bot, err)
		}
	}
	clock.at = clock.at.Add(31 * time.Second)
	if err := call(here, callUpdate, nil); err != nil {
		t.Errorf("after the time: %v", err)
	}
}
