package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type namespace struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Path      string  `json:"path"`
	Kind      string  `json:"kind"`
	FullPath  string  `json:"full_path"`
	ParentID  *int64  `json:"parent_id"`
	AvatarURL *string `json:"avatar_url"`
	WebURL    string  `json:"web_url"`
}

type projectEntity struct {
	ID                   int64           `json:"id"`
	Description          string          `json:"description"`
	Name                 string          `json:"name"`
	NameWithNamespace    string          `json:"name_with_namespace"`
	Path                 string          `json:"path"`
	PathWithNamespace    string          `json:"path_with_namespace"`
	CreatedAt            httpapi.Time    `json:"created_at"`
	UpdatedAt            httpapi.Time    `json:"updated_at"`
	LastActivityAt       httpapi.Time    `json:"last_activity_at"`
	DefaultBranch        string          `json:"default_branch"`
	TagList              []string        `json:"tag_list"`
	Topics               []string        `json:"topics"`
	SSHURL               string          `json:"ssh_url_to_repo"`
	HTTPURL              string          `json:"http_url_to_repo"`
	WebURL               string          `json:"web_url"`
	ReadmeURL            *string         `json:"readme_url"`
	ForksCount           int             `json:"forks_count"`
	AvatarURL            *string         `json:"avatar_url"`
	StarCount            int             `json:"star_count"`
	Visibility           enum.Visibility `json:"visibility"`
	Namespace            namespace       `json:"namespace"`
	EmptyRepo            bool            `json:"empty_repo"`
	Archived             bool            `json:"archived"`
	CreatorID            *int64          `json:"creator_id"`
	ImportStatus         string          `json:"import_status"`
	JobsEnabled          bool            `json:"jobs_enabled"`
	BuildsAccessLevel    string          `json:"builds_access_level"`
	SharedRunnersEnabled bool            `json:"shared_runners_enabled"`
	GroupRunnersEnabled  bool            `json:"group_runners_enabled"`
	CIConfigPath         string          `json:"ci_config_path"`
	GitDepth             int             `json:"ci_default_git_depth"`
	BuildTimeout         int             `json:"build_timeout"`
	PublicJobs           bool            `json:"public_jobs"`
	Permissions          any             `json:"permissions"`
}

func (s *Server) projectEntity(c *gin.Context, a access.Actor, p *models.Project) (projectEntity, error) {
	var ns *models.Namespace
	var subject access.Subject
	err := s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		if ns, err = tx.Namespace(p.NamespaceID); err != nil {
			return err
		}
		subject, err = access.SubjectOf(tx, a, p)
		return err
	})
	if err != nil {
		return projectEntity{}, err
	}
	heads, err := s.ci.Repo(p).Refs(c.Request.Context(), "refs/heads/", 1)
	if err != nil {
		return projectEntity{}, err
	}
	url := s.ci.URL() + "/" + p.FullPath
	e := projectEntity{
		ID: p.ID, Description: p.Description, Name: p.Name, NameWithNamespace: ns.Name + " / " + p.Name, Path: p.Path,
		PathWithNamespace: p.FullPath, CreatedAt: httpapi.Time(p.CreatedAt), UpdatedAt: httpapi.Time(p.UpdatedAt),
		LastActivityAt: httpapi.Time(p.UpdatedAt), DefaultBranch: p.DefaultBranch, TagList: []string{}, Topics: []string{}, HTTPURL: url + ".git",
		WebURL: url, Visibility: p.Visibility, EmptyRepo: len(heads) == 0, Archived: p.Archived, CreatorID: p.CreatorID, ImportStatus: "none",
		JobsEnabled: p.BuildsEnabled, BuildsAccessLevel: "enabled", SharedRunnersEnabled: p.SharedRunnersEnabled,
		GroupRunnersEnabled: p.GroupRunnersEnabled, CIConfigPath: p.CIConfigPath, GitDepth: p.GitDepth, BuildTimeout: p.BuildTimeout, PublicJobs: true,
		Namespace: namespace{ID: ns.ID, Name: ns.Name, Path: ns.Path, Kind: ns.Kind, FullPath: ns.FullPath, ParentID: ns.ParentID, WebURL: s.ci.URL() + "/" + ns.FullPath},
	}
	if !p.BuildsEnabled {
		e.BuildsAccessLevel = "disabled"
	}
	var level any
	if subject.Level > enum.NoAccess {
		level = gin.H{"access_level": min(subject.Level, enum.Owner), "notification_level": 3}
	}
	e.Permissions = gin.H{"project_access": level, "group_access": nil}
	return e, nil
}

func (s *Server) projectRoutes(r gin.IRouter) {
	r.GET("/projects", s.public(s.listProjects))
	r.POST("/projects", s.user(s.createProject))
	r.GET("/projects/:id", s.project(access.ReadProject, func(c *gin.Context, a access.Actor, p *models.Project) error {
		return s.renderProject(c, http.StatusOK, a, p)
	}))
	r.GET("/projects/:id/members", s.project(access.ReadProject, s.listMembers))
	r.POST("/projects/:id/members", s.project(access.AdminProject, s.addMember))
	r.PUT("/projects/:id/members/:user_id", s.project(access.AdminProject, s.addMember))
	r.DELETE("/projects/:id/members/:user_id", s.project(access.AdminProject, s.removeMember))
	r.POST("/projects/:id/runners/reset_registration_token", s.project(access.AdminProject, s.resetProjectRegistration))
}

func (s *Server) renderProject(c *gin.Context, status int, a access.Actor, p *models.Project) error {
	e, err := s.projectEntity(c, a, p)
	if err != nil {
		return err
	}
	c.JSON(status, e)
	return nil
}

