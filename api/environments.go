package api

import (
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// environmentBasic is GitLab's EnvironmentBasic.
type environmentBasic struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	Slug        string       `json:"slug"`
	ExternalURL *string      `json:"external_url"`
	CreatedAt   httpapi.Time `json:"created_at"`
	UpdatedAt   httpapi.Time `json:"updated_at"`
}

type environmentEntity struct {
	environmentBasic
	Tier            string        `json:"tier"`
	Project         any           `json:"project,omitempty"`
	LastDeployment  *any          `json:"last_deployment,omitempty"` // null if it has none
	State           string        `json:"state"`
	AutoStopAt      *httpapi.Time `json:"auto_stop_at"`
	Description     *string       `json:"description"`
	AutoStopSetting string        `json:"auto_stop_setting"`
}

func environmentBasicOf(e *models.Environment) environmentBasic {
	return environmentBasic{e.ID, e.Name, e.Slug, given(e.ExternalURL), httpapi.Time(e.CreatedAt), httpapi.Time(e.UpdatedAt)}
}

func environmentOf(e *models.Environment) environmentEntity {
	return environmentEntity{
		environmentBasic: environmentBasicOf(e), Tier: e.Tier, State: e.State, AutoStopAt: httpapi.TimeOf(e.AutoStopAt),
		Description: given(e.Description), AutoStopSetting: e.AutoStopSetting,
	}
}

// inEnvironment finds the environment of :environment_id in its project.
func inEnvironment(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("environment_id", "")
		if err != nil {
			return missing(models.ErrNotFound, "")
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.environment, err = tx.Environment(n)
			return err
		})
		if err == nil && c.environment.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "")
	})
}

func (s *Server) environmentRoutes(r routes) {
	base, one := "/projects/:id/environments", "/projects/:id/environments/:environment_id"
	r.get(base, project(access.ReadEnvironments), with(s.listEnvironments))
	r.post(base, project(access.UpdateEnvironments), with(s.createEnvironment))
	r.post(base+"/stop_stale", project(access.UpdateEnvironments), with(s.stopStale))
	r.delete(base+"/review_apps", project(access.ReadEnvironments), with(s.deleteReviewApps))
	r.get(one, inEnvironment(access.ReadEnvironments), s.environment)
	r.put(one, inEnvironment(access.UpdateEnvironments), with(s.updateEnvironment))
	r.delete(one, inEnvironment(access.UpdateEnvironments), func(c *call) (any, error) {
		return nil, s.ci.DeleteEnvironment(c.ctx(), c.actor, c.environment.ID)
	})
	r.post(one+"/stop", inEnvironment(access.UpdateEnvironments), with(func(c *call, p *struct {
		Force bool `param:"force"`
	},
	) (any, error) {
		e, err := s.ci.StopEnvironment(c.ctx(), c.actor, c.environment.ID, p.Force)
		if err != nil {
			return nil, err
		}
		out, err := s.renderEnvironment(c, e)
		return reply{200, out}, err
	}))
}

// environmentsIn renders environments with their project, as all answers but that for one environment do.
func (s *Server) environmentsIn(c *call, rows []*models.Environment) ([]environmentEntity, error) {
	projects, err := s.simpleProjects(c, []*models.Project{c.project})
	return each(rows, func(e *models.Environment) environmentEntity {
		out := environmentOf(e)
		out.Project = projects[0]
		return out
	}), err
}

// renderEnvironment is the answer to what changed one.
func (s *Server) renderEnvironment(c *call, e *models.Environment) (any, error) {
	rows, err := s.environmentsIn(c, []*models.Environment{e})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

func (s *Server) listEnvironments(c *call, p *struct {
	httpapi.Page
	Name   string `param:"name"`
	Search string `param:"search"`
	States string `param:"states" values:"available stopping stopped"`
},
) (any, error) {
	switch {
	case p.Name != "" && p.Search != "":
		return nil, &httpapi.ParamError{Text: "name, search cannot be used together"}
	case p.Search != "" && len([]rune(p.Search)) < 3:
		return nil, fault.New(fault.Invalid, "400 Bad request - Search query is less than 3 characters")
	}
	var rows []*models.Environment
	var total int64
	err := c.read(func(tx *models.Tx) (err error) {
		rows, total, err = tx.Environments(c.project.ID, models.EnvironmentFilter{Name: p.Name, Search: p.Search, State: p.States}, pageOf(p.Page))
		return err
	})
	if err != nil {
		return nil, err
	}
	entities, err := s.environmentsIn(c, rows)
	return paged(entities, p.Page, total), err
}

func (s *Server) environment(c *call) (any, error) {
	out := environmentOf(c.environment)
	var last *models.Deployment
	err := c.read(func(tx *models.Tx) (err error) {
		last, err = tx.LastDeployment(c.environment.ID)
		return err
	})
	var deployment any
	if err == nil {
		rows, err := s.deployments(c, []*models.Deployment{last})
		if err != nil {
			return nil, err
		}
		deployment = rows[0].deploymentOfEnvironment
	} else if missing(err, "") == err {
		return nil, err
	}
	out.LastDeployment = &deployment
	return out, nil
}

type environmentParams struct {
	ExternalURL *string `param:"external_url"`
	Tier        *string `param:"tier" values:"production staging testing development other"`
	Description *string `param:"description"`
	AutoStop    *string `param:"auto_stop_setting" values:"always with_action"`
	Slug        *string `param:"slug"`
}

func (p *environmentParams) Check() error {
	if p.Slug != nil {
		return &httpapi.ParamError{Text: "slug is automatically generated and cannot be changed"}
	}
	return nil
}

func (p *environmentParams) apply(e *models.Environment) {
	keep(&e.ExternalURL, p.ExternalURL)
	keep(&e.Tier, p.Tier)
	keep(&e.Description, p.Description)
	keep(&e.AutoStopSetting, p.AutoStop)
}

func (s *Server) createEnvironment(c *call, p *struct {
	Name string `param:"name,required"`
	environmentParams
},
) (any, error) {
	e := &models.Environment{Name: p.Name}
	p.apply(e)
	if err := s.ci.CreateEnvironment(c.ctx(), c.project, e); err != nil {
		return nil, err
	}
	return s.renderEnvironment(c, e)
}

func (s *Server) updateEnvironment(c *call, p *environmentParams) (any, error) {
	e, err := s.ci.UpdateEnvironment(c.ctx(), c.actor, c.environment.ID, p.apply)
	if err != nil {
		return nil, err
	}
	return s.renderEnvironment(c, e)
}
