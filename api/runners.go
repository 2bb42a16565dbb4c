package api

import (
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

type runnerEntity struct {
	ID                 int64           `json:"id"`
	Description        string          `json:"description"`
	IPAddress          *string         `json:"ip_address"`
	Active             bool            `json:"active"`
	Paused             bool            `json:"paused"`
	IsShared           bool            `json:"is_shared"`
	RunnerType         enum.RunnerType `json:"runner_type"`
	Name               *string         `json:"name"`
	Online             *bool           `json:"online"`
	CreatedAt          httpapi.Time    `json:"created_at"`
	Status             string          `json:"status"`
	JobExecutionStatus string          `json:"job_execution_status"`
}

type runnerDetails struct {
	runnerEntity
	TagList         []string      `json:"tag_list"`
	RunUntagged     bool          `json:"run_untagged"`
	Locked          bool          `json:"locked"`
	MaximumTimeout  *int          `json:"maximum_timeout"`
	AccessLevel     string        `json:"access_level"`
	Version         *string       `json:"version"`
	Revision        *string       `json:"revision"`
	Platform        *string       `json:"platform"`
	Architecture    *string       `json:"architecture"`
	ContactedAt     *httpapi.Time `json:"contacted_at"`
	MaintenanceNote *string       `json:"maintenance_note"`
	Projects        []any         `json:"projects"`
	Groups          []any         `json:"groups"`
}

// onlineFor is how long after its last contact a runner counts as online.
const onlineFor = 2 * time.Hour

func (s *Server) runnerEntity(r *models.Runner, latest *models.RunnerManager) runnerEntity {
	e := runnerEntity{
		ID: r.ID, Description: r.Description, Active: r.Active, Paused: !r.Active, IsShared: r.Type == enum.InstanceRunner, RunnerType: r.Type,
		CreatedAt: httpapi.Time(r.CreatedAt), Status: "never_contacted", JobExecutionStatus: "idle",
	}
	if latest != nil && latest.ContactedAt != nil {
		online := s.ci.DB().Now().Sub(*latest.ContactedAt) < onlineFor
		e.Online, e.Status = &online, "offline"
		if online {
			e.Status = "online"
		}
	}
	return e
}

func (s *Server) runnerRoutes(r gin.IRouter) {
	r.POST("/user/runners", s.user(s.createRunner))
	r.GET("/runners/all", s.admin(func(c *gin.Context, _ access.Actor) error { return s.runnersOf(c, 0) }))
	r.GET("/projects/:id/runners", s.project(access.AdminProject, func(c *gin.Context, a access.Actor, p *models.Project) error {
		return s.runnersOf(c, p.ID)
	}))
	r.GET("/runners/:id", s.runner(s.getRunner))
	r.PUT("/runners/:id", s.runner(s.updateRunner))
	r.DELETE("/runners/:id", s.runner(func(c *gin.Context, _ access.Actor, r *models.Runner) error {
		if err := s.ci.RemoveRunner(c.Request.Context(), r.ID); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}))
	r.POST("/runners/:id/reset_authentication_token", s.runner(func(c *gin.Context, _ access.Actor, r *models.Runner) error {
		_, token, err := s.ci.ResetToken(c.Request.Context(), r.ID)
		if err != nil {
			return err
		}
		c.JSON(http.StatusCreated, gin.H{"token": token, "token_expires_at": nil})
		return nil
	}))
	r.POST("/runners/reset_registration_token", s.admin(func(c *gin.Context, _ access.Actor) error {
		token, err := s.ci.ResetRegistration(c.Request.Context(), nil)
		if err != nil {
			return err
		}
		c.JSON(http.StatusCreated, gin.H{"token": token, "token_expires_at": nil})
		return nil
	}))
}

func (s *Server) runnersOf(c *gin.Context, projectID int64) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	out := []runnerEntity{}
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) error {
		rows, n, err := tx.ListRunners(projectID, pg)
		if err != nil {
			return err
		}
		total = n
		for _, r := range rows {
			managers, err := tx.Managers(r.ID)
			if err != nil {
				return err
			}
			out = append(out, s.runnerEntity(r, latest(managers)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.list(c, pg, total, out)
}

func latest(managers []*models.RunnerManager) *models.RunnerManager {
	var out *models.RunnerManager
	for _, m := range managers {
		if m.ContactedAt != nil && (out == nil || m.ContactedAt.After(*out.ContactedAt)) {
			out = m
		}
	}
	return out
}

// runner finds the runner of :id for somebody who administers it: an administrator, or a maintainer of a
// project that it works for.
func (s *Server) runner(h func(*gin.Context, access.Actor, *models.Runner) error) gin.HandlerFunc {
	return s.user(func(c *gin.Context, a access.Actor) error {
		n, err := id(c, "id", "Runner")
		if err != nil {
			return err
		}
		var r *models.Runner
		allowed := access.Allowed(a, access.AdminInstance, access.Subject{})
		err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
			if r, err = tx.Runner(n); err != nil || allowed {
				return err
			}
			projects, err := tx.RunnerProjects(n)
			for _, id := range projects {
				p, err := tx.Project(id)
				if err != nil {
					return err
				}
				subject, err := access.SubjectOf(tx, a, p)
				if err != nil {
					return err
				}
				allowed = allowed || access.Allowed(a, access.AdminProject, subject)
			}
			return err
		})
		if err != nil {
			return missing(err, "Runner")
		}
		if !allowed {
			return fault.New(fault.Forbidden, "403 Forbidden - No access granted")
		}
		return h(c, a, r)
	})
}

func (s *Server) getRunner(c *gin.Context, _ access.Actor, r *models.Runner) error {
	var managers []*models.RunnerManager
	err := s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		managers, err = tx.Managers(r.ID)
		return err
	})
	if err != nil {
		return err
	}
	m := latest(managers)
	d := runnerDetails{
		runnerEntity: s.runnerEntity(r, m), TagList: r.Tags, RunUntagged: r.RunUntagged, Locked: r.Locked, AccessLevel: "not_protected",
		Projects: []any{}, Groups: []any{},
	}
	if r.MaximumTimeout > 0 {
		d.MaximumTimeout = &r.MaximumTimeout
	}
	if r.RefProtected {
		d.AccessLevel = "ref_protected"
	}
	if r.MaintenanceNote != "" {
		d.MaintenanceNote = &r.MaintenanceNote
	}
	if m != nil {
		d.Version, d.Revision, d.Platform, d.Architecture = &m.Version, &m.Revision, &m.Platform, &m.Architecture
		d.ContactedAt = httpapi.TimeOf(m.ContactedAt)
	}
	c.JSON(http.StatusOK, d)
	return nil
}

