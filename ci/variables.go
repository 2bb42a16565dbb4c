package ci

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

func projectFacts(p *models.Project) variable.Project {
	return variable.Project{
		ID: p.ID, NamespaceID: p.NamespaceID, Name: p.Path, Title: p.Name, Path: p.FullPath, Namespace: path.Dir(p.FullPath),
		Description: p.Description, Visibility: string(p.Visibility), DefaultBranch: p.DefaultBranch, ConfigPath: p.ConfigPath(),
	}
}

func commitFacts(k *gitrepo.Commit, p *models.Pipeline, tagMessage string, mr *variable.MergeRequest) variable.Commit {
	return variable.Commit{
		SHA: p.SHA, BeforeSHA: p.BeforeSHA, Ref: sourceRef(p, mr), Tag: p.Tag, TagMessage: tagMessage, Protected: p.Protected,
		Detached: mr != nil || p.Source == enum.SourceMergeRequest,
		Message:  k.Message, Author: fmt.Sprintf("%s <%s>", k.Author.Name, k.Author.Email), When: k.Committer.When,
	}
}

// sourceRef is the branch or tag that a pipeline is about: for a merge request its source branch.
func sourceRef(p *models.Pipeline, mr *variable.MergeRequest) string {
	if mr != nil {
		return mr.SourceBranch
	}
	return p.Ref
}

// sight says which of the stored variables a job sees: protected ones on protected refs, those of its environment.
type sight struct {
	protected   bool
	environment string
	all         bool // whatever environment they are for: to hide their values
}

// storedVariables are those of the instance, the groups and the project. Of one key, on one level, the more exact
// environment scope counts (facts: pipeline-semantics 7.4).
func (c *Coordinator) storedVariables(tx *models.Tx, p *models.Project, see sight) (variable.Collection, error) {
	rows, err := tx.VariablesOf(p)
	if err != nil {
		return nil, err
	}
	type weighed struct {
		*models.Variable
		level, weight int
	}
	var seen []weighed
	level := 0
	for i, r := range rows {
		if i > 0 && (r.Scope != rows[i-1].Scope || r.ScopeID != rows[i-1].ScopeID) {
			level++
		}
		matches, weight := variable.ScopeMatches(r.EnvironmentScope, see.environment)
		if (see.protected || !r.Protected) && (matches || see.all) {
			seen = append(seen, weighed{r, level, weight})
		}
	}
	slices.SortStableFunc(seen, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.weight, b.weight))
	})
	var out variable.Collection
	for _, r := range seen {
		value, err := c.keys.Open(r.Place(), r.Value)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", r.Key, err)
		}
		out = append(out, variable.Variable{Key: r.Key, Value: value, Masked: r.Masked, File: r.Type == "file", Raw: r.Raw})
	}
	return out, nil
}

// sees is what the job sees of stored variables.
func (f *jobFacts) sees() sight {
	s := sight{protected: f.pipeline.Protected}
	if e := f.definition.Environment; e != nil {
		s.environment = e.Name
	}
	return s
}

func (c *Coordinator) sealPipelineVariables(vars []variable.Variable) []*models.PipelineVariable {
	rows := make([]*models.PipelineVariable, 0, len(vars))
	for _, v := range vars {
		row := &models.PipelineVariable{Key: v.Key, Type: "env_var", Raw: v.Raw}
		if v.File {
			row.Type = "file"
		}
		row.Value = c.keys.Seal(row.Place(), v.Value)
		rows = append(rows, row)
	}
	return rows
}

func (c *Coordinator) pipelineVariables(tx *models.Tx, pipelineID int64) (variable.Collection, error) {
	rows, err := tx.PipelineVariables(pipelineID)
	if err != nil {
		return nil, err
	}
	var out variable.Collection
	for _, r := range rows {
		value, err := c.keys.Open(r.Place(), r.Value)
		if err != nil {
			return nil, fmt.Errorf("variable %s of pipeline %d: %w", r.Key, pipelineID, err)
		}
		out = append(out, variable.Variable{Key: r.Key, Value: value, File: r.Type == "file", Raw: r.Raw})
	}
	return out, nil
}

// playedVariables are those typed when a manual job was started.
func (c *Coordinator) playedVariables(j *models.Job) (variable.Collection, error) {
	if j.Variables.Empty() {
		return nil, nil
	}
	text, err := c.keys.Open(playedPlace(j.PipelineID, j.Name), j.Variables)
	if err != nil {
		return nil, fmt.Errorf("variables of job %d: %w", j.ID, err)
	}
	var out variable.Collection
	return out, json.Unmarshal([]byte(text), &out)
}

func playedPlace(pipelineID int64, name string) string {
	return fmt.Sprintf("jobs.variables/%d/%s", pipelineID, name)
}

func yamlVariables(vars []config.Variable) variable.Collection {
	var out variable.Collection
	for _, v := range vars {
		out = append(out, variable.Variable{Key: v.Key, Value: v.Value, Public: true, Raw: v.Raw})
	}
	return out
}

func userVariables(u *models.User) variable.Collection {
	return variable.UserVariables(variable.User{ID: u.ID, Login: u.Username, Name: u.Name, Email: u.Email})
}

