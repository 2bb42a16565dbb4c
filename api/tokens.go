package api

import (
	"slices"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type tokenEntity struct {
	ID          int64         `json:"id"`
	Name        string        `json:"name"`
	Revoked     bool          `json:"revoked"`
	CreatedAt   httpapi.Time  `json:"created_at"`
	Description *string       `json:"description"`
	Scopes      []string      `json:"scopes"`
	UserID      int64         `json:"user_id"`
	LastUsedAt  *httpapi.Time `json:"last_used_at"`
	Active      bool          `json:"active"`
	ExpiresAt   *string       `json:"expires_at"`
	Token       string        `json:"token,omitempty"`
}

type readToken struct {
	tokenEntity
	LastUsedIPs []string `json:"last_used_ips"`
}

type resourceToken struct {
	tokenEntity
	AccessLevel  enum.AccessLevel `json:"access_level"`
	ResourceType string           `json:"resource_type"`
	ResourceID   int64            `json:"resource_id"`
}

func (s *Server) tokenOf(t *models.PersonalAccessToken) tokenEntity {
	return tokenEntity{
		ID: t.ID, Name: t.Name, Revoked: t.Revoked, CreatedAt: httpapi.Time(t.CreatedAt), Description: given(t.Description), Scopes: t.Scopes,
		UserID: t.UserID, LastUsedAt: httpapi.TimeOf(t.LastUsedAt), Active: t.Active(s.ci.DB().Now()), ExpiresAt: dateOf(t.ExpiresAt),
	}
}

func (s *Server) readTokenOf(t *models.PersonalAccessToken) readToken {
	return readToken{s.tokenOf(t), []string{}}
}

func (s *Server) tokenRoutes(r routes) {
	r.get("/personal_access_tokens", user(access.ReadOwn), with(s.listTokens))
	r.get("/personal_access_tokens/:id", user(access.ReadToken), s.withToken(func(_ *call, t *models.PersonalAccessToken) (any, error) {
		return s.readTokenOf(t), nil
	}))
	r.post("/personal_access_tokens/:id/rotate", user(access.RotateSelf), with(func(c *call, p *rotateParams) (any, error) {
		return s.withToken(func(c *call, t *models.PersonalAccessToken) (any, error) { return s.rotate(c, t, p) })(c)
	}))
	r.delete("/personal_access_tokens/:id", user(access.WriteOwn), s.withToken(func(c *call, t *models.PersonalAccessToken) (any, error) {
		return nil, s.ci.RevokeToken(c.ctx(), c.actor, t.ID)
	}))
	// For oneself only what renews itself: whoever holds a token must not make others of it.
	r.post("/user/personal_access_tokens", user(access.WriteOwn), with(func(c *call, p *struct {
		newTokenParams
		Scopes []string `param:"scopes,required" values:"self_rotate"`
	},
	) (any, error) {
		p.newTokenParams.Scopes = p.Scopes
		return s.createToken(c, c.actor.User.ID, &p.newTokenParams)
	}))
	r.post("/users/:id/personal_access_tokens", user(access.AdminInstance), with(func(c *call, p *newTokenParams) (any, error) {
		n, err := c.id("id", "User")
		if err != nil {
			return nil, err
		}
		return s.createToken(c, n, p)
	}))
	for prefix, at := range map[string]place{"/projects": project(access.AdminTokens), "/groups": group(access.AdminGroupTokens)} {
		r.get(prefix+"/:id/access_tokens", at, with(s.listResourceTokens))
		r.post(prefix+"/:id/access_tokens", at, with(s.createResourceToken))
		r.get(prefix+"/:id/access_tokens/:token_id", at, s.withResourceToken(func(c *call, t *models.PersonalAccessToken) (any, error) {
			return s.renderResourceToken(c, t, "")
		}))
		r.delete(prefix+"/:id/access_tokens/:token_id", at, s.withResourceToken(func(c *call, t *models.PersonalAccessToken) (any, error) {
			return nil, s.ci.RevokeToken(c.ctx(), c.actor, t.ID)
		}))
		r.post(prefix+"/:id/access_tokens/:token_id/rotate", at, with(func(c *call, p *rotateParams) (any, error) {
			return s.withResourceToken(func(c *call, t *models.PersonalAccessToken) (any, error) {
				row, token, err := s.ci.RotateToken(c.ctx(), c.actor, t.ID, p.ExpiresAt.Time)
				if err != nil {
					return nil, err
				}
				e, err := s.renderResourceToken(c, row, token)
				return reply{200, e}, err
			})(c)
		}))
	}
}

type tokenList struct {
	httpapi.Page
	UserID         int64             `param:"user_id"`
	Revoked        *bool             `param:"revoked"`
	State          string            `param:"state" values:"active inactive"`
	Search         string            `param:"search"`
	CreatedAfter   httpapi.Timestamp `param:"created_after"`
	CreatedBefore  httpapi.Timestamp `param:"created_before"`
	LastUsedAfter  httpapi.Timestamp `param:"last_used_after"`
	LastUsedBefore httpapi.Timestamp `param:"last_used_before"`
	ExpiresAfter   httpapi.Timestamp `param:"expires_after"`
	ExpiresBefore  httpapi.Timestamp `param:"expires_before"`
	Sort           string            `param:"sort" values:"created_asc created_desc expires_asc expires_desc last_used_asc last_used_desc name_asc name_desc"`
}

func (p *tokenList) filter() models.TokenFilter {
	f := models.TokenFilter{
		Revoked: p.Revoked, Search: p.Search, Created: models.TimeRange{After: p.CreatedAfter.Time, Before: p.CreatedBefore.Time},
		LastUsed: models.TimeRange{After: p.LastUsedAfter.Time, Before: p.LastUsedBefore.Time},
		Expires:  models.TimeRange{After: p.ExpiresAfter.Time, Before: p.ExpiresBefore.Time},
	}
	if p.State != "" {
		active := p.State == "active"
		f.Active = &active
	}
	return f
}

func (p *tokenList) page() models.Page {
	out := pageOf(p.Page)
	columns := map[string]string{"created": "created_at", "expires": "expires_at", "last_used": "last_used_at", "name": "name"}
	for word, column := range columns {
		switch p.Sort {
		case word + "_asc":
			out.OrderBy = column
		case word + "_desc":
			out.OrderBy, out.Descending = column, true
		}
	}
	return out
}

func (s *Server) listTokens(c *call, p *tokenList) (any, error) {
	f := p.filter()
	f.UserID = p.UserID
	if !c.actor.Admin() {
		if p.UserID != 0 && p.UserID != c.actor.ID() {
			return nil, errUnauthorized
		}
		f.UserID = c.actor.ID()
	}
	return s.tokens(c, f, p, func(rows []*models.PersonalAccessToken) (any, error) { return each(rows, s.readTokenOf), nil })
}

func (s *Server) tokens(c *call, f models.TokenFilter, p *tokenList, render func([]*models.PersonalAccessToken) (any, error)) (any, error) {
	var rows []*models.PersonalAccessToken
	var total int64
	err := c.read(func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListTokens(f, p.page())
		return err
	})
	if err != nil {
		return nil, err
	}
	out := paged(rows, p.Page, total)
	out.rows, err = render(rows)
	return out, err
}

