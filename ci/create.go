package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// PipelineRequest asks for a pipeline.
type PipelineRequest struct {
	Project   *models.Project
	Actor     access.Actor // who it runs as
	Source    enum.Source
	Ref       string // short or full name of a branch or tag; short names that are both are refused
	SHA       string // the commit; "" means the head of the ref
	BeforeSHA string
	Variables []variable.Variable // of the pipeline itself
	Chat      ChatChoice          // chat: which jobs are wanted
	Inputs    map[string]any      // of the configuration, with the types of JSON
	Skip      bool                // it has no jobs, as if its commit asked for that
	// Upstream is the pipeline whose job Bridge starts this one.
	Upstream *models.Pipeline
	Bridge   *models.Job
	// MergeRequest is what it is about; its ref is then that request's, and its commit SHA or the newest one.
	MergeRequest *models.MergeRequest
	// Schedule and Trigger are what made it, if one did; Payload is the variable with the trigger call.
	Schedule *models.PipelineSchedule
	Trigger  *models.Trigger
	Payload  *variable.Variable
	// Config is the configuration of a child pipeline; nil reads it from the project.
	Config *config.File
	// Key makes creation happen once: a second request of the same key gets the first one's pipeline.
	Key string
	// Within runs in the transaction that stores the pipeline.
	Within func(tx *models.Tx, p *models.Pipeline, jobs []*models.Job) error
}

// ChatChoice says which jobs of a configuration a chat command is about; the zero value means all.
type ChatChoice struct {
	Job       string
	WithNeeds bool // and all that it waits for
	Stage     string
	// Inputs makes the job's inputs of what was typed, if the configuration specifies any.
	Inputs func(specs map[string]any) (map[string]any, error)
	// Configured makes the configuration's own inputs of it, if the configuration specifies any.
	Configured func(specs []config.InputSpec) (map[string]any, error)
}

// ConfigError says that a configuration is broken, and where.
type ConfigError struct{ Errors []*config.Error }

func (e *ConfigError) Error() string {
	var texts []string
	for _, err := range config.Told(e.Errors) {
		texts = append(texts, err.Text)
	}
	return strings.Join(texts, "\n")
}

// maxReported is how many mistakes are kept with a failed pipeline.
const maxReported = 50

// Report is the errors with place and excerpt, also those that GitLab would not tell.
func (e *ConfigError) Report() string {
	var texts []string
	all := config.Apart(e.Errors)
	for _, err := range all[:min(len(all), maxReported)] {
		texts = append(texts, err.Report())
	}
	if more := len(all) - maxReported; more > 0 {
		texts = append(texts, fmt.Sprintf("… and %d more", more))
	}
	return strings.Join(texts, "\n\n")
}

// maxConfig is the largest configuration file, in bytes.
const maxConfig = 2 << 20

// CreatePipeline makes a pipeline and starts its first jobs. It is refused with a *fault.Error, a
// *plan.Refusal or a *ConfigError. For sources that keep failed pipelines a broken configuration makes a
// failed pipeline, without error. A commit that asks for no CI gives a skipped pipeline, or, where nothing
// is kept, a refusal.
func (c *Coordinator) CreatePipeline(ctx context.Context, r PipelineRequest) (*models.Pipeline, error) {
	if r.Key != "" {
		if p, err := c.created(ctx, r.Key); err != models.ErrNotFound {
			return p, err
		}
	}
	b := &builder{c: c, r: r}
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { b.give() }()
	err := b.gather(ctx)
	if refused := new(plan.Refusal); errors.As(err, &refused) {
		b.vars = nil // a pipeline cannot keep the same one twice
		return b.broken(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if err := b.tooMany(ctx); err != nil {
		return nil, err
	}
	b.needs = int(c.current(ctx).Limits.Needs)
	if (r.Skip || plan.SkipsCI(b.commit.Message)) && !r.Source.IgnoresSkip() {
		return b.skipped(ctx)
	}
	if len(r.Inputs) > maxInputs {
		return nil, fault.New(fault.Invalid, "There cannot be more than %d inputs", maxInputs)
	}
	p, err := b.plan(ctx)
	if err == nil {
		err = b.tooLarge(ctx, p)
	}
	if err != nil {
		return b.broken(ctx, err)
	}
	return b.store(ctx, p)
}

func (c *Coordinator) created(ctx context.Context, key string) (p *models.Pipeline, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		p, err = tx.PipelineByCreationKey(key)
		return err
	})
	return p, err
}

