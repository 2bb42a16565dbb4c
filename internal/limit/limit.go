// Package limit counts what may be done only so often: in the memory of one node, or in Redis for several. It
// is a brake on guessing, never a permission: what cannot be counted is let through.
package limit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Local counts in memory. Each key may be used Burst times at once and then once every Every.
type Local struct {
	every time.Duration
	burst int
	mu    sync.Mutex
	keys  map[string]*rate.Limiter
}

// maxKeys bounds the memory; when it is reached all counts start anew.
const maxKeys = 10_000

// NewLocal makes a Local.
func NewLocal(every time.Duration, burst int) *Local {
	return &Local{every: every, burst: burst, keys: map[string]*rate.Limiter{}}
}

// Allow uses a key once; false if it is used up for now.
func (l *Local) Allow(_ context.Context, key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[key]
	if k == nil {
		if len(l.keys) >= maxKeys {
			clear(l.keys)
		}
		k = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.keys[key] = k
	}
	return k.Allow()
}

// Reset forgets a key.
func (l *Local) Reset(_ context.Context, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}
