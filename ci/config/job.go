package config

import (
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

var (
	sharedKeys = []string{
		"extends", "stage", "only", "except", "rules", "variables", "inherit", "allow_failure", "when", "needs", "resource_group",
		"environment", "interruptible",
	}
	jobKeys = append([]string{
		"tags", "script", "image", "services", "start_in", "artifacts", "cache", "dependencies", "before_script", "after_script", "hooks",
		"coverage", "retry", "parallel", "timeout", "release", "id_tokens", "publish", "pages", "manual_confirmation", "run", "inputs",
		"secrets", "identity", "dast_configuration",
	}, sharedKeys...)
	bridgeKeys = append([]string{"trigger", "parallel"}, sharedKeys...)
)

func (l *loader) allJobs(root *yaml.Node, c *Config, defaults settings) {
	mark := l.mark()
	var pairs, hidden, unnamed []yaml.Pair
	visible := len(l.sick)
	for _, p := range root.Pairs {
		name := p.Key.Text
		switch {
		case p.Key.IsText() && !isJob(name, p.Value):
		case strings.HasPrefix(name, "."):
			hidden = append(hidden, p)
		case !looksLikeJob(p.Value) && p.Value.Get("needs") == nil:
			l.unmatched(p.Key)
		case !p.Key.IsText():
			visible++
			unnamed = append(unnamed, p)
		case name == "":
			visible++
			l.add(p.Key, "jobs:job name can't be blank")
		default:
			visible++
			pairs = append(pairs, p)
		}
	}
	if visible == 0 {
		l.bad(nil, "jobs config", "should contain at least one visible job")
	}
	l.inside(l.sound(mark), func() {
		for _, p := range hidden {
			if blank(p.Value) {
				l.bad(p.Key, "jobs:"+p.Key.Text+" config", "can't be blank")
			}
		}
		for _, p := range unnamed {
			l.bad(p.Key, "jobs:"+rubyText(p.Key), "name should be a symbol")
		}
		for _, p := range pairs {
			if l.stopped() != nil {
				return
			}
			l.jobs[p.Key.Text], l.bodies[p.Key.Text], l.current = p.Key, p.Value, p.Key.Text
			c.Jobs = append(c.Jobs, l.job(p.Key, p.Value, defaults, c.Workflow.HasRules))
		}
		l.current = ""
	})
}

// words are names of which GitLab's text has the spaces as underscores.
var words = regexp.MustCompile(`^[a-z\s]+$`)

func (l *loader) unmatched(key *yaml.Node) {
	name := strings.ToLower(rubyText(key))
	if words.MatchString(name) {
		name = strings.ReplaceAll(name, " ", "_")
	}
	l.add(key, "jobs "+name+" config should implement the script:, run:, or trigger: keyword")
}

// blank says whether a value is none, for Rails.
func blank(v *yaml.Node) bool {
	switch v.Kind {
	case yaml.Null:
		return true
	case yaml.Bool:
		return !v.Bool
	case yaml.String, yaml.Symbol:
		return strings.TrimSpace(v.Text) == ""
	}
	return len(v.Items)+len(v.Pairs) == 0 && (v.Kind == yaml.List || v.Kind == yaml.Map)
}

const maxName = 255

// exclusive are keywords of which a job may have one.
var exclusive = [][]string{{"script", "trigger"}, {"run", "trigger"}, {"script", "run"}, {"before_script", "run"}, {"after_script", "run"}}

// ownKeys are checked with the job itself, innerKeys after that and each by itself, both in GitLab's order.
var (
	ownKeys   = []string{"extends", "rules", "resource_group", "when", "dependencies", "allow_failure", "manual_confirmation", "run"}
	innerKeys = []string{
		"stage", "only", "except", "rules", "variables", "environment", "interruptible", "before_script", "script", "after_script", "hooks",
		"cache", "image", "services", "timeout", "retry", "tags", "trigger", "needs", "artifacts", "coverage", "release", "parallel",
		"allow_failure", "id_tokens", "inputs", "secrets", "identity", "dast_configuration",
	}
)

func (l *loader) job(key, v *yaml.Node, defaults settings, workflowRules bool) *Job {
	location := "jobs:" + key.Text
	j := &Job{Name: key.Text, Stage: "test", When: enum.OnSuccess, Line: key.Line, At: place(key), Help: l.help(key)}
	mark := l.mark()
	keys := l.ownOf(j, key, v, location)
	l.combined(j, v, location)
	l.inside(l.sound(mark), func() {
		for _, name := range innerKeys {
			if n := v.Get(name); n != nil && n.Kind != yaml.Null && slices.Contains(keys, name) {
				l.innerKey(j, name, n, location, isBridge(v))
			}
		}
		l.inherit(j, v, defaults, location, isBridge(v))
		l.pages(j, v, location)
		if l.sound(mark) {
			l.subset(j, v, location)
		}
	})
	if l.sound(mark) && isBridge(v) {
		l.bridge(j, v, location)
	}
	l.implied(j, v, workflowRules)
	return j
}

// isBridge says whether a job starts or shows another pipeline rather than running anything.
func isBridge(v *yaml.Node) bool { return v.Get("script") == nil && v.Get("run") == nil }

// ownOf checks the job itself, and gives the keys that it may have.
func (l *loader) ownOf(j *Job, key, v *yaml.Node, location string) []string {
	if len([]rune(key.Text)) > maxName {
		l.bad(key, location+" name", "is too long (maximum is 255 characters)")
	}
	keys := jobKeys
	if isBridge(v) {
		keys = bridgeKeys
	}
	for _, pair := range exclusive {
		if v.Get(pair[0]) != nil && v.Get(pair[1]) != nil {
			l.bad(v.Get(pair[1]), location+" config", "these keys cannot be used together: %s", strings.Join(pair, ", "))
			keys = append(keys[:len(keys):len(keys)], pair...)
		}
	}
	l.unknownKeys(v, location+" config", keys...)
	if script := v.Get("script"); script != nil && v.Get("run") == nil && blank(script) {
		l.bad(script, location+" script", "can't be blank")
	}
	for _, name := range ownKeys {
		if n := v.Get(name); n != nil && n.Kind != yaml.Null && slices.Contains(keys, name) {
			l.ownKey(j, name, n, location, isBridge(v))
		}
	}
	return keys
}

const (
	maxStartIn = 7 * 24 * 3600
	maxTimeout = 2_629_746 // a month of Rails: a twelfth of 365.2425 days
)

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
		l.suggest(keyText(first), known)
	}
}

