package models

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"gorm.io/gorm/clause"
)

// MergeRequest is what signalbox knows of a merge request that lives elsewhere: enough for its pipelines. Both branches are of
// its project.
type MergeRequest struct {
	ID           int64
	ProjectID    int64
	IID          int64 `gorm:"column:iid"`
	AuthorID     int64
	SourceBranch string
	TargetBranch string
	Title        string
	Description  string
	State        MergeRequestState
	Labels       []string `gorm:"serializer:json"`
	Assignees    []int64  `gorm:"serializer:json"` // ids of users
	Milestone    string
	Squash       bool   // on merge
	EndedByID    *int64 // who merged or closed it
	MergedAt     *time.Time
	ClosedAt     *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// MergeRequestState says whether a merge request is still worked on.
type MergeRequestState string

// The states.
const (
	MergeRequestOpened MergeRequestState = "opened"
	MergeRequestClosed MergeRequestState = "closed"
	MergeRequestMerged MergeRequestState = "merged"
)

// MergeRequestDiff is one version of a merge request: what its source branch had when somebody pushed.
type MergeRequestDiff struct {
	ID             int64
	MergeRequestID int64
	HeadSHA        string `gorm:"column:head_sha"`
	BaseSHA        string `gorm:"column:base_sha"`  // where source and target part; the zero id if they have nothing in common
	StartSHA       string `gorm:"column:start_sha"` // the head of the target
	CreatedAt      time.Time
}

// Empty says that the source has nothing that the target has not.
func (d *MergeRequestDiff) Empty() bool { return d.HeadSHA == d.BaseSHA }

// RefPath is the ref that holds the newest commit of a merge request, and that its pipelines run on.
func (m *MergeRequest) RefPath() string { return fmt.Sprintf("refs/merge-requests/%d/head", m.IID) }

var draft = regexp.MustCompile(`(?i)\A(?:\[draft\]|\(draft\)|draft:)`)

// Draft says whether the title marks a merge request as unfinished, by the beginnings that GitLab knows.
func (m *MergeRequest) Draft() bool { return draft.MatchString(m.Title) }

// CreateMergeRequest stores a merge request; ErrDuplicate if its number is taken or the same branches have an open one.
func (tx *Tx) CreateMergeRequest(m *MergeRequest) error {
	m.CreatedAt, m.UpdatedAt = tx.now(), tx.now()
	return translate(tx.db.Create(m).Error)
}

// ReserveIID lets numbers of a kind begin behind a number that was given by hand.
func (tx *Tx) ReserveIID(projectID int64, kind string, iid int64) error {
	return tx.db.Exec(`INSERT INTO iids (project_id, kind, value) VALUES (?, ?, ?)
		ON CONFLICT (project_id, kind) DO UPDATE SET value = CASE WHEN iids.value < excluded.value THEN excluded.value ELSE iids.value END`,
		projectID, kind, iid).Error
}

// MergeRequest finds a merge request by its number in its project.
func (tx *Tx) MergeRequest(projectID, iid int64) (*MergeRequest, error) {
	return first[MergeRequest](tx.db.Where("project_id = ? AND iid = ?", projectID, iid))
}

// MergeRequestByID finds a merge request.
func (tx *Tx) MergeRequestByID(id int64) (*MergeRequest, error) {
	return first[MergeRequest](tx.db.Where("id = ?", id))
}

// LockMergeRequest finds a merge request and keeps others from changing it until the transaction ends.
func (tx *Tx) LockMergeRequest(id int64) (*MergeRequest, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return first[MergeRequest](q)
}

// UpdateMergeRequest stores what may change of a merge request; ErrDuplicate as for CreateMergeRequest.
func (tx *Tx) UpdateMergeRequest(m *MergeRequest) error {
	m.UpdatedAt = tx.now()
	return translate(tx.db.Model(m).Select("target_branch", "title", "description", "state", "labels", "assignees", "milestone", "squash",
		"ended_by_id", "merged_at", "closed_at", "updated_at").Updates(m).Error)
}

// DeleteMergeRequest removes a merge request; its pipelines stay.
func (tx *Tx) DeleteMergeRequest(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&MergeRequest{}).Error
}

