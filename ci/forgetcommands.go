package ci

import (
	"context"
	"time"

	"signalbox/models"
)

// commandBatch is how many old commands are deleted at a time.
const commandBatch = 100

// sweepCommands deletes chat commands that a project, or the instance, keeps no longer. What still runs is kept.
func (c *Coordinator) sweepCommands(ctx context.Context) error {
	now := c.db.Now()
	if last := c.forgot.Load(); last != nil && now.Sub(*last).Abs() < ageEvery {
		return nil
	}
	var projects []*models.Project
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		projects, err = tx.ProjectsThatForgetCommands()
		return err
	})
	if err != nil {
		return err
	}
	more := false
	forget := func(project int64, days int) error {
		n, err := c.forgetCommands(ctx, project, now.AddDate(0, 0, -days))
		more = more || n == commandBatch
		return err
	}
	for _, p := range projects {
		if days := p.Settings.KeepCommandsDays; days > 0 {
			if err := forget(p.ID, days); err != nil {
				return err
			}
		}
	}
	if days := c.current(ctx).KeepCommandsDays; days > 0 {
		if err := forget(0, int(days)); err != nil {
			return err
		}
	}
	if !more { // else the next sweep goes on
		c.forgot.Store(&now)
	}
	return nil
}

func (c *Coordinator) forgetCommands(ctx context.Context, project int64, before time.Time) (int, error) {
	var ids []int64
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		ids, err = tx.OldCommands(project, before, commandBatch)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return len(ids), c.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteCommands(ids) })
}
