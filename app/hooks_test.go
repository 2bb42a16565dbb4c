package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/models"
)

// listener is a server that webhooks go to.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	got    []told
	answer int // 0 is 200
}

type told struct {
	header http.Header
	body   map[string]any
}

func listen(t *testing.T) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		json.Unmarshal(raw, &body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, told{r.Header, body})
		if l.answer != 0 {
			w.WriteHeader(l.answer)
		}
		fmt.Fprint(w, "thanks")
	}))
	t.Cleanup(l.Close)
	return l
}

// all are the requests of one kind of event.
func (l *listener) all(event string) []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.got), func(t told) bool { return t.header.Get("X-Gitlab-Event") != event })
}

func (l *listener) say(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = status
}

func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// TestWebhooks are told of each change, with GitLab's keys and headers.
func TestWebhooks(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		l := listen(t)
		w := start(t, o, func(s *Settings) { s.PrivateHosts = append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://")) })
		h := w.hand(false)
		w.newProject("app")
		base := "/projects/" + w.project + "/hooks"
		w.refused(422, "POST", base, map[string]any{"url": "ftp://example.com"}, `{"error":"Invalid url given"}`)
		var hook struct {
			ID     int64
			Alert  string                 `json:"alert_status"`
			Header []struct{ Key string } `json:"custom_headers"`
		}
		w.must(201, "POST", base, map[string]any{
			"url": l.URL + "/{place}", "token": "s3cret", "pipeline_events": true, "job_events": true, "deployment_events": true, "tag_push_events": true, "releases_events": true,
			"custom_headers": []any{map[string]any{"key": "X-Own", "value": "yes"}}, "url_variables": []any{map[string]any{"key": "place", "value": "hidden"}},
		}, &hook)
		if hook.Alert != "executable" || len(hook.Header) != 1 {
			t.Errorf("hook %+v", hook)
		}
		w.push("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x, environment: production}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		id := w.newest()
		h.success(w.jobs(id)["deploy"].ID)
		w.settled()
		want := func(event string, n int, statuses ...string) []told {
			t.Helper()
			w.eventually("deliveries that others come before", func() bool { return len(l.all(event)) >= n })
			got := l.all(event)
			var seen []string
			for _, g := range got {
				for _, path := range [][]string{{"object_attributes", "status"}, {"build_status"}, {"status"}} {
					if s, ok := at(g.body, path...).(string); ok {
						seen = append(seen, s)
						break
					}
				}
			}
			slices.Sort(seen)
			slices.Sort(statuses)
			if len(got) != n || fmt.Sprint(seen) != fmt.Sprint(statuses) && statuses != nil {
				t.Fatalf("%s: %d times, %v; want %d, %v", event, len(got), seen, n, statuses)
			}
			return got
		}
		push := want("Push Hook", 1)[0]
		if at(push.body, "ref") != "refs/heads/main" || at(push.body, "user_username") != "root" || push.header.Get("X-Gitlab-Token") != "s3cret" ||
			push.header.Get("X-Own") != "yes" || push.header.Get("X-Gitlab-Instance") != w.node.URL || push.header.Get("Idempotency-Key") == "" {
			t.Errorf("push %v %v", push.header, push.body)
		}
		p := want("Pipeline Hook", 3, "pending", "running", "success")[0]
		if at(p.body, "object_kind") != "pipeline" || at(p.body, "object_attributes", "id") != float64(id) || at(p.body, "project", "path_with_namespace") != "root/app" || at(p.body, "user", "username") != "root" {
			t.Errorf("pipeline %v", p.body)
		}
		j := want("Job Hook", 3, "pending", "running", "success")[0]
		if at(j.body, "build_name") != "deploy" || at(j.body, "environment", "name") != "production" || at(j.body, "commit", "id") != float64(id) {
			t.Errorf("job %v", j.body)
		}
		want("Deployment Hook", 2, "running", "success")
		w.must(201, "POST", "/projects/"+w.project+"/releases", map[string]any{"tag_name": "v1", "ref": "main"}, nil)
		w.settled()
		want("Release Hook", 1)
		want("Tag Push Hook", 1)

		one := fmt.Sprintf("%s/%d", base, hook.ID)
		var events []struct {
			ID       int64
			URL      string
			Trigger  string
			Status   string            `json:"response_status"`
			Body     string            `json:"response_body"`
			Request  map[string]string `json:"request_headers"`
			Response map[string]string `json:"response_headers"`
		}
		w.must(200, "GET", one+"/events", nil, &events)
		if len(events) < 10 || events[0].Status != "200" || events[0].Body != "thanks" || strings.Contains(fmt.Sprint(events), "s3cret") || strings.Contains(fmt.Sprint(events), "hidden") {
			t.Errorf("log %+v", events)
		}
		before := len(l.all("Job Hook"))
		w.must(201, "POST", one+"/test/job_events", nil, nil)
		for _, e := range events {
			if e.Trigger == "job_events" {
				w.must(201, "POST", fmt.Sprintf("%s/events/%d/resend", one, e.ID), nil, nil)
				break
			}
		}
		again := l.all("Job Hook")
		if len(again) != before+2 || again[before+1].header.Get("Idempotency-Key") == again[before].header.Get("Idempotency-Key") {
			t.Errorf("%d deliveries after %d", len(again), before)
		}
		w.push("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x"})
		w.eventually("somebody is told of a pipeline whose configuration is wrong", func() bool {
			return slices.ContainsFunc(l.all("Pipeline Hook"), func(h told) bool { return at(h.body, "object_attributes", "status") == "failed" })
		})
		w.settled()
		l.say(500)
		w.must(422, "POST", one+"/test/pipeline_events", nil, nil)
		w.must(200, "PUT", one, map[string]any{"pipeline_events": false, "push_events": false}, nil)
		w.must(204, "DELETE", one+"/custom_headers/X-Own", nil, nil)
		w.must(404, "DELETE", one+"/custom_headers/X-Own", nil, nil)
		w.must(204, "DELETE", one, nil, nil)
		w.must(404, "GET", one, nil, nil)
	})
}

