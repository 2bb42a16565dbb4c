package api

import (
	"strconv"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type memberEntity struct {
	userBasic
	AccessLevel     enum.AccessLevel `json:"access_level"`
	CreatedAt       httpapi.Time     `json:"created_at"`
	CreatedBy       *userBasic       `json:"created_by,omitempty"`
	ExpiresAt       *string          `json:"expires_at"`
	MembershipState string           `json:"membership_state"`
}

// members renders rows with their users, read in one query.
func (s *Server) members(tx *models.Tx, rows []*models.Member) ([]memberEntity, error) {
	var ids []int64
	for _, m := range rows {
		ids = append(ids, m.UserID)
		if m.CreatedByID != nil {
			ids = append(ids, *m.CreatedByID)
		}
	}
	users, err := tx.Users(ids)
	out := []memberEntity{}
	for _, m := range rows {
		u := users[m.UserID]
		if u == nil {
			continue
		}
		e := memberEntity{
			userBasic: *s.basic(u), AccessLevel: m.AccessLevel, CreatedAt: httpapi.Time(m.CreatedAt), ExpiresAt: dateOf(m.ExpiresAt), MembershipState: "active",
		}
		if m.CreatedByID != nil {
			e.CreatedBy = s.basic(users[*m.CreatedByID])
		}
		out = append(out, e)
	}
	return out, err
}

func (s *Server) memberRoutes(r routes) {
	for prefix, at := range map[string]struct {
		read, admin place
	}{
		"/projects": {project(access.ReadProject), project(access.AdminMembers)},
		"/groups":   {group(access.ReadGroup), group(access.AdminGroupMembers)},
	} {
		path := prefix + "/:id/members"
		r.get(path, at.read, with(func(c *call, p *memberList) (any, error) { return s.listMembers(c, p, false) }))
		r.get(path+"/all", at.read, with(func(c *call, p *memberList) (any, error) { return s.listMembers(c, p, true) }))
		r.get(path+"/:user_id", at.read, func(c *call) (any, error) { return s.getMember(c, false) })
		r.get(path+"/all/:user_id", at.read, func(c *call) (any, error) { return s.getMember(c, true) })
		r.post(path, at.admin, with(s.addMember))
		r.put(path+"/:user_id", at.admin, with(s.changeMember))
		leave := at.read // everybody may leave; the use case asks about the rest
		leave.login = true
		r.delete(path+"/:user_id", leave, func(c *call) (any, error) {
			n, err := c.id("user_id", "Member")
			if err != nil {
				return nil, err
			}
			return nil, s.ci.RemoveMember(c.ctx(), c.actor, c.subject, n)
		})
	}
}

// place is where members of the call's project or group belong.
func (c *call) place() (m models.Member, kind string, id int64) {
	if c.project != nil {
		return models.Member{ProjectID: &c.project.ID}, "project", c.project.ID
	}
	return models.Member{NamespaceID: &c.group.ID}, "group", c.group.ID
}

func (c *call) namespaceID() int64 {
	if c.project != nil {
		return c.project.NamespaceID
	}
	return c.group.ID
}

type memberList struct {
	httpapi.Page
	Query   string  `param:"query"`
	UserIDs []int64 `param:"user_ids"`
	Skip    []int64 `param:"skip_users"`
}

func (s *Server) listMembers(c *call, p *memberList, all bool) (any, error) {
	place, _, _ := c.place()
	f := models.MemberFilter{Query: p.Query, UserIDs: p.UserIDs, Skip: p.Skip}
	var out listing
	err := c.read(func(tx *models.Tx) error {
		var rows []*models.Member
		var total int64
		var err error
		if all {
			rows, total, err = tx.ListAllMembers(place, c.namespaceID(), f, pageOf(p.Page))
		} else {
			rows, total, err = tx.ListMembers(place, f, pageOf(p.Page))
		}
		if err != nil {
			return err
		}
		entities, err := s.members(tx, rows)
		out = paged(entities, p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) getMember(c *call, all bool) (any, error) {
	n, err := c.id("user_id", "Member")
	if err != nil {
		return nil, err
	}
	place, _, _ := c.place()
	var out []memberEntity
	err = c.read(func(tx *models.Tx) error {
		var rows []*models.Member
		if all {
			rows, _, err = tx.ListAllMembers(place, c.namespaceID(), models.MemberFilter{UserIDs: []int64{n}}, models.Page{})
		} else {
			var m *models.Member
			m, err = tx.MemberOf(place, n)
			rows = []*models.Member{m}
		}
		if err != nil {
			return missing(err, "")
		}
		out, err = s.members(tx, rows)
		return err
	})
	if err == nil && len(out) == 0 || fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "404 Not found")
	}
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

type memberParams struct {
	AccessLevel int          `param:"access_level,required"`
	ExpiresAt   httpapi.Date `param:"expires_at"`
}

type newMemberParams struct {
	UserIDs  []string `param:"user_id"`
	Username string   `param:"username"`
	_        struct{} `oneof:"user_id username"`
	_        struct{} `either:"user_id username"`
	memberParams
}

func (s *Server) addMember(c *call, p *newMemberParams) (any, error) {
	var ids []int64
	if p.Username != "" {
		var u *models.User
		err := c.read(func(tx *models.Tx) (err error) {
			u, err = tx.UserByName(p.Username)
			return err
		})
		if err != nil {
			return nil, missing(err, "User")
		}
		ids = []int64{u.ID}
	}
	for _, text := range p.UserIDs {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, &httpapi.ParamError{Text: "user_id is invalid"}
		}
		ids = append(ids, n)
	}
	if len(ids) == 0 {
		return nil, &httpapi.ParamError{Text: "user_id is empty"}
	}
	if len(ids) > 100 {
		return nil, fault.New(fault.Invalid, "Too many users specified (limit is 100)")
	}
	if len(ids) == 1 {
		return s.setMember(c, ids[0], &p.memberParams, true)
	}
	failed := gin.H{}
	for _, n := range ids {
		if _, err := s.setMember(c, n, &p.memberParams, true); fault.KindOf(err) == fault.Internal && err != nil {
			return nil, err
		} else if err != nil {
			failed[strconv.FormatInt(n, 10)] = fault.Message(err)
		}
	}
	if len(failed) > 0 {
		return gin.H{"status": "error", "message": failed}, nil
	}
	return gin.H{"status": "success"}, nil
}

func (s *Server) changeMember(c *call, p *memberParams) (any, error) {
	n, err := c.id("user_id", "Member")
	if err != nil {
		return nil, err
	}
	return s.setMember(c, n, p, false)
}

func (s *Server) setMember(c *call, userID int64, p *memberParams, create bool) (any, error) {
	m, _, err := s.ci.SetMember(c.ctx(), c.actor, c.subject, ci.NewMember{
		UserID: userID, Level: enum.AccessLevel(p.AccessLevel), ExpiresAt: p.ExpiresAt.Time, KeepExpiry: !p.ExpiresAt.Given,
	}, create)
	if err != nil {
		return nil, err
	}
	var out []memberEntity
	err = c.read(func(tx *models.Tx) (err error) {
		out, err = s.members(tx, []*models.Member{m})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
