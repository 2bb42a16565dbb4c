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
	if errors.Is(err, models.ErrNotFound) || err == nil && (c.Answered || c.Reply != nil && c.PipelineID != nil && !s.traits(c).AnswerDue) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := s.notice(ctx, c)
	if err != nil {
		return err
	}
	if err := s.deliver(ctx, s.trying(t), c.ID, m, false); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.MarkAnswered(c.ID) })
}

// noticeOf is the answer to a command as a message.
func noticeOf(c *models.ChatCommand, a Answer) Message {
	m := Message{Kind: Notice, ChatUserID: c.ChatUserID, Text: a.Text, Late: true}
	if a.InChannel {
		m.Kind = Announced
	}
	return m
}

// notice is the answer to a command as a message, with the button that opens a form if it has one.
func (s *Service) notice(ctx context.Context, c *models.ChatCommand) (Message, error) {
	m := noticeOf(c, s.fitted(ctx, c, answerOf(c)))
	if !c.Fillable {
		return m, nil
	}
	_, in, err := s.commandWith(ctx, c.ID)
	if err == nil && in != nil {
		m.Buttons = s.withForm(in, answerOf(c)).Buttons
	}
	return m, err
}

// deliver sends a message to the chat of a command: in the place of the one that lives there, to its response address while
// that serves, with the bot's token after that. The outcome is recorded on the command when the message is its reply.
func (s *Service) deliver(ctx context.Context, t try, commandID int64, m Message, reply bool) error {
	t.mark(&m, fmt.Sprint("to ", commandID))
	c, in, err := s.commandWith(ctx, commandID)
	if err != nil {
		return err
	}
	if reply {
		if behind, err := s.behind(ctx, c); err != nil {
			return err
		} else if behind {
			return s.inTurn(ctx, c)
		}
	}
	if free, err := s.claim(ctx, c, in); err != nil {
		return err
	} else if !free {
		return &tasks.Later{At: s.db.Now().Add(time.Second)}
	}
	err = s.sendInTurn(ctx, c, in, m)
	s.release(ctx, c, in)
	var again *tasks.Later
	if errors.As(err, &again) {
		if reason := again.Error(); reason != "" {
			if err := s.note(ctx, c.ID, reason); err != nil {
				return err
			}
		}
		return waiting(again)
	}
	if !reply {
		return nil // a notice that cannot be sent stands on the command's page
	}
	return s.record(ctx, c.ID, err)
}

// sendInTurn sends once it is its turn in the channel.
func (s *Service) sendInTurn(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, m Message) error {
	var to Target
	if in != nil && c.Chat != enum.Console {
		var err error
		if to, err = s.targetOf(c, in); err != nil {
			return err
		}
	}
	return s.through(ctx, in, to, m.Key, false, func(ctx context.Context) error { return s.send(ctx, c, in, m) })
}

// commandWith reads a command and its integration, nil if that was removed.
func (s *Service) commandWith(ctx context.Context, id int64) (c *models.ChatCommand, in *models.ChatIntegration, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if c, err = tx.Command(id); err != nil || c.IntegrationID == nil {
			return err
		}
		if in, err = tx.IntegrationOf(c); errors.Is(err, models.ErrNotFound) {
			err = nil
		}
		return err
	})
	return c, in, err
}

// claimTime is how long a message may take to be sent; a node that was killed holds it no longer.
const claimTime = 20 * time.Second

// claim lets one task at a time speak for a command that a message follows, so that a reply is never overwritten by how its job stood before.
func (s *Service) claim(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration) (free bool, err error) {
	if !s.followed(c, in) {
		return true, nil
	}
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		if free, err = tx.ClaimCommand(c.ID, claimTime); err != nil || !free {
			return err
		}
		fresh, err := tx.Command(c.ID)
		if err == nil {
			*c = *fresh
		}
		return err
	})
	return free, err
}

