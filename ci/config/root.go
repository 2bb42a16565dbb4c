package config

import (
	"slices"

	"signalbox/ci/config/yaml"
)

// settings are the keywords that stand in `default`, at the root (in the old form) and in jobs.
type settings map[string]*yaml.Node

var oldGlobals = []string{"image", "services", "cache", "before_script", "after_script"}

// defaultKeys stand in the order in which GitLab reads them.
var defaultKeys = []string{
	"before_script", "image", "services", "after_script", "cache", "interruptible", "timeout", "retry", "tags",
	"artifacts", "id_tokens", "hooks", "identity",
}

// root reads the keys of the root in GitLab's order, then the jobs.
func (l *loader) root(root *yaml.Node) *Config {
	c := &Config{Stages: []string{".pre", "build", "test", "deploy", ".post"}}
	l.jobs, l.bodies = map[string]*yaml.Node{}, map[string]*yaml.Node{}
	defaults := settings{}
	if v := root.Get("default"); v != nil && !looksLikeJob(v) {
		l.defaults(v, defaults)
	}
	l.globals(root, defaults)
	if v := root.Get("variables"); v != nil {
		c.Variables = l.variables(v, "variables", true)
	}
	if v := root.Get("stages"); v != nil {
		mark := l.mark()
		c.Stages = l.stages(v)
		l.aimless = l.aimless || !l.sound(mark)
	}
	if v := root.Get("workflow"); v != nil && !looksLikeJob(v) {
		c.Workflow = *l.workflow(v)
	}
	l.allJobs(root, c, defaults)
	return c
}

// isJob says whether a key of the root is the name of a job.
func isJob(key string, v *yaml.Node) bool {
	switch key {
	case "stages", "variables", "include":
		return false
	case "default", "workflow":
		return looksLikeJob(v)
	}
	return !slices.Contains(oldGlobals, key)
}

func keyText(n *yaml.Node) string {
	if n.Text != "" {
		return n.Text
	}
	return n.Kind.String()
}

func looksLikeJob(v *yaml.Node) bool {
	return v.Get("script") != nil || v.Get("run") != nil || v.Get("trigger") != nil
}

func (l *loader) defaults(v *yaml.Node, into settings) {
	if v.Kind == yaml.Null {
		return
	}
	if v.Kind != yaml.Map {
		l.bad(v, "default config", "should be a hash")
		return
	}
	mark := l.mark()
	l.unknownKeys(v, "default config", defaultKeys...)
	for _, p := range v.Pairs {
		if slices.Contains(defaultKeys, p.Key.Text) && p.Value.Kind != yaml.Null {
			into[p.Key.Text] = p.Value
		}
	}
	l.inside(l.sound(mark), func() { l.check(into, "default") })
}

// globals takes the old form of defaults, written at the root.
func (l *loader) globals(root *yaml.Node, into settings) {
	old := settings{}
	for _, key := range oldGlobals {
		v := root.Get(key)
		if v == nil || v.Kind == yaml.Null {
			continue
		}
		if into[key] != nil {
			l.fatal(v, key+" is defined in top-level and `default:` entry")
			continue
		}
		old[key] = v
	}
	l.check(old, "")
	for key, v := range old {
		into[key] = v
	}
}

// check validates settings where they stand, so that each mistake is reported once and at its place.
func (l *loader) check(s settings, location string) {
	var j Job
	for _, k := range defaultKeys {
		if s[k] != nil {
			l.setting(&j, k, s[k], joined(location, k))
		}
	}
}

func joined(location, key string) string {
	if location == "" {
		return key
	}
	return location + ":" + key
}

func (l *loader) stages(v *yaml.Node) []string {
	out := []string{".pre"}
	list, ok := flatten(v, 0)
	if v.Kind == yaml.Null {
		list, ok = []*yaml.Node{
			{Kind: yaml.String, Text: "build"}, {Kind: yaml.String, Text: "test"}, {Kind: yaml.String, Text: "deploy"},
		}, true
	}
	if !ok || v.Kind != yaml.List && v.Kind != yaml.Null {
		l.badItem(v, "stages config", "should be an array of strings or a nested array of strings up to 10 levels deep", (*yaml.Node).IsText)
	}
	known := map[string]bool{".pre": true, ".post": true}
	for _, s := range list {
		l.nameOfStage(s, "stages config")
		if !known[s.Text] {
			known[s.Text] = true
			out = append(out, s.Text)
		}
	}
	return append(out, ".post")
}

const maxStage = 255

func (l *loader) nameOfStage(v *yaml.Node, location string) {
	if len([]rune(v.Text)) > maxStage {
		l.bad(v, location, "is too long (maximum is %d characters)", maxStage)
	}
}

// maxNesting is how deep lists of scripts, stages and rules may nest.
const maxNesting = 10

// flatten lists the texts of a nested list; false if something else stands in it or it nests too deep.
func flatten(n *yaml.Node, depth int) ([]*yaml.Node, bool) {
	if n.Kind != yaml.List {
		return []*yaml.Node{n}, n.IsText()
	}
	if depth >= maxNesting {
		return nil, false
	}
	var out []*yaml.Node
	for _, i := range n.Items {
		sub, ok := flatten(i, depth+1)
		if !ok || i.Tag != "" {
			return nil, false
		}
		out = append(out, sub...)
	}
	return out, true
}
