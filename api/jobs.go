package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type artifactEntity struct {
	FileType   string `json:"file_type"`
	Size       int64  `json:"size"`
	Filename   string `json:"filename"`
	FileFormat string `json:"file_format"`
}

type artifactsFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

type jobEntity struct {
	ID                int64              `json:"id"`
	Status            enum.Status        `json:"status"`
	Stage             string             `json:"stage"`
	Name              string             `json:"name"`
	Ref               string             `json:"ref"`
	Tag               bool               `json:"tag"`
	Coverage          *float64           `json:"coverage"`
	AllowFailure      bool               `json:"allow_failure"`
	CreatedAt         httpapi.Time       `json:"created_at"`
	StartedAt         *httpapi.Time      `json:"started_at"`
	FinishedAt        *httpapi.Time      `json:"finished_at"`
	ErasedAt          *httpapi.Time      `json:"erased_at"`
	Duration          *float64           `json:"duration"`
	QueuedDuration    *float64           `json:"queued_duration"`
	User              *user              `json:"user"`
	Commit            *commit            `json:"commit"`
	Pipeline          pipelineBasic      `json:"pipeline"`
	FailureReason     enum.FailureReason `json:"failure_reason,omitempty"`
	WebURL            string             `json:"web_url"`
	Project           gin.H              `json:"project"`
	ArtifactsFile     *artifactsFile     `json:"artifacts_file,omitempty"`
	Artifacts         []artifactEntity   `json:"artifacts"`
	Runner            *runnerEntity      `json:"runner"`
	RunnerManager     any                `json:"runner_manager"`
	ArtifactsExpireAt *httpapi.Time      `json:"artifacts_expire_at"`
	Archived          bool               `json:"archived"`
	TagList           []string           `json:"tag_list"`
}

type commit struct {
	ID      string `json:"id"`
	ShortID string `json:"short_id"`
	Title   string `json:"title"`
	WebURL  string `json:"web_url"`
}

func seconds(from, to *time.Time, now time.Time) *float64 {
	if from == nil {
		return nil
	}
	end := now
	if to != nil {
		end = *to
	}
	v := end.Sub(*from).Seconds()
	return &v
}

// jobEntities renders jobs of one project, with what belongs to them read in a few queries.
func (s *Server) jobEntities(c *gin.Context, p *models.Project, rows []*models.Job) ([]jobEntity, error) {
	pipelines := map[int64]*models.Pipeline{}
	runners := map[int64]*models.Runner{}
	var users map[int64]*models.User
	var artifacts []*models.Artifact
	err := s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		for _, j := range rows {
			if pipelines[j.PipelineID] == nil {
				if pipelines[j.PipelineID], err = tx.Pipeline(j.PipelineID); err != nil {
					return err
				}
			}
			if j.RunnerID != nil && runners[*j.RunnerID] == nil {
				if r, err := tx.Runner(*j.RunnerID); err == nil {
					runners[*j.RunnerID] = r
				}
			}
		}
		if users, err = tx.Users(each(rows, func(j *models.Job) int64 { return j.UserID })); err != nil {
			return err
		}
		artifacts, err = tx.Artifacts(each(rows, func(j *models.Job) int64 { return j.ID })...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return each(rows, func(j *models.Job) jobEntity {
		e := s.jobEntity(j, p, pipelines[j.PipelineID], users[j.UserID], artifacts)
		if j.RunnerID != nil && runners[*j.RunnerID] != nil {
			r := s.runnerEntity(runners[*j.RunnerID], nil)
			e.Runner = &r
		}
		return e
	}), nil
}

func (s *Server) jobEntity(j *models.Job, p *models.Project, pl *models.Pipeline, u *models.User, artifacts []*models.Artifact) jobEntity {
	status := j.Status
	e := jobEntity{
		ID: j.ID, Status: status, Stage: j.Stage, Name: j.Name, Ref: pl.Ref, Tag: pl.Tag, AllowFailure: j.AllowFailure,
		CreatedAt: httpapi.Time(j.CreatedAt), StartedAt: httpapi.TimeOf(j.StartedAt), FinishedAt: httpapi.TimeOf(j.FinishedAt),
		ErasedAt: httpapi.TimeOf(j.ErasedAt), Duration: seconds(j.StartedAt, j.FinishedAt, s.ci.DB().Now()), User: s.fullUser(u),
		QueuedDuration: seconds(j.QueuedAt, j.StartedAt, s.ci.DB().Now()), Pipeline: s.basicPipeline(pl, p),
		Commit:  &commit{ID: pl.SHA, ShortID: pl.SHA[:8], Title: pl.CommitTitle, WebURL: fmt.Sprintf("%s/%s/-/commit/%s", s.ci.URL(), p.FullPath, pl.SHA)},
		WebURL:  fmt.Sprintf("%s/%s/-/jobs/%d", s.ci.URL(), p.FullPath, j.ID),
		Project: gin.H{"ci_job_token_scope_enabled": false}, Artifacts: []artifactEntity{}, TagList: append([]string{}, j.Tags...), Archived: p.Archived,
	}
	slices.Sort(e.TagList)
	if j.Status == enum.Failed {
		e.FailureReason = j.FailureReason
	}
	if j.TraceSize > 0 {
		e.Artifacts = append(e.Artifacts, artifactEntity{FileType: "trace", Size: j.TraceSize, Filename: "job.log", FileFormat: "raw"})
	}
	for _, a := range artifacts {
		if a.JobID != j.ID {
			continue
		}
		e.Artifacts = append(e.Artifacts, artifactEntity{FileType: a.Type, Size: a.Size, Filename: a.Filename, FileFormat: a.Format})
		if a.Type == "archive" {
			e.ArtifactsFile = &artifactsFile{Filename: a.Filename, Size: a.Size}
			e.ArtifactsExpireAt = httpapi.TimeOf(a.ExpireAt)
		}
	}
	return e
}

func (s *Server) renderJob(c *gin.Context, status int, p *models.Project, j *models.Job) error {
	e, err := s.jobEntities(c, p, []*models.Job{j})
	if err != nil {
		return err
	}
	c.JSON(status, e[0])
	return nil
}

func (s *Server) jobRoutes(r gin.IRouter) {
	r.GET("/projects/:id/jobs", s.project(access.ReadPipelines, s.listJobs))
	r.GET("/projects/:id/jobs/:job_id", s.job(access.ReadPipelines, func(c *gin.Context, _ access.Actor, p *models.Project, j *models.Job) error {
		return s.renderJob(c, http.StatusOK, p, j)
	}))
	r.GET("/projects/:id/jobs/:job_id/trace", s.job(access.ReadPipelines, s.trace))
	r.GET("/projects/:id/jobs/:job_id/artifacts", s.job(access.ReadPipelines, s.artifacts))
	r.POST("/projects/:id/jobs/:job_id/play", s.job(access.UpdateJob, s.play))
	r.POST("/projects/:id/jobs/:job_id/retry", s.job(access.UpdateJob, func(c *gin.Context, a access.Actor, p *models.Project, j *models.Job) error {
		next, err := s.ci.RetryJob(c.Request.Context(), a, j.ID)
		if err != nil {
			return err
		}
		return s.renderJob(c, http.StatusCreated, p, next)
	}))
	r.POST("/projects/:id/jobs/:job_id/cancel", s.job(access.UpdateJob, func(c *gin.Context, a access.Actor, p *models.Project, j *models.Job) error {
		j, err := s.ci.CancelJob(c.Request.Context(), a, j.ID, c.Query("force") == "true")
		if err != nil {
			return err
		}
		return s.renderJob(c, http.StatusCreated, p, j)
	}))
	r.POST("/projects/:id/jobs/:job_id/erase", s.job(access.EraseJob, func(c *gin.Context, a access.Actor, p *models.Project, j *models.Job) error {
		j, err := s.ci.EraseJob(c.Request.Context(), a, j.ID)
		if err != nil {
			return err
		}
		return s.renderJob(c, http.StatusCreated, p, j)
	}))
}

// job finds the job of :job_id in its project.
func (s *Server) job(ability access.Ability, h func(*gin.Context, access.Actor, *models.Project, *models.Job) error) gin.HandlerFunc {
	return s.project(ability, func(c *gin.Context, a access.Actor, p *models.Project) error {
		n, err := id(c, "job_id", "Job")
		if err != nil {
			return err
		}
		var j *models.Job
		err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
			j, err = tx.Job(n)
			return err
		})
		if err == nil && j.ProjectID != p.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return missing(err, "Job")
		}
		return h(c, a, p, j)
	})
}

