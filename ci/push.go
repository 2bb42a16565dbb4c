package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/tasks"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// RefChange is one line of a push.
type RefChange struct {
	Ref      string `json:"ref"` // in full
	Old, New string
}

// Deletes says whether the push removes the ref.
func (r RefChange) Deletes() bool { return gitrepo.IsZero(r.New) }

// PushOptions are what `git push -o` gives.
type PushOptions struct {
	Skip      bool                `json:"skip,omitempty"` // pipelines are skipped
	None      bool                `json:"none,omitempty"` // there are none
	Variables []variable.Variable `json:"variables,omitempty"`
	Inputs    map[string]any      `json:"inputs,omitempty"`
	Known     []string            `json:"known,omitempty"` // those that GitLab knows, as given, for webhooks
}

// ParsePushOptions reads ci.skip, ci.no_pipeline, ci.variable="K=V" and ci.input="k=v"; others are not for us.
func ParsePushOptions(options []string) PushOptions {
	var o PushOptions
	for _, text := range options {
		if _, _, _, known := knownPushOption(text); known {
			o.Known = append(o.Known, text)
		}
		name, value, _ := strings.Cut(text, "=")
		switch name {
		case "ci.skip":
			o.Skip = true
		case "ci.no_pipeline":
			o.None = true
		case "ci.variable":
			key, val, ok := strings.Cut(strings.Trim(value, `"`), "=")
			if ok && key != "" {
				o.Variables = append(o.Variables, variable.Variable{Key: key, Value: val})
			}
		case "ci.input":
			key, val, ok := strings.Cut(strings.Trim(value, `"`), "=")
			if ok && key != "" {
				if o.Inputs == nil {
					o.Inputs = map[string]any{}
				}
				o.Inputs[key] = val // its specification says what it is
			}
		}
	}
	return o
}

// pushLimit is how many refs of one push, from the first on, may get a pipeline, as on GitLab.
const pushLimit = 4

type pushTask struct {
	Project int64       `json:"project"`
	User    int64       `json:"user"`
	Changes []RefChange `json:"changes"`
	Options PushOptions `json:"options"`
}

// CheckPush asks ref by ref whether a push may happen. It answers the first refusal. Settings for git that
// the push must run with are returned, such as refusing to rewrite protected branches.
func (c *Coordinator) CheckPush(ctx context.Context, a access.Actor, p *models.Project, changes []RefChange) (gitSettings []string, err error) {
	var subject access.Subject
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		subject, err = access.SubjectOf(tx, a, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, ch := range changes {
		if err := checkRef(a, subject, ch); err != nil {
			return nil, err
		}
		branch, isBranch := strings.CutPrefix(ch.Ref, "refs/heads/")
		if isBranch && !access.ForcePush(subject.Protected, branch) {
			gitSettings = []string{"receive.denyNonFastForwards=true"}
		}
	}
	return gitSettings, nil
}

// checkRef asks for one change of a push. Branches and tags have their rules; every other ref, such as refs/notes/…, takes the
// right to push code at all, but for the ones that the server itself writes.
func checkRef(a access.Actor, s access.Subject, ch RefChange) error {
	short, kind := gitrepo.ShortName(ch.Ref)
	switch kind {
	case gitrepo.Internal:
		return fault.New(fault.Forbidden, "%s cannot be pushed: the server keeps such refs for itself", ch.Ref)
	case gitrepo.NoRef:
		return fault.New(fault.Forbidden, "%q is not a valid name of a ref", ch.Ref)
	case gitrepo.OtherRef:
		if !access.Allowed(a, access.PushRef, s) {
			return errNoPush
		}
		return nil
	}
	isTag := kind == gitrepo.Tag
	if !ch.Deletes() && !gitrepo.ValidName(short) {
		return fault.New(fault.Forbidden, "%q is not a valid name of a %s", short, map[bool]string{false: "branch", true: "tag"}[isTag])
	}
	if !access.Allowed(a, access.PushRef, s.On(short, isTag)) {
		if len(access.Matching(s.Protected, short, isTag)) > 0 {
			return fault.New(fault.Forbidden, "You are not allowed to push to the protected ref %s of this project", short)
		}
		return errNoPush
	}
	if ch.Deletes() && !isTag && (short == s.Project.DefaultBranch || len(access.Matching(s.Protected, short, false)) > 0) {
		return fault.New(fault.Forbidden, "The branch %s is protected or the default one and cannot be deleted", short)
	}
	return nil
}

var errNoPush = fault.New(fault.Forbidden, "You are not allowed to push code to this project")

// BeginPush stores, before git takes a push, that its pipelines are to be made: if the node dies in between,
// the task finds out later whether the refs moved. done must be called with whether git took it.
func (c *Coordinator) BeginPush(ctx context.Context, a access.Actor, p *models.Project, changes []RefChange, o PushOptions) (done func(taken bool), err error) {
	if a.Job != nil {
		o.None = true // what a job pushes starts no pipeline, as on GitLab: it could start itself for ever
	}
	payload, err := json.Marshal(pushTask{Project: p.ID, User: a.User.ID, Changes: changes, Options: o})
	if err != nil {
		return nil, err
	}
	key := TaskPush + ":" + newKey()
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		return tx.AddTask(&models.Task{Kind: TaskPush, Key: &key, Share: tasks.ShareOf(p.ID), Payload: string(payload), RunAt: tx.Now().Add(pushSafety)})
	})
	if err != nil {
		return nil, err
	}
	return func(taken bool) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := c.db.Write(ctx, func(tx *models.Tx) error {
			if !taken {
				return tx.DeleteTaskByKey(key)
			}
			tx.AfterCommit(c.tasks.Wake)
			if err := errors.Join(tx.NoteActivity(p.ID), c.maintainSoon(tx, p.ID)); err != nil {
				return err
			}
			return tx.DueNow(key)
		})
		if err != nil {
			c.log.WarnContext(ctx, "a push is processed later", "project", p.ID, "error", err)
		}
	}, nil
}

