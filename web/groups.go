package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

type groupRow struct {
	method, path string
	page         func(r *request, c *insideGroup) error
}

// groupTable are the pages of /groups/a/b and of its parts, such as /groups/a/b/-/group_members.
func (s *Server) groupTable() []groupRow {
	return []groupRow{
		{"GET", "", s.groupPage},
		{"GET", "group_members", s.groupMembers},
		{"POST", "group_members", s.changeGroupMember},
	}
}

func (s *Server) groupPages(path, method string) page {
	full, part, _ := strings.Cut(path, "/-/")
	return func(r *request) error {
		g, subject, err := s.ci.FindGroup(r.Context(), r.actor, full, access.ReadGroup)
		var moved *ci.Moved
		if errors.As(err, &moved) && method == http.MethodGet {
			return s.to(r, "/groups/"+moved.Path+strings.TrimPrefix(r.URL.RequestURI(), "/groups/"+full))
		}
		if err != nil {
			return err
		}
		for _, row := range s.groupTable() {
			if row.path == part && row.method == method {
				return row.page(r, &insideGroup{g, subject})
			}
		}
		return notFound(r)
	}
}

// insideGroup is a group's page: the group and the asker's role there.
type insideGroup struct {
	group   *models.Namespace
	subject access.Subject
}

func (c *insideGroup) may(r *request, a access.Ability) bool {
	return access.Allowed(r.actor, a, c.subject)
}

func (s *Server) showGroup(r *request, c *insideGroup, name string, d data) error {
	d["Group"] = c.group
	d["Can"] = map[string]bool{"project": c.may(r, access.CreateProjects), "subgroup": c.may(r, access.CreateSubgroup), "members": c.may(r, access.AdminGroupMembers)}
	s.render(r, http.StatusOK, name, d)
	return nil
}

func (s *Server) groupPage(r *request, c *insideGroup) error {
	p := paging(r)
	p.OrderBy = "last_activity_at"
	d := data{"Title": c.group.Name}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		v := models.VisibleTo{UserID: r.actor.ID(), All: r.actor.Admin()}
		groups, _, err := tx.ListGroups(v, models.GroupFilter{Kind: "group", ParentID: c.group.ID}, models.Page{PerPage: 100, OrderBy: "full_path"})
		if err != nil {
			return err
		}
		rows, _, err := tx.ListProjects(v, models.ProjectFilter{NamespaceIDs: []int64{c.group.ID}}, p)
		if err != nil {
			return err
		}
		latest, err := s.latestShown(tx, r, rows)
		d["Groups"], d["Projects"], d["Latest"], d["Pager"] = groups, rows, latest, pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	return s.showGroup(r, c, "group", d)
}

func (s *Server) groupMembers(r *request, c *insideGroup) error {
	var rows []memberRow
	p := paging(r)
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, err = membersOf(tx, models.Member{NamespaceID: &c.group.ID}, c.group.ID, p)
		return err
	})
	if err != nil {
		return err
	}
	return s.showGroup(r, c, "group_members", data{"Title": "Members", "Members": rows, "Level": c.subject.Level, "Pager": pagerOf(p, len(rows))})
}

// changeGroupMember adds a member, changes a role or takes it away, as the form says.
func (s *Server) changeGroupMember(r *request, c *insideGroup) error {
	if r.actor.User == nil {
		return errSignIn
	}
	if !c.may(r, access.AdminGroupMembers) {
		return fault.New(fault.Forbidden, "Your role in this group does not allow that.")
	}
	back := "/groups/" + c.group.FullPath + "/-/group_members"
	u, err := s.userNamed(r, r.PostFormValue("username"))
	if err != nil {
		return err
	}
	if r.PostFormValue("action") == "remove" {
		if err := s.ci.RemoveMember(r.Context(), r.actor, c.subject, u.ID); err != nil {
			return err
		}
		s.say(r, u.Name+" is no member any more.")
		return s.to(r, back)
	}
	level, _ := strconv.Atoi(r.PostFormValue("access_level"))
	create := r.PostFormValue("action") != "role"
	m := ci.NewMember{UserID: u.ID, Level: enum.AccessLevel(level), KeepExpiry: !create}
	if text := r.PostFormValue("expires_at"); text != "" {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return fault.New(fault.Invalid, "The date is not like 2030-12-31.")
		}
		m.ExpiresAt, m.KeepExpiry = &at, false
	}
	if _, _, err := s.ci.SetMember(r.Context(), r.actor, c.subject, m, create); err != nil {
		return err
	}
	s.say(r, u.Name+" is "+m.Level.String()+" now.")
	return s.to(r, back)
}

// botAt is what the page of a user shows of a bot, that of an access token, which has no place for projects of its own.
func botAt(tx *models.Tx, name string) (*models.Namespace, error) {
	u, err := tx.UserByName(name)
	if err == nil && !u.Bot {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &models.Namespace{Name: u.Name, FullPath: u.Username}, nil
}

// namespacePage is what lies at the address of a user: the projects that the asker may see. The address of a
// group leads to its page.
func (s *Server) namespacePage(r *request, path string) error {
	p := paging(r)
	p.OrderBy = "last_activity_at"
	_, _, err := s.ci.FindGroup(r.Context(), r.actor, path, access.ReadGroup)
	var moved *ci.Moved
	switch {
	case err == nil:
		return s.to(r, "/groups/"+path)
	case errors.As(err, &moved):
		return s.to(r, "/groups/"+moved.Path)
	case fault.KindOf(err) != fault.NotFound:
		return err
	}
	d := data{}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		n, err := tx.NamespaceByPath(path)
		if errors.Is(err, models.ErrNotFound) && r.actor.User != nil {
			if n, err = botAt(tx, path); err == nil {
				d["Title"], d["Owner"], d["Bot"] = n.Name, n, true
				return nil
			}
		}
		if err == nil && n.Kind == "group" { // one that the asker may not see
			err = models.ErrNotFound
		}
		if err != nil {
			return missingPage(err)
		}
		v := models.VisibleTo{UserID: r.actor.ID(), All: r.actor.Admin()}
		rows, _, err := tx.ListProjects(v, models.ProjectFilter{NamespaceIDs: []int64{n.ID}}, p)
		if err != nil {
			return err
		}
		if len(rows) == 0 && r.actor.User == nil {
			return notFound(r) // who is here is not for everybody
		}
		latest, err := s.latestShown(tx, r, rows)
		d["Title"], d["Owner"], d["Projects"], d["Latest"], d["Pager"] = n.Name, n, rows, latest, pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "user", d)
	return nil
}
