package gitrepo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Find resolves what people write: the name of a branch or a tag, in full or short, or a commit id of at
// least four digits. Branches come before tags, names before ids.
func (r *Repo) Find(ctx context.Context, name string) (sha string, err error) {
	if strings.HasPrefix(name, "refs/") {
		return r.Resolve(ctx, name)
	}
	if name == "HEAD" {
		id, kind, _, err := r.object(ctx, "HEAD^{commit}", maxObject)
		if err == nil && kind != "commit" {
			err = ErrNotFound
		}
		return id, err
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if !ValidRef(prefix + name) {
			continue
		}
		sha, err := r.Resolve(ctx, prefix+name)
		if !errors.Is(err, ErrNotFound) {
			return sha, err
		}
	}
	if len(name) < 4 || len(name) > 64 || strings.Trim(name, "0123456789abcdef") != "" {
		return "", ErrNotFound
	}
	id, kind, _, err := r.object(ctx, name+"^{commit}", maxObject)
	if err == nil && kind != "commit" {
		err = ErrNotFound
	}
	return id, err
}

// Empty says whether the repository has no branch, without running git.
func (r *Repo) Empty() (bool, error) {
	packed, err := os.ReadFile(filepath.Join(r.dir, "packed-refs"))
	if err == nil && strings.Contains(string(packed), " refs/heads/") {
		return false, nil
	}
	empty := true
	err = filepath.WalkDir(filepath.Join(r.dir, "refs", "heads"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			empty = false
			return filepath.SkipAll
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return empty, err
}

// LogOptions narrow a log.
type LogOptions struct {
	From         string // a commit id; "" with All
	Without      string // a commit id whose history is left out
	All          bool
	Path         string
	Author       string
	Since, Until time.Time
	FirstParent  bool
	Topological  bool
	Skip, Limit  int
}

// Log lists commits, newest first.
func (r *Repo) Log(ctx context.Context, o LogOptions) ([]*Commit, error) {
	args := []string{
		"--git-dir=" + r.dir, "log", "-z", "--format=%H%n%P%n%an <%ae> %ad%n%cn <%ce> %cd%n%B", "--no-decorate", "--no-color",
		"--no-show-signature", "--date=raw",
	}
	args = append(args, "--skip="+strconv.Itoa(o.Skip), "--max-count="+strconv.Itoa(o.Limit))
	if o.Author != "" {
		args = append(args, "--fixed-strings", "--author="+strings.NewReplacer("\n", " ", "\r", " ").Replace(o.Author))
	}
	if !o.Since.IsZero() {
		args = append(args, "--since="+o.Since.UTC().Format(time.RFC3339))
	}
	if !o.Until.IsZero() {
		args = append(args, "--until="+o.Until.UTC().Format(time.RFC3339))
	}
	if o.FirstParent {
		args = append(args, "--first-parent")
	}
	if o.Topological {
		args = append(args, "--topo-order")
	}
	if o.All {
		args = append(args, "--branches", "--tags")
	} else {
		if !ValidSHA(o.From) {
			return nil, ErrBadName
		}
		args = append(args, o.From)
	}
	if o.Without != "" {
		if !ValidSHA(o.Without) {
			return nil, ErrBadName
		}
		args = append(args, "^"+o.Without)
	}
	args = append(args, "--")
	if o.Path != "" {
		if !validPathspec(o.Path) {
			return nil, ErrBadName
		}
		args = append(args, ":(literal)"+strings.TrimPrefix(o.Path, "/"))
	}
	out, err := r.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	var commits []*Commit
	for _, text := range strings.Split(string(out), "\x00") {
		f := strings.SplitN(text, "\n", 5)
		if len(f) < 5 {
			continue
		}
		commits = append(commits, &Commit{
			SHA: f[0], Parents: strings.Fields(f[1]), Author: parsePerson(f[2]), Committer: parsePerson(f[3]), Message: f[4],
		})
	}
	return commits, nil
}

// LastCommit finds the newest commit, from a given one back, that changed a path.
func (r *Repo) LastCommit(ctx context.Context, sha, file string) (string, error) {
	commits, err := r.Log(ctx, LogOptions{From: sha, Path: file, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(commits) == 0 {
		return "", ErrNotFound
	}
	return commits[0].SHA, nil
}

// Stats are the lines that a commit adds and removes.
type Stats struct{ Additions, Deletions int }

// emptyTree is what a first commit is compared with.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Stats compares a commit with its first parent.
func (r *Repo) Stats(ctx context.Context, c *Commit) (Stats, error) {
	base := emptyTree
	if len(c.Parents) > 0 {
		base = c.Parents[0]
	}
	out, err := r.command(ctx, "--git-dir="+r.dir, "diff-tree", "-r", "--numstat", base, c.SHA)
	if err != nil {
		return Stats{}, err
	}
	var s Stats
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.SplitN(line, "\t", 3)
		if len(f) == 3 {
			added, _ := strconv.Atoi(f[0]) // "-" of a binary file counts nothing
			deleted, _ := strconv.Atoi(f[1])
			s.Additions, s.Deletions = s.Additions+added, s.Deletions+deleted
		}
	}
	return s, nil
}

// Merged says which of some branches lie in the history of a commit.
func (r *Repo) Merged(ctx context.Context, into string, branches []string) (map[string]bool, error) {
	refs := make([]string, len(branches))
	for i, b := range branches {
		refs[i] = "refs/heads/" + b
	}
	found, err := r.MergedRefs(ctx, into, refs)
	out := make(map[string]bool, len(found))
	for ref := range found {
		out[strings.TrimPrefix(ref, "refs/heads/")] = true
	}
	return out, err
}

// MergedRefs is Merged for refs with their full names; ErrNotFound if there is no such commit.
func (r *Repo) MergedRefs(ctx context.Context, into string, refs []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(refs) == 0 || !ValidSHA(into) {
		return out, nil
	}
	if _, err := r.Commit(ctx, into); err != nil {
		return nil, err
	}
	args := []string{"--git-dir=" + r.dir, "for-each-ref", "--merged=" + into, "--format=%(refname)", "--"}
	for _, ref := range refs {
		if !ValidRef(ref) {
			return nil, ErrBadName
		}
		args = append(args, ref)
	}
	text, err := r.command(ctx, args...)
	for _, line := range strings.Fields(string(text)) {
		out[line] = true
	}
	return out, err
}

// Contained says whether a branch or tag holds a commit in its history.
func (r *Repo) Contained(ctx context.Context, sha string) (bool, error) {
	if !ValidSHA(sha) {
		return false, ErrBadName
	}
	out, err := r.command(ctx, "--git-dir="+r.dir, "for-each-ref", "--count=1", "--contains="+sha, "--format=%(refname)", "--", "refs/heads", "refs/tags")
	return strings.TrimSpace(string(out)) != "", err
}

// Holding finds a branch or tag that has a commit in its history: the preferred one if that does, else any, branches first;
// ErrNotFound if none has.
func (r *Repo) Holding(ctx context.Context, sha, preferred string) (string, error) {
	if !ValidSHA(sha) || !ValidRef(preferred) {
		return "", ErrBadName
	}
	for _, where := range []string{preferred, "refs/heads", "refs/tags"} {
		out, err := r.command(ctx, "--git-dir="+r.dir, "for-each-ref", "--count=1", "--contains="+sha, "--format=%(refname)", "--", where)
		if err != nil {
			return "", err
		}
		if name := strings.TrimSpace(string(out)); name != "" {
			return name, nil
		}
	}
	return "", ErrNotFound
}

// SortedRefs lists refs below a prefix, ordered by a key of git's: refname, -refname, committerdate,
// creatordate, version:refname and the like, which the caller chooses from its own list.
func (r *Repo) SortedRefs(ctx context.Context, prefix, key string) ([]Ref, error) {
	out, err := r.command(ctx, "--git-dir="+r.dir, "for-each-ref", "--sort="+key, "--format=%(refname) %(objectname) %(*objectname)", "--", prefix)
	if err != nil {
		return nil, err
	}
	return parseRefs(string(out)), nil
}

// RecursiveTree lists everything below a folder at a commit, folders included, at most limit entries behind
// the first skip ones.
func (r *Repo) RecursiveTree(ctx context.Context, sha, folder string) ([]Entry, error) {
	if !ValidSHA(sha) || folder != "" && !validPathspec(folder) {
		return nil, ErrBadName
	}
	spec := sha
	if folder = strings.Trim(folder, "/"); folder != "" {
		spec += ":" + folder
	}
	out, err := r.command(ctx, "--git-dir="+r.dir, "ls-tree", "-r", "-t", "-z", "--full-tree", "--end-of-options", spec)
	if err != nil {
		if strings.Contains(err.Error(), "Not a valid object name") || strings.Contains(err.Error(), "not a tree object") {
			return nil, ErrNotFound
		}
		return nil, err
	}
	var entries []Entry
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 3 {
			continue
		}
		if folder != "" {
			name = folder + "/" + name
		}
		entries = append(entries, Entry{Name: filepath.Base(name), Path: name, Mode: f[0], Type: f[1], SHA: f[2]})
	}
	return entries, nil
}
