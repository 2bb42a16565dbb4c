package config

import (
	"regexp"
	"strings"
	"testing"
)

// TestMistakesOfListsStandAtTheirItem and say how an item that was meant as a text is written.
func TestMistakesOfListsStandAtTheirItem(t *testing.T) {
	for text, want := range map[string]struct {
		line, column int
		hint         string
	}{
		"j:\n  script:\n    - echo fine\n    - echo 'hello: world'\n":      {4, 7, `A colon and a blank make this item a hash. Put quotes around the whole of it to make it a string: - "echo 'hello: world'"`},
		"j:\n  script:\n    - echo \"a\" 'hello: world'\n":                 {3, 7, `make it a string: - 'echo "a" ''hello: world'''`},
		"j:\n  script:\n    - a\n    - [b, c]\n    - echo key: value\n":    {5, 7, `- 'echo key: value'`},
		"j:\n  script:\n    - a\n    - - b\n      - echo key: value\n":     {5, 9, `- 'echo key: value'`},
		"j:\n  script:\n    - true\n":                                      {3, 7, "This item is a boolean value. Put quotes around the whole of it to make it a string: - 'true'"},
		"j:\n  script:\n    - a\n    - 5\n":                                {4, 7, "- '5'"},
		"j:\n  before_script: [a, {b: c}]\n  script: x\n":                  {2, 23, "Put quotes around the whole of it to make it a string."},
		"j:\n  script:\n    - {b: c}\n":                                    {3, 8, "to make it a string."},
		"j:\n  script: x\n  tags:\n    - linux\n    - 64\n":                {5, 7, "- '64'"},
		"j:\n  script: x\n  cache:\n    paths:\n      - a\n      - b: c\n": {6, 9, "- 'b: c'"},
		"stages:\n  - build\n  - test: x\nj: {script: x, stage: build}\n":  {3, 5, "- 'test: x'"},
		"j:\n  script: {a: b}\n":                                           {2, 12, ""},
	} {
		_, errs := load(text)
		if len(errs) == 0 {
			t.Errorf("%q is taken", text)
			continue
		}
		e := errs[0]
		if e.Line != want.line || e.Column != want.column || !strings.Contains(e.Hint, want.hint) || want.hint == "" && e.Hint != "" {
			t.Errorf("%q: %d:%d %q (%s), want %d:%d %q", text, e.Line, e.Column, e.Hint, e.Text, want.line, want.column, want.hint)
		}
	}
}

// TestNamesOfParallelJobs are those of a map: the later of two jobs counts, at the place of the first.
func TestNamesOfParallelJobs(t *testing.T) {
	for text, want := range map[string]string{
		"test-job: {script: matrix, parallel: {matrix: [{A: [denmark, norway], B: stage}]}}\n'test-job: [denmark, stage]': {script: own}": "test-job: [denmark, stage]=own test-job: [norway, stage]=matrix",
		"'p 1/2': {script: own}\nb: {script: b}\np: {script: parallel, parallel: 2}":                                                      "p 1/2=parallel b=b p 2/2=parallel",
		"p: {script: parallel, parallel: 2}\nb: {script: b}\n'p 2/2': {script: own}":                                                      "p 1/2=parallel p 2/2=own b=b",
		"p: {script: one, parallel: 2}\n'p 1/2': {script: own, parallel: 2}":                                                              "p 1/2=one p 2/2=one p 1/2 1/2=own p 1/2 2/2=own",
	} {
		c, errs := load(text)
		if len(errs) > 0 {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		var got []string
		for _, j := range c.Jobs {
			got = append(got, j.Name+"="+j.Script[0])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s:\n%q, want\n%q", text, strings.Join(got, " "), want)
		}
	}
}

func TestLocalPatterns(t *testing.T) {
	files := []string{"a.yml", "configs/a.yml", "configs/b.txt", "configs/sub/b.yml", "configs/sub/deep/c.yml", "other/configs/x.yml", "configsXa.yml"}
	for pattern, want := range map[string]string{
		"configs/*.yml":      "configs/a.yml",
		"/configs/*.yml":     "configs/a.yml",
		"configs/**.yml":     "configs/a.yml configs/sub/b.yml configs/sub/deep/c.yml",
		"configs/**/*.yml":   "configs/sub/b.yml configs/sub/deep/c.yml",
		"configs/**/**/*":    "configs/sub/deep/c.yml",
		"**/*.yml":           "configs/a.yml configs/sub/b.yml configs/sub/deep/c.yml other/configs/x.yml",
		"**.yml":             "a.yml configs/a.yml configs/sub/b.yml configs/sub/deep/c.yml other/configs/x.yml configsXa.yml",
		"*.yml":              "a.yml configsXa.yml",
		"configs/sub/*":      "configs/sub/b.yml",
		"configs.a.yml*":     "",
		"configs/s**/?.yml*": "",
	} {
		re := regexp.MustCompile(LocalPattern(pattern))
		var got []string
		for _, f := range files {
			if re.MatchString(f) {
				got = append(got, f)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", pattern, got, want)
		}
	}
}

// TestReleaseTimes: every form that the configuration takes is one that a release reads.
func TestReleaseTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31T10:00:00Z": "2026-01-31T10:00:00Z", "2026-01-31t10:00:00z": "2026-01-31T10:00:00Z", "2026-01-31T10:00:00+0200": "2026-01-31T08:00:00Z",
		"2026-01-31 10:00:00": "2026-01-31T10:00:00Z", "2026-01-31 10:00:00 +0100": "2026-01-31T09:00:00Z", "2026-01-31": "2026-01-31T00:00:00Z", "soon": "",
	} {
		_, errs := load("j: {script: x, release: {tag_name: v, description: d, released_at: '" + text + "'}}")
		at, ok := ReleaseTime(text)
		if got := at.Format("2006-01-02T15:04:05Z07:00"); ok != (want != "") || ok && got != want || ok != (len(errs) == 0) {
			t.Errorf("%s: %s, %v", text, got, errs)
		}
	}
}
