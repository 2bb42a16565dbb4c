package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// CreateEnvironment makes an environment by hand.
func (c *Coordinator) CreateEnvironment(ctx context.Context, p *models.Project, e *models.Environment) error {
	if err := checkEnvironment(e); err != nil {
		return err
	}
	e.ProjectID, e.Slug = p.ID, variable.EnvironmentSlug(e.Name)
	if e.Tier == "" {
		e.Tier = variable.GuessTier(e.Name)
	}
	if e.AutoStopSetting == "" {
		e.AutoStopSetting = "always"
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		e.ID = 0
		return tx.CreateEnvironment(e)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return fault.New(fault.Invalid, "Name has already been taken")
	}
	return err
}

func checkEnvironment(e *models.Environment) error {
	switch {
	case !variable.ValidEnvironment(e.Name):
		return fault.New(fault.Invalid, "Name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'")
	case e.ExternalURL != "" && !webAddress(e.ExternalURL):
		return fault.New(fault.Invalid, "External url is blocked: only http and https addresses of up to 255 characters are allowed")
	case len(e.Description) > 10_000:
		return fault.New(fault.Invalid, "Description is too long (maximum is 10000 characters)")
	}
	return nil
}

// UpdateEnvironment changes an environment.
func (c *Coordinator) UpdateEnvironment(ctx context.Context, by access.Actor, id int64, change func(*models.Environment)) (e *models.Environment, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if e, err = tx.Environment(id); err != nil {
			return notFound(err, "Environment")
		}
		if err := mayTouch(tx, by, e); err != nil {
			return err
		}
		change(e)
		if err := checkEnvironment(e); err != nil {
			return err
		}
		return tx.UpdateEnvironment(e)
	})
	return e, err
}

// DeleteEnvironment removes a stopped environment with the history of its deployments.
func (c *Coordinator) DeleteEnvironment(ctx context.Context, by access.Actor, id int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		e, err := tx.Environment(id)
		if err != nil {
			return notFound(err, "Environment")
		}
		if err := mayTouch(tx, by, e); err != nil {
			return err
		}
		if e.State != models.Stopped {
			return errForbidden
		}
		if err := tx.DeleteEnvironment(id); err != nil {
			return err
		}
		return audit(tx, by, "environment_deleted", "project", e.ProjectID, e.Name)
	})
}

// StopEnvironment stops an environment as somebody: by the jobs that its last deployments name in on_stop, or at once if
// there are none, or with force. One that is not available stays as it is.
func (c *Coordinator) StopEnvironment(ctx context.Context, by access.Actor, id int64, force bool) (*models.Environment, error) {
	var e *models.Environment
	var jobs []*models.Job
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if e, err = tx.Environment(id); err != nil {
			return notFound(err, "Environment")
		}
		if err := mayTouch(tx, by, e); err != nil {
			return err
		}
		if e.State != models.Stopped && !force { // one that got stuck may be stopped once more
			jobs, err = stopJobs(tx, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.Status.Active() {
			continue // it is on its way
		}
		if !process.Playable(j.Status) && !process.Retryable(j.Status, j.FailureReason) {
			return nil, fault.Refused(fault.Invalid, "the job %s, which stops the environment, cannot be started: it is %s", j.Name, j.Status)
		}
	}
	if len(jobs) > 0 { // before they start: a quick one sets the end
		err := c.db.Write(ctx, func(tx *models.Tx) error { return tx.MoveEnvironment(id, models.Stopping, models.Available) })
		if err != nil {
			return nil, err
		}
	}
	for _, j := range jobs {
		if j.Status.Active() {
			continue
		}
		if _, err := c.PlayJob(ctx, by, j.ID, Given{}); err != nil {
			back := c.db.Write(ctx, func(tx *models.Tx) error { return tx.MoveEnvironment(id, models.Available, models.Stopping) })
			return nil, errors.Join(err, back)
		}
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		switch {
		case force:
			err = tx.MoveEnvironment(id, models.Stopped, models.Available, models.Stopping)
		case len(jobs) > 0:
		case e.State == models.Available:
			err = tx.MoveEnvironment(id, models.Stopped, models.Available)
		}
		if err != nil {
			return err
		}
		if e, err = tx.Environment(id); err != nil {
			return err
		}
		return audit(tx, by, "environment_stopped", "project", e.ProjectID, e.Name)
	})
	return e, err
}

