package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of one text. They hold for what aliases expand to as well, so that a few lines cannot stand for
// millions of values.
const (
	MaxBytes = 2 << 20
	MaxDepth = 100
	MaxNodes = 500_000
	// MaxLines bounds the time: some texts cost the parser the square of their lines.
	MaxLines = 40_000
)

// TextOfNode is how many bytes of text count as one more value, so that aliases of long texts count too.
const TextOfNode = 64

const tooBig = "The parsed YAML is too big"

// endOfFile are spaces on the last line, which would move the text above it.
var endOfFile = regexp.MustCompile(`(\n)[ \t]+$`)

// emptyDocument is a document with nothing in it, of which the parser would make the next one's beginning.
var emptyDocument = regexp.MustCompile(`(?m)^---[ \t\r]*(\n(?:[ \t]*(?:#.*)?\r?\n)*---[ \t\r]*)$`)

// withoutEmpty takes out the marks of empty documents and leaves every line where it is.
func withoutEmpty(text []byte) []byte {
	for emptyDocument.Match(text) {
		text = emptyDocument.ReplaceAll(text, []byte("$1"))
	}
	return text
}

// Parse reads the documents of a text. An empty text has none. Errors are *Error.
func Parse(text []byte) (docs []*Node, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser panics on some damaged texts
			docs, err = nil, &Error{Message: fmt.Sprintf("this is not valid YAML (%v)", p)}
		}
	}()
	if len(text) > MaxBytes {
		return nil, &Error{Message: tooBig}
	}
	if !utf8.Valid(text) {
		return nil, &Error{Message: "the file is not valid UTF-8"}
	}
	text = bytes.ReplaceAll(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, &Error{Message: "the file holds a NUL byte"}
	}
	if e := nesting(text); e != nil {
		return nil, e
	}
	tokens, wrong := mend(lexer.Tokenize(string(withoutEmpty(endOfFile.ReplaceAll(text, []byte("$1"))))))
	if wrong != nil {
		return nil, wrong
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(err)
	}
	for _, d := range file.Docs {
		r := &resolver{anchors: map[string]*anchored{}}
		n, e := r.node(d.Body, 0)
		if e != nil {
			return nil, e
		}
		if len(file.Docs) == 1 || n.Kind != Null {
			docs = append(docs, n)
		}
	}
	return docs, nil
}

// nesting refuses texts that have more lines or open more brackets than any configuration may nest, before the parser meets
// them.
func nesting(text []byte) *Error {
	if bytes.Count(text, []byte("\n")) > MaxLines {
		return &Error{Message: fmt.Sprintf("%s: it has more than %d lines", tooBig, MaxLines)}
	}
	depth := 0
	for line, l := range bytes.Split(text, []byte("\n")) {
		if indent := len(l) - len(bytes.TrimLeft(l, " -")); indent > 4*MaxDepth {
			return &Error{Message: tooBig, Line: line + 1, Column: indent}
		}
		depth = max(0, depth+bytes.Count(l, []byte("["))+bytes.Count(l, []byte("{"))-
			bytes.Count(l, []byte("]"))-bytes.Count(l, []byte("}")))
		if depth > 10*MaxDepth {
			return &Error{Message: tooBig, Line: line + 1, Column: 1}
		}
	}
	return nil
}

func syntaxError(err error) *Error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		e := &Error{Message: strings.Replace(syntax.Message, "mapping value is not allowed in this context", "mapping values are not allowed in this context", 1)}
		if syntax.Token != nil && syntax.Token.Position != nil {
			e.Line, e.Column = syntax.Token.Position.Line, syntax.Token.Position.Column
		}
		return e
	}
	return &Error{Message: strings.SplitN(err.Error(), "\n", 2)[0]}
}

type anchored struct {
	node  *Node
	count int // nodes under it, for the budget
}

type resolver struct {
	anchors map[string]*anchored
	nodes   int
}

func at(n *Node, t *token.Token) *Node {
	if t != nil && t.Position != nil {
		n.Line, n.Column = t.Position.Line, max(1, t.Position.Column)
	}
	return n
}

func fail(n *Node, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Line: n.Line, Column: n.Column}
}

