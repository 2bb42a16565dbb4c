package config

import (
	"slices"
	"strconv"
	"strings"

	"signalbox/ci/config/yaml"
)

// script reads before_script, script and after_script: a text, or lists of texts in lists.
func (l *loader) script(v *yaml.Node, at string) []string {
	list, ok := flatten(v, 0)
	if !ok {
		l.badItem(v, at+" config", "should be a string or a nested array of strings up to 10 levels deep", func(n *yaml.Node) bool { return n.IsText() && n.Tag == "" })
	}
	return texts(list)
}

// badItem notes a mistake of a list at the item that is the reason, and says how an item that was meant as a text is written.
func (l *loader) badItem(v *yaml.Node, location, message string, fine func(*yaml.Node) bool) {
	item := firstOther(v, fine, 0)
	if item == nil || item == v {
		l.bad(v, location, "%s", message)
		return
	}
	l.bad(item, location, "%s", message)
	if hint := l.quoted(item); hint != "" {
		l.explain(hint)
	}
}

// firstOther is the first node of nested lists that is not fine.
func firstOther(n *yaml.Node, fine func(*yaml.Node) bool, depth int) *yaml.Node {
	if n.Kind != yaml.List {
		if fine(n) {
			return nil
		}
		return n
	}
	for _, i := range n.Items {
		if i.Kind == yaml.List && (i.Tag != "" || depth >= maxNesting) {
			return i
		}
		if other := firstOther(i, fine, depth+1); other != nil {
			return other
		}
	}
	return nil
}

