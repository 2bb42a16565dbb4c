package ci

import (
	"context"
	"errors"
	"strings"

	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// maxPushedMergeRequests is how many merge requests of a branch a push looks at.
const maxPushedMergeRequests = 1000

// pushedMergeRequests lets merge requests follow a push: first their sources, then what was merged, then what lost its branch.
func (c *Coordinator) pushedMergeRequests(ctx context.Context, p *models.Project, u *models.User, push pushTask) error {
	var gone []string
	var moved []RefChange
	for _, ch := range push.Changes {
		branch, ok := strings.CutPrefix(ch.Ref, "refs/heads/")
		if !ok {
			continue
		}
		if ch.Deletes() {
			gone = append(gone, branch)
			continue
		}
		moved = append(moved, ch)
		rows, err := c.openFrom(ctx, p, branch)
		if err != nil {
			return err
		}
		for _, mr := range rows {
			if err := c.follow(ctx, p, mr, u, push.Options, ""); err != nil {
				return err
			}
		}
	}
	for _, ch := range moved {
		if err := c.mergedBy(ctx, p, u, ch); err != nil {
			return err
		}
	}
	for _, branch := range gone {
		_, err := c.Repo(p).Resolve(ctx, "refs/heads/"+branch)
		if !errors.Is(err, gitrepo.ErrNotFound) { // git did not take the push, or the branch is there again
			continue
		}
		rows, err := c.openFrom(ctx, p, branch)
		if err != nil {
			return err
		}
		for _, mr := range rows {
			if err := c.endMergeRequest(ctx, u, mr.ID, models.MergeRequestClosed); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Coordinator) openFrom(ctx context.Context, p *models.Project, branch string) (rows []*models.MergeRequest, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		rows, err = tx.OpenMergeRequestsFrom(p.ID, branch, maxPushedMergeRequests)
		return err
	})
	return rows, err
}

// mergedBy ends the merge requests whose heads a push brought into their target.
func (c *Coordinator) mergedBy(ctx context.Context, p *models.Project, u *models.User, ch RefChange) error {
	var rows []*models.MergeRequest
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		rows, err = tx.OpenMergeRequestsTo(p.ID, strings.TrimPrefix(ch.Ref, "refs/heads/"), maxPushedMergeRequests)
		return err
	})
	if err != nil || len(rows) == 0 || gitrepo.IsZero(ch.Old) {
		return err
	}
	refs := make([]string, len(rows))
	for i, mr := range rows {
		refs[i] = mr.RefPath()
	}
	repo := c.Repo(p)
	in, err := repo.MergedRefs(ctx, ch.New, refs)
	if err != nil || len(in) == 0 {
		return notThereYet(err)
	}
	before, err := repo.MergedRefs(ctx, ch.Old, refs)
	if err != nil {
		return notThereYet(err)
	}
	for _, mr := range rows {
		if in[mr.RefPath()] && !before[mr.RefPath()] {
			if err := c.endMergeRequest(ctx, u, mr.ID, models.MergeRequestMerged); err != nil {
				return err
			}
		}
	}
	return nil
}

// notThereYet passes over commits that git does not have: the push was not taken, or its history is gone.
func notThereYet(err error) error {
	if errors.Is(err, gitrepo.ErrNotFound) {
		return nil
	}
	return err
}

// endMergeRequest ends a merge request that is open.
func (c *Coordinator) endMergeRequest(ctx context.Context, by *models.User, id int64, st models.MergeRequestState) error {
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		mr, err := tx.LockMergeRequest(id)
		if err != nil || mr.State != models.MergeRequestOpened {
			return err
		}
		before := *mr
		mr.State = st
		return c.storeMergeRequest(tx, by.ID, &before, mr)
	})
	return notThere(err)
}
