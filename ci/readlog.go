package ci

import (
	"context"
	"errors"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/trace"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
)

// errDebugLog refuses a log to those who may only see its job.
var errDebugLog = fault.New(fault.Forbidden, "This job ran with CI_DEBUG_TRACE or CI_DEBUG_SERVICES, so that its log may show every variable. "+
	"Only Developers and above may read it.")

// MayReadLog is the one answer to whether somebody may read the log of a job, whole or in part, by whatever way. It is nil,
// or a fault: NotFound for who may not see the job, Forbidden for who may see it but not what its debug log shows, as
// GitLab's read_build_trace.
func (c *Coordinator) MayReadLog(ctx context.Context, a access.Actor, s access.Subject, j *models.Job) error {
	if !access.Allowed(a, access.ReadJob, s) || j.ProjectID != s.Project.ID {
		return fault.New(fault.NotFound, "Job not found")
	}
	if access.Allowed(a, access.ReadDebugLog, s) {
		return nil
	}
	debug, err := c.inDebugMode(ctx, j)
	if err == nil && debug {
		err = errDebugLog
	}
	return err
}

// ReadLog opens the log of a job, as far as it has come, for somebody who may read it. The reader is to be closed.
func (c *Coordinator) ReadLog(ctx context.Context, a access.Actor, s access.Subject, j *models.Job) (trace.Reader, error) {
	if err := c.MayReadLog(ctx, a, s, j); err != nil {
		return nil, err
	}
	return c.traces.Open(ctx, j.ID)
}

// ReplyLog opens the log of a job for what a chat shows to all in a channel, whoever they are: what not everybody who may
// see the job may read is refused.
func (c *Coordinator) ReplyLog(ctx context.Context, j *models.Job) (trace.Reader, error) {
	debug, err := c.inDebugMode(ctx, j)
	if err != nil {
		return nil, err
	}
	if debug {
		return nil, errDebugLog
	}
	return c.traces.Open(ctx, j.ID)
}

// inDebugMode says whether the log of a job may show every variable. It is kept with the job; of jobs of versions that
// did not keep it, it is found anew from their variables.
func (c *Coordinator) inDebugMode(ctx context.Context, j *models.Job) (debug bool, err error) {
	if j.DebugMode != nil {
		return *j.DebugMode, nil
	}
	if j.StartedAt == nil {
		return false, nil
	}
	f := &jobFacts{}
	err = c.db.Read(ctx, func(tx *models.Tx) error { return c.readFacts(tx, j.ID, f) })
	var broken *brokenJob
	if errors.As(err, &broken) {
		return true, nil // nobody knows: it stays with those who may read any log
	}
	if err != nil {
		return false, err
	}
	all := append(f.stored, yamlVariables(f.definition.Variables)...)
	return debugMode(append(append(all, f.given...), f.played...)), nil
}

// debugMode says whether variables ask a runner to write into the log what nobody masks.
func debugMode(vars variable.Collection) bool {
	for _, key := range []string{"CI_DEBUG_TRACE", "CI_DEBUG_SERVICES"} {
		if value, ok := vars.Get(key); ok && truthy(vars.Expand(value, false)) {
			return true
		}
	}
	return false
}

// truthy reads a yes as GitLab or a runner does, whoever of them is more generous.
func truthy(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "t", "yes", "y", "1", "on":
		return true
	}
	return false
}

// NoteDebugMode keeps that the runner of a job says that its log shows every variable. It is called before the bytes of
// the log are stored.
func (c *Coordinator) NoteDebugMode(ctx context.Context, a *Attempt) error {
	if a.Job.DebugMode != nil && *a.Job.DebugMode {
		return nil
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error { return tx.SetDebugMode(a.Job.ID) })
	if err == nil {
		yes := true
		a.Job.DebugMode = &yes
		c.hub.Publish(TopicAuthority(models.AuthorityChange{Kind: models.ProjectAuthority, ID: a.Job.ProjectID}))
	}
	return err
}
