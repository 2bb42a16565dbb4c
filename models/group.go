package models

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
)

// group is SQLite's one writer. Transactions that wait for it share a commit, and so one flush to disk:
// each runs in a savepoint of its own, so that one that fails takes nothing of the others with it.
type group struct {
	db       *gorm.DB
	requests chan *request
	quit     chan struct{}
	done     chan struct{}
	once     sync.Once
}

type request struct {
	ctx   context.Context
	run   func(*gorm.DB) error
	reply chan error
	err   error
}

// A shared transaction ends after this many members or this long, whichever comes first, so that no
// member waits long for the others.
const (
	groupSize = 64
	groupTime = 15 * time.Millisecond
)

var errClosed = errors.New("database is closed")

func newGroup(db *gorm.DB) *group {
	g := &group{db: db, requests: make(chan *request), quit: make(chan struct{}), done: make(chan struct{})}
	go g.loop()
	return g
}

func (g *group) do(ctx context.Context, run func(*gorm.DB) error) error {
	r := &request{ctx: ctx, run: run, reply: make(chan error, 1)}
	select {
	case g.requests <- r:
		return <-r.reply
	case <-ctx.Done():
		return ctx.Err()
	case <-g.quit:
		return errClosed
	}
}

func (g *group) stop() {
	g.once.Do(func() { close(g.quit) })
	<-g.done
}

func (g *group) loop() {
	defer close(g.done)
	for {
		select {
		case r := <-g.requests:
			g.commit(r)
		case <-g.quit:
			return
		}
	}
}

// commit runs first and whoever comes while it works in one transaction, then answers all of them.
func (g *group) commit(first *request) {
	members := []*request{first}
	err := g.db.Transaction(func(tx *gorm.DB) error {
		deadline := time.Now().Add(groupTime)
		if err := member(tx, first, 0); err != nil {
			return err
		}
		for len(members) < groupSize && time.Now().Before(deadline) {
			select {
			case r := <-g.requests:
				members = append(members, r)
				if err := member(tx, r, len(members)); err != nil {
					return err
				}
			default:
				return nil
			}
		}
		return nil
	})
	for _, m := range members {
		if m.err == nil {
			m.err = err
		}
		m.reply <- m.err
	}
}

// member runs one request in a savepoint. An error means that the shared transaction itself is lost, as on a
// full disk; the request's own failure stands in the request.
func member(tx *gorm.DB, r *request, n int) error {
	name := fmt.Sprintf("m%d", n)
	if r.err = r.ctx.Err(); r.err != nil {
		return nil
	}
	if r.err = tx.SavePoint(name).Error; r.err != nil {
		return r.err
	}
	if r.err = guarded(tx, r.run); r.err == nil {
		return nil
	}
	if err := tx.RollbackTo(name).Error; err != nil {
		r.err = errors.Join(r.err, err)
		return r.err
	}
	return nil
}

// guarded turns a panic of one member into its error: the others are innocent.
func guarded(tx *gorm.DB, run func(*gorm.DB) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	return run(tx)
}
