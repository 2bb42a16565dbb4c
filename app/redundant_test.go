package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

// TestNewCommitsMakeOldPipelinesRedundant pushes twice, with the first pipeline as far as each case says.
func TestNewCommitsMakeOldPipelinesRedundant(t *testing.T) {
	const jobs = "\nbuild: {script: a, interruptible: true}\ndeploy: {script: b}\n"
	for name, c := range map[string]struct {
		config string
		begun  string // the job that runs when the second commit comes
		want   string // how the first one's jobs are then
	}{
		"nothing has started":               {jobs, "", "build:canceled deploy:canceled"},
		"what may be interrupted runs":      {jobs, "build", "build:canceled deploy:canceled"},
		"what must not be interrupted runs": {jobs, "deploy", "build:pending deploy:running"},
		"only what may be interrupted":      {"workflow: {auto_cancel: {on_new_commit: interruptible}}" + jobs, "deploy", "build:canceled deploy:running"},
		"none":                              {"workflow: {auto_cancel: {on_new_commit: none}}" + jobs, "build", "build:running deploy:pending"},
		"a rule says none": {
			"workflow: {auto_cancel: {on_new_commit: interruptible}, rules: [{if: $CI_COMMIT_BRANCH, auto_cancel: {on_new_commit: none}}]}" + jobs,
			"", "build:pending deploy:pending",
		},
	} {
		onEither(t, func(t *testing.T, o models.Options) {
			t.Run(name, func(t *testing.T) {
				w := start(t, o)
				w.newProject("app")
				h := w.hand(false)
				w.push("app", map[string]string{".gitlab-ci.yml": c.config})
				w.eventually("the first pipeline", func() bool { return len(w.pipelines()) == 1 })
				first := w.newest()
				if c.begun != "" {
					h.run(w.jobs(first)[c.begun].ID)
				}
				w.push("app", map[string]string{"more": "x"})
				w.eventually("the second pipeline", func() bool { return len(w.pipelines()) == 2 })
				w.settled()
				if got := statuses(w.jobs(first)); got != c.want {
					t.Errorf("the first one's jobs: %s, want %s", got, c.want)
				}
				if got := statuses(w.jobs(w.newest())); got != "build:pending deploy:pending" {
					t.Errorf("the second one's jobs: %s", got)
				}
				if id := w.jobs(first)["build"].ID; strings.Contains(c.want, "build:canceled") {
					_, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", id))
					if want := fmt.Sprintf("Pipeline #%d of a newer commit took its place", w.newest()); !strings.Contains(page, want) {
						t.Errorf("the page does not say %q: %s", want, page)
					}
				}
			})
		})
	}
}

// TestWhatIsNotRedundant: pipelines of the same commit, of other refs, of chats, and of projects that keep theirs.
func TestWhatIsNotRedundant(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "build: {script: a}"})
		w.eventually("the first pipeline", func() bool { return len(w.pipelines()) == 1 })
		first := w.newest()
		w.create("main", nil)
		w.settled()
		if st := w.of(first).Status; st != "pending" {
			t.Errorf("another pipeline of the commit made it %s", st)
		}
		if out, err := w.tryPush("app", rootToken, "other", map[string]string{"x": "y"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of another branch", func() bool { return len(w.pipelines()) == 3 })
		w.settled()
		if st := w.of(first).Status; st != "pending" {
			t.Errorf("a pipeline of another branch made it %s", st)
		}
		var command struct {
			ID         int64
			PipelineID int64 `json:"pipeline_id"`
		}
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run build"}, &command)
		w.eventually("the pipeline of the command", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, command.ID), nil, &command)
			return command.PipelineID != 0
		})
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"auto_cancel_pending_pipelines": "disabled"}, nil)
		w.push("app", map[string]string{"kept": "x"})
		w.eventually("the next pipeline", func() bool { return w.newest() > command.PipelineID })
		w.settled()
		if st := w.of(first).Status; st != "pending" {
			t.Errorf("a project that keeps its pipelines has one that is %s", st)
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"auto_cancel_pending_pipelines": "enabled"}, nil)
		w.push("app", map[string]string{"canceled": "x"})
		w.eventually("the first one is redundant", func() bool { return w.of(first).Status == "canceled" })
		w.settled()
		if st := w.of(command.PipelineID).Status; st != "pending" {
			t.Errorf("what somebody asked for in a chat is %s", st)
		}
	})
}

// TestACommitWithoutPipelineCancelsNone : what nothing takes the place of goes on.
func TestACommitWithoutPipelineCancelsNone(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		first := w.pushed("app", map[string]string{".gitlab-ci.yml": "build: {script: a}\ndeploy: {script: b}"})
		if out, err := w.tryPush("app", rootToken, "main", map[string]string{"more": "x"}, "-o", "ci.no_pipeline"); err != nil {
			t.Fatal(out)
		}
		w.settled()
		if got := statuses(w.jobs(first)); got != "build:pending deploy:pending" {
			t.Errorf("a push without pipeline left %s", got)
		}
	})
}

// TestStatusesOfOthersKeepNothing : a pipeline that another system has told a success of is as redundant as others.
func TestStatusesOfOthersKeepNothing(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		first := w.pushed("app", map[string]string{".gitlab-ci.yml": "build: {script: a}"})
		var c struct{ ID string }
		w.must(200, "GET", "/projects/"+w.project+"/repository/commits/main", nil, &c)
		w.must(201, "POST", "/projects/"+w.project+"/statuses/"+c.ID, map[string]any{"state": "success", "name": "elsewhere"}, nil)
		w.push("app", map[string]string{"more": "x"})
		w.settled()
		if got := statuses(w.jobs(first)); got != "build:canceled" {
			t.Errorf("the older pipeline has %s", got)
		}
	})
}
