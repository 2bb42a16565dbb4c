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

// leave gives the place away while the pipeline needs it not. What only asks whether a configuration is right has none.
func (b *builder) leave() {
	if b.give != nil {
		b.give()
	}
}

// enterAgain takes a place again after leave.
func (b *builder) enterAgain(ctx context.Context) {
	if b.give != nil {
		_ = b.enter(ctx) // without a place the context has ended, and so does all that follows
	}
}

// aside runs f, which waits for a server elsewhere or for another pipeline's reading, while another pipeline may be made.
func (b *builder) aside(ctx context.Context, f func()) {
	b.leave()
	f()
	b.enterAgain(ctx)
}

// wait runs until, which waits for others, while another pipeline may be made and the time of the reading stands still.
func (f *files) wait(until func(ctx context.Context)) {
	f.unclocked(func(ctx context.Context) { f.b.aside(ctx, func() { until(ctx) }) })
}

// unclocked runs until while the time of the reading stands still.
func (f *files) unclocked(until func(ctx context.Context)) {
	if f.clock == nil {
		until(f.ctx)
		return
	}
	f.clock.pause()
	until(f.whole)
	f.clock.resume()
}

// onCore runs read, which takes cores by itself, while another pipeline may be made. A pipeline has either its place among
// those that are made or a core, never both: with one of them it would keep others from it while it waits for the other.
func (f *files) onCore(read func()) {
	f.b.leave()
	defer f.unclocked(f.b.enterAgain)
	read()
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
