package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/expression"
)

// input is one entry of spec:inputs: what may be given, and what counts if nothing is (facts: ci-yaml section 4).
type input struct {
	name        string
	kind        string // string, number, boolean or array
	description string
	options     []*yaml.Node
	regex       *regexp.Regexp
	value       *yaml.Node // the default; nil: one must be given
	rules       []inputRule
	problem     string // it is told when the input is resolved
}

// inputRule gives options and default where its condition holds.
type inputRule struct {
	condition *expression.Expr // nil: always
	options   []*yaml.Node
	value     *yaml.Node
}

var (
	inputKinds = []string{"string", "number", "boolean", "array"}
	inputKeys  = []string{"default", "description", "options", "regex", "type", "rules"}
)

const maxOptions = 50

// readInput reads a specification; problem says what is wrong with it.
func readInput(name string, n *yaml.Node) (in *input, problem string) {
	in = &input{name: name, kind: "string"}
	if n.Kind == yaml.Null {
		return in, ""
	}
	if n.Kind != yaml.Map {
		return nil, "config should be a hash"
	}
	for _, p := range n.Pairs {
		if !slices.Contains(inputKeys, p.Key.Text) {
			return nil, "config contains unknown keys: " + keyText(p.Key)
		}
	}
	if t := n.Get("type"); t != nil && t.Kind != yaml.Null {
		if in.kind = t.Text; !slices.Contains(inputKinds, in.kind) {
			return nil, "input type unknown value: " + rubyText(t)
		}
	}
	in.value = n.Get("default")
	if d := n.Get("description"); d != nil {
		in.description = d.Text
	}
	options, rules, regex := n.Get("options"), n.Get("rules"), n.Get("regex")
	switch {
	case rules != nil && options != nil:
		return nil, "config these keys cannot be used together: rules, options"
	case rules != nil && in.value != nil:
		return nil, "config these keys cannot be used together: rules, default"
	}
	if in.options, problem = readOptions(options); problem != "" {
		return nil, problem
	}
	if options != nil && in.kind == "boolean" {
		in.problem = "Options can only be used with string and number inputs"
	}
	if regex != nil {
		var err error
		if in.regex, err = compileBare(regex.Text); err != nil {
			in.problem = "invalid regular expression"
		}
		if in.kind != "string" {
			in.problem = "RegEx validation can only be used with string inputs"
		}
	}
	if rules != nil {
		problem = in.readRules(rules)
	}
	return in, problem
}

func readOptions(n *yaml.Node) ([]*yaml.Node, string) {
	switch {
	case n == nil:
		return nil, ""
	case n.Kind != yaml.List:
		return nil, "input options should be an array"
	case len(n.Items) > maxOptions:
		return nil, fmt.Sprintf("config cannot define more than %d options", maxOptions)
	case slices.ContainsFunc(n.Items, func(i *yaml.Node) bool { return i.Kind == yaml.Null }):
		return nil, "config options array cannot contain null values"
	}
	return n.Items, ""
}

// inRule begins what is wrong with one rule of an input.
const inRule = ":rules:rule config "

// atInput puts the name of an input before what is wrong with it.
func atInput(name, problem string) string {
	if strings.HasPrefix(problem, ":") {
		return name + problem
	}
	return name + " " + problem
}

func (in *input) readRules(n *yaml.Node) string {
	if n.Kind != yaml.List {
		return "config rules should be an array"
	}
	for _, i := range n.Items {
		if i.Kind != yaml.Map {
			return "config rule should be a hash"
		}
		for _, p := range i.Pairs {
			if !slices.Contains([]string{"if", "options", "default"}, p.Key.Text) {
				return inRule + "contains unknown keys: " + keyText(p.Key)
			}
		}
		r := inputRule{value: i.Get("default")}
		var problem string
		options, condition := filled(i.Get("options")), filled(i.Get("if"))
		if r.options, problem = readOptions(options); problem != "" {
			return problem
		}
		switch {
		case condition != nil && options == nil && i.Get("default") == nil:
			return inRule + "rule with 'if' must define 'options' or 'default'"
		case condition == nil && options == nil:
			return inRule + "fallback rule must define 'options'"
		case condition != nil:
			var err error
			if r.condition, err = expression.Parse(condition.Text); err != nil {
				return "config rule if invalid expression syntax"
			}
		}
		in.rules = append(in.rules, r)
	}
	return ""
}

// required says whether nothing counts unless it is given.
func (in *input) required() bool {
	return in.value == nil && !slices.ContainsFunc(in.rules, func(r inputRule) bool { return r.value != nil })
}

