package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
)

// maxOpenMergeRequests is how many open merge requests of its branch a job is told, as on GitLab.
const maxOpenMergeRequests = 4

// openMergeRequests names the newest open merge requests of a branch in full.
func openMergeRequests(tx *models.Tx, p *models.Project, branch string) ([]string, error) {
	rows, err := tx.OpenMergeRequestsFrom(p.ID, branch, maxOpenMergeRequests)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, mr := range rows {
		out = append(out, fmt.Sprintf("%s!%d", p.FullPath, mr.IID))
	}
	return out, nil
}

// mergeRequestFacts reads what the variables of a merge request's pipeline are made of, with the version whose head it ran on.
func mergeRequestFacts(tx *models.Tx, mr *models.MergeRequest, sha string, rules []*models.ProtectedRef) (*variable.MergeRequest, *models.MergeRequestDiff, error) {
	people, err := tx.Users(mr.Assignees)
	if err != nil {
		return nil, nil, err
	}
	out := &variable.MergeRequest{
		ID: mr.ID, IID: mr.IID, RefPath: mr.RefPath(), SourceBranch: mr.SourceBranch, TargetBranch: mr.TargetBranch,
		SourceProtected: len(access.Matching(rules, mr.SourceBranch, false)) > 0,
		TargetProtected: len(access.Matching(rules, mr.TargetBranch, false)) > 0,
		Title:           mr.Title, Description: mr.Description, Milestone: mr.Milestone, Draft: mr.Draft(), Squash: mr.Squash, Labels: mr.Labels,
	}
	for _, id := range mr.Assignees {
		if u := people[id]; u != nil {
			out.Assignees = append(out.Assignees, u.Username)
		}
	}
	diff, err := tx.MergeRequestDiff(mr.ID, sha)
	if errors.Is(err, models.ErrNotFound) {
		return out, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	out.DiffID, out.DiffBase = diff.ID, diff.BaseSHA
	return out, diff, nil
}

// mergeRequests reads the merge request that the pipeline is about, and the open ones of its branch.
func (b *builder) mergeRequests(ctx context.Context) error {
	if b.tag {
		return nil
	}
	return b.c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if mr := b.r.MergeRequest; mr != nil {
			if b.merge, b.diff, err = mergeRequestFacts(tx, mr, b.ref.SHA, b.subject.Protected); err != nil {
				return err
			}
			if b.diff == nil {
				return fault.New(fault.Invalid, "Commit not found")
			}
		}
		b.opened, err = openMergeRequests(tx, b.r.Project, b.branch())
		return err
	})
}

// readMergeRequests reads the same for a job of a stored pipeline.
func (f *jobFacts) readMergeRequests(tx *models.Tx) error {
	if f.pipeline.Tag {
		return nil
	}
	if id := f.pipeline.MergeRequestID; id != nil {
		mr, err := tx.MergeRequestByID(*id)
		if err != nil {
			return err
		}
		rules, err := tx.ProtectedRefs(f.project.ID)
		if err != nil {
			return err
		}
		if f.merge, _, err = mergeRequestFacts(tx, mr, f.pipeline.SHA, rules); err != nil {
			return err
		}
	}
	var err error
	f.opened, err = openMergeRequests(tx, f.project, sourceRef(f.pipeline, f.merge))
	return err
}
