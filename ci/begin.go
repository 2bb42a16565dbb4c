package ci

import (
	"signalbox/ci/process"
	"signalbox/models"
)

// begin gives jobs that are not stored yet the status in which they begin, so that each is written once: jobs that may go
// to a runner at once are pending from the first moment. Jobs whose first move has effects of its own are left to advance.
// It answers those that are pending.
func (m *mover) begin(jobs []*models.Job) []*models.Job {
	now := m.tx.Now()
	first := snapshot(jobs)
	for i := range first {
		first[i].ID = int64(i)
	}
	var out []*models.Job
	for _, ch := range process.Advance(first) {
		j := jobs[ch.ID]
		if ch.Event != process.Enqueue || j.Bridge || j.EnvironmentAction != "" {
			continue
		}
		j.Status, j.QueuedAt = ch.To, &now
		out = append(out, j)
	}
	return out
}

// begins puts jobs that begin as pending into the queue, all at once.
func (m *mover) begins(jobs []*models.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	rows := make([]*models.PendingJob, len(jobs))
	for i, j := range jobs {
		row, err := m.pending(j)
		if err != nil {
			return err
		}
		rows[i] = row
	}
	if err := m.tx.EnqueueAll(rows); err != nil {
		return err
	}
	for _, j := range jobs {
		if err := m.tell(j); err != nil {
			return err
		}
	}
	m.tx.AfterCommit(func() {
		for _, row := range rows {
			m.c.queue.add(row)
		}
		m.c.hub.Announce(TopicQueue)
	})
	return nil
}
