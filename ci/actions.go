package ci

import (
	"context"
	"encoding/json"
	"errors"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// may asks whether somebody may act on the jobs of a pipeline: the role, and the right to its ref.
func (c *Coordinator) may(tx *models.Tx, a access.Actor, p *models.Pipeline) error {
	project, err := tx.Project(p.ProjectID)
	if err != nil {
		return err
	}
	subject, err := access.SubjectOf(tx, a, project)
	if err != nil {
		return err
	}
	if !access.Allowed(a, access.UpdateJob, subject.On(p.Ref, p.Tag)) {
		return fault.Refused(fault.Forbidden, "")
	}
	return nil
}

// Within stores more in the transaction of an action once that is done, such as what whoever asked for it is told: both are
// there, or neither. now is what the action was about, or made, as it is then.
type Within[T any] func(tx *models.Tx, now *T) error

// store calls what is to be stored with an action.
func store[T any](tx *models.Tx, now *T, within []Within[T]) error {
	for _, f := range within {
		if err := f(tx, now); err != nil {
			return err
		}
	}
	return nil
}

// onJob runs an action on a job within its pipeline's lock, for somebody who may, and returns the job that the action gave.
func (c *Coordinator) onJob(ctx context.Context, a access.Actor, jobID int64, within []Within[models.Job], act func(m *mover, j *models.Job) (*models.Job, error)) (job *models.Job, err error) {
	var pipelineID int64
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		j, err := tx.Job(jobID)
		if err == nil {
			pipelineID = j.PipelineID
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, fault.Missing("Job")
	}
	if err != nil {
		return nil, err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, pipelineID)
		if err != nil {
			return err
		}
		if err := c.may(tx, a, m.pipeline); err != nil {
			return err
		}
		m.by = a.ID()
		j, err := tx.Job(jobID)
		if err != nil {
			return err
		}
		if job, err = act(m, j); err != nil {
			return err
		}
		return store(tx, job, within)
	})
	return job, err
}

var errUnplayable = fault.Refused(fault.Invalid, "Unplayable Job")

// PlayJob starts a job that waits to be started, as the one who starts it, with variables of its own. One that
// was started by hand before and ended is tried again.
func (c *Coordinator) PlayJob(ctx context.Context, a access.Actor, jobID int64, in Given, within ...Within[models.Job]) (job *models.Job, err error) {
	return c.onJob(ctx, a, jobID, within, func(m *mover, j *models.Job) (*models.Job, error) {
		if byHand := j.When == enum.WhenManual || j.When == enum.Delayed; byHand && process.Retryable(j.Status, j.FailureReason) && !j.Retried {
			return m.retry(a, j, in)
		}
		return j, m.play(a, j, in)
	})
}

// play starts a job that waits to be started.
func (m *mover) play(a access.Actor, j *models.Job, in Given) error {
	if shown, err := m.shows(j); err != nil || shown {
		return errors.Join(err, errUnplayable)
	}
	if !process.Playable(j.Status) {
		return errUnplayable
	}
	if g, err := m.guard(j); err != nil {
		return err
	} else if g != nil {
		if may, err := m.mayDeploy(a.User.ID, g); err != nil || !may {
			return errors.Join(err, errForbidden)
		}
		j.UserID = a.User.ID
	}
	if err := m.give(j, in); err != nil {
		return err
	}
	if err := m.start(j, func(j *models.Job) { j.UserID = a.User.ID }); err != nil {
		return err
	}
	return m.revive(a.User.ID, j.ID)
}

// retry makes another attempt at a job and returns it.
func (m *mover) retry(a access.Actor, j *models.Job, in Given) (*models.Job, error) {
	if err := m.give(j, in); err != nil {
		return nil, err
	}
	next, err := m.again(j, a.User.ID, true)
	if err != nil {
		return nil, err
	}
	if err := m.revive(a.User.ID, next.ID); err != nil {
		return nil, err
	}
	return m.tx.Job(next.ID) // as it stands now
}

// Given is what somebody gives to a job that they start or retry.
type Given struct {
	Variables []variable.Variable
	Inputs    map[string]any
}

// give lets a job have variables and inputs of its own.
func (m *mover) give(j *models.Job, in Given) error {
	if len(in.Variables) > 0 {
		text, err := json.Marshal(in.Variables)
		if err != nil {
			return err
		}
		j.Variables = m.c.keys.Seal(playedPlace(j.PipelineID, j.Name), string(text))
	}
	if len(in.Inputs) == 0 {
		return nil
	}
	def, err := m.c.definition(m.tx, j)
	if err != nil {
		return err
	}
	if _, err := config.ResolveJobInputs(def.Inputs, in.Inputs); err != nil {
		return fault.Refused(fault.Invalid, "%s", err.Error()).Because(err)
	}
	text, err := json.Marshal(in.Inputs)
	j.Inputs = string(text)
	return err
}

// revive gives the skipped jobs that depend on the given ones another chance, and lets the pipeline follow.
func (m *mover) revive(userID int64, of ...int64) error {
	jobs, err := m.tx.PipelineJobs(m.pipeline.ID, false)
	if err != nil {
		return err
	}
	byID := map[int64]*models.Job{}
	for _, j := range jobs {
		byID[j.ID] = j
	}
	for _, id := range process.Dependents(snapshot(jobs), of...) {
		if err := m.consider(byID[id], userID); err != nil {
			return err
		}
	}
	return m.advance(jobs)
}

// consider gives a skipped job another chance, unless somebody else says how it is: another system, or the pipeline that a
// bridge started.
func (m *mover) consider(j *models.Job, userID int64) error {
	if j.External {
		return nil
	}
	if j.Bridge {
		if _, err := m.tx.DownstreamOf(j.ID); !errors.Is(err, models.ErrNotFound) {
			return err
		}
	}
	return m.move(j, process.Process, func(j *models.Job) { j.UserID = userID })
}

