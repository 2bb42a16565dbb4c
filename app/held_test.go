package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/modelstest"
)

// heldRequest is a runner's request for work that waits.
type heldRequest struct {
	w      *world
	status chan int
}

// ask sends a runner's request; last is the version that it has seen.
func (w *world) ask(token, last string) (status int, version string) {
	raw, _ := json.Marshal(map[string]any{"token": token, "last_update": last, "system_id": "s_held", "info": map[string]any{"version": "18.0.0"}})
	res, err := http.Post(w.node.Local+"/api/v4/jobs/request", "application/json", bytes.NewReader(raw))
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("X-GitLab-Last-Update")
}

// hold sends a request that waits for work, and returns once it does.
func (w *world) hold(token string) *heldRequest {
	w.t.Helper()
	status, version := w.ask(token, "")
	if status != 204 {
		w.t.Fatalf("first request: %d", status)
	}
	h := &heldRequest{w, make(chan int, 1)}
	waiting := w.node.CI.HeldRequests()
	go func() {
		status, _ := w.ask(token, version)
		h.status <- status
	}()
	w.eventually("the request to be held", func() bool { return w.node.CI.HeldRequests() > waiting })
	return h
}

// answered wants the status of the answer.
func (h *heldRequest) answered(want int) {
	h.w.t.Helper()
	select {
	case got := <-h.status:
		if got != want {
			h.w.t.Errorf("the held request is answered with %d, want %d", got, want)
		}
	case <-time.After(patience):
		h.w.t.Errorf("the request is still held")
	}
}

// runnerChange is something that ends what a runner could take, and what its held request is to be answered with.
type runnerChange struct {
	status int
	more   bool // it takes nothing away: who did not hear of it may get the job
	change func(tx *models.Tx, r models.LockedRunner, project int64) error
}

