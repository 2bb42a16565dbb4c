package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// fewTries are those of tasks that people wait for: over after about ten minutes.
const fewTries = 8

// TroubledTasks lists the tasks that were given up or fail, and how many there are of each kind.
func (c *Coordinator) TroubledTasks(ctx context.Context) (rows []*models.Task, counts []models.TaskCount, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if rows, err = tx.TroubledTasks(troubledShown); err != nil {
			return err
		}
		counts, err = tx.TaskCounts()
		return err
	})
	return rows, counts, err
}

const troubledShown = 200

// RetryTask lets a task run at once, and DropTask removes it, for administrators. Both are refused with models.ErrNotFound if
// it runs or is gone.
func (c *Coordinator) RetryTask(ctx context.Context, a access.Actor, id int64) error {
	return c.changeTask(ctx, a, id, "task_retried", c.tasks.Retry)
}

// DropTask removes a task; see RetryTask.
func (c *Coordinator) DropTask(ctx context.Context, a access.Actor, id int64) error {
	return c.changeTask(ctx, a, id, "task_dropped", c.tasks.Drop)
}

func (c *Coordinator) changeTask(ctx context.Context, a access.Actor, id int64, action string, change func(context.Context, int64) error) error {
	var t *models.Task
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		t, err = tx.Task(id)
		return err
	})
	if err != nil {
		return err
	}
	if err := change(ctx, id); err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		return tx.Audit(&models.AuditEvent{UserID: userID(a), Action: action, EntityType: "Task", EntityID: id, Details: t.Kind})
	})
}

func userID(a access.Actor) *int64 {
	if a.User == nil {
		return nil
	}
	return &a.User.ID
}

// pushGivenUp leaves a failed pipeline for each ref of a push of which no pipeline could be made, so that who pushed sees it.
func (c *Coordinator) pushGivenUp(ctx context.Context, t *models.Task, _ error) error {
	var push pushTask
	if err := json.Unmarshal([]byte(t.Payload), &push); err != nil {
		return fmt.Errorf("payload of a push: %w", err)
	}
	var project *models.Project
	var user *models.User
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if project, err = tx.Project(push.Project); err != nil {
			return err
		}
		user, err = tx.User(push.User)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	for i, ch := range push.Changes {
		if ch.Deletes() || push.Options.None || i >= pushLimit {
			continue
		}
		key := pushKey(t, i)
		if _, err := c.created(ctx, key); err != models.ErrNotFound {
			if err != nil {
				return err
			}
			continue // it was made before the task failed
		}
		head, err := c.Repo(project).Resolve(ctx, ch.Ref)
		if errors.Is(err, gitrepo.ErrNotFound) || err == nil && head == ch.Old {
			continue // git refused this ref, or it is gone again
		}
		if err := c.failedPush(ctx, project, user, ch, key+":given-up"); err != nil {
			return err
		}
	}
	return nil
}

// failedPush stores the pipeline of a push that could not be made. It reads nothing of the repository: that may be why.
func (c *Coordinator) failedPush(ctx context.Context, p *models.Project, u *models.User, ch RefChange, key string) error {
	if _, err := c.created(ctx, key); err != models.ErrNotFound {
		return err
	}
	b := &builder{c: c, commit: &gitrepo.Commit{}, ref: gitrepo.Ref{Name: ch.Ref, SHA: ch.New}, r: PipelineRequest{
		Project: p, Actor: access.Actor{User: u}, Source: enum.SourcePush, Ref: ch.Ref, SHA: ch.New, BeforeSHA: ch.Old, Key: key,
	}}
	b.short, b.tag = strings.CutPrefix(ch.Ref, "refs/tags/")
	b.short = strings.TrimPrefix(b.short, "refs/heads/")
	if commit, err := c.Repo(p).Commit(ctx, ch.New); err == nil {
		b.commit = commit
	}
	row := b.row()
	row.Status, row.FailureReason = enum.Failed, "unknown_failure"
	row.YAMLErrors = "The pipeline could not be created: an internal error came again at every try. Run a pipeline of this ref later; an administrator finds the reason among the tasks."
	return b.write(ctx, row, nil)
}

func pushKey(t *models.Task, i int) string { return fmt.Sprintf("%s:%d", *t.Key, i) }

// downstreamGivenUp fails the bridge whose pipeline could not be made.
func (c *Coordinator) downstreamGivenUp(ctx context.Context, t *models.Task, _ error) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	return notThere(c.bridged(ctx, id, nil, &bridgeFailure{reason: enum.DataIntegrityFailure}))
}

// scheduleGivenUp shows with a schedule that its pipeline could not be made.
func (c *Coordinator) scheduleGivenUp(ctx context.Context, t *models.Task, _ error) error {
	var task scheduleTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload %q: %w", t.Payload, err)
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		return tx.NoteScheduleError(task.Schedule, "its pipeline could not be created: an internal error came again at every try", false)
	})
}

// deliverGivenUp says in its log that a delivery of a webhook cannot be made.
func (c *Coordinator) deliverGivenUp(ctx context.Context, t *models.Task, _ error) error {
	id, err := idOf(t)
	if err != nil {
		return err
	}
	return notThere(c.db.Write(ctx, func(tx *models.Tx) error {
		d, err := tx.Delivery(id)
		if err != nil {
			return err
		}
		d.ResponseStatus, d.Error = "internal error", "not sent: an internal error came again at every try"
		return tx.UpdateDelivery(d)
	}))
}

// handleTasks registers who does what.
func (c *Coordinator) handleTasks(r *tasks.Runner) {
	r.Handle(TaskPush, c.runPush, tasks.Tries(fewTries), tasks.GivenUp(c.pushGivenUp))
	r.Handle(TaskArchive, c.runArchive)
	r.Handle(TaskDownstream, c.runDownstream, tasks.Tries(maxBridgeAttempts), tasks.GivenUp(c.downstreamGivenUp))
	r.Handle(TaskUpstream, c.runUpstream)
	r.Handle(TaskMirrored, c.runMirrored)
	r.Handle(TaskCancel, c.runCancel)
	r.Handle(TaskDeployed, c.runDeployed)
	r.Handle(TaskSchedule, c.runSchedule, tasks.Tries(fewTries), tasks.GivenUp(c.scheduleGivenUp))
	r.Handle(TaskHooks, c.runHooks)
	r.Handle(TaskDeliver, c.runDeliver, tasks.AtMost(maxDeliveries), tasks.GivenUp(c.deliverGivenUp))
	r.Handle(TaskUnlock, c.runUnlock)
	r.Handle(TaskForget, c.runForget)
	r.Handle(TaskResource, c.runResource)
	r.Handle(TaskRedundant, c.runRedundant)
	r.Handle(TaskMergeRequest, c.runMergeRequest)
	r.Handle(TaskPurge, c.runPurge)
	r.Handle(TaskDeleteProject, c.runDeleteProject)
	r.Handle(TaskDeleteGroup, c.runDeleteGroup)
	r.Handle(TaskDropArtifacts, c.runDropArtifacts)
}
