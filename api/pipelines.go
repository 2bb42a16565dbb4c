package api

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
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
	pipelineBasic
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

// namedPipeline is the detail with the name, which only some endpoints show.
type namedPipeline struct {
	pipelineDetail
	Name *string `json:"name"`
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

func pipelinePath(p *models.Project, id int64) string {
	return fmt.Sprintf("/%s/-/pipelines/%d", p.FullPath, id)
}

func (s *Server) basicPipeline(p *models.Pipeline, project *models.Project) pipelineBasic {
	return pipelineBasic{
		ID: p.ID, IID: p.IID, ProjectID: p.ProjectID, SHA: p.SHA, Ref: p.Ref, Status: p.Status, Source: p.Source,
		CreatedAt: httpapi.Time(p.CreatedAt), UpdatedAt: httpapi.Time(p.UpdatedAt), WebURL: s.ci.URL() + pipelinePath(project, p.ID),
	}
}

// detail renders a pipeline whole: with its user, and a warning if jobs failed that may.
func (s *Server) detail(c *call, p *models.Pipeline) (pipelineDetail, error) {
	var u *models.User
	var coverage *float64
	warned := false
	err := c.read(func(tx *models.Tx) error {
		users, err := tx.Users([]int64{p.UserID})
		if err != nil {
			return err
		}
		u = users[p.UserID]
		if coverage, err = tx.Coverage(p.ID); err != nil {
			return err
		}
		if p.Status != enum.Success {
			return nil
		}
		counts, err := tx.StatusCounts([]int64{p.ID})
		for _, n := range counts {
			warned = warned || n.Status == enum.Failed
		}
		return err
	})
	words := statusWords[p.Status]
	if warned {
		words = [4]string{"warning", "Warning", "passed with warnings", "success-with-warnings"}
	}
	d := pipelineDetail{
		pipelineBasic: s.basicPipeline(p, c.project), BeforeSHA: p.BeforeSHA, Tag: p.Tag, YAMLErrors: given(p.YAMLErrors), User: s.basic(u),
		StartedAt: httpapi.TimeOf(p.StartedAt), FinishedAt: httpapi.TimeOf(p.FinishedAt), Duration: p.Duration, Archived: c.project.Archived,
		DetailedStatus: detailedStatus{
			Icon: "status_" + words[0], Text: words[1], Label: words[2], Group: words[3], Tooltip: words[2], HasDetails: true,
			DetailsPath: pipelinePath(c.project, p.ID), Favicon: "/assets/favicon-" + string(p.Status) + ".svg",
		},
	}
	if p.StartedAt != nil {
		q := int64(p.StartedAt.Sub(p.CreatedAt) / time.Second)
		d.QueuedDuration = &q
	}
	if coverage != nil {
		text := strconv.FormatFloat(*coverage, 'f', 2, 64)
		d.Coverage = &text
	}
	return d, err
}

func (s *Server) named(c *call, p *models.Pipeline) (any, error) {
	d, err := s.detail(c, p)
	return namedPipeline{d, given(p.Name)}, err
}

// inPipeline finds the pipeline of :pipeline_id in its project.
func inPipeline(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("pipeline_id", "Pipeline")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.pipeline, err = tx.Pipeline(n)
			return err
		})
		if err == nil && c.pipeline.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "Pipeline")
	})
}

func (s *Server) pipelineRoutes(r routes) {
	base, one := "/projects/:id/pipelines", "/projects/:id/pipelines/:pipeline_id"
	r.get(base, project(access.ReadPipelines), with(s.listPipelines))
	r.post("/projects/:id/pipeline", project(access.CreatePipeline), with(s.createPipeline))
	r.get(base+"/latest", project(access.ReadPipelines), with(s.latestPipeline))
	r.get(one, inPipeline(access.ReadPipelines), func(c *call) (any, error) { return s.named(c, c.pipeline) })
	r.delete(one, inPipeline(access.DeletePipeline), func(c *call) (any, error) {
		return nil, s.ci.DeletePipeline(c.ctx(), c.actor, c.pipeline.ID)
	})
	r.get(one+"/variables", inPipeline(access.ReadPipelineVars), s.pipelineVariables)
	r.get(one+"/jobs", inPipeline(access.ReadPipelines), with(s.pipelineJobs))
	r.get(one+"/bridges", inPipeline(access.ReadPipelines), with(s.pipelineBridges))
	r.put(one+"/metadata", inPipeline(access.UpdatePipeline), with(func(c *call, p *struct {
		Name string `param:"name,required"`
	},
	) (any, error) {
		pl, err := s.ci.RenamePipeline(c.ctx(), c.pipeline.ID, p.Name)
		if err != nil {
			return nil, err
		}
		return s.named(c, pl)
	}))
	r.post(one+"/retry", inPipeline(access.UpdateJob), func(c *call) (any, error) {
		pl, err := s.ci.RetryPipeline(c.ctx(), c.actor, c.pipeline.ID)
		if err != nil {
			return nil, err
		}
		return s.detail(c, pl)
	})
	r.post(one+"/cancel", inPipeline(access.UpdateJob), func(c *call) (any, error) {
		pl, err := s.ci.CancelPipeline(c.ctx(), c.actor, c.pipeline.ID)
		if err != nil {
			return nil, err
		}
		d, err := s.detail(c, pl)
		return reply{200, d}, err
	})
}

