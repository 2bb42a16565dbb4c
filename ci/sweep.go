package ci

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

const (
	sweepEvery   = 2 * time.Second
	flushEvery   = 20 * time.Second
	reloadEvery  = 30 * time.Second
	sweepBatch   = 100
	queueBatch   = 1000
	queueOverlap = 500 // rows looked at again: on PostgreSQL a lower id may become visible after a higher one
)

// sweep finds what no event told: jobs that other nodes queued, offers nobody accepted, runners that went
// away, delayed jobs whose time has come. Each pass is bounded.
func (c *Coordinator) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var flushed, reloaded time.Time
	for {
		now := c.db.Now()
		if now.Sub(flushed) > flushEvery {
			c.flushContacts(ctx)
			flushed = now
		}
		if err := c.SweepOnce(ctx, now.Sub(reloaded) > reloadEvery); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "sweep failed; it is repeated", "error", err)
		} else if now.Sub(reloaded) > reloadEvery {
			reloaded = now
			c.tidy(ctx)
			if err := c.tidyHooks(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "old deliveries cannot be removed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.sweepSoon:
		}
	}
}

// wakeSweep lets the next pass begin now.
func (c *Coordinator) wakeSweep() {
	select {
	case c.sweepSoon <- struct{}{}:
	default:
	}
}

// tidy removes what has ended by time: sessions and one-time pages. It writes only if there is something.
func (c *Coordinator) tidy(ctx context.Context) {
	stale := false
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		stale, err = tx.Stale()
		return err
	})
	if err == nil && stale {
		err = c.db.Write(ctx, func(tx *models.Tx) error { return errors.Join(tx.DeleteExpiredSessions(), tx.DeleteExpiredLinks()) })
	}
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "ended sessions cannot be removed", "error", err)
	}
}

// SweepOnce does one pass. reload compares the whole mirror of the queue with its table, which each node does
// for itself; of the rest, one node at a time takes care.
func (c *Coordinator) SweepOnce(ctx context.Context, reload bool) error {
	err := c.sweepQueue(ctx, reload)
	mine, leaseErr := c.lease.take(ctx, c.db)
	if !mine || leaseErr != nil {
		return errors.Join(err, leaseErr)
	}
	return errors.Join(
		err,
		c.sweepOffers(ctx),
		c.sweepLost(ctx),
		c.sweepScheduled(ctx),
		c.sweepStuck(ctx),
		c.sweepNoRunner(ctx),
		c.sweepResources(ctx),
		c.sweepEnvironments(ctx),
		c.sweepReviewApps(ctx),
		c.sweepSchedules(ctx),
		c.sweepOld(ctx),
		c.sweepCommands(ctx),
		c.sweepArtifacts(ctx),
	)
}

// each does something to each row that a sweep found. What goes wrong with one keeps it from no other.
func each[T any](ctx context.Context, c *Coordinator, rows []T, what func(T) string, do func(T) error) error {
	for _, r := range rows {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := do(r); err != nil {
			c.log.ErrorContext(ctx, "a sweep goes on without one", "what", what(r), "error", err)
		}
	}
	return nil
}

func (c *Coordinator) sweepQueue(ctx context.Context, reload bool) error {
	after := max(0, c.queue.seen()-queueOverlap)
	if reload {
		after = 0
	}
	known := map[int64]bool{}
	for {
		var rows []*models.PendingJob
		err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
			rows, err = tx.PendingAfter(after, queueBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("read the queue: %w", err)
		}
		for _, r := range rows {
			c.queue.add(r)
			known[r.JobID] = true
			after = r.ID
		}
		if len(rows) < queueBatch {
			break
		}
	}
	if reload {
		c.queue.keep(known)
	}
	return nil
}

// sweepOffers returns the jobs of dead offers to the queue.
func (c *Coordinator) sweepOffers(ctx context.Context) error {
	var dead []*models.HandOut
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		dead, err = tx.ExpiredHandOuts(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, dead, jobOfHandOut, func(h *models.HandOut) error {
		if err := c.requeue(ctx, h); err != nil {
			return err
		}
		c.log.InfoContext(ctx, "a runner did not accept its job; it goes back to the queue", "job", h.JobID, "runner", h.RunnerID)
		return nil
	})
}

func jobOfHandOut(h *models.HandOut) string { return fmt.Sprint("job ", h.JobID) }

func (c *Coordinator) requeue(ctx context.Context, h *models.HandOut) error {
	return c.withJob(ctx, h.JobID, func(m *mover, j *models.Job) error {
		current, err := m.tx.HandOut(j.ID)
		if errors.Is(err, models.ErrNotFound) {
			return nil
		}
		if err != nil || current.ID != h.ID || current.AcceptedAt != nil {
			return err
		}
		if _, err := m.tx.DeleteHandOut(j.ID); err != nil || j.Status != enum.Pending {
			return err
		}
		return m.enqueue(j)
	})
}

// withJob locks the pipeline of a job and runs f.
func (c *Coordinator) withJob(ctx context.Context, jobID int64, f func(m *mover, j *models.Job) error) error {
	var pipelineID int64
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		j, err := tx.Job(jobID)
		if err == nil {
			pipelineID = j.PipelineID
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, pipelineID)
		if err != nil {
			return err
		}
		j, err := tx.Job(jobID)
		if err != nil {
			return err
		}
		return f(m, j)
	})
}

