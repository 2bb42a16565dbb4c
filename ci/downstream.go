package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

const (
	// maxChildDepth is how deep child pipelines can be nested.
	maxChildDepth = 2
	// maxBridgeAttempts is how often a bridge tries to start its pipeline when something is out of order.
	maxBridgeAttempts = 10
	// maxFamily is how many pipelines may have started one another.
	maxFamily = 1000
)

// bridgeFailure says why a bridge could not start its pipeline; more is for people.
type bridgeFailure struct {
	reason enum.FailureReason
	more   string
}

func (e *bridgeFailure) Error() string { return string(e.reason) + " " + e.more }

// runDownstream starts the pipeline of a bridge. It may run twice: the pipeline has the bridge's key, and the bridge is
// moved from where it is then.
func (c *Coordinator) runDownstream(ctx context.Context, t *models.Task) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	f := &jobFacts{}
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if err := c.readFacts(tx, id, f); err != nil {
			return err
		}
		if f.job.Status != enum.Pending {
			return models.ErrNotFound
		}
		deps, _, err := c.dependencies(tx, f)
		if err == nil {
			f.handed, err = c.handedOn(tx, deps)
		}
		return sealedIsBroken(err)
	})
	var broken *brokenJob
	if errors.As(err, &broken) {
		c.log.ErrorContext(ctx, "bridge cannot be read", "job", id, "error", err)
		return c.bridged(ctx, id, nil, &bridgeFailure{reason: enum.DataIntegrityFailure})
	}
	if err != nil {
		return notThere(err) // it does not wait any more
	}
	if f.definition.Mirrors != "" {
		return c.mirror(ctx, t, f)
	}
	made, err := c.startDownstream(ctx, f)
	failed, err := c.gaveUp(ctx, t, f, err)
	if err != nil {
		return err
	}
	return c.bridged(ctx, id, made, failed)
}

// gaveUp tells what ends a bridge, which is also an error that did not pass after several tries, from what is tried again.
func (c *Coordinator) gaveUp(ctx context.Context, t *models.Task, f *jobFacts, err error) (*bridgeFailure, error) {
	var failed *bridgeFailure
	if err == nil || errors.As(err, &failed) {
		return failed, nil
	}
	if t.Attempts < maxBridgeAttempts {
		return nil, err
	}
	c.log.ErrorContext(ctx, "a bridge cannot find or make its pipeline", "job", f.job.ID, "error", err)
	return &bridgeFailure{enum.DataIntegrityFailure, "an internal error keeps its pipeline from being found or made"}, nil
}

// bridged moves a bridge on after its pipeline was made, or not. If it was canceled meanwhile, its pipeline is too.
func (c *Coordinator) bridged(ctx context.Context, id int64, made *models.Pipeline, failed *bridgeFailure) error {
	return c.withJob(ctx, id, func(m *mover, j *models.Job) error {
		if j.Status != enum.Pending {
			if j.Status == enum.Canceled && made != nil {
				return m.cancelDownstream(j, "its bridge was canceled")
			}
			return nil
		}
		if failed != nil {
			return m.end(j, process.Drop, Outcome{Reason: failed.reason, Text: failed.more})
		}
		if err := m.move(j, process.Run, nil); err != nil {
			return err
		}
		def, err := m.c.definition(m.tx, j)
		if err != nil {
			return err
		}
		if def.Trigger.Strategy == "" {
			return m.end(j, process.Succeed, Outcome{Success: true})
		}
		if err := m.c.soon(m.tx, TaskUpstream, made.ID); err != nil { // it may have ended already
			return err
		}
		return m.advance(nil)
	})
}

