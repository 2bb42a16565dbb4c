package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"signalbox/models"
	"signalbox/runnerproto"
)

// pressed has root and somebody else press the same button of a job at the same moment, and gives what they are told.
func (w *world) pressed(token string, job int64, what string) (told []string) {
	w.t.Helper()
	answers := make([]string, 2)
	var wg sync.WaitGroup
	for i, who := range []string{rootToken, token} {
		wg.Go(func() {
			var answer struct{ Message string }
			status := w.apiAs(who, "POST", fmt.Sprintf("/projects/%s/jobs/%d/%s", w.project, job, what), nil, &answer)
			answers[i] = fmt.Sprint(status, " ", answer.Message)
		})
	}
	wg.Wait()
	slices.Sort(answers)
	return answers
}

// TestTwoPeoplePressTheSameButton: one of them starts the job, the other is told why not.
func TestTwoPeoplePressTheSameButton(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		w.pushed("app", map[string]string{".gitlab-ci.yml": "broken: {script: x}\nbutton: {script: x, when: manual}"})
		id, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		for range 10 {
			p := w.create("main", nil).ID
			jobs := w.jobs(p)
			h.fail(jobs["broken"].ID)
			if got := fmt.Sprint(w.pressed(token, jobs["broken"].ID, "retry")); got != "[201  403 403 Forbidden - Job is not retryable]" {
				t.Errorf("retry: %s", got)
			}
			if got := fmt.Sprint(w.pressed(token, jobs["button"].ID, "play")); got != "[200  400 400 Bad request - Unplayable Job]" {
				t.Errorf("play: %s", got)
			}
			var all []jobJSON
			w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true", w.project, p), nil, &all)
			if len(all) != 3 {
				t.Errorf("attempts %+v", all)
			}
			for _, j := range w.jobs(p) {
				h.success(j.ID)
			}
			w.state(p, "success")
		}
	})
}

// together runs f for each of some jobs, many at the same moment.
func together(jobs []int64, f func(id int64)) {
	begin := make(chan struct{})
	next := make(chan int64)
	var wg sync.WaitGroup
	for range min(len(jobs), 200) {
		wg.Go(func() {
			<-begin
			for id := range next {
				f(id)
			}
		})
	}
	close(begin)
	for _, id := range jobs {
		next <- id
	}
	close(next)
	wg.Wait()
}

// says is for together: it reports a state of a job that was offered.
func (h *hand) says(state string) func(id int64) {
	return func(id int64) {
		a, err := h.client.Update(context.Background(), h.offers[id], runnerproto.UpdateRequest{State: state})
		if err != nil || a.Code != 200 {
			h.t.Errorf("job %d, %s: %d %s %v", id, state, a.Code, a.Body, err)
		}
	}
}

// TestTheLastJobsOfStagesFinishAtTheSameMoment, stage after stage, where on PostgreSQL each could see the others still
// running; the jobs of every second stage wait for those before by name.
func TestTheLastJobsOfStagesFinishAtTheSameMoment(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		const stages = 30
		root := map[string]any{}
		var names []string
		for i := range stages {
			stage := fmt.Sprint("s", i)
			names = append(names, stage)
			for _, side := range []string{"a", "b"} {
				job := map[string]any{"stage": stage, "script": "x"}
				if i%2 == 1 {
					job["needs"] = []string{fmt.Sprint("a", i-1), fmt.Sprint("b", i-1)}
				}
				root[fmt.Sprint(side, i)] = job
			}
		}
		root["stages"] = names
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": asYAML(root)})
		for i := range stages {
			jobs := w.jobs(id)
			both := []int64{jobs[fmt.Sprint("a", i)].ID, jobs[fmt.Sprint("b", i)].ID}
			h.take()
			together(both, h.says("running"))
			together(both, h.says("success"))
		}
		w.state(id, "success")
	})
}

// crowdEnv makes TestACrowdFinishesAtTheSameMoment and TestALargeReply ten times as large; `make test-all` sets it.
const crowdEnv = "SIGNALBOX_TEST_CROWD"

// TestACrowdFinishesAtTheSameMoment: hundreds of running jobs end at once. Each is told so, and the next stage starts.
func TestACrowdFinishesAtTheSameMoment(t *testing.T) {
	parallel := 20
	if os.Getenv(crowdEnv) != "" {
		parallel = 200
	}
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		root := map[string]any{"last": map[string]any{"stage": "deploy", "script": "x"}}
		for i := range 10 {
			root[fmt.Sprint("many", i)] = map[string]any{"script": "x", "parallel": parallel}
		}
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": asYAML(root)})
		h.take()
		var jobs []int64
		for job := range h.offers {
			jobs = append(jobs, job)
		}
		if len(jobs) != 10*parallel {
			t.Fatalf("%d jobs are offered", len(jobs))
		}
		together(jobs, h.says("running"))
		together(jobs, h.says("success"))
		clear(h.offers)
		h.take()
		for last := range h.offers {
			h.success(last)
		}
		w.state(id, "success")
	})
}
