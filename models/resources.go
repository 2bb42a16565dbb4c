package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/models/enum"
)

// ResourceGroup lets one job of a project at a time do something, such as a deployment.
type ResourceGroup struct {
	ID          int64
	ProjectID   int64
	Key         string
	ProcessMode enum.ProcessMode
	HolderID    *int64 // the job that has the resource
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// EnsureResourceGroup finds the group of a key, or makes it with the given mode.
func (tx *Tx) EnsureResourceGroup(projectID int64, key string, mode enum.ProcessMode) (*ResourceGroup, error) {
	row := &ResourceGroup{ProjectID: projectID, Key: key, ProcessMode: mode, CreatedAt: tx.now(), UpdatedAt: tx.now()}
	if err := tx.db.Clauses(clause.OnConflict{DoNothing: true}).Create(row).Error; err != nil {
		return nil, err
	}
	return tx.ResourceGroupByKey(projectID, key)
}

// ResourceGroup finds a group by id.
func (tx *Tx) ResourceGroup(id int64) (*ResourceGroup, error) {
	return first[ResourceGroup](tx.db.Where("id = ?", id))
}

// ResourceGroupByKey finds a project's group.
func (tx *Tx) ResourceGroupByKey(projectID int64, key string) (*ResourceGroup, error) {
	return first[ResourceGroup](tx.db.Where("project_id = ? AND key = ?", projectID, key))
}

// ResourceGroups pages through a project's groups.
func (tx *Tx) ResourceGroups(projectID int64, p Page) ([]*ResourceGroup, int64, error) {
	return list[ResourceGroup](tx.db.Model(&ResourceGroup{}).Where("project_id = ?", projectID), "id", p)
}

// SetProcessMode stores in which order a group's jobs go.
func (tx *Tx) SetProcessMode(g *ResourceGroup, mode enum.ProcessMode) error {
	g.ProcessMode, g.UpdatedAt = mode, tx.now()
	return tx.db.Model(g).Select("process_mode", "updated_at").Updates(g).Error
}

// HoldResource gives a free resource to a job; false if it is not free.
func (tx *Tx) HoldResource(groupID, jobID int64) (bool, error) {
	res := tx.db.Model(&ResourceGroup{}).Where("id = ? AND holder_id IS NULL", groupID).Update("holder_id", jobID)
	return res.RowsAffected == 1, res.Error
}

// ReleaseResource takes the resource back from a job that may have it.
func (tx *Tx) ReleaseResource(groupID, jobID int64) error {
	return tx.db.Model(&ResourceGroup{}).Where("id = ? AND holder_id = ?", groupID, jobID).Update("holder_id", nil).Error
}

// The queries below name the statuses as the index of jobs in resource groups does, so that both databases use it:
// they cost what waits, not what has ever run.
const (
	coming  = "resource_group_id = ? AND status IN ('created', 'scheduled', 'waiting_for_resource') AND retried = ?"
	waiting = "resource_group_id = ? AND status IN ('created', 'scheduled', 'waiting_for_resource') AND status = 'waiting_for_resource' AND retried = ?"
)

// UpcomingJobs lists the jobs of a group that want its resource, the next ones first.
func (tx *Tx) UpcomingJobs(g *ResourceGroup, limit int) ([]*Job, error) {
	scope, order := waiting, "pipeline_id, id"
	switch g.ProcessMode {
	case enum.OldestFirst:
		scope, order = coming, "pipeline_id, CASE status WHEN 'waiting_for_resource' THEN 0 ELSE 1 END, id"
	case enum.NewestFirst:
		scope, order = coming, "pipeline_id DESC, CASE status WHEN 'waiting_for_resource' THEN 0 ELSE 1 END, id DESC"
	case enum.NewestReadyFirst:
		order = "pipeline_id DESC, id DESC"
	}
	var rows []*Job
	err := tx.db.Where(scope, g.ID, false).Order(order).Limit(limit).Find(&rows).Error
	return rows, err
}

// IdleResourceGroups lists free groups that a job waits for, in any order, so that each has its turn. It costs what waits.
func (tx *Tx) IdleResourceGroups(limit int) ([]int64, error) {
	var ids []int64
	err := tx.db.Raw(`SELECT j.resource_group_id FROM jobs j JOIN resource_groups g ON g.id = j.resource_group_id
		WHERE j.resource_group_id IS NOT NULL AND j.status IN ('created', 'scheduled', 'waiting_for_resource')
		AND j.status = 'waiting_for_resource' AND g.holder_id IS NULL GROUP BY j.resource_group_id ORDER BY RANDOM() LIMIT ?`, limit).Scan(&ids).Error
	return ids, err
}
