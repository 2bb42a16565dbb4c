package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/variable"
)

// Limits of `$[[ ]]` (facts: ci-yaml section 5).
const (
	maxAccess     = 1024
	maxFunctions  = 3
	maxBlocks     = 10_000
	maxNodeSize   = 1 << 20
	minBlockChars = 2
)

var block = regexp.MustCompile(`\$\[\[[ \t]*(.+?)[ \t]*\]\]`)

// maxInterpolated is how many bytes of texts interpolation may make of one file.
const maxInterpolated = 16 << 20

// maxProblems ends the interpolation of a file after that many mistakes.
const maxProblems = 20

// interpolator puts the values of inputs into the texts of one file. A text with a mistake stays as it is.
type interpolator struct {
	contexts  map[string]map[string]*yaml.Node // inputs and component
	variables variable.Collection              // for expand_vars
	varied    *bool
	values    map[string]*yaml.Node // what blocks stood for
	done      map[*yaml.Node]*yaml.Node
	items     int // of lists that were put into others
	written   int // bytes of texts that were put together
	problems  []found
	told      map[string]bool
	over      bool // it was too much: nothing more is looked at
}

func (i *interpolator) fail(at *yaml.Node, format string, args ...any) *yaml.Node {
	text := fmt.Sprintf(format, args...)
	if !i.told[text] {
		i.told[text] = true
		i.problems = append(i.problems, found{at, text})
	}
	i.over = i.over || len(i.problems) >= maxProblems
	return nil
}

// stop notes a mistake after which nothing more is looked at.
func (i *interpolator) stop(at *yaml.Node, text string) *yaml.Node {
	i.fail(at, "%s", text)
	i.over = true
	return at
}

// node interpolates everything below n, the keys of mappings too. What is shared stays shared.
func (i *interpolator) node(n *yaml.Node) *yaml.Node {
	if i.over {
		return n
	}
	if done, ok := i.done[n]; ok {
		return done
	}
	out := n
	switch n.Kind {
	case yaml.String, yaml.Symbol:
		if strings.Contains(n.Text, "$[[") {
			out = i.text(n)
		}
	case yaml.List:
		c := *n
		c.Items = make([]*yaml.Node, 0, len(n.Items))
		for _, item := range n.Items {
			v := i.node(item)
			if item.IsText() && v.Kind == yaml.List { // a list of inputs goes into the list where it stands
				if i.items += len(v.Items); i.items > yaml.MaxNodes {
					return i.stop(n, "config too large")
				}
				c.Items = append(c.Items, v.Items...)
			} else {
				c.Items = append(c.Items, v)
			}
		}
		out = &c
	case yaml.Map:
		c := *n
		c.Pairs = make([]yaml.Pair, len(n.Pairs))
		for k, p := range n.Pairs {
			c.Pairs[k] = yaml.Pair{Key: i.node(p.Key), Value: i.node(p.Value)}
		}
		out = &c
	}
	i.done[n] = out
	return out
}

func (i *interpolator) text(n *yaml.Node) *yaml.Node {
	if len(n.Text) > maxNodeSize {
		return i.stop(n, "config node too large")
	}
	var b strings.Builder
	last := 0
	for _, m := range block.FindAllStringSubmatchIndex(n.Text, -1) {
		data := n.Text[m[2]:m[3]]
		if len(data) < minBlockChars {
			continue
		}
		if strings.HasPrefix(data, "matrix.") {
			continue // filled in with the instances of the job
		}
		v := i.block(n, data)
		if v == nil {
			return n
		}
		if m[0] == 0 && m[1] == len(n.Text) {
			whole := *v
			whole.Line, whole.Column, whole.Source = n.Line, n.Column, n.Source
			return &whole
		}
		b.WriteString(n.Text[last:m[0]] + rubyText(v))
		last = m[1]
		if b.Len() > maxNodeSize {
			return i.stop(n, "config node too large")
		}
	}
	out := *n
	out.Text = b.String() + n.Text[last:]
	if i.written += len(out.Text); i.written > maxInterpolated {
		return i.stop(n, "The parsed YAML is too big")
	}
	return &out
}

// block evaluates what stands between the brackets: an access, and functions behind bars.
func (i *interpolator) block(at *yaml.Node, data string) *yaml.Node {
	if v, ok := i.values[data]; ok {
		return v
	}
	if len(i.values) >= maxBlocks {
		i.stop(at, "too many interpolation blocks")
		return nil
	}
	parts := strings.Split(data, "|")
	if len(parts)-1 > maxFunctions {
		return i.fail(at, "too many functions in interpolation block")
	}
	v := i.access(at, strings.TrimSpace(parts[0]))
	for _, call := range parts[1:] {
		if v == nil {
			return nil
		}
		v = i.call(at, strings.TrimSpace(call), v)
	}
	if v != nil {
		i.values[data] = v
	}
	return v
}

