package chatops

import (
	"context"
	"errors"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// linkTime is how long a page that links a chat user is good.
const linkTime = 10 * time.Minute

var errLink = fault.New(fault.NotFound, "This page was used before, or its 10 minutes are over. Give the command again to get a new one.")

// Link finds what a one-time page is about: the chat user, and the project whose commands it is for.
func (s *Service) Link(ctx context.Context, token string) (l *models.ChatLink, p *models.Project, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if l, err = linkOf(tx, token, false); err != nil {
			return err
		}
		in, err := tx.IntegrationByID(l.IntegrationID)
		if err != nil {
			return err
		}
		p, err = tx.Project(in.ProjectID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, nil, errLink
	}
	return l, p, err
}

// Connect links the chat user of a one-time page to a signed-in user. The page is used up, whatever is
// decided.
func (s *Service) Connect(ctx context.Context, token string, u *models.User, agree bool) (l *models.ChatLink, err error) {
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		if l, err = linkOf(tx, token, false); err != nil {
			return err
		}
		in, err := tx.IntegrationByID(l.IntegrationID)
		if err != nil {
			return err
		}
		first, err := tx.UseLink(l.ID)
		if err != nil {
			return err
		}
		if !first {
			return models.ErrNotFound
		}
		if !agree {
			return nil
		}
		err = tx.SaveIdentity(&models.ChatIdentity{
			UserID: u.ID, IntegrationID: l.IntegrationID, Chat: l.Chat, TeamID: l.TeamID, TeamDomain: l.TeamDomain, ChatUserID: l.ChatUserID,
			ChatUserName: l.ChatUserName, Credential: in.Credential,
		})
		if err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &u.ID, Action: "chat_identity_linked", EntityType: "user", EntityID: u.ID, Details: string(l.Chat) + " " + l.TeamID + "/" + l.ChatUserID})
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, errLink
	}
	return l, err
}

// linkOf finds a one-time page of one of the two kinds.
func linkOf(tx *models.Tx, token string, confirms bool) (*models.ChatLink, error) {
	l, err := tx.Link(secret.Hash(token))
	if err == nil && (l.Confirms != nil) != confirms {
		return nil, models.ErrNotFound
	}
	return l, err
}

// Disconnect ends the link of a user's chat account.
func (s *Service) Disconnect(ctx context.Context, by access.Actor, id int64) error {
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteIdentity(by.User.ID, id); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &by.User.ID, Action: "chat_identity_unlinked", EntityType: "user", EntityID: by.User.ID, IPAddress: by.IP})
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.NotFound, "There is no such chat account.")
	}
	return err
}
