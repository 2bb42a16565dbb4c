package plan

import (
	"errors"
	"slices"
	"strings"

	"signalbox/ci/config"
	"signalbox/ci/expression"
	"signalbox/ci/variable"
)

// asker asks rules with what is known of a pipeline, and of one job. Its variables lie in layers, so that a job
// costs what it brings itself and not what it shares with all others.
type asker struct {
	f        Facts
	shared   *layers
	root     []config.Variable // of the configuration
	job      *config.Job       // nil: nothing of a job is known
	own      map[string]string // the job's variables of the configuration
	ofJob    variable.Collection
	values   expression.Values
	all      variable.Collection // what collection gives, once it was asked for
	expanded map[string]string   // the same, with what they say of one another
}

// layers are the variables that all jobs of a pipeline share.
type layers struct {
	above map[string]string // what counts more than the configuration
	root  map[string]string
	below map[string]string // predefined
	cycle error             // they go in a circle
}

func newAsker(f Facts, root []config.Variable) *asker {
	a := &asker{f: f, root: root, shared: &layers{
		above: append(slices.Clone(f.User), f.Variables[f.Predefined:]...).Map(), root: values(root),
		below: append(slices.Clone(f.Variables[:f.Predefined]), f.Configured...).Map(),
	}}
	a.values.Variable = a.get
	_, a.shared.cycle = a.collection().ExpandAll()
	return a
}

func values(vars []config.Variable) map[string]string {
	out := make(map[string]string, len(vars))
	for _, v := range vars {
		out[v.Key] = v.Value
	}
	return out
}

// of asks for one job, whose own variables and predefined ones count too (facts: pipeline-semantics 2.9).
func (a *asker) of(j *config.Job) *asker {
	b := &asker{f: a.f, shared: a.shared, root: a.root, job: j}
	if len(j.Variables) > 0 {
		b.own = values(j.Variables)
	}
	b.values.Variable = b.get
	return b
}

func (a *asker) get(name string) (string, bool) {
	if v, ok := a.shared.above[name]; ok {
		return v, true
	}
	if v, ok := a.own[name]; ok {
		return v, true
	}
	if v, ok := a.shared.root[name]; ok && inherits(a.job, name) {
		return v, true
	}
	if v, ok := a.shared.below[name]; ok {
		return v, true
	}
	if a.job == nil || !strings.HasPrefix(name, "CI_") {
		return "", false
	}
	return a.predefined().Get(name)
}

// predefined are the variables that a job has before it is stored.
func (a *asker) predefined() variable.Collection {
	if a.ofJob != nil || a.job == nil {
		return a.ofJob
	}
	j := variable.Job{Name: a.job.Name, Stage: a.job.Stage, Manual: a.job.When == "manual" || a.job.When == "delayed"}
	if i := a.job.Instance; i != nil {
		j.NodeIndex, j.NodeTotal = i.Index, i.Total
	}
	if e := a.job.Environment; e != nil {
		j.Environment = variable.Environment{Name: e.Name, Action: e.Action, Tier: e.DeploymentTier, URL: e.URL}
		if strings.ContainsAny(e.Name+e.DeploymentTier, "$%") {
			vars := a.with(a.f, variable.JobPredefined(variable.Job{Name: j.Name, Stage: j.Stage}))
			j.Environment.Name, j.Environment.Tier = vars.Expand(e.Name, false), vars.Expand(e.DeploymentTier, false)
		}
	}
	a.ofJob = variable.JobPredefined(j)
	return a.ofJob
}

// collection is all that is known, in the order of precedence (facts: ci-yaml 14.2).
func (a *asker) collection() variable.Collection {
	if a.all == nil {
		a.all = a.with(a.f, a.predefined())
	}
	return a.all
}

func (a *asker) with(f Facts, job variable.Collection) variable.Collection {
	yaml := a.root
	if a.job != nil {
		yaml = merge(inherited(a.root, a.job), a.job.Variables)
	}
	out := make(variable.Collection, 0, len(f.Variables)+len(f.Configured)+len(f.User)+len(yaml)+len(job))
	out = append(append(append(out, job...), f.Variables[:f.Predefined]...), f.Configured...)
	for _, v := range yaml {
		out = append(out, variable.Variable{Key: v.Key, Value: v.Value, Raw: v.Raw, Public: true})
	}
	return append(append(out, f.User...), f.Variables[f.Predefined:]...)
}

// cycle says in GitLab's words that the variables of a job go in a circle. A job costs what its own variables refer to,
// and only one that may have a circle what there is in all.
func (a *asker) cycle() string {
	if a.shared.cycle == nil && !a.mayCircle() {
		return ""
	}
	_, err := a.collection().ExpandAll()
	var circle *variable.CycleError
	if errors.As(err, &circle) {
		return a.job.Name + ": " + circle.Error()
	}
	return ""
}

// mayCircle follows what a job's own variables refer to: without a way back there is no circle, as there is none among
// the variables that all jobs share.
func (a *asker) mayCircle() bool {
	const under, done = 1, 2
	state := map[string]int{}
	var follow func(name, value string) bool
	follow = func(name, value string) bool {
		state[name] = under
		for _, other := range variable.References(value) {
			switch state[other] {
			case under:
				return true
			case done:
				continue
			}
			if next, ok := a.get(other); ok && follow(other, next) {
				return true
			}
		}
		state[name] = done
		return false
	}
	for _, v := range a.job.Variables {
		if !v.Raw && state[v.Key] == 0 && follow(v.Key, v.Value) {
			return true
		}
	}
	return false
}

// expand replaces the variables in a text; what is not known becomes nothing.
func (a *asker) expand(s string) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	return variable.Expand(s, a.known(), false)
}

// text replaces the variables in a pattern; what is not known stays as it is.
func (a *asker) text(s string) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	return variable.Expand(s, a.known(), true)
}

// known is what all variables come to.
func (a *asker) known() map[string]string {
	if a.expanded == nil {
		all, _ := a.collection().ExpandAll() // circles are told elsewhere
		a.expanded = all.Map()
	}
	return a.expanded
}

func (a *asker) texts(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = a.text(p)
	}
	return out
}

// inherits says whether a job wants a variable of the root.
func inherits(j *config.Job, name string) bool {
	return j == nil || j.RootVariables == nil || slices.Contains(*j.RootVariables, name)
}

// inherited are the variables of the root that a job wants.
func inherited(root []config.Variable, j *config.Job) []config.Variable {
	if j.RootVariables == nil {
		return root
	}
	var out []config.Variable
	for _, v := range root {
		if inherits(j, v.Key) {
			out = append(out, v)
		}
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
