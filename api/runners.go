package api

import (
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
	CreatedBy          *userBasic      `json:"created_by"`
	CreatedAt          httpapi.Time    `json:"created_at"`
	Status             string          `json:"status"`
	JobExecutionStatus string          `json:"job_execution_status"`
}

type runnerDetails struct {
	runnerEntity
	TagList         []string        `json:"tag_list"`
	RunUntagged     bool            `json:"run_untagged"`
	Locked          bool            `json:"locked"`
	MaximumTimeout  *int            `json:"maximum_timeout"`
	AccessLevel     string          `json:"access_level"`
	Version         *string         `json:"version"`
	Revision        *string         `json:"revision"`
	Platform        *string         `json:"platform"`
	Architecture    *string         `json:"architecture"`
	ContactedAt     *httpapi.Time   `json:"contacted_at"`
	MaintenanceNote *string         `json:"maintenance_note"`
	Projects        *[]basicProject `json:"projects,omitempty"` // left out if not asked for
	Groups          []gin.H         `json:"groups"`
}

type managerEntity struct {
	ID                 int64         `json:"id"`
	SystemID           string        `json:"system_id"`
	Version            *string       `json:"version"`
	Revision           *string       `json:"revision"`
	Platform           *string       `json:"platform"`
	Architecture       *string       `json:"architecture"`
	CreatedAt          httpapi.Time  `json:"created_at"`
	ContactedAt        *httpapi.Time `json:"contacted_at"`
	IPAddress          *string       `json:"ip_address"`
	Status             string        `json:"status"`
	JobExecutionStatus string        `json:"job_execution_status"`
}

func execution(busy bool) string {
	if busy {
		return "active"
	}
	return "idle"
}

func (s *Server) managerOf(m *models.RunnerManager, busy bool) managerEntity {
	return managerEntity{
		ID: m.ID, SystemID: m.SystemID, Version: given(m.Version), Revision: given(m.Revision), Platform: given(m.Platform),
		Architecture: given(m.Architecture), CreatedAt: httpapi.Time(m.CreatedAt), ContactedAt: httpapi.TimeOf(m.ContactedAt),
		IPAddress: given(m.IPAddress), Status: models.ContactStatus(m.ContactedAt, m.CreatedAt, s.ci.DB().Now()), JobExecutionStatus: execution(busy),
	}
}

// runners renders runners: one query each for their machines, their jobs and who made them.
func (s *Server) runners(tx *models.Tx, rows []*models.Runner) ([]runnerEntity, error) {
	ids := each(rows, func(r *models.Runner) int64 { return r.ID })
	managers, err := tx.ManagersOf(ids)
	if err != nil {
		return nil, err
	}
	busy, _, err := tx.BusyRunners(ids)
	if err != nil {
		return nil, err
	}
	var makers []int64
	for _, r := range rows {
		if r.CreatorID != nil {
			makers = append(makers, *r.CreatorID)
		}
	}
	users := map[int64]*models.User{}
	if len(makers) > 0 {
		users, err = tx.Users(makers)
	}
	return each(rows, func(r *models.Runner) runnerEntity {
		e := s.runnerOf(r, latest(managers[r.ID]), busy[r.ID])
		if r.CreatorID != nil {
			e.CreatedBy = s.basic(users[*r.CreatorID])
		}
		return e
	}), err
}

