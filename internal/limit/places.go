package limit

import (
	"context"
	"sync"
)

// Places bound what is done at the same time: in all, and for one key, such as a project or an address. At most as many as
// one key may have wait for a place of all, so that nobody stands in line with a crowd of somebody else's. It counts for
// one node.
type Places struct {
	all  chan struct{}
	each int
	mu   sync.Mutex
	keys map[string]*queue // of those that have or want a place
}

type queue struct {
	places chan struct{}
	users  int
}

// NewPlaces makes Places for all at a time, of which each key may have each.
func NewPlaces(all, each int) *Places {
	return &Places{all: make(chan struct{}, max(1, all)), each: max(1, each), keys: map[string]*queue{}}
}

// Take waits for a place. It is given back with give, which may be called again for nothing. It fails with the cause of
// the context's end.
func (p *Places) Take(ctx context.Context, key string) (give func(), err error) {
	q := p.join(key)
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		p.part(key, q)
		return func() {}, context.Cause(ctx)
	}
	select {
	case p.all <- struct{}{}:
	case <-ctx.Done():
		<-q.places
		p.part(key, q)
		return func() {}, context.Cause(ctx)
	}
	return sync.OnceFunc(func() {
		<-p.all
		<-q.places
		p.part(key, q)
	}), nil
}

// Wanted is how many have or want a place of a key.
func (p *Places) Wanted(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.keys[key]; q != nil {
		return q.users
	}
	return 0
}

func (p *Places) join(key string) *queue {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.keys[key]
	if q == nil {
		q = &queue{places: make(chan struct{}, p.each)}
		p.keys[key] = q
	}
	q.users++
	return q
}

func (p *Places) part(key string, q *queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(p.keys, key)
	}
}
