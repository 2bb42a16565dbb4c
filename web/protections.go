package web

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// grantRole is a role that may be let deploy or approve, with all above it.
type grantRole struct {
	Value string
	Text  string
}

var grantRoles = []grantRole{{"0", "Nobody by role"}, {"30", "Developers and above"}, {"40", "Maintainers and above"}, {"60", "Administrators"}}

// roleText is a role, by its number, with all above it.
func roleText(number string) string {
	level, _ := strconv.Atoi(number)
	if enum.AccessLevel(level) == enum.AdminAccess {
		return "Administrators"
	}
	return enum.AccessLevel(level).String() + "s and above"
}

// grantText is whom grants name, as a form has it.
type grantText struct {
	Role, Users, Groups string
	Kept                int // groups that the asker does not see
}

// Words is whom grants name in a sentence.
func (g grantText) Words() string {
	var out []string
	if g.Role != "" && g.Role != "0" {
		out = append(out, roleText(g.Role))
	}
	if g.Users != "" {
		out = append(out, g.Users)
	}
	if g.Groups != "" {
		out = append(out, "members of "+g.Groups)
	}
	switch {
	case g.Kept == 1:
		out = append(out, "members of 1 other group")
	case g.Kept > 1:
		out = append(out, fmt.Sprintf("members of %d other groups", g.Kept))
	}
	return strings.Join(out, ", ")
}

// groupSeen finds a group that grants name; nil if it is gone. Seen says whether the asker may know of it.
func groupSeen(tx *models.Tx, a access.Actor, id int64) (g *models.Namespace, seen bool, err error) {
	if g, err = tx.Namespace(id); errors.Is(err, models.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	subject, err := access.GroupSubject(tx, a, g)
	return g, err == nil && access.Allowed(a, access.ReadGroup, subject), err
}

// grantsText puts grants into words. Of several roles the lowest counts; whoever is gone is left out.
func grantsText(tx *models.Tx, a access.Actor, grants []models.Grant) (out grantText, err error) {
	role, ids := enum.NoAccess, []int64{}
	var groups, users []string
	for _, g := range grants {
		switch {
		case g.UserID != 0:
			ids = append(ids, g.UserID)
		case g.GroupID != 0:
			group, seen, err := groupSeen(tx, a, g.GroupID)
			if err != nil {
				return out, err
			}
			if seen {
				groups = append(groups, group.FullPath)
			} else if group != nil {
				out.Kept++
			}
		case g.AccessLevel != enum.NoAccess && (role == enum.NoAccess || g.AccessLevel < role):
			role = g.AccessLevel
		}
	}
	people, err := tx.Users(ids)
	for _, id := range ids {
		if u := people[id]; u != nil {
			users = append(users, u.Username)
		}
	}
	out.Role, out.Users, out.Groups = strconv.Itoa(int(role)), strings.Join(users, ", "), strings.Join(groups, ", ")
	return out, err
}

func namesIn(text string) []string {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	slices.Sort(names)
	return slices.Compact(names)
}

// readGrants reads whom a form names. Groups of before that the asker does not see stay.
func (s *Server) readGrants(r *request, kind string, before []models.Grant) (out []models.Grant, err error) {
	role := r.PostFormValue(kind + "_role")
	if !slices.ContainsFunc(grantRoles, func(one grantRole) bool { return one.Value == role }) {
		return nil, fault.New(fault.Invalid, "Choose a role.")
	}
	if level, _ := strconv.Atoi(role); level > 0 {
		out = append(out, models.Grant{AccessLevel: enum.AccessLevel(level)})
	}
	named, err := s.readNamed(r, kind, before)
	return append(out, named...), err
}

// readNamed reads the users and groups that a form names.
func (s *Server) readNamed(r *request, kind string, before []models.Grant) (out []models.Grant, err error) {
	for _, name := range namesIn(r.PostFormValue(kind + "_users")) {
		u, err := s.userNamed(r, name)
		if err != nil {
			return nil, err
		}
		out = append(out, models.Grant{UserID: u.ID})
	}
	for _, path := range namesIn(r.PostFormValue(kind + "_groups")) {
		g, _, err := s.ci.FindGroup(r.Context(), r.actor, path, access.ReadGroup)
		var moved *ci.Moved
		if fault.KindOf(err) == fault.NotFound || errors.As(err, &moved) {
			return nil, fault.New(fault.Invalid, "There is no group %q.", path)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, models.Grant{GroupID: g.ID})
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		for _, g := range before {
			if g.GroupID == 0 {
				continue
			}
			group, seen, err := groupSeen(tx, r.actor, g.GroupID)
			if err != nil {
				return err
			}
			if group != nil && !seen {
				out = append(out, models.Grant{GroupID: g.GroupID})
			}
		}
		return nil
	})
	return out, err
}

