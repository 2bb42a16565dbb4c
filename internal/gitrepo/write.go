package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Change is one thing that a commit does to the files of its parent.
type Change struct {
	Action     Action
	Path       string
	OldPath    string // of a move
	Content    []byte // nil with a move keeps what was there
	Executable *bool
}

// Action is what a change does.
type Action string

// The actions, with GitLab's names.
const (
	CreateFile Action = "create"
	UpdateFile Action = "update"
	DeleteFile Action = "delete"
	MoveFile   Action = "move"
	ChangeMode Action = "chmod"
)

// ChangeError says which change cannot be made and why.
type ChangeError struct{ Text string }

func (e *ChangeError) Error() string { return e.Text }

// ErrMoved says that a ref is not where the caller believed.
var ErrMoved = errors.New("the branch has changed meanwhile")

// CommitChanges makes a commit on a parent ("" for the first one) and returns its id. No ref moves.
func (r *Repo) CommitChanges(ctx context.Context, parent string, changes []Change, author, committer Person, message string) (sha string, err error) {
	if !author.valid() {
		return "", &ChangeError{"The author's name has nothing that could be a name"}
	}
	index, err := os.CreateTemp(r.store.tmp, "index-")
	if err != nil {
		return "", err
	}
	index.Close()
	os.Remove(index.Name()) // git wants to make it; the name is what counts
	defer os.Remove(index.Name())
	w := &writer{r: r, env: []string{"GIT_INDEX_FILE=" + index.Name()}, parent: parent}
	if parent != "" {
		if _, err := w.git(ctx, nil, "read-tree", parent); err != nil {
			return "", err
		}
	}
	var lines bytes.Buffer
	for _, c := range changes {
		if err := w.change(ctx, c, &lines); err != nil {
			return "", err
		}
	}
	if _, err := w.git(ctx, lines.Bytes(), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := w.git(ctx, nil, "write-tree")
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	w.env = append(w.env,
		"GIT_AUTHOR_NAME="+clean(author.Name), "GIT_AUTHOR_EMAIL="+clean(author.Email), "GIT_AUTHOR_DATE="+stamp(author.When),
		"GIT_COMMITTER_NAME="+clean(committer.Name), "GIT_COMMITTER_EMAIL="+clean(committer.Email), "GIT_COMMITTER_DATE="+stamp(committer.When))
	return w.git(ctx, []byte(message), args...)
}

// writer runs git for one commit.
type writer struct {
	r      *Repo
	env    []string
	parent string
}

func (w *writer) git(ctx context.Context, in []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	give, err := w.r.store.asking.Take(ctx, w.r.dir)
	if err != nil {
		return "", err
	}
	defer give()
	cmd := w.r.store.git(ctx, append([]string{"--git-dir=" + w.r.dir}, args...)...)
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], w.env...)
	out, errs := &limited{limit: 1 << 20}, &limited{limit: 8 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), out, errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// entry finds a file of the parent.
func (w *writer) entry(ctx context.Context, file string) (Entry, bool, error) {
	if w.parent == "" {
		return Entry{}, false, nil
	}
	dir := path.Dir(file)
	if dir == "." {
		dir = ""
	}
	entries, err := w.r.Tree(ctx, w.parent, dir)
	if errors.Is(err, ErrNotFound) {
		return Entry{}, false, nil
	}
	for _, e := range entries {
		if e.Path == file {
			return e, true, err
		}
	}
	return Entry{}, false, err
}

// belowFile refuses a path below something that is no folder: git would drop that file without a word.
func (w *writer) belowFile(ctx context.Context, file string) error {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		e, there, err := w.entry(ctx, dir)
		if err != nil {
			return err
		}
		if there && e.Type != "tree" {
			return &ChangeError{"A file with the name of the directory " + dir + " already exists"}
		}
	}
	return nil
}

const removed = "0 0000000000000000000000000000000000000000\t"

