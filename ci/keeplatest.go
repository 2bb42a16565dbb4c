package ci

import (
	"context"

	"signalbox/models"
	"signalbox/models/enum"
)

// The artifacts of a ref's newest pipelines stay, whatever their expiry says, until a newer one has succeeded
// (facts: pipeline-semantics 6.3). Pipelines and artifacts carry the lock as a mark of their own, so that a sweep for what
// has expired never looks at what is kept.

// locks says whether a new pipeline keeps its artifacts.
func (b *builder) locks() bool { return !b.r.Project.Settings.ForgetLatestArtifact }

// unlocks stores that older pipelines need not be kept any more, once a pipeline has succeeded or waits for somebody.
func (m *mover) unlocks(st enum.Status) error {
	p := m.pipeline
	if st != enum.Success && st != enum.Manual || p.Source == enum.SourceParentPipeline {
		return nil
	}
	older, err := m.tx.LockedPipelines(p.ProjectID, p.Ref, p.Tag, p.ID, 1)
	if err != nil || len(older) == 0 {
		return err
	}
	return m.c.soon(m.tx, TaskUnlock, p.ID)
}

func (c *Coordinator) runUnlock(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var p *models.Pipeline
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		p, err = tx.Pipeline(id)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	return c.unlock(ctx, p.ProjectID, p.Ref, p.Tag, p.ID)
}

// unlock lets the artifacts of a ref's pipelines before one expire; before 0 those of all its pipelines.
func (c *Coordinator) unlock(ctx context.Context, project int64, ref string, tag bool, before int64) error {
	for {
		var older []*models.Pipeline
		err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
			older, err = tx.LockedPipelines(project, ref, tag, before, sweepBatch)
			return err
		})
		if err != nil || len(older) == 0 {
			return err
		}
		for _, o := range older {
			if err := c.db.Write(ctx, func(tx *models.Tx) error { return tx.UnlockPipeline(o.ID) }); err != nil {
				return err
			}
		}
	}
}
