package config

import (
	"fmt"

	"signalbox/ci/config/yaml"
)

// maxReferences is how deep references may lead to further ones.
const maxReferences = 10

// referrer resolves `!reference` on the merged and extended configuration (facts: ci-yaml section 7). What is
// resolved is shared, not copied, so that its cost is that of the text; what it stands for is counted.
type referrer struct {
	l      *loader
	root   *yaml.Node
	done   map[*yaml.Node]*yaml.Node
	weight map[*yaml.Node]int
	failed bool
	told   map[*yaml.Node]bool
	// suggested is for how many of them names were compared.
	suggested int
}

// references replaces every reference. GitLab tells the first mistake.
func (l *loader) references(root *yaml.Node) *yaml.Node {
	r := &referrer{l: l, root: root, done: map[*yaml.Node]*yaml.Node{}, weight: map[*yaml.Node]int{}, told: map[*yaml.Node]bool{}}
	out := *root
	out.Pairs = append([]yaml.Pair{}, root.Pairs...)
	for i, p := range root.Pairs {
		r.failed, l.current = false, keyText(p.Key)
		if out.Pairs[i].Value = r.node(p.Value, nil); r.failed {
			l.spoil(keyText(p.Key))
		}
	}
	l.current = ""
	if r.count(&out) > yaml.MaxNodes {
		l.fatal(nil, "The parsed YAML is too big")
		l.aimless = true
		return &yaml.Node{Kind: yaml.Map}
	}
	return &out
}

func (r *referrer) fail(at *yaml.Node, text string) *yaml.Node {
	r.failed = true
	if !r.told[at] {
		if r.told[at] = true; len(r.l.errors) == 0 {
			r.l.fatal(at, text)
		} else {
			r.l.add(at, text)
		}
	}
	return at
}

// node resolves what stands below n. path are the references that led here.
func (r *referrer) node(n *yaml.Node, path []string) *yaml.Node {
	if r.failed {
		return n
	}
	if n.Tag == "!reference" {
		return r.reference(n, path)
	}
	if n.Kind != yaml.List && n.Kind != yaml.Map {
		return n
	}
	if done, ok := r.done[n]; ok {
		return done
	}
	out := n
	changed := func() {
		if out == n {
			c := *n
			c.Items, c.Pairs = append([]*yaml.Node{}, n.Items...), append([]yaml.Pair{}, n.Pairs...)
			out = &c
		}
	}
	for i, item := range n.Items {
		if v := r.node(item, path); v != item {
			changed()
			out.Items[i] = v
		}
	}
	for i, p := range n.Pairs {
		if v := r.node(p.Value, path); v != p.Value {
			changed()
			out.Pairs[i].Value = v
		}
	}
	if !r.failed {
		r.done[n] = out
	}
	return out
}

func (r *referrer) reference(n *yaml.Node, path []string) *yaml.Node {
	name, keys, ok := referenceName(n)
	if !ok {
		return r.fail(n, "!reference "+name+" is not valid")
	}
	for _, before := range path {
		if before == name {
			return r.fail(n, "!reference "+name+" is part of a circular chain")
		}
	}
	if len(path) >= maxReferences {
		return r.fail(n, "!reference "+name+" is nested too deep")
	}
	path = append(path[:len(path):len(path)], name)
	at := r.root
	for i, key := range keys {
		if at.Tag == "!reference" {
			at = r.reference(at, path)
		}
		next := at.Get(key)
		if r.failed {
			return n
		}
		if next == nil || i == len(keys)-1 && (next.Kind == yaml.Null && next.Tag == "" || next.Kind == yaml.Bool && !next.Bool) {
			r.fail(n, "!reference "+name+" could not be found")
			r.suggest(key, at)
			return n
		}
		at = next
	}
	return r.node(at, path)
}

// suggest names the keys that are close to the one that is not there.
func (r *referrer) suggest(key string, in *yaml.Node) {
	if r.suggested++; r.suggested > maxSuggested {
		return
	}
	var names []string
	for _, p := range in.Pairs {
		names = append(names, keyText(p.Key))
	}
	r.l.suggest(key, names)
}

// referenceName shows a reference as GitLab does; ok is false if it leads nowhere.
func referenceName(n *yaml.Node) (name string, keys []string, ok bool) {
	switch n.Kind {
	case yaml.Null:
		return "[]", nil, false
	case yaml.List:
		ok = len(n.Items) > 0
		for _, i := range n.Items {
			keys = append(keys, i.Text)
			ok = ok && i.Kind == yaml.String
		}
		return rubyInspect(n), keys, ok
	case yaml.Map:
		return rubyInspect(n), nil, false
	}
	return fmt.Sprintf("%q", n.Text), nil, false
}

// count is how many nodes stand below one when what is shared is counted wherever it stands.
func (r *referrer) count(n *yaml.Node) int {
	if len(n.Items)+len(n.Pairs) == 0 {
		return 1 + len(n.Text)/yaml.TextOfNode
	}
	if w, ok := r.weight[n]; ok {
		return w
	}
	w := 1
	for _, i := range n.Items {
		w = min(w+r.count(i), yaml.MaxNodes+1)
	}
	for _, p := range n.Pairs {
		w = min(w+r.count(p.Value), yaml.MaxNodes+1)
	}
	r.weight[n] = w
	return w
}
