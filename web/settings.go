package web

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

type memberRow struct {
	*models.Member
	Who    *models.User
	Direct bool
}

// membersOf lists the people of a project or group, those of the groups above it too.
func membersOf(tx *models.Tx, place models.Member, namespaceID int64, p models.Page) (rows []memberRow, err error) {
	members, _, err := tx.ListAllMembers(place, namespaceID, models.MemberFilter{}, p)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, m := range members {
		ids = append(ids, m.UserID)
	}
	users, err := tx.Users(ids)
	for _, m := range members {
		direct := m.ProjectID != nil && place.ProjectID != nil || m.NamespaceID != nil && place.NamespaceID != nil && *m.NamespaceID == *place.NamespaceID
		if u := users[m.UserID]; u != nil && !u.Bot {
			rows = append(rows, memberRow{m, u, direct && m.ID != 0})
		}
	}
	return rows, err
}

// userNamed finds whom a form names.
func (s *Server) userNamed(r *request, name string) (u *models.User, err error) {
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		u, err = tx.UserByName(strings.TrimSpace(name))
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, fault.New(fault.Invalid, "There is no user %q.", name)
	}
	return u, err
}

func (s *Server) membersPage(r *request, c *inside) error {
	place, p := models.Member{ProjectID: &c.project.ID}, paging(r)
	var rows []memberRow
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, err = membersOf(tx, place, c.project.NamespaceID, p)
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "members", data{"Title": "Members", "Members": rows, "Level": c.subject.Level, "Pager": pagerOf(p, len(rows))})
}

func (s *Server) addMember(r *request, c *inside) error {
	u, err := s.userNamed(r, r.PostFormValue("username"))
	if err != nil {
		return err
	}
	return s.setMember(r, c, u.ID, true)
}

func (s *Server) setMember(r *request, c *inside, userID int64, create bool) error {
	level, _ := strconv.Atoi(r.PostFormValue("access_level"))
	m := ci.NewMember{UserID: userID, Level: enum.AccessLevel(level), KeepExpiry: !create}
	until, err := dateOf(r, "expires_at")
	if err != nil {
		return err
	}
	if until != nil {
		m.ExpiresAt, m.KeepExpiry = until, false
	}
	_, u, err := s.ci.SetMember(r.Context(), r.actor, c.subject, m, create)
	if err != nil {
		return err
	}
	s.say(r, u.Name+" is "+m.Level.String()+" now.")
	return s.to(r, "/"+c.project.FullPath+"/-/project_members")
}

func (s *Server) memberAction(r *request, c *inside) error {
	switch c.args[1] {
	case "role":
		return s.setMember(r, c, c.number(0), false)
	case "remove":
		if err := s.ci.RemoveMember(r.Context(), r.actor, c.subject, c.number(0)); err != nil {
			return err
		}
		s.say(r, "The member was removed.")
		return s.to(r, "/"+c.project.FullPath+"/-/project_members")
	}
	return notFound(r)
}

func (s *Server) variablesPage(r *request, c *inside) error {
	var rows []*models.Variable
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, _, err = tx.ListVariables("project", c.project.ID, models.Page{PerPage: 100, OrderBy: "key"})
		return err
	})
	if err != nil {
		return err
	}
	d := data{"Title": "Variables", "Variables": rows}
	if reveal := r.URL.Query().Get("edit"); reveal != "" {
		for _, v := range rows {
			if fmt.Sprint(v.ID) == reveal {
				d["Edit"] = v
				if !v.Hidden {
					if d["Value"], err = s.ci.VariableValue(v); err != nil {
						return err
					}
				}
			}
		}
	}
	return s.show(r, c, "variables", d)
}

func (s *Server) variableForm(r *request) ci.VariableInput {
	on := func(name string) *bool {
		v := r.PostFormValue(name) != ""
		return &v
	}
	text := func(name string) *string {
		v := r.PostFormValue(name)
		return &v
	}
	in := ci.VariableInput{
		Key: r.PostFormValue("key"), Value: text("value"), Type: text("variable_type"), Protected: on("protected"), EnvironmentScope: text("environment_scope"),
		Description: text("description"), Raw: on("raw"), Masked: on("masked"),
	}
	switch r.PostFormValue("visibility") {
	case "masked":
		masked := true
		in.Masked = &masked
	case "hidden":
		hidden := true
		in.Masked, in.Hidden = &hidden, &hidden
	}
	return in
}

