package config

import (
	"slices"
	"strings"
)

// relations checks what jobs say of one another, and stops at the first mistake.
func (l *loader) relations(c *Config) {
	byName := map[string]*Job{}
	for _, j := range c.Jobs {
		byName[j.Name] = j
	}
	stages := map[string]int{}
	for i, s := range c.Stages {
		stages[s] = i
	}
	for _, j := range c.Jobs {
		j.StageIndex = -1
		if i, known := stages[j.Stage]; known {
			j.StageIndex = i
		}
	}
	for _, j := range c.Jobs {
		if j.StageIndex < 0 {
			l.add(l.jobs[j.Name], j.Name+" job: chosen stage "+j.Stage+" does not exist; available stages are "+
				strings.Join(c.Stages, ", "))
			l.suggest(j.Stage, c.Stages)
			return
		}
		if text := j.relation(c, byName); text != "" {
			l.add(l.jobs[j.Name], text)
			return
		}
	}
	if text := cycle(c.Jobs, byName); text != "" {
		l.add(nil, text)
	}
}

func (j *Job) relation(c *Config, byName map[string]*Job) string {
	if j.Dependencies != nil {
		for _, name := range *j.Dependencies {
			other := byName[name]
			switch {
			case other == nil:
				return j.Name + " job: undefined dependency: " + name
			case j.Needs == nil && (other.StageIndex < 0 || other.StageIndex > j.StageIndex):
				return j.Name + " job: dependency " + name + " is not defined in current or prior stages"
			case j.Needs != nil && onlyCross(*j.Needs):
				return strings.ToLower("jobs:" + j.Name + " needs corresponding to dependencies must be from the same pipeline")
			case j.Needs != nil && !needsJob(*j.Needs, name):
				var missing []string
				for _, d := range *j.Dependencies {
					if !needsJob(*j.Needs, d) {
						missing = append(missing, d)
					}
				}
				return strings.ToLower("jobs:" + j.Name + " dependencies the " + strings.Join(missing, ", ") + " should be part of needs")
			}
		}
	}
	if j.Needs != nil {
		if text := j.checkNeeds(*j.Needs, byName); text != "" {
			return text
		}
	}
	for _, r := range j.Rules {
		if r.Needs != nil {
			if text := j.checkNeeds(*r.Needs, byName); text != "" {
				return text
			}
		}
	}
	return j.environments(byName)
}

// maxNeedName is how long the name of a needed job may be.
const maxNeedName = 128

func (j *Job) checkNeeds(needs []Need, byName map[string]*Job) string {
	seen := map[string]bool{}
	for _, n := range needs {
		other := byName[n.Job]
		switch {
		case n.Cross != nil:
			continue
		case len([]rune(n.Job)) > maxNeedName:
			return j.Name + " job: need `" + n.Job + "` name is too long (maximum is 128 characters)"
		case other == nil && !n.Optional:
			return j.Name + " job: undefined need: " + n.Job
		case other != nil && (other.StageIndex < 0 || other.StageIndex > j.StageIndex):
			return j.Name + " job: need " + n.Job + " is not defined in current or prior stages"
		case seen[sameNeed(n)]:
			return j.Name + " has the following needs duplicated: " + n.Job + "."
		}
		seen[sameNeed(n)] = true
	}
	return ""
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
