package process

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	s "signalbox/models/enum"
)

// game is a random pipeline to which random things happen.
type game struct {
	*rapid.T
	jobs     []Job
	bridges  map[int64]*bridge
	retries  map[int64]int // attempts that are left
	pipeline s.Status
	ending   bool // nobody starts anything over any more
}

type bridge struct {
	strategy   string
	downstream s.Status // "" before there is one
}

func newGame(t *rapid.T) *game {
	g := &game{T: t, bridges: map[int64]*bridge{}, retries: map[int64]int{}, pipeline: s.Created}
	for i := range rapid.IntRange(1, 9).Draw(t, "jobs") {
		j := Job{
			ID: int64(i + 1), Name: string(rune('a' + i)), Stage: rapid.IntRange(0, 3).Draw(t, "stage"), Status: s.Created,
			When:         rapid.SampledFrom([]s.When{s.OnSuccess, s.OnSuccess, s.OnFailure, s.Always, s.WhenManual, s.Delayed, s.Never}).Draw(t, "when"),
			AllowFailure: rapid.Bool().Draw(t, "allow"), Resource: rapid.IntRange(0, 4).Draw(t, "resource") == 0,
		}
		if rapid.Bool().Draw(t, "dag") {
			needs := []string{}
			for _, other := range g.jobs {
				if other.Stage <= j.Stage && rapid.Bool().Draw(t, "need") {
					needs = append(needs, other.Name)
				}
			}
			j.Needs = &needs
		}
		if g.retries[j.ID] = rapid.IntRange(0, 2).Draw(t, "retries"); rapid.IntRange(0, 3).Draw(t, "bridge") == 0 {
			g.bridges[j.ID] = &bridge{strategy: rapid.SampledFrom([]string{"", Depend, Mirror}).Draw(t, "strategy")}
		}
		g.jobs = append(g.jobs, j)
	}
	return g
}

// move applies an event; that of an ordinary job that ended never does anything.
func (g *game) move(j *Job, e Event) {
	g.Helper()
	move := Move
	if g.bridges[j.ID] != nil {
		move = MoveBridge
	}
	to, ok := move(j.Status, e)
	if !ok {
		g.Fatalf("%s cannot get %s while it is %s", j.Name, e, j.Status)
	}
	j.Status = to
}

// again makes another attempt.
func (g *game) again(j *Job) {
	j.Status, j.EnqueueNow = s.Created, j.When == s.WhenManual || j.When == s.Delayed
	if b := g.bridges[j.ID]; b != nil {
		b.downstream = ""
	}
}

// revive lets skipped jobs be considered anew, but for bridges that show a skipped pipeline.
func (g *game) revive(j *Job) {
	for _, id := range Dependents(g.jobs, j.ID) {
		if b := g.bridges[id]; b == nil || b.downstream == "" {
			g.move(&g.jobs[id-1], Process)
		}
	}
}

// settle lets the pipeline follow, and checks what must hold whenever it did.
func (g *game) settle() {
	g.Helper()
	alone := map[int64]Change{}
	for _, j := range g.jobs {
		if ch, ok := g.next(j); ok {
			alone[j.ID] = ch
		}
	}
	for _, c := range Advance(g.jobs) {
		j := &g.jobs[c.ID-1]
		if to, ok := Move(j.Status, c.Event); !ok || to != c.To || j.Status != c.From {
			g.Fatalf("impossible change %+v of %+v", c, j)
		}
		j.Status = c.To
		if ch, ok := alone[c.ID]; ok && ch.Event != c.Event {
			g.Fatalf("looked at alone %s gets %+v, with the others %+v", j.Name, ch, c)
		}
		delete(alone, c.ID)
	}
	if len(alone) > 0 || len(Advance(g.jobs)) > 0 {
		g.Fatalf("something is left to do: %v in %+v", alone, g.jobs)
	}
	waits, moves := "", false
	for _, j := range g.jobs {
		if _, ok := g.next(j); ok {
			g.Fatalf("%s could move on in %+v", j.Name, g.jobs)
		}
		if j.Status == s.Created {
			waits = j.Name
		}
		moves = moves || j.Status != s.Created && !j.Status.Completed()
	}
	if waits != "" && !moves {
		g.Fatalf("%s waits for nothing in %+v", waits, g.jobs)
	}
	composite := Composite(g.jobs)
	g.pipeline = Apply(g.pipeline, composite)
	if again := Apply(g.pipeline, composite); again != g.pipeline {
		g.Fatalf("the pipeline is %s, and %s if it is asked again", g.pipeline, again)
	}
	if fresh := Apply(s.Created, composite); fresh.Completed() != g.pipeline.Completed() || fresh.Completed() && fresh != g.pipeline {
		g.Fatalf("the pipeline is %s, its jobs alone give %s", g.pipeline, fresh)
	}
}

