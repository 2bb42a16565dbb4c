package models

import (
	"strings"
	"time"
)

// HandOut is one offer of a job to a runner manager. The job runs once it is accepted.
type HandOut struct {
	ID               int64
	JobID            int64
	ProjectID        int64
	RunnerID         int64
	ManagerID        int64
	SharedRunner     bool
	CancelGracefully bool
	DebugMode        *bool // its variables ask for a log that may show all of them; nil: of a version that did not keep it
	TokenHash        string
	Timeout          int
	ExpiresAt        time.Time
	AcceptedAt       *time.Time
	SeenAt           time.Time
	DeadlineAt       *time.Time
	CreatedAt        time.Time
}

// revokedToken begins what stands in the place of the hash of a job token whose runner was deleted.
const revokedToken = "revoked:"

// Revoked says whether the offer ended because its runner was deleted.
func (h *HandOut) Revoked() bool { return strings.HasPrefix(h.TokenHash, revokedToken) }

// CreateHandOut stores an offer.
func (tx *Tx) CreateHandOut(h *HandOut) error {
	h.CreatedAt, h.SeenAt = tx.now(), tx.now()
	return translate(tx.db.Create(h).Error)
}

// HandOutByToken finds the offer that a job token belongs to.
func (tx *Tx) HandOutByToken(hash string) (*HandOut, error) {
	return first[HandOut](tx.db.Where("token_hash = ?", hash))
}

// HandOut finds the offer of a job.
func (tx *Tx) HandOut(jobID int64) (*HandOut, error) {
	return first[HandOut](tx.db.Where("job_id = ?", jobID))
}

// SharedRunning counts, by project, the jobs that instance runners hold, for the fair order of the queue.
// The table holds running work only.
func (tx *Tx) SharedRunning() (map[int64]int, error) {
	var rows []struct {
		ProjectID int64
		N         int
	}
	err := tx.db.Model(&HandOut{}).Select("project_id, COUNT(*) AS n").Where("shared_runner = ?", true).
		Group("project_id").Scan(&rows).Error
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.ProjectID] = r.N
	}
	return out, err
}

// SharedRunningOf counts the jobs of one project that instance runners hold, up to most.
func (tx *Tx) SharedRunningOf(projectID int64, most int) (int, error) {
	var ids []int64
	err := tx.db.Model(&HandOut{}).Where("project_id = ? AND shared_runner = ?", projectID, true).Limit(most).Pluck("job_id", &ids).Error
	return len(ids), err
}

// AcceptHandOut turns an offer into a running job's row; false if it has expired or was accepted before.
func (tx *Tx) AcceptHandOut(h *HandOut) (bool, error) {
	res := tx.db.Model(&HandOut{}).Where("id = ? AND accepted_at IS NULL AND expires_at > ?", h.ID, tx.now()).
		Select("accepted_at", "seen_at", "deadline_at").Updates(h)
	return res.RowsAffected == 1, res.Error
}

// DeleteHandOut removes the offer of a job, and with it the job token's power; false if there was none.
func (tx *Tx) DeleteHandOut(jobID int64) (bool, error) {
	res := tx.db.Where("job_id = ?", jobID).Delete(&HandOut{})
	return res.RowsAffected == 1, res.Error
}

// ExpiredHandOuts lists offers that nobody accepted in time.
func (tx *Tx) ExpiredHandOuts(limit int) ([]*HandOut, error) {
	var rows []*HandOut
	err := tx.db.Where("accepted_at IS NULL AND expires_at <= ?", tx.now()).Order("expires_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// LostHandOuts lists accepted jobs without a sign of life since a time, or past their deadline.
func (tx *Tx) LostHandOuts(silentSince time.Time, limit int) ([]*HandOut, error) {
	var rows []*HandOut
	err := tx.db.Where("accepted_at IS NOT NULL AND (seen_at < ? OR deadline_at <= ?)", silentSince, tx.now()).
		Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// TouchHandOuts stores when the runners of accepted jobs were last heard of.
func (tx *Tx) TouchHandOuts(seen map[int64]time.Time) error {
	for jobID, at := range seen {
		err := tx.db.Model(&HandOut{}).Where("job_id = ? AND seen_at < ?", jobID, at).Update("seen_at", at).Error
		if err != nil {
			return err
		}
	}
	return nil
}
