package chatops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// Defer takes a command whose request cannot carry the answer: that is sent on its own.
func (s *Service) Defer(ctx context.Context, in *models.ChatIntegration, c Command) error {
	c.Deferred = true
	a, err := s.Receive(ctx, in, c)
	if err != nil || a.Text == "" {
		return err
	}
	row, _ := s.byKey(ctx, c.DeliveryKey) // without it nothing is noted
	return s.tellAlone(ctx, in, c, row, a.Text)
}

// tellAlone shows a text to whoever gave a command. row is the command's record, if it has one.
func (s *Service) tellAlone(ctx context.Context, in *models.ChatIntegration, c Command, row *models.ChatCommand, text string) error {
	to, err := s.placeOf(in, c)
	if err != nil {
		return err
	}
	m := Message{Kind: Notice, ChatUserID: c.UserID, Text: text}
	switch {
	case to.Handle != "" && s.allowedHost(in, to.Handle) == nil:
		return s.tried(ctx, row, enum.PostAnswer, viaAddress, s.chats[in.Chat].Respond(ctx, s.post, to, m))
	case to.Bot != "":
		return s.tried(ctx, row, enum.PostAnswer, viaBot, s.chats[in.Chat].Whisper(ctx, s.post, to, m))
	}
	return &Refused{Reason: "the chat named no address for the answer, and there is no bot token"}
}

// TellStranger shows a text to whoever pressed a button of no integration, through the address that came with the press.
func (s *Service) TellStranger(ctx context.Context, chat enum.Chat, address string, m Message) error {
	if address == "" || s.allowedHost(&models.ChatIntegration{Chat: chat}, address) != nil {
		return ErrNoIntegration
	}
	return s.chats[chat].Respond(ctx, s.post, Target{Handle: address}, m)
}

// placeOf is where a command came from.
func (s *Service) placeOf(in *models.ChatIntegration, c Command) (to Target, err error) {
	to = Target{Handle: c.ResponseURL, Workspace: c.Workspace, Channel: c.ChannelID, Thread: c.Thread, User: c.UserID, Server: in.ServerURL, App: in.ApplicationID}
	to.Bot, err = s.botToken(in)
	return to, err
}

// askWithin is how long a chat lets a press open a form, less the way to us.
const askWithin = 2500 * time.Millisecond

// Ask shows a form to whoever pressed, in a chat that is called for that. The error is one for people to read.
func (s *Service) Ask(ctx context.Context, in *models.ChatIntegration, c Command, trigger string, f Form) error {
	chat, ok := optional[Asker](s, in.Chat)
	if !ok {
		return fmt.Errorf("%s shows no forms", in.Chat)
	}
	to, err := s.placeOf(in, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	err = chat.Ask(ctx, s.post, to, trigger, f)
	if err == nil {
		return nil
	}
	var refused *Refused
	var busy *Busy
	reason := "the chat did not answer in time"
	if errors.As(err, &refused) || errors.As(err, &busy) {
		reason = err.Error()
	}
	s.log.WarnContext(ctx, "a form cannot be shown", "project", in.ProjectID, "chat", in.Chat, "error", err)
	return fault.New(fault.Invalid, "The form cannot be shown: %s. Press again, or give the command with its arguments.", reason)
}

// TellOf shows a text to whoever pressed, where the answer to the press cannot.
func (s *Service) TellOf(ctx context.Context, in *models.ChatIntegration, c Command, text string) error {
	return s.tellAlone(ctx, in, c, nil, text)
}
