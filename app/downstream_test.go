package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

type bridgeJSON struct {
	jobJSON
	Downstream *pipelineJSON `json:"downstream_pipeline"`
}

func (w *world) bridges(pipeline int64) map[string]bridgeJSON {
	w.t.Helper()
	var list []bridgeJSON
	w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/bridges?per_page=100", w.project, pipeline), nil, &list)
	out := map[string]bridgeJSON{}
	for _, b := range list {
		out[b.Name] = b
	}
	return out
}

// bridge waits until a bridge is in a status.
func (w *world) bridge(pipeline int64, name, status string) (b bridgeJSON) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s is %s", name, status), func() bool {
		b = w.bridges(pipeline)[name]
		return b.Status == status
	})
	return b
}

// pushed pushes files to a new project and gives the pipeline.
func (w *world) pushed(path string, files map[string]string) int64 {
	w.t.Helper()
	w.newProject(path)
	w.push(path, files)
	w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
	return w.newest()
}

// state waits until a pipeline's status is one.
func (w *world) state(id int64, status string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("pipeline %d is %s", id, status), func() bool { return w.of(id).Status == status })
}

const parentConfig = `
variables: {FROM_ROOT: root}
stages: [build, test, deploy]
build: {stage: build, script: make}
children:
  stage: test
  variables: {PARENT: $CI_PIPELINE_ID, TARGET: $CI_COMMIT_BRANCH-x, PLAIN: {value: $NOT, expand: false}}
  trigger: {include: child.yml, strategy: depend, forward: {pipeline_variables: true}}
deploy: {stage: deploy, script: ship}
`

const childConfig = `
unit: {script: test, rules: [{if: $CI_PIPELINE_SOURCE == "parent_pipeline"}]}
never: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == "push"}]}
`

// TestChildPipelines follows a child pipeline with strategy: depend through failure, retry and success, over a restart.
func TestChildPipelines(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		parent := w.pushed("app", map[string]string{".gitlab-ci.yml": parentConfig, "child.yml": childConfig})
		h.success(w.jobs(parent)["build"].ID)
		b := w.bridge(parent, "children", "running")
		if b.Downstream == nil || b.Downstream.Source != "parent_pipeline" || len(w.jobs(parent)) != 2 {
			t.Fatalf("bridge %+v, jobs %v", b, w.jobs(parent))
		}
		if len(w.pipelines()) != 1 {
			t.Errorf("the child is in the list of pipelines: %v", w.pipelines())
		}
		child := b.Downstream.ID
		if got := statuses(w.jobs(child)); got != "unit:pending" {
			t.Fatalf("child: %s", got)
		}
		unit := w.jobs(child)["unit"].ID
		for key, want := range map[string]string{
			"PARENT": fmt.Sprint(parent), "TARGET": "main-x", "PLAIN": "$NOT", "FROM_ROOT": "root",
			"CI_UPSTREAM_PIPELINE_ID": fmt.Sprint(parent), "CI_UPSTREAM_JOB_ID": fmt.Sprint(b.ID), "CI_PIPELINE_SOURCE": "parent_pipeline",
		} {
			if got := h.variable(unit, key); got != want {
				t.Errorf("%s is %q in the child, want %q", key, got, want)
			}
		}
		page := func(id int64) string {
			_, text, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/pipelines/%d", id))
			return text
		}
		if !strings.Contains(page(parent), fmt.Sprintf("/-/pipelines/%d\">#%d", child, child)) || !strings.Contains(page(child), fmt.Sprintf("pipeline #%d</a>", parent)) {
			t.Error("the pages do not lead from one to the other")
		}
		h.fail(unit)
		w.bridge(parent, "children", "failed")
		w.state(parent, "failed")
		if got := statuses(w.jobs(parent)); got != "build:success deploy:skipped" {
			t.Errorf("after the child failed: %s", got)
		}
		w.down()
		w.up()
		h.client.URL = w.node.Local
		w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", w.project, child), nil, nil)
		w.bridge(parent, "children", "pending")
		w.state(parent, "running")
		h.success(w.jobs(child)["unit"].ID)
		w.bridge(parent, "children", "success")
		w.eventually("the stage after the child", func() bool { return w.jobs(parent)["deploy"].Status == "pending" })
		h.success(w.jobs(parent)["deploy"].ID)
		w.state(parent, "success")

		var again bridgeJSON
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, w.bridges(parent)["children"].ID), nil, &again)
		if again.ID == b.ID || again.Status != "pending" && again.Status != "running" {
			t.Errorf("the next attempt of the bridge: %+v", again)
		}
		second := w.bridge(parent, "children", "running").Downstream.ID
		if second == child {
			t.Error("a retried bridge starts a pipeline of its own")
		}
		w.must(200, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/cancel", w.project, parent), nil, nil)
		w.state(second, "canceled")
		w.bridge(parent, "children", "canceled")
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, parent), nil, nil)
		w.must(404, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, child), nil, nil)
		w.must(404, "GET", fmt.Sprintf("/projects/%s/jobs/%d", w.project, b.ID), nil, nil)
	})
}

