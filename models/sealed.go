package models

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"signalbox/internal/secret"
)

// SealedSample is a sealed value and what it was sealed for.
type SealedSample struct {
	Place string
	Value secret.Sealed
}

// SealedSamples are some of the values that are sealed, of each kind whose place is known; few, because the key opens all or none.
// The schema may be that of an older version.
func (tx *Tx) SealedSamples() (out []SealedSample, err error) {
	const few = 5
	var variables []*Variable
	if err := tx.db.Where("value IS NOT NULL").Order("id").Limit(few).Find(&variables).Error; err != nil {
		return nil, err
	}
	for _, v := range variables {
		out = append(out, SealedSample{v.Place(), v.Value})
	}
	var ofPipelines []*PipelineVariable
	if err := tx.db.Where("value IS NOT NULL").Limit(few).Find(&ofPipelines).Error; err != nil {
		return nil, err
	}
	for _, v := range ofPipelines {
		out = append(out, SealedSample{v.Place(), v.Value})
	}
	if has, err := tx.hasTable("webhooks"); err != nil || !has {
		return out, err
	}
	var hooks []*Webhook
	if err := tx.db.Where("token IS NOT NULL").Order("id").Limit(few).Find(&hooks).Error; err != nil {
		return nil, err
	}
	for _, w := range hooks {
		out = append(out, SealedSample{w.Place("token"), w.Token})
	}
	return out, nil
}

// Used says whether somebody used this database before: there are users.
func (tx *Tx) Used() (bool, error) {
	if made, err := tx.Made(); err != nil || !made {
		return false, err
	}
	return some(tx.db.Model(&User{}))
}

// Made says whether the database has tables yet.
func (tx *Tx) Made() (bool, error) { return tx.hasTable("settings") }

func (tx *Tx) hasTable(name string) (has bool, err error) {
	query := "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)"
	if tx.postgres {
		query = "SELECT to_regclass(?) IS NOT NULL"
	}
	err = tx.db.Raw(query, name).Scan(&has).Error
	return has, err
}

// KeepSetting stores a setting unless it has a value, and gives the value that it has: the same to all nodes that ask at once.
func (tx *Tx) KeepSetting(key, value string) (string, error) {
	err := tx.db.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "key"}}, DoUpdates: clause.Assignments(map[string]any{"value": value}),
		Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("settings.value = ''")}},
	}).Create(&Setting{Key: key, Value: value}).Error
	if err != nil {
		return "", err
	}
	return tx.Setting(key)
}
