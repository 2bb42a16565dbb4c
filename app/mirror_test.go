package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

const mirrorConfig = `
stages: [wait, deploy]
lib: {stage: wait, needs: {pipeline: root/lib}}
deploy: {stage: deploy, script: ship}
`

// inProject lets the world speak of another project while it does something.
func (w *world) inProject(project string, do func()) {
	old := w.project
	w.project = project
	defer func() { w.project = old }()
	do()
}

// TestBridgesShowPipelinesOfOtherProjects with needs:pipeline: from the moment that they wait, through failure, retry and
// success, over a restart.
func TestBridgesShowPipelinesOfOtherProjects(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		up := w.pushed("lib", map[string]string{".gitlab-ci.yml": "check: {script: x}"})
		lib, check := w.project, w.jobs(up)["check"].ID
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": mirrorConfig})
		w.settled()
		b := w.bridges(id)["lib"]
		if b.Status != "pending" || b.Downstream != nil || len(w.jobs(id)) != 1 {
			t.Fatalf("while the other pipeline is pending: %+v %v", b, w.jobs(id))
		}
		h.run(check)
		w.bridge(id, "lib", "running")
		v := w.visitor("root", "root-password")
		for _, path := range []string{fmt.Sprintf("/root/app/-/pipelines/%d", id), fmt.Sprintf("/root/app/-/jobs/%d", b.ID)} {
			if status, page, _ := v.get(path); status != 200 || !strings.Contains(page, fmt.Sprintf("/root/lib/-/pipelines/%d\">root/lib #%d", up, up)) {
				t.Errorf("%s does not lead to the other pipeline: %d %s", path, status, page)
			}
		}
		h.fail(check)
		if b = w.bridge(id, "lib", "failed"); b.FailureReason != "unknown_failure" {
			t.Errorf("after it failed: %+v", b)
		}
		w.state(id, "failed")
		w.down()
		w.up()
		h.client.URL = w.node.Local
		w.inProject(lib, func() {
			w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", lib, up), nil, nil)
			check = w.jobs(up)["check"].ID
		})
		w.bridge(id, "lib", "running")
		w.state(id, "running")
		h.success(check)
		w.bridge(id, "lib", "success")
		w.eventually("the stage after it", func() bool { return w.jobs(id)["deploy"].Status == "pending" })
		h.success(w.jobs(id)["deploy"].ID)
		w.state(id, "success")

		// A newer pipeline is for those that begin to wait after it was made.
		var second int64
		w.inProject(lib, func() { second = w.create("main", nil).ID })
		w.settled()
		if got := w.bridges(id)["lib"].Status; got != "success" {
			t.Errorf("a bridge after a newer pipeline: %s", got)
		}
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, b.ID), nil, nil)
		w.settled()
		if got := w.bridges(id)["lib"]; got.ID == b.ID || got.Status != "pending" {
			t.Errorf("another attempt: %+v", got)
		}
		w.inProject(lib, func() { w.must(200, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/cancel", lib, second), nil, nil) })
		w.bridge(id, "lib", "canceled")
		w.state(id, "canceled")

		// One that is ended already is shown at once.
		third := w.create("main", nil).ID
		w.bridge(third, "lib", "canceled")
		w.inProject(lib, func() { second = w.create("main", nil).ID })
		fourth := w.create("main", nil).ID
		w.settled()
		w.must(200, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/cancel", w.project, fourth), nil, nil)
		w.inProject(lib, func() { h.success(w.jobs(second)["check"].ID) })
		w.settled()
		if got := w.bridges(fourth)["lib"].Status; got != "canceled" {
			t.Errorf("a bridge that somebody canceled goes on: %s", got)
		}
		fifth := w.create("main", nil).ID
		w.bridge(fifth, "lib", "success")

		// Nobody hears of one that is deleted any more.
		w.inProject(lib, func() { second = w.create("main", nil).ID })
		sixth := w.create("main", nil).ID
		w.settled()
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/pipelines/%d", lib, second), nil, nil)
		b = w.bridge(sixth, "lib", "failed")
		if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", b.ID)); !strings.Contains(page, "was deleted") {
			t.Errorf("the page does not say why: %s", page)
		}
	})
}

// TestBridgesThatShowWhatWaits follow pipelines that wait for somebody or are skipped.
func TestBridgesThatShowWhatWaits(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		up := w.pushed("lib", map[string]string{".gitlab-ci.yml": "check: {script: x, rules: [{when: manual, allow_failure: false}]}"})
		lib := w.project
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": mirrorConfig})
		b := w.bridge(id, "lib", "manual")
		w.state(id, "manual")
		w.refused(400, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, b.ID), nil, `{"message":"400 Bad request - Unplayable Job"}`)
		w.inProject(lib, func() {
			w.act(w.jobs(up)["check"].ID, "play")
			h.run(w.jobs(up)["check"].ID)
		})
		w.bridge(id, "lib", "running")
		w.inProject(lib, func() { h.success(w.jobs(up)["check"].ID) })
		w.bridge(id, "lib", "success")

		// The newest commit counts, even if it has no pipeline, or a skipped one.
		if out, err := w.tryPush("lib", rootToken, "main", map[string]string{"x": "y"}, "-o", "ci.skip"); err != nil {
			t.Fatal(out)
		}
		w.bridge(w.create("main", nil).ID, "lib", "skipped")
	})
}

// TestBridgesThatFindNothing say so, with GitLab's reasons.
func TestBridgesThatFindNothing(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("lib")
		id := w.pushed("empty", map[string]string{".gitlab-ci.yml": "lib: {needs: [{pipeline: root/lib}]}\nbuild: {script: x}"})
		b := w.bridge(id, "lib", "skipped")
		if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/empty/-/jobs/%d", b.ID)); !strings.Contains(page, "has no pipeline") {
			t.Errorf("the page does not say why: %s", page)
		}
		id = w.pushed("nowhere", map[string]string{".gitlab-ci.yml": "lib: {needs: {pipeline: root/nothing}}"})
		if b := w.bridge(id, "lib", "failed"); b.FailureReason != "upstream_bridge_project_not_found" {
			t.Errorf("no such project: %+v", b)
		}
		w.state(id, "failed")
		id = w.pushed("itself", map[string]string{".gitlab-ci.yml": "lib: {needs: {pipeline: root/itself}}"})
		if b := w.bridge(id, "lib", "failed"); b.FailureReason != "invalid_bridge_trigger" {
			t.Errorf("its own pipeline: %+v", b)
		}

		w.pushed("secret", map[string]string{".gitlab-ci.yml": "check: {script: x}"})
		w.newProject("app")
		w.push("app", map[string]string{"README.md": "x"})
		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		if out, err := w.tryPush("app", token, "topic", map[string]string{".gitlab-ci.yml": "lib: {needs: {pipeline: root/secret}}"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		if b := w.bridge(w.newest(), "lib", "failed"); b.FailureReason != "insufficient_upstream_permissions" {
			t.Errorf("a project that the user may not read: %+v", b)
		}
		id = w.pushed("both", map[string]string{".gitlab-ci.yml": "lib: {trigger: root/secret, needs: {pipeline: root/secret}}"})
		if p := w.of(id); p.Status != "failed" || p.YAMLErrors == nil || !strings.Contains(*p.YAMLErrors, "cannot run yet") {
			t.Errorf("both at once: %+v", p)
		}
	})
}
