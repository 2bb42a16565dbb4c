package ci

import "signalbox/models"

func (t *telling) deployment() (object, error) {
	var d *models.Deployment
	var e *models.Environment
	var user any
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if d, err = tx.Deployment(t.h.ID); err != nil {
			return err
		}
		if e, err = tx.Environment(d.EnvironmentID); err != nil {
			return err
		}
		user, err = t.user(tx, d.UserID)
		return err
	})
	if err != nil {
		return nil, err
	}
	status := d.Status
	if t.h.Status != "" {
		status = t.h.Status
	}
	out := object{
		"object_kind": "deployment", "status": status, "status_changed_at": t.h.At.UTC().Format("2006-01-02 15:04:05 -0700"), "deployment_id": d.ID,
		"deployable_id": d.JobID, "deployable_url": nil, "environment": e.Name, "environment_tier": e.Tier, "environment_slug": e.Slug,
		"environment_external_url": orNull(e.ExternalURL), "project": t.oldProject(), "ref": d.Ref, "short_sha": d.SHA[:min(8, len(d.SHA))], "user": user,
		"user_url": nil, "commit_url": t.web("/-/commit/%s", d.SHA), "commit_title": nil,
	}
	if d.JobID != nil {
		out["deployable_url"] = t.web("/-/jobs/%d", *d.JobID)
	}
	if u := t.users[d.UserID]; u != nil {
		out["user_url"] = t.c.settings.URL + "/" + u.Username
	}
	k, _, err := t.commit(d.SHA)
	if k != nil {
		out["commit_title"] = hookTitle(k.Message)
	}
	return out, err
}
