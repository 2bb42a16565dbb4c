package api

import (
	"errors"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// deploymentOfEnvironment is GitLab's Deployment without its environment, as it stands inside one.
type deploymentOfEnvironment struct {
	ID         int64        `json:"id"`
	IID        int64        `json:"iid"`
	Ref        string       `json:"ref"`
	SHA        string       `json:"sha"`
	CreatedAt  httpapi.Time `json:"created_at"`
	UpdatedAt  httpapi.Time `json:"updated_at"`
	User       *userBasic   `json:"user"`
	Deployable any          `json:"deployable"`
	Status     enum.Status  `json:"status"`
}

type deploymentEntity struct {
	deploymentOfEnvironment
	Environment *environmentBasic `json:"environment"`
}

// deployments renders deployments of the call's project.
func (s *Server) deployments(c *call, rows []*models.Deployment) ([]deploymentEntity, error) {
	var users map[int64]*models.User
	var environments map[int64]*models.Environment
	var jobs []*models.Job
	err := c.read(func(tx *models.Tx) (err error) {
		if users, err = tx.Users(each(rows, func(d *models.Deployment) int64 { return d.UserID })); err != nil {
			return err
		}
		if environments, err = tx.EnvironmentsByID(each(rows, func(d *models.Deployment) int64 { return d.EnvironmentID })); err != nil {
			return err
		}
		var ids []int64
		for _, d := range rows {
			if d.JobID != nil {
				ids = append(ids, *d.JobID)
			}
		}
		jobs, err = tx.JobsByID(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	rendered, err := s.jobs(c, jobs)
	if err != nil {
		return nil, err
	}
	byID := map[int64]any{}
	for i, j := range jobs {
		byID[j.ID] = rendered[i]
	}
	return each(rows, func(d *models.Deployment) deploymentEntity {
		e := deploymentEntity{deploymentOfEnvironment: deploymentOfEnvironment{
			ID: d.ID, IID: d.IID, Ref: d.Ref, SHA: d.SHA, CreatedAt: httpapi.Time(d.CreatedAt), UpdatedAt: httpapi.Time(d.UpdatedAt),
			User: s.basic(users[d.UserID]), Status: d.Status,
		}}
		if d.JobID != nil {
			e.Deployable = byID[*d.JobID]
		}
		if env := environments[d.EnvironmentID]; env != nil {
			b := environmentBasicOf(env)
			e.Environment = &b
		}
		return e
	}), nil
}

// inDeployment finds the deployment of :deployment_id in its project.
func inDeployment(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("deployment_id", "")
		if err != nil {
			return missing(models.ErrNotFound, "")
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.deployment, err = tx.Deployment(n)
			return err
		})
		if err == nil && c.deployment.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "")
	})
}

func (s *Server) deploymentRoutes(r routes) {
	base, one := "/projects/:id/deployments", "/projects/:id/deployments/:deployment_id"
	r.get(base, project(access.ReadEnvironments), with(s.listDeployments))
	r.post(base, project(access.UpdateEnvironments), with(s.createDeployment))
	r.get(one, inDeployment(access.ReadEnvironments), func(c *call) (any, error) { return s.renderDeployment(c, c.deployment) })
	r.put(one, inDeployment(access.UpdateEnvironments), with(func(c *call, p *struct {
		Status string `param:"status,required" values:"running success failed canceled"`
	},
	) (any, error) {
		d, err := s.ci.SettleDeployment(c.ctx(), c.actor, c.deployment.ID, enum.Status(p.Status))
		if err != nil {
			return nil, err
		}
		return s.renderDeployment(c, d)
	}))
	r.delete(one, inDeployment(access.DeleteDeployments), func(c *call) (any, error) {
		return nil, s.ci.DeleteDeployment(c.ctx(), c.deployment.ID)
	})
	// No project has merge requests here.
	r.get(one+"/merge_requests", inDeployment(access.ReadEnvironments), with(func(_ *call, p *struct{ httpapi.Page }) (any, error) {
		return paged([]int{}, p.Page, 0), nil
	}))
}

func (s *Server) renderDeployment(c *call, d *models.Deployment) (any, error) {
	rows, err := s.deployments(c, []*models.Deployment{d})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

func (s *Server) listDeployments(c *call, p *struct {
	httpapi.Page
	Environment    string            `param:"environment"`
	Status         string            `param:"status" values:"created running success failed canceled skipped blocked"`
	OrderBy        string            `param:"order_by" values:"id iid created_at updated_at finished_at"`
	Sort           string            `param:"sort" values:"asc desc"`
	UpdatedAfter   httpapi.Timestamp `param:"updated_after"`
	UpdatedBefore  httpapi.Timestamp `param:"updated_before"`
	FinishedAfter  httpapi.Timestamp `param:"finished_after"`
	FinishedBefore httpapi.Timestamp `param:"finished_before"`
},
) (any, error) {
	f := models.DeploymentFilter{
		Status:   enum.Status(p.Status),
		Updated:  models.TimeRange{After: p.UpdatedAfter.Time, Before: p.UpdatedBefore.Time},
		Finished: models.TimeRange{After: p.FinishedAfter.Time, Before: p.FinishedBefore.Time},
	}
	updated := p.UpdatedAfter.Time != nil || p.UpdatedBefore.Time != nil
	finished := p.FinishedAfter.Time != nil || p.FinishedBefore.Time != nil
	switch {
	case updated && finished:
		return nil, fault.New(fault.Invalid, "400 Bad request - Both `updated_at` filter and `finished_at` filter can not be specified")
	case updated && p.OrderBy != "updated_at":
		return nil, fault.New(fault.Invalid, "400 Bad request - `updated_at` filter requires `updated_at` sort")
	case finished && p.OrderBy != "finished_at":
		return nil, fault.New(fault.Invalid, "400 Bad request - `finished_at` filter requires `finished_at` sort.")
	case finished && f.Status != enum.Success:
		return nil, fault.New(fault.Invalid, "400 Bad request - `finished_at` filter must be combined with `success` status filter.")
	}
	page := pageOf(p.Page)
	page.OrderBy, page.Descending = p.OrderBy, p.Sort == "desc"
	var rows []*models.Deployment
	var total int64
	err := c.read(func(tx *models.Tx) error {
		if p.Environment != "" {
			e, err := tx.EnvironmentByName(c.project.ID, p.Environment)
			if errors.Is(err, models.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			f.EnvironmentID = e.ID
		}
		var err error
		rows, total, err = tx.Deployments(c.project.ID, f, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	entities, err := s.deployments(c, rows)
	return paged(entities, p.Page, total), err
}

func (s *Server) createDeployment(c *call, p *struct {
	Environment string `param:"environment,required,filled"`
	SHA         string `param:"sha,required,filled"`
	Ref         string `param:"ref,required,filled"`
	Tag         bool   `param:"tag,required"`
	Status      string `param:"status,required" values:"running success failed canceled"`
},
) (any, error) {
	repo := s.ci.Repo(c.project)
	sha, err := repo.Find(c.ctx(), p.SHA)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, fault.Field("sha", "The commit does not exist")
	}
	if err != nil {
		return nil, err
	}
	if _, err := repo.Find(c.ctx(), p.Ref); errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, fault.Field("ref", "The branch or tag does not exist")
	}
	d := &models.Deployment{SHA: sha, Ref: p.Ref, Tag: p.Tag, Status: enum.Status(p.Status)}
	if err := s.ci.TellDeployment(c.ctx(), c.actor, c.project, p.Environment, d); err != nil {
		return nil, err
	}
	return s.renderDeployment(c, d)
}