func (r *resolver) node(a ast.Node, depth int) (*Node, *Error) {
	n := &Node{}
	if a == nil {
		return n, nil
	}
	at(n, a.GetToken())
	if r.nodes++; r.nodes > MaxNodes || depth > MaxDepth {
		return nil, fail(n, tooBig)
	}
	switch a := a.(type) {
	case *ast.AnchorNode:
		return r.anchor(a, n, depth)
	case *ast.AliasNode:
		return r.alias(a, n)
	case *ast.TagNode:
		return r.tag(a, n, depth)
	case *ast.MappingNode:
		return n, r.mapping(n, a.Values, depth)
	case *ast.MappingValueNode:
		return n, r.mapping(n, []*ast.MappingValueNode{a}, depth)
	case *ast.SequenceNode:
		return n, r.list(n, a.Values, depth)
	case *ast.LiteralNode:
		n.Kind, n.Text = String, a.Value.Value
		r.nodes += len(n.Text) / TextOfNode
		return n, nil
	case *ast.MappingKeyNode:
		return r.node(a.Value, depth)
	}
	return r.scalar(a, n)
}

func (r *resolver) scalar(a ast.Node, n *Node) (*Node, *Error) {
	t := a.GetToken()
	if t == nil {
		return n, nil
	}
	r.nodes += len(t.Value) / TextOfNode
	switch t.Type {
	case token.ImplicitNullType:
		return n, nil
	case token.SingleQuoteType, token.DoubleQuoteType:
		n.Kind, n.Text = String, t.Value
		return n, nil
	}
	text := t.Value
	if s, ok := a.(*ast.StringNode); ok {
		text = s.Value
	}
	// The parser glues a comment below a plain scalar onto it; no plain scalar can hold " #".
	if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimRight(text[:i], " \t")
	}
	// The parser takes what closes a bracket that nobody opened for a text.
	if text != "" && strings.ContainsRune("}],%", rune(text[0])) {
		return nil, fail(n, "%q cannot start a value here", text[:1])
	}
	if e := plain(n, text); e != nil {
		return nil, e
	}
	return n, nil
}

func (r *resolver) list(n *Node, values []ast.Node, depth int) *Error {
	n.Kind = List
	for _, v := range values {
		item, e := r.node(v, depth+1)
		if e != nil {
			return e
		}
		n.Items = append(n.Items, item)
	}
	return nil
}

func (r *resolver) anchor(a *ast.AnchorNode, n *Node, depth int) (*Node, *Error) {
	name := a.Name.GetToken().Value
	r.anchors[name] = nil // an alias inside its own anchor is a cycle
	before := r.nodes
	value, e := r.node(a.Value, depth)
	if e != nil {
		return nil, e
	}
	r.anchors[name] = &anchored{node: value, count: r.nodes - before}
	return value, nil
}

func (r *resolver) alias(a *ast.AliasNode, n *Node) (*Node, *Error) {
	name := a.Value.GetToken().Value
	target, known := r.anchors[name]
	if !known {
		return nil, fail(n, "Unknown alias: %s", name)
	}
	if target == nil {
		return nil, fail(n, "%s: the alias *%s stands inside its own anchor", tooBig, name)
	}
	if r.nodes += target.count; r.nodes > MaxNodes {
		return nil, fail(n, tooBig)
	}
	return target.node, nil
}

func (r *resolver) tag(a *ast.TagNode, n *Node, depth int) (*Node, *Error) {
	name := a.Start.Value
	if strings.HasPrefix(name, "!ruby/") {
		return nil, fail(n, "Tried to load unspecified class: %s", strings.TrimPrefix(name, "!ruby/"))
	}
	value, e := r.node(a.Value, depth)
	if e != nil {
		return nil, e
	}
	copied := *value
	switch name {
	case "!reference":
		copied.Tag = name
	case "!!str", "!":
		if value.Kind != List && value.Kind != Map {
			copied.Kind = String
			if value.Kind == Symbol {
				copied.Text = ":" + value.Text
			}
		}
	}
	return &copied, nil
}

// mapping keeps the order of keys as Ruby's Hash does: a key that is given again keeps its first place and
// takes the new value.
func (r *resolver) mapping(n *Node, values []*ast.MappingValueNode, depth int) *Error {
	n.Kind = Map
	index := make(map[string]int, len(values))
	if len(values) > 0 && values[0].Key != nil {
		at(n, values[0].Key.GetToken())
	}
	for _, v := range values {
		value, e := r.node(v.Value, depth+1)
		if e != nil {
			return e
		}
		if _, merge := v.Key.(*ast.MergeKeyNode); merge && mergeable(value) {
			for _, p := range merged(value) {
				put(n, index, p)
			}
			continue
		}
		key, e := r.key(v.Key, depth)
		if e != nil {
			return e
		}
		put(n, index, Pair{key, value})
	}
	return nil
}

func (r *resolver) key(k ast.Node, depth int) (*Node, *Error) {
	if m, ok := k.(*ast.MergeKeyNode); ok {
		return at(&Node{Kind: String, Text: "<<"}, m.GetToken()), nil
	}
	return r.node(k, depth+1)
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