func runnerChanges() map[string]runnerChange {
	set := func(f func(r *models.Runner)) func(*models.Tx, models.LockedRunner, int64) error {
		return func(tx *models.Tx, r models.LockedRunner, _ int64) error {
			f(r.Runner)
			return tx.UpdateRunner(r)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	return map[string]runnerChange{
		"paused":               {status: 204, change: set(func(r *models.Runner) { r.Active = false })},
		"token reset":          {status: 403, change: set(func(r *models.Runner) { r.TokenHash = secret.Hash(fmt.Sprint("another ", r.ID)) })},
		"token expired":        {status: 403, change: set(func(r *models.Runner) { r.TokenExpiresAt = &yesterday })},
		"other tags":           {status: 204, change: set(func(r *models.Runner) { r.Tags = []string{"other"} })},
		"no untagged jobs":     {status: 204, change: set(func(r *models.Runner) { r.RunUntagged, r.Tags = false, []string{"other"} })},
		"protected refs only":  {status: 204, change: set(func(r *models.Runner) { r.RefProtected = true })},
		"shorter jobs":         {status: 204, change: set(func(r *models.Runner) { r.MaximumTimeout = 600 })},
		"deleted":              {status: 403, change: func(tx *models.Tx, r models.LockedRunner, _ int64) error { return tx.DeleteRunner(r.ID) }},
		"machine deleted":      {status: 204, change: func(tx *models.Tx, r models.LockedRunner, _ int64) error { return tx.DeleteManager(r.ID, "s_held") }},
		"out of its project":   {status: 204, change: func(tx *models.Tx, r models.LockedRunner, p int64) error { return tx.RemoveRunnerProject(r.ID, p) }},
		"another project more": {status: 204, more: true, change: func(tx *models.Tx, r models.LockedRunner, _ int64) error { return tx.AddRunnerProject(r.ID, 1) }},
	}
}

// heldWorld is a node that holds requests for long. elsewhere is a second connection to its database, whose changes
// nobody announces.
func heldWorld(t *testing.T, o models.Options) (w *world, elsewhere *models.DB) {
	w = start(t, o, func(s *Settings) { s.HoldPolls = 5 * time.Minute })
	w.newProject("more")
	if o.URL == "" {
		o.Dir = w.s.Data
	}
	return w, modelstest.Open(t, o)
}

const heldConfig = "job: {script: echo, rules: [{if: $CI_PIPELINE_SOURCE == \"api\"}]}"

// ownRunner makes a project, whose branch "work" is not protected, and a runner of its own.
func (w *world) ownRunner(path string) (token string, runner, project int64) {
	w.t.Helper()
	return w.ownRunnerOf(path, heldConfig)
}

func (w *world) ownRunnerOf(path, config string) (token string, runner, project int64) {
	w.t.Helper()
	project = w.newProject(path)
	var r struct {
		ID    int64
		Token string
	}
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": project, "run_untagged": true}, &r)
	for _, branch := range []string{"main", "work"} {
		w.must(201, "POST", "/projects/"+w.project+"/repository/commits", map[string]any{
			"branch": branch, "start_branch": map[string]any{"work": "main"}[branch], "commit_message": "Add a job",
			"actions": []any{map[string]any{"action": map[string]string{"main": "create", "work": "update"}[branch], "file_path": ".gitlab-ci.yml", "content": config + "\n"}},
		}, nil)
	}
	return r.Token, r.ID, project
}

// startHeld makes a pipeline of one job.
func (w *world) startHeld() {
	w.t.Helper()
	w.must(201, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "work"}, nil)
}

func pathOf(name string) string { return strings.ReplaceAll(name, " ", "-") }

// TestAChangedRunnerGetsNothingFromAHeldRequest walks all changes of a runner while it waits: whether the node hears
// of the change, and answers at once, or only finds it when a job comes.
func TestAChangedRunnerGetsNothingFromAHeldRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w, elsewhere := heldWorld(t, o)
		for name, c := range runnerChanges() {
			t.Run(name, func(t *testing.T) {
				token, id, project := w.ownRunner(pathOf(name))
				held := w.hold(token)
				w.change(w.node.db, id, project, c)
				held.answered(c.status)
			})
			t.Run(name+", unheard", func(t *testing.T) {
				token, id, project := w.ownRunner(pathOf(name) + "-unheard")
				held := w.hold(token)
				w.change(elsewhere, id, project, c)
				w.startHeld()
				if c.more {
					held.answered(201)
					return
				}
				held.answered(c.status)
				if job := w.jobs(w.pipelines()[0].ID)["job"]; job.Status != "pending" {
					t.Errorf("the job is %s", job.Status)
				}
			})
		}
	})
}

