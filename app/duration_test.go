package app

import (
	"testing"
	"time"

	"signalbox/models"
)

// TestDuration counts the jobs of the pipelines that a pipeline started, also of other projects and without strategy, but not
// its bridges.
func TestDuration(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) {
			s.Now, s.AcceptWithin, s.LostAfter = clock.now, 30*24*time.Hour, 30*24*time.Hour
		})
		h := w.hand(false)
		w.newProject("lib")
		lib := w.project
		w.push("lib", map[string]string{".gitlab-ci.yml": "check: {script: x, timeout: 3 days, rules: [{if: $CI_PIPELINE_SOURCE == \"pipeline\", when: manual, allow_failure: false}]}"})
		id := w.pushed("app", map[string]string{
			".gitlab-ci.yml": "stages: [test, deploy]\nown: {stage: test, script: x, timeout: 3 days}\nchild: {stage: test, trigger: {include: c.yml, strategy: depend}}\n" +
				"lib: {stage: test, trigger: root/lib}\n",
			"c.yml": "unit: {script: x, timeout: 3 days, rules: [{when: manual, allow_failure: false}]}",
		})
		child := w.bridge(id, "child", "running").Downstream.ID
		other := w.bridge(id, "lib", "success").Downstream.ID
		own, unit := w.jobs(id)["own"].ID, w.jobs(child)["unit"].ID
		var check int64
		w.inProject(lib, func() { check = w.jobs(other)["check"].ID })
		near := func(what string, p pipelineJSON, want time.Duration) {
			t.Helper()
			if p.Duration == nil {
				t.Fatalf("%s took no time", what)
			}
			// The clock goes on between the steps of the test.
			if got := time.Duration(*p.Duration) * time.Second; (got - want).Abs() > time.Minute {
				t.Errorf("%s took %s, want %s", what, got, want)
			}
		}
		h.run(own)
		clock.set(time.Hour)
		h.success(own)
		clock.set(3 * time.Hour) // nothing runs but the bridge
		w.act(unit, "play")
		w.inProject(lib, func() { w.act(check, "play") })
		h.run(unit)
		h.run(check)
		clock.set(4 * time.Hour)
		h.success(unit)
		w.state(id, "success")
		near("the child", w.of(child), time.Hour)
		near("the pipeline", w.of(id), 2*time.Hour)
		clock.set(6 * time.Hour)
		h.success(check)
		near("the pipeline, which had ended before the other project's", w.of(id), 2*time.Hour)
		again := w.act(own, "retry")
		h.run(again.ID)
		clock.set(7 * time.Hour)
		h.success(again.ID)
		w.state(id, "success")
		near("the pipeline after a retry", w.of(id), 4*time.Hour)
		w.inProject(lib, func() { near("the other project's pipeline", w.of(other), 3*time.Hour) })
	})
}
