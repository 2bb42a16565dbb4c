package config

import (
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// Environment is where a job deploys to, or what it does to such a place.
type Environment struct {
	Name           string         `json:"name"`
	URL            string         `json:"url,omitempty"`
	Action         string         `json:"action"`
	OnStop         string         `json:"on_stop,omitempty"`
	AutoStopIn     string         `json:"auto_stop_in,omitempty"`
	DeploymentTier string         `json:"deployment_tier,omitempty"`
	Kubernetes     map[string]any `json:"kubernetes,omitempty"`
}

var (
	environmentName = regexp.MustCompile(`^[A-Za-z0-9_\-/${}. ]+$`)
	actions         = []string{"start", "stop", "prepare", "verify", "access"}
)

const (
	maxEnvironmentName = 255
	maxEnvironmentURL  = 255
)

func (l *loader) environment(v *yaml.Node, at string) *Environment {
	e, mark := &Environment{Action: "start"}, l.mark()
	switch {
	case v.IsText():
		e.Name = v.Text
		l.environmentName(v, v, at+" name")
	case v.Kind == yaml.Map:
		if n := v.Get("name"); n != nil {
			e.Name = n.Text
		}
		l.environmentName(v.Get("name"), v, at+" name")
		l.unknownKeys(v, at+" config", "name", "url", "action", "on_stop", "auto_stop_in", "deployment_tier", "kubernetes")
		l.environmentKeys(e, v, at, mark)
	default:
		l.bad(v, at+" config", "should be a hash or a string")
		l.also(v, at+" name", "can't be blank")
		l.also(v, at+" name", letters)
		l.also(v, at+" name", letters)
		return nil
	}
	return e
}

const letters = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'"

// environmentName checks a name, which may be missing from the environment at.
func (l *loader) environmentName(name, at *yaml.Node, location string) {
	if name == nil {
		name = &yaml.Node{Line: at.Line, Column: at.Column, Source: at.Source}
	}
	switch text := name.Text; {
	case blank(name):
		l.bad(name, location, "can't be blank")
		l.also(name, location, letters)
		if !name.IsText() {
			l.also(name, location, letters)
		}
	case len(text) > maxEnvironmentName:
		l.bad(name, location, "is too long (maximum is %d characters)", maxEnvironmentName)
	case !name.IsText() && !environmentName.MatchString(rubyText(name)):
		l.bad(name, location, letters)
		l.also(name, location, letters)
	case !name.IsText(), !environmentName.MatchString(text), strings.HasPrefix(text, "/"), strings.HasSuffix(text, "/"):
		l.bad(name, location, letters)
	}
}

func (l *loader) environmentKeys(e *Environment, v *yaml.Node, at string, mark int) {
	e.URL = l.text(v.Get("url"), at+" url")
	if len(e.URL) > maxEnvironmentURL {
		l.bad(v.Get("url"), at+" url", "is too long (maximum is %d characters)", maxEnvironmentURL)
	}
	e.OnStop = l.text(v.Get("on_stop"), at+" on stop")
	e.DeploymentTier = l.text(v.Get("deployment_tier"), at+" deployment tier")
	if a := v.Get("action"); a != nil && a.Kind != yaml.Null {
		switch {
		case !a.IsText():
			l.bad(a, at+" action", "should be a string")
			l.also(a, at+" action", "should be start, stop, prepare, verify, or access")
		case !slices.Contains(actions, a.Text):
			l.bad(a, at+" action", "should be start, stop, prepare, verify, or access")
		default:
			e.Action = a.Text
		}
	}
	e.AutoStopIn = l.text(v.Get("auto_stop_in"), at+" auto stop in")
	k := filled(v.Get("kubernetes"))
	if k != nil && k.Kind != yaml.Map {
		l.bad(k, at+" kubernetes", "should be a hash")
	}
	l.inside(l.sound(mark), func() {
		if k != nil && k.Kind == yaml.Map {
			e.Kubernetes = l.kubernetes(k, at+":kubernetes")
		}
	})
}

func (l *loader) kubernetes(v *yaml.Node, at string) map[string]any {
	if len(v.Pairs) == 0 {
		l.bad(v, at+" config", "can't be blank")
	}
	l.unknownKeys(v, at+" config", "agent", "namespace", "flux_resource_path", "managed_resources", "dashboard")
	flux, dashboard, managed := v.Get("flux_resource_path"), filled(v.Get("dashboard")), filled(v.Get("managed_resources"))
	has := func(n *yaml.Node) bool { return n != nil && !blank(n) }
	l.text(v.Get("namespace"), at+" namespace")
	if has(flux) && !has(v.Get("namespace")) {
		l.bad(v, at+" namespace", "can't be blank")
	}
	l.text(v.Get("agent"), at+" agent")
	if enabled := managed.Get("enabled"); (has(flux) || has(dashboard) || enabled != nil && enabled.Bool) && !has(v.Get("agent")) {
		l.bad(v, at+" agent", "can't be blank")
	}
	l.text(flux, at+" flux resource path")
	if managed != nil {
		l.managedResources(managed, at+" managed resources")
	}
	if has(dashboard) {
		l.dashboard(v, dashboard, at)
	}
	out, _ := v.Value().(map[string]any)
	return out
}

func (l *loader) managedResources(v *yaml.Node, location string) {
	if v.Kind != yaml.Map {
		l.bad(v, location, "value at root is not an object")
		return
	}
	for _, p := range v.Pairs {
		switch {
		case keyText(p.Key) != "enabled":
			l.bad(p.Key, location, "object property at `/%s` is a disallowed additional property", keyText(p.Key))
		case p.Value.Kind != yaml.Bool:
			l.bad(p.Value, location, "value at `/enabled` is not a boolean")
		}
	}
}

func (l *loader) dashboard(all, v *yaml.Node, at string) {
	location := at + " dashboard"
	if v.Kind != yaml.Map {
		l.bad(v, location, "value at root is not an object")
		return
	}
	if v.Get("namespace") == nil {
		l.bad(v, location, "object at root is missing required properties: namespace")
	}
	limits := map[string]int{"namespace": 63, "flux_resource_path": 255}
	for _, p := range v.Pairs {
		key := keyText(p.Key)
		limit, known := limits[key]
		switch length := len([]rune(p.Value.Text)); {
		case !known:
			l.bad(p.Key, location, "object property at `/%s` is a disallowed additional property", key)
		case p.Value.Kind != yaml.String:
			l.bad(p.Value, location, "value at `/%s` is not a string", key)
		case length == 0:
			l.bad(p.Value, location, "string length at `/%s` is less than: 1", key)
		case length > limit:
			l.bad(p.Value, location, "string length at `/%s` is greater than: %d", key, limit)
		}
		if other := all.Get(key); known && other != nil && !blank(other) && !blank(p.Value) {
			l.bad(other, at+" "+strings.ReplaceAll(key, "_", " "), "cannot be specified when dashboard.%s is set", key)
		}
	}
}

// environments checks what jobs say of one another's environments.
func (j *Job) environments(byName map[string]*Job) string {
	if j.Environment == nil || j.Environment.OnStop == "" {
		return ""
	}
	name := j.Environment.OnStop
	stop := byName[name]
	switch {
	case stop == nil:
		return j.Name + " job: on_stop job " + name + " is not defined"
	case stop.Environment == nil:
		return j.Name + " job: on_stop job " + name + " does not have environment defined"
	case stop.Environment.Name != j.Environment.Name:
		return j.Name + " job: on_stop job " + name + " have different environment name"
	case stop.Environment.Action != "stop":
		return j.Name + " job: on_stop job " + name + " needs to have action stop defined"
	}
	return ""
}
