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

// errDown is why a message waits that was not tried, because another one is.
var errDown = errors.New("the chat does not answer at the moment")

// waiting is an error without a reason, where nothing is wrong with what waits: it is no news.
func waiting(err error) error {
	var later *tasks.Later
	if errors.As(err, &later) && errors.Is(later.Reason, errDown) {
		return &tasks.Later{At: later.At}
	}
	return err
}

// through does what calls a chat, if it is its turn in the channel, and the chat is not down or nobody else tries it. who tells those
// apart that wait; an edit says how far something is, and lets results go before.
func (s *Service) through(ctx context.Context, in *models.ChatIntegration, to Target, who string, edit bool, call func(ctx context.Context) error) error {
	if in == nil || s.chats[in.Chat] == nil {
		return call(ctx)
	}
	if at := s.budget.turn(ctx, to, who, edit); !at.IsZero() {
		return &tasks.Later{At: at}
	}
	if !s.gates.enter(in.ID) {
		return &tasks.Later{At: s.db.Now().Add(time.Second + rand.N(time.Second)), Reason: errDown}
	}
	failed := true
	defer func() { s.gates.leave(in.ID, failed) }()
	err := call(ctx)
	var later *tasks.Later
	var busy *Busy
	failed = errors.As(err, &later) && later.Reason != nil && !errors.As(later.Reason, &busy)
	return err
}