// withToken finds the personal access token of :id, which is self for the one that asks.
func (s *Server) withToken(h func(*call, *models.PersonalAccessToken) (any, error)) endpoint {
	return func(c *call) (any, error) {
		if c.Param("id") == "self" {
			if c.actor.Token == nil {
				return nil, fault.New(fault.Invalid, "400 Bad request - This endpoint requires token type to be a personal access token")
			}
			return h(c, c.actor.Token)
		}
		n, err := c.id("id", "Personal Access Token")
		if err != nil {
			return nil, err
		}
		if slices.Contains(c.actor.Scopes, "self_rotate") && !slices.Contains(c.actor.Scopes, "api") {
			return nil, &access.ScopeError{Need: []string{"api"}}
		}
		var t *models.PersonalAccessToken
		err = c.read(func(tx *models.Tx) (err error) {
			t, err = tx.Token(n)
			return err
		})
		if !c.actor.Admin() && (err != nil || t.UserID != c.actor.ID()) {
			return nil, errUnauthorized
		}
		if err != nil {
			return nil, missing(err, "Personal Access Token")
		}
		return h(c, t)
	}
}

type rotateParams struct {
	ExpiresAt httpapi.Date `param:"expires_at"`
}

func (s *Server) rotate(c *call, t *models.PersonalAccessToken, p *rotateParams) (any, error) {
	row, token, err := s.ci.RotateToken(c.ctx(), c.actor, t.ID, p.ExpiresAt.Time)
	if err != nil {
		return nil, err
	}
	e := s.tokenOf(row)
	e.Token = token
	return reply{200, e}, nil
}

