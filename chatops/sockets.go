package chatops

import (
	"context"

	"signalbox/models"
	"signalbox/models/enum"
)

// SocketIntegrations are the integrations that listen over a connection of their own, by id; the instance's app has none, and stands at 0.
func (s *Service) SocketIntegrations(ctx context.Context) (map[int64]*models.ChatIntegration, error) {
	out := map[int64]*models.ChatIntegration{}
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		rows, err := tx.SocketIntegrations()
		for _, in := range rows {
			if !in.AppToken.Empty() {
				out[in.ID] = in
			}
		}
		if err != nil {
			return err
		}
		app, err := slackApp(tx)
		if err == nil && app.Enabled && app.AppToken != "" {
			out[0] = &models.ChatIntegration{Chat: enum.SlackApp, UpdatedAt: app.UpdatedAt}
		}
		return err
	})
	return out, err
}

// AppToken opens what such a connection is opened with.
func (s *Service) AppToken(ctx context.Context, in *models.ChatIntegration) (string, error) {
	if in.Chat == enum.SlackApp {
		app, err := s.SlackApp(ctx)
		if err != nil {
			return "", err
		}
		return s.keys.OpenText(placeAppToken, app.AppToken)
	}
	return s.keys.Open(in.Place("app_token"), in.AppToken)
}

// Poster is how chats are called.
func (s *Service) Poster() Poster { return s.post }
