package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/secret"
	"signalbox/models"
)

type userBasic struct {
	ID          int64   `json:"id"`
	Username    string  `json:"username"`
	PublicEmail string  `json:"public_email"`
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Locked      bool    `json:"locked"`
	AvatarURL   *string `json:"avatar_url"`
	WebURL      string  `json:"web_url"`
}

type user struct {
	userBasic
	CreatedAt       httpapi.Time `json:"created_at"`
	Bio             string       `json:"bio"`
	Location        string       `json:"location"`
	LinkedIn        string       `json:"linkedin"`
	Twitter         string       `json:"twitter"`
	Discord         string       `json:"discord"`
	WebsiteURL      string       `json:"website_url"`
	GitHub          string       `json:"github"`
	JobTitle        string       `json:"job_title"`
	Pronouns        *string      `json:"pronouns"`
	Organization    string       `json:"organization"`
	Bot             bool         `json:"bot"`
	WorkInformation *string      `json:"work_information"`
	LocalTime       *string      `json:"local_time"`
}

type currentUser struct {
	user
	Email            string       `json:"email"`
	CommitEmail      string       `json:"commit_email"`
	ConfirmedAt      httpapi.Time `json:"confirmed_at"`
	LastSignInAt     *string      `json:"last_sign_in_at"`
	CurrentSignInAt  *string      `json:"current_sign_in_at"`
	LastActivityOn   *string      `json:"last_activity_on"`
	ThemeID          int          `json:"theme_id"`
	ColorSchemeID    int          `json:"color_scheme_id"`
	ProjectsLimit    int          `json:"projects_limit"`
	Identities       []string     `json:"identities"`
	CanCreateGroup   bool         `json:"can_create_group"`
	CanCreateProject bool         `json:"can_create_project"`
	TwoFactorEnabled bool         `json:"two_factor_enabled"`
	External         bool         `json:"external"`
	PrivateProfile   bool         `json:"private_profile"`
	IsAdmin          *bool        `json:"is_admin,omitempty"`
}

func (s *Server) basic(u *models.User) *userBasic {
	if u == nil {
		return nil
	}
	return &userBasic{ID: u.ID, Username: u.Username, Name: u.Name, State: u.State, WebURL: s.ci.URL() + "/" + u.Username}
}

func (s *Server) fullUser(u *models.User) *user {
	if u == nil {
		return nil
	}
	return &user{userBasic: *s.basic(u), CreatedAt: httpapi.Time(u.CreatedAt)}
}

func (s *Server) current(u *models.User, admin bool) currentUser {
	out := currentUser{
		user: *s.fullUser(u), Email: u.Email, CommitEmail: u.Email, ConfirmedAt: httpapi.Time(u.CreatedAt), ThemeID: 3, ColorSchemeID: 1,
		ProjectsLimit: 100000, Identities: []string{}, CanCreateGroup: u.Admin, CanCreateProject: true,
	}
	if admin {
		out.IsAdmin = &u.Admin
	}
	return out
}

func (s *Server) userRoutes(r gin.IRouter) {
	r.GET("/user", s.user(func(c *gin.Context, a access.Actor) error {
		c.JSON(http.StatusOK, s.current(a.User, a.User.Admin))
		return nil
	}))
	r.GET("/users", s.user(s.listUsers))
	r.GET("/users/:id", s.user(s.getUser))
	r.POST("/users", s.admin(s.createUser))
	r.POST("/users/:id/block", s.admin(s.setState("blocked")))
	r.POST("/users/:id/unblock", s.admin(s.setState("active")))
	r.POST("/users/:id/personal_access_tokens", s.admin(s.createToken))
	r.DELETE("/personal_access_tokens/:id", s.user(s.revokeToken))
}

func (s *Server) listUsers(c *gin.Context, a access.Actor) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	var rows []*models.User
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListUsers(c.Query("username"), p)
		return err
	})
	if err != nil {
		return err
	}
	return s.list(c, p, total, each(rows, func(u *models.User) any {
		if a.User.Admin {
			return s.current(u, true)
		}
		return s.basic(u)
	}))
}

func (s *Server) findUser(c *gin.Context) (u *models.User, err error) {
	n, err := id(c, "id", "User")
	if err != nil {
		return nil, err
	}
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) error {
		u, err = tx.User(n)
		return err
	})
	return u, missing(err, "User")
}

func (s *Server) getUser(c *gin.Context, a access.Actor) error {
	u, err := s.findUser(c)
	if err != nil {
		return err
	}
	if a.User.Admin {
		c.JSON(http.StatusOK, s.current(u, true))
		return nil
	}
	c.JSON(http.StatusOK, s.fullUser(u))
	return nil
}

