package config

import (
	"bytes"
	"os"
	"regexp"
	"slices"
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
				header, body, found := bytes.Cut(m[1], []byte("---\n"))
				if !found {
					header, body = nil, m[1]
				} else {
					header = append(header, "---\n"...)
				}
				m[1] = slices.Concat(header, []byte("stages: [build, test, chatops]\n"), body)
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
