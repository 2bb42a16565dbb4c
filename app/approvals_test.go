package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

// TestProtectedEnvironments let only some deploy, and only after others have approved.
func TestProtectedEnvironments(t *testing.T) {
	each(t, func(t *testing.T, o models.Options) {
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
		w.must(200, "PUT", base+"/production", map[string]any{"required_approval_count": 0, "deploy_access_levels": []any{map[string]any{"user_id": ids["dev"]}}}, nil)
		id = push("dev", "topic2")
		if j := w.jobs(id)["deploy"]; j.Status != "pending" {
			t.Errorf("a named user deploys: %+v", j)
		}
		w.must(204, "DELETE", base+"/production", nil, nil)
	})
}