const minPassword = 8

func (s *Server) createUser(c *gin.Context, a access.Actor) error {
	p, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	u := &models.User{}
	for name, into := range map[string]*string{"username": &u.Username, "name": &u.Name, "email": &u.Email} {
		if *into, err = p.Required(name); err != nil {
			return err
		}
	}
	if err := ci.CheckPath(u.Username, true); err != nil {
		return httpapi.FieldErrors{"username": {fault.Message(err)}}
	}
	if !strings.Contains(u.Email, "@") {
		return httpapi.FieldErrors{"email": {"is invalid"}}
	}
	if u.Admin, err = p.Bool("admin", false); err != nil {
		return err
	}
	password, err := p.String("password")
	if err != nil {
		return err
	}
	random, err := p.Bool("force_random_password", false)
	if err != nil {
		return err
	}
	switch {
	case password == "" && !random:
		return &httpapi.ParamError{Text: "password, reset_password, force_random_password are missing, at least one parameter must be provided"}
	case password == "":
		password = secret.NewToken("")
	case len(password) < minPassword:
		return httpapi.FieldErrors{"password": {"is too short (minimum is 8 characters)"}}
	}
	u.PasswordHash = secret.HashPassword(password)
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		u.ID = 0
		if err := tx.CreateUser(u); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "user_created", EntityType: "user", EntityID: u.ID, IPAddress: c.ClientIP()})
	})
	if errors.Is(err, models.ErrDuplicate) {
		return fault.New(fault.Conflict, "Username or email has already been taken")
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, s.current(u, true))
	return nil
}

func (s *Server) setState(state string) handler {
	return func(c *gin.Context, a access.Actor) error {
		u, err := s.findUser(c)
		if err != nil {
			return err
		}
		if u.ID == a.User.ID {
			return fault.New(fault.Forbidden, "403 Forbidden - you cannot block yourself")
		}
		err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
			u.State = state
			if err := tx.UpdateUser(u); err != nil {
				return err
			}
			return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "user_" + state, EntityType: "user", EntityID: u.ID, IPAddress: c.ClientIP()})
		})
		if err != nil {
			return err
		}
		c.JSON(http.StatusCreated, true)
		return nil
	}
}

var knownScopes = []string{
	"api", "read_api", "read_user", "read_repository", "write_repository", "create_runner", "manage_runner", "sudo", "self_rotate",
}

func (s *Server) createToken(c *gin.Context, a access.Actor) error {
	u, err := s.findUser(c)
	if err != nil {
		return err
	}
	p, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	t := &models.PersonalAccessToken{UserID: u.ID}
	if t.Name, err = p.Required("name"); err != nil {
		return err
	}
	if t.Scopes, err = p.List("scopes"); err != nil {
		return err
	}
	if len(t.Scopes) == 0 {
		return &httpapi.ParamError{Text: "scopes is missing"}
	}
	for _, scope := range t.Scopes {
		if !slices.Contains(knownScopes, scope) {
			return &httpapi.ParamError{Text: "scopes does not have a valid value"}
		}
	}
	date, err := p.String("expires_at")
	if err != nil {
		return err
	}
	if date != "" {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return &httpapi.ParamError{Text: "expires_at is invalid"}
		}
		t.ExpiresAt = &at
	}
	token := secret.NewToken(secret.PersonalToken)
	t.TokenHash = secret.Hash(token)
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		t.ID = 0
		if err := tx.CreateToken(t); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "token_created", EntityType: "user", EntityID: u.ID, Details: t.Name, IPAddress: c.ClientIP()})
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{
		"id": t.ID, "name": t.Name, "revoked": false, "created_at": httpapi.Time(t.CreatedAt), "description": nil, "scopes": t.Scopes,
		"user_id": u.ID, "last_used_at": nil, "active": true, "expires_at": dateOf(t.ExpiresAt), "token": token,
	})
	return nil
}

func dateOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	d := t.Format(time.DateOnly)
	return &d
}

func (s *Server) revokeToken(c *gin.Context, a access.Actor) error {
	n, err := id(c, "id", "Personal Access Token")
	if err != nil {
		return err
	}
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		t, err := tx.Token(n)
		if err != nil {
			return err
		}
		if t.UserID != a.User.ID && !a.User.Admin {
			return models.ErrNotFound
		}
		return tx.RevokeToken(n)
	})
	if err != nil {
		return missing(err, "Personal Access Token")
	}
	c.Status(http.StatusNoContent)
	return nil
}
