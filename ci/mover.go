package ci

import (
	"errors"
	"fmt"
	"time"

	"signalbox/ci/process"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// mover changes the states of the jobs of one pipeline within a transaction that holds its lock. It is the
// only place where a status is written.
type mover struct {
	c         *Coordinator
	tx        *models.Tx
	pipeline  *models.Pipeline
	project   *models.Project
	traversal string
	by        int64 // who acts; 0 if nobody in particular
}

func (c *Coordinator) mover(tx *models.Tx, p *models.Pipeline, project *models.Project) *mover {
	return &mover{c: c, tx: tx, pipeline: p, project: project}
}

// lock opens a pipeline for changes.
func (c *Coordinator) lock(tx *models.Tx, pipelineID int64) (*mover, error) {
	p, err := tx.LockPipeline(pipelineID)
	if err != nil {
		return nil, fmt.Errorf("pipeline %d: %w", pipelineID, err)
	}
	return c.mover(tx, p, nil), nil
}

// errMoved says that a job was no longer in the state that the decision was made on.
var errMoved = fault.New(fault.Conflict, "The job was changed at the same moment; please try again")

// move applies an event to a job and stores it with what change fills in.
func (m *mover) move(j *models.Job, e process.Event, change func(*models.Job)) error {
	from := j.Status
	to, ok := process.Move(from, e)
	if j.Bridge {
		to, ok = process.MoveBridge(from, e)
	}
	if !ok {
		return fault.New(fault.NotAllowed, "a job that is %s cannot get the event %s", from, e)
	}
	j.Status, j.StatusReason = to, ""
	if change != nil {
		change(j)
	}
	if err := m.stamp(j, from); err != nil {
		return err
	}
	done, err := m.tx.MoveJob(j, from)
	if err == nil && !done {
		err = errMoved
	}
	if err != nil {
		return err
	}
	return m.queue(j, from, e)
}

// start lets a job get on its way.
func (m *mover) start(j *models.Job, change func(*models.Job)) error {
	if late, err := m.outdated(j); err != nil {
		return err
	} else if late {
		return m.refuseOutdated(j)
	}
	if held, err := m.held(j); err != nil || held {
		return err
	}
	one := snapshot([]*models.Job{j})
	return m.move(j, one[0].Start(), change)
}

// stamp sets the times that belong to the new status.
func (m *mover) stamp(j *models.Job, from enum.Status) error {
	now := m.tx.Now()
	if from == enum.Scheduled {
		j.ScheduledAt = nil
	}
	switch j.Status {
	case enum.Pending:
		j.QueuedAt = &now
	case enum.Running:
		if j.StartedAt == nil {
			j.StartedAt = &now
		}
	case enum.Success, enum.Failed, enum.Canceled:
		j.FinishedAt = &now
	case enum.Scheduled:
		def, err := m.c.definition(m.tx, j)
		if err != nil {
			return err
		}
		at := now.Add(time.Duration(def.StartIn) * time.Second)
		j.ScheduledAt = &at
	}
	return nil
}

// queue keeps the small tables of pending and running work in step with the status.
func (m *mover) queue(j *models.Job, from enum.Status, e process.Event) error {
	if err := errors.Join(m.resource(j), m.deployment(j), m.tell(j)); err != nil {
		return err
	}
	switch {
	case j.Bridge && j.Status == enum.Pending && e != process.Reopen:
		return m.c.soonOf(m.tx, TaskDownstream, tasks.ShareOf(j.ProjectID), j.ID)
	case (j.Bridge || j.External) && !j.Status.Completed():
		return nil
	case j.Status == enum.Pending:
		return m.enqueue(j)
	}
	if from == enum.Pending && j.Status != enum.Running {
		if _, err := m.tx.Dequeue(j.ID); err != nil {
			return err
		}
	}
	if j.Status.Completed() {
		if _, err := m.tx.DeleteHandOut(j.ID); err != nil {
			return err
		}
		return m.finished(j)
	}
	return nil
}

// needProject reads the pipeline's project if it is not known yet.
func (m *mover) needProject() (err error) {
	if m.project == nil {
		m.project, err = m.tx.Project(m.pipeline.ProjectID)
	}
	return err
}

// pending is the row by which a job waits for a runner.
func (m *mover) pending(j *models.Job) (*models.PendingJob, error) {
	if err := m.needProject(); err != nil {
		return nil, err
	}
	if m.traversal == "" {
		ns, err := m.tx.Namespace(m.project.NamespaceID)
		if err != nil {
			return nil, err
		}
		m.traversal = ns.Traversal
	}
	return &models.PendingJob{
		JobID: j.ID, ProjectID: m.project.ID, Traversal: m.traversal, Tags: j.Tags, Protected: m.pipeline.Protected,
		SharedRunners: m.project.SharedRunnersEnabled, GroupRunners: m.project.GroupRunnersEnabled,
	}, nil
}

func (m *mover) enqueue(j *models.Job) error {
	row, err := m.pending(j)
	if err != nil {
		return err
	}
	if err := m.tx.Enqueue(row); err != nil {
		return err
	}
	m.tx.AfterCommit(func() {
		m.c.queue.add(row)
		m.c.hub.Announce(TopicQueue)
	})
	return nil
}

// tell lets webhooks know how a job is.
func (m *mover) tell(j *models.Job) error {
	if j.Bridge || j.External || j.Status == enum.Skipped {
		return nil
	}
	return m.c.happens(m.tx, happening{Event: JobEvents, Project: j.ProjectID, ID: j.ID, Status: j.Status})
}

// finished stores the effects that a job's end has outside its pipeline.
func (m *mover) finished(j *models.Job) error {
	if j.StartedAt != nil && !j.Bridge && !j.External {
		if err := m.tx.AddTask(&models.Task{Kind: TaskArchive, Key: taskKey(TaskArchive, j.ID), Payload: fmt.Sprint(j.ID)}); err != nil {
			return err
		}
	}
	if !j.Retried {
		if err := m.notifies(j.Status, j.ID); err != nil {
			return err
		}
	}
	m.tx.AfterCommit(func() {
		m.c.tasks.Wake()
		m.c.hub.Publish(TopicTrace(j.ID))
	})
	return nil
}

// replies tells chats that wait for the end of the pipeline.
func (m *mover) replies() error {
	waits, err := m.pipeline.Source == enum.SourceChat, error(nil)
	if !waits {
		waits, err = m.tx.Watched(m.pipeline.ID)
	}
	if err != nil || !waits {
		return err
	}
	return m.c.soonTo(m.tx, TaskChatReply, tasks.ShareOf(m.pipeline.ProjectID), ChatReply{Pipeline: m.pipeline.ID})
}

// notifies tells channels how the pipeline or one of its jobs ended, if any wants to know.
func (m *mover) notifies(st enum.Status, job int64) error {
	if st != enum.Success && st != enum.Failed && st != enum.Canceled {
		return nil
	}
	wants, err := m.tx.Notifies(m.pipeline.ProjectID, job != 0)
	if err != nil || !wants {
		return err
	}
	return m.c.soonTo(m.tx, TaskChatNotify, tasks.ShareOf(m.pipeline.ProjectID), ChatNotify{m.pipeline.ID, job, st})
}

// ChatNotify is the payload of TaskChatNotify.
type ChatNotify struct {
	Pipeline int64       `json:"pipeline"`
	Job      int64       `json:"job,omitempty"` // 0: the pipeline itself
	Status   enum.Status `json:"status"`
}

// ChatReply is the payload of TaskChatReply.
type ChatReply struct {
	Pipeline int64 `json:"pipeline"`
}

func taskKey(kind string, id int64) *string {
	key := fmt.Sprintf("%s:%d", kind, id)
	return &key
}

// advance lets the pipeline follow: what can start starts, and its status becomes that of its jobs. jobs may
// be given if they are known; otherwise the states of the latest attempts are read, which costs as much as the
// pipeline has jobs, but little for each.
func (m *mover) advance(jobs []*models.Job) error {
	known := make(map[int64]*models.Job, len(jobs))
	for _, j := range jobs {
		known[j.ID] = j
	}
	all := snapshot(jobs)
	if jobs == nil {
		rows, err := m.tx.JobStates(m.pipeline.ID)
		if err != nil {
			return err
		}
		all = states(rows)
	}
	moved, refused := map[int64]enum.Status{}, false
	var stops *models.Job // a job that failed, and stops the pipeline as a whole
	for _, ch := range process.Advance(all) {
		j := known[ch.ID]
		if j == nil {
			var err error
			if j, err = m.tx.Job(ch.ID); err != nil {
				return err
			}
		}
		if err := m.apply(j, ch); err != nil {
			return err
		}
		refused = refused || j.Status != ch.To
		if m.stops(j) {
			stops = j
		}
		moved[ch.ID] = j.Status
	}
	for i := range all {
		if st, ok := moved[all[i].ID]; ok {
			all[i].Status = st
		}
	}
	if stops != nil {
		return m.follow(stops)
	}
	if refused { // what comes after it has another reason to move
		return m.advance(nil)
	}
	m.published()
	if len(all) == 0 {
		return nil
	}
	return m.status(process.Apply(m.pipeline.Status, process.Composite(all)))
}

// states is what processing knows of jobs whose states were read.
func states(rows []models.JobState) []process.Job {
	out := make([]process.Job, len(rows))
	for i, r := range rows {
		out[i] = process.Job{
			ID: r.ID, Name: r.Name, Stage: r.StageIndex, Needs: r.Needs, When: r.When, AllowFailure: r.AllowFailure,
			EnqueueNow: r.EnqueueNow, Resource: r.Resource, Status: r.Status,
		}
	}
	return out
}

func snapshot(jobs []*models.Job) []process.Job {
	out := make([]process.Job, len(jobs))
	for i, j := range jobs {
		out[i] = process.Job{
			ID: j.ID, Name: j.Name, Stage: j.StageIndex, Needs: j.Needs, When: j.When, AllowFailure: j.AllowFailure,
			EnqueueNow: j.EnqueueNow, Resource: j.ResourceGroupID != nil, Interruptible: j.Interruptible, Status: j.Status,
		}
	}
	return out
}

// status stores the pipeline's own status and times.
func (m *mover) status(next enum.Status) error {
	p, now := m.pipeline, m.tx.Now()
	if next == p.Status && !next.Completed() {
		return nil
	}
	if next != p.Status && p.SourceJobID != nil {
		if err := m.c.soon(m.tx, TaskUpstream, p.ID); err != nil {
			return err
		}
	}
	if err := m.mirrored(next); err != nil {
		return err
	}
	if next != p.Status {
		if err := m.c.happens(m.tx, happening{Event: PipelineEvents, Project: p.ProjectID, ID: p.ID, Status: next}); err != nil {
			return err
		}
	}
	if next != p.Status && next.Completed() {
		if err := errors.Join(m.replies(), m.notifies(next, 0)); err != nil {
			return err
		}
	}
	if next != p.Status {
		if err := m.unlocks(next); err != nil {
			return err
		}
	}
	if process.Stands(p.Status) && !process.Stands(next) {
		p.ReopenedByID = nil
		if m.by != 0 {
			p.ReopenedByID = &m.by
		}
	}
	p.Status = next
	if next == enum.Running && p.StartedAt == nil {
		p.StartedAt = &now
	}
	p.FinishedAt = nil
	switch next {
	case enum.Success, enum.Failed, enum.Canceled, enum.Manual:
		if err := m.duration(); err != nil {
			return err
		}
		if next != enum.Manual {
			p.FinishedAt = &now
		}
	}
	return m.tx.UpdatePipelineStatus(p)
}