func (i *interpolator) access(at *yaml.Node, path string) *yaml.Node {
	if len(path) > maxAccess {
		return i.fail(at, "maximum interpolation expression size exceeded")
	}
	names := strings.Split(path, ".")
	if len(names) < 2 {
		return i.fail(at, "invalid interpolation access pattern")
	}
	context, known := i.contexts[names[0]]
	if !known {
		return i.fail(at, "unknown interpolation provided: `%s` in `%s`", names[0], path)
	}
	var v *yaml.Node
	for k := 1; k < len(names); k++ {
		key, indices, problem := indexed(names[k], path)
		if problem != "" {
			return i.fail(at, "%s", problem)
		}
		if k == 1 {
			v = context[key]
		} else {
			v = v.Get(key)
		}
		if v == nil {
			return i.fail(at, "unknown interpolation provided: `%s` in `%s`", key, path)
		}
		for _, index := range indices {
			if v.Kind != yaml.List {
				return i.fail(at, "cannot index into non-array value at [%d] in `%s`", index, path)
			}
			if index >= len(v.Items) {
				return i.fail(at, "array index %d out of bounds (size: %d) in `%s`", index, len(v.Items), path)
			}
			v = v.Items[index]
		}
	}
	return v
}

const maxIndices = 5

var (
	indexedName = regexp.MustCompile(`^([\w-]*)((?:\[\d+\])+)$`)
	anyBrackets = regexp.MustCompile(`\[([^\]]*)\]`)
	digits      = regexp.MustCompile(`^\d+$`)
)

// indexed takes the indices of a list off a name: `list[0][1]`.
func indexed(name, path string) (key string, indices []int, problem string) {
	if !strings.Contains(name, "[") {
		return name, nil, ""
	}
	m := indexedName.FindStringSubmatch(name)
	found := anyBrackets.FindAllStringSubmatch(name, -1)
	switch {
	case m != nil && m[1] == "":
		return "", nil, "invalid indexed access without a key in `" + path + "`"
	case m != nil && len(found) > maxIndices:
		return "", nil, fmt.Sprintf("too many array indices in `%s` (maximum depth: %d)", path, maxIndices)
	case m == nil && strings.Count(name, "[") != strings.Count(name, "]"):
		return "", nil, "invalid array index in `" + path + "`: missing closing bracket"
	}
	for _, f := range found {
		if !digits.MatchString(f[1]) {
			return "", nil, "invalid array index in `" + path + "`: `" + f[1] + "` is not a valid index"
		}
		n, err := strconv.Atoi(f[1])
		if err != nil {
			n = math.MaxInt
		}
		indices = append(indices, n)
	}
	if m == nil {
		return "", nil, "invalid array index syntax in `" + path + "`"
	}
	return m[1], indices, ""
}

var (
	truncateCall = regexp.MustCompile(`^truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)$`)
	splitCall    = regexp.MustCompile(`^split\(\s*'([^']*)'\s*\)$`)
	shellSafe    = regexp.MustCompile(`[^A-Za-z0-9_\-.,:+/@\n]`)
)

func (i *interpolator) call(at *yaml.Node, call string, v *yaml.Node) *yaml.Node {
	name, _, _ := strings.Cut(call, "(")
	known := call == "expand_vars" || call == "posix_escape" || truncateCall.MatchString(call) || splitCall.MatchString(call)
	if !known {
		return i.fail(at, "no function matching `%s`: check that the function name, arguments, and types are correct", call)
	}
	if !v.IsText() {
		return i.fail(at, "error in `%s` function: invalid input type: %s can only be used with string inputs", name, name)
	}
	out := *v
	switch name {
	case "expand_vars":
		*i.varied = true
		if hidden := i.maskedIn(v.Text); hidden {
			return i.fail(at, "error in `expand_vars` function: variable expansion error: masked variables cannot be expanded")
		}
		out.Text = i.variables.Expand(v.Text, true)
		for _, hidden := range i.variables.Masked() { // one that another variable holds
			if strings.Contains(out.Text, hidden) && !strings.Contains(v.Text, hidden) {
				return i.fail(at, "error in `expand_vars` function: variable expansion error: masked variables cannot be expanded")
			}
		}
	case "posix_escape":
		out.Text = strings.ReplaceAll(shellSafe.ReplaceAllString(v.Text, `\$0`), "\n", "'\n'")
		if v.Text == "" {
			out.Text = "''"
		}
	case "truncate":
		m := truncateCall.FindStringSubmatch(call)
		from, _ := strconv.Atoi(m[1])
		length, _ := strconv.Atoi(m[2])
		r := []rune(v.Text)
		from = min(from, len(r))
		out.Text = string(r[from:min(len(r), from+max(0, min(length, len(r))))])
	case "split":
		sep := splitCall.FindStringSubmatch(call)[1]
		if sep == "" {
			return i.fail(at, "error in `split` function: invalid argument: separator cannot be empty")
		}
		out.Kind, out.Text = yaml.List, ""
		for _, part := range strings.Split(v.Text, sep) {
			if part = strings.TrimSpace(part); part != "" {
				out.Items = append(out.Items, &yaml.Node{Kind: yaml.String, Text: part, Line: v.Line, Column: v.Column, Source: v.Source})
			}
		}
	}
	return &out
}

// maskedIn says whether a text refers to a variable that must not be shown.
func (i *interpolator) maskedIn(text string) bool {
	for _, name := range variable.References(text) {
		for k := len(i.variables) - 1; k >= 0; k-- {
			if i.variables[k].Key == name {
				if i.variables[k].Masked {
					return true
				}
				break
			}
		}
	}
	return false
}
