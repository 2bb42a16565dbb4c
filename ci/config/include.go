package config

import (
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/expression"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// Context is where a file of a configuration comes from: what it includes as `local` lies there too.
type Context struct {
	Source    string // how people know the file
	Project   string // full path; "" outside of projects
	SHA       string
	Component map[string]string // the fields of spec:component
	// Alone is a file from elsewhere: it has no project, no variables, and reads no local files.
	Alone bool
}

// Location is what an include names.
type Location struct {
	Kind      string // local, project, remote, template, component or artifact
	Name      string // the path of a file, a URL, or the name of a template or component
	Job       string // whose artifact it is
	Project   string
	Ref       string
	Integrity string
}

// Resolver fetches what a configuration includes. What it refuses is *Refused; other errors are its own.
type Resolver interface {
	Fetch(from Context, l Location) (content []byte, at Context, err error)
	// Match lists the files that a local pattern with * stands for.
	Match(from Context, pattern string) ([]string, error)
}

// Refused says in GitLab's words why a file cannot be included.
type Refused struct{ Text string }

func (r *Refused) Error() string { return r.Text }

// Included is a file that a configuration was made of.
type Included struct {
	Location Location
	At       Context
}

// MaxIncludes is how many files one configuration may include if nothing else is set.
const MaxIncludes = 150

// maxDepth bounds files that include one another; the count ends circles before.
const maxDepth = 100

type includer struct {
	l        *loader
	o        Options
	included []Included
	fetched  map[string]fetched
	parsed   map[string]*yaml.Node // what was read without inputs
	size     int                   // bytes of what was read
	failures int
	over     bool // no more files are asked for
}

// maxFailures is after how many includes that failed no further one is tried.
const maxFailures = 10

// maxTotal is how many bytes all files of a configuration may have.
const maxTotal = 16 << 20

type fetched struct {
	key     string
	content []byte
	at      Context
}

func newIncluder(l *loader, o Options) *includer {
	return &includer{l: l, o: o, fetched: map[string]fetched{}, parsed: map[string]*yaml.Node{}}
}

// file gives a file with everything that it includes beneath it. Includes that fail are left out, so that mistakes of
// others are found too.
func (x *includer) file(root *yaml.Node, from Context, chain []string) *yaml.Node {
	list := root.Get("include")
	if list == nil {
		return root
	}
	under := &yaml.Node{Kind: yaml.Map, Line: root.Line, Column: root.Column, Source: root.Source}
	for _, item := range items(list) {
		for _, l := range x.locations(item, from) {
			if x.over {
				return root
			}
			if content := x.load(item, l, from, chain); content != nil {
				under = merge(under, content)
			}
		}
	}
	out := merge(under, without(root, "include"))
	return out
}

func items(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case yaml.Null:
		return nil
	case yaml.List:
		var out []*yaml.Node
		for _, i := range n.Items {
			out = append(out, items(i)...)
		}
		return out
	}
	return []*yaml.Node{n}
}

func without(n *yaml.Node, key string) *yaml.Node {
	out := *n
	out.Pairs = nil
	for _, p := range n.Pairs {
		if p.Key.Text != key {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return &out
}

// fail notes why something cannot be included. GitLab tells the first mistake.
func (x *includer) fail(at *yaml.Node, text string) []Location {
	if len(x.l.errors) == 0 {
		x.l.fatal(at, text)
	} else {
		x.l.add(at, text)
	}
	x.failures++
	x.over = x.over || x.failures >= maxFailures || x.l.failed != nil
	return nil
}

// locations reads one entry: rules first, then the files that it names (facts: ci-yaml 6.2).
func (x *includer) locations(n *yaml.Node, from Context) []Location {
	vars := x.o.Variables
	if from.Alone {
		vars = nil
	}
	if n.IsText() {
		name := x.expand(n.Text, vars)
		if u, err := url.Parse(name); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
			return []Location{{Kind: "remote", Name: name}}
		}
		return x.local(n, name, from)
	}
	if n.Kind != yaml.Map {
		return x.fail(n, "Each include must be a hash or a string")
	}
	if !x.wanted(n, from) {
		return nil
	}
	n = x.expanded(n, vars)
	kinds := []string{}
	for _, kind := range []string{"local", "project", "remote", "template", "component", "artifact"} {
		if v := n.Get(kind); v != nil && v.IsText() && !blank(v) {
			kinds = append(kinds, kind)
		}
	}
	const names = "`local`, `project`, `remote`, `template`, `component`, `artifact`"
	switch {
	case len(kinds) == 0:
		return x.fail(n, "`"+jsonText(n)+"` does not have a valid subkey for include. Valid subkeys are: "+names)
	case len(kinds) > 1:
		return x.fail(n, "Each include must use only one of: "+names)
	case kinds[0] == "artifact" && !x.o.Child:
		return x.fail(n, "Including configs from artifacts is only allowed when triggering child pipelines")
	case kinds[0] == "artifact" && (!n.Get("job").IsText() || n.Get("job").Text == ""):
		return x.fail(n, "Job must be provided when including configs from artifacts")
	}
	value := n.Get(kinds[0]).Text
	l := Location{Kind: kinds[0], Name: value}
	if l.Kind == "artifact" {
		l.Job = n.Get("job").Text
	}
	if i := filled(n.Get("integrity")); i != nil {
		l.Integrity = i.Text
		if text := integrityOf(i.Text, l.Kind == "remote"); text != "" {
			return x.fail(i, "include config "+text)
		}
	}
	switch l.Kind {
	case "local":
		return x.local(n, value, from)
	case "project":
		return x.project(n, value)
	}
	return []Location{l}
}

func (x *includer) expand(text string, vars variable.Collection) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	x.l.varied = true
	return vars.Expand(text, false)
}

