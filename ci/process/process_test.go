package process

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	s "signalbox/models/enum"
)

type caseJob struct {
	Name         string    `json:"name"`
	Stage        string    `json:"stage"`
	When         s.When    `json:"when"`
	AllowFailure bool      `json:"allow_failure"`
	Needs        *[]string `json:"needs"`
	Retry        int       `json:"retry"`
}

type caseStep struct {
	Event    string              `json:"event"`
	Jobs     []string            `json:"jobs"`
	Pipeline s.Status            `json:"pipeline"`
	Stages   map[string]s.Status `json:"stages"`
	Status   map[string]s.Status `json:"job_status"`
}

type caseFile struct {
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	Stages       []string   `json:"stages"`
	OnJobFailure string     `json:"on_job_failure"`
	Jobs         []caseJob  `json:"jobs"`
	Steps        []caseStep `json:"steps"`
}

// engine applies decisions as the coordinator does, in memory.
type engine struct {
	t        *testing.T
	c        caseFile
	jobs     []Job
	retried  map[string]int
	pipeline s.Status
	stages   map[string]s.Status
}

func newEngine(t *testing.T, c caseFile) *engine {
	e := &engine{t: t, c: c, retried: map[string]int{}, pipeline: s.Created, stages: map[string]s.Status{}}
	for i, j := range c.Jobs {
		e.jobs = append(e.jobs, Job{
			ID: int64(i + 1), Name: j.Name, Stage: slices.Index(c.Stages, j.Stage),
			Needs: j.Needs, When: j.When, AllowFailure: j.AllowFailure, Status: s.Created,
		})
	}
	for _, st := range c.Stages {
		e.stages[st] = s.Created
	}
	return e
}

func (e *engine) find(id int64) *Job {
	for i := range e.jobs {
		if e.jobs[i].ID == id {
			return &e.jobs[i]
		}
	}
	e.t.Fatalf("no job %d", id)
	return nil
}

func (e *engine) named(name string) *Job {
	for i := range e.jobs {
		if e.jobs[i].Name == name {
			return &e.jobs[i]
		}
	}
	e.t.Fatalf("no job %s", name)
	return nil
}

func (e *engine) move(j *Job, ev Event) {
	target, ok := Move(j.Status, ev)
	if !ok {
		e.t.Fatalf("%s does not move %s from %s", ev, j.Name, j.Status)
	}
	j.Status = target
}

func (e *engine) process() {
	for _, c := range Advance(e.jobs) {
		e.find(c.ID).Status = c.To
	}
	for i, st := range e.c.Stages {
		var members []Job
		for _, j := range e.jobs {
			if j.Stage == i {
				members = append(members, j)
			}
		}
		if next := Composite(members); next != s.Created { // a stage that is created anew keeps what it showed
			e.stages[st] = next
		}
	}
	e.pipeline = Apply(e.pipeline, Composite(e.jobs))
}

// clone is another attempt at a job.
func (e *engine) clone(j *Job, now bool) {
	e.retried[j.Name]++
	j.Status, j.EnqueueNow = s.Created, now && (j.When == s.WhenManual || j.When == s.Delayed)
}

func (e *engine) reset(of ...int64) {
	for _, id := range Dependents(e.jobs, of...) {
		e.move(e.find(id), Process)
	}
}

func (e *engine) apply(step caseStep) {
	for _, name := range step.Jobs {
		j := e.named(name)
		switch step.Event {
		case "success":
			e.move(j, Succeed)
		case "drop":
			e.move(j, Drop)
			rule := &RetryRule{Max: e.c.Jobs[j.ID-1].Retry}
			if AutoRetry(rule, s.ScriptFailure, nil, e.retried[j.Name]) {
				e.clone(j, true)
				continue
			}
			for _, id := range Stopped(e.c.OnJobFailure, *j, e.jobs) {
				e.move(e.find(id), Cancel)
			}
		case "run":
			e.move(j, Run)
		case "cancel":
			e.move(j, Cancel)
		case "cancel_graceful":
			e.move(j, StartCancel)
		case "play", "enqueue_scheduled":
			e.move(j, Enqueue)
			e.reset(j.ID)
		case "unschedule":
			e.move(j, Unschedule)
		case "retry":
			e.clone(j, true)
			e.reset(j.ID)
		default:
			e.t.Fatalf("unknown event %q", step.Event)
		}
	}
	if step.Jobs == nil {
		e.applyToAll(step.Event)
	}
	e.process()
}

