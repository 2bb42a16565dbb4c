package config

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/ci/config/yaml"
)

// InputSpec says what an input of a job may be, for people and for forms.
type InputSpec struct {
	Name        string
	Kind        string // string, number, boolean or array
	Description string
	Options     []string
	Default     string
}

// InputSpecs reads the specification of a job's inputs, by name. What cannot be read is left out: ResolveJobInputs tells it.
func InputSpecs(specs map[string]any) []InputSpec {
	var out []InputSpec
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		n := NodeOf(specs[name])
		in, problem := readInput(name, n)
		if problem != "" {
			continue
		}
		s := InputSpec{Name: name, Kind: in.kind}
		if d := n.Get("description"); d != nil {
			s.Description = d.Text
		}
		for _, o := range in.options {
			s.Options = append(s.Options, plainText(o))
		}
		if in.value != nil {
			s.Default = plainText(in.value)
		}
		out = append(out, s)
	}
	return out
}

func plainText(n *yaml.Node) string {
	if n.Kind == yaml.Null {
		return ""
	}
	if n.IsText() {
		return n.Text
	}
	return fmt.Sprint(n.Value())
}
