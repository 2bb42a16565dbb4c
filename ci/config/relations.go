package config

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// relations checks what jobs say of one another. GitLab tells the first mistake.
func (l *loader) relations(c *Config) {
	r := &relations{l: l, c: c, byName: map[string]*Job{}}
	stages := map[string]int{}
	for i, s := range c.Stages {
		stages[s] = i
	}
	for _, j := range c.Jobs {
		r.byName[j.Name] = j
		j.StageIndex = -1
		if i, known := stages[j.Stage]; known {
			j.StageIndex = i
		}
	}
	done := map[string]bool{}
	for _, j := range c.Jobs {
		if done[j.baseName()] { // all instances say the same
			continue
		}
		if r.full() {
			break
		}
		mark := l.mark()
		l.current = j.baseName()
		r.check(j)
		done[j.baseName()] = !l.sound(mark)
	}
	l.current = ""
	if text := cycle(c.Jobs, r.byName); text != "" {
		r.wrong(nil, text)
	}
}

type relations struct {
	l      *loader
	c      *Config
	byName map[string]*Job
	// names are those of all jobs, once something is to be suggested.
	names    []string
	mistakes int
}

const (
	// maxRelations is after how many mistakes no more are looked for.
	maxRelations = 1000
	// maxSuggested is for how many of them names are compared with those of all jobs.
	maxSuggested = 20
)

// full says that no more mistakes are looked for.
func (r *relations) full() bool { return r.mistakes > maxRelations }

func (r *relations) wrong(at *yaml.Node, text string) {
	r.mistakes++
	r.l.add(at, text)
	r.l.beyond = true
}

// at is where a job says something under a keyword, or else where it stands.
func (r *relations) at(j *Job, keyword, value string) *yaml.Node {
	if n := named(r.l.bodies[j.baseName()].Get(keyword), value); n != nil {
		return n
	}
	return r.l.jobs[j.Name]
}

// named finds a text in lists and mappings.
func named(n *yaml.Node, value string) *yaml.Node {
	if n == nil || n.IsText() && n.Text == value {
		return n
	}
	for _, i := range n.Items {
		if found := named(i, value); found != nil {
			return found
		}
	}
	for _, p := range n.Pairs {
		if found := named(p.Value, value); found != nil {
			return found
		}
	}
	return nil
}

func (r *relations) check(j *Job) {
	if j.StageIndex < 0 {
		r.wrong(r.at(j, "stage", j.Stage), j.Name+" job: chosen stage "+j.Stage+" does not exist; available stages are "+r.stages())
		if r.mistakes <= maxSuggested {
			r.l.suggest(j.Stage, r.c.Stages)
		}
	}
	if j.Dependencies != nil {
		for _, name := range *j.Dependencies {
			if r.full() {
				break
			}
			r.dependency(j, name)
		}
	}
	if j.Needs != nil {
		r.needs(j, "needs", *j.Needs)
	}
	for _, rule := range j.Rules {
		if rule.Needs != nil {
			r.needs(j, "rules", *rule.Needs)
		}
	}
	r.generator(j)
	if text := j.environments(r.byName); text != "" {
		r.wrong(r.at(j, "environment", j.Environment.OnStop), text)
		if r.byName[j.Environment.OnStop] == nil {
			r.suggest(j.Environment.OnStop)
		}
	}
	if body := r.l.bodies[j.baseName()]; body.Get("publish") != nil && body.Get("pages").Get("publish") != nil {
		r.wrong(r.at(j, "pages", ""), j.Name+" job: use either "+j.Name+":publish or "+j.Name+":pages:publish")
	}
}

// stages lists the stages: all of them for the mistake that GitLab tells, some for those after it.
func (r *relations) stages() string {
	const some = 10
	all := r.c.Stages
	if r.mistakes == 0 || len(all) <= some {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:some], ", "), len(all)-some)
}

func (r *relations) suggest(name string) {
	if r.mistakes > maxSuggested {
		return
	}
	if r.names == nil {
		for _, j := range r.c.Jobs {
			r.names = append(r.names, j.Name)
		}
	}
	r.l.suggest(name, r.names)
}

