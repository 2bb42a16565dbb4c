package config

import (
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

// combined checks keywords that depend on one another.
func (l *loader) combined(j *Job, v *yaml.Node, location string) {
	start := v.Get("start_in")
	rules := v.Get("rules")
	j.HasRules = rules != nil && rules.Kind != yaml.Null
	if j.HasRules {
		var both []string
		for _, key := range []string{"only", "except", "start_in"} {
			if n := v.Get(key); n != nil && n.Kind != yaml.Null {
				both = append(both, key)
			}
		}
		if both != nil {
			l.bad(rules, location+" config", "key may not be used with `rules`: %s", strings.Join(both, ", "))
		}
	}
	switch {
	case j.When == enum.Delayed && start == nil:
		l.duration(&yaml.Node{Line: v.Line, Column: v.Column, Source: v.Source}, location+" start in", maxStartIn)
	case j.When == enum.Delayed:
		j.StartIn = l.duration(start, location+" start in", maxStartIn)
	}
	if start != nil && !blank(start) && !isBridge(v) && (j.HasRules || j.When != enum.Delayed) {
		l.bad(start, location+" start in", "must be blank")
	}
}

// subset checks that dependencies are among the needs, where a job has both.
func (l *loader) subset(j *Job, v *yaml.Node, location string) {
	if j.Needs == nil || len(*j.Needs) == 0 || j.Dependencies == nil || len(*j.Dependencies) == 0 {
		return
	}
	if onlyCross(*j.Needs) {
		l.bad(v.Get("dependencies"), location+" needs", "corresponding to dependencies must be from the same pipeline")
		return
	}
	var missing []string
	for _, d := range *j.Dependencies {
		if !needsJob(*j.Needs, d) {
			missing = append(missing, d)
		}
	}
	if missing != nil {
		l.bad(v.Get("dependencies"), location+" dependencies", "the %s should be part of needs", strings.Join(missing, ", "))
	}
}

// implied adds what a job does not say itself.
func (l *loader) implied(j *Job, v *yaml.Node, workflowRules bool) {
	if j.HasRules {
		l.warnOfTwoPipelines(j, v.Get("rules"), workflowRules)
	}
	if v.Get("allow_failure") == nil && j.When == enum.WhenManual {
		j.AllowFailure = true
	}
	if j.Only == nil && !j.HasRules && !workflowRules {
		j.Only = &Policy{}
	}
	if j.Only != nil && j.Only.Refs == nil && !j.HasRules && !workflowRules {
		only := *j.Only
		only.Refs = []string{"branches", "tags"}
		j.Only = &only
	}
}

// bridge checks that a job without script has another pipeline to start or to show.
func (l *loader) bridge(j *Job, v *yaml.Node, location string) {
	upstream := 0
	if j.Needs != nil {
		for _, n := range *j.Needs {
			if n.upstream() {
				upstream++
			}
		}
	}
	switch {
	case j.Trigger == nil && upstream == 0:
		l.bad(v, location+" config", "should contain either a trigger or a needs:pipeline")
	case upstream > 1:
		l.bad(v.Get("needs"), location+" config", "should contain at most one bridge need")
	}
}

// warnOfTwoPipelines is GitLab's warning of a last rule without condition.
func (l *loader) warnOfTwoPipelines(j *Job, at *yaml.Node, workflowRules bool) {
	if workflowRules || len(j.Rules) == 0 {
		return
	}
	list, ok := flattenMaps(at, 0)
	if !ok || len(list) != len(j.Rules) {
		return
	}
	last, r := list[len(list)-1], j.Rules[len(j.Rules)-1]
	if len(last.Pairs) == 1 && r.When != "" && r.When != enum.Never {
		l.warn(last, "jobs:"+j.Name+" may allow multiple pipelines to run for a single action due to `rules:when` clause with no `workflow:rules` - "+
			"read more: https://docs.gitlab.com/ee/ci/jobs/job_troubleshooting.html#job-may-allow-multiple-pipelines-to-run-for-a-single-action-warning")
	}
}
