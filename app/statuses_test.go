package app

import (
	"fmt"
	"testing"

	"signalbox/models"
)

// TestExternalStatuses count in the commit's pipeline, or make one.
func TestExternalStatuses(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		var p struct{ SHA string }
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, id), nil, &p)
		path := "/projects/" + w.project + "/statuses/" + p.SHA
		type status struct {
			ID          int64
			Status      string
			Name        string
			TargetURL   *string `json:"target_url"`
			Description *string
			Coverage    *float64
			PipelineID  int64 `json:"pipeline_id"`
		}
		var s, next status
		w.refused(400, "POST", path, map[string]any{"name": "x"}, `{"error":"state is missing"}`)
		w.must(404, "POST", "/projects/"+w.project+"/statuses/0000000000000000000000000000000000000000", map[string]any{"state": "pending"}, nil)
		w.must(201, "POST", path, map[string]any{"state": "pending", "name": "scan", "target_url": "https://scan.example.com/1", "description": "waits"}, &s)
		if s.Status != "pending" || s.PipelineID != id || *s.TargetURL != "https://scan.example.com/1" || *s.Description != "waits" {
			t.Errorf("status %+v", s)
		}
		h.success(w.jobs(id)["job"].ID)
		w.state(id, "running")
		w.must(201, "POST", path, map[string]any{"state": "running", "name": "scan"}, &next)
		w.must(201, "POST", path, map[string]any{"state": "failed", "name": "scan", "coverage": 12.5}, &next)
		if next.ID != s.ID || next.Status != "failed" || *next.Coverage != 12.5 {
			t.Errorf("the same status: %+v", next)
		}
		w.state(id, "failed")
		w.must(201, "POST", path, map[string]any{"state": "success", "name": "scan"}, &next)
		if next.ID == s.ID {
			t.Error("a status that had ended goes on")
		}
		w.state(id, "success")
		if len(w.jobs(id)) != 1 {
			t.Errorf("it is listed as a job: %v", w.jobs(id))
		}
		var list []status
		w.must(200, "GET", "/projects/"+w.project+"/repository/commits/"+p.SHA+"/statuses?all=true", nil, &list)
		if len(list) != 3 {
			t.Errorf("statuses of the commit: %+v", list)
		}
		w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", w.project, id), nil, nil)
		w.refused(400, "POST", path, map[string]any{"state": "running", "target_url": "javascript:alert(1)"}, `{"message":{"target_url":["is blocked: Only allowed schemes are http, https"]}}`)

		if out, err := w.tryPush("app", rootToken, "quiet", map[string]string{"x": "y"}, "-o", "ci.no_pipeline"); err != nil {
			t.Fatal(out)
		}
		var commit struct{ ID string }
		w.must(200, "GET", "/projects/"+w.project+"/repository/commits/quiet", nil, &commit)
		w.must(201, "POST", "/projects/"+w.project+"/statuses/"+commit.ID, map[string]any{"state": "success"}, &s)
		var made struct{ Source, Ref, Status string }
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, s.PipelineID), nil, &made)
		if made.Source != "external" || made.Ref != "quiet" || made.Status != "success" || s.Name != "default" {
			t.Errorf("pipeline %+v, status %+v", made, s)
		}
	})
}
