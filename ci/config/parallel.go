package config

import (
	"fmt"
	"maps"
	"strings"

	"signalbox/ci/config/yaml"
)

const (
	maxParallel = 200
	// MaxJobs is how many jobs a configuration may have.
	MaxJobs = 20_000
	// maxNames is how many jobs needs and dependencies of a configuration may name.
	maxNames = 500_000
	// maxNeeds is how many jobs one job's needs can name; fewer may run.
	maxNeeds = 2000
)

// named is how many jobs the needs and dependencies of a job name.
func (j *Job) named() int {
	n := 0
	if j.Needs != nil {
		n += len(*j.Needs)
	}
	if j.Dependencies != nil {
		n += len(*j.Dependencies)
	}
	for _, r := range j.Rules {
		if r.Needs != nil {
			n += len(*r.Needs)
		}
	}
	return n
}

// Instance is one of several jobs that `parallel` makes of one.
type Instance struct {
	Index, Total int        // from 1
	Variables    []Variable // of a matrix
}

// Parallel is how many jobs are made of one: a number of the same, or one for every combination of a matrix.
type Parallel struct {
	Number int
	Matrix [][]Variable // the combinations, in order
}

func (l *loader) parallel(v *yaml.Node, at string, bridge bool) *Parallel {
	switch {
	case v.Kind == yaml.Int && bridge:
		l.bad(v, at+" config", `cannot use "parallel: <number>".`)
	case v.Kind == yaml.Int && v.Int < 1:
		l.bad(v, at+" config", "must be greater than or equal to 1")
	case v.Kind == yaml.Int && v.Int > maxParallel:
		l.bad(v, at+" config", "must be less than or equal to %d", maxParallel)
	case v.Kind == yaml.Int:
		return &Parallel{Number: int(v.Int)}
	case v.Kind == yaml.Float:
		l.bad(v, at+" config", "must be an integer")
	case v.Kind == yaml.Map:
		l.unknownKeys(v, at+" config", "matrix")
		m := v.Get("matrix")
		if m == nil {
			l.bad(v, at+" config", "missing required keys: matrix")
			return nil
		}
		return &Parallel{Matrix: l.matrix(m, at+":matrix")}
	default:
		l.add(v, at+" should be an integer or a hash")
	}
	return nil
}

// matrix lists the combinations: the first variable changes slowest. Its size is known before it is made.
func (l *loader) matrix(v *yaml.Node, at string) [][]Variable {
	entries := v.Items
	if v.Kind == yaml.Map {
		entries = []*yaml.Node{v}
	}
	ok := v.Kind == yaml.List
	for _, e := range entries {
		ok = ok && e.Kind == yaml.Map
	}
	if !ok {
		l.bad(v, at+" config", "should be an array of hashes")
		return nil
	}
	out := [][]Variable{}
	for _, e := range entries {
		keys, lists, size := l.axes(e, at)
		if lists == nil {
			return nil
		}
		if len(out)+size > maxParallel {
			l.bad(v, at+" config", "generates too many jobs (maximum is %d)", maxParallel)
			return nil
		}
		out = append(out, combinations(keys, lists)...)
	}
	return out
}

// axes reads the variables of one entry of a matrix and their values; nil if something is wrong.
func (l *loader) axes(e *yaml.Node, at string) (keys []string, lists [][]string, size int) {
	size = 1
	for _, p := range e.Pairs {
		values := []*yaml.Node{p.Value}
		if p.Value.Kind == yaml.List {
			values = p.Value.Items
		}
		var texts []string
		for _, n := range values {
			if !n.IsText() && n.Kind != yaml.Int {
				texts = nil
				break
			}
			texts = append(texts, rubyText(n))
		}
		if len(texts) == 0 {
			l.bad(p.Value, at+":variables config", "should be a hash of key value pairs, value can be an array")
			return nil, nil, 0
		}
		keys, lists = append(keys, keyText(p.Key)), append(lists, texts)
		size = min(size*len(texts), maxParallel+1)
	}
	if len(keys) == 0 {
		l.bad(e, at+":variables config", "requires at least 1 items")
		return nil, nil, 0
	}
	return keys, lists, size
}

func combinations(keys []string, lists [][]string) [][]Variable {
	out := [][]Variable{{}}
	for i, key := range keys {
		var next [][]Variable
		for _, head := range out {
			for _, value := range lists[i] {
				next = append(next, append(head[:len(head):len(head)], Variable{Key: key, Value: value}))
			}
		}
		out = next
	}
	return out
}

// names are the jobs that are made of one, with what makes each its own.
func (p *Parallel) names(job string) (names []string, instances []Instance) {
	if p.Matrix == nil {
		for i := range p.Number {
			names = append(names, fmt.Sprintf("%s %d/%d", job, i+1, p.Number))
			instances = append(instances, Instance{Index: i + 1, Total: p.Number})
		}
		return names, instances
	}
	place := map[string]int{}
	for i, vars := range p.Matrix {
		name, one := combinationName(job, vars), Instance{Index: i + 1, Total: len(p.Matrix), Variables: vars}
		if at, taken := place[name]; taken { // the later of two with one name is the one
			instances[at] = one
			continue
		}
		place[name] = len(names)
		names, instances = append(names, name), append(instances, one)
	}
	return names, instances
}

