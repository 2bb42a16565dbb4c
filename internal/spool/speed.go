package spool

import "time"

// speed is how fast the reader of an outlet is, by the time in which there was something to take.
type speed struct {
	timer  *time.Timer
	left   time.Duration // that the reader may fall short still
	since  time.Time     // from when there is something to take; zero: there is nothing
	busy   time.Duration // in which there was something, before since, after the last look
	taken  int64         // bytes after the last look
	waits  bool          // the writer waits for the reader
	waited bool          // it did after the last look
}

// wait notes that the writer waits for the reader.
func (s *speed) wait() { s.waits, s.waited = true, true }

// begin notes that there is something to take.
func (s *speed) begin() {
	if s.since.IsZero() {
		s.since = time.Now()
	}
}

// end notes that all was taken.
func (s *speed) end() {
	s.busy += time.Since(s.since)
	s.since = time.Time{}
}

// look ends the outlet of a reader that is slower than it may be now.
func (o *Outlet) look() {
	wanted := o.wanted()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed && o.in == o.out || o.err != nil {
		return
	}
	s := &o.speed
	if !s.since.IsZero() {
		s.busy += time.Since(s.since)
		s.since = time.Now()
	}
	if rate := o.rate(wanted); rate > 0 {
		s.left = min(grace, s.left+time.Duration(min(s.taken, 1<<30))*time.Second/time.Duration(rate)-s.busy)
	} else {
		s.left = grace
	}
	if s.left < 0 {
		o.err = ErrStalled
		o.change.Broadcast()
		return
	}
	s.busy, s.taken, s.waited = 0, 0, s.waits
	s.timer.Reset(lookEach)
}

// rate is how fast the reader must be now: nothing is asked of one that holds nothing scarce.
func (o *Outlet) rate(wanted bool) int64 {
	switch {
	case o.speed.waited && wanted, o.share.has > 0 && o.share.disk.short():
		return shortRate
	case o.speed.waited:
		return leastRate
	}
	return 0
}
