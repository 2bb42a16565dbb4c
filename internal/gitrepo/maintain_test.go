package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMaintain packs many objects, keeps what may be run again, and lets what nothing reaches go after two weeks.
func TestMaintain(t *testing.T) {
	s, err := New(Options{Root: t.TempDir(), Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := s.Repo("a")
	if err := r.Create(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	who := Person{Name: "A", Email: "a@example.com", When: time.Now()}
	commit := func(parent, text string) string {
		t.Helper()
		sha, err := r.CommitChanges(ctx, parent, []Change{{Action: UpdateFile, Path: "f", Content: []byte(text)}}, who, who, text)
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	var stream strings.Builder
	for i := range 90 {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 1\nx\nM 644 inline f\ndata <<E\n%d\nE\n\n", 1700000000+i, i)
	}
	if _, err := r.maintenance(ctx, []byte(stream.String()), "-c", "fastimport.unpackLimit=1000", "fast-import", "--quiet"); err != nil {
		t.Fatal(err)
	}
	head, err := r.Resolve(ctx, "refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	ran, gone := commit(head, "of a deleted branch that a pipeline ran on"), commit(head, "of a deleted branch")
	fresh := commit(head, "being made")
	objectOf := func(sha string) string { return filepath.Join(r.dir, "objects", sha[:2], sha[2:]) }
	old := time.Now().AddDate(0, 0, -15)
	for _, sha := range []string{ran, gone} {
		if err := os.Chtimes(objectOf(sha), old, old); err != nil {
			t.Fatal(err)
		}
	}
	lock, fresher := filepath.Join(r.dir, "refs/heads/main.lock"), filepath.Join(r.dir, "refs/heads/x.lock")
	for _, f := range []string{lock, fresher} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresher, filepath.Join(r.dir, "fresh.lock")); err != nil { // it would keep refs from being packed
		t.Fatal(err)
	}
	m, err := r.Maintain(ctx, []string{ran, ZeroSHA, strings.Repeat("1", 40)}, true)
	if err != nil || !m.Repacked || m.Loose < manyLoose || m.Locks != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	if loose, packs, err := r.count(ctx); err != nil || loose > 10 || packs != 1 {
		t.Errorf("%d loose objects, %d packs, %v", loose, packs, err)
	}
	for sha, stays := range map[string]bool{head: true, ran: true, fresh: true, gone: false} {
		if _, err := r.Commit(ctx, sha); (err == nil) != stays {
			t.Errorf("commit %s: %v", sha, err)
		}
	}
	var refs strings.Builder
	if err := r.Advertise(ctx, UploadPack, "", &refs); err != nil || strings.Contains(refs.String(), "keep-around") || !strings.Contains(refs.String(), "refs/heads/main") {
		t.Errorf("%v: %q", err, refs.String())
	}
	if m, err := r.Maintain(ctx, nil, true); err != nil || m.Repacked {
		t.Errorf("once more: %+v %v", m, err)
	}
	if next := commit(head, "after"); r.UpdateRef(ctx, "refs/heads/main", head, next) != nil {
		t.Error("the branch cannot be moved")
	}
}
