package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"signalbox/ci/config/yaml"
)

// InputSpec says what an input of a job or of a configuration may be, for people and for forms.
type InputSpec struct {
	Name        string
	Kind        string // string, number, boolean or array
	Description string
	Options     []string
	Default     string
	Required    bool   // there is no default
	Regex       string // that a text must match
	in          *input
}

// InputSpecs reads the specification of a job's inputs, by name. What cannot be read is left out: ResolveJobInputs tells it.
func InputSpecs(specs map[string]any) []InputSpec {
	var out []InputSpec
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		if in, problem := readInput(name, NodeOf(specs[name])); problem == "" {
			out = append(out, in.spec())
		}
	}
	return out
}

func (in *input) spec() InputSpec {
	s := InputSpec{Name: in.name, Kind: in.kind, Description: in.description, Required: in.required(), in: in}
	for _, o := range in.options {
		s.Options = append(s.Options, plainText(o))
	}
	if in.value != nil {
		s.Default = plainText(in.value)
	}
	if in.regex != nil {
		s.Regex = in.regex.String()
	}
	return s
}

// CheckInputs holds values against specifications, in their order. It is refused with *InputError, which names the first input
// that is wrong or that must be given and is not.
func CheckInputs(specs []InputSpec, given map[string]any) error {
	known := map[string]any{}
	for name, v := range given {
		known[name] = v
	}
	for _, s := range specs {
		var value *yaml.Node
		if v, ok := given[s.Name]; ok {
			value = NodeOf(v)
		}
		if value == nil && s.Required {
			return &InputError{Input: s.Name, Text: "`" + s.Name + "` must be given"}
		}
		v, problem := s.in.resolve(value, known)
		if problem != "" {
			return &InputError{Input: s.Name, Text: "`" + s.Name + "` input: " + problem}
		}
		known[s.Name] = v.Value()
	}
	return nil
}

func plainText(n *yaml.Node) string {
	if n.Kind == yaml.Null {
		return ""
	}
	if n.IsText() {
		return n.Text
	}
	if raw, err := json.Marshal(n.Value()); err == nil && n.Kind == yaml.List {
		return string(raw)
	}
	return fmt.Sprint(n.Value())
}
