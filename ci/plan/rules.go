package plan

import (
	"fmt"

	"signalbox/ci/config"
	"signalbox/models/enum"
)

// Files answers what rules ask of the repository. Answers may be costly: they are asked once and kept.
type Files interface {
	// Changed lists the paths that the pipeline is about: between its commit and the one before, or, with a
	// ref, where it left that ref. known is false where there is nothing to compare with.
	Changed(compareTo string) (paths []string, known bool, err error)
	// Tree lists the files of a commit; "" are the pipeline's own project and commit.
	Tree(project, ref string) ([]string, error)
	// Any says whether one of some paths matches a pattern in Ruby's syntax. The error says what is wrong with it.
	Any(pattern string, paths []string) (bool, error)
}

// RuleError says why a rule cannot be asked. It is a mistake in the configuration.
type RuleError struct{ Text string }

func (e *RuleError) Error() string { return e.Text }

// Matches says whether the conditions of one rule hold.
func Matches(f Facts, r config.Rule) (bool, error) {
	ok, _, err := newAsker(f, nil).matches(&r)
	return ok, err
}

// matches says whether all conditions of a rule hold; why names the first that does not.
func (a *asker) matches(r *config.Rule) (ok bool, why string, err error) {
	if r.If != nil && !r.If.Matches(a.values) {
		return false, "`if: " + r.IfText + "` does not hold", nil
	}
	if r.Changes != nil {
		if ok, err := a.changed(r.Changes); !ok || err != nil {
			return false, "none of its `changes` has changed", err
		}
	}
	if r.Exists != nil {
		if ok, err := a.exists(r.Exists); !ok || err != nil {
			return false, "none of its `exists` is there", err
		}
	}
	return true, "", nil
}

func (a *asker) changed(c *config.Changes) (bool, error) {
	if a.f.Files == nil {
		return true, nil
	}
	paths, known, err := a.f.Files.Changed(a.text(c.CompareTo))
	if err != nil || !known {
		return true, err
	}
	if c.Regexp != "" {
		return a.anyRegexp("rules:changes", a.text(c.Regexp), paths)
	}
	return anyMatch(a.texts(c.Paths), paths), nil
}

func (a *asker) exists(e *config.Exists) (bool, error) {
	if a.f.Files == nil {
		return true, nil
	}
	paths, err := a.f.Files.Tree(a.text(e.Project), a.text(e.Ref))
	if err != nil {
		return false, err
	}
	if e.Regexp != "" {
		return a.anyRegexp("rules:exists", a.text(e.Regexp), paths)
	}
	return anyExists(a.texts(e.Paths), paths), nil
}

const (
	maxRegexp = 255
	// maxRegexpPaths is how many paths a pattern is held against; more are taken for a match.
	maxRegexpPaths = 50_000
)

func (a *asker) anyRegexp(clause, pattern string, paths []string) (bool, error) {
	if len([]rune(pattern)) > maxRegexp {
		return false, &RuleError{fmt.Sprintf("%s:regexp is too long (maximum is %d characters after variable expansion)", clause, maxRegexp)}
	}
	if len(paths) > maxRegexpPaths {
		return true, nil
	}
	ok, err := a.f.Files.Any(pattern, paths)
	if err != nil {
		return false, &RuleError{clause + ":regexp " + err.Error()}
	}
	return ok, nil
}

// first finds the rule that decides; nil if none does. why says what kept the last one out.
func (a *asker) first(rules []config.Rule) (r *config.Rule, why string, err error) {
	for i := range rules {
		ok, reason, err := a.matches(&rules[i])
		if err != nil {
			return nil, "", err
		}
		if ok {
			return &rules[i], "", nil
		}
		why = fmt.Sprintf("%s (%s)", reason, rules[i].At)
	}
	return nil, why, nil
}

// decided is what rules say of a job.
type decided struct {
	out  bool   // it is not in the pipeline
	why  string // in words, if it is not
	rule *config.Rule
}

// decide asks what keeps the asker's job in or out.
func (a *asker) decide() (decided, error) {
	if a.job.HasRules {
		return a.byRules(a.job)
	}
	return a.byPolicy(a.job)
}

// byRules asks a job's rules.
func (a *asker) byRules(j *config.Job) (decided, error) {
	r, why, err := a.first(j.Rules)
	switch {
	case err != nil:
		return decided{}, &RuleError{"Failed to parse rule for " + j.Name + ": " + err.Error()}
	case r == nil && len(j.Rules) == 0:
		return decided{out: true, why: fmt.Sprintf("the job `%s` has an empty list of rules, %s", j.Name, j.At)}, nil
	case r == nil:
		return decided{out: true, why: fmt.Sprintf("none of the rules of the job `%s` matches: of the last one %s", j.Name, why)}, nil
	case r.When == enum.Never:
		text := "`when: never`"
		if r.IfText != "" {
			text = "`if: " + r.IfText + "` with " + text
		}
		return decided{out: true, why: fmt.Sprintf("the job `%s` is kept out by %s, %s", j.Name, text, r.At)}, nil
	}
	return decided{rule: r}, nil
}

// apply lays what a rule says over a job. allow_failure stays the job's own unless the rule has one: a job that
// is manual by itself may fail, one that a rule makes manual blocks.
func (d decided) apply(j *Job) {
	r := d.rule
	if r == nil {
		return
	}
	if r.When != "" {
		j.When, j.Definition.StartIn = r.When, r.StartIn
	}
	if r.AllowFailure != nil {
		j.AllowFailure, j.Definition.AllowCodes = *r.AllowFailure, nil
	}
	if r.Interruptible != nil {
		j.Definition.Interruptible = *r.Interruptible
	}
	j.Definition.Variables = merge(j.Definition.Variables, r.Variables)
	if r.Needs != nil {
		j.setNeeds(*r.Needs)
	}
}

// workflow asks whether there is a pipeline at all, and gives the variables that the matching rule sets.
func workflow(c *config.Config, a *asker) (vars []config.Variable, rule *config.Rule, err error) {
	if !c.Workflow.HasRules {
		return nil, nil, nil
	}
	r, _, err := a.first(c.Workflow.Rules)
	if err != nil {
		return nil, nil, &Refusal{Reason: ConfigError, Text: "Failed to parse rule for workflow: " + err.Error()}
	}
	if r == nil || r.When == enum.Never {
		return nil, nil, &Refusal{Reason: FilteredByWorkflow, Text: "Pipeline filtered out by workflow rules."}
	}
	return r.Variables, r, nil
}
