package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// acknowledgeLate sends the answer to a command whose request ended without it.
func (s *Service) acknowledgeLate(ctx context.Context, t *models.Task) error {
	var p struct{ Command int64 }
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return fmt.Errorf("payload of an answer: %w", err)
	}
	var c *models.ChatCommand
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		c, err = tx.Command(p.Command)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && (c.Answered || c.Reply != nil && c.PipelineID != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.deliver(ctx, c.ID, Message{Kind: Notice, ChatUserID: c.ChatUserID, Text: answerOf(c).Text}, false); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.MarkAnswered(c.ID) })
}

// deliver sends a message to the chat of a command: to its response address while that serves, with the
// bot's token after that. The outcome is recorded on the command when the message is its reply.
func (s *Service) deliver(ctx context.Context, commandID int64, m Message, reply bool) error {
	var c *models.ChatCommand
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if c, err = tx.Command(commandID); err != nil {
			return err
		}
		if c.IntegrationID != nil {
			if in, err = tx.IntegrationByID(*c.IntegrationID); errors.Is(err, models.ErrNotFound) {
				err = nil
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	err = s.send(ctx, c, in, m)
	var again *tasks.Later
	if errors.As(err, &again) {
		if note := s.note(ctx, c.ID, again.Reason.Error()); note != nil {
			return note
		}
		return again
	}
	if !reply {
		return nil // a notice that cannot be sent stands on the command's page
	}
	return s.record(ctx, c.ID, err)
}

// undeliverable says that a message cannot reach the chat any more; expired that only time is to blame.
type undeliverable struct {
	expired bool
	reason  string
}

func (u *undeliverable) Error() string { return u.reason }

// send tries once. nil means that the chat has the message, or needs none.
func (s *Service) send(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, m Message) error {
	if c.Chat == enum.Console {
		return nil
	}
	if in == nil || !in.Active {
		return &undeliverable{reason: "the integration was removed or switched off"}
	}
	m.KeepANSI = in.KeepANSI
	address, err := s.keys.Open(c.Place(), c.ResponseURL)
	if err != nil {
		return &undeliverable{reason: "the response address cannot be read: " + err.Error()}
	}
	gone := s.byAddress(ctx, c, in, address, m)
	if gone == nil {
		return nil
	}
	var again *tasks.Later
	if errors.As(gone, &again) || in.BotToken.Empty() {
		return gone
	}
	return s.byBot(ctx, c, in, address, m)
}

// byAddress posts to the response address, which serves 30 minutes and five posts.
func (s *Service) byAddress(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, address string, m Message) error {
	now := s.db.Now()
	closes := c.CreatedAt.Add(Window)
	switch {
	case address == "":
		return &undeliverable{reason: "the chat named no address for the reply"}
	case !now.Before(closes):
		return &undeliverable{expired: true, reason: "the chat takes replies for 30 minutes only, and the integration has no bot token"}
	case c.Posts >= MaxPosts:
		return &undeliverable{expired: true, reason: "the chat takes five posts a command only, and the integration has no bot token"}
	}
	if err := s.allowedHost(in, address); err != nil {
		return &undeliverable{reason: fault.Message(err)}
	}
	body, err := s.chats[c.Chat].Render(m)
	if err != nil {
		return &undeliverable{reason: err.Error()}
	}
	res, err := s.post.send(ctx, address, "", body)
	switch {
	case err == nil && res.status < 300:
		return s.db.Write(ctx, func(tx *models.Tx) error { return tx.CountPost(c.ID) })
	case errors.Is(err, errBlocked):
		return &undeliverable{reason: err.Error()}
	case err == nil && res.status < 400:
		return &undeliverable{reason: fmt.Sprintf("the response address redirects (%d), which is not followed", res.status)}
	case err == nil && res.status < 500 && res.status != 408 && res.status != 429:
		return &undeliverable{reason: fmt.Sprintf("the response address answers %d", res.status)}
	}
	if err == nil {
		err = fmt.Errorf("the response address answers %d", res.status)
	}
	return &tasks.Later{At: next(now, closes, res.retryAfter, c), Reason: err}
}

// next spreads the tries over what is left of the window; the last one finds it closed and ends.
func next(now, closes time.Time, wait time.Duration, c *models.ChatCommand) time.Time {
	age := now.Sub(c.CreatedAt)
	wait = max(wait, min(2*time.Minute, max(2*time.Second, age/4)))
	at := now.Add(wait)
	if at.After(closes) {
		return closes
	}
	return at
}

// byBot posts with the bot's token, which has no window.
func (s *Service) byBot(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, address string, m Message) error {
	token, err := s.keys.Open(in.Place("bot_token"), in.BotToken)
	if err != nil {
		return &undeliverable{reason: "the bot token cannot be read: " + err.Error()}
	}
	origin := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" && s.allowedHost(in, address) == nil {
		origin = u.Scheme + "://" + u.Host
	}
	err = s.chats[c.Chat].Post(ctx, s.post, token, origin, c.ChannelID, c.Thread, m)
	var refused *Refused
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, errBlocked):
		return &undeliverable{reason: err.Error()}
	}
	now := s.db.Now()
	if now.Sub(c.CreatedAt) > 24*time.Hour {
		return &undeliverable{reason: err.Error()}
	}
	return &tasks.Later{At: next(now, now.Add(time.Hour), 0, c), Reason: err}
}

// note keeps the last reason for a delay where people see it.
func (s *Service) note(ctx context.Context, id int64, reason string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(id)
		if err != nil {
			return err
		}
		c.DeliveryError = reason + "; it is tried again"
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
		tx.AfterCommit(func() { s.hub.Publish(topic(c.DeliveryKey)) })
		return tx.UpdateCommand(c)
	})
}