func (w *writer) change(ctx context.Context, c Change, lines *bytes.Buffer) error {
	if !writable(c.Path) {
		return &ChangeError{"Invalid path"}
	}
	old, there, err := w.entry(ctx, c.Path)
	if err != nil {
		return err
	}
	mode := "100644"
	switch c.Action {
	case CreateFile:
		if there {
			return &ChangeError{"A file with this name already exists"}
		}
		if err := w.belowFile(ctx, c.Path); err != nil {
			return err
		}
	case UpdateFile, DeleteFile, ChangeMode:
		if !there || old.Type != "blob" {
			return &ChangeError{"A file with this name doesn't exist"}
		}
		mode = old.Mode
	case MoveFile:
		if there {
			return &ChangeError{"A file with this name already exists"}
		}
		if old, there, err = w.entry(ctx, c.OldPath); err != nil {
			return err
		}
		if !there || old.Type != "blob" || !writable(c.OldPath) {
			return &ChangeError{"A file with this name doesn't exist"}
		}
		if err := w.belowFile(ctx, c.Path); err != nil {
			return err
		}
		mode = old.Mode
		fmt.Fprintf(lines, "%s%s\x00", removed, c.OldPath)
	default:
		return &ChangeError{"Unknown action"}
	}
	if c.Action == DeleteFile {
		fmt.Fprintf(lines, "%s%s\x00", removed, c.Path)
		return nil
	}
	if c.Executable != nil && mode != "120000" {
		mode = map[bool]string{true: "100755", false: "100644"}[*c.Executable]
	}
	blob := old.SHA
	if c.Action == CreateFile || c.Action == UpdateFile || c.Action == MoveFile && c.Content != nil {
		if blob, err = w.git(ctx, c.Content, "hash-object", "-w", "--stdin"); err != nil {
			return err
		}
	}
	fmt.Fprintf(lines, "%s %s\t%s\x00", mode, blob, c.Path)
	return nil
}

// writable refuses paths that no checkout should get.
func writable(file string) bool {
	if !validPath(file) || path.Clean("/"+file) != "/"+file {
		return false
	}
	for _, part := range strings.Split(file, "/") {
		if strings.EqualFold(part, ".git") || part == ".." {
			return false
		}
	}
	return true
}

// valid says whether git takes a name: it drops some characters, and wants others to be left.
func (p Person) valid() bool { return strings.Trim(clean(p.Name), " .,:;<>\"\\'") != "" }

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' {
			return -1
		}
		return r
	}, s)
}

func stamp(t time.Time) string { return fmt.Sprintf("%d %s", t.Unix(), t.Format("-0700")) }

// UpdateRef creates (old zero), moves or deletes (new zero) a branch or tag, if it is where old says.
func (r *Repo) UpdateRef(ctx context.Context, ref, from, to string) error {
	if !ValidRef(ref) || !ValidSHA(from) || !ValidSHA(to) {
		return ErrBadName
	}
	args := []string{"--git-dir=" + r.dir, "update-ref", ref, to, from}
	if IsZero(to) {
		args = []string{"--git-dir=" + r.dir, "update-ref", "-d", ref, from}
	}
	_, err := r.command(ctx, args...)
	if err != nil && (strings.Contains(err.Error(), "cannot lock ref") || strings.Contains(err.Error(), "reference already exists")) {
		return fmt.Errorf("%w: %w", ErrMoved, err)
	}
	return err
}

// TagObject makes an annotated tag and returns its id. No ref is made.
func (r *Repo) TagObject(ctx context.Context, name, sha, message string, tagger Person) (string, error) {
	if !ValidRef("refs/tags/"+name) || !ValidSHA(sha) {
		return "", ErrBadName
	}
	w := &writer{r: r}
	text := fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger %s <%s> %s\n\n%s\n", sha, name, clean(tagger.Name), clean(tagger.Email), stamp(tagger.When), strings.TrimSpace(message))
	return w.git(ctx, []byte(text), "mktag")
}

// Object says what a ref itself points to: the tag of an annotated tag, the commit otherwise.
func (r *Repo) Object(ctx context.Context, ref string) (string, error) {
	if !ValidRef(ref) {
		return "", ErrBadName
	}
	id, _, _, err := r.object(ctx, ref, maxObject)
	return id, err
}

// EntryAt finds a file or folder of a commit by its path.
func (r *Repo) EntryAt(ctx context.Context, sha, file string) (Entry, error) {
	w := &writer{r: r, parent: sha}
	if !validPathspec(file) {
		return Entry{}, ErrBadName
	}
	e, found, err := w.entry(ctx, filepath.ToSlash(strings.TrimPrefix(path.Clean("/"+file), "/")))
	if err == nil && !found {
		err = ErrNotFound
	}
	return e, err
}
