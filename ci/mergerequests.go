package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// signalbox hosts no merge requests. Whoever mirrors a repository tells it of those that live elsewhere, through GitLab's own
// API, so that they get the pipelines they would have there. From then on pushes keep them up to date: a new head is a new
// version, what was merged into the target is merged, what lost its source branch is closed.

type mergeRequestTask struct {
	ID    int64  `json:"id"`
	User  int64  `json:"user"`
	Again string `json:"again,omitempty"` // a head that has a pipeline already gets another one, by this key
}

// CreateMergeRequest stores a merge request that lives elsewhere; its first pipeline follows. An IID of 0 is chosen. It answers
// fault.Fields of what is wrong, or a conflict with the one that is open already.
func (c *Coordinator) CreateMergeRequest(ctx context.Context, by access.Actor, p *models.Project, mr *models.MergeRequest) error {
	mr.ProjectID, mr.AuthorID, mr.State = p.ID, by.ID(), models.MergeRequestOpened
	diff, err := c.versionOf(ctx, p, mr)
	if err != nil {
		return err
	}
	if err := checkMergeRequest(mr); err != nil {
		return err
	}
	given := mr.IID
	err = c.db.Write(ctx, func(tx *models.Tx) (err error) {
		mr.ID, diff.ID, mr.IID = 0, 0, given
		if err := anotherOpen(tx, mr); err != nil {
			return err
		}
		if given == 0 {
			mr.IID, err = tx.NextIID(p.ID, "merge_request")
		} else {
			err = tx.ReserveIID(p.ID, "merge_request", given)
		}
		if err != nil {
			return err
		}
		if err := tx.CreateMergeRequest(mr); err != nil {
			return err
		}
		diff.MergeRequestID = mr.ID
		if err := tx.AddMergeRequestDiff(diff); err != nil {
			return err
		}
		if err := c.tellMergeRequest(tx, by.ID(), nil, mr, actionOpen, ""); err != nil {
			return err
		}
		return c.soonTo(tx, TaskMergeRequest, tasks.ShareOf(mr.ProjectID), mergeRequestTask{ID: mr.ID, User: by.ID()})
	})
	if errors.Is(err, models.ErrDuplicate) {
		return fault.New(fault.Conflict, "the project has a merge request !%d already", given)
	}
	return err
}

// checkMergeRequest says what of a merge request cannot be.
func checkMergeRequest(mr *models.MergeRequest) error {
	wrong := fault.Fields{}
	if strings.TrimSpace(mr.Title) == "" {
		wrong["title"] = []string{"can't be blank"}
	}
	if len([]rune(mr.Title)) > 255 {
		wrong["title"] = []string{"is too long (maximum is 255 characters)"}
	}
	if mr.SourceBranch == mr.TargetBranch {
		wrong["branch_conflict"] = []string{"You can't use same project/branch for source and target"}
	}
	if mr.IID < 0 {
		wrong["iid"] = []string{"must be greater than 0"}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// anotherOpen refuses a second open merge request of the same branches.
func anotherOpen(tx *models.Tx, mr *models.MergeRequest) error {
	rows, err := tx.OpenMergeRequestsFrom(mr.ProjectID, mr.SourceBranch, maxPushedMergeRequests)
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.TargetBranch == mr.TargetBranch && o.ID != mr.ID {
			return fault.New(fault.Conflict, "Another open merge request already exists for this source branch: !%d", o.IID)
		}
	}
	return nil
}

// versionOf compares the branches of a merge request as they are now.
func (c *Coordinator) versionOf(ctx context.Context, p *models.Project, mr *models.MergeRequest) (*models.MergeRequestDiff, error) {
	repo := c.Repo(p)
	d := &models.MergeRequestDiff{MergeRequestID: mr.ID}
	for _, b := range []struct {
		field, branch string
		sha           *string
	}{{"source_branch", mr.SourceBranch, &d.HeadSHA}, {"target_branch", mr.TargetBranch, &d.StartSHA}} {
		sha, err := repo.Resolve(ctx, "refs/heads/"+b.branch)
		if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
			return nil, fault.Field(b.field, "%q does not exist", b.branch)
		}
		if err != nil {
			return nil, err
		}
		*b.sha = sha
	}
	base, err := repo.MergeBase(ctx, d.HeadSHA, d.StartSHA)
	if errors.Is(err, gitrepo.ErrNotFound) {
		base, err = strings.Repeat("0", len(d.HeadSHA)), nil
	}
	d.BaseSHA = base
	return d, err
}

