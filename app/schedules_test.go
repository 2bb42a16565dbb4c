package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

type scheduleJSON struct {
	ID        int64
	Ref       string
	Active    bool
	NextRunAt *time.Time `json:"next_run_at"`
	Owner     *struct{ Username string }
	Variables []struct{ Key, Value string }
	Last      *pipelineJSON `json:"last_pipeline"`
}

const scheduledConfig = "spec: {inputs: {level: {default: low}}}\n---\nnightly: {script: x, variables: {LEVEL: '$[[ inputs.level ]]'}, rules: [{if: $CI_PIPELINE_SOURCE == \"schedule\"}]}\nother: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == \"push\"}]}\n"

// TestSchedules run on time, once a slot, once for all slots that were missed, and as their owner.
func TestSchedules(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		start1 := time.Now().UTC()
		noon := time.Date(start1.Year(), start1.Month(), start1.Day()+1, 12, 0, 30, 0, time.UTC)
		clock.set(noon.Sub(start1))
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 30*24*time.Hour })
		h := w.hand(false)
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": scheduledConfig})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		base := "/projects/" + w.project + "/pipeline_schedules"
		for _, c := range []struct {
			body map[string]any
			want string
		}{
			{map[string]any{"description": "x", "ref": "main", "cron": "* * * *"}, `{"message":{"cron":["syntax is invalid"]}}`},
			{map[string]any{"description": "x", "ref": "main", "cron": "* * * * *", "cron_timezone": "Mars"}, `{"message":{"cron_timezone":["syntax is invalid"]}}`},
			{map[string]any{"description": "x", "ref": "nowhere", "cron": "* * * * *"}, `{"message":{"ref":["can't be found: there is no branch or tag nowhere"]}}`},
			{map[string]any{"ref": "main", "cron": "* * * * *"}, `{"error":"description is missing"}`},
		} {
			w.refused(400, "POST", base, c.body, c.want)
		}
		var s scheduleJSON
		w.must(201, "POST", base, map[string]any{
			"description": "nightly build", "ref": "main", "cron": "0 * * * *", "cron_timezone": "Berlin", "inputs": []any{map[string]any{"name": "level", "value": "high"}},
		}, &s)
		one := fmt.Sprintf("%s/%d", base, s.ID)
		if s.Ref != "refs/heads/main" || s.NextRunAt == nil || !s.NextRunAt.Equal(noon.Truncate(time.Hour).Add(time.Hour)) || s.Owner.Username != "root" {
			t.Fatalf("schedule %+v", s)
		}
		w.must(201, "POST", one+"/variables", map[string]any{"key": "TARGET", "value": "night"}, nil)
		w.must(400, "POST", one+"/variables", map[string]any{"key": "TARGET", "value": "night"}, nil)
		clock.set(noon.Sub(start1) + 61*time.Minute)
		w.eventually("its pipeline", func() bool { return len(w.pipelines()) == 2 })
		p := w.pipelines()[0]
		job := w.jobs(p.ID)["nightly"].ID
		if p.Source != "schedule" || len(w.jobs(p.ID)) != 1 {
			t.Errorf("pipeline %+v %v", p, w.jobs(p.ID))
		}
		for key, want := range map[string]string{"TARGET": "night", "LEVEL": "high", "CI_PIPELINE_SCHEDULE_DESCRIPTION": "nightly build", "GITLAB_USER_LOGIN": "root"} {
			if got := h.variable(job, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		w.down()
		clock.set(noon.Sub(start1) + 10*time.Hour)
		w.up()
		h.client.URL = w.node.Local
		w.eventually("one pipeline for all that was missed", func() bool { return len(w.pipelines()) == 3 })
		w.settled()
		w.must(200, "GET", one, nil, &s)
		if len(w.pipelines()) != 3 || s.Last == nil || s.Last.ID != w.newest() || !s.NextRunAt.After(clock.now()) {
			t.Errorf("after a stop: %d pipelines, %+v", len(w.pipelines()), s)
		}
		var list []pipelineJSON
		w.must(200, "GET", one+"/pipelines", nil, &list)
		if len(list) != 2 || list[0].ID != p.ID {
			t.Errorf("its pipelines: %+v", list)
		}

		id, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		as := func(want int, method, path string, body any, into any) {
			t.Helper()
			if got := w.apiAs(token, method, path, body, into); got != want {
				t.Fatalf("%s %s: %d, want %d", method, path, got, want)
			}
		}
		as(403, "PUT", one, map[string]any{"cron": "5 * * * *"}, nil)
		as(201, "POST", one+"/play", nil, nil)
		w.eventually("the pipeline that was asked for", func() bool { return len(w.pipelines()) == 4 })
		if got := h.variable(w.jobs(w.newest())["nightly"].ID, "GITLAB_USER_LOGIN"); got != "dev" {
			t.Errorf("played as %q", got)
		}
		as(429, "POST", one+"/play", nil, nil)
		as(201, "POST", one+"/take_ownership", nil, &s)
		if s.Owner.Username != "dev" {
			t.Errorf("owner %+v", s.Owner)
		}
		as(200, "PUT", one, map[string]any{"description": "later", "active": true}, nil)
		w.must(201, "POST", fmt.Sprintf("/users/%d/block", id), nil, nil)
		clock.set(noon.Sub(start1) + 12*time.Hour)
		w.eventually("a schedule of a blocked owner stops", func() bool {
			w.must(200, "GET", one, nil, &s)
			return !s.Active
		})
		if len(w.pipelines()) != 4 {
			t.Errorf("a blocked owner's schedule made a pipeline: %+v", w.pipelines()[0])
		}
		v := w.visitor("root", "root-password")
		if _, page, _ := v.get("/root/app/-/pipeline_schedules"); !strings.Contains(page, "its owner is blocked or gone") {
			t.Errorf("the page does not say why: %s", page)
		}
		w.must(201, "POST", one+"/take_ownership", nil, &s)
		w.must(200, "PUT", one, map[string]any{"active": true}, nil)
		clock.set(noon.Sub(start1) + 13*time.Hour)
		w.eventually("its pipeline with another owner", func() bool { return len(w.pipelines()) == 5 })
		if got := h.variable(w.jobs(w.newest())["nightly"].ID, "GITLAB_USER_LOGIN"); got != "root" {
			t.Errorf("after it was taken over it runs as %q", got)
		}
		w.must(202, "DELETE", one+"/variables/TARGET", nil, nil)
		w.must(204, "DELETE", one, nil, nil)
		for i := range 10 {
			w.must(201, "POST", base, map[string]any{"description": fmt.Sprint(i), "ref": "main", "cron": "0 0 1 1 *"}, nil)
		}
		w.refused(400, "POST", base, map[string]any{"description": "one more", "ref": "main", "cron": "0 0 1 1 *"}, `{"message":{"base":["Maximum number of pipeline schedules (10) exceeded"]}}`)
	})
}