// pushSafety is when a push whose end nobody told is looked at.
const pushSafety = 30 * time.Second

// runPush makes the pipelines of a push. Each ref has a key of its own, so that a repeated task makes none
// twice. What the configuration gets wrong never breaks the push.
func (c *Coordinator) runPush(ctx context.Context, t *models.Task) error {
	var push pushTask
	if err := json.Unmarshal([]byte(t.Payload), &push); err != nil {
		return fmt.Errorf("payload of a push: %w", err)
	}
	var project *models.Project
	var user *models.User
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if project, err = tx.Project(push.Project); err != nil {
			return err
		}
		user, err = tx.User(push.User)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.adoptDefaultBranch(ctx, project, push.Changes); err != nil {
		return err
	}
	if err := c.tellPush(ctx, project, push); err != nil {
		return err
	}
	for i, ch := range push.Changes {
		if branch, ok := strings.CutPrefix(ch.Ref, "refs/heads/"); ok && ch.Deletes() {
			if err := c.branchGone(ctx, project, branch, user); err != nil {
				return err
			}
		}
		if tag, ok := strings.CutPrefix(ch.Ref, "refs/tags/"); ok && ch.Deletes() {
			if err := c.unlock(ctx, project.ID, tag, true, 0); err != nil {
				return err
			}
		}
		if pushEvent(ch.Ref) == "" || ch.Deletes() || push.Options.None || i >= pushLimit {
			continue
		}
		if err := c.pushPipeline(ctx, t, project, user, push, i, ch); err != nil {
			return err
		}
	}
	return c.pushedMergeRequests(ctx, project, user, push)
}

func (c *Coordinator) pushPipeline(ctx context.Context, t *models.Task, p *models.Project, u *models.User, push pushTask, i int, ch RefChange) error {
	sha, taken, err := landed(ctx, c.Repo(p), ch)
	if err != nil || !taken {
		return err
	}
	_, err = c.CreatePipeline(ctx, PipelineRequest{
		Project: p, Actor: access.Actor{User: u}, Source: enum.SourcePush, Ref: ch.Ref, SHA: sha, BeforeSHA: ch.Old,
		Variables: push.Options.Variables, Inputs: push.Options.Inputs, Skip: push.Options.Skip, Key: pushKey(t, i),
	})
	var refused *plan.Refusal
	if errors.As(err, &refused) || fault.KindOf(err) != fault.Internal {
		c.log.InfoContext(ctx, "a push made no pipeline", "project", p.FullPath, "ref", ch.Ref, "reason", err)
		return nil
	}
	return err
}