// OpenMergeRequestsFrom lists the open merge requests of a source branch, newest first. An index of the open ones bounds the cost.
func (tx *Tx) OpenMergeRequestsFrom(projectID int64, branch string, limit int) ([]*MergeRequest, error) {
	var rows []*MergeRequest
	err := tx.db.Where("project_id = ? AND source_branch = ? AND state = 'opened'", projectID, branch).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// OpenMergeRequestsTo lists the open merge requests into a target branch, newest first.
func (tx *Tx) OpenMergeRequestsTo(projectID int64, branch string, limit int) ([]*MergeRequest, error) {
	var rows []*MergeRequest
	err := tx.db.Where("project_id = ? AND target_branch = ? AND state = 'opened'", projectID, branch).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// MergeRequestFilter says which merge requests are wanted; what is empty does not count.
type MergeRequestFilter struct {
	ProjectID int64
	AuthorID  int64
	State     MergeRequestState
	IIDs      []int64
	Source    string
	Target    string
	Search    string // in title and description
	Head      string // a commit that was its newest
}

// ListMergeRequests pages through merge requests.
func (tx *Tx) ListMergeRequests(f MergeRequestFilter, p Page) ([]*MergeRequest, int64, error) {
	q := &query{tx.db.Model(&MergeRequest{})}
	if f.ProjectID != 0 {
		q.where("project_id = ?", f.ProjectID)
	}
	if f.AuthorID != 0 {
		q.where("author_id = ?", f.AuthorID)
	}
	if f.State != "" {
		q.where("state = ?", f.State)
	}
	if len(f.IIDs) > 0 {
		q.where("iid IN ?", f.IIDs)
	}
	if f.Source != "" {
		q.where("source_branch = ?", f.Source)
	}
	if f.Target != "" {
		q.where("target_branch = ?", f.Target)
	}
	if f.Head != "" {
		q.where("id IN (SELECT merge_request_id FROM merge_request_diffs WHERE head_sha = ?)", f.Head)
	}
	if f.Search != "" {
		q.contains(f.Search, "title", "description")
	}
	return list[MergeRequest](q.db, "id", p)
}

// AddMergeRequestDiff stores a new version of a merge request, unless it is the newest one already.
func (tx *Tx) AddMergeRequestDiff(d *MergeRequestDiff) error {
	newest, err := tx.MergeRequestDiff(d.MergeRequestID, "")
	if err == nil && newest.HeadSHA == d.HeadSHA && newest.BaseSHA == d.BaseSHA {
		*d = *newest
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	d.CreatedAt = tx.now()
	return tx.db.Create(d).Error
}

// MergeRequestDiff finds the newest version of a merge request: of a head, or at all if that is "".
func (tx *Tx) MergeRequestDiff(mergeRequestID int64, head string) (*MergeRequestDiff, error) {
	q := tx.db.Where("merge_request_id = ?", mergeRequestID)
	if head != "" {
		q = q.Where("head_sha = ?", head)
	}
	return first[MergeRequestDiff](q.Order("id DESC"))
}

// NewestMergeRequestDiffs finds the newest version of each of some merge requests.
func (tx *Tx) NewestMergeRequestDiffs(ids []int64) (map[int64]*MergeRequestDiff, error) {
	out := map[int64]*MergeRequestDiff{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*MergeRequestDiff
	err := tx.db.Where("id IN (SELECT max(id) FROM merge_request_diffs WHERE merge_request_id IN ? GROUP BY merge_request_id)", ids).Find(&rows).Error
	for _, d := range rows {
		out[d.MergeRequestID] = d
	}
	return out, err
}

// MergeRequestDiffs pages through the versions of a merge request.
func (tx *Tx) MergeRequestDiffs(mergeRequestID int64, p Page) ([]*MergeRequestDiff, int64, error) {
	return list[MergeRequestDiff](tx.db.Model(&MergeRequestDiff{}).Where("merge_request_id = ?", mergeRequestID), "id", p)
}

// MergeRequestPipelines pages through the pipelines of a merge request, without their children.
func (tx *Tx) MergeRequestPipelines(mergeRequestID int64, p Page) ([]*Pipeline, int64, error) {
	return list[Pipeline](tx.db.Model(&Pipeline{}).Where("merge_request_id = ? AND source <> 'parent_pipeline'", mergeRequestID), "id", p)
}
