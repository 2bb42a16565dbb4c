package models

import (
	"strings"
	"time"

	"signalbox/models/enum"
)

const (
	keptDeliveries = 50        // of an integration
	keptPosts      = 30        // of a command
	deliveryLump   = time.Hour // requests that nobody could prove make one entry in this time
	deliveryText   = 1000      // bytes that are kept of a text
)

// ChatDelivery is a request of a chat to an integration, and what was decided of it. It holds nothing secret.
type ChatDelivery struct {
	ID            int64
	IntegrationID int64
	CommandID     *int64
	Kind          enum.DeliveryKind
	Verdict       enum.Verdict
	Reason        string
	Status        int // of the HTTP answer
	ChatUserID    string
	ChatUserName  string
	Text          string
	Times         int64 // how many there were that differ in nothing
	CreatedAt     time.Time
	LastAt        time.Time
}

// ChatPost is a try to send something of a command to its chat, or several in a row that ended alike.
type ChatPost struct {
	ID        int64
	CommandID int64
	Kind      enum.PostKind
	Via       string // the response address or the bot
	Outcome   enum.PostOutcome
	Detail    string
	Times     int64
	CreatedAt time.Time
	LastAt    time.Time
}

// AddChatDelivery notes a request. Of an integration's the last ones are kept, and those that came to nothing are counted in one
// entry for a while, so that strangers push nothing out.
func (tx *Tx) AddChatDelivery(d *ChatDelivery) error {
	d.ID, d.CreatedAt, d.LastAt, d.Times = 0, tx.now(), tx.now(), max(1, d.Times)
	d.Text, d.ChatUserID, d.ChatUserName = cutText(d.Text, deliveryText), cutText(d.ChatUserID, 100), cutText(d.ChatUserName, 100)
	if d.CommandID == nil {
		res := tx.db.Exec(`UPDATE chat_deliveries SET times = times + ?, last_at = ?, chat_user_id = ?, chat_user_name = ?, text = ?, status = ?
			WHERE id = (SELECT max(id) FROM chat_deliveries WHERE integration_id = ? AND kind = ? AND verdict = ? AND reason = ? AND command_id IS NULL AND created_at > ?)`,
			d.Times, d.LastAt, d.ChatUserID, d.ChatUserName, d.Text, d.Status, d.IntegrationID, d.Kind, d.Verdict, d.Reason, tx.now().Add(-deliveryLump))
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
	}
	if err := tx.db.Create(d).Error; err != nil {
		return err
	}
	return tx.db.Exec(`DELETE FROM chat_deliveries WHERE integration_id = ? AND id <= (
		SELECT id FROM chat_deliveries WHERE integration_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, d.IntegrationID, d.IntegrationID, keptDeliveries).Error
}

// cutText is the beginning of a text in a form that every database takes.
func cutText(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// ChatDeliveries pages through what is noted of an integration, newest first.
func (tx *Tx) ChatDeliveries(integrationID int64, p Page) ([]*ChatDelivery, int64, error) {
	p.Descending = true
	return list[ChatDelivery](tx.db.Model(&ChatDelivery{}).Where("integration_id = ?", integrationID), "id", p)
}

// ChatDelivery finds a noted request.
func (tx *Tx) ChatDelivery(id int64) (*ChatDelivery, error) {
	return first[ChatDelivery](tx.db.Where("id = ?", id))
}

// CommandsByID finds commands, for lists.
func (tx *Tx) CommandsByID(ids []int64) (map[int64]*ChatCommand, error) {
	out := map[int64]*ChatCommand{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*ChatCommand
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, err
}

// AddChatPost notes a try to send something; one that ended as the one before is counted there.
func (tx *Tx) AddChatPost(p *ChatPost) error {
	p.Detail = cutText(p.Detail, deliveryText)
	last, err := first[ChatPost](tx.db.Where("command_id = ?", p.CommandID).Order("id DESC"))
	if err != nil && err != ErrNotFound {
		return err
	}
	if err == nil && last.Kind == p.Kind && last.Via == p.Via && last.Outcome == p.Outcome && last.Detail == p.Detail {
		return tx.db.Exec("UPDATE chat_posts SET times = times + 1, last_at = ? WHERE id = ?", tx.now(), last.ID).Error
	}
	p.ID, p.CreatedAt, p.LastAt, p.Times = 0, tx.now(), tx.now(), 1
	if err := tx.db.Create(p).Error; err != nil {
		return err
	}
	return tx.db.Exec(`DELETE FROM chat_posts WHERE command_id = ? AND id <= (
		SELECT id FROM chat_posts WHERE command_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, p.CommandID, p.CommandID, keptPosts).Error
}

// ChatPosts lists what was sent of commands, by command, oldest first.
func (tx *Tx) ChatPosts(commands []int64) (map[int64][]*ChatPost, error) {
	out := map[int64][]*ChatPost{}
	if len(commands) == 0 {
		return out, nil
	}
	var rows []*ChatPost
	err := tx.db.Where("command_id IN ?", commands).Order("id").Find(&rows).Error
	for _, r := range rows {
		out[r.CommandID] = append(out[r.CommandID], r)
	}
	return out, err
}
