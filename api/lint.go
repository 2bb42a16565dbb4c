package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/models/enum"
)

type lintEntity struct {
	Valid    bool       `json:"valid"`
	Errors   []string   `json:"errors"`
	Warnings []string   `json:"warnings"`
	Merged   *string    `json:"merged_yaml"`
	Includes []any      `json:"includes"`
	Jobs     *[]LintJob `json:"jobs,omitempty"`
}

// LintJob is a job in the answer of GitLab's CI lint.
type LintJob struct {
	Name         string          `json:"name"`
	Stage        string          `json:"stage"`
	BeforeScript []string        `json:"before_script"`
	Script       []string        `json:"script"`
	AfterScript  []string        `json:"after_script"`
	TagList      []string        `json:"tag_list"`
	Only         *map[string]any `json:"only,omitempty"`
	Except       *map[string]any `json:"except,omitempty"`
	Environment  *string         `json:"environment"`
	When         enum.When       `json:"when"`
	AllowFailure bool            `json:"allow_failure"`
	Needs        []gin.H         `json:"needs,omitempty"`
}

func (s *Server) lintRoutes(r routes) {
	r.get("/projects/:id/ci/lint", project(access.ReadCode), with(func(c *call, p *struct {
		ContentRef  string `param:"content_ref"`
		SHA         string `param:"sha"`
		DryRunRef   string `param:"dry_run_ref"`
		Ref         string `param:"ref"`
		DryRun      bool   `param:"dry_run"`
		IncludeJobs bool   `param:"include_jobs"`
	},
	) (any, error) {
		ref := ""
		for _, name := range []string{p.ContentRef, p.SHA, p.DryRunRef, p.Ref} {
			if ref == "" {
				ref = name
			}
		}
		if p.DryRun && !access.Allowed(c.actor, access.CreatePipeline, c.subject) {
			return nil, errForbidden
		}
		return s.lint(c, ci.LintRequest{Ref: ref, DryRun: p.DryRun}, p.IncludeJobs)
	}))
	r.post("/projects/:id/ci/lint", project(access.LintConfig), with(func(c *call, p *lintParams) (any, error) {
		e, err := s.lint(c, ci.LintRequest{Content: &p.Content, Ref: p.Ref, DryRun: p.DryRun}, p.IncludeJobs)
		return reply{200, e}, err
	}))
}

// LintInclude shows a file that a configuration is made of; base is the address of the instance, "" without one.
func LintInclude(i config.Included, base string) gin.H {
	kind, extra := i.Location.Kind, gin.H{}
	if kind == "project" {
		kind, extra = "file", gin.H{"project": i.Location.Project, "ref": given(i.Location.Ref)}
	}
	e := gin.H{"type": kind, "location": i.Location.Name, "blob": nil, "raw": nil, "extra": extra, "context_project": given(i.At.Project), "context_sha": given(i.At.SHA)}
	if i.At.Project != "" && base != "" {
		_, file, _ := strings.Cut(i.At.Source, ":")
		if file == "" {
			file = i.At.Source
		}
		base += "/" + i.At.Project + "/-/"
		e["blob"], e["raw"] = base+"blob/"+i.At.SHA+"/"+file, base+"raw/"+i.At.SHA+"/"+file
	}
	return e
}

type lintParams struct {
	Content     string `param:"content,required"`
	DryRun      bool   `param:"dry_run"`
	IncludeJobs bool   `param:"include_jobs"`
	Ref         string `param:"ref"`
}

// bodyLimit leaves room for the largest configuration.
func (*lintParams) bodyLimit() int64 { return 4 << 20 }

func (s *Server) lint(c *call, r ci.LintRequest, jobs bool) (any, error) {
	found, err := s.ci.Lint(c.ctx(), c.actor, c.project, r)
	if err != nil {
		return nil, err
	}
	texts := func(list []*config.Error) []string { return each(list, func(e *config.Error) string { return e.Text }) }
	out := lintEntity{Valid: found.Valid(), Errors: append(texts(config.Told(found.Errors)), found.Texts...), Warnings: texts(found.Warnings), Includes: []any{}}
	if found.Config != nil {
		for _, i := range found.Config.Includes {
			out.Includes = append(out.Includes, LintInclude(i, s.ci.URL()))
		}
		merged := found.Config.Merged()
		out.Merged = &merged
	}
	if jobs {
		list := LintJobs(found)
		out.Jobs = &list
	}
	return out, nil
}

// LintJobs are the jobs of a plan, if there is one, else those of the configuration; stage by stage, as GitLab lists them.
func LintJobs(r *ci.LintResult) []LintJob {
	if r.Plan != nil {
		return each(byStage(r.Config, r.Plan.Jobs, func(j plan.Job) string { return j.Stage }), func(j plan.Job) LintJob {
			return LintJob{
				Name: j.Name, Stage: j.Stage, BeforeScript: lines(j.Definition.BeforeScript), Script: lines(j.Definition.Script),
				AfterScript: lines(j.Definition.AfterScript), TagList: lines(j.Tags), When: j.When, AllowFailure: j.AllowFailure,
			}
		})
	}
	if r.Config == nil {
		return []LintJob{}
	}
	return each(byStage(r.Config, r.Config.Jobs, func(j *config.Job) string { return j.Stage }), func(j *config.Job) LintJob {
		e := LintJob{
			Name: j.Name, Stage: j.Stage, BeforeScript: lines(j.BeforeScript), Script: lines(j.Script), AfterScript: lines(j.AfterScript),
			TagList: lines(j.Tags), When: j.When, AllowFailure: j.AllowFailure, Only: policy(j.Only), Except: policy(j.Except),
		}
		if j.Environment != nil {
			e.Environment = &j.Environment.Name
		}
		if j.Needs != nil {
			for _, n := range *j.Needs {
				e.Needs = append(e.Needs, gin.H{"name": n.Job, "artifacts": n.Artifacts, "optional": n.Optional})
			}
		}
		return e
	})
}

// byStage lists jobs in the order of their stages, and those of one stage as they stand in the file.
func byStage[J any](c *config.Config, jobs []J, stage func(J) string) []J {
	place := map[string]int{}
	for i, name := range c.Stages {
		place[name] = i
	}
	out := slices.Clone(jobs)
	slices.SortStableFunc(out, func(a, b J) int { return cmp.Compare(place[stage(a)], place[stage(b)]) })
	return out
}

func policy(p *config.Policy) *map[string]any {
	if p == nil {
		return nil
	}
	out := map[string]any{}
	if p.Refs != nil {
		out["refs"] = p.Refs
	}
	if p.Changes != nil {
		out["changes"] = p.Changes
	}
	if p.Kubernetes {
		out["kubernetes"] = "active"
	}
	return &out
}

// lines is never null.
func lines(s []string) []string { return append([]string{}, s...) }
