package plan

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/config"
)

// UnknownStage says that a chat named a stage that is not there.
const UnknownStage Reason = "unknown_stage"

// chosen are the jobs of a configuration that a pipeline is about: all, or those that a chat named.
func chosen(c *config.Config, f Facts, rules *asker) ([]*config.Job, error) {
	switch {
	case f.ChatStage != "":
		var jobs []*config.Job
		var stages []string
		for _, j := range c.Jobs {
			if j.Stage == f.ChatStage {
				jobs = append(jobs, j)
			}
			if !slices.Contains(stages, j.Stage) {
				stages = append(stages, j.Stage)
			}
		}
		if jobs != nil {
			return jobs, nil
		}
		r := &Refusal{Reason: UnknownStage, Nearest: config.Nearest(f.ChatStage, stages, 3)}
		r.Text = fmt.Sprintf("there is no job in a stage `%s` on %s; it has the stages `%s`", f.ChatStage, f.place(), strings.Join(stages, "`, `"))
		return nil, r
	case f.ChatJob == "":
		return c.Jobs, nil
	}
	named := find(c.Jobs, f.ChatJob)
	switch {
	case named == nil:
		return nil, unknownJob(c.Jobs, f, rules)
	case f.WithNeeds:
		return withNeeds(c.Jobs, named), nil
	}
	return []*config.Job{named}, nil
}

// withNeeds are a job and all that it waits for, directly or through others: what it needs, or else the earlier stages.
func withNeeds(all []*config.Job, named *config.Job) []*config.Job {
	in := map[*config.Job]bool{named: true}
	byName := map[string][]*config.Job{}
	for _, j := range all {
		byName[j.Name] = append(byName[j.Name], j)
		if j.Base != "" && j.Base != j.Name {
			byName[j.Base] = append(byName[j.Base], j)
		}
	}
	stages := 0 // jobs of stages before this one are in
	for waiting := []*config.Job{named}; len(waiting) > 0; waiting = waiting[1:] {
		j := waiting[0]
		if j.Needs == nil {
			if j.StageIndex <= stages {
				continue
			}
			stages = j.StageIndex
			for _, other := range all {
				if other.StageIndex < stages && !in[other] {
					in[other], waiting = true, append(waiting, other)
				}
			}
			continue
		}
		for _, n := range *j.Needs {
			for _, other := range byName[n.Job] {
				if !in[other] {
					in[other], waiting = true, append(waiting, other)
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(j *config.Job) bool { return !in[j] })
}

// place says where jobs were looked for.
func (f Facts) place() string {
	switch {
	case f.DefaultRef:
		return fmt.Sprintf("the default branch `%s`", f.Ref)
	case f.Tag:
		return fmt.Sprintf("the tag `%s`", f.Ref)
	}
	return fmt.Sprintf("the branch `%s`", f.Ref)
}
