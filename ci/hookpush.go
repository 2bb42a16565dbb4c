package ci

import (
	"errors"
	"slices"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

const (
	// maxHookCommits is how many commits a push is told with, the newest ones.
	maxHookCommits = 20
	// maxHookRefs is how many branches, and how many tags, one push may change so that webhooks are still told of them: the
	// default of GitLab's push_event_hooks_limit.
	maxHookRefs = 3
)

// push is what is told of a branch or a tag that was pushed.
func (t *telling) push() (object, error) {
	ch := t.h.Push
	kind := "push"
	tag, isTag := strings.CutPrefix(ch.Ref, "refs/tags/")
	if isTag {
		kind = "tag_push"
	}
	out := object{
		"object_kind": kind, "event_name": kind, "before": ch.Old, "after": ch.New, "ref": ch.Ref, "ref_protected": false, "checkout_sha": nil,
		"message": nil, "user_id": t.h.User, "user_name": "", "user_username": "", "user_email": nil, "user_avatar": nil, "project_id": t.project.ID,
		"project": t.oldProject(), "commits": []object{}, "total_commits_count": 0, "push_options": hookPushOptions(t.h.Options),
		"repository": t.repository("git_http_url", "git_ssh_url", "visibility_level"),
	}
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		rules, err := tx.ProtectedRefs(t.project.ID)
		if err != nil {
			return err
		}
		out["ref_protected"] = len(access.Matching(rules, strings.TrimPrefix(ch.Ref, "refs/heads/"), false)) > 0
		if isTag {
			out["ref_protected"] = len(access.Matching(rules, tag, true)) > 0
		}
		if _, err := t.user(tx, t.h.User); err != nil {
			return err
		}
		if u := t.users[t.h.User]; u != nil {
			out["user_name"], out["user_username"] = u.Name, u.Username
		}
		return nil
	})
	switch {
	case err != nil || ch.Deletes():
	case isTag:
		err = t.pushedTag(tag, out)
	default:
		err = t.pushedBranch(out)
	}
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		err = nil // rewritten and gone
	}
	return out, err
}

// pushedTag adds the message of a tag, "" of a light one, and the commit that it is on.
func (t *telling) pushedTag(tag string, out object) error {
	repo := t.c.Repo(t.project)
	k, err := repo.Commit(t.ctx, t.h.Push.New)
	if err != nil {
		return err
	}
	if out["message"], err = repo.TagMessage(t.ctx, tag); err != nil {
		out["message"] = nil
		return err
	}
	out["checkout_sha"] = k.SHA
	return t.withChanges([]*gitrepo.Commit{k}, 1, out)
}

// pushedBranch adds the commits that a push brought: those since the old head; of a new branch those that the default one has
// not; of the first branch all.
func (t *telling) pushedBranch(out object) error {
	ch, repo := t.h.Push, t.c.Repo(t.project)
	sha, err := repo.Resolve(t.ctx, ch.New)
	if err != nil {
		return err
	}
	out["checkout_sha"] = sha
	since := ch.Old
	if _, err := repo.Resolve(t.ctx, since); gitrepo.IsZero(since) || errors.Is(err, gitrepo.ErrNotFound) {
		if since = ""; ch.Ref != "refs/heads/"+t.project.DefaultBranch {
			since, err = repo.Resolve(t.ctx, "refs/heads/"+t.project.DefaultBranch)
			if err != nil && !errors.Is(err, gitrepo.ErrNotFound) {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	commits, total, err := repo.Since(t.ctx, since, sha, maxHookCommits)
	if err != nil {
		return err
	}
	slices.Reverse(commits) // oldest first
	return t.withChanges(commits, total, out)
}

// withChanges adds commits with the paths that they change.
func (t *telling) withChanges(commits []*gitrepo.Commit, total int, out object) error {
	changes, err := t.c.Repo(t.project).PathChanges(t.ctx, commits)
	if err != nil {
		return err
	}
	list := []object{}
	for _, k := range commits {
		c := t.theCommit(k)
		paths := changes[k.SHA]
		c["added"], c["modified"], c["removed"] = notNil(paths.Added), notNil(paths.Modified), notNil(paths.Removed)
		list = append(list, c)
	}
	out["commits"], out["total_commits_count"] = list, total
	return nil
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// pushOptionKeys are the options of `git push -o` that GitLab knows, by namespace; true are those that may be given several
// times (Gitlab::PushOptions).
var pushOptionKeys = map[string]map[string]bool{
	"ci":           {"skip": false, "no_pipeline": false, "variable": true, "input": true},
	"integrations": {"skip_ci": false},
	"merge_request": {
		"assign": true, "create": false, "description": false, "draft": false, "label": true, "merge_when_pipeline_succeeds": false, "milestone": false,
		"remove_source_branch": false, "target": false, "target_project": false, "title": false, "unassign": true, "unlabel": true,
	},
}

// knownPushOption reads an option such as `ci.skip` or `mr.title=Text`; ok is false for those that GitLab passes over.
func knownPushOption(text string) (namespace, key, value string, ok bool) {
	name, value, _ := strings.Cut(text, "=")
	namespace, key, _ = strings.Cut(name, ".")
	namespace, key, value = strings.TrimSpace(namespace), strings.TrimSpace(key), strings.TrimSpace(value)
	if namespace == "mr" {
		namespace = "merge_request"
	}
	_, ok = pushOptionKeys[namespace][key]
	return namespace, key, value, ok
}

// hookPushOptions are options as payloads show them: by namespace and key; of those that may be given several times, how often
// each value was.
func hookPushOptions(options []string) object {
	out := object{}
	for _, text := range options {
		namespace, key, value, ok := knownPushOption(text)
		if !ok {
			continue
		}
		keys, _ := out[namespace].(object)
		if keys == nil {
			keys = object{}
			out[namespace] = keys
		}
		switch several := pushOptionKeys[namespace][key]; {
		case several:
			counts, _ := keys[key].(map[string]int)
			if counts == nil {
				counts = map[string]int{}
				keys[key] = counts
			}
			counts[value]++
		case value == "":
			keys[key] = true
		default:
			keys[key] = value
		}
	}
	return out
}
