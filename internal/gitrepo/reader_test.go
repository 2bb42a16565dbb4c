package gitrepo

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestALargeFileIsNotReadPast: who asks for one again and again does not keep others from their files, and nothing of it is taken
// for the answer to another question.
func TestALargeFileIsNotReadPast(t *testing.T) {
	r, _, _ := fixture(t)
	line := strings.Repeat("a", 40) + " blob 3\nbad\n" // as an answer looks
	sha := commitLarge(t, r, strings.Repeat(line, 2*maxPassed/len(line)))
	if _, err := r.File(ctx, sha, "small", 100); err != nil {
		t.Fatal(err)
	}
	before, err := r.reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.File(ctx, sha, "large", 100); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if after, err := r.reader(); err != nil || after == before {
		t.Errorf("the large file was read past: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := r.File(ctx, sha, "large", 100); !errors.Is(err, ErrTooLarge) {
					t.Errorf("large: %v", err)
				}
				if got, err := r.File(ctx, sha, "small", 100); err != nil || string(got) != "small\n" {
					t.Errorf("small: %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestNoRoomForAPush is told before it is sent, and while it is; fetches are not refused for it.
func TestNoRoomForAPush(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Options{Root: filepath.Join(dir, "repos"), Home: filepath.Join(dir, "home"), Pushing: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Repo("a/b").For("10.0.0.1")
	send := func(r *Repo, service Service) error {
		body, err := r.Gather(service, strings.NewReader(strings.Repeat("x", 1<<20)), 0)
		if err == nil {
			t.Cleanup(func() { body.Close() })
		}
		return err
	}
	if err := errors.Join(r.Room(ReceivePack), send(r, ReceivePack)); err != nil {
		t.Fatal(err)
	}
	if err := send(r, ReceivePack); !errors.Is(err, ErrNoRoom) {
		t.Errorf("beyond a client's share: %v", err)
	}
	if err := send(r.For("10.0.0.2"), ReceivePack); err != nil {
		t.Errorf("another client: %v", err)
	}
	if err := errors.Join(r.Room(UploadPack), send(r, UploadPack)); err != nil {
		t.Errorf("a fetch: %v", err)
	}
}

// commitLarge makes a commit with the files large and small.
func commitLarge(t *testing.T, r *Repo, text string) (sha string) {
	t.Helper()
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
blob=$(git -C "$1" hash-object -w "$2"); small=$(echo small | git -C "$1" hash-object -w --stdin)
tree=$(printf '100644 blob %s\tlarge\n100644 blob %s\tsmall\n' $blob $small | git -C "$1" mktree)
git -C "$1" commit-tree -m large $tree`, "x", r.dir, large)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestLargeFilesThatClientsAreHanded: a client that takes them slowly is given no more of them, and keeps nobody from small ones.
func TestLargeFilesThatClientsAreHanded(t *testing.T) {
	r, _, _ := fixture(t)
	sha := commitLarge(t, r, strings.Repeat("x", 2*smallFile))
	slow, other := r.For("slow"), r.For("other")
	var first context.CancelFunc
	for range largeOfOne {
		request, end := context.WithCancel(ctx)
		defer end()
		first = end
		if got, err := slow.FileFor(request, sha, "large", 4*smallFile); err != nil || len(got) != 2*smallFile {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	given := make(chan error)
	go func() {
		_, err := slow.FileFor(ctx, sha, "large", 4*smallFile)
		given <- err
	}()
	for _, c := range []struct {
		repo *Repo
		file string
	}{{slow, "small"}, {other, "small"}, {other, "large"}} {
		request, end := context.WithCancel(ctx)
		if _, err := c.repo.FileFor(request, sha, c.file, 4*smallFile); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		end()
	}
	select {
	case err := <-given:
		t.Errorf("one more is given: %v", err)
	default:
	}
	first()
	if err := <-given; err != nil {
		t.Error(err)
	}
	if _, err := slow.FileFor(ctx, sha, "large", smallFile); !errors.Is(err, ErrTooLarge) {
		t.Errorf("larger than it may be: %v", err)
	}
}
