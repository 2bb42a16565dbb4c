package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/models/enum"
)

// ProtectedEnvironment says who may deploy to an environment, and how many others have to approve.
type ProtectedEnvironment struct {
	ID                int64
	ProjectID         int64
	Name              string
	Deployers         []Grant `gorm:"serializer:json"`
	Approvers         []Grant `gorm:"serializer:json"` // empty: those who may deploy
	RequiredApprovals int
	CreatedAt         time.Time
}

// Grant names a role, a user or a group.
type Grant struct {
	ID          int64            `json:"id"`
	AccessLevel enum.AccessLevel `json:"access_level,omitempty"`
	UserID      int64            `json:"user_id,omitempty"`
	GroupID     int64            `json:"group_id,omitempty"`
}

// ProtectedEnvironment finds the protection of an environment by its name.
func (tx *Tx) ProtectedEnvironment(projectID int64, name string) (*ProtectedEnvironment, error) {
	return first[ProtectedEnvironment](tx.db.Where("project_id = ? AND name = ?", projectID, name))
}

// ProtectedEnvironmentByID finds a protection.
func (tx *Tx) ProtectedEnvironmentByID(id int64) (*ProtectedEnvironment, error) {
	return first[ProtectedEnvironment](tx.db.Where("id = ?", id))
}

// ProtectedEnvironments pages through a project's protected environments.
func (tx *Tx) ProtectedEnvironments(projectID int64, p Page) ([]*ProtectedEnvironment, int64, error) {
	return list[ProtectedEnvironment](tx.db.Model(&ProtectedEnvironment{}).Where("project_id = ?", projectID), "id", p)
}

// CreateProtectedEnvironment stores a protection; ErrDuplicate if the environment has one.
func (tx *Tx) CreateProtectedEnvironment(p *ProtectedEnvironment) error {
	p.CreatedAt = tx.now()
	return translate(tx.db.Create(p).Error)
}

// UpdateProtectedEnvironment stores all fields of p, which LockProtectedEnvironment gave in this transaction.
func (tx *Tx) UpdateProtectedEnvironment(p LockedProtectedEnvironment) error {
	return tx.store(p.in, p.ProtectedEnvironment, "protected environment", p.ID)
}

// DeleteProtectedEnvironment lets everybody deploy who may run jobs.
func (tx *Tx) DeleteProtectedEnvironment(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&ProtectedEnvironment{}).Error
}

// DeploymentApproval is what somebody says of a deployment that waits for approval.
type DeploymentApproval struct {
	DeploymentID int64  `gorm:"primaryKey;autoIncrement:false"`
	UserID       int64  `gorm:"primaryKey;autoIncrement:false"`
	Status       string // approved or rejected
	Comment      string
	CreatedAt    time.Time
}

// Approve stores what somebody says; it takes the place of what the same person said before.
func (tx *Tx) Approve(a *DeploymentApproval) error {
	a.CreatedAt = tx.now()
	return tx.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "deployment_id"}, {Name: "user_id"}}, UpdateAll: true}).Create(a).Error
}

// Approvals lists what was said of a deployment.
func (tx *Tx) Approvals(deploymentID int64) ([]*DeploymentApproval, error) {
	var rows []*DeploymentApproval
	err := tx.db.Where("deployment_id = ?", deploymentID).Order("created_at").Find(&rows).Error
	return rows, err
}
