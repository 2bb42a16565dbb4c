package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/expression"
	"signalbox/models/enum"
)

// Rule is one entry of `rules`: when all its conditions hold, it decides.
type Rule struct {
	If            *expression.Expr // nil: no condition
	IfText        string
	Changes       *Changes
	Exists        *Exists
	When          enum.When // "": the job's own
	StartIn       int
	AllowFailure  *bool
	Variables     []Variable
	Needs         *[]Need
	Interruptible *bool
	AutoCancel    *AutoCancel // of workflow rules
	At            Place
}

// Changes is a condition on the files that a push changed.
type Changes struct {
	Paths     []string
	Regexp    string
	CompareTo string
}

// Exists is a condition on the files of a commit.
type Exists struct {
	Paths   []string
	Regexp  string
	Project string
	Ref     string
}

// AutoCancel is workflow:auto_cancel.
type AutoCancel struct {
	OnNewCommit  string `json:"on_new_commit,omitempty"`
	OnJobFailure string `json:"on_job_failure,omitempty"`
}

// Workflow decides whether there is a pipeline at all.
type Workflow struct {
	Name       string
	Rules      []Rule
	HasRules   bool
	AutoCancel AutoCancel
}

const (
	maxPatterns = 50
	maxRegexp   = 255
)

// ruleSet says where rules stand and what they may hold.
type ruleSet struct {
	keys  []string
	whens []string
	needs bool
	paths int // how many patterns of `exists` may stand there; 0: any number
}

var (
	jobRules = ruleSet{
		keys:  []string{"if", "changes", "exists", "when", "start_in", "allow_failure", "variables", "needs", "interruptible"},
		whens: []string{"on_success", "on_failure", "always", "never", "manual", "delayed"}, needs: true, paths: maxPatterns,
	}
	workflowRules = ruleSet{
		keys:  []string{"if", "changes", "exists", "when", "variables", "auto_cancel", "start_in", "allow_failure", "needs"},
		whens: []string{"always", "never"}, needs: true, paths: maxPatterns,
	}
	includeRules = ruleSet{keys: []string{"if", "exists", "changes", "when"}, whens: []string{"always", "never"}}
)

// listOfRules checks that rules are a list of mappings, or of lists of them.
func (l *loader) listOfRules(v *yaml.Node, location string) {
	if _, ok := flattenMaps(v, 0); v.Kind != yaml.List || !ok {
		l.bad(v, location, "should be an array containing hashes and arrays of hashes")
	}
}

// rules reads the entries of such a list.
func (l *loader) rules(v *yaml.Node, at string, set ruleSet) []Rule {
	if v.Kind != yaml.List {
		return nil
	}
	list := flat(v)
	if len(v.Items) == 0 {
		l.bad(v, at+" config", "can't be blank")
	}
	out := make([]Rule, 0, len(list))
	for _, n := range list {
		out = append(out, l.rule(n, at+":rule", set))
	}
	return out
}

// flattenMaps lists the mappings of a nested list.
func flattenMaps(n *yaml.Node, depth int) ([]*yaml.Node, bool) {
	if n.Kind != yaml.List {
		return []*yaml.Node{n}, n.Kind == yaml.Map
	}
	if depth >= maxNesting {
		return nil, false
	}
	var out []*yaml.Node
	for _, i := range n.Items {
		sub, ok := flattenMaps(i, depth+1)
		if !ok {
			return nil, false
		}
		out = append(out, sub...)
	}
	return out, true
}

func (l *loader) rule(v *yaml.Node, at string, set ruleSet) Rule {
	r := Rule{At: place(v)}
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return r
	}
	if len(v.Pairs) == 0 {
		l.bad(v, at+" config", "can't be blank")
		return r
	}
	mark := l.mark()
	l.unknownKeys(v, at+" config", set.keys...)
	for _, key := range []string{"if", "when", "start_in", "allow_failure", "interruptible"} {
		l.ruleKey(&r, key, v.Get(key), at, set)
	}
	if start := v.Get("start_in"); set.needs {
		switch {
		case r.When == enum.Delayed && (start == nil || start.Kind == yaml.Null):
			l.bad(v, at+" start in", "can't be blank")
			l.duration(&yaml.Node{Line: v.Line, Column: v.Column, Source: v.Source}, at+" start in", maxStartIn)
		case r.When != enum.Delayed && start != nil:
			l.bad(start, at+" config", "contains disallowed keys: start_in")
		}
	}
	l.inside(l.sound(mark), func() {
		for _, key := range []string{"changes", "exists", "variables", "needs", "auto_cancel"} {
			l.ruleKey(&r, key, v.Get(key), at, set)
		}
	})
	return r
}

