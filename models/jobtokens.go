package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/internal/secret"
)

// JobTokenScope lets the jobs of another project, or of all projects in a group, reach a project with their tokens.
type JobTokenScope struct {
	ProjectID int64  `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"` // project or group
	SourceID  int64  `gorm:"primaryKey"`
	CreatedAt time.Time
}

// AllowJobTokens stores a scope; one that is there stays.
func (tx *Tx) AllowJobTokens(s *JobTokenScope) error {
	s.CreatedAt = tx.now()
	return tx.db.Clauses(clause.OnConflict{DoNothing: true}).Create(s).Error
}

// DenyJobTokens removes a scope; false if there was none.
func (tx *Tx) DenyJobTokens(projectID int64, kind string, sourceID int64) (bool, error) {
	res := tx.db.Where("project_id = ? AND kind = ? AND source_id = ?", projectID, kind, sourceID).Delete(&JobTokenScope{})
	return res.RowsAffected == 1, res.Error
}

// JobTokenSources lists the ids of the projects, or groups, that a project lets in: at most a few hundred.
func (tx *Tx) JobTokenSources(projectID int64, kind string) ([]int64, error) {
	var ids []int64
	err := tx.db.Model(&JobTokenScope{}).Where("project_id = ? AND kind = ?", projectID, kind).Order("source_id").Limit(1000).Pluck("source_id", &ids).Error
	return ids, err
}

// JobTokensAllowed says whether jobs of one project may reach another.
func (tx *Tx) JobTokensAllowed(projectID, sourceID int64) (bool, error) {
	source, err := tx.Project(sourceID)
	if err != nil {
		return false, err
	}
	groups, err := tx.NamespacePath(source)
	if err != nil {
		return false, err
	}
	return some(tx.db.Model(&JobTokenScope{}).Where("project_id = ? AND (kind = 'project' AND source_id = ? OR kind = 'group' AND source_id IN ?)", projectID, sourceID, groups))
}

// SigningKey is a private key of the instance.
type SigningKey struct {
	Name string `gorm:"primaryKey"`
	Key  secret.Sealed
}

// SigningKey finds a key by its name.
func (tx *Tx) SigningKey(name string) (*SigningKey, error) {
	return first[SigningKey](tx.db.Where("name = ?", name))
}

// AddSigningKey stores a key; ErrDuplicate if there is one of the name.
func (tx *Tx) AddSigningKey(k *SigningKey) error { return translate(tx.db.Create(k).Error) }
