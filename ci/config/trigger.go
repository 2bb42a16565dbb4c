package config

import (
	"slices"

	"signalbox/ci/config/yaml"
)

// Trigger is a pipeline that a job starts: of another project, or of files of this one.
type Trigger struct {
	Project           string         `json:"project,omitempty"`
	Branch            string         `json:"branch,omitempty"`
	Strategy          string         `json:"strategy,omitempty"`
	YAMLVariables     bool           `json:"yaml_variables"`
	PipelineVariables bool           `json:"pipeline_variables"`
	Include           []any          `json:"include,omitempty"`
	Inputs            map[string]any `json:"inputs,omitempty"`
}

const maxTriggerIncludes = 3

func (l *loader) trigger(v *yaml.Node, at string) *Trigger {
	t := &Trigger{YAMLVariables: true}
	switch {
	case v.IsText() && blank(v):
		l.bad(v, at+" config", "can't be blank")
		return nil
	case v.IsText():
		t.Project = v.Text
		return t
	case v.Kind != yaml.Map:
		l.add(v, at+" has to be either a string or a hash")
		return nil
	}
	include, mark := v.Get("include"), l.mark()
	if len(v.Pairs) == 0 {
		l.bad(v, at+" config", "can't be blank")
	}
	if include != nil {
		l.unknownKeys(v, at+" config", "include", "strategy", "forward")
	} else {
		l.unknownKeys(v, at+" config", "project", "branch", "strategy", "forward", "inputs")
		t.Project, t.Branch = l.needed(v, "project", at), l.text(v.Get("branch"), at+" branch")
	}
	if s := v.Get("strategy"); s != nil && s.Kind != yaml.Null {
		if !s.IsText() {
			l.bad(s, at+" strategy", "should be a string")
		}
		if !slices.Contains([]string{"depend", "mirror"}, s.Text) {
			l.bad(s, at+" strategy", "should be depend or mirror")
		}
		t.Strategy = s.Text
	}
	if i := v.Get("inputs"); i != nil && i.Kind != yaml.Null {
		if i.Kind != yaml.Map {
			l.bad(i, at+" inputs", "should be a hash")
		}
		t.Inputs, _ = i.Value().(map[string]any)
	}
	l.inside(l.sound(mark), func() {
		if include != nil {
			t.Include = l.triggerInclude(include, at+":include")
		}
		l.forward(t, v.Get("forward"), at+":forward")
	})
	return t
}

// forward reads which variables the other pipeline gets.
func (l *loader) forward(t *Trigger, f *yaml.Node, at string) {
	if f == nil || f.Kind == yaml.Null {
		return
	}
	if f.Kind != yaml.Map {
		l.bad(f, at+" config", "should be a hash")
		return
	}
	l.unknownKeys(f, at+" config", "yaml_variables", "pipeline_variables")
	if y := f.Get("yaml_variables"); y != nil && y.Kind != yaml.Null {
		t.YAMLVariables = l.boolean(y, at+" yaml variables")
	}
	t.PipelineVariables = l.boolean(f.Get("pipeline_variables"), at+" pipeline variables")
}

var includeKeys = []string{
	"local", "file", "remote", "project", "ref", "integrity", "cache", "template", "artifact", "inputs", "job", "rules", "component",
}

func (l *loader) triggerInclude(v *yaml.Node, at string) []any {
	items := []*yaml.Node{v}
	switch v.Kind {
	case yaml.List:
		items = flat(v)
	case yaml.Map, yaml.String, yaml.Symbol:
	default:
		l.bad(v, at+" config", "should be an array or a string")
		return nil
	}
	sound := len(v.Items) <= maxTriggerIncludes
	if !sound {
		l.bad(v, at+" config", "is too long (maximum is %d)", maxTriggerIncludes)
	}
	var out []any
	l.inside(sound, func() {
		for _, i := range items {
			l.includeEntry(i, at+":include")
			out = append(out, i.Value())
		}
	})
	return out
}

// includeEntry checks an entry that is resolved later, for the pipeline that it is for.
func (l *loader) includeEntry(i *yaml.Node, at string) {
	if i.IsText() {
		return
	}
	if i.Kind != yaml.Map {
		l.bad(i, at+" config", "should be a hash or a string")
		return
	}
	has := func(key string) bool { n := i.Get(key); return n != nil && !blank(n) }
	if i.Get("project") != nil && !has("file") {
		l.bad(i, at+" config", "must specify the file where to fetch the config from")
	}
	if n := filled(i.Get("integrity")); n != nil {
		if text := integrityOf(n.Text, has("remote")); text != "" {
			l.bad(n, at+" config", "%s", text)
		}
	}
	l.unknownKeys(i, at+" config", includeKeys...)
	if i.Get("artifact") != nil && !has("job") {
		l.bad(i, at+" config", "must specify the job where to fetch the artifact from")
	}
	if r := filled(i.Get("rules")); r != nil && (r.Kind != yaml.List || slices.ContainsFunc(r.Items, func(n *yaml.Node) bool { return n.Kind != yaml.Map })) {
		l.bad(r, at+" rules", "should be an array of hashes")
	} else if r != nil {
		l.rules(r, at+":rules", includeRules)
	}
}
