package chatops

import (
	"context"
	"errors"

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