// ownKey reads a keyword that is checked with the job itself.
func (l *loader) ownKey(j *Job, key string, v *yaml.Node, location string, bridge bool) {
	switch key {
	case "extends":
		l.oneOrMany(v, location+" extends")
	case "rules":
		l.listOfRules(v, location+" rules")
	case "resource_group":
		j.ResourceGroup = l.resourceGroup(v, location)
	case "when":
		l.when(j, v, location, bridge)
	case "dependencies":
		if names, ok := l.strings(v, location+" dependencies", "should be an array of strings"); ok {
			j.Dependencies = &names
		}
	case "allow_failure":
		l.allowFailure(j, v, location, bridge)
	case "manual_confirmation":
		j.Confirmation = l.text(v, location+" manual confirmation")
	case "run":
		j.Run = l.run(v, location+" run")
	}
}

// innerKey reads a keyword that is checked by itself.
func (l *loader) innerKey(j *Job, key string, v *yaml.Node, location string, bridge bool) {
	at := location + ":" + key
	switch key {
	case "stage":
		if !v.IsText() {
			l.bad(v, at+" config", "should be a string")
			return
		}
		l.nameOfStage(v, at+" config")
		j.Stage = v.Text
	case "script":
		j.Script = l.script(v, at)
	case "variables":
		j.Variables = l.variables(v, at, false)
	case "only":
		j.Only = l.policy(v, at)
	case "except":
		j.Except = l.policy(v, at)
	case "rules":
		j.Rules = l.rules(v, at, jobRules)
	case "allow_failure":
		if v.Kind == yaml.Map && !bridge {
			l.unknownKeys(v, at+" config", "exit_codes")
			if codes := filled(v.Get("exit_codes")); codes != nil {
				j.AllowCodes = l.integers(codes, at+" exit codes")
			}
		}
	case "needs":
		whose := ofJob
		if bridge {
			whose = ofBridge
		}
		j.Needs = l.needs(v, at, whose)
	case "trigger":
		j.Trigger = l.trigger(v, at)
	case "parallel":
		j.Parallel = l.parallel(v, at, bridge)
	case "environment":
		j.Environment = l.environment(v, at)
	case "release":
		j.Release = l.release(v, at)
	case "coverage":
		j.Coverage = l.coverage(v, at)
	case "secrets":
		j.Secrets = l.secrets(v, at)
	case "inputs":
		j.Inputs = l.jobInputs(v, location)
	case "dast_configuration":
		if v.Kind != yaml.Map {
			l.bad(v, at+" config", "should be a hash")
			return
		}
		l.unknownKeys(v, at+" config", "site_profile", "scanner_profile")
		j.DAST, _ = v.Value().(map[string]any)
	default:
		l.setting(j, key, v, at)
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
		j.Timeout = l.duration(v, at+" config", maxTimeout)
	case "retry":
		j.Retry = l.retry(v)
	case "hooks":
		j.Hooks = l.hooks(v, at)
	case "id_tokens":
		j.IDTokens = l.idTokens(v, at)
	case "identity":
		j.Identity = l.oneOf(v, at, "", "google_cloud")
	case "interruptible":
		j.Interruptible = l.boolean(v, at+" config")
	}
}

func (l *loader) when(j *Job, v *yaml.Node, location string, bridge bool) {
	allowed := []string{"on_success", "on_failure", "always", "manual", "delayed"}
	if bridge {
		allowed = allowed[:4]
	}
	switch {
	case !v.IsText():
		l.bad(v, location+" when", "should be a string")
		l.also(v, location+" when", "should be one of: %s", strings.Join(allowed, ", "))
	case !slices.Contains(allowed, v.Text):
		l.bad(v, location+" when", "should be one of: %s", strings.Join(allowed, ", "))
	default:
		j.When = enum.When(v.Text)
	}
}

func (l *loader) allowFailure(j *Job, v *yaml.Node, location string, bridge bool) {
	if bridge {
		j.AllowFailure = l.boolean(v, location+" allow failure")
		return
	}
	switch v.Kind {
	case yaml.Bool:
		j.AllowFailure = v.Bool
	case yaml.Map: // its exit codes are read with what the job holds
	default:
		l.bad(v, location+" allow failure", "should be a hash or a boolean value")
	}
}