func (l *loader) ruleKey(r *Rule, key string, v *yaml.Node, at string, set ruleSet) {
	if v == nil || v.Kind == yaml.Null || !slices.Contains(set.keys, key) {
		return
	}
	switch key {
	case "if":
		r.IfText = v.Text
		r.If = l.expression(v, at+" if")
	case "changes":
		r.Changes = l.changes(v, at+":changes")
	case "exists":
		r.Exists = l.exists(v, at+":exists", set.paths)
	case "when":
		if !v.IsText() || !slices.Contains(set.whens, v.Text) {
			l.bad(v, at+" when", "unknown value: %s", rubyText(v))
			return
		}
		r.When = enum.When(v.Text)
	case "start_in":
		if set.needs && r.When == enum.Delayed {
			r.StartIn = l.duration(v, at+" start in", maxStartIn)
		}
	case "allow_failure":
		on := l.boolean(v, at+" allow failure")
		r.AllowFailure = &on
	case "interruptible":
		on := l.boolean(v, at+" interruptible")
		r.Interruptible = &on
	case "variables":
		r.Variables = l.plainVariables(v, at+":variables")
	case "needs":
		if set.needs {
			r.Needs = l.needs(v, at+":needs", ofRule)
		}
	case "auto_cancel":
		c := l.autoCancel(v, at+":auto_cancel")
		r.AutoCancel = &c
	}
}

// expression reads the condition of a rule.
// maxWeight is how many instructions the regular expressions of all rules may have, about 100 bytes each.
const maxWeight = 500_000

func (l *loader) expression(v *yaml.Node, location string) *expression.Expr {
	if !v.IsText() {
		l.bad(v, location, "invalid expression syntax")
		return nil
	}
	e, err := expression.Parse(v.Text)
	if err != nil {
		l.bad(v, location, "invalid expression syntax")
		l.explain(err.Error())
		return nil
	}
	if l.weight += e.Weight(); l.weight > maxWeight {
		l.bad(v, location, "is one of too many large regular expressions")
		return nil
	}
	return e
}

func (l *loader) changes(v *yaml.Node, at string) *Changes {
	c := &Changes{}
	switch v.Kind {
	case yaml.List:
		c.Paths = l.patterns(v, at+" config", maxPatterns)
	case yaml.Map:
		l.unknownKeys(v, at+" config", "paths", "regexp", "compare_to")
		c.Paths, c.Regexp = l.pathsOrRegexp(v, at, v.Get("paths"))
		c.CompareTo = l.text(v.Get("compare_to"), at+" compare to")
	default:
		l.add(v, at+" should be an array or a hash")
	}
	return c
}

// exists reads `exists`; limit is how many patterns it may have, 0 for any number.
func (l *loader) exists(v *yaml.Node, at string, limit int) *Exists {
	e := &Exists{}
	switch {
	case v.Kind == yaml.List:
		e.Paths = l.patterns(v, at+" config", limit)
	case v.Kind == yaml.Map && len(v.Pairs) == 0: // nothing exists
	case v.Kind == yaml.Map:
		l.unknownKeys(v, at+" config", "paths", "regexp", "project", "ref")
		e.Paths, e.Regexp = l.pathsOrRegexp(v, at, filled(v.Get("paths")))
		e.Project, e.Ref = l.text(v.Get("project"), at+" project"), l.text(v.Get("ref"), at+" ref")
		if ref := v.Get("ref"); ref != nil && v.Get("project") == nil {
			l.bad(ref, at+" config", "missing required keys: project")
		}
	case v.IsText():
		e.Paths = []string{v.Text}
	default:
		l.add(v, at+" should be a string, an array of strings, or a hash")
	}
	return e
}

// filled is a value that is not null.
func filled(v *yaml.Node) *yaml.Node {
	if v != nil && v.Kind == yaml.Null {
		return nil
	}
	return v
}