func combinationName(job string, vars []Variable) string {
	values := make([]string, len(vars))
	for i, v := range vars {
		values[i] = v.Value
	}
	return job + ": [" + strings.Join(values, ", ") + "]"
}

// expand makes several jobs of those with `parallel`, and lets needs and dependencies name all of them. Names are those of a
// map: of two jobs of one name the later counts, at the place of the first.
func (l *loader) expand(jobs []*Job) []*Job {
	made, written := map[string][]string{}, maps.Clone(l.jobs)
	var out []*Job
	place := map[string]int{}
	put := func(j *Job, at *yaml.Node) {
		l.jobs[j.Name] = at
		if i, taken := place[j.Name]; taken {
			out[i] = j
			return
		}
		place[j.Name] = len(out)
		out = append(out, j)
	}
	for _, j := range jobs {
		if len(out) > MaxJobs {
			l.aimless = true
			l.add(written[j.Name], fmt.Sprintf("the configuration has too many jobs (maximum is %d)", MaxJobs))
			return nil
		}
		if j.Parallel == nil {
			put(j, written[j.Name])
			continue
		}
		names, instances := j.Parallel.names(j.Name)
		for i, name := range names {
			one := *j
			one.Name, one.Base, one.Instance = name, j.Name, &instances[i]
			one.Variables = overlay(j.Variables, instances[i].Variables)
			put(&one, written[j.Name])
		}
		made[j.Name] = names
	}
	names, mark := 0, l.mark()
	for _, j := range out {
		l.spread(j, made)
		if !l.sound(mark) {
			l.aimless = true
			return out
		}
		if names += j.named(); names > maxNames {
			l.aimless = true
			l.add(l.jobs[j.Name], fmt.Sprintf("needs and dependencies name too many jobs (maximum is %d)", maxNames))
			return nil
		}
	}
	return out
}

// spread replaces the names of parallel jobs in a job's needs and dependencies by those of all their instances.
func (l *loader) spread(j *Job, made map[string][]string) {
	if j.Needs != nil {
		needs := l.spreadNeeds(j, *j.Needs, made)
		j.Needs = &needs
	}
	for i := range j.Rules {
		if n := j.Rules[i].Needs; n != nil {
			rules := append([]Rule{}, j.Rules...)
			needs := l.spreadNeeds(j, *n, made)
			rules[i].Needs = &needs
			j.Rules = rules
		}
	}
	if j.Dependencies != nil {
		all := []string{}
		for _, d := range *j.Dependencies {
			if names := made[d]; names != nil {
				all = append(all, names...)
			} else {
				all = append(all, d)
			}
		}
		j.Dependencies = &all
	}
}

func (l *loader) spreadNeeds(j *Job, needs []Need, made map[string][]string) []Need {
	out := []Need{}
	for _, n := range needs {
		name, missing := matrixValue(n.Job, j.Variables)
		if missing != "" {
			l.add(l.jobs[j.Name], j.baseName()+" job: '"+missing+"' does not exist in matrix configuration")
			return out
		}
		n.Job = name
		names := made[n.Job]
		if n.Matrix != nil && names != nil { // of a job that is one alone there is nothing to choose
			if names = l.chosen(j, n); names == nil {
				return out
			}
		}
		n.Matrix = nil
		if names == nil {
			out = append(out, n)
			continue
		}
		if len(out)+len(names) > maxNeeds {
			l.add(l.jobs[j.Name], fmt.Sprintf("%s: the needs of one job name too many others (maximum is %d)", j.Name, maxNeeds))
			return out
		}
		for _, name := range names {
			one := n
			one.Job = name
			out = append(out, one)
		}
	}
	return out
}

// chosen are the instances that a need picks out of a matrix; $[[ matrix.X ]] is the value of the job that needs.
func (l *loader) chosen(j *Job, n Need) []string {
	var names []string
	for _, vars := range n.Matrix {
		own := make([]Variable, len(vars))
		for i, v := range vars {
			value, missing := matrixValue(v.Value, j.Variables)
			if missing != "" {
				l.add(l.jobs[j.Name], j.baseName()+" job: '"+missing+"' does not exist in matrix configuration")
				return nil
			}
			own[i] = Variable{Key: v.Key, Value: value}
		}
		names = append(names, combinationName(n.Job, own))
	}
	return names
}

// baseName is the name that the job has in the file.
func (j *Job) baseName() string {
	if j.Base != "" {
		return j.Base
	}
	return j.Name
}

// overlay lays variables over others.
func overlay(lower, upper []Variable) []Variable {
	out := make([]Variable, 0, len(lower)+len(upper))
	own := make(map[string]bool, len(upper))
	for _, v := range upper {
		own[v.Key] = true
	}
	for _, v := range lower {
		if !own[v.Key] {
			out = append(out, v)
		}
	}
	return append(out, upper...)
}