// TestTriggerTokens start pipelines as their owner, with whatever was sent in a file.
func TestTriggerTokens(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		var tr struct {
			ID       int64
			Token    string
			LastUsed *string `json:"last_used"`
		}
		w.must(201, "POST", "/projects/"+w.project+"/triggers", map[string]any{"description": "from elsewhere"}, &tr)
		if !strings.HasPrefix(tr.Token, "glptt-") {
			t.Fatalf("token %q", tr.Token)
		}
		call := func(want int, path string, body map[string]any, header ...string) string {
			t.Helper()
			raw, _ := json.Marshal(body)
			req, _ := http.NewRequest("POST", w.node.Local+"/api/v4"+path, bytes.NewReader(raw))
			req.Header.Set("Content-Type", "application/json")
			if len(header) > 0 {
				req.Header.Set(header[0], header[1])
			}
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			defer res.Body.Close()
			var text bytes.Buffer
			text.ReadFrom(res.Body)
			if res.StatusCode != want {
				t.Fatalf("%s: %d %s, want %d", path, res.StatusCode, text.String(), want)
			}
			return text.String()
		}
		path := "/projects/root%2Fapp/trigger/pipeline"
		for _, c := range []struct {
			status int
			body   map[string]any
			want   string
		}{
			{404, map[string]any{"token": "glptt-unknown", "ref": "main"}, "404 Not Found"},
			{400, map[string]any{"token": tr.Token}, "ref is missing"},
			{400, map[string]any{"ref": "main"}, "token is missing"},
			{400, map[string]any{"token": tr.Token, "ref": "nowhere"}, `{"message":{"base":["Reference not found"]}}`},
			{400, map[string]any{"token": tr.Token, "ref": "main", "variables": map[string]any{"A": 1}}, "variables needs to be a map of key-valued strings"},
		} {
			if got := call(c.status, path, c.body); !strings.Contains(got, c.want) {
				t.Errorf("%v: %s", c.body, got)
			}
		}
		call(404, "/projects/99/trigger/pipeline", map[string]any{"token": tr.Token, "ref": "main"})
		call(403, path, map[string]any{"token": tr.Token, "ref": "main"}, "X-Gitlab-Event", "Pipeline Hook")
		var p pipelineJSON
		noError(t, json.Unmarshal([]byte(call(201, path, map[string]any{
			"token": tr.Token, "ref": "main", "variables": map[string]any{"TARGET": "x"}, "event": map[string]any{"n": 5},
		})), &p))
		job := w.jobs(p.ID)["job"].ID
		payload := h.variable(job, "TRIGGER_PAYLOAD")
		if p.Source != "trigger" || h.variable(job, "TARGET") != "x" || h.variable(job, "CI_PIPELINE_TRIGGERED") != "true" || h.variable(job, "CI_TRIGGER_SHORT_TOKEN") != tr.Token[6:10] {
			t.Errorf("pipeline %+v", p)
		}
		if !strings.Contains(payload, `"event":{"n":5}`) || strings.Contains(payload, tr.Token) {
			t.Errorf("payload %s", payload)
		}
		noError(t, json.Unmarshal([]byte(call(201, "/projects/"+w.project+"/ref/main/trigger/pipeline?token="+tr.Token, map[string]any{"push": "x"})), &p))
		w.must(200, "GET", fmt.Sprintf("/projects/%s/triggers/%d", w.project, tr.ID), nil, &tr)
		if tr.LastUsed == nil {
			t.Error("its use is not noted")
		}
		id, token := w.user("keeper")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		var seen struct{ Token string }
		w.apiAs(token, "GET", fmt.Sprintf("/projects/%s/triggers/%d", w.project, tr.ID), nil, &seen)
		if seen.Token != tr.Token[6:10] {
			t.Errorf("somebody else sees the token %q", seen.Token)
		}

		// The token of a running job starts pipelines too, and links them.
		h.run(job)
		noError(t, json.Unmarshal([]byte(call(201, path, map[string]any{"token": h.offer(job).Token, "ref": "main"})), &p))
		if p.Source != "pipeline" || h.variable(w.jobs(p.ID)["job"].ID, "CI_UPSTREAM_JOB_ID") != fmt.Sprint(job) {
			t.Errorf("started by a job: %+v", p)
		}
		w.newProject("other")
		call(404, "/projects/root%2Fother/trigger/pipeline", map[string]any{"token": h.offer(job).Token, "ref": "main"})
		h.success(job)
		call(404, path, map[string]any{"token": h.offer(job).Token, "ref": "main"})
		w.project = fmt.Sprint(mustProject(w, "root%2Fapp"))
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/triggers/%d", w.project, tr.ID), nil, nil)
		call(404, path, map[string]any{"token": tr.Token, "ref": "main"})
	})
}

