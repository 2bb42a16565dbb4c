package chatops

import "testing"

// TestGates: a chat that is down is tried by one at a time, others by all; one that answers is open again.
func TestGates(t *testing.T) {
	var g gates
	const bad, good = 1, 2
	for range 8 {
		if !g.enter(bad) {
			t.Fatal("a chat that is well is closed")
		}
	}
	g.leave(bad, true)
	if !g.enter(bad) || g.enter(bad) {
		t.Error("not one alone tries what is down")
	}
	for range 2 {
		if !g.enter(good) {
			t.Error("another chat is closed")
		}
	}
	g.leave(bad, true)
	if !g.enter(bad) || g.enter(bad) {
		t.Error("it is not tried again")
	}
	g.leave(bad, false)
	for range 2 {
		if !g.enter(bad) {
			t.Error("it is well again, and closed")
		}
	}
}
