package models

import (
	"time"

	"gorm.io/gorm/clause"

	"signalbox/internal/secret"
)

// PipelineSchedule makes pipelines by the clock, as its owner.
type PipelineSchedule struct {
	ID           int64
	ProjectID    int64
	OwnerID      *int64 // nil once its owner is gone
	Description  string
	Ref          string // in full
	Cron         string
	CronTimezone string `gorm:"column:cron_timezone"`
	Active       bool
	Inputs       []ScheduleInput `gorm:"serializer:json"`
	NextRunAt    *time.Time
	LastError    string // why its last slot made no pipeline
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// ScheduleInput is an input that a schedule gives to its pipelines.
type ScheduleInput struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// ScheduleVariable is a variable that a schedule gives to its pipelines.
type ScheduleVariable struct {
	ScheduleID int64  `gorm:"primaryKey"`
	Key        string `gorm:"primaryKey"`
	Value      secret.Sealed
	Type       string
	Raw        bool
}

// Place is where the value is sealed for.
func (v *ScheduleVariable) Place() string { return "schedule_variables.value/" + v.Key }

// CreateSchedule stores a schedule.
func (tx *Tx) CreateSchedule(s *PipelineSchedule) error {
	s.CreatedAt, s.UpdatedAt = tx.now(), tx.now()
	return tx.db.Create(s).Error
}

// UpdateSchedule stores all fields of a schedule.
func (tx *Tx) UpdateSchedule(s *PipelineSchedule) error {
	s.UpdatedAt = tx.now()
	return tx.db.Save(s).Error
}

// Schedule finds a schedule.
func (tx *Tx) Schedule(id int64) (*PipelineSchedule, error) {
	return first[PipelineSchedule](tx.db.Where("id = ?", id))
}

// LockSchedule finds a schedule and keeps others from changing it until the transaction ends.
func (tx *Tx) LockSchedule(id int64) (*PipelineSchedule, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return first[PipelineSchedule](q)
}

// Schedules pages through a project's schedules; active narrows them if not nil.
func (tx *Tx) Schedules(projectID int64, active *bool, p Page) ([]*PipelineSchedule, int64, error) {
	q := &query{tx.db.Model(&PipelineSchedule{}).Where("project_id = ?", projectID)}
	if active != nil {
		q.where("active = ?", *active)
	}
	return list[PipelineSchedule](q.db, "id", p)
}

// CountSchedules counts a project's schedules.
func (tx *Tx) CountSchedules(projectID int64) (int64, error) {
	var n int64
	err := tx.db.Model(&PipelineSchedule{}).Where("project_id = ?", projectID).Count(&n).Error
	return n, err
}

// DueSchedules lists schedules whose time has come.
func (tx *Tx) DueSchedules(limit int) ([]*PipelineSchedule, error) {
	var rows []*PipelineSchedule
	err := tx.db.Where("active AND next_run_at <= ?", tx.now()).Order("next_run_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// AdvanceSchedule moves a schedule from one slot to the next; false if somebody else did before.
func (tx *Tx) AdvanceSchedule(id int64, from time.Time, to *time.Time) (bool, error) {
	res := tx.db.Model(&PipelineSchedule{}).Where("id = ? AND active AND next_run_at = ?", id, from).Update("next_run_at", to)
	return res.RowsAffected == 1, res.Error
}

// NoteScheduleError stores why a slot made no pipeline; "" that it did. stop ends the schedule.
func (tx *Tx) NoteScheduleError(id int64, text string, stop bool) error {
	change := map[string]any{"last_error": text}
	if stop {
		change["active"], change["next_run_at"] = false, nil
	}
	return tx.db.Model(&PipelineSchedule{}).Where("id = ?", id).Updates(change).Error
}

// DeleteSchedule removes a schedule; its pipelines stay.
func (tx *Tx) DeleteSchedule(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&PipelineSchedule{}).Error
}

// ScheduleVariables lists the variables of a schedule.
func (tx *Tx) ScheduleVariables(id int64) ([]*ScheduleVariable, error) {
	var rows []*ScheduleVariable
	err := tx.db.Where("schedule_id = ?", id).Order("key").Find(&rows).Error
	return rows, err
}

// ScheduleVariable finds a variable of a schedule.
func (tx *Tx) ScheduleVariable(id int64, key string) (*ScheduleVariable, error) {
	return first[ScheduleVariable](tx.db.Where("schedule_id = ? AND key = ?", id, key))
}

// CreateScheduleVariable stores a variable; ErrDuplicate if the schedule has one of the key.
func (tx *Tx) CreateScheduleVariable(v *ScheduleVariable) error {
	return translate(tx.db.Create(v).Error)
}

// SetScheduleVariable stores a variable, whether there is one of the key or not.
func (tx *Tx) SetScheduleVariable(v *ScheduleVariable) error {
	return tx.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "schedule_id"}, {Name: "key"}}, UpdateAll: true}).Create(v).Error
}

