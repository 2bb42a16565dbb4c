package ci

import (
	"context"
	"fmt"
	"time"

	"signalbox/models"
)

const (
	// maintainAfter is how long after a change a repository is looked at: those that follow it are done with it.
	maintainAfter = 5 * time.Minute
	// maintainWithin bounds one maintenance.
	maintainWithin = 20 * time.Minute
	// maxKept bounds the commits that are kept around. With more nothing is pruned.
	maxKept = 100_000
)

// maintainSoon lets the repository of a project be looked at some time after it changed.
func (c *Coordinator) maintainSoon(tx *models.Tx, project int64) error {
	key := fmt.Sprintf("%s:%d", TaskMaintain, project)
	return tx.AddTask(&models.Task{Kind: TaskMaintain, Key: &key, Payload: fmt.Sprint(project), RunAt: tx.Now().Add(maintainAfter)})
}

// runMaintain packs the objects of a repository if there are many, and lets those go that nothing needs.
func (c *Coordinator) runMaintain(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var project *models.Project
	var keep []string
	var all bool
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if project, err = tx.Project(id); err != nil {
			return err
		}
		keep, all, err = tx.KeptCommits(id, maxKept)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	if project.PendingDelete {
		return nil
	}
	m, err := c.Repo(project).Maintain(ctx, keep, all)
	if m.Repacked || m.Locks > 0 {
		c.log.InfoContext(ctx, "repository was maintained", "project", project.FullPath, "loose", m.Loose, "packs", m.Packs, "locks", m.Locks, "pruned", all)
	}
	return err
}
