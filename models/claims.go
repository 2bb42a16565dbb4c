package models

import (
	"database/sql"
	"encoding/json"

	"gorm.io/gorm/clause"
)

// Claim is what decides, at the moment of a hand-out, whether a job may go to a runner: the row by which it waits,
// beside how its project and its user are now.
type Claim struct {
	Pending       *PendingJob // as it was queued
	Traversal     string      // of the groups above the project now
	SharedRunners bool        // whether the project takes the instance's runners now
	GroupRunners  bool        // the same of its groups' runners
	BuildsEnabled bool
	Archived      bool
	PendingDelete bool
	UserState     string // of the job's user
	Assigned      bool   // the runner is one of the project's own
	Machine       bool   // the runner manager that asked still exists
}

// Claim reads what decides whether a waiting job may go to a machine of a runner; ErrNotFound if it waits no more.
func (tx *Tx) Claim(jobID, runnerID, managerID int64) (*Claim, error) {
	c := &Claim{Pending: &PendingJob{JobID: jobID}}
	var tags string
	row := tx.db.Raw(`SELECT w.id, w.project_id, w.traversal, w.tags, w.protected, w.shared_runners, w.group_runners, w.queued_at,
		n.traversal, p.shared_runners_enabled, p.group_runners_enabled, p.builds_enabled, p.archived, p.pending_delete, u.state,
		EXISTS (SELECT 1 FROM runner_projects r WHERE r.runner_id = ? AND r.project_id = w.project_id),
		EXISTS (SELECT 1 FROM runner_managers m WHERE m.id = ?)
		FROM pending_jobs w JOIN jobs j ON j.id = w.job_id JOIN projects p ON p.id = w.project_id
		JOIN namespaces n ON n.id = p.namespace_id JOIN users u ON u.id = j.user_id WHERE w.job_id = ?`+tx.forUpdateOf("w"), runnerID, managerID, jobID).Row()
	w := c.Pending
	err := row.Scan(&w.ID, &w.ProjectID, &w.Traversal, &tags, &w.Protected, &w.SharedRunners, &w.GroupRunners, &w.QueuedAt,
		&c.Traversal, &c.SharedRunners, &c.GroupRunners, &c.BuildsEnabled, &c.Archived, &c.PendingDelete, &c.UserState,
		&c.Assigned, &c.Machine)
	if err == sql.ErrNoRows {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return c, json.Unmarshal([]byte(tags), &w.Tags)
}

// forUpdateOf locks the rows of a table in a query, where the database has such locks.
func (tx *Tx) forUpdateOf(table string) string {
	if tx.postgres {
		return " FOR UPDATE OF " + table
	}
	return ""
}

// RunnerToClaim finds a runner and keeps it as it is until the transaction ends: whoever changes it waits, so that no
// job is given to it after the change was answered.
func (tx *Tx) RunnerToClaim(id int64) (*Runner, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "SHARE"})
	}
	return first[Runner](q)
}

// MovePending changes which runners may take a waiting job, as its project says now.
func (tx *Tx) MovePending(w *PendingJob) error {
	return tx.db.Model(&PendingJob{}).Where("job_id = ?", w.JobID).
		Select("traversal", "shared_runners", "group_runners").Updates(w).Error
}

// MovePendingOf changes which runners may take the waiting jobs of a project, as the project says now.
func (tx *Tx) MovePendingOf(p *Project) error {
	return tx.db.Model(&PendingJob{}).Where("project_id = ?", p.ID).
		Updates(map[string]any{"shared_runners": p.SharedRunnersEnabled, "group_runners": p.GroupRunnersEnabled}).Error
}
