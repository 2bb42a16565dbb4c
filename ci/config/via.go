package config

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"signalbox/ci/config/yaml"
)

// top is a key at the root of a file: what stands below it, up to the next one, is part of it.
type top struct {
	line int
	name string
}

// remember notes where the keys at the root of a file stand.
func (l *loader) remember(root *yaml.Node) {
	var out []top
	source := ""
	for _, p := range root.Pairs {
		if p.Key.Source != nil && p.Key.Line > 0 {
			source = p.Key.Source.Name
			out = append(out, top{p.Key.Line, keyText(p.Key)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].line < out[j].line })
	l.tops[source] = out
}

// owner finds the key at the root of a file to which a line belongs.
func (l *loader) owner(file string, line int) (top, bool) {
	tops := l.tops[file]
	i := sort.Search(len(tops), func(i int) bool { return tops[i].line > line })
	if i == 0 {
		return top{}, false
	}
	return tops[i-1], true
}

// via says how a line came into the job that is being read, and how its file came to be included.
func (l *loader) via(file string, line int) []string {
	var out []string
	if owner, ok := l.owner(file, line); ok && l.current != "" && owner.name != l.current {
		place := fmt.Sprintf("`%s`, %s:%d", owner.name, file, owner.line)
		if path := l.wayTo(owner.name); path != nil {
			out = append(out, "`"+strings.Join(path[:len(path)-1], "` extends `")+"` extends "+place)
		} else {
			out = append(out, "`"+l.current+"` takes it from "+place)
		}
	}
	if chain := l.chains[file]; len(chain) > 0 {
		out = append(out, file+" is included by "+strings.Join(chain, ", that by "))
	}
	return out
}

// wayTo is the way from the job that is being read to what it stands on, which many mistakes may share.
func (l *loader) wayTo(owner string) []string {
	key := [2]string{l.current, owner}
	path, known := l.ways[key]
	if !known {
		if l.ways == nil {
			l.ways = map[[2]string][]string{}
		}
		path = l.extending(l.current, owner, map[string]bool{})
		l.ways[key] = path
	}
	return path
}

// extending is the way from a job to what it stands on. seen are the keys that do not lead there.
func (l *loader) extending(from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, base := range l.bases[from] {
		if rest := l.extending(base, to, seen); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

// spoil notes that a key of the root, and what extends it, cannot be judged.
func (l *loader) spoil(key string) {
	if l.sick == nil {
		l.sick = map[string]bool{}
	}
	l.sick[key] = true
}

// healthy is the configuration without what cannot be judged.
func (l *loader) healthy(root *yaml.Node) *yaml.Node {
	if len(l.sick) == 0 {
		return root
	}
	extendedBy := map[string][]string{}
	for key, bases := range l.bases {
		for _, b := range bases {
			extendedBy[b] = append(extendedBy[b], key)
		}
	}
	for next := slices.Collect(maps.Keys(l.sick)); len(next) > 0; { // what extends the sick is sick
		key := next[len(next)-1]
		next = next[:len(next)-1]
		for _, above := range extendedBy[key] {
			if !l.sick[above] {
				l.sick[above] = true
				next = append(next, above)
			}
		}
	}
	out := *root
	out.Pairs = nil
	for _, p := range root.Pairs {
		if !l.sick[keyText(p.Key)] {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return &out
}