func mustProject(w *world, path string) int64 {
	w.t.Helper()
	var p struct{ ID int64 }
	w.must(200, "GET", "/projects/"+path, nil, &p)
	return p.ID
}

// TestDeployFreeze tells jobs that nothing is to be deployed now.
func TestDeployFreeze(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		begun := time.Now().UTC()
		friday := begun
		for friday.Weekday() != time.Friday {
			friday = friday.Add(24 * time.Hour)
		}
		at := func(d time.Duration) {
			clock.set(time.Date(friday.Year(), friday.Month(), friday.Day(), 0, 0, 0, 0, time.UTC).Add(d).Sub(begun))
		}
		at(22 * time.Hour)
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("app")
		base := "/projects/" + w.project + "/freeze_periods"
		var f struct {
			ID       int64
			Timezone string `json:"cron_timezone"`
		}
		w.must(201, "POST", base, map[string]any{"freeze_start": "0 23 * * 5", "freeze_end": "0 7 * * 1"}, &f)
		w.refused(400, "POST", base, map[string]any{"freeze_start": "x", "freeze_end": "0 7 * * 1"}, `{"message":{"freeze_start":["syntax is invalid"]}}`)
		if f.Timezone != "UTC" {
			t.Errorf("zone %q", f.Timezone)
		}
		w.push("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x, rules: [{if: $CI_DEPLOY_FREEZE == null}]}\nwait: {script: x, rules: [{if: $CI_DEPLOY_FREEZE}]}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		for d, want := range map[time.Duration]string{22*time.Hour + 59*time.Minute: "deploy:pending", 23*time.Hour + time.Minute: "wait:pending", 60 * time.Hour: "wait:pending", 79*time.Hour + time.Minute: "deploy:pending"} {
			at(d)
			if got := statuses(w.jobs(w.create("main", nil).ID)); got != want {
				t.Errorf("%v after the Friday began: %s, want %s", d, got, want)
			}
		}
		w.must(200, "PUT", fmt.Sprintf("%s/%d", base, f.ID), map[string]any{"cron_timezone": "Berlin"}, nil)
		w.must(204, "DELETE", fmt.Sprintf("%s/%d", base, f.ID), nil, nil)
	})
}

