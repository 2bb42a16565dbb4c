package chatops

import (
	"context"
	"errors"
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

// note keeps the last reason for a delay where people see it.
func (s *Service) note(ctx context.Context, id int64, reason string) error {
	if reason == "" {
		return nil
	}
	return s.noteFinally(ctx, id, reason+"; it is tried again")
}

// noteFinally keeps a reason where people see it.
func (s *Service) noteFinally(ctx context.Context, id int64, reason string) error {
	var c *models.ChatCommand
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		c, err = tx.Command(id)
		return err
	})
	if err != nil || c.DeliveryError == reason {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		if c, err = tx.Command(id); err != nil {
			return err
		}
		c.DeliveryError = reason
		return tx.UpdateCommand(c)
	})
}

// unended begins what the page of a command says of its message that could not be brought to its end.
const unended = "; the message of the bot may still say that it is running: "

// noteUnended adds to why a command has no reply in the chat that its message could not be brought to its end either.
func (s *Service) noteUnended(ctx context.Context, id int64, reason string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(id)
		if err != nil {
			return err
		}
		c.DeliveryError = strings.TrimPrefix(withoutUnended(c)+unended+reason, "; ")
		return tx.UpdateCommand(c)
	})
}

// noteEnded takes that back.
func (s *Service) noteEnded(ctx context.Context, id int64) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(id)
		if err != nil {
			return err
		}
		before := withoutUnended(c)
		if before == c.DeliveryError {
			return nil
		}
		c.DeliveryError = before
		return tx.UpdateCommand(c)
	})
}

func withoutUnended(c *models.ChatCommand) string {
	before, _, _ := strings.Cut("; "+c.DeliveryError, unended)
	return strings.TrimPrefix(before, "; ")
}

// record stores how the delivery of a reply ended.
func (s *Service) record(ctx context.Context, id int64, outcome error) error {
	var failed *undeliverable
	if outcome != nil && !errors.As(outcome, &failed) {
		return outcome
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(id)
		if err != nil {
			return err
		}
		now := tx.Now()
		c.State, c.DeliveryError, c.FinishedAt = enum.CommandReplied, "", &now
		if failed != nil {
			c.State, c.DeliveryError = enum.CommandUndeliverable, failed.reason
			if failed.expired {
				c.State = enum.CommandExpired
			}
		}
		tx.AfterCommit(func() { s.changed(c) })
		err = errors.Join(tx.UpdateCommand(c), s.nextInTurn(tx, c))
		if c.MessageID != "" && (failed != nil || c.Shown == shownElsewhere) {
			err = errors.Join(err, s.endLive(tx, c))
		}
		return err
	})
}