func (s *Server) runnerOf(r *models.Runner, m *models.RunnerManager, busy bool) runnerEntity {
	e := runnerEntity{
		ID: r.ID, Description: r.Description, Active: r.Active, Paused: !r.Active, IsShared: r.Type == enum.InstanceRunner, RunnerType: r.Type,
		CreatedAt: httpapi.Time(r.CreatedAt), JobExecutionStatus: execution(busy),
	}
	var contact *time.Time
	if m != nil {
		contact = m.ContactedAt
	}
	e.Status = models.ContactStatus(contact, r.CreatedAt, s.ci.DB().Now())
	if contact != nil {
		online := e.Status == "online"
		e.Online = &online
	}
	if !r.Active {
		e.Status = "paused"
	}
	return e
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

// inRunner finds the runner of :id. Those who administer it may do anything with it; an instance runner is
// read by everybody who is signed in.
func inRunner(a access.Ability, read bool) place {
	return user(a).within(func(c *call) error {
		n, err := c.id("id", "Runner")
		if err != nil {
			return err
		}
		var allowed bool
		err = c.read(func(tx *models.Tx) (err error) {
			c.runner, allowed, err = c.s.ci.FindRunner(tx, c.actor, n)
			return err
		})
		if err != nil {
			return missing(err, "Runner")
		}
		if !allowed && !(read && c.runner.Type == enum.InstanceRunner) {
			return fault.New(fault.Forbidden, "403 Forbidden - No access granted")
		}
		return nil
	})
}

func (s *Server) runnerRoutes(r routes) {
	r.post("/user/runners", user(access.CreateRunner), with(s.createRunner))
	r.get("/runners", user(access.ReadOwn), with(func(c *call, p *runnerList) (any, error) {
		f := p.filter()
		f.AdminedBy = c.actor.ID()
		if c.actor.Admin() {
			f.AdminedBy = 0
		}
		return s.listRunners(c, p, f)
	}))
	r.get("/runners/all", user(access.AdminInstance), with(func(c *call, p *runnerList) (any, error) { return s.listRunners(c, p, p.filter()) }))
	r.get("/projects/:id/runners", project(access.AdminRunners), with(s.projectRunners))
	r.post("/projects/:id/runners", project(access.AdminRunners), with(s.assignRunner))
	r.delete("/projects/:id/runners/:runner_id", project(access.AdminRunners), s.unassignRunner)
	r.get("/groups/:id/runners", group(access.ReadGroupRunners), with(s.groupRunners))
	r.get("/runners/:id", inRunner(access.ReadRunner, true), with(s.getRunner))
	r.put("/runners/:id", inRunner(access.ManageRunner, false), with(s.updateRunner))
	r.delete("/runners/:id", inRunner(access.ManageRunner, false), func(c *call) (any, error) {
		return nil, s.ci.RemoveRunner(c.ctx(), c.actor, c.runner)
	})
	r.get("/runners/:id/jobs", inRunner(access.ReadRunner, false), with(s.runnerJobs))
	r.get("/runners/:id/managers", inRunner(access.ReadRunner, true), s.runnerManagers)
	r.get("/runners/:id/projects", inRunner(access.ReadRunner, true), with(s.runnerProjects))
	r.post("/runners/:id/reset_authentication_token", inRunner(access.ManageRunner, false), func(c *call) (any, error) {
		_, token, err := s.ci.ResetToken(c.ctx(), c.runner.ID)
		return gin.H{"token": token, "token_expires_at": nil}, err
	})
	r.post("/runners/reset_registration_token", user(access.AdminInstance), func(c *call) (any, error) {
		token, err := s.ci.ResetRegistration(c.ctx(), nil)
		return gin.H{"token": token, "token_expires_at": nil}, err
	})
	r.post("/groups/:id/runners/reset_registration_token", group(access.AdminGroupRunners), func(c *call) (any, error) {
		token, err := s.ci.ResetGroupRegistration(c.ctx(), c.group.ID)
		return gin.H{"token": token, "token_expires_at": nil}, err
	})
}

type runnerList struct {
	httpapi.Page
	Type          string   `param:"type" values:"instance_type group_type project_type"`
	Status        string   `param:"status" values:"active paused online offline never_contacted stale"`
	Scope         string   `param:"scope" values:"active paused online offline specific shared instance_type group_type project_type"`
	Paused        *bool    `param:"paused"`
	Tags          []string `param:"tag_list"`
	VersionPrefix string   `param:"version_prefix"`
}

func (p *runnerList) filter() models.RunnerFilter {
	f := models.RunnerFilter{Type: enum.RunnerType(p.Type), Paused: p.Paused, Tags: p.Tags, VersionPrefix: p.VersionPrefix}
	for _, word := range []string{p.Scope, p.Status} {
		switch word {
		case "active", "paused":
			paused := word == "paused"
			f.Paused = &paused
		case "online", "offline", "never_contacted", "stale":
			f.Status = word
		case "shared", "instance_type":
			f.Type = enum.InstanceRunner
		case "specific", "project_type":
			f.Type = enum.ProjectRunner
		case "group_type":
			f.Type = enum.GroupRunner
		}
	}
	return f
}

func (s *Server) listRunners(c *call, p *runnerList, f models.RunnerFilter) (any, error) {
	page := pageOf(p.Page)
	page.Descending = true
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListRunners(f, page)
		if err != nil {
			return err
		}
		entities, err := s.runners(tx, rows)
		out = paged(entities, p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) projectRunners(c *call, p *runnerList) (any, error) {
	f := p.filter()
	f.ProjectID = c.project.ID
	err := c.read(func(tx *models.Tx) (err error) {
		f.NamespaceIDs, err = tx.NamespacePath(c.project)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.listRunners(c, p, f)
}

func (s *Server) groupRunners(c *call, p *runnerList) (any, error) {
	f := p.filter()
	f.NamespaceIDs = c.group.Ancestry()
	return s.listRunners(c, p, f)
}

func (s *Server) getRunner(c *call, p *struct {
	Projects *bool `param:"include_projects"`
},
) (any, error) {
	return s.renderRunner(c, c.runner, p.Projects == nil || *p.Projects)
}

func (s *Server) renderRunner(c *call, r *models.Runner, withProjects bool) (any, error) {
	d := runnerDetails{TagList: append([]string{}, r.Tags...), RunUntagged: r.RunUntagged, Locked: r.Locked, AccessLevel: "not_protected", Groups: []gin.H{}}
	if r.MaximumTimeout > 0 {
		d.MaximumTimeout = &r.MaximumTimeout
	}
	if r.RefProtected {
		d.AccessLevel = "ref_protected"
	}
	d.MaintenanceNote = given(r.MaintenanceNote)
	err := c.read(func(tx *models.Tx) error {
		entities, err := s.runners(tx, []*models.Runner{r})
		if err != nil {
			return err
		}
		d.runnerEntity = entities[0]
		managers, err := tx.ManagersOf([]int64{r.ID})
		if err != nil {
			return err
		}
		if m := latest(managers[r.ID]); m != nil {
			d.Version, d.Revision, d.Platform, d.Architecture = given(m.Version), given(m.Revision), given(m.Platform), given(m.Architecture)
			d.ContactedAt = httpapi.TimeOf(m.ContactedAt)
		}
		if r.NamespaceID != nil {
			g, err := tx.Namespace(*r.NamespaceID)
			if err != nil {
				return err
			}
			d.Groups = append(d.Groups, gin.H{"id": g.ID, "web_url": s.ci.URL() + "/groups/" + g.FullPath, "name": g.Name})
		}
		if withProjects {
			rows, err := s.projectsOfRunner(tx, c, r)
			d.Projects = &rows
			return err
		}
		return nil
	})
	return d, err
}

// projectsOfRunner lists the projects of a runner that the caller may see.
func (s *Server) projectsOfRunner(tx *models.Tx, c *call, r *models.Runner) ([]basicProject, error) {
	ids, err := tx.RunnerProjects(r.ID)
	if err != nil {
		return nil, err
	}
	rows, _, err := tx.ListProjects(c.visible(), models.ProjectFilter{IDs: append([]int64{0}, ids...)}, models.Page{PerPage: 100})
	if err != nil {
		return nil, err
	}
	spaces, err := tx.NamespacesByID(each(rows, func(p *models.Project) int64 { return p.NamespaceID }))
	return each(rows, func(p *models.Project) basicProject { return s.basicProject(p, spaces[p.NamespaceID]) }), err
}

func (s *Server) runnerProjects(c *call, p *struct{ httpapi.Page }) (any, error) {
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, err := s.projectsOfRunner(tx, c, c.runner)
		out = sliced(rows, p.Page)
		return err
	})
	return out, err
}

func (s *Server) runnerManagers(c *call) (any, error) {
	out := []managerEntity{}
	err := c.read(func(tx *models.Tx) error {
		found, err := tx.ManagersOf([]int64{c.runner.ID})
		if err != nil {
			return err
		}
		_, busy, err := tx.BusyRunners([]int64{c.runner.ID})
		for _, m := range found[c.runner.ID] {
			out = append(out, s.managerOf(m, busy[m.ID]))
		}
		return err
	})
	return out, err
}

type runnerJobList struct {
	httpapi.Page
	Status   string `param:"status" values:"created waiting_for_resource preparing waiting_for_callback pending running success failed canceling canceled skipped manual scheduled"`
	SystemID string `param:"system_id"`
	OrderBy  string `param:"order_by" values:"id"`
	Sort     string `param:"sort" values:"asc desc"`
}

// runnerJobs lists the jobs of a runner, from whatever project, as far as the caller may see those.
func (s *Server) runnerJobs(c *call, p *runnerJobList) (any, error) {
	page, err := jobPages(p.Page)
	if err != nil {
		return nil, err
	}
	page.Descending = p.Sort != "asc"
	f := models.JobFilter{RunnerID: c.runner.ID}
	if p.Status != "" {
		f.Statuses = []enum.Status{enum.Status(p.Status)}
	}
	var rows []*models.Job
	projects := map[int64]*models.Project{}
	spaces := map[int64]*models.Namespace{}
	err = c.read(func(tx *models.Tx) error {
		if p.SystemID != "" {
			m, err := tx.Manager(c.runner.ID, p.SystemID)
			if err != nil {
				return missing(err, "Runner Manager")
			}
			f.ManagerID = m.ID
		}
		if rows, _, err = tx.ListJobs(f, page); err != nil || len(rows) == 0 {
			return err
		}
		seen, _, err := tx.ListProjects(c.visible(), models.ProjectFilter{IDs: each(rows, func(j *models.Job) int64 { return j.ProjectID })}, models.Page{PerPage: 100})
		if err != nil {
			return err
		}
		levels, err := tx.AccessLevels(c.actor.ID(), seen)
		if err != nil {
			return err
		}
		var ids []int64
		for _, pr := range seen {
			if !access.Allowed(c.actor, access.ReadJob, access.Subject{Project: pr, Level: levels[pr.ID].Level()}) {
				continue // who sees a project may not see its jobs for that
			}
			projects[pr.ID] = pr
			ids = append(ids, pr.NamespaceID)
		}
		spaces, err = tx.NamespacesByID(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	a, err := s.around(c, nil, rows)
	if err != nil {
		return nil, err
	}
	entities := []jobBasic{}
	for _, j := range rows {
		if pr := projects[j.ProjectID]; pr != nil {
			e := s.basicJob(j, pr, a)
			e.Project = s.basicProject(pr, spaces[pr.NamespaceID]).projectIdentity
			entities = append(entities, e)
		}
	}
	out := uncounted(entities, p.Page, page, func() int64 { return rows[len(rows)-1].ID })
	out.total.More = len(rows) == p.PerPage()
	return out, nil
}

// runnerParams are what a runner may be given.
type runnerParams struct {
	Description     *string  `param:"description"`
	MaintenanceNote *string  `param:"maintenance_note"`
	Paused          *bool    `param:"paused"`
	Active          *bool    `param:"active"`
	Locked          *bool    `param:"locked"`
	RunUntagged     *bool    `param:"run_untagged"`
	Tags            []string `param:"tag_list"`
	AccessLevel     *string  `param:"access_level" values:"not_protected ref_protected"`
	MaximumTimeout  *int     `param:"maximum_timeout,nullable"`
	_               struct{} `either:"paused active"`
}

func (p *runnerParams) over(r ci.RunnerSettings) ci.RunnerSettings {
	keep(&r.Description, p.Description)
	keep(&r.MaintenanceNote, p.MaintenanceNote)
	keep(&r.Paused, p.Paused)
	keep(&r.Locked, p.Locked)
	keep(&r.RunUntagged, p.RunUntagged)
	keep(&r.MaximumTimeout, p.MaximumTimeout)
	if p.Active != nil {
		r.Paused = !*p.Active
	}
	if p.Tags != nil {
		r.Tags = p.Tags
	}
	if p.AccessLevel != nil {
		r.RefProtected = *p.AccessLevel == "ref_protected"
	}
	return r
}

func (s *Server) createRunner(c *call, p *struct {
	Type      string `param:"runner_type,required" values:"instance_type group_type project_type"`
	GroupID   int64  `param:"group_id"`
	ProjectID int64  `param:"project_id"`
	runnerParams
},
) (any, error) {
	typ := enum.RunnerType(p.Type)
	switch {
	case typ == enum.GroupRunner && p.GroupID == 0:
		return nil, &httpapi.ParamError{Text: "group_id is missing"}
	case typ == enum.ProjectRunner && p.ProjectID == 0:
		return nil, &httpapi.ParamError{Text: "project_id is missing"}
	}
	row, token, err := s.ci.NewRunner(c.ctx(), c.actor, typ, p.GroupID, p.ProjectID, p.over(ci.RunnerSettings{RunUntagged: true}))
	if err != nil {
		return nil, err
	}
	return gin.H{"id": row.ID, "token": token, "token_expires_at": nil}, nil
}

func (s *Server) updateRunner(c *call, p *struct {
	runnerParams
	_ struct{} `oneof:"description paused active tag_list run_untagged locked access_level maximum_timeout maintenance_note"`
},
) (any, error) {
	r := c.runner
	row, err := s.ci.UpdateRunner(c.ctx(), r.ID, p.over(ci.RunnerSettings{
		Description: r.Description, MaintenanceNote: r.MaintenanceNote, Paused: !r.Active, Locked: r.Locked, RunUntagged: r.RunUntagged,
		RefProtected: r.RefProtected, MaximumTimeout: r.MaximumTimeout, Tags: r.Tags,
	}))
	if err != nil {
		return nil, err
	}
	return s.renderRunner(c, row, true)
}

func (s *Server) assignRunner(c *call, p *struct {
	RunnerID int64 `param:"runner_id,required"`
},
) (any, error) {
	r, err := s.ci.AssignRunner(c.ctx(), c.actor, p.RunnerID, c.project)
	if err != nil {
		return nil, err
	}
	var out []runnerEntity
	err = c.read(func(tx *models.Tx) (err error) {
		out, err = s.runners(tx, []*models.Runner{r})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (s *Server) unassignRunner(c *call) (any, error) {
	n, err := c.id("runner_id", "Runner")
	if err != nil {
		return nil, err
	}
	return nil, s.ci.UnassignRunner(c.ctx(), c.actor, n, c.project)
}