// builder carries what is known on the way to one pipeline.
type builder struct {
	c         *Coordinator
	r         PipelineRequest
	ref       gitrepo.Ref
	short     string
	tag       bool
	protected bool
	commit    *gitrepo.Commit
	give      func() // gives back its place among those that are made; nil: none is made

	merge  *variable.MergeRequest // that it is about; nil if it is about none
	diff   *models.MergeRequestDiff
	opened []string // merge requests of its branch

	vars       []variable.Variable // of the pipeline itself, and the payload of what triggered it
	planned    *plan.Plan          // once it is decided
	actor      access.Actor        // of the request, as it is stored
	subject    access.Subject
	needs      int  // how many others a job may need; 0: the default
	frozen     bool // the project wants nothing deployed now
	predefined int  // how many of its variables are predefined
}

// gather reads the ref and the commit and asks whether the actor may.
func (b *builder) gather(ctx context.Context) error {
	err := b.c.db.Read(ctx, func(tx *models.Tx) error {
		if err := b.permit(tx); err != nil {
			return err
		}
		periods, err := tx.FreezePeriods(b.r.Project.ID)
		b.frozen = frozen(periods, tx.Now())
		return err
	})
	if err != nil {
		return err
	}
	if err := b.resolve(ctx); err != nil {
		return err
	}
	if err := b.permitRef(); err != nil {
		return err
	}
	b.vars = b.r.Variables
	if b.r.Payload != nil { // needs no right to set variables
		b.vars = append(slices.Clone(b.r.Variables), *b.r.Payload)
	}
	if err := b.mergeRequests(ctx); err != nil {
		return err
	}
	return duplicates(b.vars)
}

// duplicates refuses variables that are given more than once.
func duplicates(vars []variable.Variable) error {
	given := map[string]int{}
	var twice []string
	for _, v := range vars {
		if given[v.Key]++; given[v.Key] == 2 {
			twice = append(twice, v.Key)
		}
	}
	if len(twice) == 0 {
		return nil
	}
	word := "name"
	if len(twice) > 1 {
		word = "names"
	}
	return &plan.Refusal{Reason: plan.ConfigError, Text: fmt.Sprintf("Duplicate variable %s: %s", word, strings.Join(twice, ", "))}
}

// branch is the branch or tag whose protection decides who may run the pipeline.
func (b *builder) branch() string {
	if b.r.MergeRequest != nil {
		return b.r.MergeRequest.SourceBranch
	}
	return b.short
}

// resolve finds branch or tag and commit of the request.
func (b *builder) resolve(ctx context.Context) error {
	repo, name := b.c.Repo(b.r.Project), b.r.Ref
	candidates := []string{"refs/heads/" + name, "refs/tags/" + name}
	if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
		candidates = []string{name}
	}
	if b.r.MergeRequest != nil {
		candidates = []string{b.r.MergeRequest.RefPath()}
	}
	var found []gitrepo.Ref
	for _, full := range candidates {
		sha, err := repo.Resolve(ctx, full)
		switch {
		case err == nil:
			found = append(found, gitrepo.Ref{Name: full, SHA: sha})
		case !errors.Is(err, gitrepo.ErrNotFound) && !errors.Is(err, gitrepo.ErrBadName):
			return err
		}
	}
	switch len(found) {
	case 0:
		return fault.New(fault.Invalid, "Reference not found")
	case 2:
		return fault.New(fault.Invalid, "Ref is ambiguous")
	}
	b.ref = found[0]
	if b.r.SHA != "" {
		b.ref.SHA = b.r.SHA
	}
	b.short, b.tag = strings.CutPrefix(b.ref.Name, "refs/tags/")
	b.short = strings.TrimPrefix(b.short, "refs/heads/")
	var err error
	b.commit, err = repo.Commit(ctx, b.ref.SHA)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return fault.New(fault.Invalid, "Commit not found")
	}
	return err
}

