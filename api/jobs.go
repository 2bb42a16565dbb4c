package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type artifactEntity struct {
	FileType   string  `json:"file_type"`
	Size       int64   `json:"size"`
	Filename   string  `json:"filename"`
	FileFormat *string `json:"file_format"`
}

type artifactsFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

// jobBasic is what every list of jobs shows.
type jobBasic struct {
	ID             int64              `json:"id"`
	Status         enum.Status        `json:"status"`
	Stage          string             `json:"stage"`
	Name           string             `json:"name"`
	Ref            string             `json:"ref"`
	Tag            bool               `json:"tag"`
	Coverage       *float64           `json:"coverage"`
	AllowFailure   bool               `json:"allow_failure"`
	CreatedAt      httpapi.Time       `json:"created_at"`
	StartedAt      *httpapi.Time      `json:"started_at"`
	FinishedAt     *httpapi.Time      `json:"finished_at"`
	ErasedAt       *httpapi.Time      `json:"erased_at"`
	Duration       *float64           `json:"duration"`
	QueuedDuration *float64           `json:"queued_duration"`
	User           *userEntity        `json:"user"`
	Commit         *commitEntity      `json:"commit"`
	Pipeline       pipelineBasic      `json:"pipeline"`
	FailureReason  enum.FailureReason `json:"failure_reason,omitempty"`
	WebURL         string             `json:"web_url"`
	Project        any                `json:"project"`
}

type jobEntity struct {
	jobBasic
	ArtifactsFile     *artifactsFile   `json:"artifacts_file,omitempty"`
	Artifacts         []artifactEntity `json:"artifacts"`
	Runner            *runnerEntity    `json:"runner"`
	RunnerManager     *managerEntity   `json:"runner_manager"`
	ArtifactsExpireAt *httpapi.Time    `json:"artifacts_expire_at"`
	Archived          bool             `json:"archived"`
	TagList           []string         `json:"tag_list"`
}

func jobPath(p *models.Project, j *models.Job) string {
	return fmt.Sprintf("/%s/-/jobs/%d", p.FullPath, j.ID)
}

func seconds(from, to *time.Time, now time.Time) *float64 {
	if from == nil {
		return nil
	}
	end := now
	if to != nil {
		end = *to
	}
	v := max(0, end.Sub(*from).Seconds())
	return &v
}

// around is what belongs to jobs, read in one query each.
type around struct {
	pipelines map[int64]*models.Pipeline
	users     map[int64]*models.User
	artifacts map[int64][]*models.Artifact
	runners   map[int64]*runnerEntity
	managers  map[int64]*managerEntity
	commits   map[string]*commitEntity
}

func (s *Server) around(c *call, p *models.Project, rows []*models.Job) (*around, error) {
	a := &around{artifacts: map[int64][]*models.Artifact{}, runners: map[int64]*runnerEntity{}, managers: map[int64]*managerEntity{}, commits: map[string]*commitEntity{}}
	if len(rows) == 0 {
		return a, nil
	}
	err := c.read(func(tx *models.Tx) (err error) {
		if a.pipelines, err = tx.Pipelines(each(rows, func(j *models.Job) int64 { return j.PipelineID })); err != nil {
			return err
		}
		if a.users, err = tx.Users(each(rows, func(j *models.Job) int64 { return j.UserID })); err != nil {
			return err
		}
		stored, err := tx.Artifacts(each(rows, func(j *models.Job) int64 { return j.ID })...)
		if err != nil {
			return err
		}
		for _, r := range stored {
			a.artifacts[r.JobID] = append(a.artifacts[r.JobID], r)
		}
		return s.aroundRunners(tx, a, rows)
	})
	if err != nil {
		return nil, err
	}
	for _, pl := range a.pipelines {
		if p == nil || a.commits[pl.SHA] != nil {
			continue
		}
		k, err := s.ci.Repo(p).Commit(c.ctx(), pl.SHA)
		if err == nil {
			e := s.commitOf(p, k)
			a.commits[pl.SHA] = &e
		} else if lost(err, "Commit") == err {
			return nil, err
		}
	}
	return a, nil
}

func (s *Server) aroundRunners(tx *models.Tx, a *around, rows []*models.Job) error {
	var runners, managers []int64
	for _, j := range rows {
		if j.RunnerID != nil {
			runners = append(runners, *j.RunnerID)
		}
		if j.ManagerID != nil {
			managers = append(managers, *j.ManagerID)
		}
	}
	found, err := tx.Runners(runners)
	if err != nil {
		return err
	}
	list := make([]*models.Runner, 0, len(found))
	for _, r := range found {
		list = append(list, r)
	}
	entities, err := s.runners(tx, list)
	if err != nil {
		return err
	}
	for i, r := range list {
		a.runners[r.ID] = &entities[i]
	}
	machines, err := tx.ManagersByID(managers)
	if err != nil {
		return err
	}
	_, busy, err := tx.BusyRunners(runners)
	for id, m := range machines {
		e := s.managerOf(m, busy[id])
		a.managers[id] = &e
	}
	return err
}

