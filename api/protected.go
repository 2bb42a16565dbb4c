package api

import (
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type protectedLevel struct {
	ID          int64            `json:"id"`
	Level       enum.AccessLevel `json:"access_level"`
	Description string           `json:"access_level_description"`
	DeployKeyID *int64           `json:"deploy_key_id"`
}

func levelOf(id int64, l enum.AccessLevel) []protectedLevel {
	text := map[enum.AccessLevel]string{enum.NoAccess: "No one", enum.Developer: "Developers + Maintainers", enum.AdminAccess: "Administrators"}[l]
	if text == "" {
		text = l.String() + "s"
	}
	return []protectedLevel{{ID: id, Level: l, Description: text}}
}

type protectedBranch struct {
	ID             int64            `json:"id"`
	Name           string           `json:"name"`
	Push           []protectedLevel `json:"push_access_levels"`
	Merge          []protectedLevel `json:"merge_access_levels"`
	AllowForcePush bool             `json:"allow_force_push"`
}

type protectedTag struct {
	Name   string           `json:"name"`
	Create []protectedLevel `json:"create_access_levels"`
}

func protectedOf(r *models.ProtectedRef) any {
	if r.Kind == "tag" {
		return protectedTag{Name: r.Name, Create: levelOf(r.ID, r.PushLevel)}
	}
	return protectedBranch{ID: r.ID, Name: r.Name, Push: levelOf(r.ID, r.PushLevel), Merge: levelOf(r.ID, r.MergeLevel), AllowForcePush: r.AllowForcePush}
}

func (s *Server) protectedRoutes(r routes) {
	for kind, path := range map[string]string{"branch": "/projects/:id/protected_branches", "tag": "/projects/:id/protected_tags"} {
		r.get(path, project(access.ReadProtectedRefs), with(func(c *call, p *protectedList) (any, error) { return s.listProtected(c, kind, p) }))
		r.get(path+"/:name", project(access.ReadProtectedRefs), func(c *call) (any, error) {
			row, err := s.protectedRef(c, kind)
			if err != nil {
				return nil, err
			}
			return protectedOf(row), nil
		})
		r.delete(path+"/:name", project(access.AdminProject), func(c *call) (any, error) {
			if _, err := s.protectedRef(c, kind); err != nil {
				return nil, err
			}
			return nil, s.ci.Unprotect(c.ctx(), c.actor, c.project.ID, kind, c.Param("name"))
		})
	}
	r.post("/projects/:id/protected_branches", project(access.AdminProject), with(s.protectBranch))
	r.patch("/projects/:id/protected_branches/:name", project(access.AdminProject), with(s.changeProtectedBranch))
	r.post("/projects/:id/protected_tags", project(access.AdminProject), with(s.protectTag))
}

type protectedList struct {
	httpapi.Page
	Search string `param:"search"`
}

func (s *Server) listProtected(c *call, kind string, p *protectedList) (any, error) {
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListProtectedRefs(c.project.ID, kind, p.Search, pageOf(p.Page))
		out = paged(each(rows, protectedOf), p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) protectedRef(c *call, kind string) (row *models.ProtectedRef, err error) {
	err = c.read(func(tx *models.Tx) error {
		row, err = tx.ProtectedRef(c.project.ID, kind, c.Param("name"))
		return err
	})
	if err != nil {
		return nil, missing(err, "")
	}
	return row, nil
}

type protectParams struct {
	Push           *int       `param:"push_access_level" values:"0 30 40 60"`
	Merge          *int       `param:"merge_access_level" values:"0 30 40 60"`
	AllowForcePush *bool      `param:"allow_force_push"`
	PushList       []levelSet `param:"allowed_to_push"`
	MergeList      []levelSet `param:"allowed_to_merge"`
}

// levelSet names a role; single users and groups are not a choice here.
type levelSet struct {
	Level   *int  `param:"access_level" values:"0 30 40 60"`
	UserID  int64 `param:"user_id"`
	GroupID int64 `param:"group_id"`
}

func (p protectParams) apply(r *models.ProtectedRef) error {
	for _, l := range append(append([]levelSet{}, p.PushList...), p.MergeList...) {
		if l.Level == nil {
			return fault.New(fault.Invalid, "400 Bad request - only roles can be allowed here, by access_level")
		}
	}
	pick := func(into *enum.AccessLevel, single *int, list []levelSet) {
		if single != nil {
			*into = enum.AccessLevel(*single)
		}
		for _, l := range list {
			*into = enum.AccessLevel(*l.Level)
		}
	}
	pick(&r.PushLevel, p.Push, p.PushList)
	pick(&r.MergeLevel, p.Merge, p.MergeList)
	keep(&r.AllowForcePush, p.AllowForcePush)
	return nil
}

func (s *Server) protectBranch(c *call, p *struct {
	Name string `param:"name,required"`
	protectParams
},
) (any, error) {
	row := &models.ProtectedRef{ProjectID: c.project.ID, Kind: "branch", Name: p.Name, PushLevel: enum.Maintainer, MergeLevel: enum.Maintainer}
	if err := p.apply(row); err != nil {
		return nil, err
	}
	err := s.ci.Protect(c.ctx(), c.actor, row)
	return protectedOf(row), err
}

func (s *Server) changeProtectedBranch(c *call, p *protectParams) (any, error) {
	row, err := s.protectedRef(c, "branch")
	if err != nil {
		return nil, err
	}
	if row, err = s.ci.ChangeProtected(c.ctx(), c.actor, row.ID, p.apply); err != nil {
		return nil, err
	}
	return protectedOf(row), nil
}

func (s *Server) protectTag(c *call, p *struct {
	Name   string     `param:"name,required"`
	Create *int       `param:"create_access_level" values:"0 30 40"`
	List   []levelSet `param:"allowed_to_create"`
},
) (any, error) {
	row := &models.ProtectedRef{ProjectID: c.project.ID, Kind: "tag", Name: p.Name, PushLevel: enum.Maintainer, MergeLevel: enum.Maintainer}
	if err := (protectParams{Push: p.Create, PushList: p.List}).apply(row); err != nil {
		return nil, err
	}
	err := s.ci.Protect(c.ctx(), c.actor, row)
	return protectedOf(row), err
}
