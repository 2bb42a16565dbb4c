package ci

import (
	"context"
	"runtime"
)

// making bounds how many pipelines are made at a time. More would be made no sooner, and all else, such as the answers to
// runners and chats, would wait for cores and for connections to the database meanwhile.
type making chan struct{}

func newMaking() making { return make(making, 2*runtime.GOMAXPROCS(0)) }

// enter waits for a place; it fails when the context ends before.
func (m making) enter(ctx context.Context) error {
	select {
	case m <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m making) leave() { <-m }

// aside runs f, which waits for a server elsewhere or for another pipeline's reading, while another pipeline may be made.
func (b *builder) aside(f func()) {
	if !b.entered { // nothing is made: somebody wants to know whether a configuration is right
		f()
		return
	}
	b.c.making.leave()
	defer func() { b.c.making <- struct{}{} }()
	f()
}
