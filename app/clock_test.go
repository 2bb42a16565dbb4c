package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"signalbox/models"
)

// swept waits for a sweep that began now, and for the tasks that it stored.
func (w *world) swept() {
	w.t.Helper()
	noError(w.t, w.node.CI.SweepOnce(context.Background(), true))
	w.settled()
}

// schedule makes a schedule of the project's main branch and gives its address.
func (w *world) schedule(cron, zone string) string {
	w.t.Helper()
	var s scheduleJSON
	base := "/projects/" + w.project + "/pipeline_schedules"
	w.must(201, "POST", base, map[string]any{"description": cron, "ref": "main", "cron": cron, "cron_timezone": zone}, &s)
	return fmt.Sprintf("%s/%d", base, s.ID)
}

// TestSchedulesOnDaysOfDaylightSaving go through two nights hour by hour: in one 02:30 is left out, in the other it comes twice.
func TestSchedulesOnDaysOfDaylightSaving(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		for day, want := range map[string]int{"2027-03-28": 0, "2027-03-29": 1, "2027-10-31": 1} {
			noon, err := time.Parse(time.DateOnly, day)
			noError(t, err)
			noon = noon.Add(-12 * time.Hour)
			clock.set(time.Until(noon))
			w.pushed("on-"+day, map[string]string{".gitlab-ci.yml": "job: {script: x}"})
			one := w.schedule("30 2 * * *", "Europe/Berlin")
			for hour := range 24 {
				clock.set(time.Until(noon.Add(time.Duration(hour) * time.Hour)))
				w.swept()
			}
			var made []pipelineJSON
			w.must(200, "GET", one+"/pipelines", nil, &made)
			if len(made) != want {
				t.Errorf("on %s: %+v", day, made)
			}
			w.must(204, "DELETE", one, nil, nil)
		}
	})
}

// TestTheClockIsPutBackAndForth by an hour while a job waits for its time, another runs, and a schedule waits for its slot:
// nothing begins twice, and nothing is lost.
func TestTheClockIsPutBackAndForth(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		begun := time.Now().UTC()
		noon := begun.Truncate(24 * time.Hour).Add(36*time.Hour + 30*time.Second)
		at := func(d time.Duration) { clock.set(noon.Add(d).Sub(begun)) }
		at(0)
		w := start(t, o, func(s *Settings) { s.Now, s.Steady, s.AcceptWithin = clock.now, time.Now, 24*time.Hour })
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "runs: {script: x, timeout: 3 hours}\nlate: {script: x, when: delayed, start_in: 30 minutes}\nrules: {script: x, rules: [{if: $NO}]}"})
		one := w.schedule("0 * * * *", "UTC")
		runs := w.jobs(id)["runs"].ID
		h.run(runs)
		for i, c := range []struct {
			at   time.Duration
			jobs string
			made int
		}{
			{0, "late:scheduled runs:running", 0},
			{-time.Hour, "late:scheduled runs:running", 0},
			{9 * time.Minute, "late:scheduled runs:running", 0},
			{-51 * time.Minute, "late:scheduled runs:running", 0},
			{69 * time.Minute, "late:pending runs:running", 1},
			{9 * time.Minute, "late:pending runs:running", 1},
			{69 * time.Minute, "late:pending runs:running", 1},
			{2*time.Hour + 9*time.Minute, "late:pending runs:running", 2},
		} {
			at(c.at)
			w.swept()
			var made []pipelineJSON
			w.must(200, "GET", one+"/pipelines", nil, &made)
			if got := statuses(w.jobs(id)); got != c.jobs || len(made) != c.made {
				t.Errorf("step %d, at %v: %s, %d pipelines; want %s, %d", i, c.at, got, len(made), c.jobs, c.made)
			}
			h.run(runs)
		}
		h.success(runs)
		h.success(w.jobs(id)["late"].ID)
		w.state(id, "success")
	})
}

// TestALongStopLosesNoJob: runners that could not speak to a node that was down are not called silent when it comes back.
func TestALongStopLosesNoJob(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 24*time.Hour })
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "runs: {script: x, timeout: 5 hours}\nwaits: {script: x}"})
		h.run(w.jobs(id)["runs"].ID)
		w.down()
		clock.set(3 * time.Hour)
		w.up()
		w.swept()
		if got := statuses(w.jobs(id)); got != "runs:running waits:pending" {
			t.Errorf("after the stop: %s", got)
		}
		clock.set(3*time.Hour + 11*time.Minute)
		w.eventually("a runner that stays silent loses its job", func() bool { return w.jobs(id)["runs"].Status == "failed" })
	})
}
