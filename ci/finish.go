package ci

import (
	"context"
	"errors"
	"slices"

	"signalbox/ci/plan"
	"signalbox/ci/process"
	"signalbox/ci/trace"
	"signalbox/models"
	"signalbox/models/enum"
)

// Outcome is how an attempt ended.
type Outcome struct {
	Success  bool
	Reason   enum.FailureReason
	ExitCode *int
	Text     string // more about it, for people
	// TraceSize and TraceSum are what the runner says it sent; nil if it says nothing.
	TraceSize *int64
	TraceSum  *uint32
}

// ErrTraceIncomplete says that the stored log is not what the runner sent: it is to send it again from its
// first byte.
var ErrTraceIncomplete = errors.New("the log is incomplete: send it again")

// AppendTrace adds bytes to the log of a running job and returns its size. A *trace.RangeError says where
// to go on; trace.ErrTooLarge means that the job was failed for its log.
func (c *Coordinator) AppendTrace(ctx context.Context, a *Attempt, start int64, data []byte) (int64, error) {
	size, err := c.traces.Append(ctx, a.Job.ID, start, data, c.maxTrace(ctx))
	if errors.Is(err, trace.ErrTooLarge) {
		if dropped := c.finish(ctx, a, process.Drop, Outcome{Reason: enum.TraceSizeExceeded}); dropped != nil {
			return size, dropped
		}
		return size, err
	}
	if err == nil {
		c.hub.Publish(TopicTrace(a.Job.ID))
	}
	return size, err
}

// IndexTrace tells where lines begin in a log that ReadLog gave.
func (c *Coordinator) IndexTrace(ctx context.Context, jobID int64, log trace.Reader) (trace.Index, error) {
	return c.traces.Index(ctx, jobID, log)
}

// Finish ends an attempt as its runner says. Before, the log must be whole and durable: otherwise
// ErrTraceIncomplete is answered and nothing changes.
func (c *Coordinator) Finish(ctx context.Context, a *Attempt, o Outcome) error {
	err := c.traces.Verify(ctx, a.Job.ID, o.TraceSize, o.TraceSum)
	if errors.Is(err, trace.ErrMismatch) {
		c.log.WarnContext(ctx, "log of a job differs from its runner's", "job", a.Job.ID, "error", err)
		if err := c.traces.Restart(ctx, a.Job.ID); err != nil {
			return err
		}
		return ErrTraceIncomplete
	}
	if err != nil {
		return err
	}
	if o.Success && a.Job.Releases && a.Job.Status == enum.Running {
		failed, err := c.released(ctx, a.Job)
		if err != nil {
			return err
		}
		if failed != "" {
			o = Outcome{Reason: enum.ScriptFailure, Text: failed}
		}
	}
	event := process.Succeed
	if !o.Success {
		event = process.Drop
		if o.Reason == "" {
			o.Reason = enum.UnknownFailure
		}
	}
	return c.finish(ctx, a, event, o)
}

func (c *Coordinator) finish(ctx context.Context, a *Attempt, e process.Event, o Outcome) error {
	size, err := c.traces.Size(ctx, a.Job.ID)
	if err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, a.Job.PipelineID)
		if err != nil {
			return err
		}
		job, err := tx.Job(a.Job.ID)
		if err != nil {
			return err
		}
		if err := alive(tx, a, job); err != nil {
			return err
		}
		job.TraceSize = size
		a.Job = job
		return m.end(job, e, o)
	})
}

// alive refuses an attempt that ended while its call was under way, such as with the deletion of its runner.
func alive(tx *models.Tx, a *Attempt, job *models.Job) error {
	h, err := tx.HandOutByToken(a.HandOut.TokenHash)
	if errors.Is(err, models.ErrNotFound) || err == nil && (h.ID != a.HandOut.ID || !job.Status.Executing()) {
		return &NotProcessing{Job: job, Reason: "Job is not processing on runner"}
	}
	return err
}

// end moves a job to its end, tries it again if its rules say so, and lets the pipeline follow.
func (m *mover) end(j *models.Job, e process.Event, o Outcome) error {
	def, err := m.c.definition(m.tx, j)
	if err != nil {
		def = &plan.Definition{} // a job that cannot be read must still be able to end
	}
	again := false
	if e == process.Drop && j.Status != enum.Canceling {
		if again, err = m.retries(j, def, o); err != nil {
			return err
		}
	}
	err = m.move(j, e, func(j *models.Job) {
		j.Retried = again
		if e != process.Drop || j.Status == enum.Canceled {
			return
		}
		j.FailureReason, j.ExitCode, j.StatusReason = o.Reason, o.ExitCode, o.Text
		if o.ExitCode != nil && slices.Contains(def.AllowCodes, *o.ExitCode) {
			j.AllowFailure = true
		}
	})
	if err != nil {
		return err
	}
	if again {
		if _, err := m.clone(j, j.UserID, true); err != nil {
			return err
		}
		return m.advance(nil)
	}
	return m.follow(j)
}

// follow lets the pipeline go on after a job ended, unless a failure stops it as a whole.
func (m *mover) follow(failed *models.Job) error {
	if !m.stops(failed) {
		return m.after(failed)
	}
	jobs, err := m.tx.PipelineJobs(m.pipeline.ID, false)
	if err != nil {
		return err
	}
	stopped := process.Stopped(m.pipeline.OnJobFailure, snapshot([]*models.Job{failed})[0], snapshot(jobs))
	why := "job " + failed.Name + " failed (workflow:auto_cancel:on_job_failure)"
	if err := m.cancelChildren(m.pipeline.ID, why); err != nil {
		return err
	}
	return m.cancelAll(jobs, stopped, why)
}

// stops says whether a job failed, and ends its pipeline as a whole with that.
func (m *mover) stops(j *models.Job) bool {
	return m.pipeline.OnJobFailure == process.StopAll && j.Status == enum.Failed && !j.AllowFailure
}

func (m *mover) retries(j *models.Job, def *plan.Definition, o Outcome) (bool, error) {
	earlier, err := m.tx.Attempts(m.pipeline.ID, j.Name)
	if err != nil {
		return false, err
	}
	var rule *process.RetryRule
	if def.Retry != nil {
		rule = &process.RetryRule{Max: def.Retry.Max, When: def.Retry.When, ExitCodes: def.Retry.ExitCodes}
	}
	return process.AutoRetry(rule, o.Reason, o.ExitCode, earlier), nil
}

// clone stores another attempt at a job. now starts a manual or delayed one without waiting.
func (m *mover) clone(j *models.Job, userID int64, now bool) (*models.Job, error) {
	manual := j.When == enum.WhenManual || j.When == enum.Delayed
	next := &models.Job{
		PipelineID: j.PipelineID, ProjectID: j.ProjectID, DefinitionID: j.DefinitionID, UserID: userID, Name: j.Name, Stage: j.Stage,
		StageIndex: j.StageIndex, Position: j.Position, Needs: j.Needs, When: j.When, AllowFailure: j.AllowFailure,
		EnqueueNow: now && manual, Status: enum.Created, Tags: j.Tags, Variables: j.Variables,
		Interruptible: j.Interruptible, ResourceGroupID: j.ResourceGroupID, Bridge: j.Bridge, Releases: j.Releases, Inputs: j.Inputs,
		EnvironmentID: j.EnvironmentID, EnvironmentAction: j.EnvironmentAction,
	}
	if j.MirrorsID != nil {
		next.MirrorsID = new(int64) // it looks for the newest pipeline anew
	}
	return next, m.tx.CloneJob(next)
}
