package config

import (
	"os"
	"regexp"
	"testing"
)

// TestTheExamplesOfTheDocs compile, without a warning.
func TestTheExamplesOfTheDocs(t *testing.T) {
	n := 0
	for _, name := range []string{"configuration.md", "chatops.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```ya?ml\n(.*?)```").FindAllSubmatch(text, -1) {
			n++
			if name == "chatops.md" { // parts of a configuration, whose stages stand elsewhere
				m[1] = append([]byte("stages: [build, test, chatops]\n"), m[1]...)
			}
			r, err := LoadWith(File{Name: name, Content: m[1]}, Options{})
			for _, e := range append(r.Errors, r.Warnings...) {
				t.Errorf("%s:\n%s%s", name, m[1], e.Report())
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d examples were found", n)
	}
}
