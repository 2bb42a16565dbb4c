package config

import (
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

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
		l.also(v, at+" coverage format", "must be one of supported formats: cobertura, jacoco.")
	case !slices.Contains([]string{"cobertura", "jacoco"}, f.Text):
		l.bad(v, at+" coverage format", "must be one of supported formats: cobertura, jacoco.")
	default:
		format = f.Text
	}
	return format, l.needed(v, "path", at)
}