// ChangeMergeRequest changes what a merge request says, or its state. A new target is a new version of it.
func (c *Coordinator) ChangeMergeRequest(ctx context.Context, by access.Actor, p *models.Project, id int64, change func(*models.MergeRequest)) (mr *models.MergeRequest, err error) {
	if err := c.checkTarget(ctx, p, id, change); err != nil {
		return nil, err
	}
	var before models.MergeRequest
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if mr, err = tx.LockMergeRequest(id); err != nil {
			return err
		}
		before = *mr
		change(mr)
		if err := checkMergeRequest(mr); err != nil {
			return err
		}
		if mr.State == models.MergeRequestOpened {
			if err := anotherOpen(tx, mr); err != nil {
				return err
			}
		}
		return c.storeMergeRequest(tx, by.ID(), &before, mr)
	})
	return mr, notFound(err, "Merge Request")
}

// checkTarget refuses a new target branch that does not exist.
func (c *Coordinator) checkTarget(ctx context.Context, p *models.Project, id int64, change func(*models.MergeRequest)) error {
	var mr *models.MergeRequest
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		mr, err = tx.MergeRequestByID(id)
		return err
	})
	if err != nil {
		return notFound(err, "Merge Request")
	}
	old := mr.TargetBranch
	if change(mr); mr.TargetBranch != old {
		_, err = c.versionOf(ctx, p, mr)
	}
	return err
}

// storeMergeRequest stores a merge request that was another before, and what follows from it.
func (c *Coordinator) storeMergeRequest(tx *models.Tx, by int64, before, mr *models.MergeRequest) error {
	now := tx.Now()
	if mr.State != before.State {
		mr.EndedByID, mr.MergedAt, mr.ClosedAt = nil, nil, nil
		if by != 0 && mr.State != models.MergeRequestOpened {
			mr.EndedByID = &by
		}
		switch mr.State {
		case models.MergeRequestMerged:
			mr.MergedAt = &now
		case models.MergeRequestClosed:
			mr.ClosedAt = &now
		}
	}
	if err := tx.UpdateMergeRequest(mr); err != nil {
		return err
	}
	if action := mergeRequestAction(before, mr); action != "" {
		if err := c.tellMergeRequest(tx, by, before, mr, action, ""); err != nil {
			return err
		}
	}
	if mr.State == before.State && mr.TargetBranch == before.TargetBranch {
		return nil
	}
	task := mergeRequestTask{ID: mr.ID, User: by}
	if mr.TargetBranch != before.TargetBranch {
		task.Again = newKey()
	}
	return c.soonTo(tx, TaskMergeRequest, tasks.ShareOf(mr.ProjectID), task)
}

// DeleteMergeRequest removes a merge request with its ref; its pipelines stay.
func (c *Coordinator) DeleteMergeRequest(ctx context.Context, by access.Actor, p *models.Project, mr *models.MergeRequest) error {
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteMergeRequest(mr.ID); err != nil {
			return err
		}
		return audit(tx, by, "merge_request_deleted", "project", p.ID, fmt.Sprint("!", mr.IID))
	})
	if err != nil {
		return err
	}
	return c.point(ctx, p, mr, gitrepo.ZeroSHA)
}

// point lets the ref of a merge request follow its head. Somebody else may be doing the same.
func (c *Coordinator) point(ctx context.Context, p *models.Project, mr *models.MergeRequest, sha string) error {
	repo := c.Repo(p)
	for attempt := 0; ; attempt++ {
		old, err := repo.Resolve(ctx, mr.RefPath())
		if errors.Is(err, gitrepo.ErrNotFound) {
			old, err = gitrepo.ZeroSHA, nil
		}
		if err != nil || old == sha {
			return err
		}
		if err = repo.UpdateRef(ctx, mr.RefPath(), old, sha); !errors.Is(err, gitrepo.ErrMoved) || attempt == 4 {
			return err
		}
	}
}

