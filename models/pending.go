package models

import "time"

// PendingJob is a job that waits for a runner, with all that decides which one may take it.
type PendingJob struct {
	ID            int64
	JobID         int64
	ProjectID     int64
	Traversal     string   // ids of the groups above the project, as "/1/5/"
	Tags          []string `gorm:"serializer:json"`
	Protected     bool
	SharedRunners bool
	GroupRunners  bool
	QueuedAt      time.Time
}

// Enqueue puts a job into the queue.
func (tx *Tx) Enqueue(p *PendingJob) error {
	if p.Tags == nil {
		p.Tags = []string{}
	}
	p.QueuedAt = tx.now()
	return translate(tx.db.Create(p).Error)
}

// EnqueueAll puts several jobs into the queue.
func (tx *Tx) EnqueueAll(rows []*PendingJob) error {
	for _, p := range rows {
		if p.Tags == nil {
			p.Tags = []string{}
		}
		p.QueuedAt = tx.now()
	}
	return translate(tx.db.CreateInBatches(rows, tx.batch()).Error)
}

// Dequeue takes a job out of the queue; false if it was not there.
func (tx *Tx) Dequeue(jobID int64) (bool, error) {
	res := tx.db.Where("job_id = ?", jobID).Delete(&PendingJob{})
	return res.RowsAffected == 1, res.Error
}

// Pending finds the queue row of a job.
func (tx *Tx) Pending(jobID int64) (*PendingJob, error) {
	return first[PendingJob](tx.db.Where("job_id = ?", jobID))
}

// PendingAfter lists queue rows with an id over after, oldest first.
func (tx *Tx) PendingAfter(after int64, limit int) ([]*PendingJob, error) {
	var rows []*PendingJob
	err := tx.db.Where("id > ?", after).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// PendingSince lists queue rows that entered the queue before a time, oldest first.
func (tx *Tx) PendingSince(before time.Time, limit int) ([]*PendingJob, error) {
	var rows []*PendingJob
	err := tx.db.Where("queued_at < ?", before).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}
