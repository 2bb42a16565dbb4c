package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// approvalTime is how long a command waits for approval.
const approvalTime = 24 * time.Hour

// waitForApproval stores that a command waits for others, tells the channel, and ends it should nobody come.
func (s *Service) waitForApproval(ctx context.Context, g *given, wait *needsApproval) error {
	trigger := g.command.TriggerWord
	if trigger == "" || trigger == buttonTrigger {
		trigger = ""
	} else {
		trigger += " "
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.Command(g.command.ID)
		if err != nil || fresh.State != enum.CommandAccepted {
			return err
		}
		fresh.DecidedRef, fresh.DecidedSHA = wait.ref, wait.sha // what is approved is what is run
		fresh.State, fresh.InChannel = enum.CommandWaiting, !s.followed(fresh, g.integration)
		fresh.Acknowledgement = fmt.Sprintf("%s asks to run `%s`: %d %s of somebody else %s missing. Others answer with `%sapprove command %d` or `%sreject command %d`.",
			g.user.Name, strings.Join(wait.jobs, "`, `"), wait.missing, plural(wait.missing, "approval"), isOrAre(wait.missing), trigger, fresh.ID, trigger, fresh.ID)
		tx.AfterCommit(func() { s.hub.Publish(topic(fresh.DeliveryKey)) })
		key := fmt.Sprintf("%s:%d", taskGiveUp, fresh.ID)
		err = tx.AddTask(&models.Task{Kind: taskGiveUp, Key: &key, Payload: payload(fresh.ID), RunAt: tx.Now().Add(approvalTime)})
		return errors.Join(err, s.begin(tx, fresh, g.integration), s.lateAnswer(tx, fresh), tx.UpdateCommand(fresh))
	})
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// giveUp refuses a command that nobody approved in time.
func (s *Service) giveUp(ctx context.Context, t *models.Task) error {
	var p struct{ Command int64 }
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return fmt.Errorf("payload of a command: %w", err)
	}
	return notThere(s.endWaiting(ctx, p.Command, "nobody approved it within a day"))
}

func (s *Service) endWaiting(ctx context.Context, id int64, reason string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		_, err := s.endWaitingWithin(tx, id, reason)
		return err
	})
}

// endWaitingWithin refuses a command that waits for approval; false if it does not wait.
func (s *Service) endWaitingWithin(tx *models.Tx, id int64, reason string) (bool, error) {
	waits, err := tx.WaitCommand(id, enum.CommandRefused)
	if err != nil || !waits {
		return false, err
	}
	c, err := tx.Command(id)
	if err != nil {
		return false, err
	}
	now := tx.Now()
	c.Refusal, c.FinishedAt = "Nothing was run: "+reason+".", &now
	tx.AfterCommit(func() { s.hub.Publish(topic(c.DeliveryKey)) })
	return true, tx.UpdateCommand(c)
}

// judge approves or rejects a command that waits, as somebody who may run its job but did not ask for it.
func (s *Service) judge(ctx context.Context, g *given, a Action) error {
	var waiting *models.ChatCommand
	var asker *models.User
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if waiting, err = tx.Command(a.Command); err != nil {
			return err
		}
		if waiting.ProjectID != g.project.ID || waiting.UserID == nil {
			return models.ErrNotFound
		}
		if asker, err = tx.User(*waiting.UserID); err != nil {
			return err
		}
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		if err == nil && !access.Allowed(g.actor(), access.CreatePipeline, subject.On(g.project.DefaultBranch, false)) {
			err = fault.New(fault.Forbidden, "who approves a command must be allowed to run it")
		}
		return err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return fault.New(fault.Invalid, "the project has no command %d", a.Command)
	case err != nil:
		return err
	case waiting.State != enum.CommandWaiting:
		return fault.New(fault.Invalid, "command %d does not wait for approval; it is %s", a.Command, waiting.State)
	case asker.ID == g.user.ID && a.Verb == Approve:
		return fault.New(fault.Invalid, "somebody else has to approve what you asked for")
	}
	over := fault.New(fault.Invalid, "command %d does not wait for approval any more", waiting.ID)
	if a.Verb == Reject {
		return s.db.Write(ctx, func(tx *models.Tx) error {
			if ended, err := s.endWaitingWithin(tx, waiting.ID, g.user.Name+" rejected it"); err != nil {
				return err
			} else if !ended {
				return over
			}
			return s.endWithin(tx, g.command.ID, announcing(fmt.Sprintf("%s rejected %s of %s.", g.user.Name, code(waiting.Text), asker.Name)))
		})
	}
	if err := s.mayApprove(ctx, g, waiting); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.ApproveCommand(waiting.ID, g.user.ID); err != nil {
			return err
		}
		// The command is looked at again; if approvals are missing still, it waits once more.
		if waits, err := tx.WaitCommand(waiting.ID, enum.CommandAccepted); err != nil {
			return err
		} else if !waits {
			return over
		}
		key := fmt.Sprintf("%s:%d:%d", taskRun, waiting.ID, g.user.ID)
		tx.AfterCommit(s.tasks.Wake)
		if err := tx.AddTask(&models.Task{Kind: taskRun, Lane: models.LaneCommands, Share: tasks.ShareOf(waiting.ProjectID), Key: &key, Payload: payload(waiting.ID)}); err != nil {
			return err
		}
		return s.endWithin(tx, g.command.ID, announcing(fmt.Sprintf("%s approved %s of %s.", g.user.Name, code(waiting.Text), asker.Name)))
	})
}

// mayApprove asks the rules whether the approver could run the command: a job that only some may run is approved by them alone.
func (s *Service) mayApprove(ctx context.Context, g *given, waiting *models.ChatCommand) error {
	a, ok := Parse(waiting.Text)
	if !ok {
		return nil
	}
	name, _ := a.OnRef()
	return s.db.Read(ctx, func(tx *models.Tx) error {
		rules, err := tx.ChatRules(g.project.ID)
		if err != nil {
			return err
		}
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if len(r.Who) == 0 || !access.MatchesWildcard(r.Pattern, name) && !access.MatchesWildcard(r.Pattern, a.Name) {
				continue
			}
			if in, err := ci.Granted(tx, g.user, subject.Level, r.Who); err != nil {
				return err
			} else if !in {
				return fault.New(fault.Forbidden, "a rule of the project lets you neither run nor approve %s", code(name))
			}
		}
		return nil
	})
}
