package blob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestListAndUnfinished(t *testing.T) {
	dir := t.TempDir()
	s, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	keys := []string{"artifacts/0/1/a-b", "artifacts/0/10/c", "artifacts/0/2/d", "artifacts/1/1000/e", "traces/0/1.log", "traces/0/1.log.index"}
	for _, k := range keys {
		if _, err := s.Put(t.Context(), k, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	old, fresh := filepath.Join(dir, "artifacts/0/1/.tmp-1-1"), filepath.Join(dir, "traces/0/.tmp-1-2")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(old, day, day.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 2, 100} {
		var got []string
		for after := ""; ; {
			list, err := s.List(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				got = append(got, i.Key)
				after = i.Key
			}
			if len(list) < limit {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(keys, " ") {
			t.Errorf("in steps of %d: %v", limit, got)
		}
	}
	if n, err := s.RemoveUnfinished(t.Context(), day); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("what is being written was removed")
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what was left is still there")
	}
}