func (s *Service) release(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration) {
	if !s.followed(c, in) {
		return
	}
	err := s.db.Write(context.WithoutCancel(ctx), func(tx *models.Tx) error { return tx.ReleaseCommand(c.ID) })
	if err != nil {
		s.log.WarnContext(ctx, "a command is held for a while", "command", c.ID, "error", err)
	}
}

// undeliverable says that a message cannot reach the chat any more; expired that only time is to blame.
type undeliverable struct {
	expired bool
	reason  string
}

func (u *undeliverable) Error() string { return u.reason }

// targetOf opens what is sealed: where messages of a command go.
func (s *Service) targetOf(c *models.ChatCommand, in *models.ChatIntegration) (Target, error) {
	t := Target{Workspace: c.TeamID, Channel: c.ChannelID, Thread: c.Thread, User: c.ChatUserID, Server: in.ServerURL, App: in.ApplicationID}
	var err error
	if t.Handle, err = s.keys.Open(c.Place(), c.ResponseURL); err != nil {
		return t, &undeliverable{reason: "the response address cannot be read: " + err.Error()}
	}
	if t.Bot, err = s.botToken(in); err != nil {
		return t, &undeliverable{reason: "the bot token cannot be read: " + err.Error()}
	}
	if u, err := url.Parse(t.Handle); t.Server == "" && err == nil && u.Host != "" && s.allowedHost(in, t.Handle) == nil {
		t.Server = u.Scheme + "://" + u.Host
	}
	return t, nil
}

// send tries once. nil means that the chat has the message, or needs none.
func (s *Service) send(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, m Message) error {
	if c.Chat == enum.Console {
		return nil
	}
	if in == nil || !in.Active {
		return &undeliverable{reason: "the integration was removed or switched off"}
	}
	m.KeepANSI, m.ActionURL = in.KeepANSI, s.actionURL(in)
	to, err := s.targetOf(c, in)
	if err != nil {
		return err
	}
	if m.Private != "" {
		if err := s.whisper(ctx, c, in, to, m); err != nil {
			return err
		}
		if m.Output == "" && m.Text == "" && len(m.Rich) == 0 {
			return nil
		}
	}
	if m.Ends() {
		if err := s.settle(ctx, c, in, to, m); err != nil {
			return err
		}
	}
	if c.MessageID != "" && to.Bot != "" && m.Ends() {
		err := s.tried(ctx, c, enum.PostEdit, viaBot, s.chats[c.Chat].Update(ctx, s.post, to, c.MessageID, m))
		var refused *Refused
		if !errors.As(err, &refused) {
			return s.outcome(c, err)
		}
		// It was deleted, or the chat does not take the reply in its place: the reply is a message of its own.
		if err := s.db.Write(ctx, func(tx *models.Tx) error { return tx.ShowCommand(c.ID, c.MessageID, shownElsewhere) }); err != nil {
			return err
		}
	}
	if m.Kind == Waits && s.followed(c, in) {
		err := s.waiting(ctx, c, to, m)
		var gone *undeliverable
		if !errors.As(err, &gone) {
			return err
		}
	}
	gone := s.byHandle(ctx, c, in, to, m)
	var again *tasks.Later
	if gone == nil || errors.As(gone, &again) || to.Bot == "" {
		return gone
	}
	return s.byBot(ctx, c, to, m)
}

