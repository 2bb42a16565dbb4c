package config

import (
	"slices"
	"strings"
	"time"

	"signalbox/ci/config/yaml"
)

// Release is a release that a job's success makes.
type Release struct {
	TagName     string        `json:"tag_name"`
	TagMessage  string        `json:"tag_message,omitempty"`
	Name        string        `json:"name,omitempty"`
	Description string        `json:"description"`
	Ref         string        `json:"ref,omitempty"`
	Milestones  []string      `json:"milestones,omitempty"`
	ReleasedAt  string        `json:"released_at,omitempty"`
	Links       []ReleaseLink `json:"links,omitempty"`
}

// ReleaseLink is an address that a release names.
type ReleaseLink struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Filepath string `json:"filepath,omitempty"`
	LinkType string `json:"link_type,omitempty"`
}

func (l *loader) release(v *yaml.Node, at string) *Release {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	mark := l.mark()
	l.unknownKeys(v, at+" config", "tag_name", "tag_message", "name", "description", "ref", "milestones", "released_at", "assets")
	r := &Release{
		TagName: l.needed(v, "tag_name", at), Description: l.needed(v, "description", at), TagMessage: l.text(v.Get("tag_message"), at+" tag message"),
		Name: l.text(v.Get("name"), at+" name"), Ref: l.text(v.Get("ref"), at+" ref"), ReleasedAt: l.text(v.Get("released_at"), at+" released at"),
	}
	if m := v.Get("milestones"); m != nil && m.Kind != yaml.Null {
		r.Milestones = l.oneOrMany(m, at+" milestones")
	}
	if _, ok := ReleaseTime(r.ReleasedAt); r.ReleasedAt != "" && !ok {
		l.bad(v.Get("released_at"), at+" released at", "must be a valid datetime")
	}
	if strings.ContainsAny(r.Ref, " \t~^:?*[\\") {
		l.bad(v.Get("ref"), at+" ref", "must be a valid ref")
	}
	if a := v.Get("assets"); a != nil && a.Kind != yaml.Null {
		l.inside(l.sound(mark), func() { r.Links = l.links(a, at+":assets") })
	}
	return r
}

var releaseTimes = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", time.DateOnly,
}

