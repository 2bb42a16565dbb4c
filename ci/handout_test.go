package ci

import (
	"errors"
	"strings"
	"testing"

	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// lateChange is something that happens between the preparation of an offer and its hand-out, and what comes of that.
type lateChange struct {
	change func(tx *models.Tx, o *Offer) error
	reason enum.FailureReason
	moved  bool
	err    error
}

func lateChanges() map[string]lateChange {
	project := func(change func(p *models.Project)) func(*models.Tx, *Offer) error {
		return func(tx *models.Tx, o *Offer) error {
			p, err := tx.LockProject(o.Project.ID)
			if err != nil {
				return err
			}
			change(p.Project)
			return tx.UpdateProject(p)
		}
	}
	block := func(tx *models.Tx, o *Offer) error {
		u, err := tx.LockUser(o.UserID)
		if err != nil {
			return err
		}
		u.State = "blocked"
		return tx.UpdateUser(u)
	}
	pause := func(tx *models.Tx, o *Offer) error {
		r, err := tx.LockRunner(o.Runner.ID)
		if err != nil {
			return err
		}
		r.Active = false
		return tx.UpdateRunner(r)
	}
	return map[string]lateChange{
		"nothing":             {change: func(*models.Tx, *Offer) error { return nil }},
		"archived":            {change: project(func(p *models.Project) { p.Archived = true }), reason: "archived_failure"},
		"no jobs":             {change: project(func(p *models.Project) { p.BuildsEnabled = false }), reason: enum.BuildsDisabled},
		"no instance runners": {change: project(func(p *models.Project) { p.SharedRunnersEnabled = false }), moved: true},
		"blocked":             {change: block, reason: enum.UserBlocked},
		"paused":              {change: pause, err: errRunnerChanged},
		"machine deleted":     {change: func(tx *models.Tx, o *Offer) error { return tx.DeleteManager(o.Runner.ID, "s_one") }, err: errRunnerChanged},
	}
}

// TestAHandOutRestsOnWhatIsStoredThen: what changes between the preparation of an offer and its hand-out counts, although the
// preparation found nothing wrong.
func TestAHandOutRestsOnWhatIsStoredThen(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		c, root := coordinatorOn(t, o)
		for name, late := range lateChanges() {
			t.Run(name, func(t *testing.T) {
				job, e, m := waitingJob(t, c, root, strings.ReplaceAll(name, " ", "-"))
				ctx := t.Context()
				offer, reason, err := c.prepare(ctx, job, e, m)
				if err != nil || reason != "" {
					t.Fatal(reason, err)
				}
				noError(t, c.db.Write(ctx, func(tx *models.Tx) error { return late.change(tx, offer) }))
				reason, moved, err := c.handOut(ctx, offer, e, m)
				if reason != late.reason || (moved != nil) != late.moved || !errors.Is(err, late.err) {
					t.Errorf("%q, moved %v, %v", reason, moved, err)
				}
				err = c.db.Read(ctx, func(tx *models.Tx) error { _, err := tx.Pending(job); return err })
				if gone := errors.Is(err, models.ErrNotFound); gone != (name == "nothing") {
					t.Errorf("the job is out of the queue: %v", gone)
				}
			})
		}
	})
}

// waitingJob makes a project with a job of a user, and a runner that may take it.
func waitingJob(t *testing.T, c *Coordinator, root access.Actor, path string) (job int64, e *runnerEntry, m *models.RunnerManager) {
	t.Helper()
	ctx := t.Context()
	p, err := c.CreateProject(ctx, root, NewProject{Path: path})
	noError(t, err)
	_, err = c.Commit(ctx, root, p, NewCommit{Branch: "main", Message: "Add a job", Changes: []gitrepo.Change{{Action: "create", Path: ".gitlab-ci.yml", Content: []byte("job: {script: x}")}}})
	noError(t, err)
	user := &models.User{Username: path, Name: path, Email: path + "@example.com"}
	noError(t, c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.CreateUser(user); err != nil {
			return err
		}
		return tx.SetMember(&models.Member{UserID: user.ID, ProjectID: &p.ID, AccessLevel: enum.Maintainer})
	}))
	pipeline, err := c.CreatePipeline(ctx, PipelineRequest{Project: p, Actor: access.Actor{User: user}, Source: enum.SourceAPI, Ref: "main"})
	noError(t, err)
	noError(t, c.db.Read(ctx, func(tx *models.Tx) error {
		jobs, err := tx.PipelineJobs(pipeline.ID, false)
		job = jobs[0].ID
		return err
	}))
	_, token, err := c.NewRunner(ctx, root, enum.InstanceRunner, 0, 0, RunnerSettings{RunUntagged: true})
	noError(t, err)
	e, err = c.entry(ctx, token)
	noError(t, err)
	m, err = c.manager(ctx, e, RunnerInfo{SystemID: "s_one"})
	noError(t, err)
	return job, e, m
}
