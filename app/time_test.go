package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestTimeEndsJobs: no runner that can take them, a start that is long over, and a runner that is silent while it cleans up.
func TestTimeEndsJobs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 48*time.Hour })
		h := w.hand(true)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": `
nobody: {script: x, tags: [unknown]}
somebody: {script: x, when: manual, allow_failure: true}
delayed: {script: x, when: delayed, start_in: 30 minutes, allow_failure: true}
late: {script: x, when: delayed, start_in: 30 minutes, allow_failure: true}
`})
		h.take()
		clock.set(20 * time.Minute)
		v := w.visitor("root", "root-password")
		late := w.jobs(id)["late"].ID
		if _, page, _ := v.get(fmt.Sprintf("/root/app/-/jobs/%d", late)); !strings.Contains(page, "Unschedule") {
			t.Errorf("the page of a delayed job: %s", page)
		}
		v.post(fmt.Sprintf("/root/app/-/jobs/%d/unschedule", late), nil, fmt.Sprintf("/root/app/-/jobs/%d", late))
		if st := w.jobs(id)["late"].Status; st != "manual" {
			t.Errorf("unscheduled: %s", st)
		}
		w.down()
		clock.set(40 * time.Minute)
		w.up()
		h.client.URL = w.node.Local
		w.eventually("the delayed job starts after a stop", func() bool { return w.jobs(id)["delayed"].Status == "pending" })
		clock.set(59 * time.Minute)
		if st := w.jobs(id)["nobody"].Status; st != "pending" {
			t.Errorf("within an hour: %s", st)
		}
		h.take() // a runner is there, but has not the tag
		clock.set(62 * time.Minute)
		w.eventually("what nobody can take fails", func() bool { return w.jobs(id)["nobody"].Status == "failed" })
		if j := w.jobs(id)["nobody"]; j.FailureReason != "stuck_pending_no_matching_runners" {
			t.Errorf("reason %s", j.FailureReason)
		}
		if st := w.jobs(id)["delayed"].Status; st != "pending" {
			t.Errorf("a job that is offered: %s", st)
		}

		somebody := w.act(w.jobs(id)["somebody"].ID, "play").ID
		h.run(somebody)
		if st := w.act(somebody, "cancel").Status; st != "canceling" {
			t.Errorf("while its runner cleans up: %s", st)
		}
		clock.set(75 * time.Minute)
		w.eventually("a silent runner does not keep it", func() bool { return w.jobs(id)["somebody"].Status == "canceled" })

		w.newProject("second")
		w.push("second", map[string]string{".gitlab-ci.yml": "late: {script: x, when: delayed, start_in: 30 minutes}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		id = w.newest()
		w.down()
		clock.set(10 * time.Hour)
		w.up()
		w.eventually("a start that is long over", func() bool { return w.jobs(id)["late"].Status == "failed" })
		if j := w.jobs(id)["late"]; j.FailureReason != "stale_schedule" {
			t.Errorf("reason %s", j.FailureReason)
		}
	})
}

// TestJobInputs are checked, kept with the attempt and given to the runner.
func TestJobInputs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		h.client.Info.Features["job_inputs"] = true
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": `
deploy:
  script: echo ${{ job.inputs.target }}
  when: manual
  inputs:
    target: {default: staging, options: [staging, production]}
    count: {type: number, default: 1}
`})
		job := w.jobs(id)["deploy"].ID
		play := fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, job)
		w.must(400, "POST", play, map[string]any{"job_inputs": map[string]any{"target": "moon"}}, nil)
		w.must(400, "POST", play, map[string]any{"job_inputs": map[string]any{"other": "x"}}, nil)
		w.must(200, "POST", play, map[string]any{"job_inputs": map[string]any{"target": "production", "count": 3}}, nil)
		inputs := func(id int64) string {
			var out []string
			for _, in := range h.offer(id).Inputs {
				out = append(out, fmt.Sprintf("%s %s %v", in.Key, in.Value.Type, in.Value.Content))
			}
			return strings.Join(out, ", ")
		}
		if got := inputs(job); got != "count number 3, target string production" {
			t.Errorf("inputs %s", got)
		}
		h.fail(job)
		again := w.act(job, "retry")
		if got := inputs(again.ID); got != "count number 3, target string production" {
			t.Errorf("of the next attempt: %s", got)
		}
		h.success(again.ID)
		var third jobJSON
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, again.ID), map[string]any{"inputs": map[string]any{"count": 7}}, &third)
		if got := inputs(third.ID); got != "count number 7, target string staging" {
			t.Errorf("with others: %s", got)
		}
	})
}

// TestSettingsOfAProject that decide on what its pipelines are made of.
func TestSettingsOfAProject(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.newProject("shared")
		w.push("shared", map[string]string{"ci/app.yml": "from elsewhere: {script: x}", "skip.txt": ""})
		w.newProject("app")
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_config_path": "ci/app.yml@root/shared:main", "build_git_strategy": "clone", "ci_default_git_depth": 7, "build_timeout": 1234}, nil)
		w.push("app", map[string]string{"x": "y"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		jobs := w.jobs(w.newest())
		offer := h.offer(jobs["from elsewhere"].ID)
		if offer.AllowGitFetch || offer.GitInfo.Depth != 7 || offer.RunnerInfo.Timeout != 1234 {
			t.Errorf("fetch %v, depth %d, timeout %d", offer.AllowGitFetch, offer.GitInfo.Depth, offer.RunnerInfo.Timeout)
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_config_path": "ci/none.yml@root/shared"}, nil)
		w.push("app", map[string]string{"x": "z"})
		p := w.of(w.pipeline("failed").ID)
		if p.YAMLErrors == nil || !strings.Contains(*p.YAMLErrors, "ci/none.yml") {
			t.Errorf("a file that is not there: %+v", p)
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_config_path": "", "builds_access_level": "disabled"}, nil)
		w.refused(400, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main"}, `{"message":{"base":["Pipelines are disabled!"]}}`)

		w.newProject("inputs")
		if out, err := w.tryPush("inputs", rootToken, "main", map[string]string{".gitlab-ci.yml": "spec: {inputs: {level: {type: number}}}\n---\njob: {script: 'echo $[[ inputs.level ]]'}"}, "-o", "ci.input=level=5", "-o", "ci.variable=A=b"); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		if p := w.of(w.newest()); p.YAMLErrors != nil {
			t.Fatal(*p.YAMLErrors)
		}
		job := w.jobs(w.newest())["job"].ID
		if got := fmt.Sprint(h.offer(job).Steps[0].Script, h.variable(job, "A")); got != "[echo 5]b" {
			t.Errorf("push options: %s", got)
		}
	})
}
