package ci

import (
	"context"
	"encoding/json"
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
	Downstream         int64 `json:"downstream,omitempty"`           // within a minute, by one user's bridges on one commit of a project
}

const maxLimit = 1_000_000

// maxDeployments is how many jobs of one pipeline may have an environment, as on GitLab.
const maxDeployments = 500

func (l Limits) check() error {
	for name, n := range map[string]int64{
		"ci_pipeline_size": l.PipelineJobs, "ci_active_jobs": l.ActiveJobs, "ci_needs_size_limit": l.Needs,
		"pipeline_limit_per_project_user_sha": l.PipelinesPerCommit, "pipeline_limit_per_user": l.PipelinesPerUser,
		"downstream_pipeline_trigger_limit_per_project_user_sha": l.Downstream,
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

// throttled refuses a bridge whose user has triggered as many downstream pipelines as are allowed within a minute, of the same
// commit of the project. Bridges that were refused for it do not count, so that waiting helps.
func (c *Coordinator) throttled(ctx context.Context, f *jobFacts) error {
	limit := c.current(ctx).Limits.Downstream
	if limit == 0 {
		return nil
	}
	return c.db.Read(ctx, func(tx *models.Tx) error {
		n, err := tx.RecentBridges(f.job, f.pipeline.SHA, tx.Now().Add(-time.Minute))
		if err == nil && n >= limit {
			err = &bridgeFailure{enum.DownstreamRateLimit, "Too many downstream pipelines triggered in the last minute. Try again later."}
		}
		return err
	})
}

// tooLarge refuses a plan that has more jobs than one pipeline, or a project at a time, may have.
func (b *builder) tooLarge(ctx context.Context, pl *plan.Plan) error {
	l := b.c.current(ctx).Limits
	if n := int64(len(pl.Jobs)); l.PipelineJobs > 0 && n > l.PipelineJobs {
		return &plan.Refusal{Reason: plan.SizeLimit, Text: fmt.Sprintf(
			"The number of jobs has exceeded the limit of %d. Try splitting the configuration with parent-child-pipelines", l.PipelineJobs)}
	}
	if err := b.tooActive(ctx, l.ActiveJobs, int64(len(pl.Jobs))); err != nil {
		return err
	}
	deployments := 0
	for _, j := range pl.Jobs {
		if j.Definition.Environment != nil {
			deployments++
		}
	}
	if deployments > maxDeployments {
		return &plan.Refusal{Reason: plan.DeploymentsLimit, Text: fmt.Sprintf(
			"Pipeline has too many deployments! Requested %d, but the limit is %d.", deployments, maxDeployments)}
	}
	return nil
}

// tooActive refuses more jobs than a project may have at a time.
func (b *builder) tooActive(ctx context.Context, limit, more int64) error {
	if limit == 0 {
		return nil
	}
	var active int64
	err := b.c.db.Read(ctx, func(tx *models.Tx) (err error) {
		active, err = tx.ActiveJobsOf(b.r.Project.ID, tx.Now().Add(-24*time.Hour))
		return err
	})
	if err == nil && active+more >= limit {
		err = &plan.Refusal{Reason: plan.ActivityLimit, Text: "Project exceeded the allowed number of jobs in active pipelines. Retry later."}
	}
	return err
}

const (
	ageEvery = 10 * time.Minute // how often old pipelines are looked for
	ageBatch = 500              // how many are deleted at a time
)

// sweepOld stores a task for each project that keeps its pipelines for a time only.
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
		err := c.db.Write(ctx, func(tx *models.Tx) error {
			return c.later(tx, TaskForget, fmt.Sprintf("%s:%d", TaskForget, p.ID), projectTask{p.ID})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// runForget deletes the old pipelines of a project. One that cannot be deleted keeps no other from it.
func (c *Coordinator) runForget(ctx context.Context, t *models.Task) error {
	var task projectTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return err
	}
	var old []*models.Pipeline
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		p, err := tx.Project(task.Project)
		if err != nil || p.Settings.DeletePipelinesAfter == 0 {
			return notThere(err)
		}
		old, err = tx.OldPipelines(p.ID, tx.Now().Add(-time.Duration(p.Settings.DeletePipelinesAfter)*time.Second), ageBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, old, func(p *models.Pipeline) string { return fmt.Sprint("old pipeline ", p.ID) }, func(p *models.Pipeline) error {
		if err := c.DeletePipeline(ctx, access.Actor{}, p.ID); fault.KindOf(err) != fault.NotFound {
			return err
		}
		return nil
	})
}
