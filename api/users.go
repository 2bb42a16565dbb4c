package api

import (
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
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

type userEntity struct {
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
	userEntity
	LastSignInAt     *httpapi.Time `json:"last_sign_in_at"`
	ConfirmedAt      httpapi.Time  `json:"confirmed_at"`
	LastActivityOn   *string       `json:"last_activity_on"`
	Email            string        `json:"email"`
	ThemeID          int           `json:"theme_id"`
	ColorSchemeID    int           `json:"color_scheme_id"`
	ProjectsLimit    int           `json:"projects_limit"`
	CurrentSignInAt  *httpapi.Time `json:"current_sign_in_at"`
	Identities       []string      `json:"identities"`
	CanCreateGroup   bool          `json:"can_create_group"`
	CanCreateProject bool          `json:"can_create_project"`
	TwoFactorEnabled bool          `json:"two_factor_enabled"`
	External         bool          `json:"external"`
	PrivateProfile   bool          `json:"private_profile"`
	CommitEmail      string        `json:"commit_email"`
	PreferredLang    string        `json:"preferred_language"`
}

// adminUser is what administrators see of a user.
type adminUser struct {
	currentUser
	IsAdmin     bool       `json:"is_admin"`
	Note        *string    `json:"note"`
	NamespaceID *int64     `json:"namespace_id"`
	CreatedBy   *userBasic `json:"created_by"`
}

type adminUserDetails struct {
	adminUser
	HighestRole     enum.AccessLevel `json:"highest_role"`
	CurrentSignInIP *string          `json:"current_sign_in_ip"`
	LastSignInIP    *string          `json:"last_sign_in_ip"`
	SignInCount     int              `json:"sign_in_count"`
}

func (s *Server) basic(u *models.User) *userBasic {
	if u == nil {
		return nil
	}
	return &userBasic{ID: u.ID, Username: u.Username, Name: u.Name, State: u.State, WebURL: s.ci.URL() + "/" + u.Username}
}

func (s *Server) fullUser(u *models.User) *userEntity {
	if u == nil {
		return nil
	}
	return &userEntity{userBasic: *s.basic(u), CreatedAt: httpapi.Time(u.CreatedAt), Bot: u.Bot}
}

func (s *Server) current(u *models.User) currentUser {
	out := currentUser{
		userEntity: *s.fullUser(u), Email: u.Email, CommitEmail: u.Email, ConfirmedAt: httpapi.Time(u.CreatedAt), ThemeID: 3, ColorSchemeID: 1,
		ProjectsLimit: u.ProjectsLimit, Identities: []string{}, CanCreateGroup: u.CanCreateGroup || u.Admin, CanCreateProject: !u.Bot,
		External: u.External, PrivateProfile: u.PrivateProfile, PreferredLang: "en", LastSignInAt: httpapi.TimeOf(u.LastSignInAt),
		CurrentSignInAt: httpapi.TimeOf(u.CurrentSignInAt), LastActivityOn: dateOf(u.LastActivityAt),
	}
	return out
}

// adminUsers renders users for administrators: one query for their namespaces, one for who made them.
func (s *Server) adminUsers(tx *models.Tx, rows []*models.User) ([]adminUser, error) {
	var makers []int64
	for _, u := range rows {
		if u.CreatedByID != nil {
			makers = append(makers, *u.CreatedByID)
		}
	}
	spaces, err := tx.NamespacesOfUsers(each(rows, func(u *models.User) int64 { return u.ID }))
	if err != nil {
		return nil, err
	}
	by, err := tx.Users(makers)
	return each(rows, func(u *models.User) adminUser {
		out := adminUser{currentUser: s.current(u), IsAdmin: u.Admin, Note: given(u.Note)}
		if n := spaces[u.ID]; n != nil {
			out.NamespaceID = &n.ID
		}
		if u.CreatedByID != nil {
			out.CreatedBy = s.basic(by[*u.CreatedByID])
		}
		return out
	}), err
}

func (s *Server) userRoutes(r routes) {
	r.get("/user", user(access.ReadSelf), func(c *call) (any, error) { return s.renderUser(c, c.actor.User.ID) })
	r.get("/users", anybody(access.ReadSelf), with(s.listUsers))
	r.get("/users/:id", user(access.ReadSelf), func(c *call) (any, error) {
		n, err := c.id("id", "User")
		if err != nil {
			return nil, err
		}
		return s.renderUser(c, n)
	})
	r.post("/users", user(access.AdminInstance), with(s.createUser))
	r.put("/users/:id", user(access.AdminInstance), with(s.updateUser))
	r.delete("/users/:id", user(access.AdminInstance), func(c *call) (any, error) {
		n, err := c.id("id", "User")
		if err != nil {
			return nil, err
		}
		return nil, s.ci.DeleteUser(c.ctx(), c.actor, n)
	})
	for _, word := range []string{"block", "unblock", "activate", "deactivate", "ban", "unban"} {
		r.post("/users/:id/"+word, user(access.AdminInstance), func(c *call) (any, error) {
			n, err := c.id("id", "User")
			if err != nil {
				return nil, err
			}
			changed, err := s.ci.SetUserState(c.ctx(), c.actor, n, word)
			if err == nil && !changed && (word == "block" || word == "deactivate") {
				return jsonNull, nil // GitLab breaks off
			}
			return true, err
		})
	}
}

// renderUser shows a user as the caller may see it: itself whole, to administrators with their notes.
func (s *Server) renderUser(c *call, id int64) (any, error) {
	var out any
	err := c.read(func(tx *models.Tx) error {
		u, err := tx.User(id)
		if err != nil {
			return missing(err, "User")
		}
		if c.actor.Admin() {
			rows, err := s.adminUsers(tx, []*models.User{u})
			if err == nil && c.FullPath() != "/api/v4/user" {
				level, err := tx.HighestRole(u.ID)
				out = adminUserDetails{adminUser: rows[0], SignInCount: u.SignInCount, HighestRole: level}
				return err
			}
			if err == nil {
				out = rows[0]
			}
			return err
		}
		if u.ID == c.actor.ID() && c.FullPath() == "/api/v4/user" {
			out = s.current(u)
			return nil
		}
		out = s.fullUser(u)
		return nil
	})
	return out, err
}

type userList struct {
	httpapi.Page
	Username        string            `param:"username"`
	Search          string            `param:"search"`
	Active          *bool             `param:"active"`
	Blocked         *bool             `param:"blocked"`
	External        *bool             `param:"external"`
	ExcludeExternal *bool             `param:"exclude_external"`
	Humans          bool              `param:"humans"`
	ExcludeInternal bool              `param:"exclude_internal"`
	Admins          bool              `param:"admins"`
	ExcludeActive   bool              `param:"exclude_active"`
	ExcludeHumans   bool              `param:"exclude_humans"`
	ExternUID       string            `param:"extern_uid"`
	Provider        string            `param:"provider"`
	WithoutProjects bool              `param:"without_projects"`
	CreatedAfter    httpapi.Timestamp `param:"created_after"`
	CreatedBefore   httpapi.Timestamp `param:"created_before"`
	OrderBy         string            `param:"order_by" values:"id name username created_at updated_at"`
	Sort            string            `param:"sort" values:"asc desc"`
}

func (s *Server) listUsers(c *call, p *userList) (any, error) {
	if c.actor.User == nil && p.Username == "" {
		return nil, fault.New(fault.Forbidden, "403 Forbidden - Not authorized to access /api/v4/users")
	}
	f := models.UserFilter{Username: p.Username, Search: p.Search, Humans: p.Humans || p.ExcludeInternal, ByEmail: c.actor.Admin()}
	if p.ExternUID != "" || p.Provider != "" {
		return sliced([]userBasic{}, p.Page), nil // nobody signs in by another provider
	}
	f.Bots = p.ExcludeHumans
	if p.ExcludeActive {
		f.States = append(f.States, "blocked", "deactivated", "banned")
	}
	if p.Active != nil && *p.Active {
		f.States = append(f.States, "active")
	}
	if p.Blocked != nil && *p.Blocked {
		f.States = append(f.States, "blocked")
	}
	f.External = p.External
	if p.ExcludeExternal != nil && *p.ExcludeExternal {
		inside := false
		f.External = &inside
	}
	if c.actor.Admin() {
		f.Admins, f.WithoutMember = p.Admins, p.WithoutProjects
		f.CreatedAfter, f.CreatedBefore = p.CreatedAfter.Time, p.CreatedBefore.Time
	}
	page := pageOf(p.Page)
	page.OrderBy, page.Descending = p.OrderBy, p.Sort != "asc"
	var err error
	if page.Keyset = p.Keyset() && (p.OrderBy == "" || p.OrderBy == "id"); page.Keyset {
		if page.After, err = p.After(); err != nil {
			return nil, err
		}
	}
	var out listing
	err = c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListUsers(f, page)
		if err != nil {
			return err
		}
		var entities any = each(rows, s.basic)
		if c.actor.Admin() {
			if entities, err = s.adminUsers(tx, rows); err != nil {
				return err
			}
		}
		out = paged(rows, p.Page, total)
		out.rows = entities
		if page.Keyset {
			out.continued(len(rows), func() int64 { return rows[len(rows)-1].ID })
		}
		return nil
	})
	return out, err
}

