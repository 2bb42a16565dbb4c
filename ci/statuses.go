package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// ExternalStatus is what another system says of a commit.
type ExternalStatus struct {
	SHA, Ref    string
	Name        string
	State       enum.Status
	PipelineID  int64
	TargetURL   *string
	Description *string
	Coverage    *float64
}

const (
	externalStage      = "external"
	externalStageIndex = 1_000_000
)

// stateEvents are the events that bring a status to what another system says.
var stateEvents = map[enum.Status][]process.Event{
	enum.Pending: {process.Enqueue}, enum.Running: {process.Enqueue, process.Run}, enum.Success: {process.Succeed},
	enum.Failed: {process.Drop}, enum.Canceled: {process.Cancel}, enum.Skipped: {process.Skip},
}

// SetStatus stores what another system says of a commit: as a job of the stage external in the commit's newest pipeline,
// or in a pipeline of its own if it has none (facts: rest-api 2.16). A status that has ended is followed by a new one.
func (c *Coordinator) SetStatus(ctx context.Context, by access.Actor, p *models.Project, in ExternalStatus) (job *models.Job, pl *models.Pipeline, err error) {
	if in.TargetURL != nil && *in.TargetURL != "" && !webAddress(*in.TargetURL) {
		return nil, nil, fault.Field("target_url", "is blocked: Only allowed schemes are http, https")
	}
	if pl, err = c.statusPipeline(ctx, by, p, in); err != nil {
		return nil, nil, err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, pl.ID)
		if err != nil {
			return err
		}
		pl = m.pipeline
		subject, err := access.SubjectOf(tx, by, p)
		if err != nil {
			return err
		}
		if !access.Allowed(by, access.CreateStatuses, subject.On(pl.Ref, pl.Tag)) {
			return errForbidden
		}
		if job, err = m.statusRow(by, in); err != nil {
			return err
		}
		for _, e := range stateEvents[in.State] {
			if e == process.Enqueue && job.Status != enum.Created {
				continue
			}
			if to, ok := process.Move(job.Status, e); !ok || to == job.Status {
				if job.Status == in.State {
					continue
				}
				return fault.New(fault.Invalid, "Cannot transition status via :%s from :%s", e, job.Status)
			}
			if err := m.move(job, e, func(j *models.Job) { describeStatus(j, in, e) }); err != nil {
				return err
			}
		}
		return m.advance(nil)
	})
	return job, pl, err
}

func describeStatus(j *models.Job, in ExternalStatus, e process.Event) {
	if in.TargetURL != nil {
		j.TargetURL = *in.TargetURL
	}
	if in.Description != nil {
		j.Description = *in.Description
	}
	if in.Coverage != nil {
		j.Coverage = in.Coverage
	}
	if e == process.Drop {
		j.FailureReason = enum.APIFailure
	}
}

// statusRow finds the status that goes on, or makes the next one of its name.
func (m *mover) statusRow(by access.Actor, in ExternalStatus) (*models.Job, error) {
	old, err := m.tx.JobByName(m.pipeline.ID, in.Name)
	switch {
	case err == nil && !old.External:
		return nil, fault.Field("name", "is the name of a job of the pipeline")
	case err == nil && !old.Status.Completed() && old.UserID == by.ID():
		return old, nil
	case err == nil:
		if _, err := m.tx.MarkRetried(old.ID); err != nil {
			return nil, err
		}
	case !errors.Is(err, models.ErrNotFound):
		return nil, err
	}
	j := &models.Job{
		PipelineID: m.pipeline.ID, ProjectID: m.pipeline.ProjectID, UserID: by.ID(), Name: in.Name, Stage: externalStage, StageIndex: externalStageIndex,
		Needs: &[]string{}, When: enum.OnSuccess, Status: enum.Created, External: true, Tags: []string{},
	}
	describeStatus(j, in, "")
	return j, m.tx.CloneJob(j)
}

// statusPipeline finds the pipeline that a status belongs to, or makes one without jobs.
func (c *Coordinator) statusPipeline(ctx context.Context, by access.Actor, p *models.Project, in ExternalStatus) (*models.Pipeline, error) {
	repo := c.Repo(p)
	k, err := repo.Commit(ctx, in.SHA)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, fault.Missing("Commit")
	}
	if err != nil {
		return nil, err
	}
	var found *models.Pipeline
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if in.PipelineID != 0 {
			found, err = tx.Pipeline(in.PipelineID)
			if err == nil && (found.ProjectID != p.ID || found.SHA != k.SHA) {
				err = models.ErrNotFound
			}
			return err
		}
		found, err = tx.PipelineOfCommit(p.ID, k.SHA, in.Ref)
		return err
	})
	switch {
	case err == nil && (found.FailureReason == "" || in.PipelineID != 0):
		return found, nil
	case err == nil: // its configuration is broken
	case !errors.Is(err, models.ErrNotFound):
		return nil, err
	case in.PipelineID != 0:
		return nil, fault.Missing("Pipeline for pipeline_id, sha and ref")
	}
	ref, tag, err := c.refOf(ctx, p, k.SHA, in.Ref)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("external:%d:%s:%s", p.ID, k.SHA, ref)
	pl := &models.Pipeline{
		ProjectID: p.ID, UserID: by.ID(), Source: enum.SourceExternal, Ref: ref, Tag: tag, SHA: k.SHA, BeforeSHA: gitrepo.ZeroSHA, Status: enum.Created,
		CommitTitle: k.Title(), CreationKey: &key,
	}
	fresh := *pl
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		*pl = fresh
		protected, err := tx.ProtectedRefs(p.ID)
		if err != nil {
			return err
		}
		pl.Protected = len(access.Matching(protected, ref, tag)) > 0
		if pl.IID, err = tx.NextIID(p.ID, "pipeline"); err != nil {
			return err
		}
		return tx.CreatePipeline(pl, nil)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return c.created(ctx, key)
	}
	return pl, err
}

// refOf is the branch or tag that a commit's status is about: the one given, or a branch that ends with the commit, or
// the default one.
func (c *Coordinator) refOf(ctx context.Context, p *models.Project, sha, given string) (ref string, tag bool, err error) {
	repo := c.Repo(p)
	if given != "" {
		_, err := repo.Resolve(ctx, "refs/tags/"+given)
		if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
			return given, false, nil
		}
		return given, err == nil, err
	}
	branches, err := repo.Refs(ctx, "refs/heads/", 1000)
	if err != nil {
		return "", false, err
	}
	for _, b := range branches {
		if b.SHA == sha {
			return b.Name[len("refs/heads/"):], false, nil
		}
	}
	return p.DefaultBranch, false, nil
}
