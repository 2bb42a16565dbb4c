package chatops

import (
	"context"
	"math/rand/v2"
	"time"

	"signalbox/ci/tasks"
	"signalbox/models"
)

// turnWithin is after what time a reply that waits for another one looks by itself whether it is its turn, at the latest. It is
// told when it is.
const turnWithin = 2 * time.Minute

// inTurn lets a reply wait for those before it.
func (s *Service) inTurn(ctx context.Context, c *models.ChatCommand) error {
	if err := s.note(ctx, c.ID, "a reply before it in this channel could not be sent yet"); err != nil {
		return err
	}
	return &tasks.Later{At: s.db.Now().Add(turnWithin/2 + rand.N(turnWithin/2))}
}

// behind says whether a reply must wait: a chat that was down gets what it missed in order.
func (s *Service) behind(ctx context.Context, c *models.ChatCommand) (waits bool, err error) {
	if c.IntegrationID == nil {
		return false, nil
	}
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		waits, err = tx.ReplyWaits(c)
		return err
	})
	return waits, err
}

// nextInTurn tells the reply that waits for one that has ended.
func (s *Service) nextInTurn(tx *models.Tx, c *models.ChatCommand) error {
	if c.IntegrationID == nil {
		return nil
	}
	next, err := tx.NextReply(c)
	if err != nil || next.DeliveryError == "" {
		return notThere(err)
	}
	tx.AfterCommit(s.tasks.Wake)
	return tx.ReplyNow(*next.PipelineID)
}
