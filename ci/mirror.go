package ci

import (
	"context"
	"errors"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// mirror lets a bridge with needs:pipeline show how the newest pipeline of another project's default branch is. Without such
// a pipeline it is skipped, as on GitLab.
func (c *Coordinator) mirror(ctx context.Context, t *models.Task, f *jobFacts) error {
	found, err := c.mirrored(ctx, f)
	failed, err := c.gaveUp(ctx, t, f, err)
	if err != nil {
		return err
	}
	return c.withJob(ctx, f.job.ID, func(m *mover, j *models.Job) error {
		switch {
		case j.Status != enum.Pending:
			return nil
		case failed != nil:
			return m.end(j, process.Drop, Outcome{Reason: failed.reason, Text: failed.more})
		case found == nil:
			err := m.move(j, process.Skip, func(j *models.Job) {
				j.StatusReason = "the head of the default branch of " + f.definition.Mirrors + " has no pipeline"
			})
			return errors.Join(err, m.advance(nil))
		}
		if err := m.tx.Mirror(j.ID, found.ID); err != nil {
			return err
		}
		return c.soon(m.tx, TaskMirrored, found.ID)
	})
}

// mirrored finds the pipeline that a bridge shows; nil if there is none. It refuses with a *bridgeFailure. The right to read
// is asked before anything is said of pipelines.
func (c *Coordinator) mirrored(ctx context.Context, f *jobFacts) (*models.Pipeline, error) {
	var project *models.Project
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if project, err = tx.ProjectByPath(f.definition.Mirrors); err != nil {
			return err
		}
		subject, err := access.SubjectOf(tx, access.Actor{User: f.user}, project)
		if err == nil && !access.Allowed(access.Actor{User: f.user}, access.ReadPipelines, subject) {
			err = &bridgeFailure{enum.InsufficientUpstream, project.FullPath}
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, &bridgeFailure{enum.UpstreamProjectNotFound, f.definition.Mirrors}
	}
	if err != nil {
		return nil, err
	}
	head, err := c.Repo(project).Resolve(ctx, "refs/heads/"+project.DefaultBranch)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found *models.Pipeline
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		found, err = tx.LatestPipeline(project.ID, project.DefaultBranch, head, "")
		return notThere(err)
	})
	if err == nil && found != nil && found.ID == f.pipeline.ID {
		err = &bridgeFailure{enum.InvalidBridgeTrigger, "it would wait for its own pipeline"}
	}
	return found, err
}

// mirrored lets the bridges that show a pipeline follow, if there are any, when its status changes to one that they have.
func (m *mover) mirrored(next enum.Status) error {
	p := m.pipeline
	if next == p.Status || next != enum.Running && !process.Stands(next) && !process.Stands(p.Status) {
		return nil
	}
	shown, err := m.tx.Mirrored(p.ID)
	if err != nil || !shown {
		return err
	}
	return m.c.soon(m.tx, TaskMirrored, p.ID)
}

// runMirrored lets bridges show how a pipeline of another project is.
func (c *Coordinator) runMirrored(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var bridges []int64
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		// Whoever changes the pipeline now may not have seen a bridge that has just begun to show it: its change comes first.
		if _, err := tx.LockPipeline(id); notThere(err) != nil {
			return err
		}
		bridges, err = tx.MirrorsOf(id)
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, bridge := range bridges {
		err := c.withJob(ctx, bridge, func(m *mover, j *models.Job) error { return m.reflect(j, id) })
		failed = errors.Join(failed, notThere(err))
	}
	return failed
}

// reflect brings a bridge in line with the pipeline that it shows. If that is deleted, nothing can be said of it any more.
func (m *mover) reflect(j *models.Job, id int64) error {
	if j.Retried || j.MirrorsID == nil || *j.MirrorsID != id {
		return nil
	}
	if j.Status != enum.Pending && j.Status != enum.Running && !process.Stands(j.Status) {
		return nil // it is considered anew, and looks for the newest pipeline when its turn comes
	}
	p, err := m.tx.Pipeline(id)
	switch {
	case errors.Is(err, models.ErrNotFound) && j.Status.Completed():
		return nil
	case errors.Is(err, models.ErrNotFound):
		return m.end(j, process.Drop, Outcome{Reason: enum.UnknownFailure, Text: "the pipeline that it shows was deleted"})
	case err != nil:
		return err
	}
	if p.ReopenedByID != nil {
		m.by = *p.ReopenedByID
	}
	return m.show(j, process.NeedsPipeline, p)
}