// DeleteScheduleVariable removes a variable of a schedule.
func (tx *Tx) DeleteScheduleVariable(id int64, key string) error {
	return tx.db.Where("schedule_id = ? AND key = ?", id, key).Delete(&ScheduleVariable{}).Error
}

// SchedulePipelines pages through the pipelines that a schedule made.
func (tx *Tx) SchedulePipelines(id int64, p Page) ([]*Pipeline, int64, error) {
	return list[Pipeline](tx.db.Model(&Pipeline{}).Where("schedule_id = ?", id), "id", p)
}

// LastOfSchedules finds the newest pipeline of each schedule.
func (tx *Tx) LastOfSchedules(ids []int64) (map[int64]*Pipeline, error) {
	out := map[int64]*Pipeline{}
	for _, id := range ids {
		p, err := first[Pipeline](tx.db.Where("schedule_id = ?", id).Order("id DESC"))
		if err == ErrNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[id] = p
	}
	return out, nil
}

// Trigger is a token that starts pipelines of one project as its owner.
type Trigger struct {
	ID          int64
	ProjectID   int64
	OwnerID     int64
	Description string
	TokenHash   string
	Token       secret.Sealed // its owner may see it again
	ShortToken  string        // the first characters after the prefix
	ExpiresAt   *time.Time
	LastUsedAt  *time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Place is where the token is sealed for.
func (t *Trigger) Place() string { return "triggers.token/" + t.TokenHash }

// CreateTrigger stores a trigger token.
func (tx *Tx) CreateTrigger(t *Trigger) error {
	t.CreatedAt, t.UpdatedAt = tx.now(), tx.now()
	return tx.db.Create(t).Error
}

// Trigger finds a trigger token by id.
func (tx *Tx) Trigger(id int64) (*Trigger, error) { return first[Trigger](tx.db.Where("id = ?", id)) }

// TriggerByToken finds the trigger token of a hash.
func (tx *Tx) TriggerByToken(hash string) (*Trigger, error) {
	return first[Trigger](tx.db.Where("token_hash = ?", hash))
}

// Triggers pages through a project's trigger tokens.
func (tx *Tx) Triggers(projectID int64, p Page) ([]*Trigger, int64, error) {
	return list[Trigger](tx.db.Model(&Trigger{}).Where("project_id = ?", projectID), "id", p)
}

// RenameTrigger stores what a trigger token is for.
func (tx *Tx) RenameTrigger(t *Trigger) error {
	t.UpdatedAt = tx.now()
	return tx.db.Model(t).Select("description", "updated_at").Updates(t).Error
}

// TouchTrigger notes the use of a trigger token.
func (tx *Tx) TouchTrigger(id int64) error {
	return tx.db.Model(&Trigger{}).Where("id = ?", id).Update("last_used_at", tx.now()).Error
}

// DeleteTrigger removes a trigger token.
func (tx *Tx) DeleteTrigger(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Trigger{}).Error
}

// FreezePeriod is a time in which a project wants nothing deployed.
type FreezePeriod struct {
	ID           int64
	ProjectID    int64
	FreezeStart  string // cron lines
	FreezeEnd    string
	CronTimezone string `gorm:"column:cron_timezone"`
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// FreezePeriods lists a project's freeze periods, at most a hundred.
func (tx *Tx) FreezePeriods(projectID int64) ([]*FreezePeriod, error) {
	var rows []*FreezePeriod
	err := tx.db.Where("project_id = ?", projectID).Order("id").Limit(100).Find(&rows).Error
	return rows, err
}

// FreezePeriod finds a freeze period.
func (tx *Tx) FreezePeriod(id int64) (*FreezePeriod, error) {
	return first[FreezePeriod](tx.db.Where("id = ?", id))
}

// SaveFreezePeriod stores a freeze period, new if its id is 0.
func (tx *Tx) SaveFreezePeriod(f *FreezePeriod) error {
	f.UpdatedAt = tx.now()
	if f.ID == 0 {
		f.CreatedAt = tx.now()
	}
	return tx.db.Save(f).Error
}

// DeleteFreezePeriod removes a freeze period.
func (tx *Tx) DeleteFreezePeriod(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&FreezePeriod{}).Error
}
