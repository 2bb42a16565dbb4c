package yaml

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// author writes configurations as people do: mappings and lists, commands over several lines, blocks, quotes, comments.
type author struct {
	t *rapid.T
	b strings.Builder
	n int // of keys
	// bare: a block without lines came last. A dash behind an empty line then counts as one of them here, and is refused.
	bare bool
}

func (a *author) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(a.t, label)
}

func (a *author) few(most int) int { return rapid.IntRange(1, most).Draw(a.t, "few") }

func (a *author) sometimes() bool { return rapid.IntRange(0, 3).Draw(a.t, "sometimes") == 0 }

func pad(n int) string { return strings.Repeat(" ", n) }

func (a *author) end() {
	a.b.WriteString(a.one("end", "", "", "", "", " # why", "  ") + "\n")
}

// lines writes the further lines of a text that stands at an indent.
func (a *author) lines(indent int, words ...string) {
	for range a.few(4) {
		if a.sometimes() {
			a.b.WriteString("\n")
		}
		a.b.WriteString(pad(indent+rapid.IntRange(0, 6).Draw(a.t, "more")) + a.one("line", words...) + "\n")
	}
}

func (a *author) value(indent, depth int) {
	kinds := []string{"word", "word", "text", "quoted", "block", "flow", "nothing", "anchor", "tag"}
	if depth > 0 {
		kinds = append(kinds, "map", "map", "list", "list")
	}
	switch kind := a.one("kind", kinds...); kind {
	case "word":
		a.b.WriteString(" " + a.one("word", "echo", "a:b", "http://x:5000/y", "$VAR", "it's", "a#b", "12:30", "3.10", "true", "é", "-x", "make all", ".h", "0755", "~", "1e3", "a, b", "x]"))
		a.end()
	case "text":
		a.b.WriteString(" " + a.one("word", "echo", "make", "$CMD", "./run") + "\n")
		a.lines(indent, "-x", "- y", "--flag b", "a:b", "&& make", "x 'y'", "$VAR", "a#b", "é", "12", "|| true", "-- a", "| tee x", "> out", "* b", "!x", "& y", "&& y")
	case "quoted":
		quote := a.one("quote", "'", `"`)
		a.b.WriteString(" " + quote + a.one("word", "a: b", "# not", "x  ", "", "- y"))
		if a.sometimes() {
			a.b.WriteString("\n" + pad(indent+1) + a.one("word", "c", "- d", "e: f"))
		}
		a.b.WriteString(quote)
		a.end()
	case "block":
		a.b.WriteString(" " + a.one("mark", "|", "|-", ">", ">-"))
		if a.sometimes() {
			a.b.WriteString(" # why")
		}
		a.b.WriteString("\n")
		if a.bare = a.sometimes(); !a.bare {
			a.b.WriteString(pad(indent+1) + a.one("first", "set -e", "# no comment", "a: b", "- c", "if x; then", `"q`) + a.one("space", "", "", "  ") + "\n")
			a.lines(indent+1, "echo a", "  more", "# no comment", "a: b", "- c", "fi", "'", "[ x ]", "{")
		}
	case "flow":
		a.b.WriteString(" " + a.one("flow", "[]", "{}", "[a, b]", "[a:b, 'c: d', 1]", "{a: b, c: [d, e]}", "{A:b, c: }", "[ x y , {z: 1} ]", "[\n"+pad(indent+1)+"a,\n"+pad(indent+1)+"b\n"+pad(indent)+"]"))
		a.end()
	case "nothing":
		a.end()
	case "anchor":
		a.n++
		fmt.Fprintf(&a.b, " &n%d", a.n)
		a.b.WriteString(a.one("anchored", "", " x", " [y]"))
		a.end()
	case "tag":
		a.b.WriteString(a.one("tagged", " !reference [a, b]", " !reference", " !x y"))
		a.end()
	case "map":
		a.end()
		a.mapping(indent, depth-1)
	case "list":
		a.end()
		a.list(indent, depth-1)
	}
}

func (a *author) comment(indent int) {
	bare := a.bare
	if a.bare = false; a.sometimes() && !bare {
		a.b.WriteString(a.one("comment", "\n", pad(indent)+"# why\n", "# a: b\n"))
	}
}

func (a *author) mapping(indent, depth int) {
	for range a.few(3) {
		a.comment(indent)
		a.n++
		a.b.WriteString(pad(indent) + fmt.Sprintf(a.one("key", "k%d", ".h%d", "k %d", "'q %d'", "a:b%d"), a.n) + ":")
		a.value(indent+2, depth)
	}
}

func (a *author) list(indent, depth int) {
	for range a.few(3) {
		a.comment(indent)
		a.b.WriteString(pad(indent) + "-")
		a.value(indent+2, depth)
	}
}

// TestAgreesOnWhatPeopleWrite holds random configurations against another parser.
func TestAgreesOnWhatPeopleWrite(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := &author{t: rt}
		a.mapping(0, 3)
		text := a.b.String()
		if a.sometimes() {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		want, ok := viaV4(t, []byte(text))
		docs, err := Parse([]byte(text))
		if !ok || err != nil {
			rt.Fatalf("%q\naccepted by the other parser: %v; by ours: %v", text, ok, err)
		}
		if show(docs[0]) != want {
			rt.Fatalf("%q\n got %s\nwant %s", text, show(docs[0]), want)
		}
	})
}
