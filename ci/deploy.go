package ci

import (
	"context"
	"errors"
	"net/url"
	"time"

	"signalbox/ci/config"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// environments finds or makes the environments of a pipeline's jobs, by name. A job whose environment cannot have its
// name is marked: it fails once it is stored.
func (b *builder) environments(tx *models.Tx, jobs []models.NewJob) error {
	known := map[string]*models.Environment{}
	for i := range jobs {
		e := b.planned.Jobs[i].Definition.Environment
		if e == nil {
			continue
		}
		jobs[i].Job.EnvironmentAction = e.Action
		if !variable.ValidEnvironment(e.Name) {
			continue
		}
		found := known[e.Name]
		if found == nil {
			row := &models.Environment{ProjectID: b.r.Project.ID, Name: e.Name, Slug: variable.EnvironmentSlug(e.Name), Tier: tierOf(e)}
			if at, ok := stopAt(e.AutoStopIn, tx.Now()); ok {
				row.AutoStopAt = &at
			}
			var err error
			if found, err = tx.EnsureEnvironment(row); err != nil {
				return err
			}
			known[e.Name] = found
		}
		jobs[i].Job.EnvironmentID = &found.ID
	}
	return nil
}

func tierOf(e *config.Environment) string {
	for _, t := range variable.Tiers {
		if t == e.DeploymentTier {
			return t
		}
	}
	return variable.GuessTier(e.Name)
}

func stopAt(text string, now time.Time) (time.Time, bool) {
	seconds, ok := config.ParseDuration(text)
	return now.Add(time.Duration(seconds) * time.Second), ok && text != ""
}

// misplaced fails the jobs whose environments could not be made.
func (m *mover) misplaced(jobs []*models.Job) error {
	for _, j := range jobs {
		if j.EnvironmentAction == "" || j.EnvironmentID != nil {
			continue
		}
		err := m.move(j, process.Drop, func(j *models.Job) {
			j.FailureReason, j.StatusReason = enum.EnvironmentCreationFailure, "the name of its environment can have up to 255 letters, digits, "+
				"spaces, '-', '_', '/', '$', '{', '}' and '.', and no '/' at its ends"
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deployment keeps the deployment of a job in step with its status, and its environment with its end.
func (m *mover) deployment(j *models.Job) error {
	if j.EnvironmentID == nil || j.Retried && !j.Status.Completed() {
		return nil
	}
	switch j.EnvironmentAction {
	case "start":
		return m.deploys(j)
	case "stop":
		switch j.Status {
		case enum.Success:
			return m.tx.MoveEnvironment(*j.EnvironmentID, models.Stopped, models.Available, models.Stopping)
		case enum.Failed, enum.Canceled, enum.Skipped:
			return m.tx.MoveEnvironment(*j.EnvironmentID, models.Available, models.Stopping)
		}
	case "prepare", "access":
		if j.Status == enum.Success {
			return m.c.soon(m.tx, TaskDeployed, j.ID)
		}
	}
	return nil
}

// deploys stores the deployment once its job is on its way, and how it goes.
func (m *mover) deploys(j *models.Job) error {
	st := enum.Created
	switch j.Status {
	case enum.Running, enum.Success, enum.Failed, enum.Canceled, enum.Skipped:
		st = j.Status
	case enum.Canceling:
		st = enum.Running
	case enum.Manual:
		g, err := m.guard(j)
		if err != nil {
			return err
		}
		if g != nil && g.RequiredApprovals > 0 {
			st = blocked
		}
	}
	d, err := m.tx.DeploymentOfJob(j.ID)
	switch {
	case errors.Is(err, models.ErrNotFound) && (j.Status == enum.Created || j.Status == enum.Skipped || j.Status == enum.Canceled):
		return nil
	case errors.Is(err, models.ErrNotFound):
		def, err := m.c.definition(m.tx, j)
		if err != nil {
			return err
		}
		if err := m.place(j, def.Environment); err != nil {
			return err
		}
		d = &models.Deployment{
			ProjectID: j.ProjectID, EnvironmentID: *j.EnvironmentID, JobID: &j.ID, PipelineID: &m.pipeline.ID, UserID: j.UserID,
			Ref: m.pipeline.Ref, Tag: m.pipeline.Tag, SHA: m.pipeline.SHA, Status: st, OnStop: def.Environment.OnStop,
		}
		if err := m.tx.CreateDeployment(d); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if d.Status == st && !st.Completed() {
		return nil
	}
	if err := m.tx.SetDeploymentStatus(d, st); err != nil {
		return err
	}
	if err := m.c.happens(m.tx, happening{Event: DeploymentEvents, Project: d.ProjectID, ID: d.ID, Status: st}); err != nil || st != enum.Success {
		return err
	}
	if err := m.tx.MoveEnvironment(d.EnvironmentID, models.Available, models.Stopped, models.Stopping); err != nil {
		return err
	}
	return m.c.soon(m.tx, TaskDeployed, j.ID)
}

// place makes the environment of a job anew if somebody deleted it.
func (m *mover) place(j *models.Job, e *config.Environment) error {
	_, err := m.tx.Environment(*j.EnvironmentID)
	if !errors.Is(err, models.ErrNotFound) {
		return err
	}
	row, err := m.tx.EnsureEnvironment(&models.Environment{ProjectID: j.ProjectID, Name: e.Name, Slug: variable.EnvironmentSlug(e.Name), Tier: tierOf(e)})
	if err != nil {
		return err
	}
	j.EnvironmentID = &row.ID
	return m.tx.SetEnvironment(j.ID, row.ID)
}

// outdated says whether a job would deploy an older commit over a newer one: a later pipeline has deployed another commit
// already. Who retries a deployment means to bring the older one back, if the project allows that.
func (m *mover) outdated(j *models.Job) (bool, error) {
	if j.EnvironmentID == nil || j.EnvironmentAction != "start" {
		return false, nil
	}
	if err := m.needProject(); err != nil || m.project.Settings.NoForwardDeployment {
		return false, err
	}
	last, err := m.tx.LastDeployment(*j.EnvironmentID)
	if err != nil || last.SHA == m.pipeline.SHA || last.PipelineID == nil || *last.PipelineID <= m.pipeline.ID {
		return false, notThere(err)
	}
	if m.project.Settings.NoRollback {
		return true, nil
	}
	earlier, err := m.tx.Attempts(m.pipeline.ID, j.Name)
	return earlier == 0, err
}

// refuseOutdated fails a job that would deploy an older commit over a newer one.
func (m *mover) refuseOutdated(j *models.Job) error {
	return m.move(j, process.Drop, func(j *models.Job) {
		j.FailureReason, j.StatusReason = enum.OutdatedDeployment, "a pipeline of a newer commit has deployed already"
	})
}

// runDeployed brings an environment up to date after a job: its address, its tier, and when it is to be stopped.
func (c *Coordinator) runDeployed(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	f := &jobFacts{runner: &models.Runner{}}
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if err := c.readFacts(tx, id, f); err != nil {
			return err
		}
		deps, _, err := c.dependencies(tx, f)
		if err != nil {
			return err
		}
		if f.handed, err = c.handedOn(tx, append(deps, Dependency{ID: id})); err != nil {
			return err
		}
		if f.job.RunnerID != nil {
			found, err := tx.Runners([]int64{*f.job.RunnerID})
			if r := found[*f.job.RunnerID]; r != nil {
				f.runner = r
			}
			return err
		}
		return nil
	})
	var broken *brokenJob
	if errors.As(sealedIsBroken(err), &broken) {
		c.log.ErrorContext(ctx, "what a job deployed cannot be read", "job", id, "error", err)
		return nil
	}
	if err != nil || f.job.EnvironmentID == nil {
		return notThere(err)
	}
	if f.commit, err = c.Repo(f.project).Commit(ctx, f.pipeline.SHA); err != nil && !errors.Is(err, gitrepo.ErrNotFound) {
		return err
	}
	if f.commit == nil {
		f.commit = &gitrepo.Commit{}
	}
	vars, e := f.variables(c.server(), "", c.db.Now()), f.definition.Environment
	address := vars.Expand(e.URL, false)
	return c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.Environment(*f.job.EnvironmentID)
		if err != nil {
			return notThere(err)
		}
		if at, ok := stopAt(vars.Expand(e.AutoStopIn, false), tx.Now()); ok && row.State == models.Available {
			row.AutoStopAt = &at
		}
		if f.job.EnvironmentAction != "start" {
			return tx.UpdateEnvironment(row)
		}
		if last, err := tx.LastDeployment(row.ID); err != nil || last.JobID == nil || *last.JobID != f.job.ID {
			return notThere(err) // another one came after it
		}
		if webAddress(address) {
			row.ExternalURL = address
		}
		if e.DeploymentTier != "" {
			row.Tier = tierOf(e)
		}
		return tx.UpdateEnvironment(row)
	})
}

// webAddress says whether an address may become a link: of the web, and not longer than GitLab allows.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(text) <= 255
}