// TestABridgeThatShowsASkippedPipeline goes on to show it when something before is started: nobody could start it again.
func TestABridgeThatShowsASkippedPipeline(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{
			".gitlab-ci.yml": "stages: [a, b]\nbutton: {stage: a, script: x, when: manual}\ngo: {stage: b, when: manual, trigger: {include: child.yml, strategy: mirror}}",
			"child.yml":      "unit: {script: x, when: on_failure}",
		})
		w.act(w.bridges(id)["go"].ID, "play")
		w.bridge(id, "go", "skipped")
		button := w.jobs(id)["button"].ID
		w.act(button, "play")
		h.success(button)
		w.state(id, "success")
		w.settled()
		if b := w.bridges(id)["go"]; b.Status != "skipped" || b.Downstream.Status != "skipped" {
			t.Errorf("the bridge: %+v", b)
		}
	})
}

// TestBridgesThatFail say why.
func TestBridgesThatFail(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		nested := "next: {trigger: {include: nested.yml}}"
		for name, c := range map[string]struct {
			files  map[string]string
			reason string
			page   string
		}{
			"no such project":      {map[string]string{".gitlab-ci.yml": "go: {trigger: nobody/nothing}"}, "downstream_bridge_project_not_found", "nobody/nothing"},
			"nothing is left":      {map[string]string{".gitlab-ci.yml": "go: {trigger: $UNKNOWN}"}, "downstream_project_trigger_resolved_to_empty", "empty"},
			"its own project":      {map[string]string{".gitlab-ci.yml": "go: {trigger: $CI_PROJECT_PATH}"}, "invalid_bridge_trigger", "own project"},
			"a broken child":       {map[string]string{".gitlab-ci.yml": "go: {trigger: {include: c.yml}}", "c.yml": "job: {}"}, "downstream_pipeline_creation_failed", "jobs job config should implement"},
			"no file":              {map[string]string{".gitlab-ci.yml": "go: {trigger: {include: c.yml}}"}, "downstream_pipeline_creation_failed", "c.yml"},
			"a child without jobs": {map[string]string{".gitlab-ci.yml": "go: {trigger: {include: c.yml}}", "c.yml": "job: {script: x, rules: [{when: never}]}"}, "downstream_pipeline_creation_failed", "would have been empty"},
		} {
			path := strings.ReplaceAll(name, " ", "-")
			id := w.pushed(path, c.files)
			b := w.bridge(id, "go", "failed")
			if b.FailureReason != c.reason {
				t.Errorf("%s: %s, want %s", name, b.FailureReason, c.reason)
			}
			if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/%s/-/jobs/%d", path, b.ID)); !strings.Contains(page, c.page) {
				t.Errorf("%s: the page does not say %q: %s", name, c.page, page)
			}
			w.state(id, "failed")
		}
		id := w.pushed("nested", map[string]string{".gitlab-ci.yml": nested, "nested.yml": nested})
		for range 2 {
			b := w.bridge(id, "next", "success")
			id = b.Downstream.ID
		}
		if b := w.bridge(id, "next", "failed"); b.FailureReason != "reached_max_descendant_pipelines_depth" {
			t.Errorf("three levels: %+v", b)
		}
	})
}

// TestTwoProjectsThatStartEachOther come to an end: no ref of a project stands more than twice among those that led to a
// pipeline. What ended so is not tried again.
func TestTwoProjectsThatStartEachOther(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("b")
		b := w.project
		w.push("b", map[string]string{".gitlab-ci.yml": "go: {trigger: {project: root/a, strategy: depend}, rules: [{if: $CI_PIPELINE_SOURCE == \"pipeline\"}]}"})
		w.newProject("a")
		a := w.project
		w.push("a", map[string]string{".gitlab-ci.yml": "go: {trigger: {project: root/b, strategy: depend}}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) > 0 })
		all := w.pipelines()
		first := all[len(all)-1].ID
		id := first
		var last bridgeJSON
		for i := 0; ; i++ {
			w.project = []string{a, b}[i%2]
			w.eventually("the bridge ends, or starts another pipeline", func() bool {
				last = w.bridges(id)["go"]
				return last.Status == "failed" || last.Downstream != nil
			})
			if last.Downstream == nil {
				break
			}
			id = last.Downstream.ID
		}
		if last.FailureReason != "pipeline_loop_detected" {
			t.Errorf("the end of the chain: %+v", last)
		}
		w.must(403, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, last.ID), nil, nil)
		w.project = a
		w.state(first, "failed")
		w.settled()
		if n := len(w.pipelines()); n != 3 {
			t.Errorf("%d pipelines of the first project", n)
		}
	})
}

