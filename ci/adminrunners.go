package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// FindRunner finds a runner and says whether the actor administers it: as an administrator, as an owner of its
// group, or as a maintainer of a project that it works for.
func (c *Coordinator) FindRunner(tx *models.Tx, a access.Actor, id int64) (r *models.Runner, allowed bool, err error) {
	if r, err = tx.Runner(id); err != nil || a.Admin() {
		return r, err == nil, err
	}
	if r.NamespaceID != nil {
		g, err := tx.Namespace(*r.NamespaceID)
		if err != nil {
			return r, false, err
		}
		s, err := access.GroupSubject(tx, a, g)
		return r, err == nil && s.Level >= enum.Owner, err
	}
	projects, err := tx.RunnerProjects(id)
	if err != nil {
		return r, false, err
	}
	for _, id := range projects {
		p, err := tx.Project(id)
		if err != nil {
			return r, false, err
		}
		s, err := access.SubjectOf(tx, a, p)
		if err != nil {
			return r, false, err
		}
		if s.Level >= enum.Maintainer {
			return r, true, nil
		}
	}
	return r, false, nil
}

// NewRunner makes a runner for those who may: administrators for the instance, owners for their groups,
// maintainers for their projects. The token that it returns is shown once.
func (c *Coordinator) NewRunner(ctx context.Context, by access.Actor, typ enum.RunnerType, groupID, projectID int64, set RunnerSettings) (*models.Runner, string, error) {
	var level enum.AccessLevel
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		switch typ {
		case enum.GroupRunner:
			g, err := tx.Namespace(groupID)
			if err == nil && g.Kind != "group" {
				err = models.ErrNotFound
			}
			if err != nil {
				return notFound(err, "Group")
			}
			s, err := access.GroupSubject(tx, by, g)
			if level = s.Level; err == nil && level < enum.Owner {
				return errForbidden
			}
			return err
		case enum.ProjectRunner:
			p, err := tx.Project(projectID)
			if err != nil {
				return notFound(err, "Project")
			}
			s, err := access.SubjectOf(tx, by, p)
			if level = s.Level; err == nil && level < enum.Maintainer {
				return errForbidden
			}
			return err
		}
		if !by.Admin() {
			return errForbidden
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	row, token, err := c.CreateRunner(ctx, typ, groupID, projectID, by.User, set)
	if err != nil {
		return nil, "", err
	}
	return row, token, c.noteRunner(ctx, by, "runner_created", row)
}

func (c *Coordinator) noteRunner(ctx context.Context, by access.Actor, action string, r *models.Runner) error {
	return c.db.Write(ctx, func(tx *models.Tx) error { return audit(tx, by, action, "runner", r.ID, r.Description) })
}

// AssignRunner lets a project runner work for a further project. Both must be the actor's to administer.
func (c *Coordinator) AssignRunner(ctx context.Context, by access.Actor, id int64, p *models.Project) (r *models.Runner, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		var allowed bool
		if r, allowed, err = c.FindRunner(tx, by, id); err != nil {
			return notFound(err, "Runner")
		}
		switch {
		case !allowed:
			return fault.Refused(fault.Forbidden, "No access granted")
		case r.Type != enum.ProjectRunner:
			return fault.Refused(fault.Forbidden, "Runner is not a project runner")
		case r.Locked:
			return fault.Refused(fault.Forbidden, "Runner is locked")
		}
		err := tx.AddRunnerProject(id, p.ID)
		if errors.Is(err, models.ErrDuplicate) {
			return fault.Field("runner_projects", "has already been taken")
		}
		if err != nil {
			return err
		}
		return audit(tx, by, "runner_assigned", "project", p.ID, fmt.Sprint(id))
	})
	return r, err
}

// UnassignRunner ends that. The first project of a runner owns it and keeps it.
func (c *Coordinator) UnassignRunner(ctx context.Context, by access.Actor, id int64, p *models.Project) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		projects, err := tx.RunnerProjects(id)
		if err != nil {
			return err
		}
		if len(projects) == 1 && projects[0] == p.ID {
			return fault.Refused(fault.Forbidden, "Only one project associated with the runner. Please remove the runner instead")
		}
		if err := tx.RemoveRunnerProject(id, p.ID); err != nil {
			return notFound(err, "Runner")
		}
		return audit(tx, by, "runner_unassigned", "project", p.ID, fmt.Sprint(id))
	})
}

// RemoveRunner deletes a runner. One that works for several projects stays for the others.
func (c *Coordinator) RemoveRunner(ctx context.Context, by access.Actor, r *models.Runner) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		projects, err := tx.RunnerProjects(r.ID)
		if err != nil {
			return err
		}
		if len(projects) > 1 && !by.Admin() {
			return fault.Refused(fault.Forbidden, "Runner associated with more than one project")
		}
		if err := tx.DeleteRunner(r.ID); err != nil {
			return err
		}
		return audit(tx, by, "runner_deleted", "runner", r.ID, r.Description)
	})
}

// ResetGroupRegistration makes a new registration token for a group and returns it.
func (c *Coordinator) ResetGroupRegistration(ctx context.Context, groupID int64) (string, error) {
	token := secret.NewToken(secret.Registration)
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		g, err := tx.LockNamespace(groupID)
		if err != nil {
			return err
		}
		g.RegistrationTokenHash = secret.Hash(token)
		return tx.UpdateNamespace(g)
	})
	return token, err
}
