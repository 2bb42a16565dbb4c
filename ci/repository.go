package ci

import (
	"context"
	"errors"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// NewCommit says what commit to make on which branch.
type NewCommit struct {
	Branch      string
	StartBranch string // where a new branch begins: a branch, tag or commit; "" is the branch itself
	Message     string
	AuthorName  string
	AuthorEmail string
	Changes     []gitrepo.Change
}

// change moves refs as a push does: asked ref by ref, noted before, pipelines after.
func (c *Coordinator) change(ctx context.Context, by access.Actor, p *models.Project, ch RefChange, move func() error) error {
	if p.Source != "hosted" {
		return fault.Refused(fault.Forbidden, "this project mirrors another repository and takes no changes")
	}
	if _, err := c.CheckPush(ctx, by, p, []RefChange{ch}); err != nil {
		return err
	}
	done, err := c.BeginPush(ctx, by, p, []RefChange{ch}, PushOptions{})
	if err != nil {
		return err
	}
	err = move()
	done(err == nil)
	return err
}

// Commit makes a commit and moves its branch to it.
func (c *Coordinator) Commit(ctx context.Context, by access.Actor, p *models.Project, n NewCommit) (sha string, err error) {
	if !gitrepo.ValidName(n.Branch) {
		return "", fault.New(fault.Invalid, "Branch name is invalid")
	}
	if strings.TrimSpace(n.Message) == "" {
		return "", fault.New(fault.Invalid, "Commit message must be given")
	}
	repo := c.Repo(p)
	ref := "refs/heads/" + n.Branch
	old, parent, err := c.parent(ctx, repo, n)
	if err != nil {
		return "", err
	}
	now := c.db.Now()
	committer := gitrepo.Person{Name: by.User.Name, Email: by.User.Email, When: now}
	author := committer
	if n.AuthorName != "" {
		author.Name = n.AuthorName
	}
	if n.AuthorEmail != "" {
		author.Email = n.AuthorEmail
	}
	// Who may not push is told so before anything is written.
	if _, err := c.CheckPush(ctx, by, p, []RefChange{{Ref: ref, Old: old, New: strings.Repeat("1", 40)}}); err != nil {
		return "", err
	}
	sha, err = repo.CommitChanges(ctx, parent, n.Changes, author, committer, n.Message)
	var wrong *gitrepo.ChangeError
	if errors.As(err, &wrong) {
		return "", fault.New(fault.Invalid, "%s", wrong.Text)
	}
	if err != nil {
		return "", err
	}
	err = c.change(ctx, by, p, RefChange{Ref: ref, Old: old, New: sha}, func() error { return repo.UpdateRef(ctx, ref, old, sha) })
	if errors.Is(err, gitrepo.ErrMoved) {
		return "", fault.New(fault.Conflict, "You are attempting to update a branch that has changed since you started editing it")
	}
	return sha, err
}

// parent finds where the branch stands and what the commit is made on.
func (c *Coordinator) parent(ctx context.Context, repo *gitrepo.Repo, n NewCommit) (old, parent string, err error) {
	old, err = repo.Resolve(ctx, "refs/heads/"+n.Branch)
	switch {
	case err == nil && n.StartBranch != "" && n.StartBranch != n.Branch:
		return "", "", fault.New(fault.Invalid, "A branch called '%s' already exists. Switch to that branch in order to make changes", n.Branch)
	case err == nil:
		return old, old, nil
	case !errors.Is(err, gitrepo.ErrNotFound):
		return "", "", err
	}
	old = gitrepo.ZeroSHA
	if n.StartBranch != "" {
		parent, err = repo.Find(ctx, n.StartBranch)
		if errors.Is(err, gitrepo.ErrNotFound) {
			err = fault.New(fault.Invalid, "Cannot find start branch %s", n.StartBranch)
		}
		return old, parent, err
	}
	empty, err := repo.Empty()
	if err != nil {
		return "", "", err
	}
	if !empty {
		return "", "", fault.New(fault.Invalid, "You can only create or edit files when you are on a branch")
	}
	return old, "", nil
}

// CreateBranch makes a branch at a commit that ref names. An empty repository gets its default branch first, with an empty
// README.md, as on GitLab.
func (c *Coordinator) CreateBranch(ctx context.Context, by access.Actor, p *models.Project, branch, ref string) error {
	empty, err := c.Repo(p).Empty()
	if err == nil && empty && gitrepo.ValidName(branch) {
		_, err = c.Commit(ctx, by, p, NewCommit{
			Branch: p.DefaultBranch, Message: "Add README.md", Changes: []gitrepo.Change{{Action: gitrepo.CreateFile, Path: "README.md"}},
		})
		if fault.KindOf(err) == fault.Conflict {
			err = nil // somebody else was first
		}
	}
	if err != nil {
		return err
	}
	return c.createRef(ctx, by, p, "refs/heads/"+branch, "Branch", ref, "")
}

// CreateTag makes a tag, with a message an annotated one.
func (c *Coordinator) CreateTag(ctx context.Context, by access.Actor, p *models.Project, tag, ref, message string) error {
	return c.createRef(ctx, by, p, "refs/tags/"+tag, "Tag", ref, message)
}

func (c *Coordinator) createRef(ctx context.Context, by access.Actor, p *models.Project, full, thing, ref, message string) error {
	repo := c.Repo(p)
	short := strings.TrimPrefix(strings.TrimPrefix(full, "refs/heads/"), "refs/tags/")
	if !gitrepo.ValidName(short) {
		return fault.New(fault.Invalid, "%s name is invalid", thing)
	}
	target, err := repo.Find(ctx, ref)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		if thing == "Tag" {
			return fault.New(fault.Invalid, "Target %s is invalid", ref)
		}
		return fault.New(fault.Invalid, "Invalid reference name: %s", ref)
	}
	if err != nil {
		return err
	}
	if message != "" {
		tagger := gitrepo.Person{Name: by.User.Name, Email: by.User.Email, When: c.db.Now()}
		if target, err = repo.TagObject(ctx, short, target, message, tagger); err != nil {
			return err
		}
	}
	err = c.change(ctx, by, p, RefChange{Ref: full, Old: gitrepo.ZeroSHA, New: target}, func() error {
		return repo.UpdateRef(ctx, full, gitrepo.ZeroSHA, target)
	})
	if errors.Is(err, gitrepo.ErrMoved) {
		if _, missing := repo.Resolve(ctx, full); missing != nil {
			return fault.New(fault.Invalid, "%s name is invalid: another one stands in its way", thing)
		}
		return fault.New(fault.Invalid, "%s %salready exists", thing, map[string]string{"Tag": short + " "}[thing])
	}
	return err
}

// DeleteRef removes a branch (refs/heads/…) or a tag (refs/tags/…).
func (c *Coordinator) DeleteRef(ctx context.Context, by access.Actor, p *models.Project, full string) error {
	repo := c.Repo(p)
	target, err := repo.Object(ctx, full)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		thing := "Branch"
		if strings.HasPrefix(full, "refs/tags/") {
			thing = "Tag"
		}
		return fault.Missing("%s", thing)
	}
	if err != nil {
		return err
	}
	return c.change(ctx, by, p, RefChange{Ref: full, Old: target, New: gitrepo.ZeroSHA}, func() error {
		return repo.UpdateRef(ctx, full, target, gitrepo.ZeroSHA)
	})
}
