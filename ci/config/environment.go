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
	tiers           = []string{"production", "staging", "testing", "development", "other"}
)

const (
	maxEnvironmentName = 255
	maxEnvironmentURL  = 255
)

func (l *loader) environment(v *yaml.Node, at string) *Environment {
	e := &Environment{Action: "start"}
	name := v
	switch {
	case v.IsText():
		e.Name = v.Text
	case v.Kind == yaml.Map:
		l.unknownKeys(v, at+" config", "name", "url", "action", "on_stop", "auto_stop_in", "deployment_tier", "kubernetes")
		if name = v.Get("name"); name == nil {
			name = v
		}
		e.Name = l.text(v.Get("name"), at+" name")
		l.environmentKeys(e, v, at)
	default:
		l.bad(v, at+" config", "should be a hash or a string")
		return nil
	}
	switch {
	case strings.TrimSpace(e.Name) == "":
		l.bad(name, at+" name", "can't be blank")
	case len(e.Name) > maxEnvironmentName:
		l.bad(name, at+" name", "is too long (maximum is %d characters)", maxEnvironmentName)
	case !environmentName.MatchString(e.Name), strings.HasPrefix(e.Name, "/"), strings.HasSuffix(e.Name, "/"):
		l.bad(name, at+" name", "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'")
	}
	return e
}

func (l *loader) environmentKeys(e *Environment, v *yaml.Node, at string) {
	e.URL = l.text(v.Get("url"), at+" url")
	if len(e.URL) > maxEnvironmentURL {
		l.bad(v.Get("url"), at+" url", "is too long (maximum is %d characters)", maxEnvironmentURL)
	}
	e.OnStop = l.text(v.Get("on_stop"), at+" on stop")
	e.DeploymentTier = l.text(v.Get("deployment_tier"), at+" deployment tier")
	if e.DeploymentTier != "" && !slices.Contains(tiers, e.DeploymentTier) && !strings.Contains(e.DeploymentTier, "$") {
		l.bad(v.Get("deployment_tier"), at+" deployment tier", "must be one of production, staging, testing, development, other")
	}
	if a := v.Get("action"); a != nil && a.Kind != yaml.Null {
		if !a.IsText() || !slices.Contains(actions, a.Text) {
			l.bad(a, at+" action", "should be start, stop, prepare, verify, or access")
		} else {
			e.Action = a.Text
		}
	}
	if s := v.Get("auto_stop_in"); s != nil && s.Kind != yaml.Null {
		_, ok := ParseDuration(s.Text)
		if !s.IsText() || !ok && s.Text != "never" && !strings.Contains(s.Text, "$") {
			l.bad(s, at+" auto stop in", "should be a duration")
		}
		e.AutoStopIn = s.Text
	}
	if k := v.Get("kubernetes"); k != nil && k.Kind != yaml.Null {
		e.Kubernetes = l.kubernetes(k, at+":kubernetes")
	}
}

func (l *loader) kubernetes(v *yaml.Node, at string) map[string]any {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	l.unknownKeys(v, at+" config", "agent", "namespace", "flux_resource_path", "managed_resources", "dashboard")
	for _, key := range []string{"agent", "namespace", "flux_resource_path"} {
		l.text(v.Get(key), at+" "+strings.ReplaceAll(key, "_", " "))
	}
	for key, inner := range map[string][]string{"managed_resources": {"enabled"}, "dashboard": {"namespace", "flux_resource_path"}} {
		n := v.Get(key)
		if n == nil || n.Kind == yaml.Null {
			continue
		}
		if n.Kind != yaml.Map {
			l.bad(n, at+":"+key+" config", "should be a hash")
			continue
		}
		l.unknownKeys(n, at+":"+key+" config", inner...)
	}
	if v.Get("flux_resource_path") != nil && v.Get("namespace") == nil {
		l.bad(v, at+" config", "missing required keys: namespace")
	}
	if v.Get("namespace") != nil && v.Get("agent") == nil {
		l.bad(v, at+" config", "missing required keys: agent")
	}
	out, _ := v.Value().(map[string]any)
	return out
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
