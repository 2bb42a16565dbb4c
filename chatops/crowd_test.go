package chatops

import (
	"fmt"
	"testing"
	"time"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestCrowdOfWaiting: when one more waits than may, all of them are answered, and for a second nobody waits any more.
func TestCrowdOfWaiting(t *testing.T) {
	var c crowd
	now := time.Unix(1_000_000, 0)
	var rush []<-chan struct{}
	for i := range mostWaiting {
		if c.patience(now) != answerWithin {
			t.Fatal("nobody waits yet")
		}
		rush = append(rush, c.join(fmt.Sprint(i), now))
	}
	rush = append(rush, c.join("0", now))
	if closed(rush[0]) {
		t.Fatal("as many may wait, and one of them twice")
	}
	if c.patience(now) != answerWithin {
		t.Fatal("one more cannot be told apart yet")
	}
	rush = append(rush, c.join("one more", now))
	for i, r := range rush {
		if !closed(r) {
			t.Errorf("%d still waits", i)
		}
	}
	c.leave("one more")
	c.leave("0")
	for i := range mostWaiting {
		c.leave(fmt.Sprint(i))
	}
	if c.patience(now.Add(999*time.Millisecond)) != 0 || c.patience(now.Add(time.Second)) != answerWithin {
		t.Error("a crowd lasts a second")
	}
	if closed(c.join("later", now.Add(time.Second))) {
		t.Error("who comes after it waits again")
	}
}

// TestCrowdByRate: many commands are a crowd, also when each has its result soon.
func TestCrowdByRate(t *testing.T) {
	var c crowd
	now := time.Unix(1_000_000, 0)
	waits := c.join("0", now)
	for i := range busyFrom {
		if c.patience(now) != answerWithin {
			t.Fatalf("command %d does not wait", i)
		}
	}
	if c.patience(now) != 0 || !closed(waits) {
		t.Error("one more begins a crowd")
	}
	if c.patience(now.Add(1500*time.Millisecond)) != 0 { // the second before had a crowd
		t.Error("it ends too soon")
	}
	if c.patience(now.Add(4*time.Second)) != answerWithin {
		t.Error("it does not end")
	}
}
