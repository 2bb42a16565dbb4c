// Package plan decides which jobs of a configuration a pipeline gets: only/except, the one job of a chat
// command, the needs that must exist. It takes facts and returns a plan or a refusal with a named reason;
// it stores nothing (facts: pipeline-semantics sections 1 and 2).
package plan

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

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
	// ChatJob keeps only the job of this exact name, before only/except and needs are looked at; WithNeeds also what it waits
	// for. ChatStage keeps only the jobs of a stage.
	ChatJob, ChatStage string
	WithNeeds          bool
	Detached           bool // it is about a merge request, and runs on no branch or tag
	// DefaultRef says that the ref is the project's default branch.
	DefaultRef bool
	// Variables are those known before jobs exist; rules ask them, and `tags` may refer to them.
	Variables variable.Collection
	// Predefined is how many of them, from the first, are predefined: what a configuration says counts more.
	Predefined int
	// Configured are further predefined ones, which exist once the configuration is read.
	Configured variable.Collection
	// User is who the pipeline runs as: that stands above the configuration and below what is stored.
	User variable.Collection
	// MaxNeeds is how many others a job may need; 0 is GitLab's default.
	MaxNeeds int
	// Files answers rules about files; nil: those that ask of them match.
	Files Files
}

// Plan is what a pipeline will hold.
type Plan struct {
	Name    string // of the pipeline, by workflow:name
	Stages  []string
	Jobs    []Job
	LeftOut []LeftOut // the other jobs, and why they are not in it
	// OnJobFailure is workflow:auto_cancel:on_job_failure, which the matching rule of the workflow may change.
	OnJobFailure string
	OnNewCommit  string // workflow:auto_cancel:on_new_commit, in the same way
}

// LeftOut is a job that a pipeline does not get.
type LeftOut struct{ Name, Why string }

// Job is one job of the plan.
type Job struct {
	Name         string
	Stage        string
	StageIndex   int
	When         enum.When
	AllowFailure bool
	Tags         []string
	Needs        *[]string
	// ResourceGroup is the key of the group whose resource the job needs; "" if none.
	ResourceGroup string
	Definition    Definition

	optional []bool // which of the needs may be absent
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

	Interruptible bool     `json:"interruptible,omitempty"`
	Coverage      string   `json:"coverage,omitempty"`
	Hooks         []string `json:"pre_get_sources_script,omitempty"`
	NodeIndex     int      `json:"node_index,omitempty"` // of parallel, from 1
	NodeTotal     int      `json:"node_total,omitempty"`
	Confirmation  string   `json:"manual_confirmation,omitempty"`

	Environment *config.Environment `json:"environment,omitempty"` // with its variables replaced, but for the address
	IDTokens    map[string][]string `json:"id_tokens,omitempty"`   // their audiences by name
	Inputs      map[string]any      `json:"inputs,omitempty"`      // that can be given when it is started by hand
	Release     *config.Release     `json:"release,omitempty"`
	Trigger     *config.Trigger     `json:"trigger,omitempty"` // of a bridge
	CrossNeeds  []config.CrossNeed  `json:"cross_needs,omitempty"`
	Mirrors     string              `json:"mirrors,omitempty"` // of a bridge: the project whose newest pipeline it shows
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
	FilteredByRules    Reason = "filtered_by_rules" // no job is left
	FilteredByWorkflow Reason = "filtered_by_workflow_rules"
	NotYet             Reason = "not_supported_yet" // it uses what is read and cannot run yet
	ConfigError        Reason = "config_error"
	SizeLimit          Reason = "size_limit_exceeded"
	ActivityLimit      Reason = "job_activity_limit_exceeded"
	DeploymentsLimit   Reason = "deployments_limit_exceeded"
	UnknownJob         Reason = "unknown_job"  // chat: the configuration has no such job
	ExcludedJob        Reason = "excluded_job" // chat: only/except keep the job out
)

// Refusal says why there will be no pipeline. It is an error whose text is for people.
type Refusal struct {
	Reason  Reason
	Text    string
	Nearest []string // for an unknown job: names that are close
	// MissingNeed is the job whose need is not among the jobs; "" if that is not why.
	MissingNeed string
}

func (r *Refusal) Error() string { return r.Text }

// defaultNeeds is GitLab's default limit of needs of one job.
const defaultNeeds = 50

