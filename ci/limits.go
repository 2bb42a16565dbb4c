package ci

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// Limits bound what projects may ask of an instance; 0 is no limit (facts: pipeline-semantics 9).
type Limits struct {
	PipelineJobs       int64 `json:"pipeline_jobs,omitempty"`        // of one pipeline
	ActiveJobs         int64 `json:"active_jobs,omitempty"`          // of a project's pipelines that have not ended
	Needs              int64 `json:"needs,omitempty"`                // of one job
	PipelinesPerCommit int64 `json:"pipelines_per_commit,omitempty"` // within a minute, by one user on one commit of a project
	PipelinesPerUser   int64 `json:"pipelines_per_user,omitempty"`   // within a minute
}

const maxLimit = 1_000_000

func (l Limits) check() error {
	for name, n := range map[string]int64{
		"ci_pipeline_size": l.PipelineJobs, "ci_active_jobs": l.ActiveJobs, "ci_needs_size_limit": l.Needs,
		"pipeline_limit_per_project_user_sha": l.PipelinesPerCommit, "pipeline_limit_per_user": l.PipelinesPerUser,
	} {
		if n < 0 || n > maxLimit {
			return fault.Field(name, "must be from 0 to %d", maxLimit)
		}
	}
	return nil
}

// tooMany refuses more pipelines within a minute than are allowed. Child pipelines are not counted against it.
func (b *builder) tooMany(ctx context.Context) error {
	l := b.c.current(ctx).Limits
	if b.r.Source == enum.SourceParentPipeline || l.PipelinesPerCommit == 0 && l.PipelinesPerUser == 0 {
		return nil
	}
	return b.c.db.Read(ctx, func(tx *models.Tx) error {
		since := tx.Now().Add(-time.Minute)
		byUser, byCommit, err := tx.RecentPipelines(b.r.Actor.ID(), b.r.Project.ID, b.ref.SHA, since)
		if err != nil {
			return err
		}
		if l.PipelinesPerUser > 0 && byUser >= l.PipelinesPerUser || l.PipelinesPerCommit > 0 && byCommit >= l.PipelinesPerCommit {
			return fault.New(fault.Invalid, "Too many pipelines created in the last minute. Try again later.")
		}
		return nil
	})
}

// tooLarge refuses a plan that has more jobs than one pipeline, or a project at a time, may have.
func (b *builder) tooLarge(ctx context.Context, pl *plan.Plan) error {
	l := b.c.current(ctx).Limits
	if n := int64(len(pl.Jobs)); l.PipelineJobs > 0 && n > l.PipelineJobs {
		return &plan.Refusal{Reason: plan.SizeLimit, Text: fmt.Sprintf(
			"The number of jobs has exceeded the limit of %d. Try splitting the configuration with parent-child-pipelines", l.PipelineJobs)}
	}
	if l.ActiveJobs == 0 {
		return nil
	}
	var active int64
	err := b.c.db.Read(ctx, func(tx *models.Tx) (err error) {
		active, err = tx.ActiveJobsOf(b.r.Project.ID, tx.Now().Add(-24*time.Hour))
		return err
	})
	if err == nil && active+int64(len(pl.Jobs)) >= l.ActiveJobs {
		err = &plan.Refusal{Reason: plan.ActivityLimit, Text: "Project exceeded the allowed number of jobs in active pipelines. Retry later."}
	}
	return err
}

const (
	ageEvery = 10 * time.Minute // how often old pipelines are looked for
	ageBatch = 500              // how many are deleted at a time
)

// sweepOld deletes the pipelines of projects that keep theirs for a time only. What has not ended stays.
func (c *Coordinator) sweepOld(ctx context.Context) error {
	now := c.db.Now()
	if last := c.aged.Load(); last != nil && now.Sub(*last).Abs() < ageEvery {
		return nil
	}
	c.aged.Store(&now)
	var projects []*models.Project
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		projects, err = tx.ProjectsThatForget()
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range projects {
		before := now.Add(-time.Duration(p.Settings.DeletePipelinesAfter) * time.Second)
		var old []*models.Pipeline
		err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
			old, err = tx.OldPipelines(p.ID, before, ageBatch)
			return err
		})
		if err != nil {
			return err
		}
		for _, pl := range old {
			if err := c.DeletePipeline(ctx, access.Actor{}, pl.ID); err != nil && fault.KindOf(err) != fault.NotFound {
				return errors.Join(fmt.Errorf("delete pipeline %d, which is too old", pl.ID), err)
			}
		}
	}
	return nil
}
