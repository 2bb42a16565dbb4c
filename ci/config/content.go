package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

func (l *loader) image(v *yaml.Node, at string) *Image { return l.container(v, at, false) }

// flat gives the items of a list and of the lists in it, as GitLab takes lists of anchors together.
func flat(v *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for _, i := range v.Items {
		if i.Kind == yaml.List {
			out = append(out, flat(i)...)
		} else {
			out = append(out, i)
		}
	}
	return out
}

func (l *loader) services(v *yaml.Node, at string) []Image {
	if v.Kind != yaml.List {
		l.bad(v, at+" config", "should be a array")
		return nil
	}
	var out []Image
	for _, i := range flat(v) {
		if s := l.container(i, at+":service", true); s != nil {
			out = append(out, *s)
		}
	}
	return out
}

func (l *loader) container(v *yaml.Node, at string, service bool) *Image {
	if v.IsText() {
		if v.Text == "" {
			l.bad(v, at+" config", "can't be blank")
		}
		return &Image{Name: v.Text}
	}
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash or a string")
		return nil
	}
	mark := l.mark()
	keys := []string{"name", "entrypoint", "pull_policy", "docker", "kubernetes", "ports"}
	if service {
		keys = append(keys, "command", "alias", "variables")
	}
	l.unknownKeys(v, at+" config", keys...)
	if ports := v.Get("ports"); ports != nil {
		l.bad(ports, at+" config", "contains disallowed keys: ports")
	}
	i := &Image{Name: l.text(v.Get("name"), at+" name"), Alias: l.text(v.Get("alias"), at+" alias")}
	if i.Name == "" {
		l.bad(v, at+" config", "missing required keys: name")
	}
	i.Entrypoint = l.optionalStrings(v.Get("entrypoint"), at+" entrypoint")
	i.Command = l.optionalStrings(v.Get("command"), at+" command")
	i.Executor = l.executor(v, at)
	l.inside(l.sound(mark), func() {
		if vars := v.Get("variables"); vars != nil {
			i.Variables = l.variables(vars, at+":variables", false)
		}
		i.PullPolicy = l.pullPolicy(v.Get("pull_policy"), at+":pull_policy config")
	})
	return i
}

func (l *loader) pullPolicy(p *yaml.Node, location string) []string {
	if p == nil || p.Kind == yaml.Null {
		return nil
	}
	words := l.oneOrMany(p, location)
	for _, word := range words {
		if !slices.Contains([]string{"always", "never", "if-not-present"}, word) {
			l.bad(p, location, "contains unknown values: %s", word)
		}
	}
	return words
}

const maxContainerUser = 255