// Build decides on the jobs of a pipeline. It is refused with *Refusal, or *variable.CycleError.
func Build(c *config.Config, f Facts) (*Plan, error) {
	root := c.Variables
	added, rule, err := workflow(c, newAsker(f, root))
	if err != nil {
		return nil, err
	}
	root = merge(root, added)
	rules := newAsker(f, root)
	jobs, err := chosen(c, f, rules)
	if err != nil {
		return nil, err
	}
	weight, each := 0, sizeOf(root)
	p := &Plan{Stages: c.Stages, Name: strings.TrimSpace(rules.collection().Expand(c.Workflow.Name, false))}
	p.autoCancel(c.Workflow.AutoCancel)
	if rule != nil && rule.AutoCancel != nil {
		p.autoCancel(*rule.AutoCancel)
	}
	ordinary := false
	for _, j := range jobs {
		own := rules.of(j)
		if text := own.cycle(); text != "" {
			return nil, &Refusal{Reason: ConfigError, Text: text}
		}
		d, err := own.decide()
		var wrong *RuleError
		if errors.As(err, &wrong) {
			return nil, &Refusal{Reason: ConfigError, Text: wrong.Text}
		}
		if err != nil {
			return nil, err
		}
		if d.out {
			if f.ChatJob == j.Name {
				return nil, &Refusal{Reason: ExcludedJob, Text: d.why}
			}
			p.LeftOut = append(p.LeftOut, LeftOut{j.Name, d.why})
			continue
		}
		if text := notYet(j); text != "" {
			return nil, &Refusal{Reason: NotYet, Text: text}
		}
		ordinary = ordinary || j.Stage != ".pre" && j.Stage != ".post"
		if weight += each + sizeOfJob(j); weight > maxSize {
			return nil, &Refusal{Reason: ConfigError, Text: fmt.Sprintf("The pipeline is too big: its jobs hold more than %d MB of scripts and variables", maxSize>>20)}
		}
		one := build(own, j)
		d.apply(&one)
		one.inEnvironment(own, j)
		if err := one.inGroup(own, j); err != nil {
			return nil, err
		}
		p.Jobs = append(p.Jobs, one)
	}
	if err := checkNeeds(p.Jobs, cmp.Or(f.MaxNeeds, defaultNeeds)); err != nil {
		return nil, err
	}
	if !ordinary && !(f.ChatJob+f.ChatStage != "" && len(p.Jobs) > 0) {
		return nil, &Refusal{
			Reason: FilteredByRules,
			Text:   "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.",
		}
	}
	return p, nil
}

// autoCancel lays what a workflow or its rule says over what was said before.
func (p *Plan) autoCancel(a config.AutoCancel) {
	if a.OnJobFailure != "" {
		p.OnJobFailure = a.OnJobFailure
	}
	if a.OnNewCommit != "" {
		p.OnNewCommit = a.OnNewCommit
	}
}

// inEnvironment replaces the variables in what a job says of its environment. The address is left to the deployment,
// which may know more.
func (j *Job) inEnvironment(a *asker, from *config.Job) {
	if from.Environment == nil {
		return
	}
	e := *from.Environment
	e.Name, e.DeploymentTier = strings.TrimSpace(a.expand(e.Name)), a.expand(e.DeploymentTier)
	j.Definition.Environment = &e
}

// resourceKey is what the key of a resource group may look like once its variables are replaced.
var resourceKey = regexp.MustCompile(`^[A-Za-z0-9_\-/${}. ]{1,255}$`)

// inGroup finds a job's resource group. A key that comes out empty is none, as on GitLab; one that cannot be a key is
// refused, where GitLab would run the job without its group.
func (j *Job) inGroup(a *asker, from *config.Job) error {
	key := strings.TrimSpace(a.expand(from.ResourceGroup))
	if key == "" {
		return nil
	}
	if !resourceKey.MatchString(key) {
		return &Refusal{Reason: ConfigError, Text: fmt.Sprintf("%s: the resource_group %q can have up to 255 letters, digits, spaces, "+
			"'-', '_', '/', '$', '{', '}' and '.' (%s)", j.Name, key, from.At)}
	}
	j.ResourceGroup = key
	return nil
}

// maxSize is about how many bytes the jobs of one pipeline may hold. What all jobs inherit counts for each.
const maxSize = 128 << 20

func sizeOf(vars []config.Variable) int {
	n := 0
	for _, v := range vars {
		n += len(v.Key) + len(v.Value) + 32
	}
	return n
}

func sizeOfJob(j *config.Job) int {
	n := sizeOf(j.Variables)
	for _, lines := range [][]string{j.BeforeScript, j.Script, j.AfterScript} {
		for _, l := range lines {
			n += len(l) + 8
		}
	}
	return n
}

