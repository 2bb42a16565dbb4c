package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/models/enum"
)

// Environment is a place that jobs deploy to.
type Environment struct {
	ID              int64
	ProjectID       int64
	Name            string
	Slug            string
	ExternalURL     string `gorm:"column:external_url"`
	Tier            string
	Description     string
	State           string // available, stopping or stopped
	AutoStopSetting string // always, or with_action: only if there is a job that stops it
	AutoStopAt      *time.Time
	AutoDeleteAt    *time.Time // when it is deleted, if it is stopped then
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// The states of an environment.
const (
	Available = "available"
	Stopping  = "stopping"
	Stopped   = "stopped"
)

// Deployment is one go of bringing a commit to an environment.
type Deployment struct {
	ID            int64
	IID           int64 `gorm:"column:iid"`
	ProjectID     int64
	EnvironmentID int64
	JobID         *int64 // nil: somebody told of it through the API, or the job is deleted
	PipelineID    *int64
	UserID        int64
	Ref           string
	Tag           bool
	SHA           string `gorm:"column:sha"`
	Status        enum.Status
	OnStop        string // the job of the same pipeline that stops the environment
	CreatedAt     time.Time
	UpdatedAt     time.Time
	FinishedAt    *time.Time
}

// EnsureEnvironment finds the project's environment of e's name, or makes it as e.
func (tx *Tx) EnsureEnvironment(e *Environment) (*Environment, error) {
	found, err := tx.EnvironmentByName(e.ProjectID, e.Name)
	if err != ErrNotFound {
		return found, err
	}
	e.State, e.AutoStopSetting, e.CreatedAt, e.UpdatedAt = Available, "always", tx.now(), tx.now()
	if err := tx.db.Clauses(clause.OnConflict{DoNothing: true}).Create(e).Error; err != nil {
		return nil, err
	}
	return tx.EnvironmentByName(e.ProjectID, e.Name)
}

// CreateEnvironment stores a new environment; ErrDuplicate if the project has one of the name.
func (tx *Tx) CreateEnvironment(e *Environment) error {
	e.State, e.CreatedAt, e.UpdatedAt = Available, tx.now(), tx.now()
	return translate(tx.db.Create(e).Error)
}

// Environment finds an environment by id.
func (tx *Tx) Environment(id int64) (*Environment, error) {
	return first[Environment](tx.db.Where("id = ?", id))
}

// EnvironmentByName finds a project's environment by its name.
func (tx *Tx) EnvironmentByName(projectID int64, name string) (*Environment, error) {
	e, err := first[Environment](tx.db.Where("project_id = ? AND name = ?", projectID, name))
	return e, translate(err)
}

// EnvironmentFilter narrows a list of environments; what is empty does not.
type EnvironmentFilter struct{ Name, Search, State string }

// Environments pages through a project's environments, by name.
func (tx *Tx) Environments(projectID int64, f EnvironmentFilter, p Page) ([]*Environment, int64, error) {
	q := &query{tx.db.Model(&Environment{}).Where("project_id = ?", projectID)}
	if f.Name != "" {
		q.where("name = ?", f.Name)
	}
	if f.Search != "" {
		q.contains(f.Search, "name")
	}
	if f.State != "" {
		q.where("state = ?", f.State)
	}
	p.OrderBy = "name"
	return list[Environment](q.db, "id", p)
}

// EnvironmentsByID finds environments.
func (tx *Tx) EnvironmentsByID(ids []int64) (map[int64]*Environment, error) {
	out := map[int64]*Environment{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*Environment
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, e := range rows {
		out[e.ID] = e
	}
	return out, err
}

// UpdateEnvironment stores what people and deployments change of an environment, but not its state.
func (tx *Tx) UpdateEnvironment(e *Environment) error {
	e.UpdatedAt = tx.now()
	return translate(tx.db.Model(e).Select("external_url", "tier", "description", "auto_stop_setting", "auto_stop_at", "updated_at").Updates(e).Error)
}

// MoveEnvironment changes an environment's state if it is one of those given, and forgets when it was to be stopped.
func (tx *Tx) MoveEnvironment(id int64, to string, from ...string) error {
	return tx.db.Model(&Environment{}).Where("id = ? AND state IN ?", id, from).
		Updates(map[string]any{"state": to, "auto_stop_at": nil, "updated_at": tx.now()}).Error
}

// DeleteEnvironment removes an environment with its deployments.
func (tx *Tx) DeleteEnvironment(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Environment{}).Error
}

// EnvironmentsToStop lists environments whose time is over.
func (tx *Tx) EnvironmentsToStop(limit int) ([]*Environment, error) {
	var rows []*Environment
	err := tx.db.Where("auto_stop_at IS NOT NULL AND auto_stop_at <= ? AND state = ?", tx.now(), Available).Order("auto_stop_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// StopStale lets a project's available environments be stopped as if their time were over: those that were neither changed
// nor deployed to since a time, and are not protected.
func (tx *Tx) StopStale(projectID int64, before time.Time) error {
	return tx.db.Model(&Environment{}).Where(`project_id = ? AND state = ? AND updated_at < ?
		AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.environment_id = environments.id AND d.updated_at >= ?)
		AND name NOT IN (SELECT name FROM protected_environments WHERE project_id = ?)`, projectID, Available, before, before, projectID).
		UpdateColumn("auto_stop_at", tx.now()).Error
}

// StoppedReviewApps lists a project's stopped environments of the folder review that are older than a time and are not to
// be deleted yet, oldest first.
func (tx *Tx) StoppedReviewApps(projectID int64, before time.Time, limit int) ([]*Environment, error) {
	var rows []*Environment
	err := tx.db.Where("project_id = ? AND state = ? AND created_at < ? AND auto_delete_at IS NULL AND substr(name, 1, 7) = 'review/'",
		projectID, Stopped, before).Order("created_at, id").Limit(limit).Find(&rows).Error
	return rows, err
}

// DeleteEnvironmentsAt stores when stopped environments are to be deleted.
func (tx *Tx) DeleteEnvironmentsAt(ids []int64, at time.Time) error {
	return tx.db.Model(&Environment{}).Where("id IN ?", ids).UpdateColumn("auto_delete_at", at).Error
}

// EnvironmentsToDelete lists stopped environments that are to be deleted by now.
func (tx *Tx) EnvironmentsToDelete(limit int) ([]*Environment, error) {
	var rows []*Environment
	err := tx.db.Where("auto_delete_at IS NOT NULL AND auto_delete_at <= ? AND state = ?", tx.now(), Stopped).Order("auto_delete_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// CreateDeployment stores a deployment.
func (tx *Tx) CreateDeployment(d *Deployment) error {
	iid, err := tx.NextIID(d.ProjectID, "deployment")
	if err != nil {
		return err
	}
	d.IID, d.CreatedAt, d.UpdatedAt = iid, tx.now(), tx.now()
	return tx.db.Create(d).Error
}

// DeploymentOfJob finds the deployment of a job.
func (tx *Tx) DeploymentOfJob(jobID int64) (*Deployment, error) {
	return first[Deployment](tx.db.Where("job_id = ?", jobID))
}

// SetDeploymentStatus stores how a deployment is.
func (tx *Tx) SetDeploymentStatus(d *Deployment, st enum.Status) error {
	d.Status, d.UpdatedAt, d.FinishedAt = st, tx.now(), nil
	if st == enum.Success || st == enum.Failed || st == enum.Canceled {
		now := tx.now()
		d.FinishedAt = &now
	}
	return tx.db.Model(d).Select("status", "updated_at", "finished_at").Updates(d).Error
}

// LastDeployment finds the newest successful deployment of an environment.
func (tx *Tx) LastDeployment(environmentID int64) (*Deployment, error) {
	return first[Deployment](tx.db.Where("environment_id = ? AND status = 'success'", environmentID).Order("id DESC"))
}

// LastDeployments finds the newest successful deployments of environments, one short walk down an index for each.
func (tx *Tx) LastDeployments(environmentIDs []int64) (map[int64]*Deployment, error) {
	out := map[int64]*Deployment{}
	for _, id := range environmentIDs {
		d, err := tx.LastDeployment(id)
		if err == ErrNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[id] = d
	}
	return out, nil
}

// LastFinishedDeployments lists the deployments to an environment by the pipeline that finished one last.
func (tx *Tx) LastFinishedDeployments(environmentID int64) ([]*Deployment, error) {
	finished := []enum.Status{enum.Success, enum.Failed, enum.Canceled}
	last, err := first[Deployment](tx.db.Where("environment_id = ? AND status IN ? AND pipeline_id IS NOT NULL", environmentID, finished).Order("id DESC"))
	if err != nil {
		return nil, err
	}
	var rows []*Deployment
	err = tx.db.Where("pipeline_id = ? AND environment_id = ? AND status IN ?", *last.PipelineID, environmentID, finished).Order("id").Find(&rows).Error
	return rows, err
}

// EnvironmentsOfRef lists the available environments that a branch was deployed to last.
func (tx *Tx) EnvironmentsOfRef(projectID int64, ref string, limit int) ([]*Environment, error) {
	var ids []int64
	err := tx.db.Model(&Deployment{}).Where("project_id = ? AND ref = ? AND tag = ?", projectID, ref, false).
		Distinct("environment_id").Limit(limit).Pluck("environment_id", &ids).Error
	if err != nil {
		return nil, err
	}
	last, err := tx.LastDeployments(ids)
	if err != nil {
		return nil, err
	}
	var rows []*Environment
	for id, d := range last {
		if d.Ref != ref || d.Tag {
			continue
		}
		e, err := tx.Environment(id)
		if err != nil {
			return nil, err
		}
		if e.State == Available {
			rows = append(rows, e)
		}
	}
	return rows, nil
}

// DeploymentFilter narrows a list of deployments; what is empty does not.
type DeploymentFilter struct {
	EnvironmentID int64
	Status        enum.Status
	Updated       TimeRange
	Finished      TimeRange
}

// Deployments pages through a project's deployments.
func (tx *Tx) Deployments(projectID int64, f DeploymentFilter, p Page) ([]*Deployment, int64, error) {
	q := &query{tx.db.Model(&Deployment{}).Where("project_id = ?", projectID)}
	if f.EnvironmentID != 0 {
		q.where("environment_id = ?", f.EnvironmentID)
	}
	if f.Status != "" {
		q.where("status = ?", f.Status)
	}
	f.Updated.where(q, "updated_at")
	f.Finished.where(q, "finished_at")
	return list[Deployment](q.db, "id", p)
}

// Deployment finds a deployment by id.
func (tx *Tx) Deployment(id int64) (*Deployment, error) {
	return first[Deployment](tx.db.Where("id = ?", id))
}

// DeleteDeployment removes a deployment.
func (tx *Tx) DeleteDeployment(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Deployment{}).Error
}
