package models

import (
	"time"

	"signalbox/models/enum"
)

// CommandFilter narrows a list of commands; what is empty does not.
type CommandFilter struct {
	User    string // id or name of who gave it; in the chat, if that is nobody known
	Chat    enum.Chat
	Channel string // id or name
	State   enum.CommandState
	Search  string // in the text
	After   *time.Time
	Before  *time.Time
}

func (f CommandFilter) apply(q *query) {
	for _, text := range []*string{&f.User, &f.Channel, &f.Search, (*string)(&f.Chat), (*string)(&f.State)} {
		*text = cutText(*text, deliveryText)
	}
	if f.User != "" {
		q.where(`(user_id IN (SELECT id FROM users WHERE lower(username) = lower(?) OR CAST(id AS TEXT) = ?)
			OR user_id IS NULL AND (chat_user_id = ? OR lower(chat_user_name) = lower(?)))`, f.User, f.User, f.User, f.User)
	}
	if f.Chat != "" {
		q.where("chat = ?", f.Chat)
	}
	if f.Channel != "" {
		q.where("(channel_id = ? OR channel_name = ?)", f.Channel, f.Channel)
	}
	if f.State != "" {
		q.where("state = ?", f.State)
	}
	if f.Search != "" {
		q.contains(f.Search, "text")
	}
	if f.After != nil {
		q.where("created_at > ?", *f.After)
	}
	if f.Before != nil {
		q.where("created_at < ?", *f.Before)
	}
}

// FindCommands pages through those of a project's commands that a filter lets through, newest first.
func (tx *Tx) FindCommands(projectID int64, f CommandFilter, p Page) ([]*ChatCommand, int64, error) {
	q := &query{tx.db.Model(&ChatCommand{}).Where("project_id = ?", projectID)}
	f.apply(q)
	p.Descending = true
	return list[ChatCommand](q.db, "id", p)
}

// shortReply is how many characters of a reply lists of people and exports hold: their memory is bounded whatever jobs say.
const shortReply = 32 << 10

// shortened reads commands with the beginnings of their replies, and without what only their delivery needs.
func (q *query) shortened() {
	q.db = q.db.Select(`id, project_id, integration_id, chat, team_id, team_domain, channel_id, channel_name, thread, chat_user_id, chat_user_name, user_id, text, state,
		acknowledgement, in_channel, refusal, pipeline_id, job_id, message_id, rich, delivery_error, created_at, finished_at,
		substr(reply, 1, ?) AS reply, substr(private_reply, 1, ?) AS private_reply`, shortReply, shortReply)
}

// ShortCommands is FindCommands with the beginnings of replies alone, and without a total.
func (tx *Tx) ShortCommands(projectID int64, f CommandFilter, p Page) ([]*ChatCommand, error) {
	q := &query{tx.db.Model(&ChatCommand{}).Where("project_id = ?", projectID)}
	f.apply(q)
	q.shortened()
	var rows []*ChatCommand
	err := q.db.Order("id DESC").Limit(p.limit()).Offset(p.offset()).Find(&rows).Error
	return rows, err
}

// CommandStates reads of a project's newest commands how they stand; a reply that is there is "".
func (tx *Tx) CommandStates(projectID int64, limit int) ([]*ChatCommand, error) {
	var rows []*ChatCommand
	err := tx.db.Model(&ChatCommand{}).Where("project_id = ?", projectID).
		Select("id, project_id, state, job_id, delivery_error, CASE WHEN reply IS NULL THEN NULL ELSE '' END AS reply").
		Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// ExportCommands reads the next commands of an export, from the newest to the oldest; before is the id of the last one that was
// read, 0 at the beginning. Of replies it has the beginning.
func (tx *Tx) ExportCommands(projectID int64, f CommandFilter, before int64, limit int) ([]*ChatCommand, error) {
	q := &query{tx.db.Model(&ChatCommand{}).Where("project_id = ?", projectID)}
	f.apply(q)
	if before != 0 {
		q.where("id < ?", before)
	}
	var rows []*ChatCommand
	q.shortened()
	err := q.db.Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// ProjectsThatForgetCommands lists the projects that keep commands for a time.
func (tx *Tx) ProjectsThatForgetCommands() ([]*Project, error) {
	var rows []*Project
	err := tx.db.Where("settings LIKE ? AND pending_delete = ?", `%"keep_commands_days":%`, false).Limit(10_000).Find(&rows).Error
	return rows, err
}

// OldCommands lists commands that ended and were given before a time, the oldest first; of all projects if project is 0.
func (tx *Tx) OldCommands(projectID int64, before time.Time, limit int) ([]int64, error) {
	var ids []int64
	q := tx.db.Model(&ChatCommand{}).Where("created_at < ? AND state NOT IN ?", before, []enum.CommandState{enum.CommandAccepted, enum.CommandRunning})
	if projectID != 0 {
		q = q.Where("project_id = ?", projectID)
	}
	err := q.Order("created_at").Limit(limit).Pluck("id", &ids).Error
	return ids, err
}

// DeleteCommands removes commands with what is noted of them.
func (tx *Tx) DeleteCommands(ids []int64) error {
	return tx.db.Where("id IN ?", ids).Delete(&ChatCommand{}).Error
}

// ChatChannels lists the channels that commands of a project came from lately.
func (tx *Tx) ChatChannels(projectID int64) ([]string, error) {
	var names []string
	err := tx.db.Raw(`SELECT DISTINCT channel_name FROM (SELECT channel_name FROM chat_commands WHERE project_id = ? ORDER BY id DESC LIMIT 1000) AS lately
		WHERE channel_name <> '' ORDER BY channel_name LIMIT 100`, projectID).Scan(&names).Error
	return names, err
}
