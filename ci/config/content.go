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
		if i.Kind == yaml.Null {
			continue
		}
		if s := l.container(i, at+":service", true); s != nil {
			out = append(out, *s)
		}
	}
	return out
}

func (l *loader) container(v *yaml.Node, at string, service bool) *Image {
	if v.IsText() {
		if blank(v) {
			l.bad(v, at+" name", "can't be blank")
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
	if ports := filled(v.Get("ports")); ports != nil {
		l.bad(ports, at+" config", "contains disallowed keys: ports")
	}
	i := &Image{Name: l.needed(v, "name", at), Entrypoint: l.optionalStrings(v.Get("entrypoint"), at+" entrypoint")}
	i.Executor = l.executor(v, at+" executor opts")
	l.unknownKeys(v, at+" config", keys...)
	if service {
		i.Alias = l.text(v.Get("alias"), at+" alias")
	}
	l.inside(l.sound(mark), func() {
		i.PullPolicy = l.pullPolicy(filled(v.Get("pull_policy")), at+":pull_policy config")
		if vars := filled(v.Get("variables")); vars != nil && service {
			i.Variables = l.plainVariables(vars, at+":variables")
		}
		if command := filled(v.Get("command")); command != nil && service {
			i.Command = l.script(command, at+":command")
		}
	})
	return i
}

func (l *loader) pullPolicy(p *yaml.Node, location string) []string {
	if p == nil {
		return nil
	}
	allowed := []string{"always", "never", "if-not-present"}
	words := l.oneOrMany(p, location)
	unknown := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(allowed, w) })
	switch {
	case p.IsText() && len(unknown) > 0:
		l.bad(p, location, "is not included in the list")
	case len(unknown) > 0:
		l.bad(p, location, "contains unknown values: %s", strings.Join(unknown, ", "))
	case p.Kind == yaml.List && len(p.Items) == 0:
		l.bad(p, location, "can't be blank")
	}
	return words
}

// executorKeys are what is for one executor alone, with the longest text that each may have.
var executorKeys = map[string]map[string]int{"docker": {"platform": 64, "user": 255}, "kubernetes": {"user": 255}}

