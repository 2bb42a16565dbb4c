package ci

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// errRunnerChanged ends a request whose runner is not what it was when the request came: it is answered without a
// job, and the runner's next one is judged anew.
var errRunnerChanged = errors.New("the runner changed while its request waited")

// claim makes the hand-out of a job. It answers nil if somebody else was faster, if the job waits for other runners by
// now, or if it cannot be given: then it has failed with a reason, and blocks nobody.
//
// What was read before is a hint: the request may have waited for a minute and preparing asks git. The transaction that
// makes the hand-out reads runner, project, user and queue again.
func (c *Coordinator) claim(ctx context.Context, jobID int64, e *runnerEntry, m *models.RunnerManager) (*Offer, error) {
	offer, reason, err := c.prepare(ctx, jobID, e, m)
	if errors.Is(err, models.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var moved *models.PendingJob
	if reason == "" {
		reason, moved, err = c.handOut(ctx, offer, e, m)
	} else { // only a runner that could have taken the job says that it cannot run
		err = c.db.Read(ctx, func(tx *models.Tx) error {
			claim, err := sameRunner(tx, jobID, e, m)
			if err == nil && !e.match.takes(claim.Pending) {
				reason, moved = "", claim.Pending
			}
			return err
		})
	}
	switch {
	case errors.Is(err, models.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case reason != "":
		return nil, c.fail(ctx, jobID, reason)
	case moved != nil:
		c.queue.add(moved)
		c.hub.Announce(TopicQueue)
		return nil, nil
	}
	return offer, nil
}

// handOut stores an offer, if nothing that it rests on has changed. ErrNotFound says that the job does not wait any
// more, errRunnerChanged that the runner is another one now. A reason says that the job can run nowhere; moved is the
// job's place in the queue if it waits for other runners now.
func (c *Coordinator) handOut(ctx context.Context, o *Offer, e *runnerEntry, m *models.RunnerManager) (reason enum.FailureReason, moved *models.PendingJob, err error) {
	within := c.settings.LegacyAccept
	if m.Features["two_phase_job_commit"] {
		within = c.settings.AcceptWithin
	}
	debug := debugMode(o.Variables)
	err = c.db.Write(ctx, func(tx *models.Tx) (err error) {
		reason, moved = "", nil
		claim, err := sameRunner(tx, o.Job.ID, e, m)
		if err != nil {
			return err
		}
		reason = barred(claim.PendingDelete, claim.Archived, claim.BuildsEnabled, claim.UserState != "active")
		if reason != "" {
			return nil
		}
		if moved = movedInQueue(claim); moved != nil {
			return tx.MovePending(moved)
		}
		if !e.match.takes(claim.Pending) { // it was moved since the mirror saw it
			moved = claim.Pending
			return nil
		}
		if claimed, err := tx.Dequeue(o.Job.ID); err != nil || !claimed {
			return errors.Join(err, models.ErrNotFound)
		}
		return tx.CreateHandOut(&models.HandOut{
			JobID: o.Job.ID, ProjectID: o.Project.ID, RunnerID: e.runner.ID, ManagerID: m.ID,
			SharedRunner: e.runner.Type == enum.InstanceRunner, CancelGracefully: m.Features["cancel_gracefully"], DebugMode: &debug,
			TokenHash: secret.Hash(o.Token), Timeout: o.Timeout, ExpiresAt: tx.Now().Add(within),
		})
	})
	return reason, moved, err
}

// sameRunner reads what decides about a claim. It is errRunnerChanged if the runner or its machine is not what its request
// was judged by, and ErrNotFound if the job does not wait any more.
func sameRunner(tx *models.Tx, jobID int64, e *runnerEntry, m *models.RunnerManager) (*models.Claim, error) {
	now, err := tx.RunnerToClaim(e.runner.ID) // first: whoever changes the runner waits from here on
	if errors.Is(err, models.ErrNotFound) {
		return nil, errRunnerChanged
	}
	if err != nil {
		return nil, err
	}
	claim, err := tx.Claim(jobID, e.runner.ID, m.ID)
	if err != nil {
		return nil, err
	}
	if !unchanged(now, e.runner) || expired(now, tx.Now()) || !claim.Machine || now.Type == enum.ProjectRunner && !claim.Assigned {
		return nil, errRunnerChanged
	}
	return claim, nil
}

// unchanged says whether a row of a runner is what it was.
func unchanged(now, before *models.Runner) bool { return reflect.DeepEqual(now, before) }

// movedInQueue is the place of a waiting job if its project does not stand where it stood when the job was queued, or
// lets other runners in; nil if nothing moved.
func movedInQueue(claim *models.Claim) *models.PendingJob {
	w := *claim.Pending
	w.Traversal, w.SharedRunners, w.GroupRunners = claim.Traversal, claim.SharedRunners, claim.GroupRunners
	if w.Traversal == claim.Pending.Traversal && w.SharedRunners == claim.Pending.SharedRunners && w.GroupRunners == claim.Pending.GroupRunners {
		return nil
	}
	return &w
}

// barred names why the jobs of a project or of a user can be given to nobody; "" if they can.
func barred(deleting, archived, builds, blocked bool) enum.FailureReason {
	switch {
	case deleting:
		return enum.ProjectDeleted
	case archived:
		return "archived_failure"
	case !builds:
		return enum.BuildsDisabled
	case blocked:
		return enum.UserBlocked
	}
	return ""
}

// asBefore says whether a held request can go on waiting after its runner was announced as changed.
func (e *runnerEntry) asBefore(now *runnerEntry, systemID string) bool {
	return unchanged(now.runner, e.runner) && slices.Equal(now.match.projects, e.match.projects) && now.managers[systemID] != nil
}
