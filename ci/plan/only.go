package plan

import (
	"fmt"
	"strings"

	"signalbox/ci/config"
)

// excluded says in words why a job is not in the pipeline; "" if it is.
func excluded(j *config.Job, f Facts) string {
	only := []string{"branches", "tags"}
	if j.Only != nil && j.Only.Refs != nil {
		only = j.Only.Refs
	}
	if !matchesAny(only, f) {
		if j.Only == nil {
			return fmt.Sprintf("the job `%s` runs for branches and tags only", j.Name)
		}
		return fmt.Sprintf("the job `%s` is kept out by `only: [%s]`, line %d: this is a pipeline of source `%s` on `%s`",
			j.Name, strings.Join(only, ", "), j.Only.Line, f.Source, f.Ref)
	}
	if j.Except != nil && matchesAny(j.Except.Refs, f) {
		return fmt.Sprintf("the job `%s` is kept out by `except: [%s]`, line %d: this is a pipeline of source `%s` on `%s`",
			j.Name, strings.Join(j.Except.Refs, ", "), j.Except.Line, f.Source, f.Ref)
	}
	return ""
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
		return !f.Tag
	case f.Source.MatchesWord(pattern):
		return true
	}
	re, isPattern, err := config.CompilePattern(pattern)
	if !isPattern || err != nil {
		return pattern != "" && pattern == f.Ref
	}
	return f.Ref != "" && re.MatchString(f.Ref)
}
