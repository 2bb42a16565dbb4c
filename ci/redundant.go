package ci

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/ci/process"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

const (
	// redundantWithin is how old a pipeline may be that a newer one takes the place of.
	redundantWithin = 7 * 24 * time.Hour
	maxRedundant    = 3000
)

// outdates stores, with a new pipeline, that older ones of its ref may be redundant now.
func (b *builder) outdates(tx *models.Tx, p *models.Pipeline) error {
	if b.r.Project.Settings.KeepRedundant || p.Source == enum.SourceParentPipeline {
		return nil
	}
	older, err := tx.AlivePipelines(p, tx.Now().Add(-redundantWithin), 1)
	if err != nil || len(older) == 0 {
		return err
	}
	// Of many commands on one commit the first has looked already, and what came since is not redundant for the others.
	if last := older[0]; p.Source == enum.SourceChat && last.Source == enum.SourceChat && last.SHA == p.SHA {
		return nil
	}
	return b.c.soon(tx, TaskRedundant, p.ID)
}

// runRedundant cancels what a new pipeline makes redundant, oldest first. What somebody asked for in a chat is never
// redundant: a command ends with its own answer.
func (c *Coordinator) runRedundant(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var newer *models.Pipeline
	var older []*models.Pipeline
	var project *models.Project
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if newer, err = tx.Pipeline(id); err != nil {
			return err
		}
		if project, err = tx.Project(newer.ProjectID); err != nil {
			return err
		}
		older, err = tx.AlivePipelines(newer, newer.CreatedAt.Add(-redundantWithin), maxRedundant)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	head, err := c.Repo(project).Resolve(ctx, newer.FullRef())
	if err != nil && !errors.Is(err, gitrepo.ErrNotFound) {
		return err
	}
	for _, p := range older {
		if p.SHA == newer.SHA || p.SHA == head || p.Source == enum.SourceChat || p.Source == enum.SourceExternal {
			continue
		}
		if err := c.cancelRedundant(ctx, p.ID, newer.ID); err != nil {
			return err
		}
	}
	return nil
}

func (c *Coordinator) cancelRedundant(ctx context.Context, id, newer int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, id)
		if err != nil {
			return notThere(err)
		}
		jobs, err := tx.PipelineJobs(id, false)
		if err != nil {
			return err
		}
		redundant := process.Redundant(m.pipeline.OnNewCommit, snapshot(jobs))
		if len(redundant) == 0 {
			return nil
		}
		m.pipeline.AutoCanceledByID = &newer
		if err := tx.NoteAutoCanceled(m.pipeline); err != nil {
			return err
		}
		return m.cancelAll(jobs, redundant, fmt.Sprintf("pipeline #%d of a newer commit took its place", newer))
	})
}

// cancelAll stops some of a pipeline's jobs and lets it follow.
func (m *mover) cancelAll(jobs []*models.Job, ids []int64, why string) error {
	byID := make(map[int64]*models.Job, len(jobs))
	for _, j := range jobs {
		byID[j.ID] = j
	}
	for _, id := range ids {
		if err := m.cancel(byID[id], false, why); err != nil {
			return err
		}
	}
	return m.advance(nil)
}