// jobs renders jobs of the call's project.
func (s *Server) jobs(c *call, rows []*models.Job) ([]jobEntity, error) {
	a, err := s.around(c, c.project, rows)
	if err != nil {
		return nil, err
	}
	return each(rows, func(j *models.Job) jobEntity { return s.jobOf(j, c.project, a) }), nil
}

// basicJobs renders jobs of the call's project as short lists do.
func (s *Server) basicJobs(c *call, rows []*models.Job) ([]jobBasic, error) {
	a, err := s.around(c, c.project, rows)
	if err != nil {
		return nil, err
	}
	return each(rows, func(j *models.Job) jobBasic { return s.basicJob(j, c.project, a) }), nil
}

func (s *Server) basicJob(j *models.Job, p *models.Project, a *around) jobBasic {
	now := s.ci.DB().Now()
	e := jobBasic{
		ID: j.ID, Status: j.Status, Stage: j.Stage, Name: j.Name, AllowFailure: j.AllowFailure, CreatedAt: httpapi.Time(j.CreatedAt),
		StartedAt: httpapi.TimeOf(j.StartedAt), FinishedAt: httpapi.TimeOf(j.FinishedAt), ErasedAt: httpapi.TimeOf(j.ErasedAt),
		Duration: seconds(j.StartedAt, j.FinishedAt, now), QueuedDuration: queued(j, now), User: s.fullUser(a.users[j.UserID]), Coverage: j.Coverage,
		WebURL: s.ci.URL() + jobPath(p, j), Project: gin.H{"ci_job_token_scope_enabled": false},
	}
	if pl := a.pipelines[j.PipelineID]; pl != nil {
		e.Ref, e.Tag, e.Pipeline, e.Commit = pl.Ref, pl.Tag, s.basicPipeline(pl, p), a.commits[pl.SHA]
	}
	if j.Status == enum.Failed {
		e.FailureReason = j.FailureReason
	}
	return e
}

// queued is how long a job waited for a runner, or does so now.
func queued(j *models.Job, now time.Time) *float64 {
	if j.StartedAt == nil && j.FinishedAt != nil {
		return seconds(j.QueuedAt, j.FinishedAt, now)
	}
	return seconds(j.QueuedAt, j.StartedAt, now)
}

var rawFormat = "raw"

func (s *Server) jobOf(j *models.Job, p *models.Project, a *around) jobEntity {
	e := jobEntity{jobBasic: s.basicJob(j, p, a), Artifacts: []artifactEntity{}, TagList: append([]string{}, j.Tags...), Archived: p.Archived}
	slices.Sort(e.TagList)
	if j.TraceSize > 0 {
		e.Artifacts = append(e.Artifacts, artifactEntity{FileType: "trace", Size: j.TraceSize, Filename: "job.log", FileFormat: &rawFormat})
	}
	for _, r := range a.artifacts[j.ID] {
		e.Artifacts = append(e.Artifacts, artifactEntity{FileType: r.Type, Size: r.Size, Filename: r.Filename, FileFormat: &r.Format})
		if r.Type == "archive" {
			e.ArtifactsFile = &artifactsFile{Filename: r.Filename, Size: r.Size}
			e.ArtifactsExpireAt = httpapi.TimeOf(r.ExpireAt)
		}
	}
	if j.RunnerID != nil {
		e.Runner = a.runners[*j.RunnerID]
	}
	if j.ManagerID != nil {
		e.RunnerManager = a.managers[*j.ManagerID]
	}
	return e
}

// renderJob renders a job, or a bridge as what it is.
func (s *Server) renderJob(c *call, j *models.Job) (any, error) {
	if j.Bridge {
		e, err := s.bridges(c, []*models.Job{j})
		if err != nil {
			return nil, err
		}
		return e[0], nil
	}
	e, err := s.jobs(c, []*models.Job{j})
	if err != nil {
		return nil, err
	}
	return e[0], nil
}

// inJob finds the job of :job_id in its project. Bridges are no jobs to those who ask for one.
func inJob(a access.Ability) place {
	return inProcessable(a).within(func(c *call) error {
		if c.job.Bridge {
			return missing(models.ErrNotFound, "Job")
		}
		return nil
	})
}

// inProcessable finds the job or bridge of :job_id in its project.
func inProcessable(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("job_id", "Job")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.job, err = tx.Job(n)
			return err
		})
		if err == nil && c.job.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "Job")
	})
}

