package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/models"

	gocmp "github.com/google/go-cmp/cmp"
)

// noError ends the test at an error.
func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// treeOf makes a working tree of these files.
func treeOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		noError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		noError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// lint runs the command as the defaults of its flags have it and gives what it prints and its exit status.
func lint(t *testing.T, c LintCommand) (string, int) {
	t.Helper()
	c.File, c.Source, c.Ref = ".gitlab-ci.yml", cmp.Or(c.Source, "push"), cmp.Or(c.Ref, "main")
	var out strings.Builder
	err := c.run(&out, false)
	if err == nil {
		return out.String(), 0
	}
	var coded *codedError
	if !errors.As(err, &coded) {
		t.Fatalf("the error has no exit status: %v", err)
	}
	return out.String() + err.Error(), coded.ExitCode()
}

func TestLintSaysWhichJobsRunAndWhyOthersDoNot(t *testing.T) {
	dir := treeOf(t, map[string]string{
		".gitlab-ci.yml": `include: ci/*.yml
build:
  script: make
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
docs:
  script: make docs
  rules:
    - changes: ["docs/**/*"]
`,
		"ci/more.yml": "release: {script: [x], only: [tags]}\n",
	})
	for _, tc := range []struct {
		name string
		c    LintCommand
		want []string
	}{
		{"a push", LintCommand{Changed: []string{"README.md"}}, []string{"✓ build (test, on_success)", "– docs: ", "`changes`", "– release: "}},
		{"a tag", LintCommand{Tag: "v1", Changed: []string{"docs/a/b.md"}}, []string{"on v1 gets", "– build: ", "✓ docs", "✓ release"}},
	} {
		tc.c.Dir, tc.c.DryRun = dir, true
		text, code := lint(t, tc.c)
		if code != 0 {
			t.Errorf("%s: exit %d", tc.name, code)
		}
		for _, want := range tc.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", tc.name, want, text)
			}
		}
	}
}

func TestLintAnswersAsJSON(t *testing.T) {
	text, code := lint(t, LintCommand{Dir: treeOf(t, map[string]string{".gitlab-ci.yml": "a:\n  scrpt: x\n"}), JSON: true})
	var answer struct {
		Valid       bool
		Errors      []string
		Merged      *string `json:"merged_yaml"`
		Diagnostics []diagnostic
	}
	noError(t, json.Unmarshal([]byte(text), &answer))
	if code != 1 || answer.Valid || answer.Merged != nil || len(answer.Errors) == 0 || len(answer.Diagnostics) == 0 {
		t.Fatalf("exit %d:\n%s", code, text)
	}
	if d := answer.Diagnostics[0]; d.File != ".gitlab-ci.yml" || d.Line == 0 || d.Excerpt == "" {
		t.Errorf("a mistake without its place: %+v", d)
	}
}

// TestLintAnswersAsGitLab: the shape of the answer, of a valid configuration and of one with mistakes of several kinds.
func TestLintAnswersAsGitLab(t *testing.T) {
	for _, tc := range []struct {
		files map[string]string
		want  string
		code  int
	}{
		{map[string]string{
			".gitlab-ci.yml": "include: ci/b.yml\na: {script: x, tags: [t], environment: prod, needs: [b], allow_failure: true}\nc: {script: y, rules: [{when: manual}]}\n", "ci/b.yml": "b: {script: [b], stage: build, before_script: p, only: [main]}\n",
		}, `{
  "valid": true,
  "errors": [],
  "warnings": [
    "jobs:c may allow multiple pipelines to run for a single action due to ` + "`rules:when` clause with no `workflow:rules`" + ` - read more: https://docs.gitlab.com/ee/ci/jobs/job_troubleshooting.html#job-may-allow-multiple-pipelines-to-run-for-a-single-action-warning"
  ],
  "merged_yaml": "---\nb:\n  script:\n  - b\n  stage: build\n  before_script: p\n  only:\n  - main\na:\n  script: x\n  tags:\n  - t\n  environment: prod\n  needs:\n  - b\n  allow_failure: true\nc:\n  script: y\n  rules:\n  - when: manual\n",
  "includes": [
    {
      "blob": null,
      "context_project": null,
      "context_sha": null,
      "extra": {},
      "location": "ci/b.yml",
      "raw": null,
      "type": "local"
    }
  ],
  "jobs": [
    {"name":"b","stage":"build","before_script":["p"],"script":["b"],"after_script":[],"tag_list":[],"only":{"refs":["main"]},"environment":null,"when":"on_success","allow_failure":false},
    {"name":"a","stage":"test","before_script":[],"script":["x"],"after_script":[],"tag_list":["t"],"only":{"refs":["branches","tags"]},"environment":"prod","when":"on_success","allow_failure":true,"needs":[{"artifacts":true,"name":"b","optional":false}]},
    {"name":"c","stage":"test","before_script":[],"script":["y"],"after_script":[],"tag_list":[],"environment":null,"when":"on_success","allow_failure":false}
  ],
  "diagnostics": [
    {"severity":"warning","text":"…","file":".gitlab-ci.yml","line":3,"column":25,"excerpt":"…","told":true}
  ]
}`, 0},
		{map[string]string{".gitlab-ci.yml": "a: {scrpt: x, script: x, image: [y]}\nb: {script: x, needs: [aa]}\n"}, `{
  "valid": false,
  "errors": ["jobs:a config contains unknown keys: scrpt"],
  "warnings": [], "merged_yaml": null, "includes": [], "jobs": [],
  "diagnostics": [
    {"severity":"error","text":"jobs:a config contains unknown keys: scrpt","file":".gitlab-ci.yml","line":1,"column":5,"excerpt":"…","hint":"Did you mean ` + "`script`" + `?","told":true},
    {"severity":"error","text":"jobs:a:image config should be a hash or a string","file":".gitlab-ci.yml","line":1,"column":33,"excerpt":"…","told":false},
    {"severity":"error","text":"b job: undefined need: aa","file":".gitlab-ci.yml","line":2,"column":24,"excerpt":"…","hint":"Did you mean ` + "`a`" + `?","told":false}
  ]
}`, 1},
	} {
		text, code := lint(t, LintCommand{Dir: treeOf(t, tc.files), JSON: true})
		var got, want any
		noError(t, json.Unmarshal([]byte(strings.TrimSpace(text)), &got))
		noError(t, json.Unmarshal([]byte(tc.want), &want))
		for _, d := range got.(map[string]any)["diagnostics"].([]any) {
			d := d.(map[string]any)
			if d["excerpt"] == "" {
				t.Errorf("no excerpt: %v", d)
			}
			if d["excerpt"] = "…"; d["severity"] == "warning" {
				d["text"] = "…"
			}
		}
		if d := gocmp.Diff(want, got); d != "" || code != tc.code {
			t.Errorf("exit %d\n%s", code, d)
		}
	}
}

