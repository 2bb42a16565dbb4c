package config

import (
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

var jobKeys = []string{
	"extends", "stage", "only", "except", "rules", "variables", "inherit", "allow_failure", "when", "needs",
	"resource_group", "environment", "interruptible", "tags", "script", "image", "services", "start_in", "artifacts",
	"cache", "dependencies", "before_script", "after_script", "hooks", "coverage", "retry", "parallel", "timeout",
	"release", "id_tokens", "publish", "pages", "manual_confirmation", "run", "inputs", "secrets", "identity",
	"dast_configuration", "trigger",
}

var onlyWords = regexp.MustCompile(`^[a-z_ ]+$`)

func (l *loader) allJobs(root *yaml.Node, c *Config, defaults settings) {
	visible := 0
	for _, p := range root.Pairs {
		if l.jobs[p.Key.Text] != p.Key {
			continue
		}
		name := p.Key.Text
		switch {
		case name == "":
			visible++
			l.add(p.Key, "jobs:job name can't be blank")
		case strings.HasPrefix(name, "."):
			l.references(p.Value)
		case p.Value.Get("trigger") != nil && p.Value.Get("script") == nil:
			visible++
			l.unsupported(p.Key, "jobs:"+name+":trigger")
		case p.Value.Get("run") != nil && p.Value.Get("script") == nil:
			visible++
			l.unsupported(p.Key, "jobs:"+name+":run")
		case p.Value.Get("extends") != nil:
			visible++
			l.unsupported(p.Value.Get("extends"), "jobs:"+name+":extends")
		case p.Value.Get("script") == nil:
			l.unmatched(p.Key, name)
		default:
			visible++
			c.Jobs = append(c.Jobs, l.job(p.Key, p.Value, defaults))
		}
	}
	if visible == 0 {
		l.bad(nil, "jobs config", "should contain at least one visible job")
	}
}

func (l *loader) unmatched(at *yaml.Node, name string) {
	shown := strings.ToLower(strings.ReplaceAll(name, "_", " "))
	if onlyWords.MatchString(shown) {
		shown = strings.ReplaceAll(shown, " ", "_")
	}
	l.add(at, "jobs "+shown+" config should implement the script:, run:, or trigger: keyword")
}

// references refuses !reference anywhere below a node.
func (l *loader) references(n *yaml.Node) bool {
	if n.Tag == "!reference" {
		l.unsupported(n, "!reference")
		return true
	}
	for _, i := range n.Items {
		if l.references(i) {
			return true
		}
	}
	for _, p := range n.Pairs {
		if l.references(p.Value) {
			return true
		}
	}
	return false
}

const maxName = 255

func (l *loader) job(key, v *yaml.Node, defaults settings) *Job {
	location := "jobs:" + key.Text
	j := &Job{Name: key.Text, Stage: "test", When: enum.OnSuccess, Line: key.Line}
	if len([]rune(key.Text)) > maxName {
		l.bad(key, "jobs:job name", "is too long (maximum is 255 characters)")
	}
	if l.references(v) {
		return j
	}
	l.unknownKeys(v, location+" config", jobKeys...)
	for _, p := range v.Pairs {
		if p.Value.Kind != yaml.Null && slices.Contains(jobKeys, p.Key.Text) {
			l.jobKey(j, p.Key, p.Value, location)
		}
	}
	if script := v.Get("script"); script.Kind == yaml.Null || len(script.Items) == 0 && script.Kind == yaml.List {
		l.bad(script, location+" script", "can't be blank")
	}
	for k, d := range defaults {
		if own := v.Get(k); own == nil || own.Kind == yaml.Null {
			quiet := &loader{file: l.file}
			quiet.setting(j, k, d, k)
		}
	}
	l.combined(j, v, location)
	return j
}

// combined checks keywords that depend on one another.
func (l *loader) combined(j *Job, v *yaml.Node, location string) {
	start := v.Get("start_in")
	switch {
	case j.When == enum.Delayed && start == nil:
		l.bad(v, location+" start in", "should be a duration")
	case j.When != enum.Delayed && start != nil:
		l.bad(start, location+" start in", "must be blank")
	}
	if v.Get("allow_failure") == nil && j.When == enum.WhenManual {
		j.AllowFailure = true
	}
}

func (l *loader) unknownKeys(v *yaml.Node, location string, known ...string) {
	var unknown []string
	var first *yaml.Node
	for _, p := range v.Pairs {
		if !p.Key.IsText() || !slices.Contains(known, p.Key.Text) {
			unknown = append(unknown, keyText(p.Key))
			if first == nil {
				first = p.Key
			}
		}
	}
	if first != nil {
		l.bad(first, location, "contains unknown keys: %s", strings.Join(unknown, ", "))
	}
}

func (l *loader) jobKey(j *Job, key, v *yaml.Node, location string) {
	at := location + ":" + key.Text
	switch key.Text {
	case "stage":
		if !v.IsText() {
			l.bad(v, at+" config", "should be a string")
			return
		}
		j.Stage = v.Text
	case "script":
		j.Script = l.script(v, at)
	case "variables":
		j.Variables = l.variables(v, at, false)
	case "when":
		l.when(j, v, location)
	case "start_in":
		j.StartIn = l.duration(v, location+" start in", 7*24*3600)
	case "allow_failure":
		l.allowFailure(j, v, location)
	case "only":
		j.Only = l.policy(v, at)
	case "except":
		j.Except = l.policy(v, at)
	case "dependencies":
		if names, ok := l.strings(v, location+" dependencies", "should be an array of strings"); ok {
			j.Dependencies = &names
		}
	case "needs":
		j.Needs = l.needs(v, at)
	default:
		if slices.Contains(laterKeys, key.Text) {
			l.unsupported(key, at)
			return
		}
		l.setting(j, key.Text, v, at)
	}
}

// setting reads a keyword that may stand in `default` too.
func (l *loader) setting(j *Job, key string, v *yaml.Node, at string) {
	switch key {
	case "before_script":
		j.BeforeScript = l.script(v, at)
	case "after_script":
		j.AfterScript = l.script(v, at)
	case "image":
		j.Image = l.image(v, at)
	case "services":
		j.Services = l.services(v, at)
	case "tags":
		j.Tags = l.tags(v, at)
	case "artifacts":
		j.Artifacts = l.artifacts(v, at)
	case "cache":
		j.Cache = l.caches(v, at)
	case "timeout":
		j.Timeout = l.duration(v, at+" config", 30*24*3600)
	case "retry":
		j.Retry = l.retry(v)
	}
}

func (l *loader) when(j *Job, v *yaml.Node, location string) {
	switch {
	case !v.IsText():
		l.bad(v, location+" when", "should be a string")
	case !slices.Contains([]string{"on_success", "on_failure", "always", "manual", "delayed"}, v.Text):
		l.bad(v, location+" when", "should be one of: on_success, on_failure, always, manual, delayed")
	default:
		j.When = enum.When(v.Text)
	}
}

func (l *loader) allowFailure(j *Job, v *yaml.Node, location string) {
	switch v.Kind {
	case yaml.Bool:
		j.AllowFailure = v.Bool
	case yaml.Map:
		l.unknownKeys(v, location+":allow_failure config", "exit_codes")
		j.AllowCodes = l.integers(v.Get("exit_codes"), location+":allow_failure exit codes")
	default:
		l.bad(v, location+" allow failure", "should be a hash or a boolean value")
	}
}

// relations checks what jobs say of one another, and stops at the first mistake.
func (l *loader) relations(c *Config) {
	byName := map[string]*Job{}
	for _, j := range c.Jobs {
		byName[j.Name] = j
	}
	for _, j := range c.Jobs {
		j.StageIndex = slices.Index(c.Stages, j.Stage)
		if j.StageIndex < 0 {
			l.add(l.jobs[j.Name], j.Name+" job: chosen stage "+j.Stage+" does not exist; available stages are "+
				strings.Join(c.Stages, ", "))
			return
		}
	}
	for _, j := range c.Jobs {
		if text := j.relation(c, byName); text != "" {
			l.add(l.jobs[j.Name], text)
			return
		}
	}
	if text := cycle(c.Jobs, byName); text != "" {
		l.add(nil, text)
	}
}

func (j *Job) relation(c *Config, byName map[string]*Job) string {
	if j.Dependencies != nil {
		for _, name := range *j.Dependencies {
			other := byName[name]
			switch {
			case other == nil:
				return j.Name + " job: undefined dependency: " + name
			case other.StageIndex >= j.StageIndex && j.Needs == nil:
				return j.Name + " job: dependency " + name + " is not defined in current or prior stages"
			case j.Needs != nil && !needsJob(*j.Needs, name):
				return strings.ToLower("jobs:" + j.Name + " dependencies the " + name + " should be part of needs")
			}
		}
	}
	if j.Needs == nil {
		return ""
	}
	seen := map[string]bool{}
	for _, n := range *j.Needs {
		other := byName[n.Job]
		switch {
		case other == nil && !n.Optional:
			return j.Name + " job: undefined need: " + n.Job
		case other != nil && other.StageIndex > j.StageIndex:
			return j.Name + " job: need " + n.Job + " is not defined in current or prior stages"
		case seen[n.Job]:
			return j.Name + " has the following needs duplicated: " + n.Job + "."
		}
		seen[n.Job] = true
	}
	return ""
}

func needsJob(needs []Need, name string) bool {
	return slices.ContainsFunc(needs, func(n Need) bool { return n.Job == name })
}

// cycle finds jobs that need one another in a circle.
func cycle(jobs []*Job, byName map[string]*Job) string {
	state := map[string]int{}
	var path []string
	var visit func(j *Job) string
	visit = func(j *Job) string {
		state[j.Name] = 1
		path = append(path, j.Name)
		if j.Needs != nil {
			for _, n := range *j.Needs {
				switch {
				case n.Job == j.Name:
					return "The pipeline has circular dependencies: self-dependency: " + j.Name
				case byName[n.Job] == nil || state[n.Job] == 2:
				case state[n.Job] == 1:
					return `The pipeline has circular dependencies: topological sort failed: ["` +
						strings.Join(path[slices.Index(path, n.Job):], `", "`) + `"]`
				default:
					if text := visit(byName[n.Job]); text != "" {
						return text
					}
				}
			}
		}
		state[j.Name] = 2
		path = path[:len(path)-1]
		return ""
	}
	for _, j := range jobs {
		if state[j.Name] == 0 {
			if text := visit(j); text != "" {
				return text
			}
		}
	}
	return ""
}
