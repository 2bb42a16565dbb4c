package limit

import (
	"context"
	"sync"
)

// Places bound what is done at the same time: in all, and for one key, such as a project or an address. At most as many as
// one key may have wait for a place of all, so that nobody stands in line with a crowd of somebody else's. It counts for
// one node.
type Places struct {
	all    chan struct{}
	each   int
	mu     sync.Mutex
	keys   map[string]*queue // of those that have or want a place
	queued int               // those that have a place of their key and wait for one of all
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
	p.queue(1)
	select {
	case p.all <- struct{}{}:
		p.queue(-1)
	case <-ctx.Done():
		p.queue(-1)
		<-q.places
		p.part(key, q)
		return func() {}, context.Cause(ctx)
	}
	return p.giving(key, q), nil
}

// TryTake is Take without waiting: false if no place is free now.
func (p *Places) TryTake(key string) (give func(), ok bool) {
	q := p.join(key)
	select {
	case q.places <- struct{}{}:
	default:
		p.part(key, q)
		return func() {}, false
	}
	select {
	case p.all <- struct{}{}:
	default:
		<-q.places
		p.part(key, q)
		return func() {}, false
	}
	return p.giving(key, q), true
}

func (p *Places) giving(key string, q *queue) (give func()) {
	return sync.OnceFunc(func() {
		<-p.all
		<-q.places
		p.part(key, q)
	})
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

// Short says whether somebody waits for a place who could have one, were one of this key given back.
func (p *Places) Short(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.keys[key]
	return p.queued > 0 || q != nil && q.users > p.each
}

func (p *Places) queue(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queued += n
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