// TestLintPrintsItsSchema, which is JSON, without looking at any file.
func TestLintPrintsItsSchema(t *testing.T) {
	text, code := lint(t, LintCommand{Dir: "/nowhere", Schema: true})
	var schema map[string]any
	noError(t, json.Unmarshal([]byte(text), &schema))
	if code != 0 || schema["$schema"] != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("exit %d, %v", code, schema["$schema"])
	}
}

func TestLintEndsWithItsStatus(t *testing.T) {
	one := func(text string) string { return treeOf(t, map[string]string{".gitlab-ci.yml": text}) }
	linked := one("include: secret.yml\na: {script: x}")
	noError(t, os.Symlink(filepath.Join(treeOf(t, map[string]string{"secret.yml": "b: {script: x}"}), "secret.yml"), filepath.Join(linked, "secret.yml")))
	for _, tc := range []struct {
		name string
		c    LintCommand
		want int
	}{
		{"valid", LintCommand{Dir: one("a: {script: x}")}, 0},
		{"not valid", LintCommand{Dir: one("a: [")}, 1},
		{"a job less pipeline", LintCommand{Dir: one("a: {script: x, only: [tags]}"), DryRun: true}, 1},
		{"no file", LintCommand{Dir: t.TempDir()}, 2},
		{"no such source", LintCommand{Dir: one("a: {script: x}"), Source: "nothing"}, 2},
		{"an include that needs a server", LintCommand{Dir: one("include: {project: a/b, file: c.yml}\na: {script: x}")}, 2},
		{"a link out of the tree", LintCommand{Dir: linked}, 2},
	} {
		if text, code := lint(t, tc.c); code != tc.want {
			t.Errorf("%s: exit %d, not %d:\n%s", tc.name, code, tc.want, text)
		}
	}
}

// TestLintListsJobsStageByStage, with and without a plan, however they stand in the file.
func TestLintListsJobsStageByStage(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a.txt": "one"})
	content := "last: {script: x, stage: .post}\nship: {script: x, stage: deploy}\ntwo: {script: x}\nfirst: {script: x, stage: .pre}\nthree: {script: x}\n"
	for _, dry := range []bool{false, true} {
		var found struct{ Jobs []struct{ Name string } }
		w.must(200, "POST", "/projects/"+w.project+"/ci/lint", map[string]any{"content": content, "include_jobs": true, "dry_run": dry}, &found)
		var names []string
		for _, j := range found.Jobs {
			names = append(names, j.Name)
		}
		if strings.Join(names, " ") != "first two three ship last" {
			t.Errorf("dry run %v: %v", dry, names)
		}
	}
}

// TestTimesOfFilters are read as clients write them.
func TestTimesOfFilters(t *testing.T) {
	w := start(t, models.Options{})
	w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
	for _, at := range []string{"2021-03-24T10:15:21.0324z", "2021-03-24T10:15:21%2B0200", "2021-03-24T10:15:21+0200", "2021-03-24"} {
		var all []pipelineJSON
		w.must(200, "GET", "/projects/"+w.project+"/pipelines?updated_after="+at, nil, &all)
		if len(all) != 1 {
			t.Errorf("%s: %d pipelines", at, len(all))
		}
	}
}
