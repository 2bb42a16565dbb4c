package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestProtectedEnvironments let only some deploy, and only after others have approved.
func TestProtectedEnvironments(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.newProject("app")
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"auto_cancel_pending_pipelines": "disabled"}, nil)
		tokens, ids := map[string]string{}, map[string]int64{}
		for name, level := range map[string]int{"dev": 30, "keeper": 40, "other": 40} {
			ids[name], tokens[name] = w.user(name)
			w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": ids[name], "access_level": level}, nil)
		}
		base := "/projects/" + w.project + "/protected_environments"
		w.refused(400, "POST", base, map[string]any{"name": "production"}, `{"message":{"deploy_access_levels":["can't be blank"]}}`)
		w.must(201, "POST", base, map[string]any{
			"name": "production", "deploy_access_levels": []any{map[string]any{"access_level": 40}}, "required_approval_count": 1,
		}, nil)
		w.must(409, "POST", base, map[string]any{"name": "production", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
		w.push("app", map[string]string{"first": "x"})
		push := func(who, branch string) int64 {
			t.Helper()
			before := len(w.pipelines())
			if out, err := w.tryPush("app", tokens[who], branch, map[string]string{"x": who + branch, ".gitlab-ci.yml": "deploy: {script: x, environment: production}\nafter: {stage: .post, script: x}"}); err != nil {
				t.Fatal(out)
			}
			w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == before+1 })
			return w.newest()
		}
		id := push("dev", "topic")
		if j := w.jobs(id)["deploy"]; j.Status != "failed" || j.FailureReason != "protected_environment_failure" {
			t.Errorf("a developer deploys: %+v", j)
		}
		id = push("keeper", "main")
		job := w.jobs(id)["deploy"]
		if job.Status != "manual" || w.of(id).Status != "manual" {
			t.Fatalf("before the approval: %+v", job)
		}
		var list []struct {
			ID     int64
			Status string
		}
		w.must(200, "GET", "/projects/"+w.project+"/deployments?order_by=id&sort=desc", nil, &list)
		if list[0].Status != "blocked" {
			t.Errorf("deployment %+v", list[0])
		}
		approval := fmt.Sprintf("/projects/%s/deployments/%d/approval", w.project, list[0].ID)
		for who, want := range map[string]int{"dev": 403, "keeper": 403} {
			if got := w.apiAs(tokens[who], "POST", approval, map[string]any{"status": "approved"}, nil); got != want {
				t.Errorf("%s approves: %d", who, got)
			}
		}
		if got := w.apiAs(tokens["keeper"], "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, job.ID), nil, nil); got != 403 {
			t.Errorf("it is started without approval: %d", got)
		}
		if _, page, _ := w.visitor("other", "other-password").get(fmt.Sprintf("/root/app/-/environments/%d", w.environment("production").ID)); !strings.Contains(page, "Approve") {
			t.Errorf("the page: %s", page)
		}
		if got := w.apiAs(tokens["other"], "POST", approval, map[string]any{"status": "approved", "comment": "fine"}, nil); got != 201 {
			t.Errorf("another one approves: %d", got)
		}
		h.success(w.jobs(id)["deploy"].ID)
		h.success(w.jobs(id)["after"].ID)
		w.state(id, "success")
		w.must(400, "POST", approval, map[string]any{"status": "approved"}, nil)

		id = push("keeper", "second")
		w.must(200, "GET", "/projects/"+w.project+"/deployments?order_by=id&sort=desc", nil, &list)
		w.must(201, "POST", fmt.Sprintf("/projects/%s/deployments/%d/approval", w.project, list[0].ID), map[string]any{"status": "rejected"}, nil)
		if j := w.jobs(id)["deploy"]; j.Status != "failed" || j.FailureReason != "deployment_rejected" {
			t.Errorf("rejected: %+v", j)
		}
		w.must(403, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, w.jobs(id)["deploy"].ID), nil, nil)
		w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", w.project, id), nil, nil)
		if j := w.jobs(id)["deploy"]; j.Status != "failed" {
			t.Errorf("what was rejected is tried again: %+v", j)
		}
		for _, path := range []string{fmt.Sprintf("/root/app/-/pipelines/%d", id), fmt.Sprintf("/root/app/-/jobs/%d", w.jobs(id)["deploy"].ID)} {
			if _, page, _ := w.visitor("root", "root-password").get(path); strings.Contains(page, fmt.Sprintf("/-/jobs/%d/retry", w.jobs(id)["deploy"].ID)) {
				t.Errorf("%s offers to try it again", path)
			}
		}
		w.must(200, "PUT", base+"/production", map[string]any{"required_approval_count": 0, "deploy_access_levels": []any{map[string]any{"user_id": ids["dev"]}}}, nil)
		id = push("dev", "topic2")
		if j := w.jobs(id)["deploy"]; j.Status != "pending" {
			t.Errorf("a named user deploys: %+v", j)
		}
		w.must(204, "DELETE", base+"/production", nil, nil)
	})
}