// sweepLost ends running jobs whose runner was silent too long, or that ran past their timeout.
func (c *Coordinator) sweepLost(ctx context.Context) error {
	now := c.db.Now()
	silent := now.Add(-c.settings.LostAfter)
	if c.deaf(now) {
		silent = time.Time{}
	}
	var lost []*models.HandOut
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		lost, err = tx.LostHandOuts(silent, sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, lost, jobOfHandOut, func(h *models.HandOut) error {
		late := h.DeadlineAt != nil && !now.Before(*h.DeadlineAt)
		if c.contacts.seen(h.JobID).After(silent) && !late {
			return nil
		}
		o := Outcome{Reason: enum.RunnerSystemFailure}
		switch {
		case h.Revoked():
			o.Text = "its runner was deleted"
		case late:
			o.Reason = enum.JobExecutionTimeout
		}
		err := c.withJob(ctx, h.JobID, func(m *mover, j *models.Job) error {
			if !j.Status.Executing() {
				return nil
			}
			return m.end(j, process.Drop, o)
		})
		if err == nil {
			c.log.InfoContext(ctx, "a running job was ended", "job", h.JobID, "reason", o.Reason, "text", o.Text)
		}
		return err
	})
}

// staleAfter is how late a delayed job may start, as on GitLab: after a long stop it is not what was meant any more.
const staleAfter = time.Hour

// sweepScheduled starts delayed jobs whose time has come.
func (c *Coordinator) sweepScheduled(ctx context.Context) error {
	var due []*models.Job
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		due, err = tx.DueScheduled(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, due, func(d *models.Job) string { return fmt.Sprint("delayed job ", d.ID) }, func(d *models.Job) error {
		return c.withJob(ctx, d.ID, func(m *mover, j *models.Job) error {
			if j.Status != enum.Scheduled {
				return nil
			}
			if j.ScheduledAt != nil && m.tx.Now().Sub(*j.ScheduledAt) > staleAfter {
				return m.end(j, process.Drop, Outcome{Reason: enum.StaleSchedule})
			}
			if may, err := m.mayStart(j); err != nil {
				return err
			} else if !may {
				return m.endUnstarted(j)
			}
			if err := m.start(j, nil); err != nil {
				return err
			}
			return m.advance(nil)
		})
	})
}

// mayStart says whether a delayed job's user still has the right to start it.
func (m *mover) mayStart(j *models.Job) (bool, error) {
	u, err := m.tx.User(j.UserID)
	if err != nil {
		return false, notThere(err)
	}
	err = m.c.may(m.tx, access.Actor{User: u}, m.pipeline)
	if fault.KindOf(err) == fault.Forbidden {
		return false, nil
	}
	return err == nil, err
}

// endUnstarted fails a delayed job whose user may not start it any more. Its rules for another try do not count: that would
// start it.
func (m *mover) endUnstarted(j *models.Job) error {
	err := m.move(j, process.Drop, func(j *models.Job) {
		j.FailureReason, j.StatusReason = enum.StaleSchedule, "the person whom it was to start for may not start it any more"
	})
	if err != nil {
		return err
	}
	return m.follow(j)
}

// sweepStuck fails jobs that no runner took for a day.
func (c *Coordinator) sweepStuck(ctx context.Context) error {
	var stuck []*models.PendingJob
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		stuck, err = tx.PendingSince(tx.Now().Add(-c.stuckAfter(ctx)), sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, stuck, jobInQueue, func(p *models.PendingJob) error { return c.fail(ctx, p.JobID, enum.StuckPendingMatching) })
}

func jobInQueue(p *models.PendingJob) string { return fmt.Sprint("job ", p.JobID) }

// sweepArtifacts removes artifacts whose time is over: first the rows, then the bytes.
func (c *Coordinator) sweepArtifacts(ctx context.Context) error {
	var old []*models.Artifact
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		old, err = tx.ExpiredArtifacts(sweepBatch)
		return err
	})
	if err != nil || len(old) == 0 {
		return err
	}
	var ids []int64
	for _, a := range old {
		ids = append(ids, a.ID)
	}
	if err := c.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteArtifacts(ids) }); err != nil {
		return err
	}
	for _, a := range old {
		if err := c.blobs.Delete(ctx, a.BlobKey); err != nil {
			c.log.WarnContext(ctx, "expired artifact cannot be deleted", "key", a.BlobKey, "error", err)
		}
	}
	return nil
}

// runArchive moves the log of a finished job to the blob store.
func (c *Coordinator) runArchive(ctx context.Context, t *models.Task) error {
	id, err := strconv.ParseInt(t.Payload, 10, 64)
	if err != nil {
		return fmt.Errorf("payload %q", t.Payload)
	}
	var job *models.Job
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		job, err = tx.Job(id)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return c.traces.Delete(ctx, id)
	}
	if err != nil || job.ErasedAt != nil {
		return err
	}
	size, err := c.traces.Archive(ctx, id)
	if err != nil {
		return err
	}
	coverage, err := c.coverage(ctx, job)
	if err != nil {
		return err
	}
	gone := false
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		job, err := tx.Job(id)
		gone = errors.Is(err, models.ErrNotFound) || err == nil && job.ErasedAt != nil
		if gone || err != nil {
			return nil
		}
		return tx.SetTrace(id, size, coverage)
	})
	if err == nil && gone { // erased while it was stored
		return c.traces.Delete(ctx, id)
	}
	return err
}
