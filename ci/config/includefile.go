package config

import (
	"fmt"
	"regexp"
	"strings"

	"signalbox/ci/config/yaml"
)

var yamlFile = regexp.MustCompile(`(?i)[^/]+\.ya?ml$`)

// load fetches one file, reads it with its inputs, and adds what it includes itself.
func (x *includer) load(n *yaml.Node, l Location, from Context, chain []string) *yaml.Node {
	f, ok := x.open(n, l, from, chain)
	if !ok {
		return nil
	}
	u := x.unit(f, x.here(n, chain))
	if n.Kind == yaml.Map {
		u.inputs = n.Get("inputs")
	}
	if known := x.parsed[f.key]; known != nil && u.inputs == nil {
		return x.file(known, f.at, x.here(n, chain))
	}
	content, at, problem := u.read()
	if problem != "" {
		if problem == emptyFile {
			problem = "Included file `" + l.Name + "` does not have valid YAML syntax!"
		} else {
			problem = "`" + l.Name + "`: " + problem
		}
		if at == nil {
			at = n
		}
		x.fail(at, problem)
		x.l.further(u.further, "`"+l.Name+"`: ")
		return nil
	}
	x.l.remember(content)
	if u.inputs == nil {
		x.parsed[f.key] = content
	}
	return x.file(content, f.at, x.here(n, chain))
}

func (x *includer) most() int {
	if x.o.MaxIncludes > 0 {
		return x.o.MaxIncludes
	}
	return MaxIncludes
}

// unit prepares a file that was fetched to be read.
func (x *includer) unit(f fetched, chain []string) *unit {
	u := &unit{source: &yaml.Source{Name: f.at.Source, Content: f.content}, component: f.at.Component, varied: &x.l.varied, stopped: x.l.stopped}
	if !f.at.Alone {
		u.variables = x.o.Variables
	}
	u.included = func(list *yaml.Node) ([]*input, *yaml.Node, string) { return x.headers(list, f.at, chain) }
	return u
}

// open fetches one file, if it may be included.
func (x *includer) open(n *yaml.Node, l Location, from Context, chain []string) (fetched, bool) {
	if len(x.included) >= x.most() || len(chain) > maxDepth {
		x.over = true
		x.fail(n, fmt.Sprintf("Maximum of %d nested includes are allowed!", x.most()))
		return fetched{}, false
	}
	switch {
	case l.Kind != "component" && !yamlFile.MatchString(strings.TrimRight(l.Name, "/")):
		x.fail(n, "Included file `"+l.Name+"` does not have YAML extension!")
		return fetched{}, false
	case l.Kind == "local" && (from.Alone || x.o.Resolver == nil):
		x.fail(n, "Local file `"+l.Name+"` does not have project!")
		return fetched{}, false
	case x.o.Resolver == nil:
		x.fail(n, "Included file `"+l.Name+"` is empty or does not exist!")
		return fetched{}, false
	}
	f, err := x.fetch(from, l)
	if err != nil {
		x.over = l.Kind == "remote" // others may take as long
		x.fail(n, x.refusal(err))
		return fetched{}, false
	}
	x.included = append(x.included, Included{l, f.at})
	if x.l.chains[f.at.Source] == nil {
		x.l.chains[f.at.Source] = x.here(n, chain)
	}
	if x.size += len(f.content); x.size > maxTotal {
		x.over = true
		x.fail(n, "Total size of combined CI/CD configuration is too big")
		return fetched{}, false
	}
	return f, true
}

// here adds the place of an include to those that led to it.
func (x *includer) here(n *yaml.Node, chain []string) []string {
	name := "here"
	if n.Source != nil {
		name = fmt.Sprintf("%s:%d", n.Source.Name, n.Line)
	}
	return append([]string{name}, chain...)
}

// fetch asks for a file once.
func (x *includer) fetch(from Context, l Location) (fetched, error) {
	key := strings.Join([]string{l.Kind, l.Project, l.Ref, l.Job, l.Name, l.Integrity, from.Project, from.SHA}, "\x00")
	if f, ok := x.fetched[key]; ok {
		return f, nil
	}
	content, at, err := x.o.Resolver.Fetch(from, l)
	if err != nil {
		return fetched{}, err
	}
	f := fetched{key, content, at}
	x.fetched[key] = f
	return f, nil
}
