package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// given is a command with all that it is about.
type given struct {
	command     *models.ChatCommand
	integration *models.ChatIntegration // nil: of our own endpoint, or it was removed
	project     *models.Project
	user        *models.User
	tries       int // of its task that failed, were this one to fail
}

// pressed says whether a button gave the command.
func (g *given) pressed() bool { return g.command.TriggerWord == buttonTrigger }

func (g *given) actor() access.Actor { return access.Actor{User: g.user} }

// run does the task of a command. It may run twice: what a command does, and that it was done, is stored by one transaction.
func (s *Service) run(ctx context.Context, t *models.Task) error {
	id, err := commandOf(t)
	if err != nil {
		return err
	}
	g := &given{tries: t.Failures + 1}
	err = s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if g.command, err = tx.Command(id); err != nil {
			return err
		}
		if g.project, err = tx.Project(g.command.ProjectID); err != nil {
			return err
		}
		if g.command.IntegrationID != nil {
			if g.integration, err = tx.IntegrationOf(g.command); err != nil && !errors.Is(err, models.ErrNotFound) {
				return err
			}
		}
		g.user, err = tx.User(*g.command.UserID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && g.command.State != enum.CommandAccepted {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.act(ctx, g)
	var wait *needsApproval
	if errors.As(err, &wait) {
		return s.waitForApproval(ctx, g, wait)
	}
	if errors.Is(err, errOver) {
		return nil
	}
	if reason := s.refusal(ctx, err, g); reason != "" {
		if passing(fault.KindOf(err)) && said(err) == "" {
			s.log.ErrorContext(ctx, "a command is given up", "command", g.command.ID, "tries", g.tries, "error", err)
		}
		var wrong *InputsError
		fillable := errors.As(err, &wrong)
		return s.end(ctx, g.command, func(fresh *models.ChatCommand) {
			fresh.State, fresh.Refusal, fresh.Fillable = enum.CommandRefused, reason, fillable
		})
	}
	return err
}

// commandOf is the command that a task is about.
func commandOf(t *models.Task) (int64, error) {
	var p struct{ Command int64 }
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil || p.Command == 0 {
		return 0, fmt.Errorf("payload %q of a command", t.Payload)
	}
	return p.Command, nil
}

// act does what a command asks for.
func (s *Service) act(ctx context.Context, g *given) error {
	a, ok := Parse(g.command.Text)
	if !ok {
		text := "The specified command is not valid."
		if near := meantVerbs(g.command.Text); len(near) > 0 {
			text += " Did you mean `" + strings.Join(near, "` or `") + "`?"
		}
		return s.refuse(ctx, g.command, text+"\n"+s.help(g))
	}
	if g.user.Blocked() {
		return fault.New(fault.Forbidden, "your account is blocked")
	}
	switch {
	case a.Command != 0:
		return s.judge(ctx, g, a)
	case a.Verb == Cancel || a.Verb == Approve || a.Verb == Reject:
		return s.control(ctx, g, a)
	}
	switch a.Verb {
	case Run:
		return s.start(ctx, g, a)
	case Deploy:
		return s.deploy(ctx, g, a)
	case Jobs:
		return s.listJobs(ctx, g, a)
	case Retry, Status, Logs, Watch, Start:
		return s.control(ctx, g, a)
	}
	if a.Name != "" {
		return s.helpOf(ctx, g, a)
	}
	return s.tell(ctx, g.command, s.help(g))
}

// telling is an answer to the asker alone, which ends a command.
func telling(text string) func(*models.ChatCommand) {
	return func(c *models.ChatCommand) { c.State, c.Acknowledgement, c.Reply = enum.CommandReplied, text, &text }
}

// announcing is an answer to everyone in the channel, which ends a command.
func announcing(text string) func(*models.ChatCommand) {
	return func(c *models.ChatCommand) {
		c.State, c.Acknowledgement, c.Reply, c.InChannel = enum.CommandReplied, text, &text, true
	}
}

// tell ends a command that changed nothing with an answer to the asker alone.
func (s *Service) tell(ctx context.Context, c *models.ChatCommand, text string) error {
	return s.end(ctx, c, telling(text))
}

// refuse ends a command with a reason.
func (s *Service) refuse(ctx context.Context, c *models.ChatCommand, reason string) error {
	return s.end(ctx, c, func(fresh *models.ChatCommand) { fresh.State, fresh.Refusal = enum.CommandRefused, reason })
}

// end ends a command, unless another try did.
func (s *Service) end(ctx context.Context, c *models.ChatCommand, change func(*models.ChatCommand)) error {
	err := s.db.Write(ctx, func(tx *models.Tx) error { return s.endWithin(tx, c.ID, change) })
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// endWithin ends a command in the transaction that does what it asks for, so that it is done once and what is said of it is
// stored with it. errOver undoes what another try did.
func (s *Service) endWithin(tx *models.Tx, id int64, change func(*models.ChatCommand)) error {
	fresh, err := openCommand(tx, id)
	if err != nil {
		return err
	}
	now := tx.Now()
	change(fresh)
	fresh.FinishedAt = &now
	tx.AfterCommit(func() { s.changed(fresh) })
	if err := s.lateAnswer(tx, fresh); err != nil {
		return err
	}
	return tx.UpdateCommand(fresh)
}

// openCommand is a command that no try has ended, or errOver.
func openCommand(tx *models.Tx, id int64) (*models.ChatCommand, error) {
	c, err := tx.Command(id)
	if err == nil && c.State != enum.CommandAccepted {
		err = errOver
	}
	return c, err
}

// lateAfter is when an answer that did not go out with the chat's request is sent on its own.
const lateAfter = 5 * time.Second

// announcedByBot says whether everyone learns of a press by a message of the bot's: the answer to the press is for whoever
// pressed alone, and it names no address for others.
func announcedByBot(c *models.ChatCommand) bool {
	return c.Chat != enum.Console && c.TriggerWord == buttonTrigger && c.InChannel && c.ResponseURL.Empty()
}

// lateAnswer stores a task that sends the answer, should the chat's request have ended without it.
func (s *Service) lateAnswer(tx *models.Tx, c *models.ChatCommand) error {
	if c.ResponseURL.Empty() && !c.Deferred && !announcedByBot(c) {
		return nil
	}
	at := tx.Now()
	if !c.Deferred && !announcedByBot(c) {
		at = at.Add(lateAfter)
	}
	key := fmt.Sprintf("%s:%d", taskAcknowledge, c.ID)
	tx.AfterCommit(s.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: taskAcknowledge, Lane: models.LaneOutside, Share: tasks.ShareOf(c.ProjectID), Key: &key, Payload: payload(c.ID), RunAt: at})
}
