package api

import (
	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type grantEntity struct {
	ID          int64             `json:"id"`
	AccessLevel *enum.AccessLevel `json:"access_level"`
	Description string            `json:"access_level_description"`
	UserID      *int64            `json:"user_id"`
	GroupID     *int64            `json:"group_id"`
}

func grantOf(g models.Grant) grantEntity {
	e := grantEntity{ID: g.ID}
	switch {
	case g.UserID != 0:
		e.UserID, e.Description = &g.UserID, "a user"
	case g.GroupID != 0:
		e.GroupID, e.Description = &g.GroupID, "a group"
	default:
		e.AccessLevel, e.Description = &g.AccessLevel, g.AccessLevel.String()+"s"
	}
	return e
}

func protectionOf(g *models.ProtectedEnvironment) gin.H {
	return gin.H{
		"name": g.Name, "deploy_access_levels": each(g.Deployers, grantOf), "required_approval_count": g.RequiredApprovals,
		"approval_rules": each(g.Approvers, func(one models.Grant) gin.H {
			e := grantOf(one)
			return gin.H{"id": e.ID, "access_level": e.AccessLevel, "access_level_description": e.Description, "user_id": e.UserID, "group_id": e.GroupID, "required_approvals": g.RequiredApprovals}
		}),
	}
}

// inProtection finds the protection of the environment :name in its project.
func inProtection() place {
	return project(access.AdminProject).within(func(c *call) error {
		err := c.read(func(tx *models.Tx) (err error) {
			c.protection, err = tx.ProtectedEnvironment(c.project.ID, c.Param("name"))
			return err
		})
		return missing(err, "")
	})
}

type grantParam struct {
	AccessLevel int   `param:"access_level" values:"0 30 40 60"`
	UserID      int64 `param:"user_id"`
	GroupID     int64 `param:"group_id"`
}

func grants(list []grantParam) []models.Grant {
	return each(list, func(p grantParam) models.Grant {
		return models.Grant{AccessLevel: enum.AccessLevel(p.AccessLevel), UserID: p.UserID, GroupID: p.GroupID}
	})
}

type protectionParams struct {
	Deployers *[]grantParam `param:"deploy_access_levels"`
	Approvers *[]grantParam `param:"approval_rules"`
	Approvals *int          `param:"required_approval_count"`
}

func (p *protectionParams) apply(g *models.ProtectedEnvironment) {
	if p.Deployers != nil {
		g.Deployers = grants(*p.Deployers)
	}
	if p.Approvers != nil {
		g.Approvers = grants(*p.Approvers)
		g.RequiredApprovals = max(g.RequiredApprovals, min(1, len(g.Approvers)))
	}
	keep(&g.RequiredApprovals, p.Approvals)
}

func (s *Server) protectionRoutes(r routes) {
	base, one := "/projects/:id/protected_environments", "/projects/:id/protected_environments/:name"
	r.get(base, project(access.AdminProject), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var out listing
		err := c.read(func(tx *models.Tx) error {
			rows, total, err := tx.ProtectedEnvironments(c.project.ID, pageOf(p.Page))
			out = paged(each(rows, protectionOf), p.Page, total)
			return err
		})
		return out, err
	}))
	r.post(base, project(access.AdminProject), with(func(c *call, p *struct {
		Name string `param:"name,required,filled"`
		protectionParams
	},
	) (any, error) {
		g := &models.ProtectedEnvironment{ProjectID: c.project.ID, Name: p.Name}
		p.apply(g)
		err := s.ci.ProtectEnvironment(c.ctx(), c.actor, g)
		return protectionOf(g), err
	}))
	r.get(one, inProtection(), func(c *call) (any, error) { return protectionOf(c.protection), nil })
	r.put(one, inProtection(), with(func(c *call, p *protectionParams) (any, error) {
		g, err := s.ci.ChangeProtection(c.ctx(), c.actor, c.protection.ID, p.apply)
		if err != nil {
			return nil, err
		}
		return protectionOf(g), nil
	}))
	r.delete(one, inProtection(), func(c *call) (any, error) {
		return nil, s.ci.RemoveProtection(c.ctx(), c.actor, c.protection)
	})
	r.post("/projects/:id/deployments/:deployment_id/approval", inDeployment(access.UpdateEnvironments), with(func(c *call, p *struct {
		Status  string `param:"status,required" values:"approved rejected"`
		Comment string `param:"comment"`
	},
	) (any, error) {
		a, err := s.ci.ApproveDeployment(c.ctx(), c.actor, c.deployment.ID, p.Status == "approved", p.Comment)
		if err != nil {
			return nil, err
		}
		return gin.H{"user": s.basic(c.actor.User), "status": a.Status, "created_at": httpapi.Time(a.CreatedAt), "comment": a.Comment}, nil
	}))
}
