package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// jobTokenRoutes say whose jobs may reach a project with their tokens (facts: rest-api 2.15).
func (s *Server) jobTokenRoutes(r routes) {
	base := "/projects/:id/job_token_scope"
	r.get(base, project(access.AdminProject), func(c *call) (any, error) {
		return gin.H{"inbound_enabled": !c.project.Settings.OpenToJobTokens, "outbound_enabled": false}, nil
	})
	r.patch(base, project(access.AdminProject), with(func(c *call, p *struct {
		Enabled bool `param:"enabled,required"`
	},
	) (any, error) {
		_, err := s.ci.UpdateProject(c.ctx(), c.actor, c.project.ID, func(row *models.Project) error {
			row.Settings.OpenToJobTokens = !p.Enabled
			return nil
		})
		return reply{http.StatusNoContent, nil}, err
	}))
	r.get(base+"/allowlist", project(access.AdminProject), with(s.jobTokenProjects))
	r.post(base+"/allowlist", project(access.AdminProject), with(func(c *call, p *struct {
		ID int64 `param:"target_project_id,required"`
	},
	) (any, error) {
		return gin.H{"source_project_id": c.project.ID, "target_project_id": p.ID}, s.ci.AllowJobTokens(c.ctx(), c.actor, c.project, "project", p.ID)
	}))
	r.delete(base+"/allowlist/:source_id", project(access.AdminProject), s.denyJobTokens("project"))
	r.get(base+"/groups_allowlist", project(access.AdminProject), with(s.jobTokenGroups))
	r.post(base+"/groups_allowlist", project(access.AdminProject), with(func(c *call, p *struct {
		ID int64 `param:"target_group_id,required"`
	},
	) (any, error) {
		return gin.H{"source_project_id": c.project.ID, "target_group_id": p.ID}, s.ci.AllowJobTokens(c.ctx(), c.actor, c.project, "group", p.ID)
	}))
	r.delete(base+"/groups_allowlist/:source_id", project(access.AdminProject), s.denyJobTokens("group"))
}

func (s *Server) denyJobTokens(kind string) endpoint {
	return func(c *call) (any, error) {
		id, err := c.id("source_id", "Project")
		if err != nil {
			return nil, err
		}
		found := false
		err = s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error {
			found, err = tx.DenyJobTokens(c.project.ID, kind, id)
			return err
		})
		if err == nil && !found {
			err = fault.New(fault.NotFound, "404 Not found")
		}
		return nil, err
	}
}

// jobTokenProjects lists the projects that are let in, the project itself first, as on GitLab.
func (s *Server) jobTokenProjects(c *call, p *struct{ httpapi.Page }) (any, error) {
	rows := []*models.Project{c.project}
	err := s.jobTokenSources(c, "project", func(id string) error {
		row, _, err := s.ci.FindProject(c.ctx(), c.actor, id, access.ReadProject)
		if err == nil {
			rows = append(rows, row)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := sliced(rows, p.Page)
	out.rows, err = s.simpleProjects(c, out.rows.([]*models.Project))
	return out, err
}

func (s *Server) jobTokenGroups(c *call, p *struct{ httpapi.Page }) (any, error) {
	list := []gin.H{}
	err := s.jobTokenSources(c, "group", func(id string) error {
		g, _, err := s.ci.FindGroup(c.ctx(), c.actor, id, access.ReadGroup)
		if err == nil {
			list = append(list, gin.H{"id": g.ID, "web_url": s.ci.URL() + "/groups/" + g.FullPath, "name": g.Name})
		}
		return err
	})
	return sliced(list, p.Page), err
}

// jobTokenSources calls f with each source that is let in. Those that were deleted since, and those that the caller must not
// see, are passed over.
func (s *Server) jobTokenSources(c *call, kind string, f func(id string) error) error {
	var ids []int64
	err := c.read(func(tx *models.Tx) (err error) {
		ids, err = tx.JobTokenSources(c.project.ID, kind)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := f(strconv.FormatInt(id, 10))
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.Forbidden {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
