package api

import (
	"errors"
	"strconv"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type groupEntity struct {
	ID                   int64           `json:"id"`
	WebURL               string          `json:"web_url"`
	Name                 string          `json:"name"`
	Path                 string          `json:"path"`
	Description          string          `json:"description"`
	Visibility           enum.Visibility `json:"visibility"`
	ShareWithGroupLock   bool            `json:"share_with_group_lock"`
	RequireTwoFactor     bool            `json:"require_two_factor_authentication"`
	TwoFactorGracePeriod int             `json:"two_factor_grace_period"`
	ProjectCreation      string          `json:"project_creation_level"`
	SubgroupCreation     string          `json:"subgroup_creation_level"`
	AutoDevopsEnabled    *bool           `json:"auto_devops_enabled"`
	EmailsDisabled       *bool           `json:"emails_disabled"`
	EmailsEnabled        bool            `json:"emails_enabled"`
	MentionsDisabled     *bool           `json:"mentions_disabled"`
	LFSEnabled           bool            `json:"lfs_enabled"`
	BranchProtection     int             `json:"default_branch_protection"`
	AvatarURL            *string         `json:"avatar_url"`
	RequestAccess        bool            `json:"request_access_enabled"`
	FullName             string          `json:"full_name"`
	FullPath             string          `json:"full_path"`
	CreatedAt            httpapi.Time    `json:"created_at"`
	ParentID             *int64          `json:"parent_id"`
	OrganizationID       int             `json:"organization_id"`
	SharedRunnersSetting string          `json:"shared_runners_setting"`
	Archived             bool            `json:"archived"`
}

type groupDetail struct {
	groupEntity
	SharedWithGroups []any           `json:"shared_with_groups"`
	Projects         []projectEntity `json:"projects,omitempty"`
	SharedProjects   []projectEntity `json:"shared_projects,omitempty"`
}

type namespaceEntity struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Path      string  `json:"path"`
	Kind      string  `json:"kind"`
	FullPath  string  `json:"full_path"`
	ParentID  *int64  `json:"parent_id"`
	AvatarURL *string `json:"avatar_url"`
	WebURL    string  `json:"web_url"`
}

func (s *Server) namespaceOf(n *models.Namespace) namespaceEntity {
	web := "/" + n.FullPath
	if n.Kind == "group" {
		web = "/groups/" + n.FullPath
	}
	return namespaceEntity{ID: n.ID, Name: n.Name, Path: n.Path, Kind: n.Kind, FullPath: n.FullPath, ParentID: n.ParentID, WebURL: s.ci.URL() + web}
}

// groups renders groups with the names of those above them, read in one query.
func (s *Server) groups(tx *models.Tx, rows []*models.Namespace) ([]groupEntity, error) {
	var ids []int64
	for _, g := range rows {
		ids = append(ids, g.Ancestry()...)
	}
	above, err := tx.NamespacesByID(ids)
	return each(rows, func(g *models.Namespace) groupEntity {
		name := ""
		for _, id := range g.Ancestry() {
			if n := above[id]; n != nil && id != g.ID {
				name += n.Name + " / "
			}
		}
		return groupEntity{
			ID: g.ID, WebURL: s.ci.URL() + "/groups/" + g.FullPath, Name: g.Name, Path: g.Path, Description: g.Description, Visibility: g.Visibility,
			TwoFactorGracePeriod: 48, ProjectCreation: "developer", SubgroupCreation: "maintainer", EmailsEnabled: true, BranchProtection: 2,
			FullName: name + g.Name, FullPath: g.FullPath, CreatedAt: httpapi.Time(g.CreatedAt), ParentID: g.ParentID, OrganizationID: 1,
			SharedRunnersSetting: "enabled",
		}
	}), err
}

func (s *Server) groupRoutes(r routes) {
	r.get("/groups", anybody(access.ReadPublic), with(func(c *call, p *groupList) (any, error) { return s.listGroups(c, p, p.filter()) }))
	r.post("/groups", user(access.CreateNamespace), with(s.createGroup))
	r.get("/groups/:id", group(access.ReadGroup), with(s.getGroup))
	r.put("/groups/:id", group(access.AdminGroup), with(s.updateGroup))
	r.delete("/groups/:id", group(access.AdminGroup), func(c *call) (any, error) {
		return accepted, s.ci.DeleteGroup(c.ctx(), c.actor, c.group)
	})
	r.get("/groups/:id/subgroups", group(access.ReadGroup), with(func(c *call, p *groupList) (any, error) {
		f := p.filter()
		f.ParentID = c.group.ID
		return s.listGroups(c, p, f)
	}))
	r.get("/groups/:id/descendant_groups", group(access.ReadGroup), with(func(c *call, p *groupList) (any, error) {
		f := p.filter()
		f.Below = c.group
		return s.listGroups(c, p, f)
	}))
	r.get("/namespaces", user(access.ReadOwn), with(s.listNamespaces))
	r.get("/namespaces/:id", user(access.ReadOwn), s.getNamespace)
}

