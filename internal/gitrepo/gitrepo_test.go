package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var ctx = context.Background()

// fixture makes a repository with two commits on main, a branch and an annotated tag.
func fixture(t *testing.T) (*Repo, string, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := New(Options{Root: filepath.Join(dir, "repos"), Home: filepath.Join(dir, "home")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := s.Repo("a/b")
	if err := r.Create(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	script := `set -e
git init -q -b main "$1"; cd "$1"; git config user.name "Ann O"; git config user.email ann@example.com
mkdir dir; echo one > dir/a.txt; echo top > 'odd name.txt'; ln -s dir/a.txt link; git add .; git commit -q -m "First

Body"
echo two > dir/a.txt; echo new > b.txt; git add .; git commit -q -m Second
git tag -a v1 -m "Release one"; git branch feature HEAD~1; git push -q "$2" main feature v1`
	cmd := exec.Command("bash", "-c", script, "x", work, r.dir)
	cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	head, err := r.Resolve(ctx, "refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Resolve(ctx, "refs/heads/feature")
	if err != nil {
		t.Fatal(err)
	}
	return r, head, first
}

func TestReading(t *testing.T) {
	r, head, first := fixture(t)
	if sha, err := r.Resolve(ctx, "refs/tags/v1"); err != nil || sha != head {
		t.Errorf("tag resolves to %q, %v", sha, err)
	}
	c, err := r.Commit(ctx, first)
	if err != nil || c.Title() != "First" || c.Message != "First\n\nBody\n" || c.Author.Email != "ann@example.com" || c.Author.Name != "Ann O" {
		t.Errorf("commit %+v, %v", c, err)
	}
	for path, want := range map[string]string{"dir/a.txt": "two\n", "/dir/../dir/a.txt": "two\n", "odd name.txt": "top\n"} {
		if got, err := r.File(ctx, head, path, 100); err != nil || string(got) != want {
			t.Errorf("File(%q) = %q, %v", path, got, err)
		}
	}
	if got, err := r.File(ctx, first, "dir/a.txt", 100); err != nil || string(got) != "one\n" {
		t.Errorf("older file %q, %v", got, err)
	}
	if _, err := r.File(ctx, head, "dir/a.txt", 2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit: %v", err)
	}
	tree, err := r.Tree(ctx, head, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range tree {
		names = append(names, e.Mode+" "+e.Type+" "+e.Path)
	}
	want := []string{"100644 blob b.txt", "040000 tree dir", "120000 blob link", "100644 blob odd name.txt"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	changed, err := r.Changed(ctx, first, head)
	if d := cmp.Diff([]string{"b.txt", "dir/a.txt"}, changed); err != nil || d != "" {
		t.Error(err, d)
	}
	if all, err := r.Changed(ctx, ZeroSHA, head); err != nil || len(all) != 4 {
		t.Errorf("all files: %v, %v", all, err)
	}
	refs, err := r.Refs(ctx, "refs/", 10)
	if err != nil || len(refs) != 3 || refs[2].Name != "refs/tags/v1" || refs[2].SHA != head {
		t.Errorf("refs %v, %v", refs, err)
	}
	if m, err := r.TagMessage(ctx, "v1"); err != nil || m != "Release one" {
		t.Errorf("tag message %q, %v", m, err)
	}
}

func TestTextOfUsersIsNeverAnOptionOrALine(t *testing.T) {
	r, head, _ := fixture(t)
	for _, name := range []string{
		"--upload-pack=x", "-x", "refs/heads/a b", "refs/heads/a\nmain", "refs/heads/../../x", "refs/heads/a^", "main",
		"refs/heads/", "refs/heads/x.lock", "refs/heads/.x", "HEAD", "refs/heads/a:b",
	} {
		if _, err := r.Resolve(ctx, name); !errors.Is(err, ErrBadName) {
			t.Errorf("Resolve(%q): %v", name, err)
		}
	}
	for _, path := range []string{"", "a\nb", "a\x00b"} {
		if _, err := r.File(ctx, head, path, 10); !errors.Is(err, ErrBadName) {
			t.Errorf("File(%q): %v", path, err)
		}
	}
	for _, path := range []string{"missing", "dir", "x missing", "-p", "../../etc/passwd"} {
		if _, err := r.File(ctx, head, path, 10); !errors.Is(err, ErrNotFound) {
			t.Errorf("File(%q): %v", path, err)
		}
	}
	if _, err := r.Resolve(ctx, strings.Repeat("a", 40)); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
	if got, err := r.File(ctx, head, "b.txt", 10); err != nil || string(got) != "new\n" {
		t.Errorf("after all that: %q, %v", got, err)
	}
}

func TestAKilledReaderIsReplaced(t *testing.T) {
	r, head, _ := fixture(t)
	n, err := r.reader()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd.Process.Kill()
	n.cmd.Wait()
	if got, err := r.File(ctx, head, "b.txt", 10); err != nil || string(got) != "new\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAdvertise(t *testing.T) {
	r, head, _ := fixture(t)
	var v0, v2 bytes.Buffer
	if err := r.Advertise(ctx, UploadPack, "", &v0); err != nil {
		t.Fatal(err)
	}
	if err := r.Advertise(ctx, UploadPack, "version=2", &v2); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(v0.String(), "001e# service=git-upload-pack\n0000") || !strings.Contains(v0.String(), head) {
		t.Errorf("v0: %q", v0.String())
	}
	if !strings.Contains(v2.String(), "version 2") || !strings.Contains(v2.String(), "filter") {
		t.Errorf("v2: %q", v2.String())
	}
}

func TestNewCommitsAndTheirPaths(t *testing.T) {
	r, head, first := fixture(t)
	for _, c := range []struct {
		from, to     string
		limit, total int
		titles       string
	}{
		{first, head, 20, 1, "Second"},
		{"", head, 20, 2, "Second First"},
		{"", head, 1, 2, "Second"},
		{head, head, 20, 0, ""},
		{head, first, 20, 0, ""},
	} {
		commits, total, err := r.Since(ctx, c.from, c.to, c.limit)
		var titles []string
		for _, k := range commits {
			titles = append(titles, k.Title())
		}
		if err != nil || total != c.total || strings.Join(titles, " ") != c.titles {
			t.Errorf("%+v: %v, %d, %v", c, titles, total, err)
		}
	}
	if _, _, err := r.Since(ctx, strings.Repeat("1", 40), head, 20); !errors.Is(err, ErrNotFound) {
		t.Errorf("since a commit that is gone: %v", err)
	}
	all, _, err := r.Since(ctx, "", head, 20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.PathChanges(ctx, all)
	want := map[string]*PathChanges{
		head:  {Added: []string{"b.txt"}, Modified: []string{"dir/a.txt"}},
		first: {Added: []string{"dir/a.txt", "link", "odd name.txt"}},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

func TestKindsOfRefs(t *testing.T) {
	for ref, want := range map[string]RefKind{
		"refs/heads/main": Branch, "refs/heads/a/b": Branch, "refs/heads/-x": Branch, "refs/tags/v1": Tag,
		"refs/notes/semantic-release": OtherRef, "refs/notes/a/b": OtherRef, "refs/stash": NoRef, "refs/for/main": OtherRef, "refs/meta/config": OtherRef,
		"refs/pipelines/1": Internal, "refs/merge-requests/1/head": Internal, "refs/keep-around/abc": Internal, "refs/environments/x": Internal,
		"refs/tmp/x": Internal, "refs/remotes/origin/main": Internal, "refs/pipelines": Internal,
		"refs/heads": NoRef, "refs/tags": NoRef, "refs/": NoRef, "refs": NoRef, "HEAD": NoRef, "refs/notes/a..b": NoRef, "refs/notes/": NoRef, "refs/a b": NoRef,
		"refs/x.lock": NoRef, "": NoRef,
	} {
		if _, got := ShortName(ref); got != want {
			t.Errorf("%q is of kind %d, want %d", ref, got, want)
		}
	}
	for name, want := range map[string]bool{"main": true, "a-b": true, "-x": false, "HEAD": false, "refs/heads/x": false, strings.Repeat("a", 40): false, strings.Repeat("A1", 32): false, "a..b": false} {
		if ValidName(name) != want {
			t.Errorf("%q may be made: %v", name, !want)
		}
	}
}
