package config

import (
	"os"
	"regexp"
	"testing"
)

// TestTheExamplesOfTheDocs compile, without a warning.
func TestTheExamplesOfTheDocs(t *testing.T) {
	n := 0
	for _, name := range []string{"configuration.md", "chat-jobs.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```ya?ml\n(.*?)```").FindAllSubmatch(text, -1) {
			n++
			if name == "chat-jobs.md" { // parts of a configuration, whose stages stand elsewhere
				m[1] = append([]byte("stages: [build, test, chatops]\n"), m[1]...)
			}
			c, problems := Load(File{Name: name, Content: m[1]}, Options{})
			if len(problems) > 0 {
				t.Errorf("%s:\n%s%s", name, m[1], problems[0].Report())
			} else if len(c.Warnings) > 0 {
				t.Errorf("%s:\n%s%s", name, m[1], c.Warnings[0].Report())
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d examples were found", n)
	}
}
