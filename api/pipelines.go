package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type pipelineBasic struct {
	ID        int64        `json:"id"`
	IID       int64        `json:"iid"`
	ProjectID int64        `json:"project_id"`
	SHA       string       `json:"sha"`
	Ref       string       `json:"ref"`
	Status    enum.Status  `json:"status"`
	Source    enum.Source  `json:"source"`
	CreatedAt httpapi.Time `json:"created_at"`
	UpdatedAt httpapi.Time `json:"updated_at"`
	WebURL    string       `json:"web_url"`
}

type pipelineListed struct {
	pipelineBasic
	Name *string `json:"name"`
}

type pipelineDetail struct {
	pipelineListed
	BeforeSHA      string         `json:"before_sha"`
	Tag            bool           `json:"tag"`
	YAMLErrors     *string        `json:"yaml_errors"`
	User           *userBasic     `json:"user"`
	StartedAt      *httpapi.Time  `json:"started_at"`
	FinishedAt     *httpapi.Time  `json:"finished_at"`
	CommittedAt    *httpapi.Time  `json:"committed_at"`
	Duration       *int64         `json:"duration"`
	QueuedDuration *int64         `json:"queued_duration"`
	Coverage       *string        `json:"coverage"`
	DetailedStatus detailedStatus `json:"detailed_status"`
	Archived       bool           `json:"archived"`
}

type detailedStatus struct {
	Icon         string  `json:"icon"`
	Text         string  `json:"text"`
	Label        string  `json:"label"`
	Group        string  `json:"group"`
	Tooltip      string  `json:"tooltip"`
	HasDetails   bool    `json:"has_details"`
	DetailsPath  string  `json:"details_path"`
	Illustration *string `json:"illustration"`
	Favicon      string  `json:"favicon"`
}

var statusWords = map[enum.Status][4]string{ // icon, text, label, group
	enum.Created:            {"created", "Created", "created", "created"},
	enum.WaitingForResource: {"pending", "Waiting", "waiting for resource", "waiting-for-resource"},
	enum.Preparing:          {"preparing", "Preparing", "preparing", "preparing"},
	enum.WaitingForCallback: {"pending", "Waiting", "waiting for callback", "waiting-for-callback"},
	enum.Pending:            {"pending", "Pending", "pending", "pending"},
	enum.Running:            {"running", "Running", "running", "running"},
	enum.Success:            {"success", "Passed", "passed", "success"},
	enum.Failed:             {"failed", "Failed", "failed", "failed"},
	enum.Canceling:          {"canceled", "Canceling", "canceling", "canceling"},
	enum.Canceled:           {"canceled", "Canceled", "canceled", "canceled"},
	enum.Skipped:            {"skipped", "Skipped", "skipped", "skipped"},
	enum.Manual:             {"manual", "Blocked", "waiting for manual action", "manual"},
	enum.Scheduled:          {"scheduled", "Delayed", "waiting for delayed job", "scheduled"},
}

func (s *Server) basicPipeline(p *models.Pipeline, project *models.Project) pipelineBasic {
	return pipelineBasic{
		ID: p.ID, IID: p.IID, ProjectID: p.ProjectID, SHA: p.SHA, Ref: p.Ref, Status: p.Status, Source: p.Source,
		CreatedAt: httpapi.Time(p.CreatedAt), UpdatedAt: httpapi.Time(p.UpdatedAt),
		WebURL: fmt.Sprintf("%s/%s/-/pipelines/%d", s.ci.URL(), project.FullPath, p.ID),
	}
}

