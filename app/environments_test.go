package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/runnerproto"
)

type environmentJSON struct {
	ID             int64
	Name, Slug     string
	State, Tier    string
	ExternalURL    *string    `json:"external_url"`
	AutoStopAt     *time.Time `json:"auto_stop_at"`
	LastDeployment *struct {
		ID         int64
		Status     string
		SHA        string
		Deployable jobJSON
	} `json:"last_deployment"`
}

// environment reads one environment of the project by its name.
func (w *world) environment(name string) (e environmentJSON) {
	w.t.Helper()
	var list []environmentJSON
	w.must(200, "GET", "/projects/"+w.project+"/environments?name="+name, nil, &list)
	if len(list) != 1 {
		w.t.Fatalf("%d environments %s", len(list), name)
	}
	w.must(200, "GET", fmt.Sprintf("/projects/%s/environments/%d", w.project, list[0].ID), nil, &e)
	return e
}

const reviewConfig = `
stages: [deploy, stop]
deploy:
  stage: deploy
  script: x
  environment: {name: review/$CI_COMMIT_REF_SLUG, url: $ADDRESS, on_stop: stop, auto_stop_in: 1 day}
stop:
  stage: stop
  script: x
  when: manual
  needs: [deploy]
  environment: {name: review/$CI_COMMIT_REF_SLUG, action: stop}
`

// TestEnvironments deploys, stops by hand, by time and by the end of the branch.
func TestEnvironments(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 30*24*time.Hour })
		h := w.hand(false)
		w.newProject("app")
		for scope, value := range map[string]string{"*": "every", "review/*": "review", "review/main": "exact", "production": "other"} {
			w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "PLACE", "value": value, "environment_scope": scope}, nil)
		}
		w.push("app", map[string]string{".gitlab-ci.yml": reviewConfig})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		id := w.newest()
		e := w.environment("review/main")
		if e.State != "available" || e.Tier != "development" || !strings.HasPrefix(e.Slug, "review-main-") || e.LastDeployment != nil {
			t.Errorf("before the deployment: %+v", e)
		}
		job := w.jobs(id)["deploy"].ID
		for key, want := range map[string]string{
			"CI_ENVIRONMENT_NAME": "review/main", "CI_ENVIRONMENT_SLUG": e.Slug, "CI_ENVIRONMENT_ID": fmt.Sprint(e.ID), "CI_ENVIRONMENT_TIER": "development",
			"CI_ENVIRONMENT_ACTION": "start", "PLACE": "exact",
		} {
			if got := h.variable(job, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		h.run(job)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprint(z, "ADDRESS=https://main.example.com\n")
		z.Close()
		noError(t, h.client.Upload(context.Background(), h.offer(job), runnerproto.Artifact{Type: "dotenv", Format: "gzip"}, ".env.gz", &packed))
		h.success(job)
		w.settled()
		e = w.environment("review/main")
		if e.LastDeployment == nil || e.LastDeployment.Status != "success" || e.LastDeployment.Deployable.ID != job || e.ExternalURL == nil || *e.ExternalURL != "https://main.example.com" {
			t.Errorf("after the deployment: %+v", e)
		}
		if e.AutoStopAt == nil || e.AutoStopAt.Sub(clock.now()).Round(time.Hour) != 24*time.Hour {
			t.Errorf("it is stopped at %v", e.AutoStopAt)
		}
		v := w.visitor("root", "root-password")
		if _, page, _ := v.get("/root/app/-/environments"); !strings.Contains(page, "review/main") || !strings.Contains(page, "https://main.example.com") {
			t.Errorf("the page of environments: %s", page)
		}
		if _, page, _ := v.get(fmt.Sprintf("/root/app/-/environments/%d", e.ID)); !strings.Contains(page, "Deploy again") || !strings.Contains(page, fmt.Sprintf("deploy #%d", job)) {
			t.Errorf("the page of the environment: %s", page)
		}
		stop := fmt.Sprintf("/projects/%s/environments/%d/stop", w.project, e.ID)
		w.must(200, "POST", stop, nil, nil)
		if got := w.environment("review/main").State; got != "stopping" {
			t.Errorf("while it is stopped: %s", got)
		}
		h.fail(w.jobs(id)["stop"].ID)
		if got := w.environment("review/main").State; got != "available" {
			t.Errorf("after it could not be stopped: %s", got)
		}
		w.must(200, "POST", stop, nil, nil)
		h.success(w.jobs(id)["stop"].ID)
		if got := w.environment("review/main").State; got != "stopped" {
			t.Errorf("after it was stopped: %s", got)
		}

		w.act(job, "retry")
		h.success(w.jobs(id)["deploy"].ID)
		w.settled()
		if e := w.environment("review/main"); e.State != "available" || e.AutoStopAt == nil {
			t.Errorf("deployed again: %+v", e)
		}
		clock.set(25 * time.Hour)
		w.eventually("it is stopped by time", func() bool { return w.jobs(id)["stop"].Status == "pending" })
		if got := w.environment("review/main").State; got != "stopping" {
			t.Errorf("while it is stopped by time: %s", got)
		}
		h.success(w.jobs(id)["stop"].ID)
		if got := w.environment("review/main").State; got != "stopped" {
			t.Errorf("after its time: %s", got)
		}

		if out, err := w.tryPush("app", rootToken, "topic", map[string]string{"x": "y"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of the branch", func() bool { return len(w.pipelines()) == 2 })
		id = w.newest()
		h.success(w.jobs(id)["deploy"].ID)
		w.settled()
		if out, err := w.pushTo("app", rootToken, ":refs/heads/topic"); err != nil {
			t.Fatal(out)
		}
		w.eventually("it is stopped with its branch", func() bool {
			return w.environment("review/topic").State == "stopping" && w.jobs(id)["stop"].Status == "pending"
		})
		h.success(w.jobs(id)["stop"].ID)
		e = w.environment("review/topic")
		w.must(403, "DELETE", fmt.Sprintf("/projects/%s/environments/%d", w.project, w.tell("other")), nil, nil)
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/environments/%d", w.project, e.ID), nil, nil)
		if status, page, _ := v.get(fmt.Sprintf("/root/app/-/jobs/%d", w.jobs(id)["deploy"].ID)); status != 200 {
			t.Errorf("the page of a job without its environment: %d %s", status, page)
		}
	})
}

// tell makes a deployment that no job did, and gives its environment.
func (w *world) tell(environment string) int64 {
	w.t.Helper()
	var d struct {
		ID          int64
		Environment environmentJSON
	}
	w.must(201, "POST", "/projects/"+w.project+"/deployments", map[string]any{"environment": environment, "sha": "main", "ref": "main", "tag": false, "status": "running"}, &d)
	w.must(200, "PUT", fmt.Sprintf("/projects/%s/deployments/%d", w.project, d.ID), map[string]any{"status": "success"}, nil)
	w.must(400, "DELETE", fmt.Sprintf("/projects/%s/deployments/%d", w.project, d.ID), nil, nil)
	return d.Environment.ID
}

// TestOutdatedDeployments are refused, unless somebody brings an older one back on purpose.
func TestOutdatedDeployments(t *testing.T) {
	const config = "stages: [build, deploy]\nbuild: {stage: build, script: x}\ndeploy: {stage: deploy, script: x, environment: production}\n"
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		first := w.pushed("app", map[string]string{".gitlab-ci.yml": config})
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"auto_cancel_pending_pipelines": "disabled"}, nil)
		h.success(w.jobs(first)["build"].ID)
		h.success(w.jobs(first)["deploy"].ID)
		var ids []int64
		for i := range 2 {
			w.push("app", map[string]string{"n": fmt.Sprint(i)})
			w.eventually("the next pipeline", func() bool { return len(w.pipelines()) == i+2 })
			ids = append(ids, w.newest())
		}
		h.success(w.jobs(ids[1])["build"].ID)
		h.success(w.jobs(ids[1])["deploy"].ID)
		h.success(w.jobs(ids[0])["build"].ID)
		late := w.jobs(ids[0])["deploy"]
		if late.Status != "failed" || late.FailureReason != "failed_outdated_deployment_job" {
			t.Fatalf("an older commit after a newer one: %+v", late)
		}
		w.state(ids[0], "failed")
		back := w.act(w.jobs(first)["deploy"].ID, "retry")
		h.success(back.ID)
		if e := w.environment("production"); e.LastDeployment.Deployable.ID != back.ID {
			t.Errorf("rolled back: %+v", e.LastDeployment)
		}
		var history []struct {
			Status string
			IID    int64
		}
		w.must(200, "GET", "/projects/"+w.project+"/deployments?environment=production&order_by=iid&sort=desc", nil, &history)
		if got := fmt.Sprint(history); got != "[{success 4} {failed 3} {success 2} {success 1}]" {
			t.Errorf("history %s", got)
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_forward_deployment_enabled": false}, nil)
		again := w.act(late.ID, "retry")
		if again.Status != "pending" {
			t.Errorf("a project that allows it: %+v", again)
		}
	})
}

