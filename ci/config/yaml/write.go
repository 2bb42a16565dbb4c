package yaml

import (
	"regexp"
	"strconv"
	"strings"
)

// Write gives a node as YAML in block style, as Ruby's Psych does: the merged configuration that people read.
// Reading it again gives the same values.
func Write(n *Node) string {
	w := &writer{}
	w.WriteString("---")
	w.value(n, 0, false)
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) indent(depth int) { w.WriteString(strings.Repeat("  ", depth)) }

// value writes what follows a key, a dash, or the beginning. inList puts a mapping's first key on the line.
func (w *writer) value(n *Node, depth int, inList bool) {
	switch {
	case n.Kind == Map && len(n.Pairs) > 0:
		w.mapping(n, depth, inList)
	case n.Kind == List && len(n.Items) > 0 && n.Tag != "!reference":
		w.WriteString("\n")
		for _, item := range n.Items {
			w.indent(depth)
			w.WriteString("-")
			w.value(item, depth+1, true)
		}
	case n.Kind == Map:
		w.WriteString(" {}\n")
	case n.Kind == List:
		w.WriteString(" " + flow(n) + "\n")
	case n.Kind == String && literal(n.Text):
		w.block(n.Text, depth)
	default:
		w.WriteString(" " + scalar(n) + "\n")
	}
}

func (w *writer) mapping(n *Node, depth int, inList bool) {
	if inList {
		w.WriteString(" ")
	} else {
		w.WriteString("\n")
	}
	for i, p := range n.Pairs {
		if i > 0 || !inList {
			w.indent(depth)
		}
		w.WriteString(scalar(p.Key) + ":")
		inner := depth + 1
		if p.Value.Kind == List { // a list may stand at the depth of its key
			inner = depth
		}
		w.value(p.Value, inner, false)
	}
}

// literal says whether a text is best shown line by line.
func literal(s string) bool {
	return strings.Contains(s, "\n") && !strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\n") && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
	})
}

func (w *writer) block(text string, depth int) {
	mark := " |-\n"
	switch body := strings.TrimRight(text, "\n"); {
	case strings.HasSuffix(text, "\n\n"):
		mark = " |+\n"
	case body != text:
		mark = " |\n"
	}
	w.WriteString(mark)
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if line != "" {
			w.indent(max(1, depth))
		}
		w.WriteString(line + "\n")
	}
}

// flow writes a short list on one line: an empty one, or a reference.
func flow(n *Node) string {
	parts := make([]string, len(n.Items))
	for i, item := range n.Items {
		parts[i] = quoted(item.Text)
	}
	out := "[" + strings.Join(parts, ", ") + "]"
	if n.Tag != "" {
		out = n.Tag + " " + out
	}
	return out
}

// unquoted texts need no quotes wherever they stand.
var unquoted = regexp.MustCompile(`^[A-Za-z_/.$][A-Za-z0-9_./$ @+=-]*$`)

func scalar(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(n.Bool)
	case Int:
		return strconv.FormatInt(n.Int, 10)
	case Float:
		return n.Text
	case Symbol:
		return ":" + n.Text
	}
	if unquoted.MatchString(n.Text) && !strings.HasSuffix(n.Text, " ") {
		again := &Node{}
		if plain(again, n.Text) == nil && again.Kind == String && !strings.HasPrefix(n.Text, "...") {
			return n.Text
		}
	}
	return quoted(n.Text)
}

func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\x` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15]))
		case r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			b.WriteString(`\u` + strings.Repeat("0", 4-len(strconv.FormatInt(int64(r), 16))) + strconv.FormatInt(int64(r), 16))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
