package ci

import (
	"time"

	"signalbox/models"
)

// duration stores how long the pipeline took, if it ever ran: the jobs of the pipelines that it started count too, whether
// their bridges wait for them or not, and bridges themselves do not.
func (m *mover) duration() error {
	p := m.pipeline
	if p.StartedAt == nil {
		return nil
	}
	ids, err := m.tx.SelfAndDownstreams(p.ID, maxFamily)
	if err != nil {
		return err
	}
	times, err := m.tx.RunTimes(ids)
	if err != nil {
		return err
	}
	seconds := int64(united(times, m.tx.Now()) / time.Second)
	p.Duration = &seconds
	return nil
}

// united is the length of the union of times, which are in the order of their beginnings. What runs still counts until now.
func united(times []models.RunTime, now time.Time) (sum time.Duration) {
	var end time.Time
	for _, t := range times {
		from, to := t.StartedAt, now
		if t.FinishedAt != nil {
			to = *t.FinishedAt
		}
		if from.Before(end) {
			from = end
		}
		if to.After(from) {
			sum += to.Sub(from)
			end = to
		}
	}
	return sum
}