func (r *relations) dependency(j *Job, name string) {
	other := r.byName[name]
	switch {
	case other == nil && r.l.sick[name]:
	case other == nil:
		r.wrong(r.at(j, "dependencies", name), j.Name+" job: undefined dependency: "+name)
		r.suggest(name)
	case j.Needs == nil && (other.StageIndex < 0 || other.StageIndex > j.StageIndex):
		r.wrong(r.at(j, "dependencies", name), j.Name+" job: dependency "+name+" is not defined in current or prior stages")
	}
}

// generator checks the jobs whose artifacts a child pipeline is made from.
func (r *relations) generator(j *Job) {
	if j.Trigger == nil {
		return
	}
	for _, i := range j.Trigger.Include {
		include, _ := i.(map[string]any)
		name, ok := include["job"].(string)
		if !ok || r.full() {
			continue
		}
		other := r.byName[name]
		switch {
		case other == nil && r.l.sick[name]:
		case other == nil:
			r.wrong(r.at(j, "trigger", name), j.Name+" job: undefined dependency: "+name)
			r.suggest(name)
		case other.StageIndex < 0 || other.StageIndex > j.StageIndex:
			r.wrong(r.at(j, "trigger", name), j.Name+" job: dependency "+name+" is not defined in current or prior stages")
		}
	}
}

// maxNeedName is how long the name of a needed job may be.
const maxNeedName = 128

func (r *relations) needs(j *Job, keyword string, needs []Need) {
	seen := map[string]int{}
	var twice []string
	for _, n := range needs {
		if r.full() {
			break
		}
		if n.Cross != nil {
			continue
		}
		other := r.byName[n.Job]
		at := func() *yaml.Node { return r.at(j, keyword, n.Job) }
		switch {
		case len([]rune(n.Job)) > maxNeedName:
			r.wrong(at(), j.Name+" job: need `"+n.Job+"` name is too long (maximum is 128 characters)")
		case other == nil && (n.Optional || r.l.sick[n.Job]):
		case other == nil:
			r.wrong(at(), j.Name+" job: undefined need: "+n.Job)
			r.suggest(n.Job)
		case other.StageIndex < 0 || other.StageIndex > j.StageIndex:
			r.wrong(at(), j.Name+" job: need "+n.Job+" is not defined in current or prior stages")
		}
		if seen[n.Job]++; seen[n.Job] == 2 {
			twice = append(twice, n.Job)
		}
	}
	if twice != nil {
		r.wrong(r.at(j, keyword, twice[0]), j.Name+" has the following needs duplicated: "+strings.Join(twice, ", ")+".")
	}
}

// onlyCross says whether all needs are of other pipelines.
func onlyCross(needs []Need) bool {
	return len(needs) > 0 && !slices.ContainsFunc(needs, func(n Need) bool { return n.Cross == nil })
}

func needsJob(needs []Need, name string) bool {
	return slices.ContainsFunc(needs, func(n Need) bool { return n.Job == name })
}

// cycle finds jobs that need one another in a circle.
func cycle(jobs []*Job, byName map[string]*Job) string {
	state := map[string]int{}
	var path []string
	var visit func(j *Job) string
	visit = func(j *Job) string {
		state[j.Name] = 1
		path = append(path, j.Name)
		if j.Needs != nil {
			for _, n := range *j.Needs {
				switch {
				case n.Job == j.Name:
					return "The pipeline has circular dependencies: self-dependency: " + j.Name
				case byName[n.Job] == nil || state[n.Job] == 2:
				case state[n.Job] == 1:
					return `The pipeline has circular dependencies: topological sort failed: ["` +
						strings.Join(path[slices.Index(path, n.Job):], `", "`) + `"]`
				default:
					if text := visit(byName[n.Job]); text != "" {
						return text
					}
				}
			}
		}
		state[j.Name] = 2
		path = path[:len(path)-1]
		return ""
	}
	for _, j := range jobs {
		if state[j.Name] == 0 {
			if text := visit(j); text != "" {
				return text
			}
		}
	}
	return ""
}
