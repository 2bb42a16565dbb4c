package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	processing "signalbox/ci/process"
	"signalbox/models"
	"signalbox/models/enum"
)

// randomConfig is a configuration of a few stages with jobs of all kinds, some of which wait for others by name.
func randomConfig(r *rand.Rand) string {
	root := map[string]any{"stages": []string{"a", "b", "c", "d"}}
	var names []string
	for i := range 4 + r.IntN(9) {
		name := fmt.Sprintf("job%d", i)
		job := map[string]any{
			"stage": []string{"a", "b", "c", "d"}[min(i/3, 3)], "script": "x", "allow_failure": r.IntN(4) == 0,
			"when": []string{"on_success", "on_success", "on_success", "on_failure", "always", "manual"}[r.IntN(6)],
		}
		if r.IntN(2) == 0 {
			needs := []any{}
			for _, n := range names {
				if r.IntN(3) == 0 {
					needs = append(needs, n)
				}
			}
			job["needs"] = needs
		}
		if r.IntN(5) == 0 {
			job["retry"] = 1
		}
		if r.IntN(6) == 0 {
			job["resource_group"] = "one"
		}
		root[name], names = job, append(names, name)
	}
	return asYAML(root)
}

// TestRandomPipelines play random pipelines to their end, with random events of runners and people. After each event
// nothing is left that could move, the status is that of the jobs, and in the end nothing waits.
func TestRandomPipelines(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		for seed := range 12 {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				w := w.in(t)
				h.t = t
				r := rand.New(rand.NewPCG(uint64(seed), 7))
				config := randomConfig(r)
				id := w.pushed(fmt.Sprintf("random-%d", seed), map[string]string{".gitlab-ci.yml": config})
				for step := range 120 {
					w.settled()
					w.steady(id, config)
					if !w.randomEvent(h, r, id, step > 60) {
						break
					}
				}
				for name, j := range w.jobs(id) {
					if !enum.Status(j.Status).Completed() {
						t.Errorf("%s stays %s in %s", name, j.Status, config)
					}
				}
				if st := w.of(id).Status; !enum.Status(st).Completed() {
					t.Errorf("the pipeline stays %s in %s", st, config)
				}
			})
		}
	})
}

// randomEvent lets something happen to a pipeline; false if nothing can. Towards the end nobody starts anything over.
func (w *world) randomEvent(h *hand, r *rand.Rand, id int64, ending bool) bool {
	w.t.Helper()
	jobs := w.jobs(id)
	var names []string
	for name, j := range jobs {
		if st := enum.Status(j.Status); st == enum.Pending || st == enum.Running || st == enum.Manual || !ending && st == enum.Failed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return false
	}
	j := jobs[names[r.IntN(len(names))]]
	path := fmt.Sprintf("/projects/%s/jobs/%d/", w.project, j.ID)
	switch st := enum.Status(j.Status); {
	case st == enum.Manual:
		w.must(200, "POST", path+"play", nil, nil)
	case st == enum.Failed && r.IntN(3) == 0:
		w.must(201, "POST", path+"retry", nil, nil)
	case st == enum.Failed:
		return len(names) > 1 || r.IntN(4) > 0
	case r.IntN(12) == 0:
		w.must(201, "POST", path+"cancel", nil, nil)
	case r.IntN(3) == 0:
		h.fail(j.ID)
	default:
		h.success(j.ID)
	}
	return true
}

// steady checks that processing has nothing left to do, and that the pipeline's status is that of its jobs.
func (w *world) steady(id int64, config string) {
	w.t.Helper()
	err := w.node.db.Read(context.Background(), func(tx *models.Tx) error {
		rows, err := tx.JobStates(id)
		if err != nil {
			return err
		}
		var jobs []processing.Job
		for _, j := range rows {
			jobs = append(jobs, processing.Job{
				ID: j.ID, Name: j.Name, Stage: j.StageIndex, Needs: j.Needs, When: j.When, AllowFailure: j.AllowFailure, EnqueueNow: j.EnqueueNow,
				Resource: j.Resource, Status: j.Status,
			})
		}
		if left := processing.Advance(jobs); len(left) != 0 {
			w.t.Fatalf("processing left %+v in %s", left, config)
		}
		p, err := tx.Pipeline(id)
		if err != nil {
			return err
		}
		if want := processing.Apply(p.Status, processing.Composite(jobs)); want != p.Status {
			w.t.Fatalf("the pipeline is %s, its jobs give %s in %s", p.Status, want, config)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
