package plan

import (
	"fmt"
	"strings"

	"signalbox/ci/config"
)

// byPolicy asks only and except (facts: ci-yaml 11.2): of `only` every key must be satisfied, `except` keeps out by
// any of its keys.
func (a *asker) byPolicy(j *config.Job) (decided, error) {
	if j.Only != nil {
		why, err := a.missing(j.Only)
		if err != nil {
			return decided{}, err
		}
		if why != "" {
			if j.Only.Line == 0 {
				return decided{out: true, why: fmt.Sprintf("the job `%s` runs for branches and tags only", j.Name)}, nil
			}
			return a.keptOut(j, "only", why, j.Only.Line), nil
		}
	}
	if j.Except != nil {
		why, err := a.hit(j.Except)
		if err != nil {
			return decided{}, err
		}
		if why != "" {
			return a.keptOut(j, "except", why, j.Except.Line), nil
		}
	}
	return decided{}, nil
}

func (a *asker) keptOut(j *config.Job, keyword, why string, line int) decided {
	return decided{out: true, why: fmt.Sprintf("the job `%s` is kept out by `%s: %s`, line %d: this is a pipeline of source `%s` on `%s`",
		j.Name, keyword, why, line, a.f.Source, a.f.Ref)}
}

// missing names the first key of `only` that is not satisfied; "" if all are.
func (a *asker) missing(p *config.Policy) (string, error) {
	switch {
	case p.Refs != nil && !matchesAny(p.Refs, a.f):
		return "[" + strings.Join(p.Refs, ", ") + "]", nil
	case p.Kubernetes:
		return "{kubernetes: active}", nil // no clusters are known here
	case p.Variables != nil && !a.anyVariable(p):
		return "{variables: …}", nil
	}
	if p.Changes == nil {
		return "", nil
	}
	ok, err := a.touched(p.Changes)
	if ok || err != nil {
		return "", err
	}
	return "{changes: …}", nil
}

// hit names the first key of `except` that is satisfied; "" if none is.
func (a *asker) hit(p *config.Policy) (string, error) {
	switch {
	case p.Refs != nil && matchesAny(p.Refs, a.f):
		return "[" + strings.Join(p.Refs, ", ") + "]", nil
	case p.Variables != nil && a.anyVariable(p):
		return "{variables: …}", nil
	}
	if p.Changes == nil {
		return "", nil
	}
	ok, err := a.touched(p.Changes)
	if !ok || err != nil {
		return "", err
	}
	return "{changes: …}", nil
}

// touched asks the changes of only and except, whose patterns hold no variables.
func (a *asker) touched(patterns []string) (bool, error) {
	if a.f.Files == nil {
		return true, nil
	}
	paths, known, err := a.f.Files.Changed("")
	if err != nil || !known {
		return true, err
	}
	return anyMatch(patterns, paths), nil
}

func (a *asker) anyVariable(p *config.Policy) bool {
	for _, e := range p.Variables {
		if e.Matches(a.values) {
			return true
		}
	}
	return false
}

func matchesAny(refs []string, f Facts) bool {
	for _, r := range refs {
		if matches(r, f) {
			return true
		}
	}
	return false
}

// matches compares one entry of only/except with the pipeline. The entry is cut at its first `@`, as GitLab
// does, even inside a regular expression.
func matches(entry string, f Facts) bool {
	pattern, project, named := strings.Cut(entry, "@")
	if named && project != f.ProjectPath {
		return false
	}
	switch {
	case pattern == "tags":
		return f.Tag
	case pattern == "branches":
		return !f.Tag && !f.Detached
	case f.Source.MatchesWord(pattern):
		return true
	case f.Detached: // its branch is none that it runs on
		return false
	}
	re, isPattern, err := config.CompilePattern(pattern)
	if !isPattern || err != nil {
		return pattern != "" && pattern == f.Ref
	}
	return f.Ref != "" && re.MatchString(f.Ref)
}