type pipelineList struct {
	httpapi.Page
	Scope         string            `param:"scope" values:"running pending finished branches tags"`
	Status        string            `param:"status" values:"created waiting_for_resource preparing waiting_for_callback pending running success failed canceling canceled skipped manual scheduled"`
	Ref           string            `param:"ref"`
	SHA           string            `param:"sha"`
	Name          string            `param:"name"`
	Username      string            `param:"username"`
	Source        string            `param:"source" values:"push web trigger schedule api external pipeline chat webide merge_request_event external_pull_request_event parent_pipeline ondemand_dast_scan ondemand_dast_validation security_orchestration_policy container_registry_push duo_workflow pipeline_execution_policy_schedule"`
	YAMLErrors    *bool             `param:"yaml_errors"`
	UpdatedAfter  httpapi.Timestamp `param:"updated_after"`
	UpdatedBefore httpapi.Timestamp `param:"updated_before"`
	CreatedAfter  httpapi.Timestamp `param:"created_after"`
	CreatedBefore httpapi.Timestamp `param:"created_before"`
	OrderBy       string            `param:"order_by" values:"id status ref updated_at user_id"`
	Sort          string            `param:"sort" values:"asc desc"`
}

func (s *Server) listPipelines(c *call, p *pipelineList) (any, error) {
	f := models.PipelineFilter{
		Ref: p.Ref, SHA: p.SHA, Name: p.Name, Source: enum.Source(p.Source), YAMLErrors: p.YAMLErrors,
		Created: models.TimeRange{After: p.CreatedAfter.Time, Before: p.CreatedBefore.Time},
		Updated: models.TimeRange{After: p.UpdatedAfter.Time, Before: p.UpdatedBefore.Time},
	}
	if p.Status != "" {
		f.Statuses = []enum.Status{enum.Status(p.Status)}
	}
	switch p.Scope {
	case "running":
		f.Statuses = []enum.Status{enum.Running}
	case "pending":
		f.Statuses = []enum.Status{enum.Pending}
	case "finished":
		f.Statuses = []enum.Status{enum.Success, enum.Failed, enum.Canceled}
	case "branches", "tags":
		f.Tags = p.Scope == "tags"
		prefix := map[bool]string{true: "refs/tags/", false: "refs/heads/"}[f.Tags]
		refs, err := s.ci.Repo(c.project).Refs(c.ctx(), prefix, 10_000)
		if err != nil {
			return nil, err
		}
		f.LatestOf = each(refs, func(r gitrepo.Ref) string { return strings.TrimPrefix(r.Name, prefix) })
	}
	page := pageOf(p.Page)
	page.Descending, page.OrderBy = p.Sort != "asc", p.OrderBy
	var out listing
	err := c.read(func(tx *models.Tx) error {
		if p.Username != "" {
			u, err := tx.UserByName(p.Username)
			if errors.Is(err, models.ErrNotFound) {
				out = paged([]pipelineListed{}, p.Page, 0)
				return nil
			}
			if err != nil {
				return err
			}
			f.UserID = u.ID
		}
		rows, total, err := tx.ListPipelines(c.project.ID, f, page)
		out = paged(each(rows, func(pl *models.Pipeline) pipelineListed {
			return pipelineListed{s.basicPipeline(pl, c.project), given(pl.Name)}
		}), p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) latestPipeline(c *call, p *struct {
	Ref string `param:"ref"`
},
) (any, error) {
	if p.Ref == "" {
		p.Ref = c.project.DefaultBranch
	}
	sha, err := s.ci.Repo(c.project).Find(c.ctx(), p.Ref)
	var pl *models.Pipeline
	if err == nil {
		err = c.read(func(tx *models.Tx) (err error) {
			pl, err = tx.LatestPipeline(c.project.ID, p.Ref, sha, "")
			return err
		})
	}
	if errors.Is(err, models.ErrNotFound) || errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, errForbidden // as GitLab, and clients take it for "none"
	}
	if err != nil {
		return nil, err
	}
	return s.named(c, pl)
}

// variableParam is a variable as pipelines and jobs are given them.
type variableParam struct {
	Key   string `param:"key,required"`
	Value string `param:"value"`
	Type  string `param:"variable_type" values:"env_var file"`
}

func variables(given []variableParam) ([]variable.Variable, error) {
	var out []variable.Variable
	seen := map[string]bool{}
	for _, v := range given {
		switch {
		case strings.TrimSpace(v.Key) == "":
			return nil, &httpapi.ParamError{Text: "variables[key] is empty"}
		case !variable.ValidKey(v.Key):
			return nil, fault.Field("base", "Variables key can contain only letters, digits and '_'")
		case seen[v.Key]:
			return nil, fault.Field("base", "Duplicate variable name: %s", v.Key)
		}
		seen[v.Key] = true
		out = append(out, variable.Variable{Key: v.Key, Value: v.Value, File: v.Type == "file"})
	}
	return out, nil
}

func (s *Server) createPipeline(c *call, p *struct {
	Ref       string          `param:"ref,required,filled"`
	Variables []variableParam `param:"variables"`
	Inputs    map[string]any  `param:"inputs"`
},
) (any, error) {
	vars, err := variables(p.Variables)
	if err != nil {
		return nil, err
	}
	pl, err := s.ci.CreatePipeline(c.ctx(), ci.PipelineRequest{Project: c.project, Actor: c.actor, Source: enum.SourceAPI, Ref: p.Ref, Variables: vars, Inputs: p.Inputs})
	if err != nil {
		return nil, refusal(err)
	}
	return s.detail(c, pl)
}

// refusal is GitLab's shape for why no pipeline was made.
func refusal(err error) error {
	var broken *ci.ConfigError
	var refused *plan.Refusal
	var cycle *variable.CycleError
	var f *fault.Error
	switch {
	case errors.As(err, &broken):
		return fault.Field("base", "%s", broken.Error())
	case errors.As(err, &refused):
		return fault.Field("base", "%s", refused.Text)
	case errors.As(err, &cycle):
		return fault.Field("base", "%s", cycle.Error())
	case errors.As(err, &f) && (f.Kind == fault.Invalid || f.Kind == fault.Forbidden):
		return fault.Field("base", "%s", f.Message)
	}
	return err
}

type pipelineVariable struct {
	Type  string `json:"variable_type"`
	Key   string `json:"key"`
	Value string `json:"value"`
	Raw   bool   `json:"raw"`
}

func (s *Server) pipelineVariables(c *call) (any, error) {
	if c.subject.Level < enum.Maintainer && c.pipeline.UserID != c.actor.ID() {
		return nil, errForbidden
	}
	out := []pipelineVariable{}
	err := c.read(func(tx *models.Tx) error {
		rows, err := tx.PipelineVariables(c.pipeline.ID)
		if err != nil {
			return err
		}
		for _, v := range rows {
			value, err := s.ci.PipelineVariableValue(v)
			if err != nil {
				return err
			}
			out = append(out, pipelineVariable{v.Type, v.Key, value, v.Raw})
		}
		return nil
	})
	return out, err
}

type jobList struct {
	httpapi.Page
	Scope   []string `param:"scope" values:"created waiting_for_resource preparing waiting_for_callback pending running success failed canceling canceled skipped manual scheduled"`
	Retried bool     `param:"include_retried"`
	Ref     string   `param:"ref"`
	OrderBy string   `param:"order_by" values:"id"`
	Sort    string   `param:"sort" values:"asc desc"`
}

func (p *jobList) statuses() []enum.Status {
	return each(p.Scope, func(s string) enum.Status { return enum.Status(s) })
}

func (s *Server) pipelineJobs(c *call, p *jobList) (any, error) {
	page := pageOf(p.Page)
	page.Descending = true
	var rows []*models.Job
	var total int64
	err := c.read(func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListJobs(models.JobFilter{PipelineID: c.pipeline.ID, Statuses: p.statuses(), Retried: p.Retried, Bridges: new(bool)}, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	entities, err := s.jobs(c, rows)
	return paged(entities, p.Page, total), err
}