// plan reads the configuration of the commit and decides on the jobs.
func (b *builder) plan(ctx context.Context) (*plan.Plan, error) {
	root, err := b.config(ctx)
	if err != nil {
		return nil, err
	}
	vars, err := b.variables(ctx)
	if err != nil {
		return nil, err
	}
	files := b.files(ctx, vars)
	found, err := files.load(*root, b.r.Inputs)
	if err != nil {
		return nil, err
	}
	if found.Errors != nil {
		return nil, &ConfigError{Errors: found.Errors}
	}
	p, err := plan.Build(found.Config, b.facts(vars, files))
	return files.hideIn(p, err)
}

// config finds the file that the configuration begins with.
func (b *builder) config(ctx context.Context) (*config.File, error) {
	if b.r.Config != nil {
		return b.r.Config, nil
	}
	if file := configElsewhere(b.r.Project); file != nil {
		return file, nil
	}
	file := b.r.Project.ConfigPath()
	text, err := b.c.Repo(b.r.Project).File(ctx, b.ref.SHA, file, maxConfig)
	switch {
	case errors.Is(err, gitrepo.ErrNotFound):
		return nil, fault.New(fault.Invalid, "Missing CI config file")
	case errors.Is(err, gitrepo.ErrTooLarge):
		return nil, &ConfigError{Errors: []*config.Error{{Text: "The parsed YAML is too big", File: file}}}
	}
	return &config.File{Name: file, Content: text}, err
}

func (b *builder) facts(vars variable.Collection, files *files) plan.Facts {
	f := plan.Facts{
		Source: b.r.Source, Ref: b.short, Tag: b.tag, ProjectPath: b.r.Project.FullPath, Variables: vars,
		ChatJob: b.r.Chat.Job, WithNeeds: b.r.Chat.WithNeeds, ChatStage: b.r.Chat.Stage, DefaultRef: !b.tag && b.short == b.r.Project.DefaultBranch,
		Detached: b.merge != nil, Predefined: b.predefined, MaxNeeds: b.needs, Files: files, User: userVariables(b.r.Actor.User),
	}
	f.Configured = variable.Configured(b.c.server(), projectFacts(b.r.Project), b.commitFacts(), variable.Pipeline{})
	return f
}

// variables are those that keywords such as `tags` may refer to when the pipeline is made.
func (b *builder) variables(ctx context.Context) (variable.Collection, error) {
	vars := variable.Base(b.c.server(), projectFacts(b.r.Project), b.commitFacts(), b.pipelineFacts())
	b.predefined = len(vars)
	err := b.c.db.Read(ctx, func(tx *models.Tx) error {
		stored, err := b.c.storedVariables(tx, b.r.Project, sight{protected: b.protected})
		vars = append(vars, stored...)
		return err
	})
	if err != nil {
		return nil, err
	}
	vars = append(vars, b.vars...)
	_, err = vars.ExpandAll()
	return vars, err
}

func (b *builder) commitFacts() variable.Commit {
	return commitFacts(b.commit, &models.Pipeline{
		Ref: b.short, Tag: b.tag, SHA: b.ref.SHA, BeforeSHA: b.r.BeforeSHA, Protected: b.protected,
	}, "", b.merge)
}

// pipelineFacts are those that includes may ask for already.
func (b *builder) pipelineFacts() variable.Pipeline {
	p := variable.Pipeline{Source: string(b.r.Source), Upstream: b.upstream(), Frozen: b.frozen, MergeRequest: b.merge, OpenMergeRequests: b.opened}
	if b.r.Schedule != nil {
		p.Schedule = b.r.Schedule.Description
	}
	if b.r.Trigger != nil {
		p.Trigger = b.r.Trigger.ShortToken
	}
	return p
}