// stopJobs lists the jobs that stop an environment.
func stopJobs(tx *models.Tx, e *models.Environment) ([]*models.Job, error) {
	deployments, err := tx.LastFinishedDeployments(e.ID)
	if err != nil {
		return nil, notThere(err)
	}
	var out []*models.Job
	seen := map[int64]bool{}
	for _, d := range deployments {
		if d.OnStop == "" {
			continue
		}
		j, err := tx.JobByName(*d.PipelineID, d.OnStop)
		if errors.Is(err, models.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !seen[j.ID] && j.When == enum.WhenManual {
			seen[j.ID], out = true, append(out, j)
		}
	}
	return out, nil
}

// sweepEnvironments stops environments whose time is over, as whoever deployed to them last.
func (c *Coordinator) sweepEnvironments(ctx context.Context) error {
	var due []*models.Environment
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		due, err = tx.EnvironmentsToStop(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, due, func(e *models.Environment) string { return fmt.Sprint("environment ", e.ID) }, func(e *models.Environment) error {
		return c.stopByItself(ctx, e, nil)
	})
}

// stopByItself stops an environment because of time or a deleted branch. If its jobs cannot be started for that person,
// the environment is stopped without them, and the log says so.
func (c *Coordinator) stopByItself(ctx context.Context, e *models.Environment, by *models.User) error {
	actions := 0
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		jobs, err := stopJobs(tx, e)
		if err != nil {
			return err
		}
		actions = len(jobs)
		if by == nil && actions > 0 {
			by, err = tx.User(jobs[0].UserID)
		}
		return notThere(err)
	})
	if err != nil {
		return err
	}
	if actions == 0 && e.AutoStopSetting == "with_action" {
		_, err := c.UpdateEnvironment(ctx, access.Actor{}, e.ID, func(e *models.Environment) { e.AutoStopAt = nil })
		return err
	}
	_, err = c.StopEnvironment(ctx, access.Actor{User: by}, e.ID, actions == 0)
	if kind := fault.KindOf(err); kind == fault.Forbidden || kind == fault.NotFound || kind == fault.Invalid {
		c.log.WarnContext(ctx, "an environment cannot be stopped by its job", "environment", e.Name, "project", e.ProjectID, "error", err)
		_, err = c.UpdateEnvironment(ctx, access.Actor{}, e.ID, func(e *models.Environment) { e.AutoStopAt = nil })
	}
	return err
}

// stopForBranch stops the environments that a deleted branch was deployed to.
func (c *Coordinator) stopForBranch(ctx context.Context, p *models.Project, branch string, by *models.User) error {
	var rows []*models.Environment
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		rows, err = tx.EnvironmentsOfRef(p.ID, branch, sweepBatch)
		return err
	})
	for _, e := range rows {
		if err := c.stopByItself(ctx, e, by); err != nil {
			return err
		}
	}
	return err
}

// TellDeployment stores a deployment that something else than a job did.
func (c *Coordinator) TellDeployment(ctx context.Context, by access.Actor, p *models.Project, environment string, d *models.Deployment) error {
	if !variable.ValidEnvironment(environment) {
		return checkEnvironment(&models.Environment{Name: environment})
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		e, err := tx.EnsureEnvironment(&models.Environment{
			ProjectID: p.ID, Name: environment, Slug: variable.EnvironmentSlug(environment), Tier: variable.GuessTier(environment),
		})
		if err != nil {
			return err
		}
		if err := mayTouch(tx, by, e); err != nil {
			return err
		}
		st := d.Status
		d.ID, d.ProjectID, d.EnvironmentID, d.UserID = 0, p.ID, e.ID, by.ID()
		if err := tx.CreateDeployment(d); err != nil {
			return err
		}
		return c.settle(tx, d, st)
	})
}

// settle stores a deployment's status with what it means for the environment.
func (c *Coordinator) settle(tx *models.Tx, d *models.Deployment, st enum.Status) error {
	if err := tx.SetDeploymentStatus(d, st); err != nil {
		return err
	}
	if err := c.happens(tx, happening{Event: DeploymentEvents, Project: d.ProjectID, ID: d.ID, Status: st}); err != nil || st != enum.Success {
		return err
	}
	return tx.MoveEnvironment(d.EnvironmentID, models.Available, models.Stopped, models.Stopping)
}

// SettleDeployment changes the status of a deployment that no job does.
func (c *Coordinator) SettleDeployment(ctx context.Context, by access.Actor, id int64, st enum.Status) (d *models.Deployment, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if d, err = tx.Deployment(id); err != nil {
			return notFound(err, "Deployment")
		}
		if d.JobID != nil {
			return fault.Refused(fault.Forbidden, "Deployments created using GitLab CI can not be updated using the API")
		}
		e, err := tx.Environment(d.EnvironmentID)
		if err != nil {
			return err
		}
		if err := mayTouch(tx, by, e); err != nil {
			return err
		}
		return c.settle(tx, d, st)
	})
	return d, err
}

// DeleteDeployment forgets a deployment that is neither running nor the last one of its environment.
func (c *Coordinator) DeleteDeployment(ctx context.Context, id int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		d, err := tx.Deployment(id)
		if err != nil {
			return notFound(err, "Deployment")
		}
		if d.Status == enum.Running {
			return fault.New(fault.Invalid, "Cannot destroy running deployment")
		}
		last, err := tx.LastDeployment(d.EnvironmentID)
		if err == nil && last.ID == id {
			return fault.New(fault.Invalid, "Deployment currently deployed to environment")
		}
		if err := notThere(err); err != nil {
			return err
		}
		return tx.DeleteDeployment(id)
	})
}
