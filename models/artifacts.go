package models

import (
	"fmt"
	"time"

	"signalbox/internal/secret"
)

// Dotenv is what a job's dotenv report hands on to later jobs. It outlives the report's file.
type Dotenv struct {
	JobID     int64         `gorm:"primaryKey;autoIncrement:false"`
	Variables secret.Sealed // JSON
}

// Place is what the variables are sealed for.
func (d *Dotenv) Place() string { return fmt.Sprintf("dotenvs.variables/%d", d.JobID) }

// Artifact is a stored archive or report of a job. Its row exists only once its bytes are whole.
type Artifact struct {
	ID        int64
	JobID     int64
	ProjectID int64
	Type      string
	Format    string
	Filename  string
	Size      int64
	SHA256    string `gorm:"column:sha256"`
	BlobKey   string
	Access    string // all, developer, maintainer or none
	Locked    bool   // it is of a pipeline that is kept, whatever ExpireAt says
	ExpireAt  *time.Time
	CreatedAt time.Time
}

// Gone says whether an artifact's time is over.
func (a *Artifact) Gone(now time.Time) bool {
	return !a.Locked && a.ExpireAt != nil && now.After(*a.ExpireAt)
}

// LockedPipelines lists the pipelines of a ref whose artifacts are kept: those before one, or all if it is 0.
func (tx *Tx) LockedPipelines(projectID int64, ref string, tag bool, before int64, limit int) ([]*Pipeline, error) {
	q := tx.db.Where("project_id = ? AND ref = ? AND tag = ? AND locked", projectID, ref, tag)
	if before != 0 {
		q = q.Where("id < ?", before)
	}
	var rows []*Pipeline
	err := q.Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// UnlockPipeline lets the artifacts of a pipeline expire.
func (tx *Tx) UnlockPipeline(id int64) error {
	if err := tx.db.Model(&Pipeline{}).Where("id = ?", id).Update("locked", false).Error; err != nil {
		return err
	}
	return tx.db.Exec("UPDATE artifacts SET locked = ? WHERE locked AND job_id IN (SELECT id FROM jobs WHERE pipeline_id = ?)", false, id).Error
}

// CreateArtifact stores an artifact; ErrDuplicate if the job has one of the type.
func (tx *Tx) CreateArtifact(a *Artifact) error {
	a.CreatedAt = tx.now()
	if err := tx.db.Create(a).Error; err != nil {
		return translate(err)
	}
	if a.Type != "archive" && a.Type != "dotenv" {
		return nil
	}
	return tx.db.Model(&Job{}).Where("id = ?", a.JobID).Update("leaves", true).Error
}

// SetDotenv stores the variables that a job hands on.
func (tx *Tx) SetDotenv(d *Dotenv) error { return translate(tx.db.Create(d).Error) }

// Dotenvs lists the variables that jobs hand on, by the jobs' ids.
func (tx *Tx) Dotenvs(jobIDs ...int64) ([]*Dotenv, error) {
	var rows []*Dotenv
	err := tx.db.Where("job_id IN ?", jobIDs).Find(&rows).Error
	return rows, err
}

// Artifacts lists the artifacts of jobs.
func (tx *Tx) Artifacts(jobIDs ...int64) ([]*Artifact, error) {
	var rows []*Artifact
	err := tx.db.Where("job_id IN ?", jobIDs).Order("id").Find(&rows).Error
	return rows, err
}

// Reports lists the reports of a type that the latest attempts of a pipeline's jobs left.
func (tx *Tx) Reports(pipelineID int64, kind string, limit int) ([]*Artifact, error) {
	var rows []*Artifact
	jobs := tx.db.Model(&Job{}).Select("id").Where("pipeline_id = ? AND retried = ?", pipelineID, false)
	err := tx.db.Where("type = ? AND job_id IN (?)", kind, jobs).Order("job_id").Limit(limit).Find(&rows).Error
	return rows, err
}

// Artifact finds a job's artifact of a type.
func (tx *Tx) Artifact(jobID int64, kind string) (*Artifact, error) {
	return first[Artifact](tx.db.Where("job_id = ? AND type = ?", jobID, kind))
}

// ExpiredArtifacts lists artifacts whose time is over.
func (tx *Tx) ExpiredArtifacts(limit int) ([]*Artifact, error) {
	var rows []*Artifact
	err := tx.db.Where("NOT locked AND expire_at IS NOT NULL AND expire_at <= ?", tx.now()).Order("expire_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// KeepArtifacts lets the artifacts of a job stay, and says how many there are.
func (tx *Tx) KeepArtifacts(jobID int64) (int64, error) {
	res := tx.db.Model(&Artifact{}).Where("job_id = ?", jobID).Update("expire_at", nil)
	return res.RowsAffected, res.Error
}

// ProjectArtifacts lists artifacts of a project that are older than a time.
func (tx *Tx) ProjectArtifacts(projectID int64, before time.Time, limit int) ([]*Artifact, error) {
	var rows []*Artifact
	err := tx.db.Where("project_id = ? AND created_at <= ?", projectID, before).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// DeleteArtifacts removes rows; the caller removes the blobs after the commit.
func (tx *Tx) DeleteArtifacts(ids []int64) error {
	return tx.db.Where("id IN ?", ids).Delete(&Artifact{}).Error
}

// ArtifactsAfter lists artifacts that were stored before a time, by id, behind one.
func (tx *Tx) ArtifactsAfter(id int64, before time.Time, limit int) (rows []*Artifact, err error) {
	err = tx.db.Where("id > ? AND created_at < ?", id, before).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}
