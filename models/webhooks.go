package models

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm/clause"

	"signalbox/internal/secret"
)

// Webhook is an address that is told what happens in a project.
type Webhook struct {
	ID                   int64
	ProjectID            int64
	URL                  string `gorm:"column:url"` // with {names} in the places of url variables
	Name                 string
	Description          string
	Token                secret.Sealed
	CustomHeaders        secret.Sealed // JSON of a map
	URLVariables         secret.Sealed `gorm:"column:url_variables"` // JSON of a map
	Events               []string      `gorm:"serializer:json"`
	SSLVerification      bool          `gorm:"column:ssl_verification"`
	BranchFilter         string
	BranchFilterStrategy string // wildcard, regex or all_branches
	Failures             int    // in a row
	DisabledUntil        *time.Time
	CreatedAt            time.Time
}

// Place is where one of its secrets is sealed for.
func (h *Webhook) Place(what string) string {
	return fmt.Sprintf("webhooks.%s/%d", what, h.ProjectID)
}

// Wants says whether a webhook is told of an event.
func (h *Webhook) Wants(event string) bool { return slices.Contains(h.Events, event) }

// CreateWebhook stores a webhook.
func (tx *Tx) CreateWebhook(h *Webhook) error {
	h.CreatedAt = tx.now()
	return tx.db.Create(h).Error
}

// UpdateWebhook stores all fields of a webhook.
func (tx *Tx) UpdateWebhook(h *Webhook) error { return tx.db.Save(h).Error }

// Webhook finds a webhook.
func (tx *Tx) Webhook(id int64) (*Webhook, error) { return first[Webhook](tx.db.Where("id = ?", id)) }

// Webhooks lists a project's webhooks, at most a hundred.
func (tx *Tx) Webhooks(projectID int64) ([]*Webhook, error) {
	var rows []*Webhook
	err := tx.db.Where("project_id = ?", projectID).Order("id").Limit(100).Find(&rows).Error
	return rows, err
}

// DeleteWebhook removes a webhook with the log of its deliveries.
func (tx *Tx) DeleteWebhook(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Webhook{}).Error
}

// NoteWebhook stores how the last delivery went.
func (tx *Tx) NoteWebhook(id int64, failures int, disabledUntil *time.Time) error {
	return tx.db.Model(&Webhook{}).Where("id = ?", id).Updates(map[string]any{"failures": failures, "disabled_until": disabledUntil}).Error
}

// WebhookDelivery is one telling of one event, with how it went.
type WebhookDelivery struct {
	ID              int64
	WebhookID       int64
	Key             string            // the delivery's id: the same in every attempt, and when it is sent once more
	EventUUID       string            `gorm:"column:event_uuid"`
	Event           string            // such as pipeline_events
	URL             string            `gorm:"column:url"`
	RequestHeaders  map[string]string `gorm:"serializer:json"` // without secrets
	RequestBody     secret.Sealed     // JSON
	ResponseHeaders map[string]string `gorm:"serializer:json"`
	ResponseBody    string
	ResponseStatus  string // a number, or "internal error"
	Error           string
	Duration        float64 // seconds
	Attempts        int
	CreatedAt       time.Time
}

// Place is what the body is sealed for.
func (d *WebhookDelivery) Place() string { return "webhook_deliveries.request_body/" + d.Key }

// AddDelivery stores a delivery; one of the same key stays as it is, and false is answered.
func (tx *Tx) AddDelivery(d *WebhookDelivery) (bool, error) {
	d.CreatedAt, d.RequestHeaders, d.ResponseHeaders = tx.now(), map[string]string{}, map[string]string{}
	res := tx.db.Clauses(clause.OnConflict{DoNothing: true}).Create(d)
	return res.RowsAffected == 1, res.Error
}

// Delivery finds a delivery.
func (tx *Tx) Delivery(id int64) (*WebhookDelivery, error) {
	return first[WebhookDelivery](tx.db.Where("id = ?", id))
}

// UpdateDelivery stores how an attempt went.
func (tx *Tx) UpdateDelivery(d *WebhookDelivery) error { return tx.db.Save(d).Error }

// Deliveries pages through the log of a webhook, newest first.
func (tx *Tx) Deliveries(webhookID int64, p Page) ([]*WebhookDelivery, int64, error) {
	p.Descending = true
	return list[WebhookDelivery](tx.db.Model(&WebhookDelivery{}).Where("webhook_id = ?", webhookID), "id", p)
}

// DeleteOldDeliveries removes the oldest deliveries of before a time, and says how many.
func (tx *Tx) DeleteOldDeliveries(before time.Time, limit int) (int64, error) {
	var ids []int64
	err := tx.db.Model(&WebhookDelivery{}).Where("created_at < ?", before).Order("created_at").Limit(limit).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	res := tx.db.Where("id IN ?", ids).Delete(&WebhookDelivery{})
	return res.RowsAffected, res.Error
}

// HasOldDeliveries says whether there are deliveries of before a time.
func (tx *Tx) HasOldDeliveries(before time.Time) (bool, error) {
	return some(tx.db.Model(&WebhookDelivery{}).Where("created_at < ?", before))
}