func (b *builder) upstream() variable.Upstream {
	if b.r.Upstream == nil {
		return variable.Upstream{}
	}
	return variable.Upstream{Pipeline: b.r.Upstream.ID, Project: b.r.Upstream.ProjectID, Job: b.r.Bridge.ID}
}

// skipped stores a pipeline without jobs for a commit that asks for none.
func (b *builder) skipped(ctx context.Context) (*models.Pipeline, error) {
	if b.r.Source == enum.SourceChat {
		return nil, fault.New(fault.Invalid, "the head of `%s` (%.8s) asks for no pipelines: its message holds `[skip ci]`", b.short, b.ref.SHA)
	}
	p := b.row()
	p.Status = enum.Skipped
	return p, b.write(ctx, p, nil)
}

// broken stores a failed pipeline for the error, if the source keeps those.
func (b *builder) broken(ctx context.Context, cause error) (*models.Pipeline, error) {
	p := b.row()
	p.Status, p.FailureReason = enum.Failed, "config_error"
	var bad *ConfigError
	var refused *plan.Refusal
	var cycle *variable.CycleError
	switch {
	case errors.As(cause, &bad):
		p.YAMLErrors = bad.Report()
	case errors.As(cause, &cycle):
		p.YAMLErrors = cycle.Error()
	case errors.As(cause, &refused) && (refused.Reason == plan.ConfigError || refused.Reason == plan.NotYet):
		p.YAMLErrors = refused.Text
	case errors.As(cause, &refused) && (refused.Reason == plan.SizeLimit || refused.Reason == plan.ActivityLimit || refused.Reason == plan.DeploymentsLimit):
		p.YAMLErrors, p.FailureReason = refused.Text, string(refused.Reason)
	default:
		return nil, cause
	}
	if !b.r.Source.KeepsFailedPipeline() {
		return nil, cause
	}
	return p, b.write(ctx, p, nil)
}

func (b *builder) row() *models.Pipeline {
	p := &models.Pipeline{
		ProjectID: b.r.Project.ID, UserID: b.r.Actor.User.ID, Source: b.r.Source, Ref: b.short, Tag: b.tag, SHA: b.ref.SHA,
		BeforeSHA: b.r.BeforeSHA, Protected: b.protected, Status: enum.Created, CommitTitle: b.commit.Title(), Locked: b.locks(), NeedsKnown: true,
	}
	if p.BeforeSHA == "" {
		p.BeforeSHA = gitrepo.ZeroSHA
	}
	if b.r.Key != "" {
		p.CreationKey = &b.r.Key
	}
	if b.r.MergeRequest != nil {
		p.MergeRequestID = &b.r.MergeRequest.ID
	}
	if b.r.Schedule != nil {
		p.ScheduleID = &b.r.Schedule.ID
	}
	if b.r.Trigger != nil {
		p.TriggerShortToken = b.r.Trigger.ShortToken
	}
	if u := b.r.Upstream; u != nil {
		root := u.Root()
		p.SourceJobID, p.UpstreamID, p.RootID = &b.r.Bridge.ID, &u.ID, &root
	}
	return p
}

func (b *builder) store(ctx context.Context, pl *plan.Plan) (*models.Pipeline, error) {
	jobs := make([]models.NewJob, len(pl.Jobs))
	for i, j := range pl.Jobs {
		data, err := json.Marshal(j.Definition)
		if err != nil {
			return nil, fmt.Errorf("definition of job %s: %w", j.Name, err)
		}
		row := &models.Job{
			ProjectID: b.r.Project.ID, UserID: b.r.Actor.User.ID, Name: j.Name, Stage: j.Stage, StageIndex: j.StageIndex, Position: i,
			Needs: j.Needs, When: j.When, AllowFailure: j.AllowFailure, Status: enum.Created, Tags: j.Tags,
			Interruptible: j.Definition.Interruptible, Bridge: j.Definition.Trigger != nil || j.Definition.Mirrors != "",
			Releases: j.Definition.Release != nil,
		}
		if j.Definition.Mirrors != "" {
			row.MirrorsID = new(int64)
		}
		if row.Tags == nil {
			row.Tags = []string{}
		}
		if j.Name == b.r.Chat.Job {
			if row.Inputs, err = b.r.Chat.inputs(j.Definition.Inputs); err != nil {
				return nil, err
			}
		}
		jobs[i] = models.NewJob{Job: row, Definition: string(data)}
	}
	p := b.row()
	p.Name, p.OnJobFailure, p.OnNewCommit = pl.Name, pl.OnJobFailure, pl.OnNewCommit
	b.planned = pl
	return p, b.write(ctx, p, jobs)
}

