package ci

import (
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

func (t *telling) job() (object, error) {
	var out object
	var p *models.Pipeline
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		j, err := tx.Job(t.h.ID)
		if err != nil {
			return err
		}
		if p, err = tx.Pipeline(j.PipelineID); err != nil {
			return err
		}
		status := j.Status
		if t.h.Status != "" {
			status = t.h.Status
		}
		if err := t.around(tx, []*models.Job{j}); err != nil {
			return err
		}
		retries, err := tx.Attempts(p.ID, j.Name)
		if err != nil {
			return err
		}
		user, err := t.user(tx, j.UserID)
		if err != nil {
			return err
		}
		reason := j.FailureReason
		if reason == "" {
			reason = enum.UnknownFailure
		}
		out = object{
			"object_kind": "build", "ref": p.Ref, "tag": p.Tag, "before_sha": p.BeforeSHA, "sha": p.SHA, "retries_count": retries,
			"build_id": j.ID, "build_name": j.Name, "build_stage": j.Stage, "build_status": status,
			"build_created_at": hookTime(&j.CreatedAt), "build_started_at": hookTime(j.StartedAt), "build_finished_at": hookTime(j.FinishedAt),
			"build_created_at_iso": isoTime(&j.CreatedAt), "build_started_at_iso": isoTime(j.StartedAt), "build_finished_at_iso": isoTime(j.FinishedAt),
			"build_duration": t.lasted(j.StartedAt, j.FinishedAt), "build_queued_duration": t.lasted(j.QueuedAt, j.StartedAt),
			"build_allow_failure": j.AllowFailure, "build_failure_reason": reason, "pipeline_id": p.ID, "runner": t.runner(j.RunnerID),
			"project_id": t.project.ID, "project_name": t.spaces + " / " + t.project.Name, "user": user,
			"repository": t.repository("git_http_url", "git_ssh_url", "visibility_level"),
			"project":    t.theProject(), "environment": nil,
		}
		if place := t.place(j); place != nil {
			delete(place, "deployment_tier")
			out["environment"] = place
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
	out["commit"], err = t.jobCommit(p)
	return out, err
}

// jobCommit is the pipeline of a job with its commit; GitLab calls it a commit, and its id is the pipeline's.
func (t *telling) jobCommit(p *models.Pipeline) (object, error) {
	out := object{
		"id": p.ID, "name": orNull(p.Name), "sha": p.SHA, "message": p.CommitTitle, "author_name": "", "author_email": "", "author_url": "", "status": p.Status,
		"duration": p.Duration, "started_at": hookTime(p.StartedAt), "finished_at": hookTime(p.FinishedAt),
		"started_at_iso": isoTime(p.StartedAt), "finished_at_iso": isoTime(p.FinishedAt),
	}
	k, _, err := t.commit(p.SHA)
	if err != nil || k == nil {
		return out, err
	}
	out["message"], out["author_name"], out["author_email"], out["author_url"] = k.Message, k.Author.Name, k.Author.Email, "mailto:"+k.Author.Email
	if !strings.Contains(k.Author.Email, "@") {
		return out, nil
	}
	err = t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		u, err := tx.UserByLogin(k.Author.Email)
		if err == nil {
			out["author_url"] = t.c.settings.URL + "/" + u.Username
		}
		return notThere(err)
	})
	return out, err
}
