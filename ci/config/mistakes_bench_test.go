package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkMistakes reads files that hold nothing but thousands of mistakes, or that are wide in one way: each costs in
// proportion to its size.
func BenchmarkMistakes(b *testing.B) {
	each := func(n int, format string) string {
		var text strings.Builder
		for i := range n {
			text.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return text.String()
	}
	stairs := "a:\n  b: foo\n" + strings.Repeat(" ", 399) + strings.Repeat("x ", 200_000)
	for i := 398; i > 2; i-- {
		stairs += "\n" + strings.Repeat(" ", i) + "- x"
	}
	for name, text := range map[string]string{
		"one line":       "{" + each(8000, "j#: {script: x, zz: 1}, ") + "}",
		"needs":          "a:\n  script: x\n  needs: &n [" + each(8000, "n#, ") + "]\n  dependencies: *n\n",
		"stages":         "stages: [" + each(8000, "stage#, ") + "]\n" + each(1000, "j#: {script: x, stage: stag#}\n"),
		"bases":          each(8000, ".h#: {tags: []}\n") + ".bad:\n  variables:\n" + each(8000, "    v#: {q: 1}\n") + "a:\n  script: x\n  extends: [" + each(8000, ".h#, ") + ".bad]\n",
		"rules of input": "spec:\n  inputs:\n    i: {default: z}\n" + each(4000, "    j#: {rules: [{if: '$[[ inputs.i ]] == \"z\"', options: [a], default: a}]}\n") + "---\na: {script: x}\n",
		"stairs":         stairs + "\n",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Load(File{Name: "x.yml", Content: []byte(text)}, Options{})
			}
		})
	}
}
