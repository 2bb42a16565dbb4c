package app

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"signalbox/models"
	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

// hand is a runner played by a test: it takes every job that is offered and does with each what the test says.
type hand struct {
	t      *testing.T
	client client.Client
	offers map[int64]*runnerproto.Job
}

// hand registers an instance runner. Graceful ones get to clean up when their jobs are canceled.
func (w *world) hand(graceful bool) *hand {
	w.t.Helper()
	var r struct{ Token string }
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
	h := &hand{t: w.t, offers: map[int64]*runnerproto.Job{}, client: client.Client{URL: w.node.Local, Token: r.Token, SystemID: "s_hand", Info: runnerproto.Info{
		Name: "hand", Version: "18.9.0", Executor: "shell",
		Features: map[string]bool{
			"two_phase_job_commit": true, "cancel_gracefully": graceful, "return_exit_code": true, "upload_multiple_artifacts": true,
			"artifacts_exclude": true, "multi_build_steps": true, "refspecs": true, "fallback_cache_keys": true,
		},
	}}}
	return h
}

// take asks for jobs until there are none, without accepting any: they stay pending.
func (h *hand) take() {
	h.t.Helper()
	for {
		asking := h.client // knows no version, so that nothing is held
		job, err := asking.Request(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		if job == nil {
			return
		}
		h.offers[job.ID] = job
	}
}

// offer is a job that is offered, or was; it asks for it if need be.
func (h *hand) offer(id int64) *runnerproto.Job {
	h.t.Helper()
	world := &world{t: h.t}
	world.eventually(fmt.Sprintf("an offer of job %d", id), func() bool {
		if h.offers[id] == nil {
			h.take()
		}
		return h.offers[id] != nil
	})
	return h.offers[id]
}

// report says how a job is, and gives what the coordinator answers.
func (h *hand) report(id int64, u runnerproto.UpdateRequest) client.Answer {
	h.t.Helper()
	a, err := h.client.Update(context.Background(), h.offer(id), u)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *hand) must(status int, id int64, u runnerproto.UpdateRequest) {
	h.t.Helper()
	if a := h.report(id, u); a.Code != status {
		h.t.Fatalf("job %d, %s: %d %s, want %d", id, u.State, a.Code, a.Body, status)
	}
}

func (h *hand) run(id int64) {
	h.t.Helper()
	h.must(200, id, runnerproto.UpdateRequest{State: "running"})
}

func (h *hand) success(id int64) {
	h.t.Helper()
	h.must(200, id, runnerproto.UpdateRequest{State: "success"})
}

func (h *hand) fail(id int64) {
	h.t.Helper()
	code := 1
	h.must(200, id, runnerproto.UpdateRequest{State: "failed", FailureReason: "script_failure", ExitCode: &code})
}

// variable is what a job that was offered sees.
func (h *hand) variable(id int64, key string) string {
	h.t.Helper()
	value := ""
	for _, v := range h.offer(id).Variables {
		if v.Key == key {
			value = v.Value
		}
	}
	return value
}

// act is POST /projects/…/jobs/<id>/<what>.
func (w *world) act(id int64, what string) jobJSON {
	w.t.Helper()
	var j jobJSON
	status := map[bool]int{true: 200, false: 201}[what == "play"]
	w.must(status, "POST", fmt.Sprintf("/projects/%s/jobs/%d/%s", w.project, id, what), nil, &j)
	return j
}

// of reads one pipeline.
func (w *world) of(id int64) (p pipelineJSON) {
	w.t.Helper()
	w.must(200, "GET", "/projects/"+w.project+"/pipelines/"+strconv.FormatInt(id, 10), nil, &p)
	return p
}

// settled waits until no task is left that is due.
func (w *world) settled() {
	w.t.Helper()
	w.eventually("all tasks are done", func() bool {
		left := true
		err := w.node.db.Read(context.Background(), func(tx *models.Tx) (err error) {
			left, err = tx.TasksLeft()
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		return !left
	})
}

// holdsTasks says whether a task runs at the moment.
func (w *world) holdsTasks() bool {
	w.t.Helper()
	held := false
	err := w.node.db.Read(context.Background(), func(tx *models.Tx) (err error) {
		held, err = tx.TasksHeld()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return held
}
