package app

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"signalbox/models"
)

// TestPushesThatWantNoPipeline : ci.skip keeps a skipped one, for a merge request too; ci.no_pipeline keeps none.
func TestPushesThatWantNoPipeline(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x, rules: [{when: on_success}]}"})
		push := func(branch, n, option string) {
			t.Helper()
			if out, err := w.tryPush("app", rootToken, branch, map[string]string{"n": n}, "-f", "-o", option); err != nil {
				t.Fatal(out)
			}
			w.settled()
		}
		push("topic", "1", "ci.no_pipeline")
		if n := len(w.pipelines()); n != 1 {
			t.Errorf("ci.no_pipeline: %d pipelines", n)
		}
		push("topic", "2", "ci.skip")
		p := w.of(w.newest())
		if len(w.pipelines()) != 2 || p.Status != "skipped" || p.Ref != "topic" || len(w.jobs(p.ID)) != 0 {
			t.Errorf("ci.skip: %+v", p)
		}
		w.must(201, "POST", "/projects/"+w.project+"/merge_requests", map[string]any{"source_branch": "topic", "target_branch": "main", "title": "Topic"}, nil)
		w.settled()
		before := len(w.pipelines())
		push("topic", "3", "ci.no_pipeline")
		if n := len(w.pipelines()); n != before {
			t.Errorf("ci.no_pipeline: %d more pipelines", n-before)
		}
		push("topic", "4", "ci.skip")
		made := w.pipelines()[:len(w.pipelines())-before]
		slices.SortFunc(made, func(a, b pipelineJSON) int { return strings.Compare(a.Source, b.Source) })
		if len(made) != 2 || made[0].Source != "merge_request_event" || made[0].Status != "skipped" || made[1].Source != "push" || made[1].Status != "skipped" {
			t.Errorf("ci.skip with a merge request: %+v", made)
		}
	})
}

// TestVariablesGivenTwice keep a failed pipeline that says so.
func TestVariablesGivenTwice(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		options := []string{"-o", "ci.variable=A=1", "-o", "ci.variable=A=2", "-o", "ci.variable=B=1", "-o", "ci.variable=B=2", "-o", "ci.variable=C=1"}
		if out, err := w.tryPush("app", rootToken, "main", map[string]string{".gitlab-ci.yml": "job: {script: x}"}, options...); err != nil {
			t.Fatal(out)
		}
		p := w.of(w.pipeline("failed").ID)
		if p.YAMLErrors == nil || *p.YAMLErrors != "Duplicate variable names: A, B" {
			t.Errorf("pipeline %+v", p)
		}
	})
}

// TestTheFirstRefsOfAPush get pipelines, counted by where they stand in it: what is deleted takes a place.
func TestTheFirstRefsOfAPush(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		push := func(refs ...string) (made []string) {
			t.Helper()
			before := w.newest()
			address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+rootToken+"@", 1) + "/root/app.git"
			dir := t.TempDir()
			cmd := exec.Command("bash", append([]string{"-c", `git clone -q "$1" work && cd work && shift && git push -q origin "$@" 2>&1`, "x", address}, refs...)...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			w.settled()
			for _, p := range w.pipelines() {
				if p.ID > before {
					made = append(made, p.Ref)
				}
			}
			slices.Sort(made)
			return made
		}
		if got := fmt.Sprint(push("HEAD:refs/heads/a", "HEAD:refs/heads/b", "HEAD:refs/heads/c", "HEAD:refs/heads/d", "HEAD:refs/tags/e")); got != "[a b c d]" {
			t.Errorf("five refs: %s", got)
		}
		if got := fmt.Sprint(push(":refs/heads/a", ":refs/heads/b", "HEAD:refs/heads/f", "HEAD:refs/tags/g", "HEAD:refs/tags/h")); got != "[f g]" {
			t.Errorf("two that go, three that come: %s", got)
		}
	})
}
