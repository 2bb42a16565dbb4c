package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/models/enum"
)

// ChatRule says who may run jobs from chat, beside what their role allows, for the jobs whose name a pattern matches.
type ChatRule struct {
	ID              int64
	ProjectID       int64
	Pattern         string   // of the job's name; * stands for anything
	Channels        []string `gorm:"serializer:json"` // ids or names; empty: all
	Who             []Grant  `gorm:"serializer:json"` // empty: everybody whose role allows it
	Approvals       int      // of others
	CooldownSeconds int64
	CooldownOf      string // user or channel
	CreatedAt       time.Time
}

// ChatApproval is what somebody says of a command that waits for approval.
type ChatApproval struct {
	CommandID int64 `gorm:"primaryKey"`
	UserID    int64 `gorm:"primaryKey"`
	CreatedAt time.Time
}

// ChatRules lists the rules of a project. There are at most a hundred.
func (tx *Tx) ChatRules(projectID int64) ([]*ChatRule, error) {
	var rows []*ChatRule
	err := tx.db.Where("project_id = ?", projectID).Order("id").Find(&rows).Error
	return rows, err
}

// ChatRule finds a rule.
func (tx *Tx) ChatRule(id int64) (*ChatRule, error) {
	return first[ChatRule](tx.db.Where("id = ?", id))
}

// SaveChatRule stores a rule, new if its id is 0.
func (tx *Tx) SaveChatRule(r *ChatRule) error {
	if r.ID != 0 {
		return tx.db.Save(r).Error
	}
	r.CreatedAt = tx.now()
	return tx.db.Create(r).Error
}

// DeleteChatRule removes a rule.
func (tx *Tx) DeleteChatRule(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&ChatRule{}).Error
}

// ApproveCommand stores an approval and counts them; the second one of a user changes nothing.
func (tx *Tx) ApproveCommand(commandID, userID int64) error {
	a := &ChatApproval{CommandID: commandID, UserID: userID, CreatedAt: tx.now()}
	// Not an error that is passed over: PostgreSQL ends a transaction with its first one.
	return translate(tx.db.Clauses(clause.OnConflict{DoNothing: true}).Create(a).Error)
}

// ChatApprovals lists who approved a command.
func (tx *Tx) ChatApprovals(commandID int64) ([]*ChatApproval, error) {
	var rows []*ChatApproval
	err := tx.db.Where("command_id = ?", commandID).Order("created_at").Find(&rows).Error
	return rows, err
}

// LastChatRun is when a job of a name was last run from chat in a project by a user, or in a channel; nil if not since then.
// The index of a project's commands that ran jobs bounds what is read.
func (tx *Tx) LastChatRun(projectID int64, job string, user int64, channel string, since time.Time) (*time.Time, error) {
	q := tx.db.Model(&ChatCommand{}).Select("chat_commands.created_at").
		Joins("JOIN jobs ON jobs.id = chat_commands.job_id AND jobs.name = ?", job).
		Where("chat_commands.project_id = ? AND chat_commands.job_id IS NOT NULL AND chat_commands.created_at > ?", projectID, since)
	if user != 0 {
		q = q.Where("chat_commands.user_id = ?", user)
	} else {
		q = q.Where("chat_commands.channel_id = ?", channel)
	}
	var rows []ChatCommand
	if err := q.Order("chat_commands.id DESC").Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0].CreatedAt, nil
}

// WaitCommand moves a command on that waits for approval; false if it does not wait.
func (tx *Tx) WaitCommand(id int64, to enum.CommandState) (bool, error) {
	res := tx.db.Exec("UPDATE chat_commands SET state = ? WHERE id = ? AND state = ?", to, id, enum.CommandWaiting)
	return res.RowsAffected == 1, res.Error
}
