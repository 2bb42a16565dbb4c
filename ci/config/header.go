package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/variable"
)

const maxHeaderDescription = 256

// emptyFile is what read says of a file without any document. Whoever asked for it has a text for that.
const emptyFile = "the file holds no document"

var componentFields = []string{"name", "sha", "version", "reference"}

// unit is one file on its way into a configuration: its text, what it was given, and what it may use.
type unit struct {
	source    *yaml.Source
	inputs    *yaml.Node // nil: none were given
	component map[string]string
	variables variable.Collection
	varied    *bool // set if the variables were asked
	// included reads the inputs of the files that spec:include names.
	included func(list *yaml.Node) (specs []*input, at *yaml.Node, problem string)
	// given gives the inputs by their specifications, if it is not nil; its error ends the reading.
	given func(specs []InputSpec) (map[string]any, error)
	// refused is that error.
	refused error
	// stopped is asked while the file is parsed; it notes its error itself.
	stopped func() error
	// further are mistakes beyond the first.
	further []found
}

// found is a mistake and where it stands.
type found struct {
	at   *yaml.Node
	text string
}

// further notes what GitLab does not tell once it told the first mistake of a file.
func (l *loader) further(list []found, prefix string) {
	for _, f := range list {
		l.add(f.at, prefix+f.text)
	}
}

// read parses a file, checks its header and puts the inputs into its content. problem is GitLab's text.
func (u *unit) read() (content *yaml.Node, at *yaml.Node, problem string) {
	docs, err := yaml.Parse(u.source.Content, u.stopped)
	if err != nil {
		at, text := wrong(err, u.source)
		return nil, at, text
	}
	for _, d := range docs {
		d.SetSource(u.source)
	}
	docs = slices.DeleteFunc(docs, func(d *yaml.Node) bool { return d.Kind == yaml.Null })
	var header *yaml.Node
	if len(docs) > 1 && docs[0].Get("spec") != nil { // of further documents the last one is the content
		header, docs = docs[0], docs[len(docs)-1:]
	}
	if len(docs) == 0 {
		return nil, nil, emptyFile
	}
	if docs[0].Kind != yaml.Map {
		return nil, docs[0], "Invalid configuration format"
	}
	return u.interpolated(header, docs[0])
}

// wrong says what is wrong with a text that cannot be parsed, and where.
func wrong(err error, source *yaml.Source) (at *yaml.Node, text string) {
	var e *yaml.Error
	if !errors.As(err, &e) { // it was stopped
		return nil, err.Error()
	}
	return &yaml.Node{Line: e.Line, Column: e.Column, Source: source}, e.Message
}

func (u *unit) interpolated(header, content *yaml.Node) (*yaml.Node, *yaml.Node, string) {
	if header == nil {
		if u.inputs != nil && (u.inputs.Kind != yaml.Map || len(u.inputs.Pairs) > 0) {
			if u.inputs.Kind != yaml.Map {
				return nil, u.inputs, "Given inputs must be a hash"
			}
			return nil, u.inputs, "Given inputs not defined in the `spec` section of the included configuration file"
		}
		return content, nil, ""
	}
	specs, component, at, problem := u.header(header)
	if problem != "" {
		return nil, at, problem
	}
	if problem := u.ask(specs); problem != "" {
		return nil, nil, problem
	}
	values, at, problem := u.values(specs)
	if problem != "" {
		return nil, at, problem
	}
	contexts := map[string]map[string]*yaml.Node{"inputs": values}
	if component != nil {
		contexts["component"] = map[string]*yaml.Node{}
		for _, name := range component {
			contexts["component"][name] = &yaml.Node{Kind: yaml.String, Text: u.component[name]}
		}
	}
	i := &interpolator{contexts: contexts, variables: u.variables, varied: u.varied, values: map[string]*yaml.Node{}, done: map[*yaml.Node]*yaml.Node{}, told: map[string]bool{}}
	out := i.node(content)
	if len(i.problems) > 0 {
		u.further = i.problems[1:]
		return nil, i.problems[0].at, i.problems[0].text
	}
	return out, nil, ""
}

// ask lets the inputs be given by their specifications.
func (u *unit) ask(specs []*input) (problem string) {
	if u.given == nil || len(specs) == 0 {
		return ""
	}
	var list []InputSpec
	for _, s := range specs {
		list = append(list, s.spec())
	}
	values, err := u.given(list)
	if err != nil {
		u.refused = err
		return err.Error()
	}
	u.inputs = NodeOf(values)
	return ""
}