// TestProtectedEnvironmentsAreNotTouched by those who may not deploy to them; their time ends them all the same.
func TestProtectedEnvironmentsAreNotTouched(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x, environment: {name: production, auto_stop_in: 1 hour}}"})
		h.success(w.jobs(id)["deploy"].ID)
		w.settled()
		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/protected_environments", map[string]any{"name": "production", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
		var d struct{ ID int64 }
		told := map[string]any{"environment": "production", "sha": "main", "ref": "main", "tag": false, "status": "running"}
		w.must(201, "POST", "/projects/"+w.project+"/deployments", told, &d)
		one := fmt.Sprintf("/projects/%s/environments/%d", w.project, w.environment("production").ID)
		refused := func(method, path string, body map[string]any) {
			t.Helper()
			if got := w.apiAs(token, method, path, body, nil); got != 403 {
				t.Errorf("%s %s: %d", method, path, got)
			}
		}
		refused("PUT", one, map[string]any{"external_url": "https://elsewhere.example.com"})
		refused("POST", one+"/stop", nil)
		refused("POST", one+"/stop", map[string]any{"force": true})
		refused("POST", "/projects/"+w.project+"/deployments", told)
		refused("PUT", fmt.Sprintf("/projects/%s/deployments/%d", w.project, d.ID), map[string]any{"status": "success"})
		if e := w.environment("production"); e.State != "available" || e.ExternalURL != nil && *e.ExternalURL != "" {
			t.Errorf("it is %+v", e)
		}
		clock.set(61 * time.Minute)
		w.eventually("its time ends it", func() bool { return w.environment("production").State == "stopped" })
		refused("DELETE", one, nil)
		w.must(204, "DELETE", one, nil, nil)
	})
}

// TestARefusedDeploymentStopsItsPipeline as any other failure does, if the pipeline says so.
func TestARefusedDeploymentStopsItsPipeline(t *testing.T) {
	for name, build := range map[string]string{"by needs": ", needs: [build]", "by stage": ""} {
		onEither(t, func(t *testing.T, o models.Options) {
			t.Run(name, func(t *testing.T) {
				w := start(t, o)
				h := w.hand(false)
				w.newProject("app")
				dev, token := w.user("dev")
				w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
				w.must(201, "POST", "/projects/"+w.project+"/protected_environments", map[string]any{"name": "production", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
				w.push("app", map[string]string{"x": "y"})
				config := "workflow: {auto_cancel: {on_job_failure: all}}\nbuild: {stage: build, script: x}\nslow: {stage: test, script: x, needs: []}\n" +
					"deploy: {stage: " + map[bool]string{true: "deploy", false: "test"}[build != ""] + ", script: x, environment: production" + build + "}\n"
				if out, err := w.tryPush("app", token, "topic", map[string]string{".gitlab-ci.yml": config}); err != nil {
					t.Fatal(out)
				}
				w.settled()
				id := w.newest()
				h.success(w.jobs(id)["build"].ID)
				if got := statuses(w.jobs(id)); got != "build:success deploy:failed slow:canceled" {
					t.Errorf("jobs %s", got)
				}
				w.state(id, "failed")
			})
		})
	}
}
