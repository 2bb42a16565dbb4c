package models

import (
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Task is a durable effect: it runs at least once after the transaction that stored it.
type Task struct {
	ID          int64
	Kind        string
	Key         *string // a second task of the same key is not stored
	Payload     string
	RunAt       time.Time
	Attempts    int // claims of it: whose claim is not the newest has lost it
	LockedUntil *time.Time
	LastError   string
	CreatedAt   time.Time
	Lane        Lane
	Share       string     // whose it is: of those with the same one only some run at a time; "": nobody's
	Failures    int        // runs that ended with an error
	Deaths      int        // runs whose node ended before them
	GaveUpAt    *time.Time // it is not run any more; nil: it is
	Unsure      bool       `gorm:"-"` // an earlier run may have done something without learning of it
}

// Lane is a part of the tasks behind which the others do not wait.
type Lane int16

// The lanes.
const (
	LaneInner    Lane = iota // what the coordinator does by itself
	LaneOutside              // calls of servers of others, which may take their time
	LaneCommands             // commands of chats, of which many may come at once
)

// unknown is until when a task is locked whose last run did not learn what it did. A run that never ended leaves a lock, too.
var unknown = time.Unix(0, 0).UTC()

// AddTask stores a task, to run now if RunAt is zero. A task of the same key is left as it is, unless it was given up: then
// it starts anew.
func (tx *Tx) AddTask(t *Task) error {
	t.CreatedAt = tx.now()
	if t.RunAt.IsZero() {
		t.RunAt = tx.now()
	}
	return tx.db.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "key"}},
		DoUpdates: clause.Assignments(map[string]any{
			"payload": t.Payload, "run_at": t.RunAt, "gave_up_at": nil, "failures": 0, "deaths": 0, "last_error": "",
		}),
		Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("tasks.gave_up_at IS NOT NULL")}},
	}).Create(t).Error
}

// HoldTask claims a task for longer; false if it was claimed anew by somebody else, or is done.
func (tx *Tx) HoldTask(t *Task, hold time.Duration) (bool, error) {
	now, err := tx.databaseTime()
	if err != nil {
		return false, err
	}
	res := tx.db.Model(&Task{}).Where("id = ? AND attempts = ?", t.ID, t.Attempts).Update("locked_until", now.Add(hold))
	return res.RowsAffected == 1, res.Error
}

// TasksLeft says whether a task is due or running; tests wait for that.
func (tx *Tx) TasksLeft() (bool, error) {
	return some(tx.db.Model(&Task{}).Where("run_at <= ?", tx.now()))
}

// TasksHeld says whether a task is claimed; tests wait for that.
func (tx *Tx) TasksHeld() (bool, error) {
	return some(tx.db.Model(&Task{}).Where("locked_until > ?", unknown))
}

// OpenTask finds a task that runs, or whose last run did not learn what it did.
func (tx *Tx) OpenTask(key string) (*Task, error) {
	return first[Task](tx.db.Where("key = ? AND locked_until IS NOT NULL", key))
}

// DoneTask removes a task that ran.
func (tx *Tx) DoneTask(id int64) error { return tx.db.Where("id = ?", id).Delete(&Task{}).Error }

// DeleteTaskByKey removes a task that is not wanted any more.
func (tx *Tx) DeleteTaskByKey(key string) error {
	return tx.db.Where("key = ?", key).Delete(&Task{}).Error
}

// DueNow lets a waiting task run at once.
func (tx *Tx) DueNow(key string) error {
	return tx.db.Model(&Task{}).Where("key = ? AND gave_up_at IS NULL", key).Update("run_at", tx.now()).Error
}

// ReplyNow lets the task that replies to the commands of a pipeline run at once.
func (tx *Tx) ReplyNow(pipelineID int64) error {
	return tx.db.Model(&Task{}).Where("kind = 'chat-reply' AND payload = ? AND gave_up_at IS NULL", fmt.Sprintf(`{"pipeline":%d}`, pipelineID)).Update("run_at", tx.now()).Error
}

// databaseTime is the clock that nodes share: PostgreSQL's own, or the one node's with SQLite.
func (tx *Tx) databaseTime() (time.Time, error) {
	if !tx.postgres {
		return tx.now(), nil
	}
	var now time.Time
	err := tx.db.Raw("SELECT clock_timestamp()").Scan(&now).Error
	return now.UTC(), err
}

// Lease is the right of one node to do something alone for a while.
type Lease struct {
	Name      string `gorm:"primaryKey"`
	Holder    string
	ExpiresAt time.Time
}

