package gitrepo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"
)

// Ref is a branch or a tag. SHA is the commit, behind an annotated tag too.
type Ref struct {
	Name string // in full: refs/heads/main
	SHA  string
}

// Commit is a commit's data.
type Commit struct {
	SHA       string
	Parents   []string
	Author    Person
	Committer Person
	Message   string
}

// Person is an author or a committer.
type Person struct {
	Name, Email string
	When        time.Time
}

// Title is the first line of the message.
func (c *Commit) Title() string {
	title, _, _ := strings.Cut(c.Message, "\n")
	return title
}

// Entry is a file or a folder of a tree.
type Entry struct {
	Name string // without the folders above
	Path string
	Mode string // such as 100644
	Type string // blob, tree or commit (a submodule)
	SHA  string
}

const maxObject = 32 << 20

// Resolve finds the commit of a full ref name, or checks that a commit id exists.
func (r *Repo) Resolve(ctx context.Context, name string) (string, error) {
	if !ValidSHA(name) && !ValidRef(name) {
		return "", ErrBadName
	}
	id, kind, _, err := r.object(ctx, name+"^{commit}", maxObject)
	if err == nil && kind != "commit" {
		err = ErrNotFound
	}
	return id, err
}

// Commit reads a commit.
func (r *Repo) Commit(ctx context.Context, sha string) (*Commit, error) {
	if !ValidSHA(sha) {
		return nil, ErrBadName
	}
	id, kind, raw, err := r.object(ctx, sha+"^{commit}", maxObject)
	if err != nil {
		return nil, err
	}
	if kind != "commit" {
		return nil, ErrNotFound
	}
	return parseCommit(id, string(raw)), nil
}

// TagMessage reads the message of an annotated tag, "" of a light one.
func (r *Repo) TagMessage(ctx context.Context, tag string) (string, error) {
	name := "refs/tags/" + tag
	if !ValidRef(name) {
		return "", ErrBadName
	}
	_, kind, raw, err := r.object(ctx, name, maxObject)
	if err != nil || kind != "tag" {
		return "", err
	}
	_, message, _ := strings.Cut(string(raw), "\n\n")
	message, _, _ = strings.Cut(message, "-----BEGIN ")
	return strings.TrimSpace(message), nil
}

func parseCommit(id, raw string) *Commit {
	c := &Commit{SHA: id}
	head, message, _ := strings.Cut(raw, "\n\n")
	c.Message = message
	for _, line := range strings.Split(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = parsePerson(value)
		case "committer":
			c.Committer = parsePerson(value)
		}
	}
	return c
}

func parsePerson(s string) Person {
	name, rest, _ := strings.Cut(s, " <")
	email, stamp, _ := strings.Cut(rest, "> ")
	seconds, zone, _ := strings.Cut(stamp, " ")
	unix, _ := strconv.ParseInt(seconds, 10, 64)
	at := time.Unix(unix, 0).UTC()
	if t, err := time.Parse("-0700", zone); err == nil {
		at = at.In(t.Location())
	}
	return Person{Name: name, Email: email, When: at}
}

// File reads a file at a commit; ErrTooLarge if it has more than limit bytes.
func (r *Repo) File(ctx context.Context, sha, file string, limit int64) ([]byte, error) {
	if !ValidSHA(sha) || !validPath(file) {
		return nil, ErrBadName
	}
	_, kind, data, err := r.object(ctx, sha+":"+strings.TrimPrefix(path.Clean("/"+file), "/"), limit)
	if kind != "blob" && (err == nil || errors.Is(err, ErrTooLarge)) {
		err = ErrNotFound
	}
	return data, err
}

// A file of more than smallFile bytes is held for a client in one of a few places.
const (
	smallFile   = 1 << 20
	largeFiles  = 8 // of all clients
	largeOfOne  = 3
	largeWithin = 10 * time.Second // that a client waits for a place
)

