package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/ci"
	"signalbox/models"
)

// TestLeftoversOfAKilledNode are found and removed after a day; what is in use, or may be, is left alone.
func TestLeftoversOfAKilledNode(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("app")
		w.runner()
		w.push("app", map[string]string{".gitlab-ci.yml": "a:\n  script: [echo hello, echo x > f]\n  artifacts: {paths: [f]}\nb:\n  script: echo x > f\n  artifacts: {paths: [f]}\n"})
		jobs := w.jobs(w.pipeline("success").ID)
		w.settled()
		objects := w.node.folders[len(w.node.folders)-1]
		old := time.Now().Add(-time.Hour)
		left := map[string]bool{ // whether it stays
			"artifacts/0/1/.tmp-77-1": false, "artifacts/0/999999/key-archive": false, "traces/999/999999.log": false, "traces/999/999999.log.index": false,
			"other/file": true,
		}
		for name := range left {
			file := filepath.Join(objects, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("left"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, old, old); err != nil {
				t.Fatal(err)
			}
		}
		var lost *models.Artifact
		err := w.node.db.Read(t.Context(), func(tx *models.Tx) error {
			rows, err := tx.Artifacts(jobs["b"].ID)
			for _, a := range rows {
				if a.Type == "archive" {
					lost = a
				}
			}
			return err
		})
		if err != nil || lost == nil {
			t.Fatal(lost, err)
		}
		if err := os.Remove(filepath.Join(objects, lost.BlobKey)); err != nil {
			t.Fatal(err)
		}
		passLeftovers(t, w, clock) // marks the store
		passLeftovers(t, w, clock)
		for name, stays := range left {
			if _, err := os.Stat(filepath.Join(objects, name)); (err == nil) != stays {
				t.Errorf("%s: %v", name, err)
			}
		}
		if log := w.trace(jobs["a"].ID); !strings.Contains(log, "hello") {
			t.Errorf("the log of a job that is there: %q", log)
		}
		if status := w.api("GET", "/projects/"+w.project+"/jobs/"+itoa(jobs["b"].ID)+"/artifacts", nil, nil); status != 404 {
			t.Errorf("an artifact without its object: %d", status)
		}
		noError(t, w.node.db.Read(t.Context(), func(tx *models.Tx) error {
			rows, err := tx.Artifacts(jobs["b"].ID)
			for _, a := range rows {
				if a.ID == lost.ID {
					t.Error("the row of an artifact without its object stays")
				}
			}
			return err
		}))
	})
}

// passLeftovers takes the steps of a pass over the stores as the time goes on.
func passLeftovers(t *testing.T, w *world, clock *shiftingClock) *ci.Leftovers {
	t.Helper()
	before, err := w.node.CI.LastLeftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		clock.set(clock.by() + 25*time.Hour)
		if err := w.node.CI.LeftoversOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		found, err := w.node.CI.LastLeftovers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if found != nil && (before == nil || found.EndedAt.After(before.EndedAt)) {
			return found
		}
	}
	t.Fatal("no pass ends")
	return nil
}

// TestAStoreThatIsNotThereCostsNoArtifact however few there are.
func TestAStoreThatIsNotThereCostsNoArtifact(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("app")
		w.runner()
		w.push("app", map[string]string{".gitlab-ci.yml": "a:\n  script: echo x > f\n  artifacts: {paths: [f], expire_in: never}\nb:\n  script: echo x > f\n  artifacts: {paths: [f], expire_in: never}\n"})
		jobs := w.jobs(w.pipeline("success").ID)
		w.settled()
		passLeftovers(t, w, clock)
		objects, away := w.node.folders[len(w.node.folders)-1], t.TempDir()
		artifacts := func() (rows []*models.Artifact) {
			err := w.node.db.Read(t.Context(), func(tx *models.Tx) (err error) {
				rows, err = tx.Artifacts(jobs["a"].ID, jobs["b"].ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		want := artifacts()
		entries, err := os.ReadDir(objects)
		if err != nil || len(entries) == 0 || len(want) < 2 {
			t.Fatal(entries, want, err)
		}
		for _, e := range entries {
			if err := os.Rename(filepath.Join(objects, e.Name()), filepath.Join(away, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		kept := func(what string) {
			t.Helper()
			found := passLeftovers(t, w, clock)
			if got := artifacts(); len(got) != len(want) || found.Kept == 0 || found.NoObject != 0 {
				t.Errorf("%s: %d of %d artifacts are left; %+v", what, len(got), len(want), found)
			}
		}
		kept("nothing is there")
		some := filepath.Join(objects, want[0].BlobKey)
		if err := os.MkdirAll(filepath.Dir(some), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(some, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		kept("a store without its marker")
	})
}
