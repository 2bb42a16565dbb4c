package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// runUpstream lets a bridge show what became of the pipeline that it started.
func (c *Coordinator) runUpstream(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	var source int64
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		p, err := tx.Pipeline(id)
		if err == nil && p.SourceJobID != nil {
			source = *p.SourceJobID
		}
		return err
	})
	if err != nil || source == 0 {
		return notThere(err)
	}
	return notThere(c.withJob(ctx, source, func(m *mover, j *models.Job) error {
		if !j.Bridge || j.Retried {
			return nil
		}
		p, err := m.tx.Pipeline(id)
		if err != nil {
			return notThere(err)
		}
		def, err := m.c.definition(m.tx, j)
		if err != nil {
			return err
		}
		if p.ReopenedByID != nil {
			m.by = *p.ReopenedByID
		}
		return m.show(j, def.Trigger.Strategy, p)
	}))
}

// show brings a bridge in line with its pipeline.
func (m *mover) show(j *models.Job, strategy string, p *models.Pipeline) error {
	why := fmt.Sprintf("pipeline #%d, which it %s, is %s", p.ID, map[bool]string{true: "shows", false: "started"}[j.MirrorsID != nil], p.Status)
	for _, e := range process.Follow(strategy, j.Status, p.Status) {
		switch e {
		case process.Drop:
			return m.end(j, e, Outcome{Reason: enum.UnknownFailure, Text: why})
		case process.Reopen:
			err := m.move(j, e, func(j *models.Job) { j.FailureReason, j.FinishedAt, j.StatusReason = "", nil, why })
			if err != nil {
				return err
			}
			if err := m.reopened(j); err != nil {
				return err
			}
		default:
			if e == process.Succeed {
				why = "" // its mark and the link say it
			}
			if err := m.move(j, e, func(j *models.Job) { j.StatusReason = why }); err != nil {
				return err
			}
			if err := m.advance(nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// reopened gives the jobs after a bridge another chance, as the person whose retry made its pipeline go on, if that one may
// do so here. Otherwise the bridge alone shows that it goes on.
func (m *mover) reopened(j *models.Job) error {
	if m.by == 0 {
		return m.advance(nil)
	}
	u, err := m.tx.User(m.by)
	if err != nil {
		return errors.Join(notThere(err), m.advance(nil))
	}
	switch err := m.c.may(m.tx, access.Actor{User: u}, m.pipeline); {
	case fault.KindOf(err) == fault.Forbidden:
		return m.advance(nil)
	case err != nil:
		return err
	}
	return m.revive(m.by, j.ID)
}

// shows says whether a bridge stands because the pipeline that it started, or shows, does: then that one is to be played.
func (m *mover) shows(j *models.Job) (bool, error) {
	if !j.Bridge || j.Status != enum.Manual {
		return false, nil
	}
	if j.MirrorsID != nil {
		return *j.MirrorsID != 0, nil
	}
	_, err := m.tx.DownstreamOf(j.ID)
	if errors.Is(err, models.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

type cancelTask struct {
	Pipeline int64  `json:"pipeline"`
	Why      string `json:"why"`
}

// cancelDownstream stops the child pipeline of a bridge. Pipelines of other projects go on, as on GitLab.
func (m *mover) cancelDownstream(j *models.Job, why string) error {
	p, err := m.tx.DownstreamOf(j.ID)
	if err != nil {
		return notThere(err)
	}
	return m.cancelLater(p, why)
}

// cancelChildren stops all child pipelines of a pipeline.
func (m *mover) cancelChildren(id int64, why string) error {
	children, err := m.tx.ChildPipelines(id)
	if err != nil {
		return err
	}
	for _, p := range children {
		if err := m.cancelLater(p, why); err != nil {
			return err
		}
	}
	return nil
}

// cancelLater stores that a child pipeline is to end: it has a lock of its own.
func (m *mover) cancelLater(p *models.Pipeline, why string) error {
	if p.Source != enum.SourceParentPipeline || p.Status.Completed() {
		return nil
	}
	return m.c.soonTo(m.tx, TaskCancel, tasks.ShareOf(p.ProjectID), cancelTask{p.ID, why})
}

func (c *Coordinator) runCancel(ctx context.Context, t *models.Task) error {
	var task cancelTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload %q: %w", t.Payload, err)
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, task.Pipeline)
		if err != nil {
			return notThere(err)
		}
		jobs, err := tx.PipelineJobs(task.Pipeline, false)
		if err != nil {
			return err
		}
		if err := m.cancelChildren(task.Pipeline, task.Why); err != nil {
			return err
		}
		var ids []int64
		for _, j := range jobs {
			if j.Status.Cancelable() {
				ids = append(ids, j.ID)
			}
		}
		return m.cancelAll(jobs, ids, task.Why)
	})
}