// jobFacts are what a payload is made of, once all is read.
type jobFacts struct {
	job         *models.Job
	definition  *plan.Definition
	pipeline    *models.Pipeline
	project     *models.Project
	user        *models.User
	environment *models.Environment // of the job; nil if it has none
	runner      *models.Runner
	schedule    string              // what the schedule that made the pipeline is for
	frozen      bool                // nothing is to be deployed now
	tokens      variable.Collection // id_tokens
	upstream    *models.Pipeline    // that started the pipeline; nil if none did
	merge       *variable.MergeRequest
	opened      []string // merge requests of its branch
	commit      *gitrepo.Commit
	tagMessage  string
	stored      variable.Collection
	handed      variable.Collection // by the jobs whose artifacts it fetches
	given       variable.Collection // of the pipeline
	played      variable.Collection
	cacheSuffix string // of the keys of its caches
	place       QueuePlace
}

// variables puts everything a job sees in GitLab's order (facts: pipeline-semantics 3.2), expanded as far as
// the server can.
func (f *jobFacts) variables(s variable.Server, token string, now time.Time) variable.Collection {
	p, pl := projectFacts(f.project), f.pipelineFacts()
	j := variable.Job{
		ID: f.job.ID, Name: f.job.Name, Stage: f.job.Stage, Manual: f.job.When == "manual" || f.job.When == "delayed", Token: token,
		NodeIndex: f.definition.NodeIndex, NodeTotal: f.definition.NodeTotal, Environment: f.environmentFacts(),
		StartedAt: now, RunnerID: f.runner.ID, RunnerTags: f.runner.Tags, RunnerName: f.runner.Description,
	}
	var v variable.Collection
	v = append(v, variable.Persisted(s, p, pl, j)...)
	v = append(v, f.tokens...)
	v = append(v, variable.JobPredefined(j)...)
	commit := commitFacts(f.commit, f.pipeline, f.tagMessage, f.merge)
	v = append(v, variable.Base(s, p, commit, pl)...)
	v = append(v, variable.Configured(s, p, commit, pl)...)
	v = append(v, variable.Runner(j)...)
	v = append(v, yamlVariables(f.definition.Variables)...)
	v = append(v, userVariables(f.user)...)
	v = append(v, f.handed...)
	v = append(v, f.stored...)
	v = append(v, f.given...)
	v = append(v, f.played...)
	if e := f.environment; e != nil {
		v.Add("CI_ENVIRONMENT_ID", strconv.FormatInt(e.ID, 10))
		v.Add("CI_ENVIRONMENT_SLUG", e.Slug)
	}
	expanded, err := v.ExpandAll()
	if err != nil {
		return v // a circle is left to the runner, as on GitLab
	}
	return expanded
}

func (f *jobFacts) environmentFacts() variable.Environment {
	e := f.definition.Environment
	if e == nil {
		return variable.Environment{}
	}
	out := variable.Environment{Name: e.Name, Action: e.Action, Tier: tierOf(e), URL: e.URL}
	if f.environment != nil && e.DeploymentTier == "" {
		out.Tier = f.environment.Tier
	}
	if f.environment != nil && e.URL == "" {
		out.URL = f.environment.ExternalURL
	}
	return out
}

func (f *jobFacts) pipelineFacts() variable.Pipeline {
	pl := variable.Pipeline{ID: f.pipeline.ID, IID: f.pipeline.IID, Name: f.pipeline.Name, Source: string(f.pipeline.Source), CreatedAt: f.pipeline.CreatedAt}
	pl.Schedule, pl.Trigger, pl.Frozen = f.schedule, f.pipeline.TriggerShortToken, f.frozen
	pl.MergeRequest, pl.OpenMergeRequests = f.merge, f.opened
	if f.upstream != nil {
		pl.Upstream = variable.Upstream{Pipeline: f.upstream.ID, Project: f.upstream.ProjectID, Job: *f.pipeline.SourceJobID}
	}
	return pl
}

// bridgeVariables are what a bridge knows, in the same order: nothing of a runner, and no token.
func (f *jobFacts) bridgeVariables(s variable.Server) variable.Collection {
	p, pl := projectFacts(f.project), f.pipelineFacts()
	k := f.commit
	if k == nil { // it is not read yet: what it says is empty
		k = &gitrepo.Commit{}
	}
	commit := commitFacts(k, f.pipeline, f.tagMessage, f.merge)
	v := variable.PersistedPipeline(s, p, pl)
	v = append(v, variable.JobPredefined(variable.Job{
		Name: f.job.Name, Stage: f.job.Stage, Manual: f.job.When == "manual" || f.job.When == "delayed",
		NodeIndex: f.definition.NodeIndex, NodeTotal: f.definition.NodeTotal, Environment: f.environmentFacts(),
	})...)
	v = append(append(v, variable.Base(s, p, commit, pl)...), variable.Configured(s, p, commit, pl)...)
	v = append(append(v, yamlVariables(f.definition.Variables)...), userVariables(f.user)...)
	v = append(append(append(append(v, f.handed...), f.stored...), f.given...), f.played...)
	if expanded, err := v.ExpandAll(); err == nil {
		return expanded
	}
	return v // a circle stays as it is written, as on GitLab
}

// MaskedValues lists the values that must not leave with anything that a job printed.
func (c *Coordinator) MaskedValues(ctx context.Context, j *models.Job) (values []string, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		project, err := tx.Project(j.ProjectID)
		if err != nil {
			return err
		}
		stored, err := c.storedVariables(tx, project, sight{protected: true, all: true})
		values = stored.Masked()
		return err
	})
	return values, err
}