// settings reads what a runner may be given, over what it has.
func settings(p httpapi.Params, r ci.RunnerSettings) (ci.RunnerSettings, error) {
	var err error
	texts := map[string]*string{"description": &r.Description, "maintenance_note": &r.MaintenanceNote}
	for name, into := range texts {
		if p.Has(name) {
			if *into, err = p.String(name); err != nil {
				return r, err
			}
		}
	}
	for name, into := range map[string]*bool{"paused": &r.Paused, "locked": &r.Locked, "run_untagged": &r.RunUntagged} {
		if *into, err = p.Bool(name, *into); err != nil {
			return r, err
		}
	}
	active, err := p.Bool("active", !r.Paused)
	if err != nil {
		return r, err
	}
	r.Paused = !active
	level, err := p.String("access_level")
	if err != nil {
		return r, err
	}
	if level != "" {
		if level != "not_protected" && level != "ref_protected" {
			return r, &httpapi.ParamError{Text: "access_level does not have a valid value"}
		}
		r.RefProtected = level == "ref_protected"
	}
	timeout, err := p.Int("maximum_timeout", int64(r.MaximumTimeout))
	if err != nil {
		return r, err
	}
	r.MaximumTimeout = int(timeout)
	if p.Has("tag_list") {
		r.Tags, err = p.List("tag_list")
	}
	return r, err
}

func (s *Server) createRunner(c *gin.Context, a access.Actor) error {
	p, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	typ, err := p.Required("runner_type")
	if err != nil {
		return err
	}
	set, err := settings(p, ci.RunnerSettings{RunUntagged: true})
	if err != nil {
		return err
	}
	var projectID int64
	switch enum.RunnerType(typ) {
	case enum.InstanceRunner, enum.GroupRunner:
		if !access.Allowed(a, access.AdminInstance, access.Subject{}) {
			return fault.New(fault.Forbidden, "403 Forbidden")
		}
	case enum.ProjectRunner:
		id, err := p.Required("project_id")
		if err != nil {
			return err
		}
		project, _, err := s.ci.FindProject(c.Request.Context(), a, id, access.AdminProject)
		if err != nil {
			return err
		}
		projectID = project.ID
	default:
		return &httpapi.ParamError{Text: "runner_type does not have a valid value"}
	}
	groupID, err := p.Int("group_id", 0)
	if err != nil {
		return err
	}
	if enum.RunnerType(typ) == enum.GroupRunner && groupID == 0 {
		return &httpapi.ParamError{Text: "group_id is missing"}
	}
	row, token, err := s.ci.CreateRunner(c.Request.Context(), enum.RunnerType(typ), groupID, projectID, a.User, set)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"id": row.ID, "token": token, "token_expires_at": nil})
	return nil
}

func (s *Server) updateRunner(c *gin.Context, a access.Actor, r *models.Runner) error {
	p, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	set, err := settings(p, ci.RunnerSettings{
		Description: r.Description, MaintenanceNote: r.MaintenanceNote, Paused: !r.Active, Locked: r.Locked, RunUntagged: r.RunUntagged,
		RefProtected: r.RefProtected, MaximumTimeout: r.MaximumTimeout, Tags: r.Tags,
	})
	if err != nil {
		return err
	}
	row, err := s.ci.UpdateRunner(c.Request.Context(), r.ID, set)
	if err != nil {
		return err
	}
	return s.getRunner(c, a, row)
}
