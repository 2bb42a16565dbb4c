package yaml

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show prints a value the same way for both readers.
func show(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Bool:
		return fmt.Sprint(n.Bool)
	case Int:
		return fmt.Sprint(n.Int)
	case Float:
		return fmt.Sprintf("%gf", n.Float)
	case Symbol:
		return ":" + n.Text
	case String:
		return fmt.Sprintf("%q", n.Text)
	case List:
		var items []string
		for _, i := range n.Items {
			items = append(items, show(i))
		}
		return n.Tag + "[" + strings.Join(items, ", ") + "]"
	}
	var pairs []string
	for _, p := range n.Pairs {
		pairs = append(pairs, show(p.Key)+": "+show(p.Value))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

func TestScalarsAsPsychReadsThem(t *testing.T) {
	for in, want := range map[string]string{
		"on": "true", "Yes": "true", "TRUE": "true", "off": "false", "No": "false", "y": `"y"`, "n": `"n"`,
		"0777": "511", "012345": "5349", "0o777": `"0o777"`, "1,000": "1000", "1_000": "1000", "1:30": "5400", "1e3": `"1e3"`,
		"1.5e+3": "1500f", "1.5": "1.5f", ".5": "0.5f", ":sym": ":sym", "~": "null", "null": "null", "''": `""`,
		"0x1F": "31", "0b101": "5", "-12": "-12", "+3": "3", "089": `"089"`, "'on'": `"on"`, `"1"`: `"1"`, "1.2.3": `"1.2.3"`,
		".": `"."`, "-": "[null]", ".inf": "+Inff", "v1": `"v1"`, "12:30:45": "45045", "!!str 12": `"12"`, "1__0": `"1__0"`, "00": "0",
		"99999999999999999999": `"99999999999999999999"`, "a #b": `"a"`, "a#b": `"a#b"`,
	} {
		docs, err := Parse([]byte("k: "+in), nil)
		if in == "-" {
			docs, err = Parse([]byte("k:\n-"), nil)
		}
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := show(docs[0].Get("k")); got != want {
			t.Errorf("%s = %s, want %s", in, got, want)
		}
	}
}

func TestMappings(t *testing.T) {
	for in, want := range map[string]string{
		"a: &a {b: 1}\nc:\n  b: 9\n  <<: *a":                               `{"a": {"b": 1}, "c": {"b": 1}}`,
		"a: &a {b: 1}\nc:\n  <<: *a\n  b: 9":                               `{"a": {"b": 1}, "c": {"b": 9}}`,
		"a: &a {b: 1}\nx: &x {b: 2, d: 3}\nc:\n  <<: [*a, *x]":             `{"a": {"b": 1}, "x": {"b": 2, "d": 3}, "c": {"b": 1, "d": 3}}`,
		"a: &a {b: 1}\nx: &x {d: 3}\nc:\n  <<: *a\n  <<: *x":               `{"a": {"b": 1}, "x": {"d": 3}, "c": {"b": 1, "d": 3}}`,
		"a: 1\nb: 2\na: 3":                                                 `{"a": 3, "b": 2}`,
		"\ufeffa: 1":                                                       `{"a": 1}`,
		"a: !reference [.x, script]":                                       `{"a": !reference[".x", "script"]}`,
		"a:\n  - run\n    --x\n    # note\n  - b":                          `{"a": ["run --x", "b"]}`,
		"on: x\n10: y":                                                     `{true: "x", 10: "y"}`,
		"? a b\n: c":                                                       `{"a b": "c"}`,
		"a: {b, c: d}":                                                     `{"a": {"b": null, "c": "d"}}`,
		"a: |\n  x\n   y\n\nb: >\n  p\n  q\n\n  r\nc: |-\n  z\n":           `{"a": "x\n y\n", "b": "p q\nr\n", "c": "z"}`,
		"a: 'it''s'\nb: \"t\\tn\\u00e9\"":                                  `{"a": "it's", "b": "t\tné"}`,
		"a.b: &x.y [1]\nc: *x.y":                                           `{"a.b": [1], "c": [1]}`,
		"<<: text":                                                         `{"<<": "text"}`,
		"a: foo\n    -bar\n  done\nb: x":                                   `{"a": "foo -bar done", "b": "x"}`,
		"s:\n  - foo\n      -bar\n     - q\n\n    7\n  - y":                `{"s": ["foo -bar - q\n7", "y"]}`,
		"a: !reference\nb:\n  c: 1":                                        `{"a": null, "b": {"c": 1}}`,
		"a: !reference\n  [x, y]":                                          `{"a": !reference["x", "y"]}`,
		"a: !reference\n- x":                                               `{"a": !reference["x"]}`,
		"a:\n  - !reference\n  - y\nb: c":                                  `{"a": [null, "y"], "b": "c"}`,
		"a: foo\n  - bar\n  -  baz\nb: 1":                                  `{"a": "foo - bar -  baz", "b": 1}`,
		"a:\n  - | # why\n    x\n  - y":                                    `{"a": ["x\n", "y"]}`,
		"a:\n  - > # why\n    x\n  - y":                                    `{"a": ["x\n", "y"]}`,
		"a:\n  - b\n      --\n      c d\n        -e\n\n        --f\n  - g": `{"a": ["b -- c d -e\n--f", "g"]}`,
		"a: >-\n  x\n  z   \nb: |-\n  q \t\nc: |\n  r \nd: |-\n  s":        `{"a": "x z   ", "b": "q \t", "c": "r \n", "d": "s"}`,
		"a:\n  - b\n    - c d\n\n\n":                                       `{"a": ["b - c d"]}`,
		"a:\n  - b\n    - c d\n ":                                          `{"a": ["b - c d"]}`,
		`a: {s: [ruby:3.1, http://m:5000/x, "q":1]}`:                       `{"a": {"s": ["ruby:3.1", "http://m:5000/x", {"q": 1}]}}`,
		"a: {A:b, C: d, x:y:z, e : f}":                                     `{"a": {"A:b": null, "C": "d", "x:y:z": null, "e": "f"}}`,
		"- {if: $A, changes: [a::b, 12:30]}":                               `[{"if": "$A", "changes": ["a::b", 45000]}]`,
		"a: &x\n  y\nb: *x":                                                `{"a": "y", "b": "y"}`,
		"a: &x\n   - y\nb: *x":                                             `{"a": ["y"], "b": ["y"]}`,
		"a: [b\n  -c\n d, e]":                                              `{"a": ["b -c d", "e"]}`,
		"a:\n  b: &x\n  c: 1":                                              `{"a": {"b": null, "c": 1}}`,
		"a: |\nb: \"c\"\nd: >-\ne: |\n\n.f:\n  g: |\nh:\n  - |\n  - i":     `{"a": "", "b": "c", "d": "", "e": "", ".f": {"g": ""}, "h": ["", "i"]}`,
		"a:\n-\nb:\n  - # none\nc:\n  -\n  - d\n  -":                       `{"a": [null], "b": [null], "c": [null, "d", null]}`,
		"a: !x # none\nb:\n- &x\nc: &y\n- 1\nd: &z":                        `{"a": null, "b": [null], "c": [1], "d": null}`,
		"a: 'x\r\n  y'\r\nb: \"x\r\n\r\n  y\"\r\nc: |\r\n  x\r\n  y\r\n":   `{"a": "x y", "b": "x\ny", "c": "x\ny\n"}`,
		"a: |\n    x  \n  \nb: c":                                          `{"a": "x  \n", "b": "c"}`,
		"a: |\n  [  \n   \nb: c":                                           `{"a": "[  \n \n", "b": "c"}`,
	} {
		docs, err := Parse([]byte(in), nil)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := show(docs[0]); got != want {
			t.Errorf("%q\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	bomb := "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for in, want := range map[string]string{
		"a: *nope":                      "line 1, column 4: Unknown alias: nope",
		"key:\n}":                       "line 2, column 1: did not find expected node content",
		"a: b: c":                       "line 1, column 5: mapping values are not allowed in this context",
		"a: b\nc":                       "line 2",
		"a:\n  - >\n  b\n":              "line 3, column 3: could not find expected ':'",
		"a:\n  - |\n b\n":               "line 3, column 2: did not find expected key while parsing a block mapping",
		"a:\n  b: c\n    - d: e":        "mapping values are not allowed in this context",
		"a:\n  - c\n    - d: e":         "mapping values are not allowed in this context",
		"a: [1, 2":                      "line 1, column 4: did not find expected ',' or ']' while parsing a flow sequence",
		"d: 2026-01-31":                 "unspecified class: Date",
		"a: &a [*a]":                    "inside its own anchor",
		"a: !ruby/object:Foo {}":        "unspecified class",
		"a: \"\x00\"":                   "NUL",
		"a: \xff":                       "UTF-8",
		bomb:                            "too big",
		strings.Repeat("[", 2000):       "too big",
		strings.Repeat("a:\n ", 3):      "",
		strings.Repeat(" ", 3<<20):      "too big",
		strings.Repeat("- ", 500) + "x": "too big",
	} {
		_, err := Parse([]byte(in), nil)
		if want == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", in, err, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	for in, want := range map[string]int{"": 1, "# only a comment": 1, "a: 1": 1, "spec: {}\n---\na: 1": 2, "---\na: 1\n": 1, "---\n---\na: 1": 1, "a: 1\n---\n\n# b\n---\n---\nc: 1": 2} {
		docs, err := Parse([]byte(in), nil)
		if err != nil || len(docs) > want {
			t.Errorf("%q: %d documents, %v", in, len(docs), err)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

// TestCorpus reads files as people write them. Each has its values, or its mistake, beside it.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) < 8 {
		t.Fatalf("corpus has %d files, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		docs, err := Parse(text, nil)
		if err != nil {
			got = append(got, err.Error())
		}
		for _, d := range docs {
			got = append(got, strings.Split(show(d), ", ")...)
		}
		golden := strings.TrimSuffix(f, ".yml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", f, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, err := Parse(text, nil)
		if err == nil {
			for _, d := range docs {
				show(d)
			}
		}
	})
}
