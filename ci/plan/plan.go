// Package plan decides which jobs of a configuration a pipeline gets: only/except, the one job of a chat
// command, the needs that must exist. It takes facts and returns a plan or a refusal with a named reason;
// it stores nothing (facts: pipeline-semantics sections 1 and 2).
package plan

import (
	"fmt"
	"regexp"

	"signalbox/ci/config"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// Facts are what a pipeline is made from, besides its configuration.
type Facts struct {
	Source      enum.Source
	Ref         string // short name of a branch or tag
	Tag         bool
	ProjectPath string
	// ChatJob keeps only the job of this exact name, before only/except and needs are looked at.
	ChatJob string
	// Variables are those known before jobs exist; `tags` may refer to them.
	Variables variable.Collection
}

// Plan is what a pipeline will hold.
type Plan struct {
	Stages []string
	Jobs   []Job
}

// Job is one job of the plan.
type Job struct {
	Name         string
	Stage        string
	StageIndex   int
	When         enum.When
	AllowFailure bool
	Tags         []string
	Needs        *[]string
	Definition   Definition
}

// Definition is what a job does, as it is stored beside its row.
type Definition struct {
	BeforeScript []string           `json:"before_script,omitempty"`
	Script       []string           `json:"script"`
	AfterScript  []string           `json:"after_script,omitempty"`
	Variables    []config.Variable  `json:"variables,omitempty"`
	Image        *config.Image      `json:"image,omitempty"`
	Services     []config.Image     `json:"services,omitempty"`
	Artifacts    *config.Artifacts  `json:"artifacts,omitempty"`
	Dependencies *[]string          `json:"dependencies,omitempty"`
	Needs        *[]NeededArtifacts `json:"needs,omitempty"`
	Cache        []config.Cache     `json:"cache,omitempty"`
	Timeout      int                `json:"timeout,omitempty"`
	StartIn      int                `json:"start_in,omitempty"`
	Retry        *config.Retry      `json:"retry,omitempty"`
	AllowCodes   []int              `json:"allow_failure_exit_codes,omitempty"`
}

// NeededArtifacts says whether a needed job's artifacts are fetched.
type NeededArtifacts struct {
	Job       string `json:"job"`
	Artifacts bool   `json:"artifacts"`
}

// Reason names why a plan was refused.
type Reason string

// The reasons.
const (
	FilteredByRules Reason = "filtered_by_rules" // no job is left
	ConfigError     Reason = "config_error"
	UnknownJob      Reason = "unknown_job"  // chat: the configuration has no such job
	ExcludedJob     Reason = "excluded_job" // chat: only/except keep the job out
)

// Refusal says why there will be no pipeline. It is an error whose text is for people.
type Refusal struct {
	Reason  Reason
	Text    string
	Nearest []string // for an unknown job: names that are close
}

func (r *Refusal) Error() string { return r.Text }

// maxNeeds is GitLab's default limit of needs of one job.
const maxNeeds = 50

// Build decides on the jobs of a pipeline.
func Build(c *config.Config, f Facts) (*Plan, error) {
	jobs := c.Jobs
	if f.ChatJob != "" {
		job := find(c.Jobs, f.ChatJob)
		if job == nil {
			return nil, unknownJob(c.Jobs, f)
		}
		jobs = []*config.Job{job}
	}
	p := &Plan{Stages: c.Stages}
	present := map[string]bool{}
	ordinary := false
	for _, j := range jobs {
		why := excluded(j, f)
		if why != "" && f.ChatJob != "" {
			return nil, &Refusal{Reason: ExcludedJob, Text: why}
		}
		if why != "" {
			continue
		}
		present[j.Name] = true
		ordinary = ordinary || j.Stage != ".pre" && j.Stage != ".post"
		p.Jobs = append(p.Jobs, build(c, j, f))
	}
	if err := checkNeeds(jobs, present); err != nil {
		return nil, err
	}
	if !ordinary && !(f.ChatJob != "" && len(p.Jobs) > 0) {
		return nil, &Refusal{
			Reason: FilteredByRules,
			Text:   "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.",
		}
	}
	return p, nil
}

func find(jobs []*config.Job, name string) *config.Job {
	for _, j := range jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

func checkNeeds(jobs []*config.Job, present map[string]bool) error {
	for _, j := range jobs {
		if j.Needs == nil || !present[j.Name] {
			continue
		}
		if len(*j.Needs) > maxNeeds {
			return &Refusal{Reason: ConfigError, Text: fmt.Sprintf(
				"%s: one job can only need %d others, but you have listed %d. See needs keyword documentation for more details",
				j.Name, maxNeeds, len(*j.Needs))}
		}
		for _, n := range *j.Needs {
			if !present[n.Job] && !n.Optional {
				return &Refusal{Reason: ConfigError, Text: fmt.Sprintf(
					"'%s' job needs '%s' job, but '%s' does not exist in the pipeline. This might be because of the only, "+
						"except, or rules keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional.",
					j.Name, n.Job, n.Job)}
			}
		}
	}
	return nil
}

func build(c *config.Config, j *config.Job, f Facts) Job {
	out := Job{
		Name: j.Name, Stage: j.Stage, StageIndex: j.StageIndex, When: j.When, AllowFailure: j.AllowFailure,
		Definition: Definition{
			BeforeScript: j.BeforeScript, Script: j.Script, AfterScript: j.AfterScript, Variables: merge(c.Variables, j.Variables),
			Image: j.Image, Services: j.Services, Artifacts: j.Artifacts, Dependencies: j.Dependencies, Cache: j.Cache,
			Timeout: j.Timeout, StartIn: j.StartIn, Retry: j.Retry, AllowCodes: j.AllowCodes,
		},
	}
	for _, t := range j.Tags {
		out.Tags = append(out.Tags, f.Variables.Expand(t, true))
	}
	if j.Needs != nil {
		names, artifacts := []string{}, []NeededArtifacts{}
		for _, n := range *j.Needs {
			names = append(names, n.Job)
			artifacts = append(artifacts, NeededArtifacts{Job: n.Job, Artifacts: n.Artifacts})
		}
		out.Needs, out.Definition.Needs = &names, &artifacts
	}
	return out
}

// merge lays a job's variables over those of the root.
func merge(root, job []config.Variable) []config.Variable {
	var out []config.Variable
	own := map[string]bool{}
	for _, v := range job {
		own[v.Key] = true
	}
	for _, v := range root {
		if !own[v.Key] {
			out = append(out, config.Variable{Key: v.Key, Value: v.Value, Raw: v.Raw})
		}
	}
	return append(out, job...)
}

var skipCI = regexp.MustCompile(`(?i)\[(?:ci[ _-]skip|skip[ _-]ci)\]`)

// SkipsCI says whether a commit message asks for no pipeline.
func SkipsCI(message string) bool { return skipCI.MatchString(message) }

// ForChat says whether a chat command may run a job on a branch.
func ForChat(j *config.Job, branch, projectPath string) bool {
	return excluded(j, Facts{Source: enum.SourceChat, Ref: branch, ProjectPath: projectPath, ChatJob: j.Name}) == ""
}
