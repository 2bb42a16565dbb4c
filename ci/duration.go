package ci

import (
	"sort"
	"time"

	"signalbox/models"
)

// duration is the length of the union of the times in which jobs ran, in seconds; nil if none did.
func duration(jobs []*models.Job, now time.Time) *int64 {
	type span struct{ from, to time.Time }
	var spans []span
	for _, j := range jobs {
		if j.StartedAt == nil {
			continue
		}
		s := span{*j.StartedAt, now}
		if j.FinishedAt != nil {
			s.to = *j.FinishedAt
		}
		spans = append(spans, s)
	}
	if len(spans) == 0 {
		return nil
	}
	sort.Slice(spans, func(a, b int) bool { return spans[a].from.Before(spans[b].from) })
	var sum time.Duration
	end := spans[0].from
	for _, s := range spans {
		if s.from.After(end) {
			end = s.from
		}
		if s.to.After(end) {
			sum += s.to.Sub(end)
			end = s.to
		}
	}
	seconds := int64(sum / time.Second)
	return &seconds
}
