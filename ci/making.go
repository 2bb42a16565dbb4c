package ci

import (
	"context"
	"runtime"
	"strconv"
	"time"

	limits "signalbox/internal/limit"
	"signalbox/models"
)

// newCreations bounds how many pipelines are made at a time. More would be made no sooner, and all else, such as the answers
// to runners and chats, would wait for cores and for connections to the database meanwhile. A project has a quarter of the
// places at most, so that its configuration does not keep the others from theirs.
func newCreations() *limits.Places {
	cores := runtime.GOMAXPROCS(0)
	return limits.NewPlaces(2*cores, max(1, cores/2))
}

func placeKey(p *models.Project) string { return strconv.FormatInt(p.ID, 10) }

// enter waits for a place among the pipelines that are made; it fails when the context ends before.
func (b *builder) enter(ctx context.Context) (err error) {
	b.give, err = b.c.creations.Take(ctx, placeKey(b.r.Project))
	return err
}

// aside runs f, which waits for a server elsewhere, for another pipeline's reading or for a core, while another pipeline may
// be made.
func (b *builder) aside(ctx context.Context, f func()) {
	if b.give == nil { // nothing is made: somebody wants to know whether a configuration is right
		f()
		return
	}
	b.give()
	f()
	_ = b.enter(ctx) // without a place the context has ended, and so does all that follows
}

// wait runs until, which waits for others, while another pipeline may be made and the time of the reading stands still.
func (f *files) wait(until func(ctx context.Context)) {
	if f.clock == nil {
		f.b.aside(f.ctx, func() { until(f.ctx) })
		return
	}
	f.clock.pause()
	f.b.aside(f.whole, func() { until(f.whole) })
	f.clock.resume()
}

// stopwatch calls a function after a time that can be paused.
type stopwatch struct {
	timer *time.Timer
	since time.Time
	left  time.Duration
}

func startStopwatch(d time.Duration, f func()) *stopwatch {
	return &stopwatch{timer: time.AfterFunc(d, f), since: time.Now(), left: d}
}

func (s *stopwatch) pause() {
	s.timer.Stop()
	s.left -= time.Since(s.since)
}

func (s *stopwatch) resume() {
	s.since = time.Now()
	s.timer.Reset(max(0, s.left))
}
