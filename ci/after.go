package ci

import (
	"slices"

	"signalbox/ci/process"
	"signalbox/models"
	"signalbox/models/enum"
)

// after lets the pipeline follow the end of one job, for the cost of what depends on it. Jobs that need it are looked at one
// by one. Jobs that wait for stages move only when a stage is over, and the pipeline's own status changes only when nothing
// waits for a runner or runs any more: only then all its jobs are read.
func (m *mover) after(j *models.Job) error {
	if !m.pipeline.NeedsKnown || m.pipeline.Status != enum.Running {
		return m.advance(nil)
	}
	ended := []*models.Job{j}
	for len(ended) > 0 {
		moved, err := m.dependants(ended[0])
		if err != nil {
			return err
		}
		ended = ended[1:]
		for _, d := range moved {
			if m.stops(d) {
				return m.follow(d)
			}
			if d.Status.Completed() || d.Status == enum.Manual && d.AllowFailure {
				ended = append(ended, d)
			}
		}
	}
	blocked, busy, err := m.tx.Blocked(m.pipeline.ID, j.StageIndex)
	if err != nil {
		return err
	}
	if !blocked || !busy {
		return m.advance(nil)
	}
	m.published()
	return nil
}

// dependants moves the jobs that need one, as far as they can, and gives those that moved.
func (m *mover) dependants(j *models.Job) ([]*models.Job, error) {
	waiting, err := m.tx.Dependants(m.pipeline.ID, j.Name)
	if err != nil {
		return nil, err
	}
	known, err := m.statesOf(waiting)
	if err != nil {
		return nil, err
	}
	var moved []*models.Job
	for _, d := range waiting {
		var needed []process.Job
		for _, n := range *d.Needs {
			if st, ok := known[n]; ok {
				needed = append(needed, st)
			}
		}
		ch, ok := process.Next(snapshot([]*models.Job{d})[0], needed)
		if !ok {
			continue
		}
		if err := m.apply(d, ch); err != nil {
			return nil, err
		}
		moved = append(moved, d)
	}
	return moved, nil
}

// statesOf reads the states of all that some jobs need, at once.
func (m *mover) statesOf(waiting []*models.Job) (map[string]process.Job, error) {
	var names []string
	out := map[string]process.Job{}
	seen := map[string]bool{}
	for _, d := range waiting {
		for _, n := range *d.Needs {
			if !seen[n] {
				names, seen[n] = append(names, n), true
			}
		}
	}
	for chunk := range slices.Chunk(names, 500) {
		rows, err := m.tx.StatesOf(m.pipeline.ID, chunk)
		if err != nil {
			return nil, err
		}
		for _, st := range states(rows) {
			out[st.Name] = st
		}
	}
	return out, nil
}

// apply stores a change that processing decided on.
func (m *mover) apply(j *models.Job, ch process.Change) error {
	if ch.Event == process.Enqueue || ch.Event == process.Wait {
		return m.start(j, nil)
	}
	return m.move(j, ch.Event, func(j *models.Job) { j.StatusReason = ch.Reason })
}

// published tells pages that a pipeline has changed.
func (m *mover) published() {
	m.tx.AfterCommit(func() {
		m.c.hub.Publish(TopicPipeline(m.pipeline.ID))
		m.c.hub.Publish(TopicProject(m.pipeline.ProjectID))
	})
}
