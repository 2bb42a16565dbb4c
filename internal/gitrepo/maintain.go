package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// When a repository is worth a repacking, and when all of its packs become one. Only then what is reachable no more can leave.
const (
	manyLoose = 256
	manyPacks = 20
	// unreachableFor is for how long objects are kept that nothing reaches: a commit that is being made reaches them soon.
	unreachableFor = "2.weeks.ago"
	// lockFor is how old a lock is that a killed process left. Git holds one for moments.
	lockFor = time.Hour
)

// keepAround is where refs lie that keep commits. Clients see none of them.
const keepAround = "refs/keep-around/"

// Maintained is what a maintenance found and did.
type Maintained struct {
	Loose, Packs int // before
	Repacked     bool
	Locks        int // of killed processes, removed
}

// Maintain packs what pushes and commits left as single objects, and writes the commit graph, if there is enough of it.
// Objects that nothing has reached for two weeks go, with prune; keep are the commits that stay although no branch or tag
// reaches them. It may run beside fetches, pushes and commits, but not beside itself.
func (r *Repo) Maintain(ctx context.Context, keep []string, prune bool) (m Maintained, err error) {
	if m.Locks, err = r.removeLocks(time.Now().Add(-lockFor)); err != nil {
		return m, err
	}
	if m.Loose, m.Packs, err = r.count(ctx); err != nil || m.Loose < manyLoose && m.Packs < manyPacks {
		return m, err
	}
	if prune {
		if err := r.keepAround(ctx, keep); err != nil {
			return m, err
		}
	}
	pack := []string{"repack", "-d", "-l", "-q"}
	if prune && m.Packs >= manyPacks {
		pack = append(pack, "-A", "--unpack-unreachable="+unreachableFor)
	}
	steps := [][]string{{"pack-refs", "--all"}, pack}
	if prune {
		steps = append(steps, []string{"prune", "--expire=" + unreachableFor})
	}
	for _, step := range append(steps, []string{"commit-graph", "write", "--reachable", "--no-progress"}) {
		if _, err := r.maintenance(ctx, nil, step...); err != nil {
			return m, err
		}
	}
	m.Repacked = true
	return m, nil
}

// maintenance runs git with little memory and one thread, for as long as the context allows.
func (r *Repo) maintenance(ctx context.Context, in []byte, args ...string) (string, error) {
	all := append([]string{"-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "--git-dir=" + r.dir}, args...)
	cmd := r.store.git(ctx, all...)
	out, errs := &limited{limit: 64 << 20}, &head{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), out, errs
	if err := cmd.Run(); err != nil {
		return "", errors.Join(ctx.Err(), fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(errs.b))))
	}
	return out.String(), nil
}

// count counts loose objects and packs.
func (r *Repo) count(ctx context.Context) (loose, packs int, err error) {
	out, err := r.maintenance(ctx, nil, "count-objects", "-v")
	for _, line := range strings.Split(out, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch n, _ := strconv.Atoi(value); name {
		case "count":
			loose = n
		case "packs":
			packs = n
		}
	}
	return loose, packs, err
}

// keepAround makes refs of the commits that stay, and removes those of others.
func (r *Repo) keepAround(ctx context.Context, keep []string) error {
	var ask bytes.Buffer
	for _, sha := range keep {
		if ValidSHA(sha) && !IsZero(sha) {
			fmt.Fprintln(&ask, sha)
		}
	}
	there, err := r.maintenance(ctx, ask.Bytes(), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, line := range strings.Split(there, "\n") {
		if sha, kind, _ := strings.Cut(line, " "); kind == "commit" || kind == "tag" {
			wanted[sha] = true
		}
	}
	have, err := r.maintenance(ctx, nil, "for-each-ref", "--format=%(objectname)", keepAround)
	if err != nil {
		return err
	}
	var change bytes.Buffer
	for _, sha := range strings.Fields(have) {
		if !wanted[sha] {
			fmt.Fprintf(&change, "delete %s%s\n", keepAround, sha)
		}
		delete(wanted, sha)
	}
	for sha := range wanted {
		fmt.Fprintf(&change, "update %s%s %s\n", keepAround, sha, sha)
	}
	if change.Len() == 0 {
		return nil
	}
	_, err = r.maintenance(ctx, change.Bytes(), "update-ref", "--stdin")
	return err
}

// removeLocks removes locks of processes that were killed: with them a ref could never be moved again.
func (r *Repo) removeLocks(before time.Time) (n int, err error) {
	objects := filepath.Join(r.dir, "objects")
	err = filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path == objects:
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".lock"):
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.ModTime().Before(before) {
			return nil
		}
		if err := os.Remove(path); err == nil {
			n++
		}
		return nil
	})
	return n, err
}