func (s *Server) listProjects(c *gin.Context, a access.Actor) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	v := models.VisibleTo{}
	if a.User != nil {
		v = models.VisibleTo{UserID: a.User.ID, All: a.User.Admin}
	}
	var rows []*models.Project
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListProjects(v, c.Query("search"), p)
		return err
	})
	if err != nil {
		return err
	}
	out := []projectEntity{}
	for _, row := range rows {
		e, err := s.projectEntity(c, a, row)
		if err != nil {
			return err
		}
		out = append(out, e)
	}
	return s.list(c, p, total, out)
}

func (s *Server) createProject(c *gin.Context, a access.Actor) error {
	p, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	n := ci.NewProject{}
	visibility := ""
	for name, into := range map[string]*string{
		"path": &n.Path, "name": &n.Name, "description": &n.Description, "visibility": &visibility, "default_branch": &n.DefaultBranch,
	} {
		if *into, err = p.String(name); err != nil {
			return err
		}
	}
	if n.Path == "" && n.Name == "" {
		return &httpapi.ParamError{Text: "name, path are missing, at least one parameter must be provided"}
	}
	if n.Path == "" {
		n.Path = n.Name
	}
	if n.Visibility = enum.Visibility(visibility); visibility != "" && !n.Visibility.Valid() {
		return &httpapi.ParamError{Text: "visibility does not have a valid value"}
	}
	if n.NamespaceID, err = p.Int("namespace_id", 0); err != nil {
		return err
	}
	row, err := s.ci.CreateProject(c.Request.Context(), a, n)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Invalid {
		return httpapi.FieldErrors{"path": {f.Message}}
	}
	if err != nil {
		return err
	}
	return s.renderProject(c, http.StatusCreated, a, row)
}

type member struct {
	userBasic
	AccessLevel     enum.AccessLevel `json:"access_level"`
	CreatedAt       httpapi.Time     `json:"created_at"`
	ExpiresAt       *string          `json:"expires_at"`
	MembershipState string           `json:"membership_state"`
}

func (s *Server) memberEntity(m *models.Member, u *models.User) member {
	return member{userBasic: *s.basic(u), AccessLevel: m.AccessLevel, CreatedAt: httpapi.Time(m.CreatedAt), ExpiresAt: dateOf(m.ExpiresAt), MembershipState: "active"}
}

func (s *Server) listMembers(c *gin.Context, _ access.Actor, p *models.Project) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	out := []member{}
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) error {
		rows, n, err := tx.ProjectMembers(p.ID, pg)
		if err != nil {
			return err
		}
		total = n
		users, err := tx.Users(each(rows, func(m *models.Member) int64 { return m.UserID }))
		for _, m := range rows {
			if u := users[m.UserID]; u != nil {
				out = append(out, s.memberEntity(m, u))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.list(c, pg, total, out)
}

func (s *Server) addMember(c *gin.Context, a access.Actor, p *models.Project) error {
	params, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	userID, err := params.Int("user_id", 0)
	if err != nil {
		return err
	}
	if c.Param("user_id") != "" {
		if userID, err = id(c, "user_id", "Member"); err != nil {
			return err
		}
	}
	if userID == 0 {
		return &httpapi.ParamError{Text: "user_id, username are missing, at least one parameter must be provided"}
	}
	if !params.Has("access_level") {
		return &httpapi.ParamError{Text: "access_level is missing"}
	}
	level, err := params.Int("access_level", 0)
	if err != nil {
		return err
	}
	m := &models.Member{UserID: userID, ProjectID: &p.ID, AccessLevel: enum.AccessLevel(level)}
	if !m.AccessLevel.Valid() {
		return &httpapi.ParamError{Text: "access_level does not have a valid value"}
	}
	date, err := params.String("expires_at")
	if err != nil {
		return err
	}
	if date != "" {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return &httpapi.ParamError{Text: "expires_at is invalid"}
		}
		m.ExpiresAt = &at
	}
	var u *models.User
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		if u, err = tx.User(userID); err != nil {
			return missing(err, "User")
		}
		subject, err := access.SubjectOf(tx, a, p)
		if err != nil {
			return err
		}
		if m.AccessLevel > subject.Level {
			return fault.New(fault.Forbidden, "403 Forbidden - you cannot give a role above your own")
		}
		old, err := tx.ProjectMember(p.ID, userID)
		if err == nil && c.Request.Method == http.MethodPost {
			return fault.New(fault.Conflict, "Member already exists")
		}
		if err == nil && old.AccessLevel > subject.Level {
			return fault.New(fault.Forbidden, "403 Forbidden")
		}
		if err := tx.SetMember(m); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "member_set", EntityType: "project", EntityID: p.ID, Details: u.Username + " " + m.AccessLevel.String(), IPAddress: c.ClientIP()})
	})
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if c.Request.Method == http.MethodPut {
		status = http.StatusOK
	}
	c.JSON(status, s.memberEntity(m, u))
	return nil
}

func (s *Server) removeMember(c *gin.Context, a access.Actor, p *models.Project) error {
	userID, err := id(c, "user_id", "Member")
	if err != nil {
		return err
	}
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		m, err := tx.ProjectMember(p.ID, userID)
		if err != nil {
			return missing(err, "Member")
		}
		if err := tx.DeleteMember(m.ID); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "member_removed", EntityType: "project", EntityID: p.ID, IPAddress: c.ClientIP()})
	})
	if err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (s *Server) resetProjectRegistration(c *gin.Context, _ access.Actor, p *models.Project) error {
	token, err := s.ci.ResetRegistration(c.Request.Context(), p)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"token": token, "token_expires_at": nil})
	return nil
}
