package ci

import (
	"sync"
	"time"
)

// mostDrift is how far the clock may leave the time that passes between two sweeps before it counts as having been set.
const mostDrift = time.Minute

// ears know since when this node hears runners: since it started, and since its clock was last put forward or back. What was
// heard before says nothing about how long a runner has been silent.
type ears struct {
	mu     sync.Mutex
	since  time.Time
	clock  time.Time
	steady time.Time
}

// deaf says whether this node has not listened long enough yet to call anybody silent.
func (c *Coordinator) deaf(now time.Time) bool {
	return c.ears.listen(now, c.settings.Steady()).After(now.Add(-c.settings.LostAfter))
}

// listen compares the clock with one that nobody sets, and says since when, by the clock, runners were heard.
func (e *ears) listen(clock, steady time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	drift := clock.Sub(e.clock) - steady.Sub(e.steady)
	if e.since.IsZero() || drift.Abs() > mostDrift {
		e.since = clock
	}
	e.clock, e.steady = clock, steady
	return e.since
}
