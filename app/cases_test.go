package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	processing "signalbox/ci/process"
	"signalbox/models"
)

type pipelineCase struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Stages       []string `json:"stages"`
	OnJobFailure string   `json:"on_job_failure"`
	Jobs         []struct {
		Name         string    `json:"name"`
		Stage        string    `json:"stage"`
		When         string    `json:"when"`
		AllowFailure bool      `json:"allow_failure"`
		Needs        *[]string `json:"needs"`
		Retry        int       `json:"retry"`
	} `json:"jobs"`
	Steps []struct {
		Event    string            `json:"event"`
		Jobs     []string          `json:"jobs"`
		Pipeline string            `json:"pipeline"`
		Stages   map[string]string `json:"stages"`
		Status   map[string]string `json:"job_status"`
	} `json:"steps"`
}

// config writes the case as a configuration. Needed jobs that the case leaves out are kept out by a rule.
func (c *pipelineCase) config() string {
	root := map[string]any{"stages": c.Stages}
	if c.OnJobFailure != "" {
		root["workflow"] = map[string]any{"auto_cancel": map[string]any{"on_job_failure": c.OnJobFailure}}
	}
	for _, j := range c.Jobs {
		job := map[string]any{"stage": j.Stage, "script": "true", "when": j.When, "allow_failure": j.AllowFailure, "retry": j.Retry}
		if j.When == "delayed" {
			job["start_in"] = "30 seconds"
		}
		if j.Needs != nil {
			needs := []map[string]any{}
			for _, n := range *j.Needs {
				needs = append(needs, map[string]any{"job": n, "optional": true})
				if root[n] == nil {
					root[n] = map[string]any{"stage": c.Stages[0], "script": "true", "rules": []map[string]string{{"when": "never"}}}
				}
			}
			job["needs"] = needs
		}
		root[j.Name] = job
	}
	return asYAML(root)
}

func asYAML(root map[string]any) string {
	text, _ := json.Marshal(root) // JSON is YAML
	return string(text)
}

// branches pushes a branch for each configuration at once, which are too many for pipelines to begin by themselves.
func (w *world) branches(path string, configs []string) {
	w.t.Helper()
	var stream strings.Builder
	for i, text := range configs {
		fmt.Fprintf(&stream, "commit refs/heads/case-%d\ncommitter Root <root@example.com> 1700000000 +0000\ndata 1\nx\nM 644 inline .gitlab-ci.yml\ndata %d\n%s\n", i, len(text), text)
	}
	address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+rootToken+"@", 1) + "/root/" + path + ".git"
	cmd := exec.Command("bash", "-c", `set -e; git init -q "$1"; cd "$1"; git fast-import --quiet; git push -q "$2" 'refs/heads/*:refs/heads/*'`, "x", w.t.TempDir(), address)
	cmd.Stdin, cmd.Env = strings.NewReader(stream.String()), gitEnv(w.t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// TestCasesThroughTheCoordinator plays GitLab's cases once more: each as a configuration of a branch, with a runner
// and a person that do what the steps say over HTTP.
func TestCasesThroughTheCoordinator(t *testing.T) {
	raw, err := os.ReadFile("../ci/process/testdata/pipeline.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []pipelineCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 24*time.Hour })
		hands := map[bool]*hand{true: w.hand(true), false: w.hand(false)}
		var shift time.Duration
		var configs []string
		for _, c := range cases {
			configs = append(configs, c.config())
		}
		w.newProject("cases")
		w.branches("cases", configs)
		for i, c := range cases {
			t.Run(c.ID, func(t *testing.T) {
				w := w.in(t)
				var made struct{ ID int64 }
				w.must(201, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": fmt.Sprintf("case-%d", i)}, &made)
				graceful := false
				for _, s := range c.Steps {
					graceful = graceful || s.Event == "cancel_graceful"
				}
				p := &played{w: w, c: &c, id: made.ID, hand: hands[graceful], clock: clock, shift: &shift}
				p.hand.t = t
				p.play(t)
			})
		}
	})
}

// played is a case that is played.
type played struct {
	w     *world
	c     *pipelineCase
	id    int64
	hand  *hand
	clock *shiftingClock
	shift *time.Duration
}

func (p *played) play(t *testing.T) {
	started := false
	for _, s := range p.c.Steps {
		if s.Jobs == nil {
			p.pipelineEvent(t, s.Event)
		}
		for _, name := range s.Jobs {
			p.jobEvent(t, s.Event, p.w.jobs(p.id)[name].ID)
		}
		p.hand.take()
		got := map[string]string{}
		for name, j := range p.w.jobs(p.id) {
			got[name] = j.Status
		}
		if d := cmp.Diff(s.Status, got); d != "" {
			t.Errorf("%s: after %s %v (-want +got):\n%s", p.c.Title, s.Event, s.Jobs, d)
		}
		// The cases end some jobs that nobody started. Here a runner starts each before it ends it, and a pipeline that
		// ran does not become pending again.
		started = started || slices.Contains([]string{"run", "success", "drop"}, s.Event)
		want := s.Pipeline
		if want == "pending" && started {
			want = "running"
		}
		if st := p.w.of(p.id).Status; st != want {
			t.Errorf("%s: after %s %v the pipeline is %s, want %s", p.c.Title, s.Event, s.Jobs, st, want)
		}
	}
	p.recompute(t)
}

func (p *played) pipelineEvent(t *testing.T, event string) {
	path := fmt.Sprintf("/projects/%s/pipelines/%d/", p.w.project, p.id)
	switch event {
	case "create":
	case "retry":
		p.w.must(201, "POST", path+"retry", nil, nil)
	case "cancel_pipeline":
		p.w.must(200, "POST", path+"cancel", nil, nil)
	default:
		t.Fatalf("unknown event %q", event)
	}
}

func (p *played) jobEvent(t *testing.T, event string, id int64) {
	switch event {
	case "run":
		p.hand.run(id)
	case "success":
		p.hand.success(id)
	case "drop":
		p.hand.fail(id)
	case "cancel", "cancel_graceful":
		p.w.act(id, "cancel")
	case "play", "retry":
		p.w.act(id, event)
	case "enqueue_scheduled":
		*p.shift += 31 * time.Second
		p.clock.set(*p.shift)
		p.w.eventually("the delayed job", func() bool {
			var j jobJSON
			p.w.must(200, "GET", fmt.Sprintf("/projects/%s/jobs/%d", p.w.project, id), nil, &j)
			return j.Status != "scheduled"
		})
	default:
		t.Fatalf("unknown event %q", event)
	}
}

// recompute holds the pipeline's status against what its stored jobs give.
func (p *played) recompute(t *testing.T) {
	err := p.w.node.db.Read(context.Background(), func(tx *models.Tx) error {
		rows, err := tx.JobStates(p.id)
		if err != nil {
			return err
		}
		var jobs []processing.Job
		for _, r := range rows {
			jobs = append(jobs, processing.Job{ID: r.ID, Name: r.Name, Status: r.Status, AllowFailure: r.AllowFailure})
		}
		pl, err := tx.Pipeline(p.id)
		if err != nil {
			return err
		}
		if got := processing.Apply(pl.Status, processing.Composite(jobs)); got != pl.Status {
			t.Errorf("the pipeline is %s, its jobs give %s", pl.Status, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func statuses(jobs map[string]jobJSON) string {
	var out []string
	for name, j := range jobs {
		out = append(out, name+":"+j.Status)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