// protectionRow is a protected environment as its list and its form show it.
type protectionRow struct {
	*models.ProtectedEnvironment
	Deploy, Approve grantText
}

func protectionsAt(c *inside) string { return "/" + c.project.FullPath + "/-/protected_environments" }

func (s *Server) protectionsPage(r *request, c *inside) error {
	p := paging(r)
	p.Descending = false
	form := protectionRow{ProtectedEnvironment: &models.ProtectedEnvironment{}, Deploy: grantText{Role: "40"}, Approve: grantText{Role: "0"}}
	d := data{"Title": "Protected environments", "Roles": grantRoles, "At": protectionsAt(c)}
	edit := r.URL.Query().Get("edit")
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, _, err := tx.ProtectedEnvironments(c.project.ID, p)
		if err != nil {
			return err
		}
		rows := make([]protectionRow, len(found))
		for i, g := range found {
			rows[i].ProtectedEnvironment = g
			if rows[i].Deploy, err = grantsText(tx, r.actor, g.Deployers); err != nil {
				return err
			}
			if rows[i].Approve, err = grantsText(tx, r.actor, g.Approvers); err != nil {
				return err
			}
			if edit == fmt.Sprint(g.ID) {
				form = rows[i]
			}
		}
		d["Rows"], d["Pager"], d["Form"] = rows, pagerOf(p, len(rows)), form
		d["Known"], _, err = tx.Environments(c.project.ID, models.EnvironmentFilter{}, models.Page{PerPage: 100, Uncounted: true})
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "protections", d)
}

// protectionFound finds the protection of the address; an empty one for a new one.
func (s *Server) protectionFound(r *request, c *inside) (g *models.ProtectedEnvironment, err error) {
	if len(c.args) == 0 {
		return &models.ProtectedEnvironment{ProjectID: c.project.ID, Name: strings.TrimSpace(r.PostFormValue("name"))}, nil
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if g, err = tx.ProtectedEnvironmentByID(c.number(0)); err == nil && g.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return g, err
}

func (s *Server) saveProtection(r *request, c *inside) error {
	g, err := s.protectionFound(r, c)
	if err != nil {
		return err
	}
	if g.Name == "" {
		return fault.New(fault.Invalid, "Name the environment.")
	}
	if g.RequiredApprovals, err = strconv.Atoi(r.PostFormValue("approvals")); err != nil || g.RequiredApprovals < 0 || g.RequiredApprovals > 5 {
		return fault.New(fault.Invalid, "The number of approvals is from 0 to 5.")
	}
	if g.Deployers, err = s.readGrants(r, "deploy", g.Deployers); err != nil {
		return err
	}
	if len(g.Deployers) == 0 {
		g.Deployers = []models.Grant{{AccessLevel: enum.NoAccess}}
	}
	if g.Approvers, err = s.readGrants(r, "approve", g.Approvers); err != nil {
		return err
	}
	if g.ID == 0 {
		err = s.ci.ProtectEnvironment(r.Context(), r.actor, g)
	} else {
		_, err = s.ci.ChangeProtection(r.Context(), r.actor, g.ID, func(row *models.ProtectedEnvironment) {
			row.RequiredApprovals, row.Deployers, row.Approvers = g.RequiredApprovals, g.Deployers, g.Approvers
		})
	}
	if err != nil {
		return err
	}
	s.say(r, g.Name+" is protected.")
	return s.to(r, protectionsAt(c))
}

func (s *Server) removeProtection(r *request, c *inside) error {
	g, err := s.protectionFound(r, c)
	if err != nil {
		return err
	}
	if err := s.ci.RemoveProtection(r.Context(), r.actor, g); err != nil {
		return err
	}
	s.say(r, g.Name+" is not protected any more.")
	return s.to(r, protectionsAt(c))
}