type newTokenParams struct {
	Name        string       `param:"name,required"`
	Scopes      []string     `param:"scopes,required" values:"api read_api read_user read_repository write_repository create_runner manage_runner sudo self_rotate"`
	ExpiresAt   httpapi.Date `param:"expires_at"`
	Description string       `param:"description"`
	AccessLevel *int         `param:"access_level" values:"10 15 20 30 40 50"`
}

func (p *newTokenParams) wanted() ci.NewToken {
	level := enum.Maintainer
	if p.AccessLevel != nil {
		level = enum.AccessLevel(*p.AccessLevel)
	}
	return ci.NewToken{Name: p.Name, Description: p.Description, Scopes: p.Scopes, ExpiresAt: p.ExpiresAt.Time, AccessLevel: level}
}

func (s *Server) createToken(c *call, userID int64, p *newTokenParams) (any, error) {
	row, token, err := s.ci.CreateToken(c.ctx(), c.actor, userID, p.wanted())
	if err != nil {
		return nil, err
	}
	e := s.tokenOf(row)
	e.Token = token
	return e, nil
}

// resource is the condition for the tokens of the call's project or group.
func (c *call) resource(f models.TokenFilter) models.TokenFilter {
	if c.project != nil {
		f.ProjectID = c.project.ID
	} else {
		f.NamespaceID = c.group.ID
	}
	return f
}

func (s *Server) listResourceTokens(c *call, p *tokenList) (any, error) {
	return s.tokens(c, c.resource(p.filter()), p, func(rows []*models.PersonalAccessToken) (any, error) { return s.resourceTokens(c, rows) })
}

func (s *Server) resourceTokens(c *call, rows []*models.PersonalAccessToken) ([]resourceToken, error) {
	place, kind, id := c.place()
	levels := map[int64]enum.AccessLevel{}
	ids := each(rows, func(t *models.PersonalAccessToken) int64 { return t.UserID })
	if len(ids) > 0 {
		err := c.read(func(tx *models.Tx) error {
			members, _, err := tx.ListMembers(place, models.MemberFilter{UserIDs: ids}, models.Page{PerPage: 100})
			for _, m := range members {
				levels[m.UserID] = m.AccessLevel
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return each(rows, func(t *models.PersonalAccessToken) resourceToken {
		return resourceToken{tokenEntity: s.tokenOf(t), AccessLevel: levels[t.UserID], ResourceType: kind, ResourceID: id}
	}), nil
}

func (s *Server) renderResourceToken(c *call, t *models.PersonalAccessToken, token string) (any, error) {
	rows, err := s.resourceTokens(c, []*models.PersonalAccessToken{t})
	if err != nil {
		return nil, err
	}
	rows[0].Token = token
	return rows[0], nil
}

func (s *Server) createResourceToken(c *call, p *newTokenParams) (any, error) {
	row, token, err := s.ci.CreateResourceToken(c.ctx(), c.actor, c.subject, p.wanted())
	if err != nil {
		return nil, err
	}
	return s.renderResourceToken(c, row, token)
}

func (s *Server) withResourceToken(h func(*call, *models.PersonalAccessToken) (any, error)) endpoint {
	return func(c *call) (any, error) {
		n, err := c.id("token_id", "Access Token")
		if err != nil {
			return nil, err
		}
		var t *models.PersonalAccessToken
		err = c.read(func(tx *models.Tx) (err error) {
			t, err = tx.Token(n)
			return err
		})
		f := c.resource(models.TokenFilter{})
		if err == nil && (t.ProjectID == nil || *t.ProjectID != f.ProjectID) && (t.NamespaceID == nil || *t.NamespaceID != f.NamespaceID) {
			err = models.ErrNotFound
		}
		if err != nil {
			return nil, missing(err, "Access Token")
		}
		return h(c, t)
	}
}