// next is what the ends of its needs alone decide about a job.
func (g *game) next(j Job) (Change, bool) {
	if j.Needs == nil || j.Status != s.Created {
		return Change{}, false
	}
	var needed []Job
	for _, n := range g.jobs {
		if slices.Contains(*j.Needs, n.Name) {
			needed = append(needed, n)
		}
	}
	return Next(j, needed)
}

// happens lets something happen to one of the jobs; false if nothing can.
func (g *game) happens() bool {
	g.Helper()
	type choice struct {
		what string
		do   func()
	}
	var choices []choice
	add := func(j *Job, what string, do func()) {
		choices = append(choices, choice{fmt.Sprint(j.Name, " ", what), do})
	}
	free := !slices.ContainsFunc(g.jobs, func(j Job) bool {
		return j.Resource && (j.Status == s.Pending || j.Status == s.Running || j.Status == s.Canceling)
	})
	for i := range g.jobs {
		j := &g.jobs[i]
		b := g.bridges[j.ID]
		switch st := j.Status; {
		case st == s.WaitingForResource && free:
			add(j, "has the resource", func() { g.move(j, Acquire) })
		case st == s.Scheduled, st == s.Manual && (b == nil || b.downstream == ""):
			add(j, "is played", func() { g.move(j, j.Start()); g.revive(j) })
		case b != nil && st == s.Pending && b.downstream == "":
			add(j, "starts its pipeline", func() { g.begin(j, b) })
		case b != nil && b.downstream != "" && (!g.ending || !st.Completed()):
			add(j, "hears of its pipeline", func() { g.follow(j, b) })
		case b == nil && st == s.Pending:
			add(j, "runs", func() { g.move(j, Run) })
		case b == nil && st.Executing():
			add(j, "succeeds", func() { g.move(j, Succeed) })
			add(j, "fails", func() { g.fails(j) })
		}
		if j.Status == s.Scheduled {
			add(j, "is unscheduled", func() { g.move(j, Unschedule) })
		}
		if j.Status == s.Running && b == nil {
			add(j, "is canceled gracefully", func() { g.move(j, StartCancel) })
		}
		if !g.ending && j.Status.Cancelable() {
			add(j, "is canceled", func() { g.move(j, Cancel) })
		}
		if !g.ending && Retryable(j.Status, "") {
			add(j, "is retried", func() { g.again(j); g.revive(j) })
		}
	}
	if len(choices) == 0 {
		return false
	}
	what := rapid.IntRange(0, len(choices)-1).Draw(g.T, "event")
	g.Log(choices[what].what)
	choices[what].do()
	return true
}

func (g *game) fails(j *Job) {
	canceled := j.Status == s.Canceling
	if g.move(j, Drop); canceled {
		return
	}
	if rule := (&RetryRule{Max: 1}); g.retries[j.ID] > 0 && AutoRetry(rule, s.ScriptFailure, nil, 0) {
		g.retries[j.ID]--
		g.again(j)
	}
}

func (g *game) begin(j *Job, b *bridge) {
	b.downstream = s.Created
	if g.move(j, Run); b.strategy == "" {
		g.move(j, Succeed)
	}
}

func (g *game) follow(j *Job, b *bridge) {
	states := []s.Status{s.Success, s.Failed, s.Canceled, s.Skipped}
	if !g.ending {
		states = append(states, s.Running, s.Pending, s.Manual, s.Canceling, s.Scheduled)
	}
	b.downstream = rapid.SampledFrom(states).Draw(g.T, "downstream")
	for _, e := range Follow(b.strategy, j.Status, b.downstream) {
		if g.move(j, e); e == Reopen {
			g.revive(j)
		}
	}
	if b.strategy == Depend && Stands(j.Status) != b.downstream.Completed() {
		g.Fatalf("%s is %s, and its pipeline %s", j.Name, j.Status, b.downstream)
	}
}

// TestRandomPipelinesEnd lets random things happen to random pipelines. No move is made that the tables do not have, no job
// waits for nothing, what is decided for the cost of a job's needs is what all jobs decide, and once nobody starts anything
// over all of it ends.
func TestRandomPipelinesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGame(t)
		g.settle()
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			if !g.happens() {
				break
			}
			g.settle()
		}
		g.ending = true
		for left := 20 * len(g.jobs); g.happens(); left-- {
			if g.settle(); left == 0 {
				t.Fatalf("it goes on and on: %+v", g.jobs)
			}
		}
		for _, j := range g.jobs {
			if !j.Status.Completed() {
				t.Fatalf("%s stays %s", j.Name, j.Status)
			}
		}
		if !g.pipeline.Completed() {
			t.Fatalf("the pipeline stays %s", g.pipeline)
		}
	})
}