// startDownstream makes the pipeline of a bridge, or refuses with a *bridgeFailure (facts: pipeline-semantics 4.15).
func (c *Coordinator) startDownstream(ctx context.Context, f *jobFacts) (*models.Pipeline, error) {
	repo := c.Repo(f.project)
	var err error
	if f.commit, err = repo.Commit(ctx, f.pipeline.SHA); err == nil && f.pipeline.Tag {
		f.tagMessage, err = repo.TagMessage(ctx, f.pipeline.Ref)
	}
	if errors.Is(err, gitrepo.ErrNotFound) {
		return nil, &bridgeFailure{enum.DataIntegrityFailure, "its commit is gone"}
	}
	if err != nil {
		return nil, err
	}
	r := PipelineRequest{
		Actor: access.Actor{User: f.user}, Upstream: f.pipeline, Bridge: f.job, Key: fmt.Sprintf("bridge:%d", f.job.ID),
	}
	made, err := c.created(ctx, r.Key)
	if err == nil {
		return made, brokenDownstream(made)
	}
	if err != models.ErrNotFound {
		return nil, err
	}
	if f.definition.Trigger.Include != nil {
		err = c.childRequest(ctx, f, &r)
	} else {
		err = c.projectRequest(ctx, f, &r)
	}
	if err != nil {
		return nil, err
	}
	if made, err = c.CreatePipeline(ctx, r); err != nil {
		return nil, notMade(err)
	}
	return made, brokenDownstream(made)
}

// brokenDownstream refuses a pipeline that was stored for people to see what is wrong with its configuration.
func brokenDownstream(made *models.Pipeline) error {
	if made.Status != enum.Failed || made.FailureReason == "" {
		return nil
	}
	first, _, _ := strings.Cut(made.YAMLErrors, "\n")
	return &bridgeFailure{enum.DownstreamCreationFailed, fmt.Sprintf("pipeline #%d: %s", made.ID, first)}
}

// notMade tells refusals, which end the bridge, from errors that pass.
func notMade(err error) error {
	if !refused(err) {
		return err
	}
	return &bridgeFailure{enum.DownstreamCreationFailed, err.Error()}
}

// childRequest asks for a pipeline of the same commit with another configuration.
func (c *Coordinator) childRequest(ctx context.Context, f *jobFacts, r *PipelineRequest) error {
	if err := c.throttled(ctx, f); err != nil {
		return err
	}
	r.Project, r.Source, r.Ref, r.SHA, r.BeforeSHA = f.project, enum.SourceParentPipeline, f.pipeline.FullRef(), f.pipeline.SHA, f.pipeline.BeforeSHA
	text, err := json.Marshal(map[string]any{"include": f.definition.Trigger.Include}) // JSON is YAML
	if err != nil {
		return err
	}
	r.Config = &config.File{Name: "trigger:include of " + f.job.Name, Content: text}
	r.Variables = f.forwarded(f.bridgeVariables(c.server()))
	return c.db.Read(ctx, func(tx *models.Tx) error {
		if id := f.pipeline.MergeRequestID; id != nil {
			if r.MergeRequest, err = tx.MergeRequestByID(*id); err != nil {
				return err
			}
		}
		depth := 1
		for p := f.pipeline; p.Source == enum.SourceParentPipeline && p.UpstreamID != nil; depth++ {
			if p, err = tx.Pipeline(*p.UpstreamID); err != nil {
				return notThere(err)
			}
		}
		if depth > maxChildDepth {
			return &bridgeFailure{reason: enum.DescendantsTooDeep}
		}
		return c.mayBridge(tx, f, r, f.project)
	})
}

// projectRequest asks for a pipeline of another project.
func (c *Coordinator) projectRequest(ctx context.Context, f *jobFacts, r *PipelineRequest) error {
	vars := f.bridgeVariables(c.server())
	t := f.definition.Trigger
	name := strings.TrimSpace(vars.Expand(t.Project, false))
	if name == "" {
		return &bridgeFailure{reason: enum.DownstreamProjectEmpty}
	}
	if err := c.throttled(ctx, f); err != nil {
		return err
	}
	target, _, err := c.FindProject(ctx, r.Actor, name, access.ReadProject)
	if fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Forbidden {
		return &bridgeFailure{enum.DownstreamProjectNotFound, name}
	}
	if err != nil {
		return err
	}
	if target.ID == f.project.ID {
		return &bridgeFailure{reason: enum.InvalidBridgeTrigger}
	}
	r.Project, r.Source, r.Ref = target, enum.SourcePipeline, strings.TrimSpace(vars.Expand(t.Branch, false))
	if r.Ref == "" {
		r.Ref = "refs/heads/" + target.DefaultBranch
	}
	return c.db.Read(ctx, func(tx *models.Tx) (err error) {
		// What is kept for protected refs of this project does not leave it.
		if f.stored, err = c.storedVariables(tx, f.project, sight{environment: f.sees().environment}); err != nil {
			return err
		}
		known := f.bridgeVariables(c.server())
		r.Inputs, _ = expandInputs(t.Inputs, known).(map[string]any)
		r.Variables = f.forwarded(known)
		if err := c.mayBridge(tx, f, r, target); err != nil {
			return err
		}
		return noLoop(tx, f.pipeline)
	})
}

