// Package gitrepo runs the system's git on bare repositories: it creates them, reads files, trees, refs and
// diffs by commit, and serves fetches and pushes. It knows no project, user or right; what a caller may do
// is asked before. No text of a user becomes an option or a second line of a command.
package gitrepo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/limit"
	"signalbox/internal/spool"
)

// ErrNotFound says that a ref, a commit or a path does not exist.
var ErrNotFound = errors.New("not found in the repository")

// ErrBadName says that a text cannot be the name of a ref, a commit or a path.
var ErrBadName = fault.Refused(fault.Invalid, "not a valid name or path in a repository")

// Store is a folder of bare repositories.
type Store struct {
	root     string
	env      []string
	tmp      string
	serving  *limit.Places // of git processes that serve fetches, pushes and archives
	asking   *limit.Places // of those that answer a question
	archives *limit.Places // of those that make archives, by client: they take long, and leave most places to fetches and pushes
	large    *limit.Places // of large files that clients are handed
	fetches  *spool.Disk   // for what fetches ask and are answered, and archives
	pushes   *spool.Disk   // for what is pushed
	mu       sync.Mutex
	readers  map[string]*reader
	lastUsed []string
}

// Options say where repositories lie and how much git may run at once.
type Options struct {
	Root string // the folder of the repositories
	Home string // a folder of git's own, apart from any user's settings
	// Processes bounds the fetches and pushes served at once, and the questions asked at once; 0 means 32. One repository has
	// half of them at most.
	Processes int
	// Fetching and Pushing bound the bytes of fetches and of pushes that wait on the disk, in the folder of Home; 0 means a part
	// of what is free there at the start. One client's network has a quarter of the first and half of the second at most.
	Fetching, Pushing int64
}

// maxFetching is what fetches may have at most of a disk, however large that is.
const maxFetching = 8 << 30

// rooms fills in what is not said of the bytes that may wait.
func (o *Options) rooms(tmp string) {
	var fs syscall.Statfs_t
	free := int64(2 * maxFetching) // where nobody can tell
	if err := syscall.Statfs(tmp, &fs); err == nil {
		free = max(4, int64(fs.Bavail)*int64(fs.Bsize))
	}
	o.Fetching = cmp.Or(o.Fetching, min(maxFetching, free/4))
	o.Pushing = cmp.Or(o.Pushing, free/2)
}

const gitConfig = `[safe]
	directory = *
[user]
	name = signalbox
	email = signalbox@localhost
[gc]
	auto = 0
	pruneExpire = never
[protocol "file"]
	allow = never
[core]
	hooksPath = /dev/null
	fsync = all
[transfer]
	hideRefs = refs/keep-around
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	autogc = false
	advertisePushOptions = true
	fsckObjects = true
[receive "fsck"]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
`

// New prepares the folders. It fails if git is missing or a folder cannot be written.
func New(o Options) (*Store, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, errors.New("git is not installed; signalbox runs it to keep repositories")
	}
	if o.Processes == 0 {
		o.Processes = 32
	}
	tmp := filepath.Join(o.Home, "tmp")
	for _, dir := range []string{o.Root, o.Home, tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("repositories: %w", err)
		}
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	home, err := filepath.Abs(o.Home)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(gitConfig), 0o600); err != nil {
		return nil, fmt.Errorf("repositories: %w", err)
	}
	o.rooms(tmp)
	return &Store{
		fetches: spool.NewDisk(tmp, o.Fetching, max(1, o.Fetching/4)), pushes: spool.NewDisk(tmp, o.Pushing, max(1, o.Pushing/2)),
		root: root, tmp: tmp, readers: map[string]*reader{},
		serving: limit.NewPlaces(o.Processes, o.Processes/2), asking: limit.NewPlaces(o.Processes, o.Processes/2),
		archives: limit.NewPlaces(o.Processes/4, o.Processes/8), large: limit.NewPlaces(largeFiles, largeOfOne),
		env: []string{
			"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1",
		},
	}, nil
}

// Repo names a repository of the store. The name comes from the coordinator, never from a user.
func (s *Store) Repo(storage string) *Repo {
	return &Repo{store: s, dir: filepath.Join(s.root, filepath.Clean("/"+storage)+".git")}
}

// Close ends the git processes that are kept open for reading.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir, r := range s.readers {
		r.close()
		delete(s.readers, dir)
	}
}

// Repo is one bare repository.
type Repo struct {
	store      *Store
	dir        string
	turnWithin time.Duration // of fetches and pushes; 0 means placeWithin
	client     string        // whom fetches and pushes are counted for
}

// For is the repository for a client, such as an address: of what waits on the disk each has a share.
func (r *Repo) For(client string) *Repo {
	other := *r
	other.client = client
	return &other
}

// WaitFor is the repository for a client whose fetches and pushes may wait that long for their turn.
func (r *Repo) WaitFor(turn time.Duration) *Repo {
	other := *r
	other.turnWithin = turn
	return &other
}

// Create makes the repository, with HEAD at the default branch.
func (r *Repo) Create(ctx context.Context, defaultBranch string) error {
	if !ValidRef("refs/heads/" + defaultBranch) {
		return fmt.Errorf("default branch %q: %w", defaultBranch, ErrBadName)
	}
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o700); err != nil {
		return err
	}
	if _, err := r.command(ctx, "init", "--quiet", "--bare", "--", r.dir); err != nil {
		return err
	}
	return r.SetHead(ctx, defaultBranch)
}

// SetHead makes a branch the default one.
func (r *Repo) SetHead(ctx context.Context, branch string) error {
	if !ValidRef("refs/heads/" + branch) {
		return fmt.Errorf("branch %q: %w", branch, ErrBadName)
	}
	_, err := r.command(ctx, "--git-dir="+r.dir, "symbolic-ref", "HEAD", "refs/heads/"+branch)
	return err
}

// Delete removes the repository for ever.
func (r *Repo) Delete() error {
	r.store.mu.Lock()
	if old := r.store.readers[r.dir]; old != nil {
		old.close()
		delete(r.store.readers, r.dir)
	}
	r.store.mu.Unlock()
	return os.RemoveAll(r.dir)
}

// commandTimeout bounds every git process that answers a question.
const commandTimeout = 30 * time.Second

// command runs git and returns what it prints, at most 64 MiB.
func (r *Repo) command(ctx context.Context, args ...string) ([]byte, error) {
	return r.commandWith(ctx, nil, args...)
}

// commandWith is command for what reads its questions.
func (r *Repo) commandWith(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	turn, done := context.WithTimeoutCause(ctx, commandTimeout, ErrBusy)
	give, err := r.store.asking.Take(turn, r.dir)
	done()
	if err != nil {
		return nil, err
	}
	defer give()
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := r.store.git(ctx, args...)
	out := &limited{limit: 64 << 20}
	errs := &limited{limit: 8 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("git %s: %w: %s", args[min(1, len(args)-1)], err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

func (s *Store) git(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = s.env, s.root, 5*time.Second
	return cmd
}

// limited keeps the first bytes that are written to it and fails on more.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.limit {
		return 0, errors.New("output of git is too large")
	}
	return l.Buffer.Write(p)
}