// landed says whether git took a change of a push, and which commit the ref came to; a ref that others moved since was taken.
func landed(ctx context.Context, repo *gitrepo.Repo, ch RefChange) (sha string, taken bool, err error) {
	resolve := func(name string) (string, error) {
		id, err := repo.Resolve(ctx, name)
		if errors.Is(err, gitrepo.ErrNotFound) {
			err = nil
		}
		return id, err
	}
	head, err := resolve(ch.Ref)
	if err != nil {
		return "", false, err
	}
	old, err := resolve(ch.Old)
	if err != nil {
		return "", false, err
	}
	if ch.Deletes() {
		return "", head == "" || head != old, nil
	}
	if sha, err = resolve(ch.New); err != nil || sha == "" || head == "" {
		return "", false, err
	}
	return sha, head == sha || head != old, nil
}

// tellPush lets webhooks know of the refs that a push changed. A push that is processed again may tell them again.
func (c *Coordinator) tellPush(ctx context.Context, p *models.Project, push pushTask) error {
	wanted := map[string]bool{}
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		for _, event := range []string{PushEvents, TagPushEvents} {
			if wanted[event], err = c.wanted(tx, p.ID, event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, ch := range push.Changes {
		counts[pushEvent(ch.Ref)]++
	}
	var told []happening
	for _, ch := range push.Changes {
		event := pushEvent(ch.Ref)
		if !wanted[event] || counts[event] > maxHookRefs {
			continue
		}
		_, taken, err := landed(ctx, c.Repo(p), ch)
		if err != nil {
			return err
		}
		if taken {
			told = append(told, happening{
				Event: event, Project: p.ID, Push: &ch, User: push.User, Ref: strings.TrimPrefix(ch.Ref, "refs/heads/"), Options: push.Options.Known,
			})
		}
	}
	if len(told) == 0 {
		return nil
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		for _, h := range told {
			if err := c.happens(tx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

// pushEvent is the event that the push of a ref is; "" for refs that are neither branch nor tag, which start nothing.
func pushEvent(ref string) string {
	switch _, kind := gitrepo.ShortName(ref); kind {
	case gitrepo.Branch:
		return PushEvents
	case gitrepo.Tag:
		return TagPushEvents
	}
	return ""
}

// branchGone stops what a deleted branch was deployed to.
func (c *Coordinator) branchGone(ctx context.Context, p *models.Project, branch string, by *models.User) error {
	_, err := c.Repo(p).Resolve(ctx, "refs/heads/"+branch)
	if err == nil { // git did not take the push, or the branch is there again
		return nil
	}
	if !errors.Is(err, gitrepo.ErrNotFound) {
		return err
	}
	return errors.Join(c.stopForBranch(ctx, p, branch, by), c.unlock(ctx, p.ID, branch, false, 0))
}

// adoptDefaultBranch makes the first branch that is pushed to an empty project its default one, if the
// default branch was not pushed with it.
func (c *Coordinator) adoptDefaultBranch(ctx context.Context, p *models.Project, changes []RefChange) error {
	repo := c.Repo(p)
	_, err := repo.Resolve(ctx, "refs/heads/"+p.DefaultBranch)
	if !errors.Is(err, gitrepo.ErrNotFound) {
		return err
	}
	for _, ch := range changes {
		branch, ok := strings.CutPrefix(ch.Ref, "refs/heads/")
		if !ok || ch.Deletes() {
			continue
		}
		branches, err := repo.Refs(ctx, "refs/heads/", 2)
		if err != nil || len(branches) != 1 {
			return err
		}
		if err := repo.SetHead(ctx, branch); err != nil {
			return err
		}
		p.DefaultBranch = branch
		return c.setDefaultBranch(ctx, p.ID, branch)
	}
	return nil
}

// setDefaultBranch stores the default branch of a project, whose protection moves with it.
func (c *Coordinator) setDefaultBranch(ctx context.Context, projectID int64, branch string) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		p, err := tx.LockProject(projectID)
		if err != nil {
			return err
		}
		if err := tx.DeleteProtectedRef(p.ID, "branch", p.DefaultBranch); err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		if _, err := tx.ProtectedRef(p.ID, "branch", branch); errors.Is(err, models.ErrNotFound) {
			err = tx.CreateProtectedRef(&models.ProtectedRef{
				ProjectID: p.ID, Kind: "branch", Name: branch, PushLevel: enum.Maintainer, MergeLevel: enum.Maintainer,
			})
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		p.DefaultBranch = branch
		return tx.UpdateProject(p)
	})
}
