package api

import (
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// mergeRequestEntity is a merge request as lists show it (facts: rest-api).
type mergeRequestEntity struct {
	ID                   int64                    `json:"id"`
	IID                  int64                    `json:"iid"`
	ProjectID            int64                    `json:"project_id"`
	Title                string                   `json:"title"`
	Description          string                   `json:"description"`
	State                models.MergeRequestState `json:"state"`
	CreatedAt            httpapi.Time             `json:"created_at"`
	UpdatedAt            httpapi.Time             `json:"updated_at"`
	MergedBy             *userBasic               `json:"merged_by"`
	MergeUser            *userBasic               `json:"merge_user"`
	MergedAt             *httpapi.Time            `json:"merged_at"`
	ClosedBy             *userBasic               `json:"closed_by"`
	ClosedAt             *httpapi.Time            `json:"closed_at"`
	TargetBranch         string                   `json:"target_branch"`
	SourceBranch         string                   `json:"source_branch"`
	Notes                int                      `json:"user_notes_count"`
	Upvotes              int                      `json:"upvotes"`
	Downvotes            int                      `json:"downvotes"`
	Author               *userBasic               `json:"author"`
	Assignees            []*userBasic             `json:"assignees"`
	Assignee             *userBasic               `json:"assignee"`
	Reviewers            []*userBasic             `json:"reviewers"`
	SourceProjectID      int64                    `json:"source_project_id"`
	TargetProjectID      int64                    `json:"target_project_id"`
	Labels               []string                 `json:"labels"`
	Draft                bool                     `json:"draft"`
	Imported             bool                     `json:"imported"`
	ImportedFrom         string                   `json:"imported_from"`
	WorkInProgress       bool                     `json:"work_in_progress"`
	Milestone            gin.H                    `json:"milestone"`
	WhenPipelineSucceeds bool                     `json:"merge_when_pipeline_succeeds"`
	MergeStatus          string                   `json:"merge_status"`
	DetailedMergeStatus  string                   `json:"detailed_merge_status"`
	SHA                  *string                  `json:"sha"`
	MergeCommit          *string                  `json:"merge_commit_sha"`
	SquashCommit         *string                  `json:"squash_commit_sha"`
	DiscussionLocked     *bool                    `json:"discussion_locked"`
	RemoveSource         *bool                    `json:"should_remove_source_branch"`
	ForceRemoveSource    *bool                    `json:"force_remove_source_branch"`
	Reference            string                   `json:"reference"`
	References           gin.H                    `json:"references"`
	WebURL               string                   `json:"web_url"`
	TimeStats            gin.H                    `json:"time_stats"`
	Squash               bool                     `json:"squash"`
	SquashOnMerge        bool                     `json:"squash_on_merge"`
	Tasks                gin.H                    `json:"task_completion_status"`
	HasConflicts         bool                     `json:"has_conflicts"`
	DiscussionsResolved  bool                     `json:"blocking_discussions_resolved"`
}

// mergeRequestDetail is one merge request, with its newest version and pipeline.
type mergeRequestDetail struct {
	mergeRequestEntity
	Subscribed   bool           `json:"subscribed"`
	Changes      *string        `json:"changes_count"`
	Pipeline     *pipelineBasic `json:"pipeline"`
	HeadPipeline any            `json:"head_pipeline"`
	DiffRefs     gin.H          `json:"diff_refs"`
	MergeError   *string        `json:"merge_error"`
	User         gin.H          `json:"user"`
}

// mergeRequests renders merge requests of one project: one query for their people, one for their heads.
func (s *Server) mergeRequests(tx *models.Tx, p *models.Project, rows []*models.MergeRequest) ([]mergeRequestEntity, error) {
	var ids, people []int64
	for _, mr := range rows {
		ids, people = append(ids, mr.ID), append(append(people, mr.AuthorID), mr.Assignees...)
		if mr.EndedByID != nil {
			people = append(people, *mr.EndedByID)
		}
	}
	users, err := tx.Users(people)
	if err != nil {
		return nil, err
	}
	diffs, err := tx.NewestMergeRequestDiffs(ids)
	if err != nil {
		return nil, err
	}
	return each(rows, func(mr *models.MergeRequest) mergeRequestEntity { return s.mergeRequestOf(p, mr, users, diffs[mr.ID]) }), nil
}

func (s *Server) mergeRequestOf(p *models.Project, mr *models.MergeRequest, users map[int64]*models.User, diff *models.MergeRequestDiff) mergeRequestEntity {
	short := fmt.Sprintf("!%d", mr.IID)
	e := mergeRequestEntity{
		ID: mr.ID, IID: mr.IID, ProjectID: p.ID, Title: mr.Title, Description: mr.Description, State: mr.State,
		CreatedAt: httpapi.Time(mr.CreatedAt), UpdatedAt: httpapi.Time(mr.UpdatedAt), MergedAt: httpapi.TimeOf(mr.MergedAt), ClosedAt: httpapi.TimeOf(mr.ClosedAt),
		TargetBranch: mr.TargetBranch, SourceBranch: mr.SourceBranch, Author: s.basic(users[mr.AuthorID]), Assignees: []*userBasic{}, Reviewers: []*userBasic{},
		SourceProjectID: p.ID, TargetProjectID: p.ID, Labels: mr.Labels, Draft: mr.Draft(), WorkInProgress: mr.Draft(), ImportedFrom: "none",
		MergeStatus: "can_be_merged", DetailedMergeStatus: "mergeable", Reference: short,
		References: gin.H{"short": short, "relative": short, "full": p.FullPath + short}, WebURL: s.ci.URL() + mergeRequestPath(p, mr.IID),
		TimeStats: gin.H{"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": nil, "human_total_time_spent": nil},
		Squash:    mr.Squash, SquashOnMerge: mr.Squash, Tasks: gin.H{"count": 0, "completed_count": 0}, DiscussionsResolved: true,
	}
	for _, id := range mr.Assignees {
		if u := users[id]; u != nil {
			e.Assignees = append(e.Assignees, s.basic(u))
		}
	}
	if len(e.Assignees) > 0 {
		e.Assignee = e.Assignees[0]
	}
	if mr.Milestone != "" {
		e.Milestone = gin.H{"title": mr.Milestone}
	}
	var ended *userBasic
	if mr.EndedByID != nil {
		ended = s.basic(users[*mr.EndedByID])
	}
	switch mr.State {
	case models.MergeRequestMerged:
		e.MergedBy, e.MergeUser, e.DetailedMergeStatus = ended, ended, "not_open"
	case models.MergeRequestClosed:
		e.ClosedBy, e.DetailedMergeStatus = ended, "not_open"
	default:
		if e.Draft {
			e.DetailedMergeStatus = "draft_status"
		}
	}
	if diff != nil {
		e.SHA = &diff.HeadSHA
	}
	return e
}

func (s *Server) mergeRequestDetail(c *call, mr *models.MergeRequest) (any, error) {
	var out mergeRequestDetail
	var newest *models.Pipeline
	err := c.read(func(tx *models.Tx) error {
		rows, err := s.mergeRequests(tx, c.project, []*models.MergeRequest{mr})
		if err != nil {
			return err
		}
		out = mergeRequestDetail{mergeRequestEntity: rows[0], User: gin.H{"can_merge": false}}
		diff, err := tx.MergeRequestDiff(mr.ID, "")
		if err == nil {
			out.DiffRefs = gin.H{"base_sha": diff.BaseSHA, "head_sha": diff.HeadSHA, "start_sha": diff.StartSHA}
		} else if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		if !access.Allowed(c.actor, access.ReadPipelines, c.subject) {
			return nil
		}
		pipelines, _, err := tx.MergeRequestPipelines(mr.ID, models.Page{PerPage: 1, Descending: true, Uncounted: true})
		if len(pipelines) > 0 {
			newest = pipelines[0]
		}
		return err
	})
	if err != nil || newest == nil {
		return out, err
	}
	basic := s.basicPipeline(newest, c.project)
	out.Pipeline = &basic
	out.HeadPipeline, err = s.detail(c, newest)
	return out, err
}