// TestWebhooksThatFail are tried again with the same id, disabled after a while, and never reach into the server's network.
func TestWebhooksThatFail(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		l := listen(t)
		w := start(t, o, func(s *Settings) {
			s.Now, s.PrivateHosts = clock.now, append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://"))
		})
		inner := listen(t)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		base := "/projects/" + w.project + "/hooks"
		var blocked, hook struct {
			ID    int64
			Alert string `json:"alert_status"`
		}
		w.must(201, "POST", base, map[string]any{"url": inner.URL, "push_events": false}, &blocked)
		w.must(422, "POST", fmt.Sprintf("%s/%d/test/pipeline_events", base, blocked.ID), nil, nil)
		var events []struct {
			Body string `json:"response_body"`
		}
		w.must(200, "GET", fmt.Sprintf("%s/%d/events", base, blocked.ID), nil, &events)
		if len(inner.all("Pipeline Hook")) != 0 || len(events) != 1 || !strings.Contains(events[0].Body, "URL is blocked") {
			t.Errorf("a webhook reached into the network: %v", events)
		}
		w.must(201, "POST", base, map[string]any{"url": l.URL, "push_events": false, "pipeline_events": true}, &hook)
		l.say(503)
		w.must(200, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/cancel", w.project, id), nil, nil)
		for i := 1; i <= 5; i++ {
			w.eventually(fmt.Sprintf("attempt %d", i), func() bool { return len(l.all("Pipeline Hook")) == i })
			w.eventually("its outcome", func() bool { return !w.holdsTasks() })
			clock.set(time.Duration(i) * 100 * time.Second)
		}
		w.settled()
		keys := map[string]bool{}
		for _, g := range l.all("Pipeline Hook") {
			keys[g.header.Get("Idempotency-Key")] = true
		}
		if len(keys) != 1 {
			t.Errorf("attempts with several ids: %v", keys)
		}
		one := fmt.Sprintf("%s/%d", base, hook.ID)
		for range 3 {
			w.must(422, "POST", one+"/test/pipeline_events", nil, nil)
		}
		w.must(200, "GET", one, nil, &hook)
		if hook.Alert != "temporarily_disabled" {
			t.Errorf("after four failures: %+v", hook)
		}
		l.say(200)
		w.must(201, "POST", one+"/test/pipeline_events", nil, nil)
		w.must(200, "GET", one, nil, &hook)
		if hook.Alert != "executable" {
			t.Errorf("after a good one: %+v", hook)
		}
	})
}
