package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
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
		l.also(v, at+" name", "should be a string")
		l.also(v, at+" name", "can't be blank")
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
