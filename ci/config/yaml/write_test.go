package yaml

import (
	"fmt"
	"testing"
)

func TestWrittenYAMLReadsTheSame(t *testing.T) {
	for _, text := range []string{
		"a: 1\nb: [1, two, 3.5, true, null]\nc: {}\nd: []\n",
		"job:\n  script:\n    - echo hi\n    - |\n      two\n      lines\n    - >-\n      folded\n      text\n",
		"list:\n  - name: a\n    deep:\n      - - 1\n        - 2\n      - x: y\n  - 'yes'\n  - \"no\"\n  - on\n",
		"t: \"tab\\tand \\\"quote\\\" \\\\ and\\nline\"\nu: 'a: b # c'\nv: '- x'\nw: ':sym'\nx: :sym\n",
		"k: |+\n  keep\n\n\nz: |-\n  strip\n",
		"r: !reference [.a, script]\n'a b': c\n'1': d\n2: e\n'true': f\n",
		"e: ''\nf: ' lead'\ng: 'trail '\nh: \"\\x01\\u2028\"\ni: ~\n",
		"n: 0777\nm: 1_000\no: 0x1f\np: 12:30\n",
	} {
		in, err := Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		out := Write(in[0])
		again, err := Parse([]byte(out), nil)
		if err != nil {
			t.Errorf("%q becomes %q: %v", text, out, err)
			continue
		}
		if a, b := dump(in[0]), dump(again[len(again)-1]); a != b {
			t.Errorf("%s\nreads as %s\nwant     %s", out, b, a)
		}
	}
}

// dump is the value of a node without its places.
func dump(n *Node) string {
	out := n.Kind.String() + n.Tag + "("
	switch n.Kind {
	case String, Symbol:
		out += fmt.Sprintf("%q", n.Text)
	default:
		out += fmt.Sprint(n.Bool, n.Int, n.Float)
	}
	for _, i := range n.Items {
		out += dump(i) + ","
	}
	for _, p := range n.Pairs {
		out += dump(p.Key) + ":" + dump(p.Value) + ","
	}
	return out + ")"
}