func (w *world) change(db *models.DB, runner, project int64, c runnerChange) {
	w.t.Helper()
	err := db.Write(context.Background(), func(tx *models.Tx) error {
		r, err := tx.LockRunner(runner)
		if err != nil {
			return err
		}
		return c.change(tx, r, project)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestARunnerThatMayNotTakeAJobDoesNotFailIt: a runner that cannot do what a job asks for fails it, but only as long as the
// job could have been its own.
func TestARunnerThatMayNotTakeAJobDoesNotFailIt(t *testing.T) {
	beside(t)
	w, elsewhere := heldWorld(t, models.Options{})
	token, id, project := w.ownRunnerOf("app", strings.Replace(heldConfig, "script: echo", "script: echo, artifacts: {reports: {junit: x.xml}}", 1))
	held := w.hold(token)
	w.change(elsewhere, id, project, runnerChanges()["out of its project"])
	w.startHeld()
	held.answered(204)
	if job := w.jobs(w.pipelines()[0].ID)["job"]; job.Status != "pending" {
		t.Errorf("the job is %s: %s", job.Status, job.FailureReason)
	}
	other, _, _ := w.ownRunnerOf("other", strings.Replace(heldConfig, "script: echo", "script: echo, artifacts: {reports: {junit: x.xml}}", 1))
	w.startHeld()
	if status, _ := w.ask(other, ""); status != 204 {
		t.Errorf("a runner without the feature: %d", status)
	}
	if job := w.jobs(w.pipelines()[0].ID)["job"]; job.FailureReason != "runner_unsupported" {
		t.Errorf("the job is %s: %s", job.Status, job.FailureReason)
	}
}

// TestAHeldRequestSurvivesWhatDoesNotConcernIt: events are hints, and one that changes nothing ends no wait.
func TestAHeldRequestSurvivesWhatDoesNotConcernIt(t *testing.T) {
	beside(t)
	w, _ := heldWorld(t, models.Options{})
	token, id, project := w.ownRunner("app")
	held := w.hold(token)
	w.change(w.node.db, id, project, runnerChange{change: func(tx *models.Tx, r models.LockedRunner, _ int64) error { return tx.UpdateRunner(r) }})
	w.startHeld()
	held.answered(201)
}

// TestAClaimReadsTheProjectAgain: what a project lets in, and whether it runs jobs at all, counts when a job is given.
func TestAClaimReadsTheProjectAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w, elsewhere := heldWorld(t, o)
		var r struct{ Token string }
		w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
		for name, c := range map[string]struct {
			change func(p *models.Project)
			job    string
		}{
			"no instance runners": {func(p *models.Project) { p.SharedRunnersEnabled = false }, "pending"},
			"archived":            {func(p *models.Project) { p.Archived = true }, "failed"},
			"no jobs":             {func(p *models.Project) { p.BuildsEnabled = false }, "failed"},
		} {
			t.Run(name, func(t *testing.T) {
				_, _, project := w.ownRunner(pathOf(name))
				w.startHeld()
				err := elsewhere.Write(t.Context(), func(tx *models.Tx) error {
					p, err := tx.LockProject(project)
					if err != nil {
						return err
					}
					c.change(p.Project)
					return errors.Join(tx.UpdateProject(p), tx.MovePendingOf(p.Project))
				})
				if err != nil {
					t.Fatal(err)
				}
				if status, _ := w.ask(r.Token, ""); status != 204 {
					t.Errorf("the job is given: %d", status)
				}
				if job := w.jobs(w.pipelines()[0].ID)["job"]; job.Status != c.job {
					t.Errorf("the job is %s, want %s", job.Status, c.job)
				}
			})
		}
	})
}

// TestWaitingJobsFollowTheirProject: a job that waits may be taken by the runners that its project lets in later.
func TestWaitingJobsFollowTheirProject(t *testing.T) {
	beside(t)
	w, _ := heldWorld(t, models.Options{})
	w.ownRunner("app")
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"shared_runners_enabled": false}, nil)
	w.startHeld()
	var r struct{ Token string }
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
	held := w.hold(r.Token)
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"shared_runners_enabled": true}, nil)
	held.answered(201)
}

// TestAJobThatCameDuringAPauseIsGivenAfterIt: an answer to a paused runner searched nothing, so that it is no news of what
// waits.
func TestAJobThatCameDuringAPauseIsGivenAfterIt(t *testing.T) {
	beside(t)
	w, _ := heldWorld(t, models.Options{})
	token, id, _ := w.ownRunner("app")
	pause := func(yes bool) {
		t.Helper()
		w.must(200, "PUT", fmt.Sprintf("/runners/%d", id), map[string]any{"paused": yes}, nil)
	}
	_, seen := w.ask(token, "")
	pause(true)
	w.startHeld()
	for range 2 {
		status, version := w.ask(token, seen)
		if status != 204 {
			t.Fatalf("a paused runner: %d", status)
		}
		if version != "" { // as a runner keeps it
			seen = version
		}
	}
	pause(false)
	if status, _ := w.ask(token, seen); status != 201 {
		t.Errorf("after the pause: %d", status)
	}
}