// continued makes a listing go on behind its last row.
func (l *listing) continued(n int, last func() int64) {
	l.keyset, l.param = true, "cursor"
	if n == l.page.PerPage() {
		l.next = httpapi.CursorOf(last())
	}
}

type userParams struct {
	Email          *string `param:"email"`
	Name           *string `param:"name"`
	Username       *string `param:"username"`
	Password       string  `param:"password"`
	Admin          *bool   `param:"admin"`
	External       *bool   `param:"external"`
	CanCreateGroup *bool   `param:"can_create_group"`
	ProjectsLimit  *int    `param:"projects_limit"`
	Note           *string `param:"note" max:"5000"`
	PrivateProfile *bool   `param:"private_profile"`
}

func (p userParams) apply(u *models.User) {
	keep(&u.Email, p.Email)
	keep(&u.Name, p.Name)
	keep(&u.Username, p.Username)
	keep(&u.Admin, p.Admin)
	keep(&u.External, p.External)
	keep(&u.CanCreateGroup, p.CanCreateGroup)
	keep(&u.ProjectsLimit, p.ProjectsLimit)
	keep(&u.Note, p.Note)
	keep(&u.PrivateProfile, p.PrivateProfile)
}

type newUser struct {
	Email    string `param:"email,required,filled"`
	Name     string `param:"name,required,filled"`
	Username string `param:"username,required,filled"`
	userParams
	Reset  bool     `param:"reset_password"`
	Random bool     `param:"force_random_password"`
	_      struct{} `oneof:"password reset_password force_random_password"`
}

