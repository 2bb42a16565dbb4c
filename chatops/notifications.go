package chatops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// notifiedOf are the ends that a channel can be told of.
var notifiedOf = []string{string(enum.Success), string(enum.Failed), string(enum.Canceled)}

// CheckNotification tidies a notification and says all that is wrong with it, by field; nil if nothing is.
func (s *Service) CheckNotification(n *models.ChatNotification) fault.Fields {
	wrong := fault.Fields{}
	say := func(field, text string) { wrong[field] = append(wrong[field], text) }
	if n.Chat == enum.Console || s.chats[n.Chat] == nil {
		say("chat", "is not a chat that can be told of something")
	}
	switch n.Channel = strings.TrimSpace(n.Channel); {
	case n.Channel == "":
		say("channel", "can't be blank")
	case strings.HasPrefix(n.Channel, "#"), strings.ContainsFunc(n.Channel, unicode.IsSpace), len(n.Channel) > 255:
		say("channel", "must be the channel's id, not its name")
	}
	if !n.Pipelines && !n.Jobs {
		say("events", "must name pipeline or job")
	}
	statuses := []string{}
	for _, status := range n.Statuses {
		if !slices.Contains(notifiedOf, status) {
			say("statuses", "must be success, failed or canceled")
		} else if !slices.Contains(statuses, status) {
			statuses = append(statuses, status)
		}
	}
	n.Statuses = statuses
	if n.Branches = strings.TrimSpace(n.Branches); len(n.Branches) > 255 {
		say("branches", "is too long (maximum is 255 characters)")
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// SaveNotification stores which channel is told of what.
func (s *Service) SaveNotification(ctx context.Context, by access.Actor, n *models.ChatNotification) error {
	if wrong := s.CheckNotification(n); wrong != nil {
		return wrong
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		all, err := tx.ChatNotifications(n.ProjectID)
		if err != nil {
			return err
		}
		if n.ID == 0 && len(all) >= maxRules {
			return fault.New(fault.Invalid, "a project has at most %d notifications", maxRules)
		}
		if err := tx.SaveChatNotification(n); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "chat_notification_saved", EntityType: "project", EntityID: n.ProjectID, Details: string(n.Chat) + " " + n.Channel, IPAddress: by.IP,
		})
	})
}

// RemoveNotification tells a channel no more.
func (s *Service) RemoveNotification(ctx context.Context, by access.Actor, n *models.ChatNotification) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteChatNotification(n.ID); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "chat_notification_removed", EntityType: "project", EntityID: n.ProjectID, Details: string(n.Chat) + " " + n.Channel, IPAddress: by.IP,
		})
	})
}

// inItsWorkspace gives an integration of the instance's Slack app the bot with which it may write by itself, unasked by a command: of
// the workspace that it is connected to, or of the only one there is. Whoever keeps a project could name any workspace; so it must be one
// that an administrator opened for all projects, or one where that keeper, or an administrator, proved to be at home.
func inItsWorkspace(tx *models.Tx, in *models.ChatIntegration) error {
	if in.Chat != enum.SlackApp {
		return nil
	}
	all, err := tx.SlackWorkspaces()
	if err != nil {
		return err
	}
	var open []*models.SlackWorkspace
	for _, w := range all {
		if w.Shared && (in.TeamID == "" || w.TeamID == in.TeamID) || in.TeamID == w.TeamID && in.TeamProved {
			open = append(open, w)
		}
	}
	if in.Workspace = nil; len(open) == 1 {
		in.Workspace = open[0]
	}
	return nil
}

// testPost sends a message to a channel as the bot of an integration, and says why it did not arrive.
func (s *Service) testPost(ctx context.Context, in *models.ChatIntegration, channel, text string) error {
	if err := s.db.Read(ctx, func(tx *models.Tx) error { return inItsWorkspace(tx, in) }); err != nil {
		return err
	}
	to, err := Target{Channel: channel, Server: in.ServerURL, App: in.ApplicationID}, error(nil)
	if to.Bot, err = s.botToken(in); err != nil {
		return err
	}
	switch {
	case to.Bot == "" && in.Chat == enum.SlackApp:
		return fault.New(fault.Invalid, "A message to a channel takes a bot: install the instance's Slack app in the workspace first.")
	case to.Bot == "":
		return fault.New(fault.Invalid, "A message to a channel takes a bot token; save one first.")
	}
	if _, err := s.chats[in.Chat].Post(ctx, s.post, to, Message{Kind: Announced, Text: text}); err != nil {
		return fault.New(fault.Unprocessable, "The message did not reach the channel: %s", err)
	}
	return nil
}

// TestNotification sends a message to the channel of a notification; nil if the chat took it, else why it did not.
func (s *Service) TestNotification(ctx context.Context, by access.Actor, p *models.Project, n *models.ChatNotification) error {
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		in, err = tx.Integration(p.ID, n.Chat)
		return err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return fault.New(fault.Invalid, "The project is not connected to this chat; connect it first.")
	case err != nil:
		return err
	case !in.Active:
		return fault.New(fault.Invalid, "The connection to this chat is switched off; nothing is sent until it is on.")
	}
	return s.testPost(ctx, in, n.Channel, fmt.Sprintf("This channel is told of results of [%s](%s/%s); %s tried it.", p.FullPath, s.ci.URL(), p.FullPath, by.User.Name))
}
