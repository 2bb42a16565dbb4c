package ci

import (
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

// detailed are the words that GitLab has for statuses of pipelines.
var detailed = map[enum.Status]string{
	enum.Success: "passed", enum.Manual: "waiting for manual action", enum.Scheduled: "waiting for delayed job",
	enum.WaitingForResource: "waiting for resource", enum.WaitingForCallback: "waiting for callback",
}

func (t *telling) pipeline() (object, error) {
	var out object
	var p *models.Pipeline
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if p, err = tx.Pipeline(t.h.ID); err != nil {
			return err
		}
		status := p.Status
		if t.h.Status != "" {
			status = t.h.Status
		}
		words := detailed[status]
		if words == "" {
			words = string(status)
		}
		jobs, err := tx.PipelineJobs(p.ID, false)
		if err != nil {
			return err
		}
		if err := t.around(tx, jobs); err != nil {
			return err
		}
		stages, builds := []string{}, []object{}
		for _, j := range jobs {
			if len(stages) == 0 || stages[len(stages)-1] != j.Stage {
				stages = append(stages, j.Stage)
			}
			if j.Bridge {
				continue
			}
			b, err := t.build(tx, j)
			if err != nil {
				return err
			}
			builds = append(builds, b)
		}
		given, err := t.c.pipelineVariables(tx, p.ID)
		if err != nil {
			return err
		}
		vars := []object{}
		for _, v := range given {
			vars = append(vars, object{"key": v.Key, "value": v.Value})
		}
		user, err := t.user(tx, p.UserID)
		if err != nil {
			return err
		}
		var waited any // nothing if it was less than a second
		if p.StartedAt != nil && p.StartedAt.Sub(p.CreatedAt) >= time.Second {
			waited = int64(p.StartedAt.Sub(p.CreatedAt) / time.Second)
		}
		out = object{
			"object_kind": "pipeline",
			"object_attributes": object{
				"id": p.ID, "iid": p.IID, "name": orNull(p.Name), "ref": p.Ref, "ref_status_name": p.Ref, "tag": p.Tag, "sha": p.SHA, "before_sha": p.BeforeSHA,
				"source": p.Source, "status": status, "detailed_status": words, "stages": stages, "created_at": hookTime(&p.CreatedAt),
				"finished_at": hookTime(p.FinishedAt), "duration": p.Duration, "queued_duration": waited, "protected_ref": p.Protected,
				"variables": vars, "url": t.web("/-/pipelines/%d", p.ID),
			},
			"merge_request": nil, "user": user, "project": t.theProject(), "builds": builds,
		}
		if id := p.MergeRequestID; id != nil {
			mr, err := tx.MergeRequestByID(*id)
			if err != nil {
				return err
			}
			out["merge_request"] = t.mergeRequest(mr)
			attributes := out["object_attributes"].(object)
			attributes["ref"], attributes["ref_status_name"] = mr.SourceBranch, mr.SourceBranch
		}
		up, err := t.upstream(tx, p)
		if up != nil {
			out["source_pipeline"] = up
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	_, out["commit"], err = t.commit(p.SHA)
	return out, err
}

// mergeRequest is what a pipeline's event says of the merge request that it is about.
func (t *telling) mergeRequest(mr *models.MergeRequest) object {
	return object{
		"id": mr.ID, "iid": mr.IID, "title": mr.Title, "source_branch": mr.SourceBranch, "source_project_id": mr.ProjectID,
		"target_branch": mr.TargetBranch, "target_project_id": mr.ProjectID, "state": mr.State, "merge_status": "can_be_merged",
		"detailed_merge_status": detailedMergeStatus(mr), "url": t.web("/-/merge_requests/%d", mr.IID),
	}
}

func (t *telling) build(tx *models.Tx, j *models.Job) (object, error) {
	user, err := t.user(tx, j.UserID)
	if err != nil {
		return nil, err
	}
	file := object{"filename": nil, "size": nil}
	if a := t.files[j.ID]; a != nil {
		file = object{"filename": a.Filename, "size": a.Size}
	}
	var reason any
	if j.Status == enum.Failed {
		reason = j.FailureReason
	}
	b := object{
		"id": j.ID, "stage": j.Stage, "name": j.Name, "status": j.Status, "created_at": hookTime(&j.CreatedAt), "started_at": hookTime(j.StartedAt),
		"finished_at": hookTime(j.FinishedAt), "duration": t.lasted(j.StartedAt, j.FinishedAt), "queued_duration": t.lasted(j.QueuedAt, j.StartedAt),
		"failure_reason": reason, "when": j.When, "manual": j.When == enum.WhenManual || j.When == enum.Delayed, "allow_failure": j.AllowFailure, "user": user,
		"runner": t.runner(j.RunnerID), "artifacts_file": file, "environment": nil,
	}
	if place := t.place(j); place != nil {
		b["environment"] = place
	}
	return b, nil
}