// executor reads what is for one executor alone.
func (l *loader) executor(v *yaml.Node, at string) map[string]any {
	out := map[string]any{}
	for name, keys := range map[string][]string{"docker": {"platform", "user"}, "kubernetes": {"user"}} {
		n := v.Get(name)
		if n == nil || n.Kind == yaml.Null {
			continue
		}
		where := at + ":" + name
		if n.Kind != yaml.Map {
			l.bad(n, where+" config", "should be a hash")
			continue
		}
		l.unknownKeys(n, where+" config", keys...)
		values := map[string]any{}
		for _, p := range n.Pairs {
			text := p.Value.Text
			switch {
			case p.Value.Kind == yaml.Int && name == "kubernetes":
			case !p.Value.IsText():
				l.bad(p.Value, where+" "+p.Key.Text, "should be a string")
			case len(text) > maxContainerUser:
				l.bad(p.Value, where+" "+p.Key.Text, "is too long (maximum is %d characters)", maxContainerUser)
			}
			values[p.Key.Text] = text
		}
		out[name] = values
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (l *loader) optionalStrings(v *yaml.Node, location string) []string {
	if v == nil || v.Kind == yaml.Null {
		return nil
	}
	out, _ := l.strings(v, location, "should be an array of strings")
	return out
}

var reportKinds = []string{
	"junit", "codequality", "sast", "secret_detection", "dependency_scanning", "container_scanning",
	"cluster_image_scanning", "dast", "performance", "browser_performance", "load_performance", "license_scanning",
	"metrics", "lsif", "dotenv", "terraform", "accessibility", "coverage_fuzzing", "api_fuzzing", "requirements",
	"requirements_v2", "cyclonedx", "annotations", "repository_xray", "sarif", "coverage_report",
}

func (l *loader) artifacts(v *yaml.Node, at string) *Artifacts {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	mark := l.mark()
	l.unknownKeys(v, at+" config", "name", "paths", "exclude", "expose_as", "untracked", "when", "expire_in",
		"public", "access", "reports")
	a := &Artifacts{
		Name:      l.text(v.Get("name"), at+" name"),
		Paths:     l.optionalStrings(v.Get("paths"), at+" paths"),
		Exclude:   l.optionalStrings(v.Get("exclude"), at+" exclude"),
		Untracked: l.boolean(v.Get("untracked"), at+" untracked"),
		When:      l.oneOf(v.Get("when"), at+" when", "on_success", "on_success", "on_failure", "always"),
	}
	if e := v.Get("expire_in"); e != nil && e.Kind != yaml.Null {
		if _, ok := ParseDuration(e.Text); !e.IsText() || !ok && e.Text != "never" {
			l.bad(e, at+" expire in", "should be a duration")
		}
		a.ExpireIn = e.Text
	}
	l.exposure(a, v, at)
	r := v.Get("reports")
	if r == nil || r.Kind == yaml.Null {
		return a
	}
	if r.Kind != yaml.Map {
		l.bad(r, at+" reports", "should be a hash")
		return a
	}
	l.inside(l.sound(mark), func() { a.Reports = l.reports(r, at) })
	return a
}

const maxExposeAs = 100

var exposedName = regexp.MustCompile(`^[a-zA-Z0-9\-_. ]+$`)

// exposure reads who may see the artifacts and under which name.
func (l *loader) exposure(a *Artifacts, v *yaml.Node, at string) {
	if n := v.Get("expose_as"); n != nil && n.Kind != yaml.Null {
		a.ExposeAs = l.text(n, at+" expose as")
		switch {
		case !n.IsText():
		case len(a.ExposeAs) > maxExposeAs:
			l.bad(n, at+" expose as", "is too long (maximum is %d characters)", maxExposeAs)
		case !exposedName.MatchString(a.ExposeAs):
			l.bad(n, at+" expose as", "can contain only letters, digits, '-', '_', '.', and spaces")
		case len(a.Paths) == 0:
			l.bad(n, at+" paths", "can't be blank")
		case slices.ContainsFunc(a.Paths, func(p string) bool { return strings.Contains(p, "*") }):
			l.bad(n, at+" paths", "can't contain '*' when used with 'expose_as'")
		}
	}
	public, access := v.Get("public"), v.Get("access")
	if public != nil && access != nil {
		l.bad(access, at+" config", "these keys cannot be used together: public, access")
	}
	if public != nil && public.Kind != yaml.Null && !l.boolean(public, at+" public") {
		a.Access = "developer"
	}
	if access != nil {
		a.Access = l.oneOf(access, at+" access", "", "none", "developer", "maintainer", "all")
	}
}

func (l *loader) reports(v *yaml.Node, at string) map[string][]string {
	l.unknownKeys(v, at+":reports config", reportKinds...)
	out := map[string][]string{}
	for _, p := range v.Pairs {
		if p.Key.Text != "coverage_report" {
			out[p.Key.Text] = l.oneOrMany(p.Value, at+":reports "+strings.ReplaceAll(p.Key.Text, "_", " "))
			continue
		}
		l.unknownKeys(p.Value, at+":reports:coverage_report config", "coverage_format", "path")
		format := l.oneOf(p.Value.Get("coverage_format"), at+":reports:coverage_report coverage format", "", "cobertura", "jacoco")
		if path := l.text(p.Value.Get("path"), at+":reports:coverage_report path"); format != "" && path != "" {
			out[format] = []string{path}
		}
	}
	return out
}

const maxCaches = 4

func (l *loader) caches(v *yaml.Node, at string) []Cache {
	list := []*yaml.Node{v}
	if v.Kind == yaml.List {
		list = v.Items
	}
	if len(list) > maxCaches {
		l.bad(v, at+" config", "no more than 4 caches can be created")
	}
	var caches []*yaml.Node // a list of anchors, each a list, is one list
	for _, c := range list {
		if c.Kind == yaml.List {
			caches = append(caches, flat(c)...)
		} else {
			caches = append(caches, c)
		}
	}
	out := []Cache{}
	for _, c := range caches {
		if c.Kind != yaml.Map {
			l.bad(c, at+" config", "can only be a hash or an array")
			continue
		}
		if len(c.Pairs) > 0 {
			out = append(out, l.cache(c, at))
		}
	}
	return out
}

func (l *loader) cache(v *yaml.Node, at string) Cache {
	mark := l.mark()
	l.unknownKeys(v, at+" config", "key", "paths", "untracked", "unprotect", "policy", "when", "fallback_keys")
	c := Cache{Key: "default", Policy: "pull-push"}
	if p := v.Get("policy"); p != nil && p.Kind != yaml.Null {
		c.Policy = l.text(p, at+" policy")
		if !slices.Contains([]string{"pull-push", "push", "pull"}, c.Policy) && !strings.HasPrefix(c.Policy, "$") {
			l.bad(p, at+" policy", "should be a variable or one of: pull-push, push, pull")
		}
	}
	c.When = l.oneOf(v.Get("when"), at+" when", "on_success", "on_success", "on_failure", "always")
	c.FallbackKeys = l.optionalStrings(v.Get("fallback_keys"), at+":fallback_keys config")
	if len(c.FallbackKeys) > maxFallbackKeys {
		l.bad(v.Get("fallback_keys"), at+":fallback_keys config", "has too many items (maximum is %d)", maxFallbackKeys)
	}
	l.inside(l.sound(mark), func() {
		if k := v.Get("key"); k != nil && k.Kind != yaml.Null {
			l.cacheKey(&c, k, at+":key")
		}
		c.Unprotect = l.boolean(v.Get("unprotect"), at+":unprotect config")
		c.Untracked = l.boolean(v.Get("untracked"), at+":untracked config")
		c.Paths = l.optionalStrings(v.Get("paths"), at+":paths config")
	})
	return c
}

func (l *loader) cacheKey(c *Cache, k *yaml.Node, at string) {
	switch {
	case k.IsText():
		l.cacheName(k, at+" config")
		c.Key = k.Text
	case k.Kind == yaml.Map:
		l.unknownKeys(k, at+" config", "files", "files_commits", "prefix")
		files, name := k.Get("files"), "files"
		if commits := k.Get("files_commits"); commits != nil && files == nil {
			files, name, c.ByCommit = commits, "files_commits", true
		}
		if files == nil || k.Get("files") != nil && k.Get("files_commits") != nil {
			l.bad(k, at+" config", "must use exactly one of these keys: files, files_commits")
			return
		}
		list, ok := l.strings(files, at+":"+name+" config", "should be an array of strings")
		switch {
		case ok && len(list) == 0:
			l.bad(files, at+":"+name+" config", "requires at least 1 item")
		case len(list) > 2:
			l.bad(files, at+":"+name+" config", "has too many items (maximum is 2)")
		}
		c.Files, c.Prefix = list, l.text(k.Get("prefix"), at+":prefix config")
		if p := k.Get("prefix"); p != nil && p.IsText() {
			l.cacheName(p, at+":prefix config")
		}
	default:
		l.bad(k, at, "should be a hash, a string or a symbol")
	}
}

// cacheName checks a name of a cache, as it is and as an address would have it.
func (l *loader) cacheName(k *yaml.Node, at string) {
	plain, err := url.PathUnescape(k.Text)
	if err != nil {
		plain = k.Text
	}
	if strings.Contains(plain, "/") {
		l.bad(k, at, `cannot contain the "/" character`)
	}
	if plain == "." || plain == ".." {
		l.bad(k, at, `cannot be "." or ".."`)
	}
}

const (
	maxFallbackKeys = 5
	maxRetries      = 2
)

// retry reads `retry`. GitLab's texts name no job here.
func (l *loader) retry(v *yaml.Node) *Retry {
	r := &Retry{}
	limit := func(n *yaml.Node, name string) {
		switch {
		case n.Kind != yaml.Int:
			l.bad(n, name, "must be an integer")
		case n.Int > maxRetries:
			l.bad(n, name, "must be less than or equal to 2")
		case n.Int < 0:
			l.bad(n, name, "must be greater than or equal to 0")
		default:
			r.Max = int(n.Int)
		}
	}
	switch v.Kind {
	case yaml.Int:
		limit(v, "retry config")
	case yaml.Map:
		l.unknownKeys(v, "retry config", "max", "when", "exit_codes")
		if m := v.Get("max"); m != nil {
			limit(m, "retry max")
		}
		if w := v.Get("when"); w != nil {
			r.When = l.oneOrMany(w, "retry when")
			l.retryWords(w, r.When)
		}
		if codes := v.Get("exit_codes"); codes != nil {
			r.ExitCodes = l.integers(codes, "retry exit codes")
		}
	default:
		l.add(v, "retry config has to be either an integer or a hash")
	}
	return r
}

func (l *loader) retryWords(at *yaml.Node, words []string) {
	var unknown []string
	for _, w := range words {
		if w != "always" && !slices.Contains(enum.FailureReasons, enum.FailureReason(w)) {
			unknown = append(unknown, w)
		}
	}
	switch {
	case len(unknown) == 0:
	case at.IsText():
		l.bad(at, "retry when", "is not included in the list")
	default:
		l.bad(at, "retry when", "contains unknown values: %s", strings.Join(unknown, ", "))
	}
}
