package ci

import (
	"context"
	"errors"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// Whether somebody may read what a job left is answered here, for REST, pages, job tokens and chat: the functions of this
// file are the only ones that find an archive for a reader.

// ReadableArchive finds the archive of a job for somebody who may read it. It is a fault: NotFound if there is none or it
// has expired, Forbidden if it is not for them.
func (c *Coordinator) ReadableArchive(ctx context.Context, a access.Actor, s access.Subject, j *models.Job) (row *models.Artifact, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		row, err = archiveOf(tx, j.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if j.ProjectID != s.Project.ID || !access.ArtifactAllowed(a, s, row.Access) {
		return nil, errForbidden
	}
	return row, nil
}

// SharedArchive finds the archive of a job for what a chat shows to all in a channel, whoever they are: one that is kept
// for some is refused.
func (c *Coordinator) SharedArchive(ctx context.Context, jobID int64) (row *models.Artifact, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		row, err = archiveOf(tx, jobID)
		return err
	})
	if err == nil && row.Access != access.ArtifactsForAll {
		err = fault.New(fault.Forbidden, "the artifacts of this job are not for everybody (artifacts:access), so that nothing of them is shown in a chat")
	}
	return row, err
}

// DependencyArtifact finds the archive of a job for the token of a running job: one of the same project, or of one that
// lets the jobs of that project in and whose artifacts the job's user may read.
func (c *Coordinator) DependencyArtifact(ctx context.Context, reader *models.Job, producerID int64) (row *models.Artifact, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		producer, err := tx.Job(producerID)
		if err != nil {
			return missingArtifact(err)
		}
		user, err := tx.User(reader.UserID)
		if err != nil {
			return err
		}
		if err := jobMayFetch(tx, user, reader, producer.ProjectID); err != nil {
			return err
		}
		if row, err = archiveOf(tx, producerID); err != nil {
			return err
		}
		if producer.ProjectID != reader.ProjectID && row.Access != access.ArtifactsForAll {
			return errForbidden // only what everybody may read leaves its project
		}
		return nil
	})
	return row, err
}

// jobMayFetch asks whether a running job reads what the jobs of a project left. It acts as its user, within what the other
// project allows to job tokens.
func jobMayFetch(tx *models.Tx, user *models.User, reader *models.Job, projectID int64) error {
	if user.Blocked() {
		return errForbidden
	}
	if reader.ProjectID == projectID {
		return nil // what a pipeline makes is for its own jobs
	}
	project, err := tx.Project(projectID)
	if err != nil {
		return missingArtifact(err)
	}
	actor := access.Actor{User: user, Job: reader}
	subject, err := access.SubjectOf(tx, actor, project)
	if err == nil && !access.Allowed(actor, access.ReadArtifacts, subject) {
		err = errForbidden
	}
	return err
}

// archiveOf finds an archive that is still there.
func archiveOf(tx *models.Tx, jobID int64) (*models.Artifact, error) {
	row, err := tx.Artifact(jobID, "archive")
	if err == nil && row.Gone(tx.Now()) {
		err = models.ErrNotFound
	}
	return row, missingArtifact(err)
}

func missingArtifact(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return fault.Refused(fault.NotFound, "")
	}
	return err
}