func (s *Server) jobRoutes(r routes) {
	one := "/projects/:id/jobs/:job_id"
	r.get("/projects/:id/jobs", project(access.ReadPipelines), with(s.listJobs))
	r.get(one, inJob(access.ReadJob), func(c *call) (any, error) { return s.renderJob(c, c.job) })
	r.get(one+"/trace", inJob(access.ReadJob), s.trace)
	r.post(one+"/play", inProcessable(access.UpdateJob), with(s.play))
	r.post(one+"/retry", inProcessable(access.UpdateJob), with(func(c *call, p *struct {
		Inputs map[string]any `param:"inputs"`
	},
	) (any, error) {
		next, err := s.ci.RetryJob(c.ctx(), c.actor, c.job.ID, ci.Given{Inputs: p.Inputs})
		if err != nil {
			return nil, err
		}
		return s.renderJob(c, next)
	}))
	r.post(one+"/cancel", inJob(access.UpdateJob), with(func(c *call, p *struct {
		Force bool `param:"force"`
	},
	) (any, error) {
		j, err := s.ci.CancelJob(c.ctx(), c.actor, c.job.ID, p.Force)
		if err != nil {
			return nil, err
		}
		return s.renderJob(c, j)
	}))
	r.post(one+"/erase", inJob(access.EraseJob), func(c *call) (any, error) {
		j, err := s.ci.EraseJob(c.ctx(), c.actor, c.job.ID)
		if err != nil {
			return nil, err
		}
		return s.renderJob(c, j)
	})
	r.get("/job", user(access.ReadJobSelf), s.ownJob)
}

// ownJob is the job whose token asks.
func (s *Server) ownJob(c *call) (any, error) {
	if c.actor.Job == nil {
		return nil, fault.New(fault.NotFound, "404 Not found")
	}
	err := c.read(func(tx *models.Tx) (err error) {
		c.project, err = tx.Project(c.actor.Job.ProjectID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.renderJob(c, c.actor.Job)
}

// maxJobOffset is how far pages of jobs can be counted; behind it lists continue by their keyset.
const maxJobOffset = 50_000

// tooFar refuses pages that lie too deep.
func tooFar(p httpapi.Page, what string) error {
	if (min(p.Number, 1<<24)-1)*p.PerPage() > maxJobOffset {
		return fault.New(fault.WrongMethod, "Offset pagination has a maximum allowed offset of %d for requests that return objects of type %s. "+
			"Remaining records can be retrieved using keyset pagination.", maxJobOffset, what)
	}
	return nil
}

// jobPages is how far a list of jobs is asked for.
func jobPages(p httpapi.Page) (models.Page, error) {
	page := pageOf(p)
	page.Descending, page.Uncounted = true, true
	if !p.Keyset() {
		return page, tooFar(p, "Ci::Build")
	}
	var err error
	page.Keyset = true
	page.After, err = p.After()
	return page, err
}

func (s *Server) listJobs(c *call, p *jobList) (any, error) {
	page, err := jobPages(p.Page)
	if err != nil {
		return nil, err
	}
	page.Descending = p.Sort != "asc" || !p.Keyset()
	var rows []*models.Job
	err = c.read(func(tx *models.Tx) (err error) {
		rows, _, err = tx.ListJobs(models.JobFilter{ProjectID: c.project.ID, Statuses: p.statuses(), Ref: p.Ref, Current: !p.Retried, Bridges: new(bool)}, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	entities, err := s.jobs(c, rows)
	return uncounted(entities, p.Page, page, func() int64 { return rows[len(rows)-1].ID }), err
}

// uncounted is a page of a list without totals.
func uncounted[E any](rows []E, p httpapi.Page, page models.Page, last func() int64) listing {
	out := listing{rows: rows, page: p, total: httpapi.Total{Unknown: true, More: len(rows) == p.PerPage()}}
	if page.Keyset {
		out.continued(len(rows), last)
	}
	return out
}

func (s *Server) trace(c *call) (any, error) {
	log, err := s.ci.ReadLog(c.ctx(), c.actor, c.subject, c.job)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.Header("Content-Type", "text/plain; charset=utf-8")
	c.Header("Cache-Control", "max-age=0, private, must-revalidate")
	if c.job.ErasedAt != nil {
		c.Data(http.StatusOK, "text/plain; charset=utf-8", nil)
		return written, nil
	}
	// Bytes of a log never change, so that its length is its version.
	if httpapi.UnchangedTag(c.Context, strconv.FormatInt(c.job.ID, 10)+"-"+strconv.FormatInt(log.Size(), 10)) {
		return written, nil
	}
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, log)
	return written, nil
}

func (s *Server) play(c *call, p *struct {
	Variables []variableParam `param:"job_variables_attributes"`
	Inputs    map[string]any  `param:"job_inputs"`
},
) (any, error) {
	vars, err := variables(p.Variables)
	if err != nil {
		return nil, err
	}
	if len(vars) > 0 && c.subject.Level < c.project.VariablesMinimumRole {
		return nil, fault.New(fault.Forbidden, "403 Forbidden - Insufficient permissions to set job variables")
	}
	j, err := s.ci.PlayJob(c.ctx(), c.actor, c.job.ID, ci.Given{Variables: vars, Inputs: p.Inputs})
	if err != nil {
		return nil, err
	}
	e, err := s.renderJob(c, j)
	return reply{200, e}, err
}
