package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

var stepName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// run reads the steps of a job. GitLab checks them by a schema and says so in its words (facts: ci-yaml 11.13).
func (l *loader) run(v *yaml.Node, location string) []any {
	if v.Kind != yaml.List {
		l.bad(v, location, "value at root is not an array")
		return nil
	}
	var out []any
	for i, n := range v.Items {
		l.step(n, location, fmt.Sprintf("/%d", i))
		out = append(out, n.Value())
	}
	return out
}

func (l *loader) step(n *yaml.Node, location, at string) {
	if n.Kind != yaml.Map {
		l.bad(n, location, "value at `%s` is not an object", at)
		return
	}
	if name := n.Get("name"); name == nil {
		l.bad(n, location, "object at `%s` is missing required properties: name", at)
	} else if !name.IsText() || !stepName.MatchString(name.Text) {
		l.bad(name, location, "string at `%s/name` does not match pattern: %s", at, stepName)
	}
	what := ""
	for _, p := range n.Pairs {
		key := keyText(p.Key)
		switch key {
		case "name":
		case "script", "step", "func":
			if what != "" {
				extra := key
				if what == "script" {
					extra = "script"
				}
				l.bad(p.Key, location, "object property at `%s/%s` is a disallowed additional property", at, extra)
			}
			what = key
			if key == "script" && !p.Value.IsText() {
				l.bad(p.Value, location, "value at `%s/script` is not a string", at)
			}
		case "env":
			for _, e := range p.Value.Pairs {
				if !e.Value.IsText() {
					l.bad(e.Value, location, "value at `%s/env/%s` is not a string", at, keyText(e.Key))
				}
			}
		case "inputs":
			if n.Get("step") == nil && n.Get("func") == nil {
				l.bad(p.Key, location, "object property at `%s/inputs` is a disallowed additional property", at)
			}
		default:
			l.bad(p.Key, location, "object property at `%s/%s` is a disallowed additional property", at, key)
		}
	}
	if what == "" && n.Get("name") != nil {
		l.bad(n, location, "object at `%s` is missing required properties: step", at)
	}
}

const maxJobInputs = 50

// jobInputs reads what a job may be given when it is started by hand; each has a default.
func (l *loader) jobInputs(v *yaml.Node, location string) map[string]any {
	if v.Kind != yaml.Map {
		l.bad(v, location+":inputs config", "should be a hash")
		return nil
	}
	if len(v.Pairs) > maxJobInputs {
		l.bad(v, location+" inputs", "has too many entries (maximum %d)", maxJobInputs)
		return nil
	}
	for _, p := range v.Pairs {
		where := location + ":inputs:" + keyText(p.Key)
		if p.Value.Kind != yaml.Map && p.Value.Kind != yaml.Null {
			l.bad(p.Value, where+" config", "should be a hash")
			continue
		}
		if p.Value.Get("default") == nil {
			l.bad(p.Value, where, "must have a default value")
			continue
		}
		spec, problem := readInput(keyText(p.Key), p.Value)
		if problem == "" {
			_, problem = spec.check(p.Value.Get("default"), "default")
		}
		if problem != "" {
			l.bad(p.Value, location, "inputs `%s`: %s", keyText(p.Key), strings.TrimPrefix(problem, ":"))
		}
	}
	out, _ := v.Value().(map[string]any)
	return out
}

// JobInput is an input of a job with the value that it has in one attempt.
type JobInput struct {
	Name  string
	Kind  string // string, number, boolean or array
	Value any
}

// InputError says what is wrong with the inputs that a job was given.
type InputError struct {
	Input string // which one; "" if there is none of the name
	Text  string
}

func (e *InputError) Error() string { return e.Text }

// ResolveJobInputs gives the inputs of a job: what was given, and the defaults of its specification for the rest. It is
// refused with *InputError if something else is given than what the specification asks for.
func ResolveJobInputs(specs, given map[string]any) ([]JobInput, error) {
	for name := range given {
		if _, known := specs[name]; !known {
			names := slices.Sorted(maps.Keys(specs))
			return nil, &InputError{Text: fmt.Sprintf("the job has no input `%s`; its inputs are: %s", name, strings.Join(names, ", "))}
		}
	}
	var out []JobInput
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec, problem := readInput(name, NodeOf(specs[name]))
		if problem != "" {
			return nil, &InputError{name, "`" + name + "` input: " + problem}
		}
		value, what := spec.value, "default"
		if v, ok := given[name]; ok {
			value, what = NodeOf(v), "provided"
		}
		if value, problem = spec.check(value, what); problem != "" {
			return nil, &InputError{name, "`" + name + "` input: " + problem}
		}
		out = append(out, JobInput{name, spec.kind, value.Value()})
	}
	return out, nil
}
