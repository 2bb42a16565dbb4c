package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// inherit applies the defaults that the job wants and does not set itself (facts: ci-yaml section 8).
func (l *loader) inherit(j *Job, v *yaml.Node, defaults settings, location string, bridge bool) {
	wanted := func(string) bool { return true }
	if n := v.Get("inherit"); n != nil && n.Kind != yaml.Null {
		if n.Kind != yaml.Map {
			l.bad(n, location+":inherit config", "should be a hash")
		}
		l.unknownKeys(n, location+":inherit config", "default", "variables")
		if d := n.Get("default"); d != nil && d.Kind != yaml.Null {
			if names := l.inherited(d, location+":inherit:default"); names != nil {
				unknown := slices.DeleteFunc(slices.Clone(*names), func(name string) bool { return slices.Contains(defaultKeys, name) })
				if len(unknown) > 0 {
					l.bad(d, location+":inherit:default config", "contains unknown values: %s", strings.Join(unknown, ", "))
				}
				wanted = func(key string) bool { return slices.Contains(*names, key) }
			}
		}
		if d := n.Get("variables"); d != nil && d.Kind != yaml.Null {
			j.RootVariables = l.inherited(d, location+":inherit:variables")
		}
	}
	for k, d := range defaults {
		own := v.Get(k)
		if !wanted(k) || own != nil && own.Kind != yaml.Null || bridge && k != "interruptible" {
			continue
		}
		l.byDefault(k, d).copyTo(j, k)
	}
}

// byDefault reads a default once for all jobs. Its mistakes were told where it stands.
func (l *loader) byDefault(key string, v *yaml.Node) *Job {
	if l.shared == nil {
		l.shared = map[string]*Job{}
	}
	if l.shared[key] == nil {
		l.shared[key] = &Job{}
		(&loader{file: l.file}).setting(l.shared[key], key, v, key)
	}
	return l.shared[key]
}

// copyTo gives another job what a job says of one keyword.
func (j *Job) copyTo(to *Job, key string) {
	switch key {
	case "before_script":
		to.BeforeScript = j.BeforeScript
	case "after_script":
		to.AfterScript = j.AfterScript
	case "image":
		to.Image = j.Image
	case "services":
		to.Services = j.Services
	case "tags":
		to.Tags = j.Tags
	case "artifacts":
		to.Artifacts = j.Artifacts
	case "cache":
		to.Cache = j.Cache
	case "timeout":
		to.Timeout = j.Timeout
	case "retry":
		to.Retry = j.Retry
	case "hooks":
		to.Hooks = j.Hooks
	case "id_tokens":
		to.IDTokens = j.IDTokens
	case "identity":
		to.Identity = j.Identity
	case "interruptible":
		to.Interruptible = j.Interruptible
	}
}

// inherited reads true (nil), false (none) or a list of names.
func (l *loader) inherited(v *yaml.Node, at string) *[]string {
	switch {
	case v.Kind == yaml.Bool && v.Bool:
		return nil
	case v.Kind == yaml.Bool:
		return &[]string{}
	case v.Kind == yaml.List:
		if names, ok := l.strings(v, at+" config", "should be an array of strings"); ok {
			return &names
		}
		return nil
	}
	l.add(v, at+" should be a bool or array of strings")
	return nil
}