func (s *Server) renderPipeline(c *gin.Context, status int, p *models.Pipeline, project *models.Project) error {
	var u *models.User
	err := s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		if u, err = tx.User(p.UserID); errors.Is(err, models.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	words := statusWords[p.Status]
	d := pipelineDetail{
		pipelineListed: pipelineListed{pipelineBasic: s.basicPipeline(p, project)}, BeforeSHA: p.BeforeSHA, Tag: p.Tag, User: s.basic(u),
		StartedAt: httpapi.TimeOf(p.StartedAt), FinishedAt: httpapi.TimeOf(p.FinishedAt), Duration: p.Duration,
		DetailedStatus: detailedStatus{
			Icon: "status_" + words[0], Text: words[1], Label: words[2], Group: words[3], Tooltip: words[2], HasDetails: true,
			DetailsPath: fmt.Sprintf("/%s/-/pipelines/%d", project.FullPath, p.ID), Favicon: "/assets/status_" + words[0] + ".png",
		},
	}
	if p.YAMLErrors != "" {
		d.YAMLErrors = &p.YAMLErrors
	}
	if p.StartedAt != nil {
		q := int64(p.StartedAt.Sub(p.CreatedAt) / time.Second)
		d.QueuedDuration = &q
	}
	c.JSON(status, d)
	return nil
}

func (s *Server) pipelineRoutes(r gin.IRouter) {
	r.GET("/projects/:id/pipelines", s.project(access.ReadPipelines, s.listPipelines))
	r.POST("/projects/:id/pipeline", s.project(access.CreatePipeline, s.createPipeline))
	r.GET("/projects/:id/pipelines/:pipeline_id", s.pipeline(access.ReadPipelines, func(c *gin.Context, _ access.Actor, p *models.Project, pl *models.Pipeline) error {
		return s.renderPipeline(c, http.StatusOK, pl, p)
	}))
	r.GET("/projects/:id/pipelines/:pipeline_id/jobs", s.pipeline(access.ReadPipelines, s.pipelineJobs))
	r.POST("/projects/:id/pipelines/:pipeline_id/retry", s.pipeline(access.UpdateJob, func(c *gin.Context, a access.Actor, p *models.Project, pl *models.Pipeline) error {
		pl, err := s.ci.RetryPipeline(c.Request.Context(), a, pl.ID)
		if err != nil {
			return err
		}
		return s.renderPipeline(c, http.StatusCreated, pl, p)
	}))
	r.POST("/projects/:id/pipelines/:pipeline_id/cancel", s.pipeline(access.UpdateJob, func(c *gin.Context, a access.Actor, p *models.Project, pl *models.Pipeline) error {
		pl, err := s.ci.CancelPipeline(c.Request.Context(), a, pl.ID)
		if err != nil {
			return err
		}
		return s.renderPipeline(c, http.StatusOK, pl, p)
	}))
}

// pipeline finds the pipeline of :pipeline_id in its project.
func (s *Server) pipeline(ability access.Ability, h func(*gin.Context, access.Actor, *models.Project, *models.Pipeline) error) gin.HandlerFunc {
	return s.project(ability, func(c *gin.Context, a access.Actor, p *models.Project) error {
		n, err := id(c, "pipeline_id", "Pipeline")
		if err != nil {
			return err
		}
		var pl *models.Pipeline
		err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
			pl, err = tx.Pipeline(n)
			return err
		})
		if err == nil && pl.ProjectID != p.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return missing(err, "Pipeline")
		}
		return h(c, a, p, pl)
	})
}

func (s *Server) listPipelines(c *gin.Context, _ access.Actor, p *models.Project) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	f := models.PipelineFilter{Ref: c.Query("ref"), SHA: c.Query("sha"), Status: enum.Status(c.Query("status")), Source: enum.Source(c.Query("source"))}
	if f.Status != "" && !f.Status.Known() {
		return &httpapi.ParamError{Text: "status does not have a valid value"}
	}
	var rows []*models.Pipeline
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListPipelines(p.ID, f, pg)
		return err
	})
	if err != nil {
		return err
	}
	return s.list(c, pg, total, each(rows, func(pl *models.Pipeline) pipelineListed {
		return pipelineListed{pipelineBasic: s.basicPipeline(pl, p)}
	}))
}

func (s *Server) createPipeline(c *gin.Context, a access.Actor, p *models.Project) error {
	params, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	ref, err := params.Required("ref")
	if err != nil {
		return err
	}
	given, err := params.Objects("variables")
	if err != nil {
		return err
	}
	var vars []variable.Variable
	seen := map[string]bool{}
	for _, v := range given {
		if v["key"] == "" {
			return &httpapi.ParamError{Text: "variables[key] is missing"}
		}
		if seen[v["key"]] {
			return base("Duplicate variable name: " + v["key"])
		}
		seen[v["key"]] = true
		vars = append(vars, variable.Variable{Key: v["key"], Value: v["value"], File: v["variable_type"] == "file"})
	}
	pl, err := s.ci.CreatePipeline(c.Request.Context(), ci.PipelineRequest{Project: p, Actor: a, Source: enum.SourceAPI, Ref: ref, Variables: vars})
	var broken *ci.ConfigError
	var refused *plan.Refusal
	var f *fault.Error
	switch {
	case errors.As(err, &broken):
		return base(broken.Error())
	case errors.As(err, &refused):
		return base(refused.Text)
	case errors.As(err, &f) && (f.Kind == fault.Invalid || f.Kind == fault.Forbidden):
		return base(f.Message)
	case err != nil:
		return err
	}
	return s.renderPipeline(c, http.StatusCreated, pl, p)
}

// base is GitLab's shape for what is wrong with the whole of a thing.
func base(text string) error { return httpapi.FieldErrors{"base": {text}} }

func (s *Server) pipelineJobs(c *gin.Context, _ access.Actor, p *models.Project, pl *models.Pipeline) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	var rows []*models.Job
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, err = tx.PipelineJobs(pl.ID, c.Query("include_retried") == "true")
		return err
	})
	if err != nil {
		return err
	}
	total := int64(len(rows))
	from := min(len(rows), (pg.Number-1)*pg.PerPage)
	rows = rows[from:min(len(rows), from+pg.PerPage)]
	entities, err := s.jobEntities(c, p, rows)
	if err != nil {
		return err
	}
	return s.list(c, pg, total, entities)
}
