package ci

import (
	"context"
	"maps"
	"sync"
	"time"

	"signalbox/models"
)

// contacts keeps in memory when machines and running jobs were last heard of; a sweep stores them in
// batches, so that no poll and no heartbeat writes.
type contacts struct {
	mu       sync.Mutex
	managers map[int64]time.Time
	jobs     map[int64]time.Time
}

func (c *contacts) manager(id int64, at time.Time) { c.note(&c.managers, id, at) }

func (c *contacts) job(id int64, at time.Time) { c.note(&c.jobs, id, at) }

func (c *contacts) note(m *map[int64]time.Time, id int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *m == nil {
		*m = map[int64]time.Time{}
	}
	(*m)[id] = at
}

// seen says when a running job was last heard of on this node.
func (c *contacts) seen(jobID int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs[jobID]
}

func (c *contacts) drain() (managers, jobs map[int64]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	managers, jobs = c.managers, c.jobs
	c.managers, c.jobs = nil, nil
	return managers, jobs
}

// contactBatch bounds one transaction of contact times.
const contactBatch = 500

func (c *Coordinator) flushContacts(ctx context.Context) {
	managers, jobs := c.contacts.drain()
	store := func(all map[int64]time.Time, write func(*models.Tx, map[int64]time.Time) error) {
		for len(all) > 0 {
			part := map[int64]time.Time{}
			for id, at := range all {
				if len(part) == contactBatch {
					break
				}
				part[id] = at
			}
			maps.DeleteFunc(all, func(id int64, _ time.Time) bool { _, in := part[id]; return in })
			if err := c.db.Write(ctx, func(tx *models.Tx) error { return write(tx, part) }); err != nil {
				c.log.WarnContext(ctx, "contact times cannot be stored", "error", err)
				return
			}
		}
	}
	store(managers, (*models.Tx).TouchManagers)
	store(jobs, (*models.Tx).TouchHandOuts)
}
