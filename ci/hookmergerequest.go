package ci

import (
	"slices"

	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// The actions of a merge request that webhooks are told of.
const (
	actionOpen   = "open"
	actionUpdate = "update"
	actionClose  = "close"
	actionReopen = "reopen"
	actionMerge  = "merge"
)

// change is how an attribute was and is; mergeRequestChanges names the attributes.
type change struct {
	Previous any `json:"previous"`
	Current  any `json:"current"`
}

// mergeRequestAction names what happened to a merge request that was another before; "" if nothing did.
func mergeRequestAction(before, mr *models.MergeRequest) string {
	switch {
	case mr.State == before.State:
		if len(mergeRequestChanges(before, mr)) == 0 {
			return ""
		}
		return actionUpdate
	case mr.State == models.MergeRequestMerged:
		return actionMerge
	case mr.State == models.MergeRequestClosed:
		return actionClose
	}
	return actionReopen
}

// mergeRequestChanges are the attributes of GitLab's list of safe ones that differ. When it changed is no change of its own.
func mergeRequestChanges(before, mr *models.MergeRequest) map[string]change {
	out := map[string]change{}
	note := func(name string, previous, current any) {
		if previous != current {
			out[name] = change{previous, current}
		}
	}
	note("title", before.Title, mr.Title)
	note("description", before.Description, mr.Description)
	note("target_branch", before.TargetBranch, mr.TargetBranch)
	note("draft", before.Draft(), mr.Draft())
	note("state_id", stateID(before.State), stateID(mr.State))
	if !slices.Equal(before.Labels, mr.Labels) {
		out["labels"] = change{before.Labels, mr.Labels}
	}
	if !slices.Equal(before.Assignees, mr.Assignees) {
		out["assignees"] = change{before.Assignees, mr.Assignees}
	}
	return out
}

func stateID(s models.MergeRequestState) int {
	return map[models.MergeRequestState]int{models.MergeRequestOpened: 1, models.MergeRequestClosed: 2, models.MergeRequestMerged: 3}[s]
}

// tellMergeRequest stores that something happened to a merge request; before is nil for a new one and for a new head.
func (c *Coordinator) tellMergeRequest(tx *models.Tx, by int64, before, mr *models.MergeRequest, action, oldHead string) error {
	h := happening{Event: MergeRequestEvents, Project: mr.ProjectID, ID: mr.ID, User: by, Action: action, OldHead: oldHead}
	if before != nil {
		h.Changes = mergeRequestChanges(before, mr)
	}
	return c.happens(tx, h)
}

// mergeRequestEvent is what is told of a merge request that was opened, changed, closed or merged.
func (t *telling) mergeRequestEvent() (object, error) {
	var mr *models.MergeRequest
	var diff *models.MergeRequestDiff
	var head any
	var user any
	assignees := []any{}
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if mr, err = tx.MergeRequestByID(t.h.ID); err != nil {
			return err
		}
		if diff, err = tx.MergeRequestDiff(mr.ID, ""); notThere(err) != nil {
			return err
		}
		newest, _, err := tx.MergeRequestPipelines(mr.ID, models.Page{PerPage: 1, Descending: true, Uncounted: true})
		if err != nil {
			return err
		}
		if len(newest) > 0 {
			head = newest[0].ID
		}
		if user, err = t.user(tx, t.h.User); err != nil {
			return err
		}
		assignees, err = t.usersOf(tx, mr.Assignees)
		return err
	})
	if err != nil {
		return nil, err
	}
	attributes := t.mergeRequestAttributes(mr)
	attributes["head_pipeline_id"] = head
	if diff != nil {
		if _, attributes["last_commit"], err = t.commit(diff.HeadSHA); err != nil {
			return nil, err
		}
	}
	changes, err := t.mergeRequestChanges()
	if err != nil {
		return nil, err
	}
	out := object{
		"object_kind": "merge_request", "event_type": "merge_request", "user": user, "project": t.oldProject(), "object_attributes": attributes,
		"labels": attributes["labels"], "changes": changes, "repository": t.repository(),
	}
	if len(assignees) > 0 {
		out["assignees"] = assignees
	}
	return out, nil
}