func (s *Server) createUser(c *call, p *newUser) (any, error) {
	set, err := s.ci.InstanceSettings(c.ctx())
	if err != nil {
		return nil, err
	}
	u := &models.User{CanCreateGroup: !set.NoNewGroups}
	p.apply(u)
	u.Email, u.Name, u.Username = p.Email, p.Name, p.Username
	if p.Password == "" && !p.Reset && !p.Random {
		return nil, fault.Field("password", "can't be blank")
	}
	if err := s.ci.CreateUser(c.ctx(), c.actor, u, p.Password); err != nil {
		return nil, err
	}
	return s.renderAdminUser(c, u)
}

func (s *Server) renderAdminUser(c *call, u *models.User) (any, error) {
	var out []adminUser
	err := c.read(func(tx *models.Tx) (err error) {
		out, err = s.adminUsers(tx, []*models.User{u})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (s *Server) updateUser(c *call, p *userParams) (any, error) {
	n, err := c.id("id", "User")
	if err != nil {
		return nil, err
	}
	u, err := s.ci.UpdateUser(c.ctx(), c.actor, n, p.Password, p.apply)
	if err != nil {
		return nil, err
	}
	return s.renderAdminUser(c, u)
}

func dateOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	d := t.UTC().Format(time.DateOnly)
	return &d
}