func find(jobs []*config.Job, name string) *config.Job {
	for _, j := range jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

func checkNeeds(jobs []Job, most int) error {
	present := map[string]bool{}
	for _, j := range jobs {
		present[j.Name] = true
	}
	for _, j := range jobs {
		if j.Needs == nil {
			continue
		}
		if len(*j.Needs) > most {
			return &Refusal{Reason: ConfigError, Text: fmt.Sprintf(
				"%s: one job can only need %d others, but you have listed %d. See needs keyword documentation for more details",
				j.Name, most, len(*j.Needs))}
		}
		for i, name := range *j.Needs {
			if !present[name] && !j.optional[i] {
				return &Refusal{Reason: ConfigError, MissingNeed: j.Name, Text: fmt.Sprintf(
					"'%s' job needs '%s' job, but '%s' does not exist in the pipeline. This might be because of the only, "+
						"except, or rules keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional.",
					j.Name, name, name)}
			}
		}
	}
	return nil
}

func build(a *asker, j *config.Job) Job {
	out := Job{
		Name: j.Name, Stage: j.Stage, StageIndex: j.StageIndex, When: j.When, AllowFailure: j.AllowFailure,
		Definition: Definition{
			BeforeScript: j.BeforeScript, Script: j.Script, AfterScript: j.AfterScript, Variables: merge(inherited(a.root, j), j.Variables),
			Image: j.Image, Services: j.Services, Artifacts: j.Artifacts, Dependencies: j.Dependencies, Cache: j.Cache,
			Timeout: j.Timeout, StartIn: j.StartIn, Retry: j.Retry, AllowCodes: j.AllowCodes, Interruptible: j.Interruptible,
			Coverage: j.Coverage, Hooks: j.Hooks, Confirmation: j.Confirmation, Trigger: j.Trigger, IDTokens: j.IDTokens, Release: j.Release, Inputs: j.Inputs,
		},
	}
	if j.Instance != nil {
		out.Definition.NodeIndex, out.Definition.NodeTotal = j.Instance.Index, j.Instance.Total
	}
	for _, t := range j.Tags {
		if strings.ContainsAny(t, "$%") {
			t = a.collection().Expand(t, true)
		}
		out.Tags = append(out.Tags, t)
	}
	if j.Needs != nil {
		out.setNeeds(*j.Needs)
		if out.Definition.Mirrors = mirrored(*j.Needs); out.Definition.Mirrors != "" {
			out.Needs, out.optional = nil, nil // it waits for its stage, as on GitLab
		}
	}
	return out
}

// mirrored is the project whose pipeline a bridge shows; "" if it shows none.
func mirrored(needs []config.Need) string {
	for _, n := range needs {
		if n.Cross != nil && n.Cross.Job == "" {
			return n.Cross.Pipeline
		}
	}
	return ""
}

func (j *Job) setNeeds(needs []config.Need) {
	names, artifacts := []string{}, []NeededArtifacts{}
	j.optional, j.Definition.CrossNeeds = nil, nil
	for _, n := range needs {
		if n.Cross != nil && n.Cross.Job == "" {
			continue
		}
		if n.Cross != nil {
			j.Definition.CrossNeeds = append(j.Definition.CrossNeeds, *n.Cross)
			continue
		}
		names = append(names, n.Job)
		artifacts = append(artifacts, NeededArtifacts{Job: n.Job, Artifacts: n.Artifacts})
		j.optional = append(j.optional, n.Optional)
	}
	j.Needs, j.Definition.Needs = &names, &artifacts
}

var skipCI = regexp.MustCompile(`(?i)\[(?:ci[ _-]skip|skip[ _-]ci)\]`)

// SkipsCI says whether a commit message asks for no pipeline.
func SkipsCI(message string) bool { return skipCI.MatchString(message) }

// ForChat says whether a chat command may run a job on a branch.
func ForChat(j *config.Job, branch, projectPath string) bool {
	f := Facts{Source: enum.SourceChat, Ref: branch, ProjectPath: projectPath, ChatJob: j.Name}
	f.Variables.Add("CI_PIPELINE_SOURCE", string(enum.SourceChat))
	f.Variables.Add("CI_COMMIT_BRANCH", branch)
	f.Variables.Add("CI_COMMIT_REF_NAME", branch)
	f.Predefined = len(f.Variables)
	d, err := newAsker(f, nil).of(j).decide()
	return err == nil && !d.out
}