// quoted shows an item of one line as the text that it was likely meant to be; "" if that cannot be told.
func (l *loader) quoted(item *yaml.Node) string {
	why := map[yaml.Kind]string{
		yaml.Map: "A colon and a blank make this item a hash", yaml.Bool: "This item is a boolean value", yaml.Int: "This item is a number",
		yaml.Float: "This item is a number", yaml.Null: "This item is empty",
	}[item.Kind]
	if why == "" || item.Source == nil || item.Line < 1 || item.Column < 1 {
		return ""
	}
	lines := l.lines(item.Source.Name, item.Source.Content)
	if item.Line > len(lines) {
		return ""
	}
	line := []rune(strings.TrimRight(lines[item.Line-1], " \t\r"))
	if item.Column > len(line) || len(line) > maxQuoted {
		return why + ". Put quotes around the whole of it to make it a string."
	}
	text := string(line[item.Column-1:])
	if strings.ContainsAny(string(line[:item.Column-1]), "[{") {
		return why + ". Put quotes around the whole of it to make it a string."
	}
	quotes := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, "'") && !strings.ContainsAny(text, `"\`) {
		quotes = `"` + text + `"`
	}
	return why + ". Put quotes around the whole of it to make it a string: - " + quotes
}

// maxQuoted is how long a line may be that is shown as it should be written.
const maxQuoted = 160

func texts(list []*yaml.Node) []string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		out = append(out, n.Text)
	}
	return out
}

// strings reads a list of texts.
func (l *loader) strings(v *yaml.Node, location, message string) ([]string, bool) {
	ok := v.Kind == yaml.List && !slices.ContainsFunc(v.Items, func(i *yaml.Node) bool { return !i.IsText() })
	if !ok {
		l.badItem(v, location, message, (*yaml.Node).IsText)
		return nil, false
	}
	return texts(v.Items), true
}

// oneOrMany reads a text or a list of texts.
func (l *loader) oneOrMany(v *yaml.Node, location string) []string {
	if v.IsText() {
		return []string{v.Text}
	}
	out, _ := l.strings(v, location, "should be an array of strings or a string")
	return out
}

func (l *loader) integers(v *yaml.Node, location string) []int {
	if v != nil && v.Kind == yaml.Int {
		return []int{int(v.Int)}
	}
	if v == nil || v.Kind != yaml.List || slices.ContainsFunc(v.Items, func(i *yaml.Node) bool { return i.Kind != yaml.Int }) {
		l.bad(v, location, "should be an array of integers or an integer")
		return nil
	}
	var out []int
	for _, i := range v.Items {
		out = append(out, int(i.Int))
	}
	return out
}

func (l *loader) text(v *yaml.Node, location string) string {
	if v == nil || v.Kind == yaml.Null {
		return ""
	}
	if !v.IsText() {
		l.bad(v, location, "should be a string")
	}
	return v.Text
}

func (l *loader) boolean(v *yaml.Node, location string) bool {
	if v == nil || v.Kind == yaml.Null {
		return false
	}
	if v.Kind != yaml.Bool {
		l.bad(v, location, "should be a boolean value")
	}
	return v.Bool
}

func (l *loader) oneOf(v *yaml.Node, location, fallback string, allowed ...string) string {
	if v == nil || v.Kind == yaml.Null {
		return fallback
	}
	if !v.IsText() {
		l.bad(v, location, "should be a string")
		l.also(v, location, "should be one of: %s", joinComma(allowed))
		return fallback
	}
	if !slices.Contains(allowed, v.Text) {
		l.bad(v, location, "should be one of: %s", joinComma(allowed))
		return fallback
	}
	return v.Text
}

func joinComma(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

// variables reads a hash of variables; root allows the keys for prefilling the run form.
func (l *loader) variables(v *yaml.Node, at string, root bool) []Variable {
	if v.Kind == yaml.Null {
		return nil
	}
	if v.Kind != yaml.Map {
		l.bad(v, at+" config", "should be a hash")
		return nil
	}
	allowed := []string{"value", "expand"}
	if root {
		allowed = append(allowed, "description", "options")
	}
	var out []Variable
	for _, p := range v.Pairs {
		out = append(out, l.variable(p, at+":"+keyText(p.Key), allowed))
	}
	return out
}

func (l *loader) variable(p yaml.Pair, at string, allowed []string) Variable {
	key := p.Key.Text
	if p.Key.Kind == yaml.Int {
		key = strconv.FormatInt(p.Key.Int, 10)
	}
	v := Variable{Key: key}
	value, ok := scalarText(p.Value)
	if ok {
		v.Value = value
		return v
	}
	if p.Value.Kind != yaml.Map {
		l.add(p.Value, "variable definition must be either a string or a hash")
		return v
	}
	var extra []string
	for _, f := range p.Value.Pairs {
		switch {
		case !slices.Contains(allowed, f.Key.Text):
			extra = append(extra, keyText(f.Key))
		case f.Key.Text == "value":
			if v.Value, ok = scalarText(f.Value); !ok {
				l.bad(f.Value, at+" config value", "must be a scalar")
			}
		case f.Key.Text == "description":
			if v.Description = rubyText(f.Value); f.Value.Kind != yaml.Null && f.Value.Kind != yaml.Int && !f.Value.IsText() {
				l.bad(f.Value, at+" config description", "must be an alphanumeric string")
			}
		case f.Key.Text == "expand" && f.Value.Kind == yaml.Null:
		case f.Key.Text == "expand":
			if f.Value.Kind != yaml.Bool {
				l.bad(f.Value, at+" config expand", "should be a boolean value")
			}
			v.Raw = f.Value.Kind == yaml.Bool && !f.Value.Bool
		}
	}
	if extra != nil {
		l.bad(p.Value, at+" config", "uses invalid data keys: %s", strings.Join(extra, ", "))
	}
	if options := filled(p.Value.Get("options")); options != nil {
		list, ok := l.strings(options, at+" config options", "should be an array of strings")
		if value := p.Value.Get("value"); ok && len(list) > 0 && (!slices.Contains(list, v.Value) || value != nil && !value.IsText()) {
			l.bad(options, at+" config", "value must be present in options")
		}
	}
	return v
}

// scalarText is the value of a variable. The newest GitLab takes every scalar; a null is an empty text.
func scalarText(n *yaml.Node) (string, bool) {
	return rubyText(n), n.Kind != yaml.List && n.Kind != yaml.Map
}

const maxTags = 50

func (l *loader) tags(v *yaml.Node, at string) []string {
	list, ok := l.strings(v, at+" config", "should be an array of strings")
	if !ok {
		return nil
	}
	count := 0
	for _, tag := range list {
		count += 1 + strings.Count(tag, ",") // GitLab takes a tag with commas for several
	}
	if count >= maxTags {
		l.bad(v, at+" config", "must be less than the limit of %d tags", maxTags)
	}
	return list
}

// policy reads only and except.
func (l *loader) policy(v *yaml.Node, at string) *Policy {
	p := &Policy{Line: v.Line}
	switch v.Kind {
	case yaml.List:
		p.Refs = l.refs(v, at+" config")
		return p
	case yaml.Map:
	default:
		l.add(v, at+" has to be either an array of conditions or a hash")
		return nil
	}
	if len(v.Pairs) == 0 {
		l.bad(v, at+" config", "can't be blank")
		return nil
	}
	l.unknownKeys(v, at+" config", "refs", "kubernetes", "variables", "changes")
	if n := v.Get("refs"); n != nil && n.Kind != yaml.Null {
		p.Refs = l.refs(n, at+" refs")
	}
	if n := v.Get("kubernetes"); n != nil && n.Kind != yaml.Null {
		if p.Kubernetes = n.Text == "active"; !p.Kubernetes {
			l.bad(n, at+" kubernetes", "unknown value: %s", n.Text)
		}
	}
	if n := v.Get("variables"); n != nil && n.Kind != yaml.Null {
		if _, ok := l.strings(n, at+" variables", "should be an array of strings"); ok {
			for _, i := range n.Items {
				if e := l.expression(i, at+" variables"); e != nil {
					p.Variables = append(p.Variables, e)
				}
			}
		}
	}
	if n := v.Get("changes"); n != nil && n.Kind != yaml.Null {
		p.Changes, _ = l.strings(n, at+" changes", "should be an array of strings")
	}
	return p
}

// refs reads names, words and patterns of branches and tags.
func (l *loader) refs(v *yaml.Node, location string) []string {
	out := []string{}
	ok := v.Kind == yaml.List
	for _, r := range v.Items {
		ok = ok && r.IsText() && validPattern(r.Text)
		out = append(out, r.Text)
	}
	if !ok {
		l.bad(v, location, "should be an array of strings or regular expressions using re2 syntax")
	}
	return out
}
