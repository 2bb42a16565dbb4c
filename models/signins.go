package models

import (
	"time"

	"gorm.io/gorm/clause"
)

// SignInNetwork is a network from which somebody signed in with the right password.
type SignInNetwork struct {
	UserID  int64  `gorm:"primaryKey"`
	Network string `gorm:"primaryKey"`
	SeenAt  time.Time
}

// NoteSignInNetwork stores that somebody signed in from a network.
func (tx *Tx) NoteSignInNetwork(userID int64, network string) error {
	return tx.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}, {Name: "network"}}, UpdateAll: true}).
		Create(&SignInNetwork{UserID: userID, Network: network, SeenAt: tx.now()}).Error
}

// SignedInFrom says whether somebody signed in from a network since a time.
func (tx *Tx) SignedInFrom(userID int64, network string, since time.Time) (bool, error) {
	return some(tx.db.Model(&SignInNetwork{}).Where("user_id = ? AND network = ? AND seen_at > ?", userID, network, since))
}

// DeleteSignInNetworks removes at most limit networks that were not seen since a time.
func (tx *Tx) DeleteSignInNetworks(before time.Time, limit int) (int64, error) {
	old := tx.db.Model(&SignInNetwork{}).Select("network").Where("seen_at <= ?", before).Limit(limit)
	res := tx.db.Where("seen_at <= ? AND network IN (?)", before, old).Delete(&SignInNetwork{})
	return res.RowsAffected, res.Error
}