// inputs are the JSON of what a job is given; "" if it asks for nothing.
func (ch ChatChoice) inputs(specs map[string]any) (string, error) {
	if len(specs) == 0 || ch.Inputs == nil {
		return "", nil
	}
	given, err := ch.Inputs(specs)
	if err != nil {
		return "", err
	}
	if _, err := config.ResolveJobInputs(specs, given); err != nil {
		return "", err
	}
	text, err := json.Marshal(given)
	return string(text), err
}

// write stores the pipeline in one transaction and starts what can start. The order of writes is the same
// in every transaction: the pipeline first, then its jobs.
func (b *builder) write(ctx context.Context, p *models.Pipeline, jobs []models.NewJob) error {
	fresh := *p
	err := b.c.db.Write(ctx, func(tx *models.Tx) (err error) {
		*p = fresh // the function may run twice
		if err := b.permit(tx); err != nil {
			return err
		}
		if err := b.permitRef(); err != nil {
			return err
		}
		p.Protected = b.protected
		for _, j := range jobs {
			j.Job.ID, j.Job.Status, j.Job.QueuedAt, j.Job.StatusReason = 0, enum.Created, nil, ""
		}
		if p.IID, err = tx.NextIID(p.ProjectID, "pipeline"); err != nil {
			return err
		}
		if err := tx.CreatePipeline(p, b.c.sealPipelineVariables(b.vars)); err != nil {
			return err
		}
		if err := errors.Join(b.groups(tx, jobs), b.environments(tx, jobs)); err != nil {
			return err
		}
		rows := make([]*models.Job, len(jobs))
		for i, j := range jobs {
			rows[i] = j.Job
		}
		m := b.c.mover(tx, p, b.r.Project)
		begun := m.begin(rows)
		if err := errors.Join(tx.CreateJobs(p.ID, jobs), tx.CreateNeeds(p.ID, jobs)); err != nil {
			return err
		}
		if b.r.Within != nil {
			if err := b.r.Within(tx, p, rows); err != nil {
				return err
			}
		}
		if len(jobs) > 0 {
			if err := b.outdates(tx, p); err != nil {
				return err
			}
		} else if err := b.c.happens(tx, happening{Event: PipelineEvents, Project: p.ProjectID, ID: p.ID, Status: p.Status}); err != nil {
			return err
		}
		if err := errors.Join(m.begins(begun), m.misplaced(rows)); err != nil {
			return err
		}
		return m.advance(rows)
	})
	if errors.Is(err, models.ErrDuplicate) && b.r.Key != "" {
		other, err := b.c.created(ctx, b.r.Key)
		if err == nil {
			*p = *other
		}
		return err
	}
	return err
}

// groups finds or makes the resource groups of the jobs.
func (b *builder) groups(tx *models.Tx, jobs []models.NewJob) error {
	known := map[string]*models.ResourceGroup{}
	for i := range jobs {
		key := b.planned.Jobs[i].ResourceGroup
		if key == "" {
			continue
		}
		g := known[key]
		if g == nil {
			var err error
			if g, err = tx.EnsureResourceGroup(b.r.Project.ID, key, b.r.Project.ResourceGroupMode()); err != nil {
				return err
			}
			known[key] = g
		}
		jobs[i].Job.ResourceGroupID = &g.ID
	}
	return nil
}