type groupList struct {
	httpapi.Page
	Search     string  `param:"search"`
	TopLevel   bool    `param:"top_level_only"`
	Owned      bool    `param:"owned"`
	All        *bool   `param:"all_available"`
	Statistics bool    `param:"statistics"`
	Skip       []int64 `param:"skip_groups"`
	Visibility string  `param:"visibility" values:"private internal public"`
	MinLevel   *int    `param:"min_access_level" values:"5 10 15 20 30 40 50"`
	OrderBy    string  `param:"order_by" values:"name path id similarity"`
	Sort       string  `param:"sort" values:"asc desc"`
}

func (p *groupList) filter() models.GroupFilter {
	f := models.GroupFilter{
		Kind: "group", Search: p.Search, TopLevel: p.TopLevel, Owned: p.Owned, Skip: p.Skip, Visibility: enum.Visibility(p.Visibility),
	}
	if p.MinLevel != nil {
		f.MinLevel = enum.AccessLevel(*p.MinLevel)
	}
	if p.All != nil && !*p.All && f.MinLevel == 0 {
		f.MinLevel = enum.MinimalAccess
	}
	return f
}

func (p *groupList) page() models.Page {
	out := pageOf(p.Page)
	out.Descending = p.Sort == "desc"
	if out.OrderBy = p.OrderBy; out.OrderBy == "" || out.OrderBy == "similarity" {
		out.OrderBy = "name"
	}
	return out
}

func (c *call) visible() models.VisibleTo {
	return models.VisibleTo{UserID: c.actor.ID(), All: c.actor.Admin()}
}

func (s *Server) listGroups(c *call, p *groupList, f models.GroupFilter) (any, error) {
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListGroups(c.visible(), f, p.page())
		if err != nil {
			return err
		}
		entities, err := s.groups(tx, rows)
		out = paged(entities, p.Page, total)
		return err
	})
	return out, err
}

type groupParams struct {
	Name        *string `param:"name"`
	Path        *string `param:"path"`
	Description *string `param:"description"`
	Visibility  *string `param:"visibility" values:"private internal public"`
}

type newGroup struct {
	Name        string `param:"name,required"`
	Path        string `param:"path,required"`
	Description string `param:"description"`
	ParentID    int64  `param:"parent_id"`
	Visibility  string `param:"visibility" values:"private internal public"`
}

func (s *Server) createGroup(c *call, p *newGroup) (any, error) {
	g, err := s.ci.CreateGroup(c.ctx(), c.actor, ci.NewGroup{
		Name: p.Name, Path: p.Path, Description: p.Description, ParentID: p.ParentID, Visibility: enum.Visibility(p.Visibility),
	})
	if err != nil {
		return nil, err
	}
	return s.renderGroup(c, g, false)
}

func (s *Server) getGroup(c *call, p *struct {
	Projects *bool `param:"with_projects"`
},
) (any, error) {
	return s.renderGroup(c, c.group, p.Projects == nil || *p.Projects)
}

func (s *Server) renderGroup(c *call, g *models.Namespace, projects bool) (any, error) {
	d := groupDetail{SharedWithGroups: []any{}}
	var rows []*models.Project
	err := c.read(func(tx *models.Tx) error {
		entities, err := s.groups(tx, []*models.Namespace{g})
		if err != nil {
			return err
		}
		d.groupEntity = entities[0]
		if projects {
			rows, _, err = tx.ListProjects(c.visible(), models.ProjectFilter{NamespaceIDs: []int64{g.ID}}, models.Page{PerPage: 100, Descending: true})
		}
		return err
	})
	if err != nil || !projects {
		return d, err
	}
	d.Projects, err = s.projects(c, rows)
	return d, err
}

func (s *Server) updateGroup(c *call, p *groupParams) (any, error) {
	g, err := s.ci.UpdateGroup(c.ctx(), c.actor, c.group.ID, func(g *models.Namespace) {
		keep(&g.Name, p.Name)
		keep(&g.Path, p.Path)
		keep(&g.Description, p.Description)
		if p.Visibility != nil {
			g.Visibility = enum.Visibility(*p.Visibility)
		}
	})
	if err != nil {
		return nil, err
	}
	return s.renderGroup(c, g, false)
}

func (s *Server) listNamespaces(c *call, p *struct {
	httpapi.Page
	Search string `param:"search"`
},
) (any, error) {
	var out listing
	err := c.read(func(tx *models.Tx) error {
		f := models.GroupFilter{Search: p.Search, MinLevel: enum.MinimalAccess}
		if c.actor.Admin() {
			f.MinLevel = 0
		}
		rows, total, err := tx.ListGroups(c.visible(), f, pageOf(p.Page))
		out = paged(each(rows, s.namespaceOf), p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) getNamespace(c *call) (any, error) {
	var n *models.Namespace
	err := c.read(func(tx *models.Tx) (err error) {
		if id, numberErr := strconv.ParseInt(c.Param("id"), 10, 64); numberErr == nil {
			n, err = tx.Namespace(id)
		} else {
			n, err = tx.NamespaceByPath(c.Param("id"))
		}
		if err != nil || c.actor.Admin() || n.OwnerID != nil && *n.OwnerID == c.actor.ID() {
			return err
		}
		subject, err := access.GroupSubject(tx, c.actor, n)
		if err == nil && (n.Kind != "group" || !access.Allowed(c.actor, access.ReadGroup, subject)) {
			err = models.ErrNotFound
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "404 Namespace Not Found")
	}
	if err != nil {
		return nil, err
	}
	return s.namespaceOf(n), nil
}