func (e *engine) applyToAll(event string) {
	for i := range e.jobs {
		j := &e.jobs[i]
		switch {
		case event == "cancel_pipeline" && j.Status.Cancelable():
			e.move(j, Cancel)
		case event == "retry" && (j.Status == s.Failed || j.Status == s.Canceled):
			e.clone(j, false)
		case event == "retry" && j.Status == s.Skipped:
			e.move(j, Process)
		}
	}
}

func TestCasesOfGitLab(t *testing.T) {
	raw, err := os.ReadFile("testdata/pipeline.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []caseFile
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, c := range cases {
		tried++
		t.Run(c.ID, func(t *testing.T) {
			e := newEngine(t, c)
			for _, step := range c.Steps {
				e.apply(step)
				got := map[string]s.Status{}
				for _, j := range e.jobs {
					got[j.Name] = j.Status
				}
				if d := cmp.Diff(step.Status, got); d != "" {
					t.Errorf("%s: after %s %v (-want +got):\n%s", c.Title, step.Event, step.Jobs, d)
				}
				if e.pipeline != step.Pipeline {
					t.Errorf("%s: after %s %v the pipeline is %s, want %s", c.Title, step.Event, step.Jobs, e.pipeline, step.Pipeline)
				}
				for name, want := range step.Stages {
					if e.stages[name] != want {
						t.Errorf("%s: after %s %v stage %s is %s, want %s", c.Title, step.Event, step.Jobs, name, e.stages[name], want)
					}
				}
			}
		})
	}
	if tried < 58 {
		t.Fatalf("only %d cases", tried)
	}
}

func TestFinishedStatesAreFinal(t *testing.T) {
	for _, tr := range Transitions() {
		if tr.From.Completed() && tr.From != s.Skipped {
			t.Errorf("%s moves a %s job to %s", tr.Event, tr.From, tr.To)
		}
		if !tr.From.Known() || !tr.To.Known() {
			t.Errorf("unknown status in %v", tr)
		}
	}
}

func TestAutoRetry(t *testing.T) {
	code := 3
	for name, c := range map[string]struct {
		rule    *RetryRule
		reason  s.FailureReason
		code    *int
		earlier int
		want    bool
	}{
		"no rule":            {nil, s.ScriptFailure, nil, 0, false},
		"max left":           {&RetryRule{Max: 2}, s.ScriptFailure, nil, 1, true},
		"max used":           {&RetryRule{Max: 2}, s.ScriptFailure, nil, 2, false},
		"other reason":       {&RetryRule{Max: 2, When: []string{"runner_system_failure"}}, s.ScriptFailure, nil, 0, false},
		"always":             {&RetryRule{Max: 1, When: []string{"always"}}, s.ScriptFailure, nil, 0, true},
		"exit code":          {&RetryRule{Max: 1, ExitCodes: []int{3}}, s.ScriptFailure, &code, 0, true},
		"other exit code":    {&RetryRule{Max: 1, ExitCodes: []int{4}}, s.ScriptFailure, &code, 0, false},
		"never retried":      {&RetryRule{Max: 2}, s.MissingDependencyFailure, nil, 0, false},
		"scheduler, default": {nil, s.SchedulerFailure, nil, 1, true},
		"legacy word":        {&RetryRule{Max: 1, When: []string{"stuck_or_timeout_failure"}}, s.StuckPendingMatching, nil, 0, true},
	} {
		if got := AutoRetry(c.rule, c.reason, c.code, c.earlier); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRetryable(t *testing.T) {
	for _, c := range []struct {
		status s.Status
		reason s.FailureReason
		want   bool
	}{
		{s.Success, "", true},
		{s.Failed, s.ScriptFailure, true},
		{s.Canceled, "", true},
		{s.Canceling, "", true},
		{s.Failed, s.PipelineLoop, false},
		{s.Failed, s.DescendantsTooDeep, false},
		{s.Failed, s.DeploymentRejected, false},
		{s.Skipped, "", false},
		{s.Manual, "", false},
		{s.Running, "", false},
	} {
		if got := Retryable(c.status, c.reason); got != c.want {
			t.Errorf("%s %s: %v", c.status, c.reason, got)
		}
	}
}