// mayBridge asks for the user's rights and the size of the family.
func (c *Coordinator) mayBridge(tx *models.Tx, f *jobFacts, r *PipelineRequest, target *models.Project) error {
	size, err := tx.FamilySize(f.pipeline.Root())
	if err != nil {
		return err
	}
	if size >= maxFamily {
		return &bridgeFailure{reason: enum.HierarchyTooLarge}
	}
	up, err := access.SubjectOf(tx, r.Actor, f.project)
	if err != nil {
		return err
	}
	down, err := access.SubjectOf(tx, r.Actor, target)
	if err != nil {
		return err
	}
	short, tag := strings.CutPrefix(r.Ref, "refs/tags/")
	short = strings.TrimPrefix(short, "refs/heads/")
	if r.MergeRequest != nil {
		short = r.MergeRequest.SourceBranch
	}
	if !access.Allowed(r.Actor, access.UpdatePipeline, up) || !access.Allowed(r.Actor, access.CreatePipeline, down.On(short, tag)) {
		return &bridgeFailure{reason: enum.InsufficientBridgePermissions}
	}
	return nil
}

// noLoop refuses when the same ref of a project stands more than twice among those that started one another. The
// number of projects in a chain without one bounds the walk.
func noLoop(tx *models.Tx, p *models.Pipeline) error {
	seen := map[string]int{}
	for {
		if p.Source != enum.SourceParentPipeline {
			key := fmt.Sprint(p.ProjectID, " ", p.Ref, " ", p.Source)
			if seen[key]++; seen[key] > 2 {
				return &bridgeFailure{reason: enum.PipelineLoop}
			}
		}
		if p.UpstreamID == nil {
			return nil
		}
		var err error
		if p, err = tx.Pipeline(*p.UpstreamID); err != nil {
			return notThere(err)
		}
	}
}

// forwarded are the variables that a bridge gives to its pipeline; of one name the last counts.
func (f *jobFacts) forwarded(known variable.Collection) []variable.Variable {
	var sources variable.Collection
	if f.definition.Trigger.YAMLVariables {
		sources = append(sources, yamlVariables(f.definition.Variables)...)
	}
	if f.definition.Trigger.PipelineVariables {
		sources = append(append(sources, f.handed...), f.given...)
	}
	values, kept := known.Map(), map[string]variable.Variable{}
	for _, v := range known {
		if v.File {
			values[v.Key], kept[v.Key] = "$"+v.Key, v // stays a reference, to a file that goes along
		}
	}
	var all variable.Collection
	for _, v := range sources {
		if !v.Raw && !v.File {
			v.Raw = true // it is resolved here, and not again there: what people give is never taken for a reference
			for _, name := range variable.References(v.Value) {
				if file, ok := kept[name]; ok {
					all, v.Raw = append(all, file), false
				}
			}
			v.Value = variable.Expand(v.Value, values, false)
		}
		all = append(all, v)
	}
	at := map[string]int{}
	var out []variable.Variable
	for _, v := range all {
		if i, ok := at[v.Key]; ok {
			out[i] = v
			continue
		}
		at[v.Key] = len(out)
		out = append(out, v)
	}
	return out
}

// expandInputs replaces variables in all texts of a value.
func expandInputs(v any, vars variable.Collection) any {
	switch v := v.(type) {
	case string:
		return vars.Expand(v, true)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expandInputs(v[i], vars)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = expandInputs(v[k], vars)
		}
		return out
	}
	return v
}
