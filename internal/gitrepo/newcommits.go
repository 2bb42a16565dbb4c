package gitrepo

import (
	"context"
	"strconv"
	"strings"
)

// Since lists the newest commits, at most limit, that lead to one commit and not to another, newest first; from "" nothing is
// left out. total counts all of them. ErrNotFound if one of both does not exist. Cost: a walk of what it counts.
func (r *Repo) Since(ctx context.Context, from, to string, limit int) (commits []*Commit, total int, err error) {
	for _, sha := range []string{from, to} {
		if sha == "" && sha == from {
			continue
		}
		if _, err := r.Resolve(ctx, sha); err != nil {
			return nil, 0, err
		}
	}
	if commits, err = r.Log(ctx, LogOptions{From: to, Without: from, Limit: limit}); err != nil {
		return nil, 0, err
	}
	if len(commits) < limit {
		return commits, len(commits), nil
	}
	args := []string{"--git-dir=" + r.dir, "rev-list", "--count", to}
	if from != "" {
		args = append(args, "^"+from)
	}
	out, err := r.command(ctx, append(args, "--")...)
	if err != nil {
		return nil, 0, err
	}
	total, err = strconv.Atoi(strings.TrimSpace(string(out)))
	return commits, total, err
}

// PathChanges are the files that a commit changes against its first parent. A file that got another name counts as added.
type PathChanges struct{ Added, Modified, Removed []string }

// PathChanges reads the changes of some commits, by their ids, with one process.
func (r *Repo) PathChanges(ctx context.Context, commits []*Commit) (map[string]*PathChanges, error) {
	out := map[string]*PathChanges{}
	var ask strings.Builder
	for _, c := range commits {
		out[c.SHA] = &PathChanges{}
		ask.WriteString(c.SHA)
		if len(c.Parents) > 0 {
			ask.WriteString(" " + c.Parents[0])
		}
		ask.WriteByte('\n')
	}
	if len(commits) == 0 {
		return out, nil
	}
	text, err := r.commandWith(ctx, strings.NewReader(ask.String()),
		"--git-dir="+r.dir, "diff-tree", "--stdin", "--root", "-r", "-z", "--find-renames", "--name-status")
	if err != nil {
		return nil, err
	}
	readPathChanges(strings.Split(string(text), "\x00"), out)
	return out, nil
}

// readPathChanges reads ids of commits, each followed by pairs of a status and a path; renames and copies have two paths.
func readPathChanges(fields []string, into map[string]*PathChanges) {
	var now *PathChanges
	for i := 0; i < len(fields); i++ {
		if ValidSHA(fields[i]) {
			now = into[fields[i]]
			continue
		}
		if now == nil || fields[i] == "" || i+1 >= len(fields) {
			continue
		}
		status := fields[i][0]
		i++
		switch status {
		case 'D':
			now.Removed = append(now.Removed, fields[i])
		case 'A':
			now.Added = append(now.Added, fields[i])
		case 'R', 'C':
			if i++; i < len(fields) {
				now.Added = append(now.Added, fields[i])
			}
		default:
			now.Modified = append(now.Modified, fields[i])
		}
	}
}