// ReleaseTime reads released_at. What the configuration takes, the release takes too: both ask here.
func ReleaseTime(text string) (time.Time, bool) {
	for _, layout := range releaseTimes {
		if at, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

func (l *loader) links(v *yaml.Node, at string) []ReleaseLink {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	l.unknownKeys(v, at+" config", "links")
	list := v.Get("links")
	if list == nil || list.Kind != yaml.List || slices.ContainsFunc(list.Items, func(i *yaml.Node) bool { return i.Kind != yaml.Map }) {
		l.bad(v, at+" links", "should be an array of hashes")
	}
	if list == nil || blank(list) {
		l.bad(v, at+" links", "can't be blank")
		return nil
	}
	var out []ReleaseLink
	for _, i := range list.Items { // what stands in them is for the tool that makes the release
		text := func(key string) string {
			if n := i.Get(key); n != nil {
				return rubyText(n)
			}
			return ""
		}
		out = append(out, ReleaseLink{Name: text("name"), URL: text("url"), Filepath: text("filepath"), LinkType: text("link_type")})
	}
	return out
}

// needed is a text that must be there.
func (l *loader) needed(v *yaml.Node, key, at string) string {
	location := at + " " + strings.ReplaceAll(key, "_", " ")
	n := v.Get(key)
	if n == nil || n.Kind == yaml.Null {
		l.bad(v, location, "should be a string")
		l.also(v, location, "can't be blank")
		return ""
	}
	text := l.text(n, location)
	if blank(n) {
		l.bad(n, location, "can't be blank")
	}
	return text
}

// Pages says that a job's files are published.
type Pages struct {
	Publish    string `json:"publish,omitempty"`
	PathPrefix string `json:"path_prefix,omitempty"`
	ExpireIn   string `json:"expire_in,omitempty"`
}

// pages reads `pages` and the older `publish`, and lets what is published be an artifact.
func (l *loader) pages(j *Job, v *yaml.Node, at string) {
	keyword, publish := v.Get("pages"), v.Get("publish")
	p := &Pages{}
	switch {
	case keyword == nil || keyword.Kind == yaml.Null:
		if j.Name != "pages" {
			p = nil
		}
	case keyword.Kind == yaml.Bool:
		if !keyword.Bool {
			p = nil
		}
	case keyword.Kind == yaml.Map && len(keyword.Pairs) == 0:
		if j.Name != "pages" {
			p = nil
		}
	case keyword.Kind == yaml.Map:
		l.unknownKeys(keyword, at+":pages config", "publish", "path_prefix", "expire_in")
		p.Publish, p.PathPrefix = l.text(keyword.Get("publish"), at+":pages publish"), l.text(keyword.Get("path_prefix"), at+":pages path prefix")
		if e := keyword.Get("expire_in"); e != nil && e.Kind != yaml.Null {
			if _, ok := ParseDuration(e.Text); !e.IsText() || !ok && !strings.EqualFold(e.Text, "never") && !strings.Contains(e.Text, "$") {
				l.bad(e, at+":pages expire in", "should be a duration")
			}
			p.ExpireIn = e.Text
		}
	default:
		l.bad(keyword, at+":pages config", "should be a hash or a boolean value")
		return
	}
	own := l.text(publish, at+":publish config")
	if p == nil {
		if publish != nil && publish.Kind != yaml.Null {
			l.bad(publish, at+" publish", "can only be used within a `pages` job")
		}
		return
	}
	if p.Publish == "" {
		p.Publish = own
	}
	path := p.Publish
	if path == "" {
		path = "public"
	}
	j.Pages = p
	a := Artifacts{When: "on_success"}
	if j.Artifacts != nil {
		a = *j.Artifacts
	}
	if !slices.Contains(a.Paths, path) {
		a.Paths = append(append([]string{}, a.Paths...), path)
	}
	j.Artifacts = &a
}

// idTokens reads the tokens that a job wants, each with whom it is for.
func (l *loader) idTokens(v *yaml.Node, at string) map[string][]string {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	out := map[string][]string{}
	for _, p := range v.Pairs {
		where := at + ":" + keyText(p.Key)
		if p.Value.Kind != yaml.Map {
			l.bad(p.Value, where+" config", "should be a hash")
			continue
		}
		l.unknownKeys(p.Value, where+" config", "aud")
		aud := p.Value.Get("aud")
		if aud == nil {
			l.bad(p.Value, where+" config", "missing required keys: aud")
			aud = p.Value
		}
		out[keyText(p.Key)] = l.oneOrMany(aud, where+" aud")
	}
	return out
}

// coverage reads the pattern that finds a job's coverage in its log.
func (l *loader) coverage(v *yaml.Node, at string) string {
	if v.IsText() {
		if re, isPattern, err := CompilePattern(v.Text); isPattern && err == nil {
			return re.String()
		}
	}
	l.bad(v, at+" config", "must be a regular expression with re2 syntax")
	return ""
}

func (l *loader) hooks(v *yaml.Node, at string) []string {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	l.unknownKeys(v, at+" config", "pre_get_sources_script")
	if s := v.Get("pre_get_sources_script"); s != nil && s.Kind != yaml.Null {
		return l.script(s, at+":pre_get_sources_script")
	}
	return nil
}

func (l *loader) resourceGroup(v *yaml.Node, location string) string {
	if !v.IsText() {
		l.bad(v, location+" resource group", "should be a string")
	}
	return v.Text
}

// secretKinds are the stores that `secrets` may name, with the keys that each takes.
var secretKinds = map[string][]string{
	"vault": {"engine", "path", "field"}, "gcp_secret_manager": {"name", "version"}, "azure_key_vault": {"name", "version"},
	"aws_secrets_manager":    {"secret_id", "version_id", "version_stage", "region", "role_arn", "role_session_name", "field"},
	"gitlab_secrets_manager": {"name", "source"},
}

func (l *loader) secrets(v *yaml.Node, at string) map[string]any {
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	for _, p := range v.Pairs {
		where := at + ":" + keyText(p.Key)
		if p.Value.Kind != yaml.Map {
			l.bad(p.Value, where+" config", "should be a hash")
			continue
		}
		kinds := []string{}
		for _, f := range p.Value.Pairs {
			switch keys, known := secretKinds[f.Key.Text]; {
			case known:
				kinds = append(kinds, f.Key.Text)
				if f.Value.Kind == yaml.Map {
					l.unknownKeys(f.Value, where+":"+f.Key.Text+" config", keys...)
				} else if !f.Value.IsText() {
					l.bad(f.Value, where+":"+f.Key.Text+" config", "should be a hash or a string")
				}
			case f.Key.Text == "file":
				l.boolean(f.Value, where+" file")
			case f.Key.Text == "token":
				l.text(f.Value, where+" token")
			default:
				l.bad(f.Key, where+" config", "contains unknown keys: %s", keyText(f.Key))
			}
		}
		if len(kinds) != 1 {
			l.bad(p.Value, where+" config", "must use exactly one of these keys: vault, gcp_secret_manager, azure_key_vault, aws_secrets_manager, gitlab_secrets_manager")
		}
	}
	out, _ := v.Value().(map[string]any)
	return out
}
