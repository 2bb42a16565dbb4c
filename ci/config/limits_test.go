package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhatIsTooMuchIsRefused: each of these small texts asks for more memory or time than any configuration should,
// and is refused before it gets it.
func TestWhatIsTooMuchIsRefused(t *testing.T) {
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, tc := range map[string]struct{ text, want string }{
		"a pattern": {"a: {script: x, rules: [{if: '$A =~ /" + strings.Repeat("a{1000}", 300) + "/'}]}", "invalid expression syntax"},
		"patterns": {"a: {script: x, rules: [" + strings.Repeat("{if: '$A =~ /"+strings.Repeat("a{900}", 15)+"/'}, ", 49) + "{when: always}]}\n" +
			"b: {script: x, rules: [" + strings.Repeat("{if: '$A =~ /"+strings.Repeat("a{900}", 15)+"/'}, ", 49) + "{when: always}]}", "too many large regular expressions"},
		"a pattern of refs":  {"a: {script: x, only: ['/" + strings.Repeat("a{1000}", 300) + "/']}", "regular expression"},
		"parallel jobs":      {lines(200, "j%d: {script: x, parallel: 200}\n"), "too many jobs"},
		"needs":              {lines(20, "p%d: {script: x, parallel: 200}\n") + "a: {script: x, needs: [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10]}", "too many others"},
		"needs of instances": {lines(5, "p%d: {script: x, parallel: 200}\n") + lines(5, "a%d: {script: x, parallel: 200, needs: [p0, p1, p2, p3, p4]}\n"), "name too many jobs"},
		"an aliased text":    {".a: &a " + strings.Repeat("x", 100_000) + "\na: {script: [" + strings.Repeat("*a, ", 2000) + "x]}", "too big"},
		"interpolation":      {"spec: {inputs: {x: {default: " + strings.Repeat("y", 100_000) + "}}}\n---\na: {script: '" + strings.Repeat("$[[ inputs.x ]] ", 2000) + "'}", "too large"},
		"lists of inputs":    {"spec: {inputs: {x: {type: array, default: [" + strings.Repeat("y, ", 20_000) + "]}}}\n---\na: {script: [" + strings.Repeat("'$[[ inputs.x ]]', ", 1000) + "]}", "config too large"},
		"interpolations":     {"spec: {inputs: {x: {default: " + strings.Repeat("y", 100_000) + "}}}\n---\na:\n  script:\n" + strings.Repeat("    - b $[[ inputs.x ]]\n", 2000), "too big"},
	} {
		c, errs := Load(File{Name: "x", Content: []byte(tc.text)}, Options{})
		if c != nil || len(errs) == 0 || !strings.Contains(errs[0].Text, tc.want) {
			var got string
			if len(errs) > 0 {
				got = errs[0].Text
			}
			t.Errorf("%s: %.300q, want %q", name, got, tc.want)
		}
	}
}

// TestManyWrongExtends cost what their number costs: those that name nothing, and one long chain.
func TestManyWrongExtends(t *testing.T) {
	const n = 20_000
	var unknown, chain strings.Builder
	for i := range n {
		fmt.Fprintf(&unknown, "a%d: {extends: .b%d}\n", i, i)
		fmt.Fprintf(&chain, "c%d: {extends: c%d}\n", i, i+1)
	}
	for _, text := range []string{unknown.String(), chain.String()} {
		_, errs := Load(File{Name: "x", Content: []byte(text)}, Options{})
		if len(errs) == 0 || len(Told(errs)) != 1 {
			t.Errorf("%d mistakes, %d told", len(errs), len(Told(errs)))
		}
	}
}

// TestManyMistakes cost what their number costs, and a name that no job has costs no comparison with all.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "a%d: x\n", i)
	}
	if _, errs := Load(File{Name: "x", Content: []byte(b.String())}, Options{}); len(errs) < 20_000 {
		t.Errorf("%d mistakes", len(errs))
	}
}
