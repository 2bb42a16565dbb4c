package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"signalbox/ci/process"
	"signalbox/models"
	"signalbox/models/enum"
)

// soon stores a task without a key, which may stand in the queue several times: it looks at what is there when it runs.
func (c *Coordinator) soon(tx *models.Tx, kind string, id int64) error {
	return c.soonOf(tx, kind, "", id)
}

// soonOf is soon for one of those that have a share of the kind's handlers.
func (c *Coordinator) soonOf(tx *models.Tx, kind, share string, id int64) error {
	tx.AfterCommit(c.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: kind, Lane: lane(kind), Share: share, Payload: strconv.FormatInt(id, 10)})
}

// soonTo is soonOf with a payload of its own.
func (c *Coordinator) soonTo(tx *models.Tx, kind, share string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	tx.AfterCommit(c.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: kind, Lane: lane(kind), Share: share, Payload: string(text)})
}

func lane(kind string) models.Lane {
	if kind == TaskChatReply || kind == TaskDeliver {
		return models.LaneOutside
	}
	return models.LaneInner
}

// idOf reads the payload that soon stores.
func idOf(t *models.Task) (int64, error) {
	id, err := strconv.ParseInt(t.Payload, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("payload %q", t.Payload)
	}
	return id, nil
}

// resource keeps a job's resource group in step with its status. Every end counts, also of a job that never had the
// resource: in the ordered modes others wait for it.
func (m *mover) resource(j *models.Job) error {
	switch {
	case j.ResourceGroupID == nil:
		return nil
	case j.Status.Completed():
		if err := m.tx.ReleaseResource(*j.ResourceGroupID, j.ID); err != nil {
			return err
		}
	case j.Status != enum.WaitingForResource:
		return nil
	}
	return m.c.soon(m.tx, TaskResource, *j.ResourceGroupID)
}

func (c *Coordinator) runResource(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	return c.assignResource(ctx, id)
}

// assignResource gives a free resource to the job whose turn it is, if that one waits for it. In the ordered modes the
// turn may be of a job that is not ready: then nobody gets it (facts: pipeline-semantics 4.14).
func (c *Coordinator) assignResource(ctx context.Context, groupID int64) error {
	var next *models.Job
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		next, err = nextInGroup(tx, groupID)
		return err
	})
	if err != nil || next == nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, next.PipelineID)
		if err != nil {
			return notThere(err)
		}
		given, err := tx.HoldResource(groupID, next.ID)
		if err != nil || !given {
			return err
		}
		job, err := tx.Job(next.ID)
		if err != nil {
			return err
		}
		if job.Status != enum.WaitingForResource { // its end has queued this task once more
			return tx.ReleaseResource(groupID, job.ID)
		}
		if late, err := m.outdated(job); err != nil {
			return err
		} else if late {
			if err := m.refuseOutdated(job); err != nil {
				return err
			}
			return m.follow(job)
		}
		if err := m.move(job, process.Acquire, nil); err != nil {
			return err
		}
		return m.advance(nil)
	})
}

// nextInGroup is the job that gets the resource now; nil if it is not free, or nobody's turn.
func nextInGroup(tx *models.Tx, groupID int64) (*models.Job, error) {
	g, err := tx.ResourceGroup(groupID)
	if err != nil || g.HolderID != nil {
		return nil, notThere(err)
	}
	jobs, err := tx.UpcomingJobs(g, 1)
	if err != nil || len(jobs) == 0 || jobs[0].Status != enum.WaitingForResource {
		return nil, err
	}
	return jobs[0], nil
}

// notThere takes what was deleted meanwhile for nothing to do.
func notThere(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	return err
}

// SetProcessMode changes the order in which the jobs of a group go, from the next one on.
func (c *Coordinator) SetProcessMode(ctx context.Context, id int64, mode enum.ProcessMode) (g *models.ResourceGroup, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if g, err = tx.ResourceGroup(id); err != nil {
			return notFound(err, "Resource Group")
		}
		if err := tx.SetProcessMode(g, mode); err != nil {
			return err
		}
		return c.soon(tx, TaskResource, id)
	})
	return g, err
}

// sweepResources finds free groups that jobs wait for, if the task for it was lost with a deleted pipeline.
func (c *Coordinator) sweepResources(ctx context.Context) error {
	var idle []int64
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		idle, err = tx.IdleResourceGroups(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, idle, func(id int64) string { return fmt.Sprint("resource group ", id) }, func(id int64) error { return c.assignResource(ctx, id) })
}
