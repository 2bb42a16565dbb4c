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
func (tx *Tx) Used() (bool, error) { return some(tx.db.Model(&User{})) }

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