func (t *telling) usersOf(tx *models.Tx, ids []int64) ([]any, error) {
	out := []any{}
	for _, id := range ids {
		u, err := t.user(tx, id)
		if err != nil {
			return nil, err
		}
		if u != nil {
			out = append(out, u)
		}
	}
	return out, nil
}

// mergeRequestAttributes are all that GitLab tells of a merge request. Those of what signalbox has not, such as reviews and
// times that people spent, are as on a merge request where nobody used them.
func (t *telling) mergeRequestAttributes(mr *models.MergeRequest) object {
	var firstAssignee any
	if len(mr.Assignees) > 0 {
		firstAssignee = mr.Assignees[0]
	}
	var merger any
	if mr.State == models.MergeRequestMerged && mr.EndedByID != nil {
		merger = *mr.EndedByID
	}
	out := object{
		"id": mr.ID, "iid": mr.IID, "title": mr.Title, "description": mr.Description, "author_id": mr.AuthorID, "state": mr.State, "state_id": stateID(mr.State),
		"source_branch": mr.SourceBranch, "target_branch": mr.TargetBranch, "source_project_id": mr.ProjectID, "target_project_id": mr.ProjectID,
		"source": t.oldProject(), "target": t.oldProject(), "last_commit": nil, "url": t.web("/-/merge_requests/%d", mr.IID),
		"assignee_id": firstAssignee, "assignee_ids": append([]int64{}, mr.Assignees...), "reviewer_ids": []int64{}, "labels": t.labels(mr.Labels),
		"draft": mr.Draft(), "work_in_progress": mr.Draft(), "blocking_discussions_resolved": true, "first_contribution": false,
		"merge_status": "can_be_merged", "detailed_merge_status": detailedMergeStatus(mr), "merge_when_pipeline_succeeds": false,
		"merge_commit_sha": nil, "merge_error": nil, "merge_params": object{}, "merge_user_id": merger, "milestone_id": nil,
		"created_at": hookTime(&mr.CreatedAt), "updated_at": hookTime(&mr.UpdatedAt), "prepared_at": hookTime(&mr.CreatedAt),
		"last_edited_at": nil, "last_edited_by_id": nil, "updated_by_id": nil, "head_pipeline_id": nil,
		"time_estimate": 0, "total_time_spent": 0, "time_change": 0, "human_time_estimate": nil, "human_total_time_spent": nil, "human_time_change": nil,
		"action": t.h.Action,
	}
	if t.h.OldHead != "" && !gitrepo.IsZero(t.h.OldHead) {
		out["oldrev"] = t.h.OldHead
	}
	return out
}

// detailedMergeStatus says why a merge request cannot be merged, as far as that is known here.
func detailedMergeStatus(mr *models.MergeRequest) string {
	switch {
	case mr.State != models.MergeRequestOpened:
		return "not_open"
	case mr.Draft():
		return "draft_status"
	}
	return "mergeable"
}

// labels are the names of labels with the keys that a label has on GitLab; here they are names alone.
func (t *telling) labels(names []string) []object {
	out := []object{}
	for _, name := range names {
		out = append(out, object{
			"id": nil, "title": name, "color": nil, "project_id": t.project.ID, "created_at": nil, "updated_at": nil, "template": false,
			"description": nil, "type": "ProjectLabel", "group_id": nil,
		})
	}
	return out
}

// mergeRequestChanges shows labels and people among what changed as the rest of the payload does.
func (t *telling) mergeRequestChanges() (map[string]change, error) {
	out := map[string]change{}
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		for name, ch := range t.h.Changes {
			var shown [2]any
			for i, v := range []any{ch.Previous, ch.Current} {
				list, _ := v.([]any) // as read from JSON
				switch name {
				case "labels":
					shown[i] = t.labels(texts(list))
				case "assignees":
					var ids []int64
					for _, one := range list {
						if n, ok := one.(float64); ok {
							ids = append(ids, int64(n))
						}
					}
					people, err := t.usersOf(tx, ids)
					if err != nil {
						return err
					}
					shown[i] = people
				default:
					shown[i] = v
				}
			}
			out[name] = change{shown[0], shown[1]}
		}
		return nil
	})
	return out, err
}

func texts(list []any) []string {
	var out []string
	for _, one := range list {
		if s, ok := one.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
