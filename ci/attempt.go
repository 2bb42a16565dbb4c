package ci

import (
	"context"
	"errors"
	"time"

	"signalbox/ci/process"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Attempt is a running job as its runner sees it: what the job token of a call stands for.
type Attempt struct {
	Job     *models.Job
	HandOut *models.HandOut // nil once the attempt has ended
}

// Status is what the Job-Status header tells the runner.
func (a *Attempt) Status() enum.Status { return a.Job.Status }

// NotProcessing is the refusal of a call for an attempt that is over, or never was. Job is set if the token
// was good once, so that its runner learns the status.
type NotProcessing struct {
	Job    *models.Job
	Reason string
}

func (e *NotProcessing) Error() string { return e.Reason }

// Attempt finds the running job of a job token, and accepts it if this is the runner's first call. A token
// that is unknown, of another job, or of an attempt that is over is refused with *NotProcessing.
func (c *Coordinator) Attempt(ctx context.Context, jobID int64, token string) (*Attempt, error) {
	a := &Attempt{}
	hash := secret.Hash(token)
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if a.HandOut, err = tx.HandOutByToken(hash); err == nil && a.HandOut.JobID != jobID {
			a.HandOut = nil // the token of another job is no token here
			return models.ErrNotFound
		}
		if errors.Is(err, models.ErrNotFound) {
			a.HandOut, err = nil, nil
		}
		if err != nil {
			return err
		}
		a.Job, err = tx.Job(jobID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, &NotProcessing{Reason: "Job not found"}
	}
	if err != nil {
		return nil, err
	}
	if a.HandOut == nil {
		if !secret.Matches(token, a.Job.TokenHash) {
			return nil, &NotProcessing{Reason: "Job not found"}
		}
		return nil, &NotProcessing{Job: a.Job, Reason: "Job is not processing on runner"}
	}
	if a.HandOut.AcceptedAt == nil {
		if err := c.accept(ctx, a); err != nil {
			return nil, err
		}
	}
	c.contacts.job(jobID, c.db.Now())
	return a, nil
}

// JobOfToken finds the running job of a job token, for git over HTTP and artifacts. It accepts nothing: git
// is run by the job that was accepted before.
func (c *Coordinator) JobOfToken(ctx context.Context, token string) (*models.Job, error) {
	var job *models.Job
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		h, err := tx.HandOutByToken(secret.Hash(token))
		if err != nil {
			return err
		}
		if h.AcceptedAt == nil && !tx.Now().Before(h.ExpiresAt) {
			return models.ErrNotFound
		}
		job, err = tx.Job(h.JobID)
		return err
	})
	return job, err
}

// accept turns the offer into a running job. An offer that is too old is refused: the job is somebody
// else's by then.
func (c *Coordinator) accept(ctx context.Context, a *Attempt) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, a.Job.PipelineID)
		if err != nil {
			return err
		}
		job, err := tx.Job(a.Job.ID)
		if err != nil {
			return err
		}
		h := *a.HandOut
		now := tx.Now()
		deadline := now.Add(time.Duration(h.Timeout)*time.Second + deadlineGrace)
		h.AcceptedAt, h.SeenAt, h.DeadlineAt = &now, now, &deadline
		accepted, err := tx.AcceptHandOut(&h)
		if err != nil {
			return err
		}
		if !accepted {
			return c.acceptedBefore(tx, a, job)
		}
		err = m.move(job, process.Run, func(j *models.Job) {
			j.RunnerID, j.ManagerID, j.Timeout, j.TokenHash = &h.RunnerID, &h.ManagerID, h.Timeout, h.TokenHash
			j.DebugMode = h.DebugMode
			j.StartedAt = &h.CreatedAt // older runners work for seconds before their first call
		})
		if fault.KindOf(err) == fault.NotAllowed { // canceled between the offer and now
			return &NotProcessing{Job: job, Reason: "Job is not processing on runner"}
		}
		if err != nil {
			return err
		}
		a.Job, a.HandOut = job, &h
		// Nothing starts because another job runs; only the pipeline's own status can follow.
		return m.status(process.Apply(m.pipeline.Status, enum.Running))
	})
}

// acceptedBefore: two first calls of one runner may come at the same moment; the second finds the work done.
func (c *Coordinator) acceptedBefore(tx *models.Tx, a *Attempt, job *models.Job) error {
	h, err := tx.HandOutByToken(a.HandOut.TokenHash)
	if err == nil && h.AcceptedAt != nil {
		a.Job, a.HandOut = job, h
		return nil
	}
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return err
	}
	return &NotProcessing{Reason: "Job was not accepted in time"}
}

// deadlineGrace is how long after its timeout a running job is ended by the server, if its runner did not.
const deadlineGrace = 15 * time.Minute