// RetryJob makes another attempt at a finished job, as the one who asks, and returns it.
func (c *Coordinator) RetryJob(ctx context.Context, a access.Actor, jobID int64, in Given, within ...Within[models.Job]) (next *models.Job, err error) {
	return c.onJob(ctx, a, jobID, within, func(m *mover, j *models.Job) (*models.Job, error) {
		if !process.Retryable(j.Status, j.FailureReason) || j.Retried || j.External {
			return nil, fault.Refused(fault.Forbidden, "Job is not retryable")
		}
		return m.retry(a, j, in)
	})
}

// again takes an attempt out of the latest ones and stores the next.
func (m *mover) again(j *models.Job, userID int64, now bool) (*models.Job, error) {
	first, err := m.tx.MarkRetried(j.ID)
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, errMoved
	}
	return m.clone(j, userID, now)
}

// UnscheduleJob lets a delayed job wait for somebody instead of its time.
func (c *Coordinator) UnscheduleJob(ctx context.Context, a access.Actor, jobID int64) (job *models.Job, err error) {
	return c.onJob(ctx, a, jobID, nil, func(m *mover, j *models.Job) (*models.Job, error) {
		if j.Status != enum.Scheduled {
			return j, fault.New(fault.NotAllowed, "Job is not scheduled")
		}
		if err := m.move(j, process.Unschedule, func(j *models.Job) { j.StatusReason = "unscheduled by " + a.Name() + ": waits to be started by hand" }); err != nil {
			return j, err
		}
		return j, m.advance(nil)
	})
}

// CancelJob stops a job. One that runs gets to clean up if its runner can; with force, which is for maintainers, it is
// canceled at once.
func (c *Coordinator) CancelJob(ctx context.Context, a access.Actor, jobID int64, force bool, within ...Within[models.Job]) (job *models.Job, err error) {
	return c.onJob(ctx, a, jobID, within, func(m *mover, j *models.Job) (*models.Job, error) {
		if force {
			if err := m.mayForce(a); err != nil {
				return j, err
			}
		}
		if !j.Status.Cancelable() && !(j.Status == enum.Canceling && force) {
			return j, fault.New(fault.NotAllowed, "Job is not cancelable")
		}
		if err := m.cancel(j, force, "canceled by "+a.Name()); err != nil {
			return j, err
		}
		if j.Bridge {
			if err := m.cancelDownstream(j, "canceled by "+a.Name()); err != nil {
				return j, err
			}
		}
		return j, m.advance(nil)
	})
}

// mayForce refuses those who may not end a job while its runner cleans up.
func (m *mover) mayForce(a access.Actor) error {
	if err := m.needProject(); err != nil {
		return err
	}
	subject, err := access.SubjectOf(m.tx, a, m.project)
	if err == nil && subject.Level < enum.Maintainer {
		err = errForbidden
	}
	return err
}

// cancel stops a job; why is kept with it, for people.
func (m *mover) cancel(j *models.Job, force bool, why string) error {
	event := process.Cancel
	if j.Status == enum.Running && !force {
		h, err := m.tx.HandOut(j.ID)
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		if h != nil && h.CancelGracefully {
			event = process.StartCancel
		}
	}
	err := m.move(j, event, func(j *models.Job) {
		if j.StatusReason = why; j.MirrorsID != nil {
			j.MirrorsID = new(int64) // it does not follow its pipeline any more
		}
	})
	if err != nil {
		return err
	}
	m.tx.AfterCommit(func() { m.c.hub.Publish(TopicTrace(j.ID)) })
	return nil
}

// onPipeline runs an action within a pipeline's lock, for somebody who may.
func (c *Coordinator) onPipeline(ctx context.Context, a access.Actor, id int64, within []Within[models.Pipeline], act func(m *mover, jobs []*models.Job) error) (p *models.Pipeline, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, id)
		if err != nil {
			return err
		}
		if err := c.may(tx, a, m.pipeline); err != nil {
			return err
		}
		jobs, err := tx.PipelineJobs(id, false)
		if err != nil {
			return err
		}
		p, m.by = m.pipeline, a.ID()
		if err := act(m, jobs); err != nil {
			return err
		}
		return store(tx, p, within)
	})
	return p, err
}

// CancelPipeline stops every job of a pipeline that can be stopped.
func (c *Coordinator) CancelPipeline(ctx context.Context, a access.Actor, id int64, within ...Within[models.Pipeline]) (*models.Pipeline, error) {
	return c.onPipeline(ctx, a, id, within, func(m *mover, jobs []*models.Job) error {
		if err := m.cancelChildren(id, "canceled by "+a.Name()); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.Status.Cancelable() {
				if err := m.cancel(j, false, "canceled by "+a.Name()); err != nil {
					return err
				}
			}
		}
		return m.advance(nil)
	})
}

// RetryPipeline makes another attempt at every failed or canceled job and gives skipped ones another chance.
func (c *Coordinator) RetryPipeline(ctx context.Context, a access.Actor, id int64, within ...Within[models.Pipeline]) (*models.Pipeline, error) {
	return c.onPipeline(ctx, a, id, within, func(m *mover, jobs []*models.Job) error {
		for _, j := range jobs {
			if j.External {
				continue
			}
			var err error
			switch {
			case (j.Status == enum.Failed || j.Status == enum.Canceled) && process.Retryable(j.Status, j.FailureReason):
				_, err = m.again(j, a.User.ID, false)
			case j.Status == enum.Skipped:
				err = m.consider(j, a.User.ID)
			}
			if err != nil {
				return err
			}
		}
		return m.advance(nil)
	})
}
