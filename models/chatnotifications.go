package models

import (
	"time"

	"signalbox/models/enum"
)

// ChatNotification tells a channel how pipelines or jobs of a project end.
type ChatNotification struct {
	ID          int64
	ProjectID   int64
	Chat        enum.Chat
	Channel     string   // its id
	Pipelines   bool     // tell of pipelines
	Jobs        bool     // tell of jobs
	Statuses    []string `gorm:"serializer:json"` // success, failed, canceled; empty: all of them
	Branches    string   // pattern of branches and tags; "" is all
	OnlyChanges bool     // only what ended otherwise than the time before
	CreatedAt   time.Time
}

// ChatNotifications lists the notifications of a project. There are at most a hundred.
func (tx *Tx) ChatNotifications(projectID int64) ([]*ChatNotification, error) {
	var rows []*ChatNotification
	err := tx.db.Where("project_id = ?", projectID).Order("id").Find(&rows).Error
	return rows, err
}

// ChatNotification finds a notification.
func (tx *Tx) ChatNotification(id int64) (*ChatNotification, error) {
	return first[ChatNotification](tx.db.Where("id = ?", id))
}

// SaveChatNotification stores a notification, new if its id is 0.
func (tx *Tx) SaveChatNotification(n *ChatNotification) error {
	if n.ID != 0 {
		return tx.db.Save(n).Error
	}
	n.CreatedAt = tx.now()
	return tx.db.Create(n).Error
}

// DeleteChatNotification removes a notification.
func (tx *Tx) DeleteChatNotification(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&ChatNotification{}).Error
}

// Notifies says whether a channel wants to know how pipelines, or jobs, of a project end. It costs a look into an index.
func (tx *Tx) Notifies(projectID int64, jobs bool) (bool, error) {
	q := tx.db.Model(&ChatNotification{}).Where("project_id = ?", projectID)
	if jobs {
		q = q.Where("jobs")
	} else {
		q = q.Where("pipelines")
	}
	return some(q)
}

// EarlierStatus is how the pipeline before this one ended on the same ref; "" if none has ended.
func (tx *Tx) EarlierStatus(p *Pipeline) (enum.Status, error) {
	var rows []Pipeline
	err := tx.db.Select("status").Where("project_id = ? AND ref = ? AND tag = ? AND id < ? AND status IN ?", p.ProjectID, p.Ref, p.Tag, p.ID,
		[]enum.Status{enum.Success, enum.Failed, enum.Canceled}).Order("id DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0].Status, nil
}

// EarlierJobStatus is how the job of the same name ended in an earlier pipeline of the ref; "" if none has. It looks at the
// ref's last twenty pipelines.
func (tx *Tx) EarlierJobStatus(p *Pipeline, name string) (enum.Status, error) {
	var ids []int64
	err := tx.db.Model(&Pipeline{}).Where("project_id = ? AND ref = ? AND tag = ? AND id < ?", p.ProjectID, p.Ref, p.Tag, p.ID).
		Order("id DESC").Limit(20).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return "", err
	}
	var rows []Job
	err = tx.db.Select("status").Where("pipeline_id IN ? AND name = ? AND retried = ? AND status IN ?", ids, name, false,
		[]enum.Status{enum.Success, enum.Failed, enum.Canceled}).Order("pipeline_id DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0].Status, nil
}