// TestAnEnvironmentWithoutAName fails its job, not the pipeline.
func TestAnEnvironmentWithoutAName(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x, environment: $NOTHING}\nother: {script: x}\nlater: {stage: deploy, script: x}"})
		if j := w.jobs(id)["deploy"]; j.Status != "failed" || j.FailureReason != "environment_creation_failure" {
			t.Errorf("job %+v", j)
		}
		if j := w.jobs(id)["other"]; j.Status != "pending" {
			t.Errorf("job %+v", j)
		}
	})
}

// TestADeletedEnvironmentComesBack with the job that deploys to it, and its end keeps nothing else from going on.
func TestADeletedEnvironmentComesBack(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "build: {stage: build, script: x}\ndeploy: {stage: deploy, script: x, environment: production}"})
		e := w.environment("production")
		w.must(200, "POST", fmt.Sprintf("/projects/%s/environments/%d/stop", w.project, e.ID), nil, nil)
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/environments/%d", w.project, e.ID), nil, nil)
		h.success(w.jobs(id)["build"].ID)
		w.eventually("the deployment waits for a runner", func() bool { return w.jobs(id)["deploy"].Status == "pending" })
		job := w.jobs(id)["deploy"].ID
		again := w.environment("production")
		if got := h.variable(job, "CI_ENVIRONMENT_ID"); got != fmt.Sprint(again.ID) || again.ID == e.ID {
			t.Errorf("the job knows environment %s, not %d", got, again.ID)
		}
		h.success(job)
		w.state(id, "success")
		if again = w.environment("production"); again.LastDeployment == nil || again.LastDeployment.Status != "success" {
			t.Errorf("environment %+v", again)
		}
	})
}
