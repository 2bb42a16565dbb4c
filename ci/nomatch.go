package ci

import (
	"context"
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

// noRunnerEvery is how often jobs are looked for that no online runner can take.
const noRunnerEvery = time.Minute

// sweepNoRunner fails jobs that have waited for an hour while no online runner can take them. Jobs that the same runners
// can take are looked at together (facts: pipeline-semantics 4.17).
func (c *Coordinator) sweepNoRunner(ctx context.Context) error {
	now := c.db.Now()
	if c.deaf(now) {
		return nil
	}
	if last := c.matched.Load(); last != nil && now.Sub(*last).Abs() < noRunnerEvery {
		return nil
	}
	c.matched.Store(&now)
	var waiting []*models.PendingJob
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		waiting, err = tx.PendingSince(now.Add(-c.settings.NoRunnerAfter), queueBatch)
		return err
	})
	if err != nil {
		return err
	}
	possible := map[string]bool{}
	return each(ctx, c, waiting, jobInQueue, func(p *models.PendingJob) error {
		key := classKey(p)
		if _, known := possible[key]; !known {
			if possible[key], err = c.takable(ctx, p); err != nil {
				return err
			}
		}
		if possible[key] {
			return nil
		}
		return c.fail(ctx, p.JobID, enum.StuckPendingNoMatching)
	})
}

// takable says whether an online runner can take a job.
func (c *Coordinator) takable(ctx context.Context, p *models.PendingJob) (ok bool, err error) {
	paused := false
	groups := (&models.Namespace{Traversal: p.Traversal}).Ancestry()
	f := models.RunnerFilter{ProjectID: p.ProjectID, NamespaceIDs: groups, Status: "online", Paused: &paused, Tags: p.Tags}
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		for page := (models.Page{PerPage: 100, Number: 1, Uncounted: true}); ; page.Number++ {
			rows, _, err := tx.ListRunners(f, page)
			if err != nil {
				return err
			}
			for _, r := range rows {
				m, err := matcherOf(tx, r)
				if err != nil {
					return err
				}
				if ok = m.takes(p); ok {
					return nil
				}
			}
			if len(rows) < page.PerPage {
				return nil
			}
		}
	})
	return ok, err
}

// matcherOf says which jobs a runner can take.
func matcherOf(tx *models.Tx, r *models.Runner) (m matcher, err error) {
	m = matcher{typ: r.Type, tags: r.Tags, untagged: r.RunUntagged, protectOnly: r.RefProtected}
	if r.NamespaceID != nil {
		m.namespace = *r.NamespaceID
	}
	if r.Type == enum.ProjectRunner {
		m.projects, err = tx.RunnerProjects(r.ID)
	}
	return m, err
}