// values resolves the inputs in the order in which they are declared.
func (u *unit) values(specs []*input) (map[string]*yaml.Node, *yaml.Node, string) {
	if u.inputs != nil && u.inputs.Kind != yaml.Map && u.inputs.Kind != yaml.Null {
		return nil, u.inputs, "Given inputs must be a hash"
	}
	values := map[string]*yaml.Node{}
	names := []string{}
	var wrong []found
	known := map[string]any{}
	if u.inputs != nil {
		for _, p := range u.inputs.Pairs {
			known[p.Key.Text] = p.Value.Value()
		}
	}
	for _, spec := range specs {
		given := u.inputs.Get(spec.name)
		v, problem := spec.resolve(given, known)
		if problem != "" {
			wrong = append(wrong, found{given, "`" + spec.name + "` input: " + problem})
			continue
		}
		values[spec.name], known[spec.name] = v, v.Value()
		names = append(names, spec.name)
	}
	if wrong != nil {
		u.further = wrong[1:]
		return nil, wrong[0].at, wrong[0].text
	}
	if u.inputs != nil {
		var unknown []string
		for _, p := range u.inputs.Pairs {
			if !slices.Contains(names, p.Key.Text) {
				unknown = append(unknown, p.Key.Text)
			}
		}
		if unknown != nil {
			return nil, u.inputs, "unknown input arguments: " + strings.Join(unknown, ", ")
		}
	}
	return values, nil, ""
}

// header reads `spec`.
func (u *unit) header(header *yaml.Node) (specs []*input, component []string, at *yaml.Node, problem string) {
	for _, p := range header.Pairs {
		if p.Key.Text != "spec" {
			return nil, nil, p.Key, "header config contains unknown keys: " + strings.ToLower(keyText(p.Key))
		}
	}
	spec := header.Get("spec")
	if spec.Kind == yaml.Null {
		return nil, nil, nil, ""
	}
	if spec.Kind != yaml.Map {
		return nil, nil, spec, "header:spec config should be a hash"
	}
	var others []*input
	for _, p := range spec.Pairs {
		switch p.Key.Text {
		case "inputs":
			if specs, at, problem = readInputs(p.Value); problem != "" {
				return nil, nil, at, problem
			}
		case "component":
			if p.Value.Kind != yaml.List {
				return nil, nil, p.Value, "header:spec:component config should be a array"
			}
			for _, i := range p.Value.Items {
				if !slices.Contains(componentFields, i.Text) {
					return nil, nil, i, "header:spec:component config contains unknown values: " + i.Text
				}
				component = append(component, i.Text)
			}
		case "include":
			if others, at, problem = u.included(p.Value); problem != "" {
				return nil, nil, at, problem
			}
		case "description":
			if !p.Value.IsText() && p.Value.Kind != yaml.Null {
				return nil, nil, p.Value, "header:spec config description should be a string"
			}
			if len([]rune(p.Value.Text)) > maxHeaderDescription {
				return nil, nil, p.Value, fmt.Sprintf("header:spec config description is too long (maximum is %d characters)", maxHeaderDescription)
			}
		default:
			return nil, nil, p.Key, "header:spec config contains unknown keys: " + strings.ToLower(keyText(p.Key))
		}
	}
	specs = append(others, specs...)
	if twice := duplicates(specs); twice != nil {
		return nil, nil, spec, "Duplicate input keys found: " + strings.Join(twice, ", ") +
			". Input keys must be unique across all included files and inline specifications."
	}
	if name, text := references(specs); text != "" {
		return nil, nil, spec, strings.ToLower("header:spec:inputs:" + name + " config " + text)
	}
	return specs, component, nil, ""
}

// references checks the inputs that the rules of others ask about: each must be there, and none may ask about itself in
// the end.
func references(specs []*input) (name, problem string) {
	asks := map[string][]string{}
	for _, s := range specs {
		asks[s.name] = nil
	}
	for _, s := range specs {
		for i, r := range s.rules {
			var missing []string
			for _, other := range r.condition.Inputs() {
				if _, known := asks[other]; !known {
					missing = append(missing, other)
				}
				asks[s.name] = append(asks[s.name], other)
			}
			if missing != nil {
				return s.name, fmt.Sprintf("rule[%d] references undefined inputs: %s", i, strings.Join(missing, ", "))
			}
		}
	}
	state := map[string]int{}
	var circular func(name string) bool
	circular = func(name string) bool {
		if state[name] != 0 {
			return state[name] == 1
		}
		state[name] = 1
		found := slices.ContainsFunc(asks[name], circular)
		state[name] = 2
		return found
	}
	for _, s := range specs {
		if circular(s.name) {
			return specs[0].name, "circular dependency detected"
		}
	}
	return "", ""
}

func duplicates(specs []*input) (names []string) {
	seen := map[string]int{}
	for _, s := range specs {
		if seen[s.name]++; seen[s.name] == 2 {
			names = append(names, s.name)
		}
	}
	return names
}

func readInputs(n *yaml.Node) (specs []*input, at *yaml.Node, problem string) {
	if n.Kind == yaml.Null {
		return nil, nil, ""
	}
	if n.Kind != yaml.Map {
		return nil, n, "header:spec:inputs config should be a hash"
	}
	for _, p := range n.Pairs {
		spec, problem := readInput(keyText(p.Key), p.Value)
		if problem != "" {
			return nil, p.Value, strings.ToLower("header:spec:inputs:" + atInput(keyText(p.Key), problem))
		}
		specs = append(specs, spec)
	}
	return specs, nil, ""
}