// TestThePageOfSchedules makes, changes, runs and deletes one as a person would.
func TestThePageOfSchedules(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
	w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
	v := w.visitor("root", "root-password")
	at := "/root/app/-/pipeline_schedules"
	form := url.Values{"description": {"nightly"}, "ref": {"main"}, "cron": {"0 4 * * *"}, "timezone": {"Europe/Berlin"}, "active": {"1"}, "variables": {"A=1\r\nB=two words"}}
	if status, page, _ := v.post(at, form, at+"/new"); status != 200 || !strings.Contains(page, "nightly") || !strings.Contains(page, "0 4 * * *") {
		t.Fatalf("made: %d %s", status, page)
	}
	var list []scheduleJSON
	w.must(200, "GET", "/projects/"+w.project+"/pipeline_schedules", nil, &list)
	one := fmt.Sprintf("%s/%d", at, list[0].ID)
	if _, page, _ := v.get(one + "/edit"); !strings.Contains(page, "B=two words") {
		t.Errorf("to change: %s", page)
	}
	form.Set("variables", "B=2")
	form.Set("cron", "wrong")
	if status, page, _ := v.post(one, form, one+"/edit"); !strings.Contains(page, "syntax is invalid") {
		t.Errorf("a wrong line: %d %s", status, page)
	}
	form.Set("cron", "5 4 * * *")
	v.post(one, form, one+"/edit")
	var s scheduleJSON
	w.must(200, "GET", fmt.Sprintf("/projects/%s/pipeline_schedules/%d", w.project, list[0].ID), nil, &s)
	if fmt.Sprint(s.Variables) != "[{B 2}]" {
		t.Errorf("variables %v", s.Variables)
	}
	v.post(one+"/play", nil, at)
	w.eventually("its pipeline", func() bool { return len(w.pipelines()) == 2 })
	if _, page, _ := v.get(at); !strings.Contains(page, fmt.Sprintf("#%d", w.newest())) {
		t.Errorf("the list: %s", page)
	}
	v.post(one+"/delete", nil, at)
	w.must(404, "GET", fmt.Sprintf("/projects/%s/pipeline_schedules/%d", w.project, list[0].ID), nil, nil)
}