// FileFor is File for a client that is handed the bytes until ctx, that of its request, ends. Of large files only some are held at a
// time, because a slow client keeps one in memory for long; ErrBusy says that no place came free.
func (r *Repo) FileFor(ctx context.Context, sha, file string, limit int64) ([]byte, error) {
	data, err := r.File(ctx, sha, file, min(limit, smallFile))
	if !errors.Is(err, ErrTooLarge) || limit <= smallFile {
		return data, err
	}
	within, cancel := context.WithTimeoutCause(ctx, largeWithin, ErrBusy)
	defer cancel()
	give, err := r.store.large.Take(within, r.client)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, give)
	return r.File(ctx, sha, file, limit)
}

// Tree lists a folder at a commit; "" is the root. The root of an empty repository is not found.
func (r *Repo) Tree(ctx context.Context, sha, folder string) ([]Entry, error) {
	clean := strings.TrimPrefix(path.Clean("/"+folder), "/")
	if !ValidSHA(sha) || folder != "" && !validPathspec(folder) {
		return nil, ErrBadName
	}
	_, kind, raw, err := r.object(ctx, sha+":"+clean, maxObject)
	if err != nil {
		return nil, err
	}
	if kind != "tree" {
		return nil, ErrNotFound
	}
	return parseTree(raw, clean, len(sha)/2)
}

func parseTree(raw []byte, folder string, idSize int) ([]Entry, error) {
	var out []Entry
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, 0)
		if end < 0 || len(raw) < end+1+idSize {
			return nil, fmt.Errorf("damaged tree in %q", folder)
		}
		mode, name, _ := strings.Cut(string(raw[:end]), " ")
		e := Entry{
			Name: name, Path: path.Join(folder, name), Mode: strings.Repeat("0", 6-min(6, len(mode))) + mode,
			Type: "blob", SHA: hex.EncodeToString(raw[end+1 : end+1+idSize]),
		}
		switch e.Mode {
		case "040000":
			e.Type = "tree"
		case "160000":
			e.Type = "commit"
		}
		out = append(out, e)
		raw = raw[end+1+idSize:]
	}
	return out, nil
}

// Refs lists refs below a prefix such as "refs/heads/", at most limit of them, by name.
func (r *Repo) Refs(ctx context.Context, prefix string, limit int) ([]Ref, error) {
	if !ValidRef(prefix + "x/x") {
		return nil, ErrBadName
	}
	out, err := r.command(ctx, "--git-dir="+r.dir, "for-each-ref", "--count="+strconv.Itoa(limit),
		"--format=%(refname) %(objectname) %(*objectname)", "--", prefix)
	if err != nil {
		return nil, err
	}
	return parseRefs(string(out)), nil
}

func parseRefs(text string) []Ref {
	var refs []Ref
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		if len(f) >= 2 {
			refs = append(refs, Ref{Name: f[0], SHA: f[len(f)-1]})
		}
	}
	return refs
}

// MergeBase finds where two commits part; ErrNotFound if they have nothing in common.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	if !ValidSHA(a) || !ValidSHA(b) {
		return "", ErrBadName
	}
	out, err := r.command(ctx, "--git-dir="+r.dir, "merge-base", a, b)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return "", ErrNotFound
	}
	return strings.TrimSpace(string(out)), err
}

// Changed lists the paths that differ between two commits; from the zero id, all paths of the second.
func (r *Repo) Changed(ctx context.Context, from, to string) ([]string, error) {
	if !ValidSHA(to) || !ValidSHA(from) {
		return nil, ErrBadName
	}
	args := []string{"--git-dir=" + r.dir, "diff-tree", "-r", "-z", "--no-renames", "--name-only", from, to}
	if IsZero(from) {
		args = []string{"--git-dir=" + r.dir, "ls-tree", "-r", "-z", "--name-only", "--full-tree", to}
	}
	out, err := r.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(string(out), "\x00")
	if text == "" {
		return nil, nil
	}
	return strings.Split(text, "\x00"), nil
}