// runMergeRequest brings an open merge request up to date; of one that has ended it stops what its pipelines deployed.
func (c *Coordinator) runMergeRequest(ctx context.Context, t *models.Task) error {
	var task mergeRequestTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload of a merge request: %w", err)
	}
	var mr *models.MergeRequest
	var p *models.Project
	var user *models.User // nil if unknown by now
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if mr, err = tx.MergeRequestByID(task.ID); err != nil {
			return err
		}
		if p, err = tx.Project(mr.ProjectID); err != nil {
			return err
		}
		if task.User != 0 {
			known, err := tx.User(task.User)
			if err == nil {
				user = known
			}
			return notThere(err)
		}
		return nil
	})
	if err != nil {
		return notThere(err)
	}
	if mr.State != models.MergeRequestOpened {
		return errors.Join(c.stopForBranch(ctx, p, mr.RefPath(), user), c.unlock(ctx, p.ID, mr.RefPath(), false, 0))
	}
	return c.follow(ctx, p, mr, user, PushOptions{}, task.Again)
}

// follow notes the version that a merge request has now, and makes the pipeline of a head that had none yet by the same key.
func (c *Coordinator) follow(ctx context.Context, p *models.Project, mr *models.MergeRequest, u *models.User, o PushOptions, again string) error {
	diff, err := c.noteVersion(ctx, p, mr, access.Actor{User: u}.ID())
	if err != nil || diff == nil || diff.Empty() || o.None {
		return err
	}
	_, err = c.CreatePipeline(ctx, PipelineRequest{
		Project: p, Actor: access.Actor{User: u}, Source: enum.SourceMergeRequest, MergeRequest: mr, SHA: diff.HeadSHA,
		Variables: o.Variables, Inputs: o.Inputs, Skip: o.Skip, Key: fmt.Sprintf("%s:%d:%s%s", TaskMergeRequest, mr.ID, diff.HeadSHA, again),
	})
	var refused *plan.Refusal
	if errors.As(err, &refused) || fault.KindOf(err) != fault.Internal {
		c.log.InfoContext(ctx, "a merge request got no pipeline", "project", p.FullPath, "merge request", mr.IID, "reason", err)
		return nil
	}
	return err
}

// noteVersion stores the version that a merge request has now; nil if one of its branches is gone. Somebody who saw an older
// head may store it after a newer one: whoever is last looks once more.
func (c *Coordinator) noteVersion(ctx context.Context, p *models.Project, mr *models.MergeRequest, by int64) (diff *models.MergeRequestDiff, err error) {
	for range 5 {
		if diff, err = c.noteOnce(ctx, p, mr, by); err != nil || diff == nil {
			return diff, err
		}
		head, err := c.Repo(p).Resolve(ctx, "refs/heads/"+mr.SourceBranch)
		if errors.Is(err, gitrepo.ErrNotFound) || err == nil && head == diff.HeadSHA {
			return diff, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return diff, nil // pushes that come all the time note their heads themselves
}

func (c *Coordinator) noteOnce(ctx context.Context, p *models.Project, mr *models.MergeRequest, by int64) (*models.MergeRequestDiff, error) {
	diff, err := c.versionOf(ctx, p, mr)
	if fault.KindOf(err) == fault.Invalid {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.point(ctx, p, mr, diff.HeadSHA); err != nil {
		return nil, err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if _, err := tx.LockMergeRequest(mr.ID); err != nil {
			return err
		}
		diff.ID = 0
		newest, err := tx.MergeRequestDiff(mr.ID, "")
		if notThere(err) != nil {
			return err
		}
		if err == nil && newest.HeadSHA != diff.HeadSHA {
			if err := c.tellMergeRequest(tx, by, nil, mr, actionUpdate, newest.HeadSHA); err != nil {
				return err
			}
		}
		return tx.AddMergeRequestDiff(diff)
	})
	return diff, err
}

// RunMergeRequest makes another pipeline of a merge request; nil if there is nothing to merge.
func (c *Coordinator) RunMergeRequest(ctx context.Context, by access.Actor, p *models.Project, mr *models.MergeRequest) (*models.Pipeline, error) {
	diff, err := c.noteVersion(ctx, p, mr, by.ID())
	if err != nil || diff == nil || diff.Empty() {
		return nil, err
	}
	return c.CreatePipeline(ctx, PipelineRequest{Project: p, Actor: by, Source: enum.SourceMergeRequest, MergeRequest: mr, SHA: diff.HeadSHA})
}