// expanded puts the variables into the texts of an entry; its inputs and rules are left.
func (x *includer) expanded(n *yaml.Node, vars variable.Collection) *yaml.Node {
	switch {
	case n.IsText() && strings.ContainsAny(n.Text, "$%"):
		c := *n
		c.Text = x.expand(n.Text, vars)
		return &c
	case n.Kind == yaml.List:
		c := *n
		c.Items = nil
		for _, i := range n.Items {
			c.Items = append(c.Items, x.expanded(i, vars))
		}
		return &c
	case n.Kind == yaml.Map:
		c := *n
		c.Pairs = slices.Clone(n.Pairs)
		for i, p := range c.Pairs {
			if key := keyText(p.Key); key != "inputs" && key != "rules" {
				c.Pairs[i].Value = x.expanded(p.Value, vars)
			}
		}
		return &c
	}
	return n
}

// integrityOf says what is wrong with the hash of a remote file.
func integrityOf(text string, remote bool) string {
	hash, ok := strings.CutPrefix(text, "sha256-")
	_, err := base64.StdEncoding.DecodeString(hash)
	switch {
	case !remote:
		return "integrity can only be specified for remote includes"
	case !ok:
		return "integrity hash must start with 'sha256-'"
	case err != nil || hash == "":
		return "integrity hash must be base64 encoded"
	}
	return ""
}

func (x *includer) local(at *yaml.Node, name string, from Context) []Location {
	name = strings.TrimLeft(name, "/")
	if !strings.Contains(name, "*") || from.Alone || x.o.Resolver == nil {
		return []Location{{Kind: "local", Name: name}}
	}
	files, err := x.o.Resolver.Match(from, name)
	if err != nil {
		return x.fail(at, x.refusal(err))
	}
	var out []Location
	for _, f := range files {
		if f != from.Source && from.Project+":"+f != from.Source {
			out = append(out, Location{Kind: "local", Name: f})
		}
	}
	return out
}

// LocalPattern is the regular expression of a local include with *: it stays within a folder, ** goes through any. A slash behind
// ** is one of the path: configs/**/*.yml means files in folders below configs, not those in it
// (Repository#search_files_by_wildcard_path).
func LocalPattern(pattern string) string {
	text := regexp.QuoteMeta(strings.TrimPrefix(pattern, "/"))
	text = strings.ReplaceAll(text, `\*\*`, ".*")
	return "^" + strings.ReplaceAll(text, `\*`, "[^/]*") + "$"
}

func (x *includer) project(n *yaml.Node, project string) []Location {
	ref := ""
	if r := n.Get("ref"); r != nil {
		ref = r.Text
	}
	file := n.Get("file")
	if file == nil || file.Kind == yaml.Null {
		return x.fail(n, "include config must specify the file where to fetch the config from")
	}
	var out []Location
	for _, f := range items(file) {
		if !f.IsText() {
			return x.fail(f, "Included file `"+jsonText(f)+"` needs to be a string")
		}
		out = append(out, Location{Kind: "project", Project: project, Ref: ref, Name: f.Text})
	}
	return out
}

// wanted asks the rules of an entry.
func (x *includer) wanted(n *yaml.Node, from Context) bool {
	v := n.Get("rules")
	if v == nil || v.Kind == yaml.Null {
		return true
	}
	mark := x.l.mark()
	x.l.listOfRules(v, "include rules")
	rules := x.l.rules(v, "include:rules", includeRules)
	if !x.l.sound(mark) {
		for i, e := range x.l.errors[mark:] {
			e.Text = strings.Replace(e.Text, "include rules should be an array containing hashes and arrays of hashes", "include rules should be an array of hashes", 1)
			e.Beyond = mark+i > 0
		}
		return false
	}
	for _, r := range rules {
		ok, err := x.matches(r, from)
		if err != nil {
			x.fail(v, "include:"+x.refusal(err))
			return false
		}
		if ok {
			return r.When != enum.Never
		}
	}
	return false
}

func (x *includer) matches(r Rule, from Context) (bool, error) {
	if x.o.Rules != nil {
		return x.o.Rules(from, r)
	}
	if r.Changes != nil || r.Exists != nil {
		return true, nil
	}
	x.l.varied = true
	return r.If == nil || r.If.Matches(expression.Values{Variable: x.o.Variables.Get}), nil
}

func (x *includer) refusal(err error) string {
	var refused *Refused
	if errors.As(err, &refused) {
		return refused.Text
	}
	x.l.failed = err
	return err.Error()
}