func (s *Server) listJobs(c *gin.Context, _ access.Actor, p *models.Project) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	var in []enum.Status
	for _, text := range append(c.QueryArray("scope[]"), c.QueryArray("scope")...) {
		if !enum.Status(text).Known() {
			return &httpapi.ParamError{Text: "scope does not have a valid value"}
		}
		in = append(in, enum.Status(text))
	}
	var rows []*models.Job
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, _, err = tx.ListJobs(p.ID, in, pg)
		return err
	})
	if err != nil {
		return err
	}
	entities, err := s.jobEntities(c, p, rows)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, entities)
	return nil
}

func (s *Server) trace(c *gin.Context, _ access.Actor, _ *models.Project, j *models.Job) error {
	if j.ErasedAt != nil {
		c.Data(http.StatusOK, "text/plain; charset=utf-8", nil)
		return nil
	}
	log, err := s.ci.OpenTrace(c.Request.Context(), j.ID)
	if err != nil {
		return err
	}
	defer log.Close()
	c.Header("Content-Type", "text/plain; charset=utf-8")
	c.Header("Cache-Control", "private, no-cache")
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, log)
	return nil
}

func (s *Server) artifacts(c *gin.Context, _ access.Actor, _ *models.Project, j *models.Job) error {
	var row *models.Artifact
	err := s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		row, err = tx.Artifact(j.ID, "archive")
		return err
	})
	if err != nil {
		return missing(err, "Artifacts")
	}
	o, err := s.ci.OpenArtifact(c.Request.Context(), row)
	if err != nil {
		return err
	}
	defer o.Close()
	c.Header("Content-Type", "application/zip")
	c.Header("Content-Disposition", `attachment; filename="artifacts.zip"`)
	http.ServeContent(c.Writer, c.Request, "", row.CreatedAt, o)
	return nil
}

func (s *Server) play(c *gin.Context, a access.Actor, p *models.Project, j *models.Job) error {
	params, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	given, err := params.Objects("job_variables_attributes")
	if err != nil {
		return err
	}
	if len(given) > 0 {
		_, subject, err := s.ci.FindProject(c.Request.Context(), a, fmt.Sprint(p.ID), access.SetVariables)
		if err != nil {
			return err
		}
		if subject.Level < p.VariablesMinimumRole {
			return fault.New(fault.Forbidden, "403 Forbidden - Insufficient permissions to set job variables")
		}
	}
	var vars []variable.Variable
	for _, v := range given {
		if strings.TrimSpace(v["key"]) == "" {
			return &httpapi.ParamError{Text: "job_variables_attributes[key] is missing"}
		}
		vars = append(vars, variable.Variable{Key: v["key"], Value: v["value"]})
	}
	job, err := s.ci.PlayJob(c.Request.Context(), a, j.ID, vars)
	if err != nil {
		return err
	}
	return s.renderJob(c, http.StatusOK, p, job)
}
