package ci

import (
	"context"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// mayErase: maintainers, and developers their own jobs on refs that nobody protects.
func mayErase(a access.Actor, s access.Subject, j *models.Job, p *models.Pipeline) bool {
	return access.Allowed(a, access.EraseJob, s) && (s.Level >= enum.Maintainer || j.UserID == a.ID() && !p.Protected)
}

// EraseJob removes the log and the artifacts of a finished job.
func (c *Coordinator) EraseJob(ctx context.Context, a access.Actor, jobID int64) (job *models.Job, err error) {
	var artifacts []*models.Artifact
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if job, err = tx.Job(jobID); err != nil {
			return err
		}
		project, err := tx.Project(job.ProjectID)
		if err != nil {
			return err
		}
		subject, err := access.SubjectOf(tx, a, project)
		if err != nil {
			return err
		}
		p, err := tx.Pipeline(job.PipelineID)
		if err != nil {
			return err
		}
		if !mayErase(a, subject.On(p.Ref, p.Tag), job, p) {
			return errForbidden
		}
		if !job.Status.Completed() || job.ErasedAt != nil || job.Bridge || job.External {
			return fault.Refused(fault.Forbidden, "Job is not erasable!")
		}
		if artifacts, err = tx.Artifacts(jobID); err != nil {
			return err
		}
		var ids []int64
		for _, art := range artifacts {
			ids = append(ids, art.ID)
		}
		if err := tx.DeleteArtifacts(ids); err != nil {
			return err
		}
		if err := tx.EraseJob(jobID, a.User.ID); err != nil {
			return err
		}
		job, err = tx.Job(jobID)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, art := range artifacts {
		if err := c.blobs.Delete(ctx, art.BlobKey); err != nil {
			c.log.WarnContext(ctx, "artifact cannot be deleted", "key", art.BlobKey, "error", err)
		}
	}
	return job, c.traces.Delete(ctx, jobID)
}
