package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestLimits refuse what is over them with GitLab's words, and keep what is refused where people see it.
func TestLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}\nb: {script: x}\nc: {script: x, needs: [a, b]}\n"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		limit := func(name string, n int) {
			t.Helper()
			path := "/application/plan_limits"
			if strings.HasPrefix(name, "pipeline_limit") {
				path = "/application/settings"
			}
			var set map[string]any
			w.must(200, "PUT", path, map[string]any{name: n}, &set)
			if set[name] != float64(n) {
				t.Errorf("%s is %v", name, set[name])
			}
			clock.set(time.Duration(len(name)) * time.Second) // settings are read anew after a while
		}
		make := func(want string) {
			t.Helper()
			if want == "" {
				w.create("main", nil)
				return
			}
			w.refused(400, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main"}, `{"message":{"base":["`+want+`"]}}`)
		}
		limit("ci_pipeline_size", 2)
		make("The number of jobs has exceeded the limit of 2. Try splitting the configuration with parent-child-pipelines")
		limit("ci_pipeline_size", 3)
		make("")
		limit("ci_pipeline_size", 0)
		limit("ci_needs_size_limit", 1)
		make("c: one job can only need 1 others, but you have listed 2. See needs keyword documentation for more details")
		limit("ci_needs_size_limit", 50)
		limit("ci_active_jobs", 9)
		make("Project exceeded the allowed number of jobs in active pipelines. Retry later.")
		limit("ci_active_jobs", 10)
		make("")
		limit("ci_active_jobs", 0)
		limit("pipeline_limit_per_project_user_sha", 2)
		make("Too many pipelines created in the last minute. Try again later.")
		clock.set(5 * time.Minute)
		make("")
		make("")
		make("Too many pipelines created in the last minute. Try again later.")
		limit("pipeline_limit_per_project_user_sha", 0)
		limit("pipeline_limit_per_user", 1)
		clock.set(10 * time.Minute)
		make("")
		make("Too many pipelines created in the last minute. Try again later.")
		limit("pipeline_limit_per_user", 0)
		limit("ci_pipeline_size", 2)
		clock.set(15 * time.Minute)
		w.push("app", map[string]string{"more": "x"})
		p := w.of(w.pipeline("failed").ID)
		if p.YAMLErrors == nil || !strings.Contains(*p.YAMLErrors, "exceeded the limit of 2") {
			t.Errorf("the pipeline of a push: %+v", p)
		}
		limit("ci_pipeline_size", 0)
		clock.set(20 * time.Minute)
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x, parallel: 200, environment: a}\nb: {script: x, parallel: 200, environment: b}\nc: {script: x, parallel: 101, environment: c}\n"})
		w.eventually("the pipeline of the push", func() bool {
			p = w.of(w.newest())
			return p.YAMLErrors != nil && *p.YAMLErrors == "Pipeline has too many deployments! Requested 501, but the limit is 500."
		})
		inputs := map[string]any{}
		for i := range 21 {
			inputs[fmt.Sprint("i", i)] = "x"
		}
		w.refused(400, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main", "inputs": inputs}, `{"message":{"base":["There cannot be more than 20 inputs"]}}`)
	})
}

// TestOldPipelinesAreDeleted where a project says after how long.
func TestOldPipelinesAreDeleted(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin, s.LostAfter = clock.now, 30*24*time.Hour, 30*24*time.Hour })
		h := w.hand(false)
		first := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x, timeout: 3 days}"})
		alive := w.create("main", nil).ID
		h.run(w.jobs(alive)["job"].ID)
		h.success(w.jobs(first)["job"].ID)
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_delete_pipelines_in_seconds": 86400}, nil)
		clock.set(23 * time.Hour)
		h.run(w.jobs(alive)["job"].ID)
		w.settled()
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, first), nil, nil)
		clock.set(25 * time.Hour)
		w.eventually("the old one is gone", func() bool {
			return w.api("GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, first), nil, nil) == 404
		})
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, alive), nil, nil)
	})
}

// TestDownstreamPipelinesAMinute are limited for each user and commit of a project; bridges that only show a pipeline do not
// count, nor do those that were refused.
func TestDownstreamPipelinesAMinute(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 24*time.Hour })
		const name = "downstream_pipeline_trigger_limit_per_project_user_sha"
		var set map[string]any
		w.must(200, "GET", "/application/settings", nil, &set)
		if set[name] != 0.0 {
			t.Errorf("at first %v", set[name])
		}
		w.must(400, "PUT", "/application/settings", map[string]any{name: -1}, nil)
		w.must(200, "PUT", "/application/settings", map[string]any{name: 2}, &set)
		if set[name] != 2.0 {
			t.Errorf("afterwards %v", set[name])
		}
		clock.set(time.Minute)
		w.pushed("lib", map[string]string{".gitlab-ci.yml": "check: {script: x}"})
		id := w.pushed("app", map[string]string{
			".gitlab-ci.yml": "shown: {needs: {pipeline: root/lib}}\na: {trigger: {include: c.yml}}\nb: {trigger: root/lib}\nc: {trigger: {include: c.yml}}\n" +
				"d: {trigger: root/lib}\nempty: {trigger: $NOTHING}",
			"c.yml": "job: {script: x}",
		})
		count := func(id int64) string {
			t.Helper()
			w.settled()
			n := map[string]int{}
			for name, b := range w.bridges(id) {
				if len(name) == 1 {
					n[b.Status+" "+b.FailureReason]++
				}
			}
			return fmt.Sprint(n)
		}
		const half = "map[failed reached_downstream_pipeline_trigger_rate_limit:2 success :2]"
		if got := count(id); got != half {
			t.Errorf("four within a minute: %s", got)
		}
		if b := w.bridges(id)["empty"]; b.FailureReason != "downstream_project_trigger_resolved_to_empty" {
			t.Errorf("a name that is empty: %+v", b)
		}
		var failed int64
		for _, b := range w.bridges(id) {
			if b.FailureReason == "reached_downstream_pipeline_trigger_rate_limit" {
				failed = b.ID
			}
		}
		if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", failed)); !strings.Contains(page, "Too many downstream pipelines triggered in the last minute. Try again later.") {
			t.Errorf("the page does not say why: %s", page)
		}
		clock.set(2*time.Minute + 10*time.Second)
		w.must(201, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/retry", w.project, id), nil, nil)
		if got := count(id); got != "map[success :4]" {
			t.Errorf("a minute later: %s", got)
		}
		w.push("app", map[string]string{"more": "x"}) // another commit
		w.eventually("its pipeline", func() bool { return len(w.pipelines()) == 2 })
		if got := count(w.newest()); got != half {
			t.Errorf("another commit: %s", got)
		}
	})
}
