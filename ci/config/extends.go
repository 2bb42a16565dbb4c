package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
)

// maxAncestors is how many others a job may stand on, one above the other.
const maxAncestors = 10

// extender resolves `extends` on the merged configuration (facts: ci-yaml section 7).
type extender struct {
	l    *loader
	root *yaml.Node
	at   map[string]*yaml.Node
	done map[string]extended
	// wrong are those with a mistake of their own.
	wrong map[string]bool
}

type extended struct {
	node  *yaml.Node
	depth int // how many that extend others stand below it
}

// plainBase is the depth of what extends nothing, which GitLab does not count.
const plainBase = -1

// extends lays every mapping of the root over those that it names. GitLab tells the first mistake.
func (l *loader) extends(root *yaml.Node) *yaml.Node {
	l.bases = map[string][]string{}
	e := &extender{l: l, root: root, at: map[string]*yaml.Node{}, done: map[string]extended{}, wrong: map[string]bool{}}
	used := false
	for _, p := range root.Pairs {
		if p.Key.IsText() {
			e.at[p.Key.Text] = p.Value
			used = used || p.Value.Kind == yaml.Map && p.Value.Get("extends") != nil
		}
	}
	if !used {
		return root
	}
	out := *root
	out.Pairs = make([]yaml.Pair, len(root.Pairs))
	for i, p := range root.Pairs {
		out.Pairs[i] = p
		if !p.Key.IsText() || p.Value.Kind != yaml.Map || p.Value.Get("extends") == nil {
			continue
		}
		if r, ok := e.resolve(p.Key.Text, nil); ok {
			out.Pairs[i].Value = r.node
		} else {
			l.spoil(p.Key.Text)
		}
	}
	return &out
}

// resolve gives a mapping with everything that it stands on. above are those that stand on it.
func (e *extender) resolve(key string, above []string) (extended, bool) {
	value := e.at[key]
	if e.wrong[key] {
		return extended{}, false // told
	}
	if r, ok := e.done[key]; ok {
		if len(above)+r.depth > maxAncestors {
			key = e.deepest(key, len(above))
			return e.fail(e.at[key].Get("extends"), key, "nesting too deep in `extends`")
		}
		return r, true
	}
	names := value.Get("extends")
	if names == nil || names.Kind == yaml.Null {
		return extended{value, plainBase}, true
	}
	bases, unknown, invalid := e.bases(names)
	e.l.bases[key] = bases
	switch {
	case bases == nil:
		return extended{value, plainBase}, true // its type is reported with the job
	case len(unknown) > 0:
		text := "unknown keys in `extends` (" + strings.Join(unknown, ", ") + ")"
		return e.failNear(names, key, text, unknown[0])
	case len(invalid) > 0:
		return e.fail(names, key, "invalid base hashes in `extends` ("+strings.Join(invalid, ", ")+")")
	case len(above) > maxAncestors:
		return e.fail(names, key, "nesting too deep in `extends`")
	case slices.Contains(above, key):
		return e.fail(names, key, "circular dependency detected in `extends`")
	}
	out := extended{node: &yaml.Node{Kind: yaml.Map, Line: value.Line, Column: value.Column, Source: value.Source}}
	for _, base := range bases {
		r, ok := e.resolve(base, append(above[:len(above):len(above)], key))
		if !ok {
			return r, false
		}
		out.node, out.depth = merge(out.node, r.node), max(out.depth, r.depth+1)
	}
	out.node = merge(out.node, value)
	e.done[key] = out
	return out, true
}

// deepest follows a key to the one that too many others stand on.
func (e *extender) deepest(key string, above int) string {
	for above <= maxAncestors {
		next, depth := "", plainBase
		for _, base := range e.l.bases[key] {
			if r, ok := e.done[base]; ok && r.depth > depth {
				next, depth = base, r.depth
			}
		}
		if next == "" {
			return key
		}
		key = next
		above++
	}
	return key
}

// bases reads the names; nil if `extends` holds something else.
func (e *extender) bases(n *yaml.Node) (names, unknown, invalid []string) {
	list := []*yaml.Node{n}
	if n.Kind == yaml.List {
		list = n.Items
	}
	names = []string{}
	for _, i := range list {
		if i.Kind == yaml.List || i.Kind == yaml.Map {
			return nil, nil, nil
		}
		name := rubyText(i)
		names = append(names, name)
		switch base := e.at[name]; {
		case base == nil:
			unknown = append(unknown, name)
		case base.Kind != yaml.Map:
			invalid = append(invalid, name)
		}
	}
	return names, unknown, invalid
}

func (e *extender) fail(at *yaml.Node, key, text string) (extended, bool) {
	if e.wrong[key] = true; len(e.l.errors) == 0 {
		e.l.fatal(at, key+": "+text)
	} else {
		e.l.add(at, key+": "+text)
	}
	return extended{}, false
}

func (e *extender) failNear(at *yaml.Node, key, text, wrong string) (extended, bool) {
	e.fail(at, key, text)
	if len(e.l.errors) > maxSuggested {
		return extended{}, false
	}
	var names []string
	for name := range e.at {
		names = append(names, name)
	}
	e.l.suggest(wrong, names)
	return extended{}, false
}