// TestPipelinesOfOtherProjects are started as the user of the bridge, with the rights that this one has there.
func TestPipelinesOfOtherProjects(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.newProject("lib")
		lib := w.project
		w.push("lib", map[string]string{".gitlab-ci.yml": "spec: {inputs: {level: {default: none}}}\n---\ncheck: {script: x, variables: {LEVEL: '$[[ inputs.level ]]'}, rules: [{if: $CI_PIPELINE_SOURCE == \"pipeline\"}]}"})
		const config = "go: {trigger: {project: root/lib, branch: main, strategy: mirror, inputs: {level: $CI_COMMIT_BRANCH}}, variables: {SECRET: $KEPT}}\nafter: {stage: deploy, script: x}"
		w.newProject("app")
		w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "KEPT", "value": "for-protected-refs", "protected": true}, nil)
		w.push("app", map[string]string{".gitlab-ci.yml": config})
		app := w.project
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		up := w.newest()
		down := w.bridge(up, "go", "running").Downstream
		if down.Source != "pipeline" || down.Ref != "main" {
			t.Errorf("downstream %+v", down)
		}
		w.project = lib
		check := w.jobs(down.ID)["check"].ID
		if got := h.variable(check, "LEVEL"); got != "main" {
			t.Errorf("the input is %q", got)
		}
		if got := h.variable(check, "SECRET"); got != "" {
			t.Errorf("what is kept for protected refs went to another project: %q", got)
		}
		h.fail(check)
		w.project = app
		w.bridge(up, "go", "failed")
		w.project = lib
		w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", lib, down.ID), nil, nil)
		w.eventually("the check runs again", func() bool { return w.jobs(down.ID)["check"].Status == "pending" })
		h.success(w.jobs(down.ID)["check"].ID)
		w.project = app
		w.bridge(up, "go", "success")
		w.eventually("the next stage", func() bool { return w.jobs(up)["after"].Status == "pending" })

		id, token := w.user("dev")
		w.must(201, "POST", "/projects/"+app+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		w.must(201, "POST", "/projects/"+lib+"/members", map[string]any{"user_id": id, "access_level": 20}, nil)
		if out, err := w.tryPush("app", token, "dev", map[string]string{"x": "y"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 2 })
		if b := w.bridge(w.newest(), "go", "failed"); b.FailureReason != "insufficient_bridge_permissions" {
			t.Errorf("a reporter starts a pipeline: %+v", b)
		}

		// Whoever may retry there alone starts nothing here.
		w.push("app", map[string]string{"again": "x", ".gitlab-ci.yml": config + "\nalways: {stage: .post, script: x, when: on_failure}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 3 })
		up = w.newest()
		down = w.bridge(up, "go", "running").Downstream
		w.project = lib
		h.fail(w.jobs(down.ID)["check"].ID)
		w.project = app
		w.bridge(up, "go", "failed")
		w.eventually("the next stage is skipped", func() bool { return w.jobs(up)["after"].Status == "skipped" })
		id, token = w.user("stranger")
		w.must(201, "POST", "/projects/"+lib+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		if got := w.apiAs(token, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", lib, down.ID), nil, nil); got != 201 {
			t.Fatalf("retry: %d", got)
		}
		w.project = lib
		w.eventually("the check runs again", func() bool { return w.jobs(down.ID)["check"].Status == "pending" })
		h.success(w.jobs(down.ID)["check"].ID)
		w.project = app
		w.bridge(up, "go", "success")
		w.settled()
		if j := w.jobs(up)["after"]; j.Status != "skipped" {
			t.Errorf("a stranger's retry elsewhere started %+v", j)
		}
	})
}

// TestNeedsOfOtherPipelines fetch what the parent's and another project's jobs left.
func TestNeedsOfOtherPipelines(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		w.newProject("lib")
		w.push("lib", map[string]string{".gitlab-ci.yml": "make: {script: echo of the lib > lib.txt, artifacts: {paths: [lib.txt]}}"})
		w.pipeline("success")
		lib := w.project
		app := w.newProject("app")
		w.must(201, "POST", "/projects/"+lib+"/job_token_scope/allowlist", map[string]any{"target_project_id": app}, nil) // else its jobs are not let in
		w.push("app", map[string]string{
			".gitlab-ci.yml": `
stages: [build, test]
build: {stage: build, script: [echo of the parent > parent.txt, "echo 'made: {script: echo made by a job}' > made.yml"], artifacts: {paths: [parent.txt, made.yml]}}
child: {stage: test, variables: {PARENT: $CI_PIPELINE_ID}, trigger: {include: child.yml, strategy: depend}}
dynamic: {stage: test, trigger: {include: [{artifact: made.yml, job: build}], strategy: depend}}
`,
			"child.yml": `
use: {script: cat parent.txt lib.txt, needs: [{pipeline: $PARENT, job: build}, {project: root/lib, ref: main, job: make, artifacts: true}]}
`,
		})
		id := w.pipeline("success").ID
		child := w.bridges(id)["child"].Downstream.ID
		if log := w.trace(w.jobs(child)["use"].ID); !strings.Contains(log, "of the parent") || !strings.Contains(log, "of the lib") {
			t.Errorf("log of the child: %s", log)
		}
		if log := w.trace(w.jobs(w.bridges(id)["dynamic"].Downstream.ID)["made"].ID); !strings.Contains(log, "made by a job") {
			t.Errorf("log of the dynamic child: %s", log)
		}
	})
}