// byHandle posts to the response address, while it serves.
func (s *Service) byHandle(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, to Target, m Message) error {
	now, traits := s.db.Now(), s.chats[c.Chat].Traits()
	closes := c.CreatedAt.Add(traits.Window)
	switch {
	case to.Handle == "":
		return &undeliverable{reason: "the chat named no address for the reply"}
	case !now.Before(closes):
		return &undeliverable{expired: true, reason: fmt.Sprintf("the chat takes replies for %d minutes only, and the integration has no bot token", int(traits.Window.Minutes()))}
	case traits.Uses > 0 && c.Posts >= traits.Uses:
		return &undeliverable{expired: true, reason: fmt.Sprintf("the chat takes %d posts a command only, and the integration has no bot token", traits.Uses)}
	}
	if err := s.allowedHost(in, to.Handle); err != nil {
		return &undeliverable{reason: fault.Message(err)}
	}
	if m.Kind != Notice {
		m.Buttons = nil // of the bot's messages alone
	}
	m.Asked = "" // it stands beside the answer to the command
	if traits.AnswerDue && !c.Answered && !m.Late {
		if err := s.answerFirst(ctx, c, in, to); err != nil {
			return err
		}
	}
	err := s.chats[c.Chat].Respond(ctx, s.post, to, m)
	if err == nil {
		c.Posts++
		return s.db.Write(ctx, func(tx *models.Tx) error {
			return errors.Join(tx.CountPost(c.ID), tx.AddChatPost(&models.ChatPost{CommandID: c.ID, Kind: m.postKind(), Via: viaAddress, Outcome: enum.PostDelivered}))
		})
	}
	s.tried(ctx, c, m.postKind(), viaAddress, err)
	var refused *Refused
	if errors.As(err, &refused) {
		return &undeliverable{expired: refused.Over, reason: err.Error()}
	}
	if errors.Is(err, errBlocked) {
		return &undeliverable{reason: err.Error()}
	}
	var busy *Busy
	wait := time.Duration(0)
	if errors.As(err, &busy) {
		wait = busy.After
	}
	return &tasks.Later{At: next(now, closes, wait, c), Reason: err}
}

// answerFirst sends the answer to a command before anything else that the command is about.
func (s *Service) answerFirst(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, to Target) error {
	m, err := s.notice(ctx, c)
	if err != nil {
		return err
	}
	if err := s.byHandle(ctx, c, in, to, m); err != nil {
		return err
	}
	c.Answered = true
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.MarkAnswered(c.ID) })
}

// traits are what the chat of a command can do; that of our own endpoint can do nothing.
func (s *Service) traits(c *models.ChatCommand) Traits {
	if chat, ok := s.chats[c.Chat]; ok {
		return chat.Traits()
	}
	return Traits{}
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
func (s *Service) byBot(ctx context.Context, c *models.ChatCommand, to Target, m Message) error {
	if m.Kind == Notice {
		return s.outcome(c, s.tried(ctx, c, m.postKind(), viaBot, s.chats[c.Chat].Whisper(ctx, s.post, to, m)))
	}
	_, err := s.posted(ctx, c, to, m)
	return s.outcome(c, err)
}

// patience is how long a chat that is down is waited for.
const patience = 24 * time.Hour

// outcome tells errors that end a delivery from those after which it is tried again.
func (s *Service) outcome(c *models.ChatCommand, err error) error {
	var refused *Refused
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, errBlocked):
		return &undeliverable{reason: err.Error()}
	}
	now := s.db.Now()
	if now.Sub(c.CreatedAt) > patience {
		return &undeliverable{reason: err.Error()}
	}
	var busy *Busy
	wait := time.Duration(0)
	if errors.As(err, &busy) {
		wait = busy.After
	}
	return &tasks.Later{At: next(now, now.Add(time.Hour), wait, c), Reason: err, Unsure: unsure(err)}
}

// whisper shows what is for the asker alone, once.
func (s *Service) whisper(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, to Target, m Message) error {
	if c.Whispered {
		return nil
	}
	note := Message{Kind: Notice, ChatUserID: m.ChatUserID, Output: m.Private, KeepANSI: m.KeepANSI, JobURL: m.JobURL, JobName: m.JobName, JobID: m.JobID, Since: m.Since}
	note.Key = try{key: m.Key}.part("alone")
	err := s.byHandle(ctx, c, in, to, note)
	var gone *undeliverable
	if errors.As(err, &gone) && to.Bot != "" {
		err = s.byBot(ctx, c, to, note)
	}
	if errors.As(err, &gone) {
		return s.note(ctx, c.ID, "what is for the asker alone could not be shown: "+gone.reason)
	}
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.MarkWhispered(c.ID) })
}
