// Package yaml reads YAML as GitLab does, which means as Ruby's Psych does: YAML 1.1 scalars, merge keys in
// place, duplicate keys where the last one wins, the tag !reference. It keeps the position of every node.
// It knows nothing of what a configuration means (facts: ci-yaml section 3).
package yaml

import "fmt"

// Kind is the type that a node has once its scalar is resolved.
type Kind int

// The kinds. Symbols are Ruby's `:word`; GitLab takes them for strings in most places.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Symbol
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"null", "boolean", "integer", "float", "string", "symbol", "list", "mapping"}[k]
}

// Node is a resolved value and where it stands. Nodes under an alias are shared: they must not be changed.
type Node struct {
	Kind   Kind
	Text   string // of a string or symbol; the source text of other scalars
	Bool   bool
	Int    int64
	Float  float64
	Items  []*Node
	Pairs  []Pair
	Tag    string // only "!reference" is kept
	Line   int    // from 1
	Column int    // from 1
	Source *Source
}

// Source is the text that a node was read from.
type Source struct {
	Name    string
	Content []byte
}

// SetSource notes for a node and everything below it where it was read from, unless that is known.
func (n *Node) SetSource(s *Source) {
	if n == nil || n.Source != nil {
		return
	}
	n.Source = s
	for _, i := range n.Items {
		i.SetSource(s)
	}
	for _, p := range n.Pairs {
		p.Key.SetSource(s)
		p.Value.SetSource(s)
	}
}

// Value is what the node stands for: nil, bool, int64, float64, string, []any or map[string]any.
func (n *Node) Value() any {
	switch n.Kind {
	case Bool:
		return n.Bool
	case Int:
		return n.Int
	case Float:
		return n.Float
	case String, Symbol:
		return n.Text
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Value()
		}
		return out
	case Map:
		out := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			out[p.Key.Text] = p.Value.Value()
		}
		return out
	}
	return nil
}

// Pair is an entry of a mapping. Keys are unique.
type Pair struct{ Key, Value *Node }

// Get finds the value of a key; nil if there is none.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key.IsText() && p.Key.Text == key {
			return p.Value
		}
	}
	return nil
}

// IsText says whether the node is a string or a symbol.
func (n *Node) IsText() bool { return n != nil && (n.Kind == String || n.Kind == Symbol) }

// Error is a text that is no YAML, or not allowed here. Its message is for people.
type Error struct {
	Message      string
	Line, Column int
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}
