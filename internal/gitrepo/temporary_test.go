package gitrepo

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTemporaryFilesOfKilledProcesses go once nobody has written to them for long; others' files in the common folder stay.
func TestTemporaryFilesOfKilledProcesses(t *testing.T) {
	common := t.TempDir()
	t.Setenv("TMPDIR", common)
	s, err := New(Options{Root: t.TempDir(), Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := time.Now().Add(-time.Hour)
	files := map[string]bool{ // whether it stays
		filepath.Join(s.tmp, "index-old"): false, filepath.Join(s.tmp, "index-new"): true,
		filepath.Join(common, formerIndex+"old"): false, filepath.Join(common, formerIndex+"new"): true, filepath.Join(common, "others-old"): true,
	}
	for name := range files {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		if name[len(name)-3:] == "old" {
			at = before.Add(-time.Minute)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.RemoveTemporary(t.Context(), before); n != 2 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	for name, stays := range files {
		if _, err := os.Stat(name); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
