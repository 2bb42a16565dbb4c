package chatops

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"signalbox/ci/tasks"
	"signalbox/models"
)

// gates keep a chat that does not answer from holding up the others: while it is down, one message at a time tries it.
type gates struct {
	mu   sync.Mutex
	down map[int64]bool // by integration: whether somebody tries it at the moment
}

// enter says whether a message may go out now; leave must follow if so.
func (g *gates) enter(integration int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	trying, down := g.down[integration]
	if down && trying {
		return false
	}
	if down {
		g.down[integration] = true
	}
	return true
}

// leave tells how it went: failed says that the chat could not be reached, or gave no answer that is one.
func (g *gates) leave(integration int64, failed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !failed {
		delete(g.down, integration)
		return
	}
	if g.down == nil {
		g.down = map[int64]bool{}
	}
	g.down[integration] = false
}

// through does what calls a chat, if that is not down or nobody else tries it.
func (s *Service) through(ctx context.Context, in *models.ChatIntegration, call func(ctx context.Context) error) error {
	if in == nil {
		return call(ctx)
	}
	if !s.gates.enter(in.ID) {
		return &tasks.Later{At: s.db.Now().Add(time.Second + rand.N(time.Second))}
	}
	failed := true
	defer func() { s.gates.leave(in.ID, failed) }()
	err := call(ctx)
	var later *tasks.Later
	var busy *Busy
	failed = errors.As(err, &later) && later.Reason != nil && !errors.As(later.Reason, &busy)
	return err
}
