package chatops

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// confirmTime is how long a page that confirms commands is good.
const confirmTime = 3 * time.Minute

var errConfirm = fault.New(fault.NotFound, "The slash command verification request has expired. Please run the command again.")

// unconfirmed refuses a command of somebody who is known, because what proves requests was changed since: whoever changed it
// could speak for everybody else. The linked user confirms the change on a page first (CVE-2023-5356; facts: chatops 1.2).
func (s *Service) unconfirmed(tx *models.Tx, in *models.ChatIntegration, c Command, row *models.ChatCommand, identity *models.ChatIdentity) (Answer, error) {
	now := tx.Now()
	row.State, row.Refusal, row.Answered, row.FinishedAt = enum.CommandRefused, "the integration's secret was changed, and its user has not confirmed that", true, &now
	if err := tx.CreateCommand(row); err != nil {
		return Answer{}, err
	}
	p, err := tx.Project(in.ProjectID)
	if err != nil {
		return Answer{}, err
	}
	token := secret.NewToken("")
	l := &models.ChatLink{
		TokenHash: secret.Hash(token), IntegrationID: in.ID, Chat: c.Chat, TeamID: c.Workspace, TeamDomain: c.WorkspaceDomain, ChatUserID: c.UserID,
		ChatUserName: c.UserName, Confirms: &identity.ID, ChannelID: c.ChannelID, ExpiresAt: now.Add(confirmTime),
	}
	if c.ResponseURL != "" {
		l.ResponseURL = s.keys.Seal(l.Place(), c.ResponseURL)
	}
	if err := tx.CreateLink(l); err != nil {
		return Answer{}, err
	}
	where := fmt.Sprintf("%s/%s/-/integrations/slash_commands?command_id=%s", s.ci.URL(), p.FullPath, token)
	return Answer{Text: "To ensure the highest security standards, we verify the source of all slash commands.\n\n" +
		"Please confirm the request by accessing [this link](" + where + ") through a web browser.\n\n" +
		"Upon successful validation, you're granted access to slash commands."}, nil
}

// Confirmation finds what a page that confirms is about. Only the linked user may see it.
func (s *Service) Confirmation(ctx context.Context, token string, u *models.User) (l *models.ChatLink, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		l, _, err = confirmationOf(tx, token, u)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, errConfirm
	}
	return l, err
}

func confirmationOf(tx *models.Tx, token string, u *models.User) (*models.ChatLink, *models.ChatIdentity, error) {
	l, err := linkOf(tx, token, true)
	if err != nil {
		return nil, nil, err
	}
	identity, err := tx.IdentityByID(*l.Confirms)
	if err == nil && identity.UserID != u.ID {
		err = fault.New(fault.Forbidden, "The slash command request is invalid.")
	}
	return l, identity, err
}

// Confirm lets commands of the linked user through again. It gives the address in the chat that the command came from.
func (s *Service) Confirm(ctx context.Context, token string, by access.Actor) (back string, err error) {
	var l *models.ChatLink
	var in *models.ChatIntegration
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		var identity *models.ChatIdentity
		if l, identity, err = confirmationOf(tx, token, by.User); err != nil {
			return err
		}
		if in, err = tx.IntegrationByID(l.IntegrationID); err != nil {
			return err
		}
		if first, err := tx.UseLink(l.ID); err != nil || !first {
			return errors.Join(err, models.ErrNotFound)
		}
		if err := tx.ConfirmIdentity(identity.ID, in.Credential); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "chat_identity_confirmed", EntityType: "user", EntityID: by.User.ID,
			Details: string(l.Chat) + " " + l.TeamID + "/" + l.ChatUserID, IPAddress: by.IP,
		})
	})
	if errors.Is(err, models.ErrNotFound) {
		return "", errConfirm
	}
	if err != nil {
		return "", err
	}
	address, err := s.keys.Open(l.Place(), l.ResponseURL)
	if err == nil && address != "" && s.allowedHost(in, address) == nil {
		s.confirmed(ctx, in, address)
	}
	return backTo(l, address), nil
}

// confirmed tells the chat, in the place of the question; that it did not get there changes nothing.
func (s *Service) confirmed(ctx context.Context, in *models.ChatIntegration, address string) {
	m := Message{Kind: Notice, Replaces: true, Text: "You've successfully verified! You now have access to slash commands. Thanks for helping ensure security!"}
	if err := s.chats[in.Chat].Respond(ctx, s.post, Target{Handle: address}, m); err != nil {
		s.log.InfoContext(ctx, "a chat was not told of a confirmation", "integration", in.ID, "error", err)
	}
}

// backTo is the address of the channel in the chat's own program.
func backTo(l *models.ChatLink, responseURL string) string {
	if l.Chat == enum.Slack || l.Chat == enum.SlackApp {
		return "slack://channel?" + url.Values{"team": {l.TeamID}, "id": {l.ChannelID}}.Encode()
	}
	if u, err := url.Parse(responseURL); err == nil && l.Chat == enum.Mattermost && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && l.TeamDomain != "" {
		return (&url.URL{Scheme: u.Scheme, Host: u.Host}).JoinPath(l.TeamDomain, "channels", l.ChannelID).String()
	}
	return ""
}
