package tasks

import (
	"context"
	"sync"

	"signalbox/models"
)

// claims are the tasks that this runner has claimed and whose outcome is not stored. They are given back where that can be
// done, because a claim that runs out counts as the death of a node, for which a task may be to blame.
type claims struct {
	mu   sync.Mutex
	held map[*models.Task]bool // true: it ran, and its outcome could not be stored
}

func (c *claims) add(t *models.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[*models.Task]bool{}
	}
	c.held[t] = false
}

// fail notes that the outcome of a task could not be stored.
func (c *claims) fail(t *models.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[t] = true
}

func (c *claims) ended(list ...*models.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range list {
		delete(c.held, t)
	}
}

func (c *claims) unstored() (list []*models.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t, failed := range c.held {
		if failed {
			list = append(list, t)
		}
	}
	return list
}

func (c *claims) all() (list []*models.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.held {
		list = append(list, t)
	}
	return list
}

// GiveBack lets the tasks run elsewhere, or after the next start, that a node cuts off which ends in good order. They count
// neither as failed nor as the end of a node; their next run is told that this one may have done something. It is called once
// Run's context has ended, as the last thing before the database is closed.
func (r *Runner) GiveBack(ctx context.Context) error {
	cut := r.claims.all()
	if len(cut) == 0 {
		return nil
	}
	return r.db.Write(ctx, func(tx *models.Tx) error { return tx.ReturnTasks(cut) })
}