// explainValue says what a masked value must be like; the API has GitLab's words for it.
func explainValue(err error) error {
	var fields fault.Fields
	if errors.As(err, &fields) && slices.Contains(fields["value"], "is invalid") {
		return fault.New(fault.Invalid, "A masked value has at least 8 characters on one line: letters, digits and _ + = / @ : . ~ -; with “$ literally” any but spaces.")
	}
	return err
}

func (s *Server) addVariable(r *request, c *inside) error {
	v, err := s.ci.CreateVariable(r.Context(), r.actor, "project", c.project.ID, s.variableForm(r))
	if err != nil {
		return explainValue(err)
	}
	s.say(r, v.Key+" was added.")
	return s.to(r, "/"+c.project.FullPath+"/-/settings/ci_cd")
}

func (s *Server) variableAction(r *request, c *inside) error {
	var v *models.Variable
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		v, err = tx.Variable(c.number(0))
		if err == nil && (v.Scope != "project" || v.ScopeID != c.project.ID) {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "update":
		in := s.variableForm(r)
		in.Key = v.Key
		if v.Hidden {
			in.Masked, in.Hidden = nil, nil
			if *in.Value == "" {
				in.Value = nil // it was never shown; leaving it empty keeps it
			}
		}
		err = s.ci.UpdateVariable(r.Context(), r.actor, v, in)
		s.say(r, v.Key+" was changed.")
	case "remove":
		err = s.ci.DeleteVariable(r.Context(), r.actor, v)
		s.say(r, v.Key+" was removed.")
	default:
		return notFound(r)
	}
	if err != nil {
		s.sessions.Remove(r.Context(), "said")
		return explainValue(err)
	}
	return s.to(r, "/"+c.project.FullPath+"/-/settings/ci_cd")
}

func (s *Server) protectedPage(r *request, c *inside) error {
	return s.show(r, c, "protected", data{"Title": "Protected branches and tags", "Rules": c.subject.Protected, "Levels": ci.ProtectLevels})
}

func (s *Server) protect(r *request, c *inside) error {
	level := func(name string) enum.AccessLevel {
		n, _ := strconv.Atoi(r.PostFormValue(name))
		return enum.AccessLevel(n)
	}
	rule := &models.ProtectedRef{
		ProjectID: c.project.ID, Kind: "branch", Name: r.PostFormValue("name"), PushLevel: level("push"), MergeLevel: level("merge"),
		AllowForcePush: r.PostFormValue("force") != "",
	}
	if r.PostFormValue("kind") == "tag" {
		rule.Kind = "tag"
	}
	if err := s.ci.Protect(r.Context(), r.actor, rule); err != nil {
		return err
	}
	s.say(r, rule.Name+" is protected.")
	return s.to(r, "/"+c.project.FullPath+"/-/settings/repository")
}

func (s *Server) unprotect(r *request, c *inside) error {
	if err := s.ci.Unprotect(r.Context(), r.actor, c.project.ID, r.PostFormValue("kind"), r.PostFormValue("name")); err != nil {
		return err
	}
	s.say(r, r.PostFormValue("name")+" is not protected any more.")
	return s.to(r, "/"+c.project.FullPath+"/-/settings/repository")
}

// chats are those that a project can be connected to, by their part of the address.
var chats = []struct {
	Slug, Name string
	Chat       enum.Chat
}{{"slack", "Slack", enum.Slack}, {"mattermost", "Mattermost", enum.Mattermost}, {"discord", "Discord", enum.Discord}, {"slack_app", slackAppName, enum.SlackApp}}

func (s *Server) chatPage(r *request, c *inside) error {
	var rows []*models.ChatIntegration
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, err = tx.Integrations(c.project.ID)
		return err
	})
	if err != nil {
		return err
	}
	on := map[enum.Chat]bool{}
	for _, in := range rows {
		on[in.Chat] = in.Active
	}
	return s.show(r, c, "chats", data{"Title": "Chat", "Chats": chats, "On": on})
}

func (s *Server) chatAction(r *request, c *inside) error {
	for _, k := range chats {
		if k.Slug != c.args[0] {
			continue
		}
		switch c.args[1] {
		case "test":
			if err := s.testChat(r, c, k.Chat); err != nil {
				return err
			}
		case "remove":
			if err := s.chat.RemoveIntegration(r.Context(), r.actor, c.project, k.Chat); err != nil {
				return err
			}
			s.say(r, k.Name+" is disconnected.")
		default:
			return notFound(r)
		}
		return s.to(r, "/"+c.project.FullPath+"/-/settings/integrations/"+k.Slug)
	}
	return notFound(r)
}