// resolve gives the value that counts. known are the inputs that stand before this one, and what was given to others.
func (in *input) resolve(given *yaml.Node, known map[string]any) (*yaml.Node, string) {
	if in.problem != "" {
		return nil, in.problem
	}
	spec := *in
	required := in.required()
	for _, r := range in.rules {
		if r.condition == nil || r.condition.Matches(expression.Values{Inputs: known}) {
			spec.options, spec.value = r.options, r.value
			break
		}
	}
	if given = filled(given); given != nil && in.rules != nil && given.Kind == yaml.String && given.Text == "" {
		given = nil
	}
	if required && given == nil {
		return nil, "required value has not been provided"
	}
	if filled(spec.value) != nil {
		checked, problem := spec.check(spec.value, "default")
		if problem != "" {
			return nil, problem
		}
		spec.value = checked
	}
	switch {
	case given != nil:
		return spec.check(given, "provided")
	case spec.value == nil: // no rule gave one
		return &yaml.Node{Kind: yaml.Null}, ""
	}
	return spec.value, ""
}

// check holds a value against the specification; what names it in messages.
func (in *input) check(v *yaml.Node, what string) (*yaml.Node, string) {
	v = in.convert(v)
	ok := true
	switch in.kind {
	case "string":
		text := *v
		text.Kind, text.Text, text.Items, text.Pairs = yaml.String, rubyText(v), nil, nil
		v = &text
	case "number":
		ok = v.Kind == yaml.Int || v.Kind == yaml.Float
	case "boolean":
		ok = v.Kind == yaml.Bool
	case "array":
		ok = v.Kind == yaml.List
	}
	if !ok {
		article := map[string]string{"array": "an "}[in.kind]
		if article == "" {
			article = "a "
		}
		return nil, what + " value is not " + article + in.kind
	}
	if in.options != nil && in.kind == "array" {
		var wrong []string
		for _, i := range v.Items {
			if !in.offers(i) {
				wrong = append(wrong, rubyText(i))
			}
		}
		if wrong != nil {
			return nil, strings.Join(wrong, ", ") + " cannot be used because it is not in the list of allowed options"
		}
	} else if in.options != nil && !in.offers(v) {
		list := "the list of allowed options"
		if in.kind == "number" {
			list = "the list of the allowed options"
		}
		return nil, "`" + rubyText(v) + "` cannot be used because it is not in " + list
	}
	if in.regex != nil && !in.regex.MatchString(v.Text) {
		return nil, what + " value does not match required RegEx pattern"
	}
	return v, ""
}

// offers says whether a value is one of the options.
func (in *input) offers(v *yaml.Node) bool {
	return slices.ContainsFunc(in.options, func(o *yaml.Node) bool { return rubyText(o) == rubyText(v) })
}

// convert reads numbers, booleans and arrays that were given as texts.
func (in *input) convert(v *yaml.Node) *yaml.Node {
	if in.kind == "string" || !v.IsText() {
		return v
	}
	var value any
	d := json.NewDecoder(strings.NewReader(v.Text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil || d.More() {
		return v
	}
	out := NodeOf(value)
	out.Line, out.Column, out.Source = v.Line, v.Column, v.Source
	return out
}

// NodeOf makes a node of a value as JSON gives it.
func NodeOf(value any) *yaml.Node {
	switch v := value.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.Null}
	case bool:
		return &yaml.Node{Kind: yaml.Bool, Bool: v, Text: strconv.FormatBool(v)}
	case string:
		return &yaml.Node{Kind: yaml.String, Text: v}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return &yaml.Node{Kind: yaml.Int, Int: n, Text: v.String()}
		}
		f, _ := v.Float64()
		return &yaml.Node{Kind: yaml.Float, Float: f, Text: v.String()}
	case int64:
		return &yaml.Node{Kind: yaml.Int, Int: v, Text: strconv.FormatInt(v, 10)}
	case float64:
		if v == float64(int64(v)) {
			return NodeOf(int64(v))
		}
		return &yaml.Node{Kind: yaml.Float, Float: v, Text: strconv.FormatFloat(v, 'g', -1, 64)}
	case []any:
		out := &yaml.Node{Kind: yaml.List}
		for _, i := range v {
			out.Items = append(out.Items, NodeOf(i))
		}
		return out
	case map[string]any:
		out := &yaml.Node{Kind: yaml.Map}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out.Pairs = append(out.Pairs, yaml.Pair{Key: &yaml.Node{Kind: yaml.String, Text: k}, Value: NodeOf(v[k])})
		}
		return out
	}
	return &yaml.Node{Kind: yaml.String, Text: fmt.Sprint(value)}
}