// pathsOrRegexp reads the one of the two that is given; p are the paths.
func (l *loader) pathsOrRegexp(v *yaml.Node, at string, p *yaml.Node) (paths []string, pattern string) {
	re := v.Get("regexp")
	if (v.Get("paths") == nil) == (re == nil) {
		l.bad(v, at+" config", "must use exactly one of these keys: paths, regexp")
		return nil, ""
	}
	if p != nil {
		paths = l.patterns(p, at+" paths", maxPatterns)
	}
	if pattern = l.text(re, at+" regexp"); pattern == "" {
		return paths, ""
	}
	if len([]rune(pattern)) > maxRegexp {
		l.bad(re, at+" regexp", "is too long (maximum is %d characters)", maxRegexp)
	} else if err := l.ofPaths(pattern); err != nil {
		l.add(re, strings.ToLower(at)+" regexp is invalid: "+err.Error())
	}
	return paths, pattern
}

func (l *loader) ofPaths(pattern string) error {
	if l.pattern != nil {
		return l.pattern(pattern)
	}
	_, err := expression.Compile(pattern)
	return err
}

func (l *loader) patterns(v *yaml.Node, location string, limit int) []string {
	out, ok := l.strings(v, location, "should be an array of strings")
	if ok && limit > 0 && len(out) > limit {
		l.bad(v, location, "has too many entries (maximum %d)", limit)
	}
	return out
}

// plainVariables are variables that may have nothing but a value.
func (l *loader) plainVariables(v *yaml.Node, at string) []Variable {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	var out []Variable
	for _, p := range v.Pairs {
		value, ok := scalarText(p.Value)
		if !ok {
			l.bad(p.Value, at+":"+keyText(p.Key)+" config", "must be a string")
		}
		out = append(out, Variable{Key: keyText(p.Key), Value: value})
	}
	return out
}

func (l *loader) autoCancel(v *yaml.Node, at string) AutoCancel {
	c := AutoCancel{}
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return c
	}
	l.unknownKeys(v, at+" config", "on_new_commit", "on_job_failure")
	for _, f := range []struct {
		key     string
		into    *string
		allowed []string
	}{
		{"on_new_commit", &c.OnNewCommit, []string{"conservative", "interruptible", "none"}},
		{"on_job_failure", &c.OnJobFailure, []string{"none", "all"}},
	} {
		n := v.Get(f.key)
		if n == nil || n.Kind == yaml.Null {
			continue
		}
		if !n.IsText() || !slices.Contains(f.allowed, n.Text) {
			l.bad(n, at+" "+strings.ReplaceAll(f.key, "_", " "), "must be one of: %s", joinComma(f.allowed))
			continue
		}
		*f.into = n.Text
	}
	return c
}

const maxWorkflowName = 255

func (l *loader) workflow(v *yaml.Node) *Workflow {
	w := &Workflow{}
	if v.Kind == yaml.Null {
		return w
	}
	if v.Kind != yaml.Map {
		l.bad(v, "workflow config", "should be a hash")
		return w
	}
	mark := l.mark()
	l.unknownKeys(v, "workflow config", "name", "rules", "auto_cancel")
	if n := v.Get("name"); n != nil && n.Kind != yaml.Null {
		w.Name = l.text(n, "workflow name")
		switch length := len([]rune(w.Name)); {
		case n.IsText() && length == 0:
			l.bad(n, "workflow name", "is too short (minimum is 1 character)")
		case length > maxWorkflowName:
			l.bad(n, "workflow name", "is too long (maximum is %d characters)", maxWorkflowName)
		}
	}
	if r := v.Get("rules"); r != nil && r.Kind != yaml.Null {
		w.HasRules = true
	}
	l.inside(l.sound(mark), func() {
		if rules := v.Get("rules"); w.HasRules && rules.Kind != yaml.List {
			l.bad(rules, "workflow:rules config", "should be a array")
		} else if w.HasRules {
			w.Rules = l.rules(rules, "workflow:rules", workflowRules)
		}
		if a := v.Get("auto_cancel"); a != nil && a.Kind != yaml.Null {
			w.AutoCancel = l.autoCancel(a, "workflow:auto_cancel")
		}
	})
	return w
}
