package process

import (
	"sort"

	s "signalbox/models/enum"
)

// Job is what the processing of a pipeline knows of a job's latest attempt.
type Job struct {
	ID           int64
	Name         string
	Stage        int       // index of its stage
	Needs        *[]string // nil: it waits for the stages before; a list, even empty: for these jobs alone
	When         s.When
	AllowFailure bool
	EnqueueNow   bool // a retried manual or delayed job starts without waiting to be played again
	Resource     bool // it is in a resource group

	Interruptible bool // a newer commit may cancel it while it runs
	Status        s.Status
}

// Start is the event by which a job gets on its way: to a runner, or to the queue of its resource group.
func (j *Job) Start() Event {
	if j.Resource {
		return Wait
	}
	return Enqueue
}

// Change is a move that follows from the state of the others. Reason says why, for people.
type Change struct {
	ID     int64
	From   s.Status
	To     s.Status
	Event  Event
	Reason string
}

// Advance decides which created jobs move now, given the latest attempts of all jobs of a pipeline. The
// changes stand in the order in which they happen. Cost: linear in jobs and needs.
func Advance(jobs []Job) []Change {
	w := newWorld(jobs)
	var out []Change
	var lower set // all jobs of the stages before
	for _, stage := range w.stages {
		for _, i := range w.order(stage) {
			j := &w.jobs[i]
			if j.Status != s.Created {
				continue
			}
			before := w.before(j, &lower)
			previous := before.previous(j.Needs != nil)
			if !previous.Completed() {
				continue
			}
			event, reason := decide(j, previous, before)
			target, _ := Move(j.Status, event)
			out = append(out, Change{ID: j.ID, From: j.Status, To: target, Event: event, Reason: reason})
			j.Status = target
		}
		for _, i := range w.byStage[stage] {
			lower.add(&w.jobs[i])
		}
	}
	return out
}

type world struct {
	jobs    []Job
	byName  map[string]int
	stages  []int
	byStage map[int][]int
}

func newWorld(jobs []Job) *world {
	w := &world{jobs: append([]Job(nil), jobs...), byName: make(map[string]int, len(jobs)), byStage: map[int][]int{}}
	for i, j := range w.jobs {
		w.byName[j.Name] = i
		if _, seen := w.byStage[j.Stage]; !seen {
			w.stages = append(w.stages, j.Stage)
		}
		w.byStage[j.Stage] = append(w.byStage[j.Stage], i)
	}
	sort.Ints(w.stages)
	return w
}

// order sorts the jobs of a stage so that a job comes after those of the same stage that it needs.
func (w *world) order(stage int) []int {
	members := w.byStage[stage]
	done := make(map[int]bool, len(members))
	out := make([]int, 0, len(members))
	var visit func(i int)
	visit = func(i int) {
		if done[i] || w.jobs[i].Stage != stage {
			return
		}
		done[i] = true
		if needs := w.jobs[i].Needs; needs != nil {
			for _, n := range *needs {
				if k, ok := w.byName[n]; ok {
					visit(k)
				}
			}
		}
		out = append(out, i)
	}
	for _, i := range members {
		visit(i)
	}
	return out
}

// before are the jobs that decide about a job: those of the stages before, or those that it needs.
func (w *world) before(j *Job, lower *set) *set {
	if j.Needs == nil {
		return lower
	}
	needed := &set{}
	for _, n := range *j.Needs {
		if i, ok := w.byName[n]; ok {
			needed.add(&w.jobs[i])
		}
	}
	return needed
}

// decide is the table of `when` (facts: pipeline-semantics 4.5).
func decide(j *Job, previous s.Status, before *set) (Event, string) {
	dag := j.Needs != nil
	allowed := previous == s.Success || previous == s.Skipped && !dag
	switch j.When {
	case s.OnFailure:
		allowed = previous == s.Failed
	case s.Always:
		allowed = previous != s.Canceled
	case s.Never:
		allowed = false
	}
	if !allowed {
		return Skip, skipReason(j, previous, before)
	}
	switch {
	case j.When == s.WhenManual && !j.EnqueueNow:
		return Actionize, "waits to be started by hand"
	case j.When == s.Delayed && !j.EnqueueNow:
		return Schedule, "starts later (when: delayed)"
	}
	return j.Start(), ""
}

// skipReason says why a job is skipped, and names a job that is to blame.
func skipReason(j *Job, previous s.Status, before *set) string {
	if j.When == s.OnFailure && previous == s.Success {
		return "it runs on failure, and nothing before it failed"
	}
	kind := "job"
	if j.Needs != nil {
		kind = "needed job"
	}
	name, ended := before.blame(previous)
	if name == "" {
		return "what comes before it ended as " + string(previous)
	}
	return kind + " " + name + " " + ended
}

// Dependents lists the skipped jobs that get another chance when the given jobs are played or retried: those
// of later stages, and whatever needs one of them, directly or through others (facts: 4.8).
func Dependents(jobs []Job, of ...int64) []int64 {
	chosen := map[int64]bool{}
	lowest := int(^uint(0) >> 1)
	names := map[string]bool{}
	for _, id := range of {
		chosen[id] = true
	}
	for _, j := range jobs {
		if chosen[j.ID] {
			lowest = min(lowest, j.Stage)
			names[j.Name] = true
		}
	}
	for grew := true; grew; {
		grew = false
		for _, j := range jobs {
			if j.Needs == nil || names[j.Name] {
				continue
			}
			for _, n := range *j.Needs {
				if names[n] {
					names[j.Name], grew = true, true
					break
				}
			}
		}
	}
	var out []int64
	for _, j := range jobs {
		if j.Status == s.Skipped && (j.Stage > lowest || names[j.Name]) {
			out = append(out, j.ID)
		}
	}
	return out
}
