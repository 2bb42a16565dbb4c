package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"signalbox/ci/config/yaml"
)

// rubyText is a value as it stands within a text: what Ruby's to_s makes of it.
func rubyText(n *yaml.Node) string {
	switch n.Kind {
	case yaml.Null:
		return ""
	case yaml.String, yaml.Symbol:
		return n.Text
	}
	return rubyInspect(n)
}

// rubyInspect is a value as Ruby shows it within lists and hashes.
func rubyInspect(n *yaml.Node) string {
	switch n.Kind {
	case yaml.Null:
		return "nil"
	case yaml.Bool:
		return strconv.FormatBool(n.Bool)
	case yaml.Int:
		return strconv.FormatInt(n.Int, 10)
	case yaml.Float:
		return rubyFloat(n.Float)
	case yaml.Symbol:
		return ":" + n.Text
	case yaml.List:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = rubyInspect(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.Map:
		parts := make([]string, len(n.Pairs))
		for i, p := range n.Pairs {
			parts[i] = fmt.Sprintf("%q=>%s", keyText(p.Key), rubyInspect(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("%q", n.Text)
}

// rubyFloat always has a fraction: 1.0, 1.5e-07, 1.0e+20.
func rubyFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		format = 'e'
	}
	text := strconv.FormatFloat(f, format, -1, 64)
	digits, exponent, scientific := strings.Cut(text, "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	if scientific {
		return digits + "e" + exponent
	}
	return digits
}

// jsonText is a value as JSON, its keys in the order of the file, for GitLab's texts that show it so.
func jsonText(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.List:
		for _, i := range n.Items {
			parts = append(parts, jsonText(i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case yaml.Map:
		for _, p := range n.Pairs {
			parts = append(parts, jsonText(&yaml.Node{Kind: yaml.String, Text: rubyText(p.Key)})+":"+jsonText(p.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	raw, err := json.Marshal(n.Value())
	if err != nil { // Infinity and the like
		return "null"
	}
	return string(raw)
}
