package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestLeftoversOfAKilledNode are found and removed after a day; what is in use, or may be, is left alone.
func TestLeftoversOfAKilledNode(t *testing.T) {
	each(t, func(t *testing.T, o models.Options) {
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
		for day := 1; ; day++ { // steps are taken as the time goes on
			clock.set(time.Duration(day) * 25 * time.Hour)
			if err := w.node.CI.SweepOnce(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if found, err := w.node.CI.LastLeftovers(t.Context()); err != nil {
				t.Fatal(err)
			} else if found != nil && day > 5 {
				break
			} else if day > 60 {
				t.Fatal("no pass ends")
			}
		}
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
	})
}
