package config

import "signalbox/ci/config/yaml"

// merge lays one mapping over another, deeply: mappings in both are merged, anything else of the upper one
// replaces the lower (facts: ci-yaml 6.6). Neither is changed.
func merge(lower, upper *yaml.Node) *yaml.Node {
	if lower == nil || lower.Kind != yaml.Map || upper.Kind != yaml.Map {
		return upper
	}
	out := *upper
	out.Pairs = make([]yaml.Pair, 0, len(lower.Pairs)+len(upper.Pairs))
	at := make(map[string]int, len(lower.Pairs))
	for _, p := range lower.Pairs {
		at[keyText(p.Key)] = len(out.Pairs)
		out.Pairs = append(out.Pairs, p)
	}
	for _, p := range upper.Pairs {
		if i, both := at[keyText(p.Key)]; both {
			out.Pairs[i] = yaml.Pair{Key: p.Key, Value: merge(out.Pairs[i].Value, p.Value)}
		} else {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return &out
}
