package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

const lateConfig = `
stages: [build, deploy]
job: {stage: build, script: x, timeout: 5 minutes, retry: {max: 1, when: [runner_system_failure, job_execution_timeout]}}
deploy: {stage: deploy, script: x}
`

type endedJSON struct {
	Status        string
	FailureReason string     `json:"failure_reason"`
	FinishedAt    *time.Time `json:"finished_at"`
}

func (w *world) ended(job int64) (j endedJSON) {
	w.t.Helper()
	w.must(200, "GET", fmt.Sprintf("/projects/%s/jobs/%d", w.project, job), nil, &j)
	return j
}

// TestLateReports: what a runner says of a job that is over is refused with the job's status, and changes nothing.
func TestLateReports(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 24*time.Hour })
		hands := map[bool]*hand{true: w.hand(true), false: w.hand(false)}
		var shift time.Duration
		after := func(d time.Duration) { shift += d; clock.set(shift) }
		w.pushed("app", map[string]string{".gitlab-ci.yml": lateConfig})
		for name, c := range map[string]struct {
			graceful bool
			end      func(h *hand, job int64)
			status   string
			reason   string
			jobs     string
		}{
			"a cancel":  {false, func(_ *hand, job int64) { w.act(job, "cancel") }, "canceled", "", "deploy:skipped job:canceled"},
			"a success": {false, (*hand).success, "success", "", "deploy:pending job:success"},
			"a cleanup": {true, func(h *hand, job int64) {
				w.act(job, "cancel")
				if a := h.sends(job, "x"); a.Code != 202 || a.JobStatus != "canceling" {
					t.Errorf("while it cleans up: %+v", a)
				}
				h.success(job)
			}, "canceled", "", "deploy:skipped job:canceled"},
			"a silence": {false, func(*hand, int64) { after(11 * time.Minute) }, "failed", "runner_system_failure", "deploy:created job:pending"},
			"its time": {false, func(h *hand, job int64) {
				for range 8 {
					after(3 * time.Minute)
					h.report(job, runnerproto.UpdateRequest{State: "running"})
				}
			}, "failed", "job_execution_timeout", "deploy:created job:pending"},
		} {
			h := hands[c.graceful]
			id := w.create("main", nil).ID
			job := w.jobs(id)["job"].ID
			h.run(job)
			c.end(h, job)
			w.eventually("the job ends after "+name, func() bool { return w.ended(job).Status == c.status })
			before := w.ended(job)
			if before.FailureReason != c.reason {
				t.Errorf("after %s: %+v", name, before)
			}
			for _, a := range []client.Answer{
				h.report(job, runnerproto.UpdateRequest{State: "success"}), h.sends(job, "late"), h.report(job, runnerproto.UpdateRequest{State: "success"}),
			} {
				if a.Code != 403 || a.JobStatus != c.status || string(a.Body) != `{"message":"403 Forbidden - Job is not processing on runner"}` {
					t.Errorf("after %s: %d %s %s", name, a.Code, a.JobStatus, a.Body)
				}
			}
			w.settled()
			if got := w.ended(job); got.Status != before.Status || !got.FinishedAt.Equal(*before.FinishedAt) {
				t.Errorf("after %s: %+v became %+v", name, before, got)
			}
			if got := statuses(w.jobs(id)); got != c.jobs {
				t.Errorf("after %s: %s, want %s", name, got, c.jobs)
			}
			w.must(200, "POST", fmt.Sprintf("/projects/%s/pipelines/%d/cancel", w.project, id), nil, nil)
		}
	})
}

// sends sends a piece of log from its first byte.
func (h *hand) sends(id int64, text string) client.Answer {
	h.t.Helper()
	a, err := h.client.Patch(context.Background(), h.offer(id), 0, []byte(text))
	noError(h.t, err)
	return a
}
