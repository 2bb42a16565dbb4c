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
	each(t, func(t *testing.T, o models.Options) {
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
	})
}

// TestOldPipelinesAreDeleted where a project says after how long.
func TestOldPipelinesAreDeleted(t *testing.T) {
	each(t, func(t *testing.T, o models.Options) {
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
