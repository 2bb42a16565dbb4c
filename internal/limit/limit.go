// Package limit counts what may be done only so often, in the memory of one node or in Redis for several, and what may be
// done at the same time. Counting is a brake on guessing, never a permission: what cannot be counted is let through.
package limit

import (
	"context"
	"sync"
	"time"
)

// Local counts in memory. Each key may be used Burst times at once and then once every Every.
type Local struct {
	every time.Duration
	burst int
	mu    sync.Mutex
	keys  map[string]*bucket
}

// bucket is how often a key may be used still; it fills with time.
type bucket struct {
	left float64
	at   time.Time
}

// maxKeys bounds the memory; when it is reached, keys that were not used for long are forgotten first.
const maxKeys = 10_000

// NewLocal makes a Local.
func NewLocal(every time.Duration, burst int) *Local {
	return &Local{every: every, burst: burst, keys: map[string]*bucket{}}
}

func (l *Local) fill(b *bucket, now time.Time) {
	b.left = min(float64(l.burst), b.left+float64(max(0, now.Sub(b.at)))/float64(l.every))
	b.at = now
}

// Allow uses a key once; false if it is used up for now.
func (l *Local) Allow(_ context.Context, key string) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.keys[key]
	if b == nil {
		l.makeRoom(now)
		b = &bucket{left: float64(l.burst), at: now}
		l.keys[key] = b
	}
	l.fill(b, now)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// makeRoom forgets the keys that are as good as new; if there are none, any.
func (l *Local) makeRoom(now time.Time) {
	if len(l.keys) < maxKeys {
		return
	}
	for key, b := range l.keys {
		if l.fill(b, now); b.left >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) < maxKeys*9/10 {
			return
		}
		delete(l.keys, key)
	}
}

// Return takes a use back that shall not count.
func (l *Local) Return(_ context.Context, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.keys[key]; b != nil {
		b.left = min(float64(l.burst), b.left+1)
	}
}

// Reset forgets a key.
func (l *Local) Reset(_ context.Context, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}