// executor reads what is for one executor alone. GitLab checks it by a schema and says so in its words.
func (l *loader) executor(v *yaml.Node, location string) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"docker", "kubernetes"} {
		n := filled(v.Get(name))
		if n == nil {
			continue
		}
		if n.Kind != yaml.Map {
			l.bad(n, location, "value at `/%s` is not an object", name)
			continue
		}
		values := map[string]any{}
		for _, p := range n.Pairs {
			key := keyText(p.Key)
			limit, known := executorKeys[name][key]
			where := "`/" + name + "/" + key + "`"
			switch length := len([]rune(p.Value.Text)); {
			case !known:
				l.bad(p.Key, location, "object property at %s is a disallowed additional property", where)
			case p.Value.Kind == yaml.Int && name == "kubernetes":
			case p.Value.Kind != yaml.String && name == "kubernetes":
				l.bad(p.Value, location, "value at %s is not one of the types: [\"string\", \"integer\"]", where)
			case p.Value.Kind != yaml.String:
				l.bad(p.Value, location, "value at %s is not a string", where)
			case length == 0:
				l.bad(p.Value, location, "string length at %s is less than: 1", where)
			case length > limit:
				l.bad(p.Value, location, "string length at %s is greater than: %d", where, limit)
			}
			values[key] = p.Value.Text
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
		if _, ok := ParseDuration(e.Text); !e.IsText() || !ok && !strings.EqualFold(e.Text, "never") {
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

var exposedName = regexp.MustCompile(`^\w[-\w ]*$`)

// exposure reads who may see the artifacts and under which name.
func (l *loader) exposure(a *Artifacts, v *yaml.Node, at string) {
	if n := v.Get("expose_as"); n != nil && n.Kind != yaml.Null {
		a.ExposeAs = l.text(n, at+" expose as")
		switch {
		case !n.IsText():
		case len(a.ExposeAs) > maxExposeAs:
			l.bad(n, at+" expose as", "is too long (maximum is %d characters)", maxExposeAs)
		case !exposedName.MatchString(a.ExposeAs):
			l.bad(n, at+" expose as", "can contain only letters, digits, '-', '_' and spaces")
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
		if key := keyText(p.Key); p.Value.Kind != yaml.Null && key != "coverage_report" && slices.Contains(reportKinds, key) {
			out[key] = l.oneOrMany(p.Value, at+":reports "+strings.ReplaceAll(key, "_", " "))
		}
	}
	if c := filled(v.Get("coverage_report")); c != nil {
		if format, path := l.coverageReport(c, at+":reports:coverage_report"); format != "" && path != "" {
			out[format] = []string{path}
		}
	}
	return out
}

func (l *loader) coverageReport(v *yaml.Node, at string) (format, path string) {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return "", ""
	}
	l.unknownKeys(v, at+" config", "coverage_format", "path")
	f := v.Get("coverage_format")
	switch {
	case f == nil || blank(f):
		l.bad(v, at+" coverage format", "can't be blank")
		fallthrough
	case !slices.Contains([]string{"cobertura", "jacoco"}, f.Text):
		l.bad(v, at+" coverage format", "must be one of supported formats: cobertura, jacoco.")
	default:
		format = f.Text
	}
	return format, l.needed(v, "path", at)
}

const maxCaches = 4

func (l *loader) caches(v *yaml.Node, at string) []Cache {
	if v.Kind != yaml.List && v.Kind != yaml.Map {
		l.bad(v, at+" config", "can only be a hash or an array")
		return nil
	}
	caches := flat(v) // a list of anchors, each a list, is one list
	if v.Kind == yaml.Map {
		caches = []*yaml.Node{v}
	}
	sound := len(v.Items) <= maxCaches
	if !sound {
		l.bad(v, at+" config", "no more than %d caches can be created", maxCaches)
	}
	out := []Cache{}
	for _, c := range caches {
		if c.Kind != yaml.Map && c.Kind != yaml.Null {
			l.inside(sound, func() { l.bad(c, at+" config", "should be a hash") })
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
		if !slices.ContainsFunc([]string{"push", "pull", "$"}, func(word string) bool { return strings.Contains(c.Policy, word) }) {
			l.bad(p, at+" policy", "should be a variable or one of: pull-push, push, pull")
		}
	}
	c.When = l.oneOf(v.Get("when"), at+" when", "on_success", "on_success", "on_failure", "always")
	if keys := v.Get("fallback_keys"); keys != nil && len(keys.Items) > maxFallbackKeys {
		l.bad(keys, at+" fallback keys", "has to many entries (maximum %d)", maxFallbackKeys)
	}
	l.inside(l.sound(mark), func() {
		if k := v.Get("key"); k != nil && k.Kind != yaml.Null {
			l.cacheKey(&c, k, at+":key")
		}
		c.Unprotect = l.boolean(v.Get("unprotect"), at+":unprotect config")
		c.Untracked = l.boolean(v.Get("untracked"), at+":untracked config")
		c.Paths = l.optionalStrings(v.Get("paths"), at+":paths config")
		c.FallbackKeys = l.optionalStrings(v.Get("fallback_keys"), at+":fallback_keys config")
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
		for _, name := range list {
			c.Files = append(c.Files, strings.TrimLeft(name, "/"))
		}
		if p := filled(k.Get("prefix")); p != nil && p.IsText() {
			l.cacheName(p, at+":prefix config")
			c.Prefix = p.Text
		} else if p != nil {
			l.bad(p, at+":prefix config", "should be a string or symbol")
		}
	default:
		l.add(k, at+" should be a hash, a string or a symbol")
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
		case n == nil:
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
		limit(filled(v.Get("max")), "retry max")
		if w := filled(v.Get("when")); w != nil {
			r.When = l.oneOrMany(w, "retry when")
			l.retryWords(w, r.When)
		}
		if codes := filled(v.Get("exit_codes")); codes != nil {
			r.ExitCodes = l.integers(codes, "retry exit codes")
		}
	default:
		l.add(v, "retry config has to be either an integer or a hash")
	}
	return r
}

func (l *loader) retryWords(at *yaml.Node, words []string) {
	var unknown, deprecated []string
	for _, w := range words {
		if w != "always" && !slices.Contains(enum.RetryReasons, enum.FailureReason(w)) {
			unknown = append(unknown, w)
		}
		if enum.FailureReason(w).Deprecated() {
			deprecated = append(deprecated, w)
		}
	}
	if deprecated != nil && unknown == nil {
		l.warn(at, "retry uses deprecated `when` value(s): "+strings.Join(deprecated, ", ")+". These match the more specific failure reasons that replaced them; "+
			"migrate to those reasons. See https://docs.gitlab.com/ci/yaml/#retrywhen")
	}
	switch {
	case len(unknown) == 0:
	case at.IsText():
		l.bad(at, "retry when", "is not included in the list")
	default:
		l.bad(at, "retry when", "contains unknown values: %s", strings.Join(unknown, ", "))
	}
}
