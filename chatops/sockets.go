package chatops

import (
	"context"

	"signalbox/models"
)

// SocketIntegrations are the integrations that listen over a connection of their own, by id.
func (s *Service) SocketIntegrations(ctx context.Context) (map[int64]*models.ChatIntegration, error) {
	out := map[int64]*models.ChatIntegration{}
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		rows, err := tx.SocketIntegrations()
		for _, in := range rows {
			if !in.AppToken.Empty() {
				out[in.ID] = in
			}
		}
		return err
	})
	return out, err
}

// AppToken opens what such a connection is opened with.
func (s *Service) AppToken(in *models.ChatIntegration) (string, error) {
	return s.keys.Open(in.Place("app_token"), in.AppToken)
}

// Poster is how chats are called.
func (s *Service) Poster() Poster { return s.post }
