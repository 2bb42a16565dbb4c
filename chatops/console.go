package chatops

import (
	"context"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Give takes a command from signalbox's own endpoint, as the authenticated user, and returns it with its
// acknowledgement if that came in time. The reply is read from the command.
func (s *Service) Give(ctx context.Context, a access.Actor, p *models.Project, text, channel string) (*models.ChatCommand, error) {
	if len(text) > maxText {
		return nil, fault.New(fault.Invalid, "the command is too long")
	}
	row := &models.ChatCommand{
		ProjectID: p.ID, Chat: enum.Console, DeliveryKey: "console:" + secret.NewToken(""), ChannelName: channel, ChatUserID: a.User.Username,
		ChatUserName: a.User.Username, UserID: &a.User.ID, Text: text, State: enum.CommandAccepted,
	}
	wake, stop := s.hub.Subscribe(topic(row.DeliveryKey))
	defer stop()
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		row.ID = 0
		return s.accept(tx, row)
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.wait(ctx, row.DeliveryKey, wake); err != nil {
		return nil, err
	}
	return s.byKey(ctx, row.DeliveryKey)
}
