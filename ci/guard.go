package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// blocked is the status of a deployment that waits for approval; its job is manual meanwhile.
const blocked = enum.Status("blocked")

// guard finds the protection of a job's environment; nil if there is none.
func (m *mover) guard(j *models.Job) (*models.ProtectedEnvironment, error) {
	if j.EnvironmentID == nil {
		return nil, nil
	}
	e, err := m.tx.Environment(*j.EnvironmentID)
	if err != nil {
		return nil, notThere(err)
	}
	g, err := m.tx.ProtectedEnvironment(j.ProjectID, e.Name)
	return g, notThere(err)
}

// Granted says whether a user is one of those that grants name, or administers the instance.
func Granted(tx *models.Tx, u *models.User, level enum.AccessLevel, grants []models.Grant) (bool, error) {
	if u.Admin {
		return true, nil
	}
	for _, g := range grants {
		switch {
		case g.UserID != 0 && g.UserID == u.ID, g.AccessLevel != enum.NoAccess && level >= g.AccessLevel:
			return true, nil
		case g.GroupID != 0:
			role, err := tx.GroupAccessLevel(u.ID, g.GroupID)
			if err != nil || role > enum.NoAccess {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// mayTouch refuses those who may not deploy to an environment that is protected: they do not stop, change or delete it either,
// nor tell of deployments to it. Nobody in particular is signalbox itself.
func mayTouch(tx *models.Tx, by access.Actor, e *models.Environment) error {
	if by.User == nil {
		return nil
	}
	g, err := tx.ProtectedEnvironment(e.ProjectID, e.Name)
	if err != nil {
		return notThere(err)
	}
	p, err := tx.Project(e.ProjectID)
	if err != nil {
		return err
	}
	subject, err := access.SubjectOf(tx, by, p)
	if err != nil {
		return err
	}
	may, err := Granted(tx, by.User, subject.Level, g.Deployers)
	if err == nil && !may {
		err = fault.Refused(fault.Forbidden, "the environment %s is protected: those who may not deploy to it do not change it", e.Name)
	}
	return err
}

// mayDeploy says whether a user may deploy to a protected environment.
func (m *mover) mayDeploy(userID int64, g *models.ProtectedEnvironment) (bool, error) {
	u, err := m.tx.User(userID)
	if err != nil {
		return false, notThere(err)
	}
	if err := m.needProject(); err != nil {
		return false, err
	}
	subject, err := access.SubjectOf(m.tx, access.Actor{User: u}, m.project)
	if err != nil {
		return false, err
	}
	return Granted(m.tx, u, subject.Level, g.Deployers)
}

// held keeps a job from its environment, if that is protected: from whoever may not deploy there it fails, and until others
// have approved it waits. It answers true if the job is not to start.
func (m *mover) held(j *models.Job) (bool, error) {
	g, err := m.guard(j)
	if err != nil || g == nil {
		return false, err
	}
	may, err := m.mayDeploy(j.UserID, g)
	if err != nil {
		return false, err
	}
	if !may {
		return true, m.move(j, process.Drop, func(j *models.Job) {
			j.FailureReason, j.StatusReason = enum.ProtectedEnvironmentFailure, "who runs it may not deploy to "+g.Name
		})
	}
	if j.EnvironmentAction != "start" || g.RequiredApprovals == 0 {
		return false, nil
	}
	missing, err := m.missingApprovals(j, g)
	if err != nil || missing == 0 {
		return false, err
	}
	if j.Status != enum.Created {
		return true, fault.Refused(fault.Forbidden, "the deployment waits for %s", approvals(missing))
	}
	return true, m.move(j, process.Actionize, func(j *models.Job) {
		j.StatusReason = fmt.Sprintf("waits for %s before it deploys to %s", approvals(missing), g.Name)
	})
}

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}

// missingApprovals is how many more approvals a job's deployment needs.
func (m *mover) missingApprovals(j *models.Job, g *models.ProtectedEnvironment) (int, error) {
	d, err := m.tx.DeploymentOfJob(j.ID)
	if errors.Is(err, models.ErrNotFound) {
		return g.RequiredApprovals, nil
	}
	if err != nil {
		return 0, err
	}
	said, err := m.tx.Approvals(d.ID)
	missing := g.RequiredApprovals
	for _, a := range said {
		if a.Status == "approved" {
			missing--
		}
	}
	return max(0, missing), err
}

// ApproveDeployment stores that somebody approves or rejects a deployment that waits. Nobody approves their own. The last
// approval starts the job, unless it is one that somebody starts; a rejection fails it.
func (c *Coordinator) ApproveDeployment(ctx context.Context, by access.Actor, deploymentID int64, approve bool, comment string, within ...Within[models.DeploymentApproval]) (a *models.DeploymentApproval, err error) {
	var d *models.Deployment
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		d, err = tx.Deployment(deploymentID)
		return err
	})
	if err != nil {
		return nil, notFound(err, "Deployment")
	}
	if d.JobID == nil || d.Status != blocked {
		return nil, fault.New(fault.Invalid, "This deployment is not waiting for approvals.")
	}
	err = c.withJob(ctx, *d.JobID, func(m *mover, j *models.Job) error {
		g, err := m.guard(j)
		if err != nil {
			return err
		}
		if g == nil || j.Status != enum.Manual {
			return fault.New(fault.Invalid, "This deployment is not waiting for approvals.")
		}
		if err := m.mayApprove(by, j, g); err != nil {
			return err
		}
		a = &models.DeploymentApproval{DeploymentID: d.ID, UserID: by.ID(), Status: "approved", Comment: comment}
		if !approve {
			a.Status = "rejected"
		}
		if err := m.tx.Approve(a); err != nil {
			return err
		}
		if err := audit(m.tx, by, "deployment_"+a.Status, "project", d.ProjectID, fmt.Sprintf("deployment %d to %s", d.ID, g.Name)); err != nil {
			return err
		}
		if err := store(m.tx, a, within); err != nil {
			return err
		}
		if !approve {
			return m.end(j, process.Drop, Outcome{Reason: enum.DeploymentRejected, Text: "rejected by " + by.Name()})
		}
		missing, err := m.missingApprovals(j, g)
		if err != nil || missing > 0 || j.When == enum.WhenManual {
			return err
		}
		if err := m.start(j, nil); err != nil {
			return err
		}
		return m.revive(j.UserID, j.ID)
	})
	return a, err
}

func (m *mover) mayApprove(by access.Actor, j *models.Job, g *models.ProtectedEnvironment) error {
	if err := m.needProject(); err != nil {
		return err
	}
	subject, err := access.SubjectOf(m.tx, by, m.project)
	if err != nil {
		return err
	}
	return approves(m.tx, by, subject, j, g)
}

// approves refuses those who may not approve the deployment of a job.
func approves(tx *models.Tx, by access.Actor, subject access.Subject, j *models.Job, g *models.ProtectedEnvironment) error {
	denied := fault.Refused(fault.Forbidden, "You don't have permission to review this deployment. Contact the project or group owner for help.")
	if !access.Allowed(by, access.UpdateEnvironments, subject) {
		return denied
	}
	approvers := g.Approvers
	if len(approvers) == 0 {
		approvers = g.Deployers
	}
	may, err := Granted(tx, by.User, subject.Level, approvers)
	switch {
	case err != nil:
		return err
	case !may:
		return denied
	case by.ID() == j.UserID:
		return fault.Refused(fault.Forbidden, "You cannot approve your own deployment.")
	}
	return nil
}

// Waiting is what a deployment that is blocked waits for.
type Waiting struct {
	Needs    int                          // approvals in all; 0 if nothing holds it any more
	Said     []*models.DeploymentApproval // so far
	MayJudge bool                         // the asker may approve or reject it
}

// Held says whether approvals are missing.
func (w Waiting) Held() bool { return w.Needs > len(w.Said) }

// WaitsFor says what a blocked deployment of a job waits for, and whether somebody may do it.
func WaitsFor(tx *models.Tx, by access.Actor, subject access.Subject, d *models.Deployment, j *models.Job, environment string) (w Waiting, err error) {
	g, err := tx.ProtectedEnvironment(j.ProjectID, environment)
	if err != nil {
		return w, notThere(err)
	}
	if w.Said, err = tx.Approvals(d.ID); err != nil {
		return w, err
	}
	w.Needs = g.RequiredApprovals
	refusal := approves(tx, by, subject, j, g)
	if refusal != nil && fault.KindOf(refusal) != fault.Forbidden {
		return w, refusal
	}
	w.MayJudge = refusal == nil && j.Status == enum.Manual
	return w, nil
}

// ProtectEnvironment lets only some deploy to an environment.
func (c *Coordinator) ProtectEnvironment(ctx context.Context, by access.Actor, g *models.ProtectedEnvironment) error {
	if err := checkProtection(g); err != nil {
		return err
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		g.ID = 0
		if err := tx.CreateProtectedEnvironment(g); err != nil {
			return err
		}
		return audit(tx, by, "environment_protected", "project", g.ProjectID, g.Name)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return fault.New(fault.Conflict, "Protected environment '%s' already exists", g.Name)
	}
	return err
}

// ChangeProtection changes who may deploy to an environment, by its protection as it stands then, and returns that.
func (c *Coordinator) ChangeProtection(ctx context.Context, by access.Actor, id int64, change func(g *models.ProtectedEnvironment)) (g *models.ProtectedEnvironment, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.LockProtectedEnvironment(id)
		if err != nil {
			return notFound(err, "Protected Environment")
		}
		g = row.ProtectedEnvironment
		change(g)
		if err := checkProtection(g); err != nil {
			return err
		}
		if err := tx.UpdateProtectedEnvironment(row); err != nil {
			return err
		}
		return audit(tx, by, "environment_protected", "project", g.ProjectID, g.Name)
	})
	return g, err
}

// checkProtection refuses what protects nothing, and numbers what does.
func checkProtection(g *models.ProtectedEnvironment) error {
	switch {
	case len(g.Deployers) == 0:
		return fault.Field("deploy_access_levels", "can't be blank")
	case g.RequiredApprovals < 0 || g.RequiredApprovals > 5:
		return fault.Field("required_approval_count", "must be from 0 to 5")
	}
	for _, list := range [][]models.Grant{g.Deployers, g.Approvers} {
		for i := range list {
			list[i].ID = int64(i + 1)
		}
	}
	if g.Approvers == nil {
		g.Approvers = []models.Grant{}
	}
	return nil
}

// RemoveProtection lets everybody deploy to an environment who may run jobs. Jobs that wait for approvals can be started then.
func (c *Coordinator) RemoveProtection(ctx context.Context, by access.Actor, g *models.ProtectedEnvironment) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteProtectedEnvironment(g.ID); err != nil {
			return err
		}
		return audit(tx, by, "environment_unprotected", "project", g.ProjectID, g.Name)
	})
}
