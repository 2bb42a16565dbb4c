package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits of one text. MaxDepth and MaxNodes hold for what aliases expand to as well, so that a few lines cannot stand for
// millions of values.
const (
	MaxBytes = 2 << 20
	MaxDepth = 100
	MaxNodes = 500_000
	// MaxMarks bounds the memory of the parser: it keeps all tokens of an outermost bracket until that one is closed, and
	// each token begins with one of these characters or follows one.
	MaxMarks = 500_000
	// MaxDirectives bounds the time: each %TAG is compared with those before it. Every %TAG of the text counts, also within a value:
	// YAML knows several ends of lines before one.
	MaxDirectives = 100
)

const marks = ",[]{}:?!&*\"'"

// TextOfNode is how many bytes of text count as one more value, so that aliases of long texts count too.
const TextOfNode = 64

const tooBig = "The parsed YAML is too big"

// Parse reads the documents of a text, in a time linear in its size. An empty text has none. Errors are *Error, or what
// stopped says: it is asked all the while, and its error ends the reading. It may be nil.
func Parse(text []byte, stopped func() error) (docs []*Node, err error) {
	defer func() {
		if p := recover(); p != nil { // a fault of the parser must not end the process
			docs, err = nil, &Error{Message: fmt.Sprintf("this is not valid YAML (%v)", p)}
		}
	}()
	if stopped == nil {
		stopped = func() error { return nil }
	}
	if err := size(text); err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, &Error{Message: "the file is not valid UTF-8"}
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, &Error{Message: "the file holds a NUL byte"}
	}
	source := &reader{text: text, lines: bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n")) + 1, stopped: stopped}
	// Depth is bounded while the text is scanned, before anything is built. What is nested in both styles is counted again by
	// the resolver, and so are aliases.
	loader, err := yaml.NewLoader(source, yaml.WithUniqueKeys(false),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthFunc(deep), loaderlimits.AliasNone())))
	if err != nil {
		return nil, err
	}
	for {
		var d yaml.Node
		if err := loader.Load(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, source.explain(err)
		}
		n, err := (&resolver{known: map[*yaml.Node]*anchored{}, stopped: stopped}).node(body(&d), 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
	return withoutEmpty(docs), nil
}

// withoutEmpty leaves out documents with nothing in them, unless there is no other.
func withoutEmpty(docs []*Node) []*Node {
	var out []*Node
	for _, d := range docs {
		if len(docs) == 1 || d.Kind != Null {
			out = append(out, d)
		}
	}
	return out
}

func body(d *yaml.Node) *yaml.Node {
	if d.Kind == yaml.DocumentNode && len(d.Content) > 0 {
		return d.Content[0]
	}
	return nil
}

// size refuses a text that would cost the parser more than any configuration needs.
func size(text []byte) error {
	if len(text) > MaxBytes {
		return &Error{Message: tooBig}
	}
	var mark [256]bool
	for _, c := range []byte(marks) {
		mark[c] = true
	}
	found := 0
	for _, c := range text {
		if mark[c] {
			found++
		}
	}
	if found > MaxMarks {
		return &Error{Message: fmt.Sprintf("%s: it has more than %d of the characters %s", tooBig, MaxMarks, marks)}
	}
	if directives := bytes.Count(text, []byte("%TAG")); directives > MaxDirectives {
		return &Error{Message: fmt.Sprintf("%s: it has more than %d %%TAG directives", tooBig, MaxDirectives)}
	}
	return nil
}

var errDeep error = &Error{Message: tooBig}

func deep(depth int, _ *yaml.DepthContext) error {
	if depth > MaxDepth+1 {
		return errDeep
	}
	return nil
}

// reader hands the text to the parser bit by bit, and nothing any more once the reading was stopped.
type reader struct {
	text    []byte
	lines   int // of the text
	stopped func() error
	err     error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err = r.stopped(); r.err != nil {
		return 0, r.err
	}
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

// explain puts what the parser says into the words of Psych.
func (r *reader) explain(err error) error {
	if r.err != nil {
		return r.err
	}
	var at *yaml.LoadError
	if !errors.As(err, &at) {
		return &Error{Message: strings.SplitN(err.Error(), "\n", 2)[0]}
	}
	e := &Error{Message: at.Message, Line: at.Mark.Line, Column: at.Mark.Column}
	switch {
	case strings.Contains(at.Message, tooBig):
		e.Message = tooBig
	case unknownAnchor.MatchString(at.Message):
		e.Message = "Unknown alias: " + unknownAnchor.FindStringSubmatch(at.Message)[1]
	case at.ContextMsg != "":
		e.Message += " " + at.ContextMsg
		if at.ContextMsg == "while scanning a simple key" || len(r.text) == 0 && at.Mark.Line > r.lines && at.ContextMark.Line > 0 {
			e.Line, e.Column = at.ContextMark.Line, at.ContextMark.Column // the mistake is seen only where it ends, or nowhere
		}
	}
	return e
}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

type anchored struct {
	node   *Node // nil while it is read: an alias of it would be a cycle
	count  int   // nodes under it, for the budget
	height int   // levels under it
}

type resolver struct {
	known   map[*yaml.Node]*anchored
	nodes   int
	deepest int // level reached so far, since the innermost anchor
	stopped func() error
}

func fail(n *Node, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Line: n.Line, Column: n.Column}
}

func (r *resolver) node(y *yaml.Node, depth int) (*Node, error) {
	n := &Node{}
	if y == nil {
		return n, nil
	}
	n.Line, n.Column = y.Line, max(1, y.Column)
	if r.nodes++; r.nodes > MaxNodes || depth > MaxDepth {
		return nil, fail(n, tooBig)
	}
	r.deepest = max(r.deepest, depth)
	if r.nodes%4096 == 0 {
		if err := r.stopped(); err != nil {
			return nil, err
		}
	}
	if y.Kind == yaml.AliasNode {
		return r.alias(y, n, depth)
	}
	if y.Anchor == "" {
		return n, r.value(y, n, depth)
	}
	entry, before, outer := &anchored{}, r.nodes, r.deepest
	r.known[y], r.deepest = entry, depth
	if err := r.value(y, n, depth); err != nil {
		return nil, err
	}
	entry.node, entry.count, entry.height = n, r.nodes-before, r.deepest-depth
	r.deepest = max(r.deepest, outer)
	return n, nil
}

func (r *resolver) alias(y *yaml.Node, n *Node, depth int) (*Node, error) {
	target := r.known[y.Alias]
	if target == nil || target.node == nil {
		return nil, fail(n, "%s: the alias *%s stands inside its own anchor", tooBig, y.Value)
	}
	if r.nodes += target.count; r.nodes > MaxNodes || depth+target.height > MaxDepth {
		return nil, fail(n, tooBig)
	}
	r.deepest = max(r.deepest, depth+target.height)
	return target.node, nil
}

// value fills a node. Of tags !reference is kept, and those that make a scalar a string count.
func (r *resolver) value(y *yaml.Node, n *Node, depth int) error {
	tagged := y.Style&yaml.TaggedStyle != 0
	if tagged && strings.HasPrefix(y.Tag, "!ruby/") {
		return fail(n, "Tried to load unspecified class: %s", strings.TrimPrefix(y.Tag, "!ruby/"))
	}
	if tagged && y.Tag == "!reference" {
		n.Tag = y.Tag
	}
	switch y.Kind {
	case yaml.MappingNode:
		return r.mapping(n, y.Content, depth)
	case yaml.SequenceNode:
		return r.list(n, y.Content, depth)
	}
	r.nodes += len(y.Value) / TextOfNode
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if y.Style&quoted != 0 || tagged && (y.Tag == "!!str" || y.Tag == "!") {
		n.Kind, n.Text = String, y.Value
		return nil
	}
	if e := plain(n, y.Value); e != nil {
		return e
	}
	return nil
}

func (r *resolver) list(n *Node, values []*yaml.Node, depth int) error {
	n.Kind = List
	for _, v := range values {
		item, err := r.node(v, depth+1)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	return nil
}

// mapping keeps the order of keys as Ruby's Hash does: a key that is given again keeps its first place and
// takes the new value.
func (r *resolver) mapping(n *Node, content []*yaml.Node, depth int) error {
	n.Kind = Map
	if len(content) > 0 { // people look for its first key, not for its bracket, tag or anchor
		n.Line, n.Column = content[0].Line, max(1, content[0].Column)
	}
	index := make(map[string]int, len(content)/2)
	for i := 0; i+1 < len(content); i += 2 {
		k := content[i]
		key, err := r.node(k, depth+1)
		if err != nil {
			return err
		}
		value, err := r.node(content[i+1], depth+1)
		if err != nil {
			return err
		}
		if k.Kind == yaml.ScalarNode && k.Style == 0 && k.Value == "<<" && mergeable(value) {
			pairs := merged(value)
			if r.nodes += len(pairs); r.nodes > MaxNodes {
				return fail(n, tooBig)
			}
			for _, p := range pairs {
				put(n, index, p)
			}
			continue
		}
		put(n, index, Pair{key, value})
	}
	return nil
}

func put(n *Node, index map[string]int, p Pair) {
	id := p.Key.Kind.String() + "\x00" + identity(p.Key)
	if i, again := index[id]; again {
		n.Pairs[i].Value = p.Value
		return
	}
	index[id] = len(n.Pairs)
	n.Pairs = append(n.Pairs, p)
}

// identity tells keys apart.
func identity(n *Node) string {
	switch n.Kind {
	case List, Map:
		return fmt.Sprintf("%p", n)
	case Bool:
		return fmt.Sprint(n.Bool)
	case Int:
		return fmt.Sprint(n.Int)
	case Null:
		return ""
	}
	return n.Text
}

func mergeable(n *Node) bool {
	if n.Kind != List {
		return n.Kind == Map
	}
	for _, i := range n.Items {
		if i.Kind != Map {
			return false
		}
	}
	return true
}

// merged lists the pairs that `<<` brings. In a list the earlier mapping wins.
func merged(n *Node) []Pair {
	if n.Kind == Map {
		return n.Pairs
	}
	all := &Node{}
	index := map[string]int{}
	for i := len(n.Items) - 1; i >= 0; i-- {
		for _, p := range n.Items[i].Pairs {
			put(all, index, p)
		}
	}
	return all.Pairs
}
