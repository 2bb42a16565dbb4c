package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// headers reads the inputs of the files that spec:include names: each holds `inputs` and nothing else (facts:
// ci-yaml section 4).
func (x *includer) headers(list *yaml.Node, from Context, chain []string) (specs []*input, at *yaml.Node, problem string) {
	if list.Kind != yaml.List && !list.IsText() && list.Kind != yaml.Null {
		return nil, list, "header:spec:include config should be an array or a string"
	}
	for _, item := range items(list) {
		if text := notOfHeader(item); text != "" {
			return nil, item, text
		}
		mark := x.l.mark()
		for _, l := range x.locations(item, from) {
			f, ok := x.open(item, l, from, chain)
			if !ok {
				break
			}
			more, at, problem := x.ofFile(f, l)
			if problem != "" {
				return nil, at, problem
			}
			specs = append(specs, more...)
		}
		if !x.l.sound(mark) {
			text := x.l.errors[mark].Text
			x.l.errors = x.l.errors[:mark]
			return nil, item, text
		}
	}
	return specs, nil, ""
}

var headerKeys = []string{"local", "file", "remote", "project", "ref", "integrity", "cache"}

// notOfHeader refuses what other includes may name and those of a header may not.
func notOfHeader(n *yaml.Node) string {
	var unknown []string
	for _, p := range n.Pairs {
		if !slices.Contains(headerKeys, keyText(p.Key)) {
			unknown = append(unknown, keyText(p.Key))
		}
	}
	if unknown != nil {
		return strings.ToLower("header:spec:include:include config contains unknown keys: " + strings.Join(unknown, ", "))
	}
	if n.Kind != yaml.Map || n.Get("local") != nil || n.Get("remote") != nil || n.Get("project") != nil {
		return ""
	}
	return "`" + jsonText(n) + "` does not have a valid subkey for header include. Valid subkeys are: `local`, `remote`, `project`"
}

func (x *includer) ofFile(f fetched, l Location) (specs []*input, at *yaml.Node, problem string) {
	source := &yaml.Source{Name: f.at.Source, Content: f.content}
	docs, err := yaml.Parse(f.content, x.l.stopped)
	if err != nil {
		at, text := wrong(err, source)
		return nil, at, "`" + l.Name + "`: " + text
	}
	if len(docs) == 0 || docs[len(docs)-1].Kind != yaml.Map {
		return nil, nil, "Included file `" + l.Name + "` does not have valid YAML syntax!"
	}
	content := docs[len(docs)-1]
	content.SetSource(source)
	var unknown []string
	for _, p := range content.Pairs {
		if p.Key.Text != "inputs" {
			unknown = append(unknown, ":"+keyText(p.Key))
			at = p.Key
		}
	}
	if unknown != nil {
		return nil, at, "Header include file `" + l.Name + "` contains unknown keys: [" + strings.Join(unknown, ", ") + "]"
	}
	if inputs := content.Get("inputs"); inputs != nil {
		return readInputs(inputs)
	}
	return nil, nil, ""
}