// TakeLease gives or extends a lease; false if another node holds it.
func (tx *Tx) TakeLease(name, holder string, hold time.Duration) (bool, error) {
	now, err := tx.databaseTime()
	if err != nil {
		return false, err
	}
	res := tx.db.Exec(`INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= ?`, name, holder, now.Add(hold), now)
	return res.RowsAffected == 1, res.Error
}

// LeaseFree says whether a lease is the holder's already, or nobody's.
func (tx *Tx) LeaseFree(name, holder string) (bool, error) {
	now, err := tx.databaseTime()
	if err != nil {
		return false, err
	}
	var taken int64
	err = tx.db.Model(&Lease{}).Where("name = ? AND holder <> ? AND expires_at > ?", name, holder, now).Count(&taken).Error
	return taken == 0, err
}

// GiveLease ends a lease if it is the holder's.
func (tx *Tx) GiveLease(name, holder string) error {
	return tx.db.Where("name = ? AND holder = ?", name, holder).Delete(&Lease{}).Error
}

// AuditEvent records who changed what that matters for security.
type AuditEvent struct {
	ID         int64
	UserID     *int64
	Action     string
	EntityType string
	EntityID   int64
	Details    string
	IPAddress  string
	CreatedAt  time.Time
}

// Audit stores an event.
func (tx *Tx) Audit(e *AuditEvent) error {
	e.CreatedAt = tx.now()
	return tx.db.Create(e).Error
}

// AuditFilter narrows a list of audit events; what is empty does not.
type AuditFilter struct {
	EntityType string
	EntityID   int64
	Created    TimeRange
}

// AuditEvents lists what happened, newest first.
func (tx *Tx) AuditEvents(f AuditFilter, p Page) ([]*AuditEvent, int64, error) {
	q := &query{tx.db.Model(&AuditEvent{})}
	if f.EntityType != "" {
		q.where("entity_type = ?", f.EntityType)
	}
	if f.EntityID != 0 {
		q.where("entity_id = ?", f.EntityID)
	}
	f.Created.where(q, "created_at")
	p.Descending = true
	return list[AuditEvent](q.db, "id", p)
}

// AuditEvent finds an event.
func (tx *Tx) AuditEvent(id int64) (*AuditEvent, error) {
	return first[AuditEvent](tx.db.Where("id = ?", id))
}

// Settings reads all settings whose names begin with a prefix.
func (tx *Tx) Settings(prefix string) (map[string]string, error) {
	var rows []*Setting
	err := tx.db.Where("key LIKE ? ESCAPE '!'", escapeLike(prefix)+"%").Limit(1000).Find(&rows).Error
	out := map[string]string{}
	for _, s := range rows {
		out[strings.TrimPrefix(s.Key, prefix)] = s.Value
	}
	return out, err
}

// Setting is a value of the whole instance.
type Setting struct {
	Key   string `gorm:"primaryKey"`
	Value string
}

// Setting reads a setting; "" if it was never set.
func (tx *Tx) Setting(key string) (string, error) {
	s, err := first[Setting](tx.db.Where("key = ?", key))
	if err == ErrNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.Value, nil
}

// SetSetting stores a setting.
func (tx *Tx) SetSetting(key, value string) error {
	return tx.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "key"}}, UpdateAll: true}).
		Create(&Setting{Key: key, Value: value}).Error
}

// Session is what a browser's cookie stands for.
type Session struct {
	TokenHash string `gorm:"primaryKey"`
	Data      []byte
	ExpiresAt time.Time
}

// Session finds a session that has not ended.
func (tx *Tx) Session(hash string) (*Session, error) {
	return first[Session](tx.db.Where("token_hash = ? AND expires_at > ?", hash, tx.now()))
}

// SaveSession creates or replaces a session.
func (tx *Tx) SaveSession(s *Session) error {
	return tx.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "token_hash"}}, UpdateAll: true}).Create(s).Error
}

// DeleteSession ends a session.
func (tx *Tx) DeleteSession(hash string) error {
	tx.noteAuthority(AuthorityChange{Kind: SessionAuthority, Hash: hash})
	return tx.db.Where("token_hash = ?", hash).Delete(&Session{}).Error
}

// Stale says whether there are sessions or one-time pages that have ended.
func (tx *Tx) Stale() (bool, error) {
	if stale, err := some(tx.db.Model(&Session{}).Where("expires_at <= ?", tx.now())); stale || err != nil {
		return stale, err
	}
	return some(tx.db.Model(&ChatLink{}).Where("expires_at <= ?", tx.now()))
}

// DeleteExpiredSessions removes sessions that have ended.
func (tx *Tx) DeleteExpiredSessions() error {
	return tx.db.Where("expires_at <= ?", tx.now()).Delete(&Session{}).Error
}
