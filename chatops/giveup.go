package chatops

import (
	"context"
	"errors"

	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

const (
	replyTries = 14 // some two hours
	// sealedTries is after how many tries nobody expects any more that a secret can be opened.
	sealedTries = 3
)

// endRun refuses a command whose task was given up.
func (s *Service) endRun(ctx context.Context, t *models.Task, _ error) error {
	id, err := commandOf(t)
	if err != nil {
		return nil // it names no command
	}
	return notThere(s.refuse(ctx, &models.ChatCommand{ID: id}, unexpected(id, max(1, t.Failures))))
}

// endWait refuses a command that nobody may approve any more, because the task that watches over its time was given up.
func (s *Service) endWait(ctx context.Context, t *models.Task, _ error) error {
	id, err := commandOf(t)
	if err != nil {
		return nil // it names no command
	}
	return notThere(s.endWaiting(ctx, id, "an error in signalbox itself kept it from being approved"))
}

// endAnswer says of a command whose answer could not be sent where that stands.
func (s *Service) endAnswer(ctx context.Context, t *models.Task, _ error) error {
	id, err := commandOf(t)
	if err != nil {
		return nil // it names no command
	}
	return notThere(s.noteFinally(ctx, id, "the answer was not sent: an error in signalbox itself"))
}

// sealed says whether an error is that of a secret that no key opens, and comes again.
func sealed(t *models.Task, err error) bool {
	return errors.Is(err, secret.ErrSealed) && t.Failures+1 >= sealedTries
}

// endReply says of the commands that wait for the reply of a task that was given up that none comes.
func (s *Service) endReply(ctx context.Context, t *models.Task, cause error) error {
	var waiting []*models.ChatCommand
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		id, err := repliedPipeline(tx, t)
		if err == nil {
			waiting, err = tx.CommandsByPipeline(id)
		}
		return err
	})
	reason := inItself
	if errors.Is(cause, secret.ErrSealed) {
		reason = "a stored secret cannot be opened with the key of this installation"
	}
	for _, c := range waiting {
		if c.State == enum.CommandSilent {
			if err := s.endSilent(ctx, c.ID); err != nil {
				return err
			}
		}
		if c.Ended() {
			continue
		}
		if err := s.record(ctx, c.ID, &undeliverable{reason: reason}); err != nil {
			return err
		}
	}
	return notThere(err)
}

// inItself is why something was not shown that no chat kept from being shown.
const inItself = "an error in signalbox itself; administrators find it among the tasks"

// endShown ends the message that follows a command whose task was given up: a message that says that a job is running would say so
// for ever. Of a command that goes on its page says that the message does not follow any more; its reply comes all the same.
func (s *Service) endShown(ctx context.Context, t *models.Task, _ error) error {
	id, err := commandOf(t)
	if err != nil {
		return nil // it names no command
	}
	c, in, err := s.commandWith(ctx, id)
	if err != nil {
		return notThere(err)
	}
	if !c.Ended() {
		return notThere(s.noteFinally(ctx, id, "the bot does not show any more how the job is: "+inItself))
	}
	if m := s.atTheEnd(ctx, c); m != nil {
		return notThere(s.sayLast(ctx, c, in, *m))
	}
	return nil // its reply took the place of the message
}

// endSilent ends the message that follows a command whose job says nothing, should nothing else have ended it.
func (s *Service) endSilent(ctx context.Context, id int64) error {
	c, in, err := s.commandWith(ctx, id)
	if err != nil {
		return notThere(err)
	}
	m := Message{Kind: Progress, ChatUserID: c.ChatUserID, JobName: "Command", JobID: c.ID, JobURL: s.commandURL(ctx, c), Text: "is done"}
	return s.sayLast(ctx, c, in, m)
}

// sayLast edits the message that follows a command once more, as text alone. Where that fails the command's page says so.
func (s *Service) sayLast(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, m Message) error {
	switch {
	case c.MessageID == "" || c.Chat == enum.Console:
		return nil // nobody saw one
	case in == nil || !in.Active || !in.HasBot():
		return s.noteUnended(ctx, c.ID, "its bot was removed or switched off")
	}
	to, err := s.targetOf(c, in)
	if err != nil {
		return s.noteUnended(ctx, c.ID, err.Error())
	}
	m = m.Plainly()
	err = s.tried(ctx, c, enum.PostEdit, viaBot, s.chats[c.Chat].Update(ctx, s.post, to, c.MessageID, m))
	if err == nil {
		return s.noteEnded(ctx, c.ID)
	}
	var refused *Refused
	if noted := s.noteUnended(ctx, c.ID, err.Error()); noted != nil || errors.As(err, &refused) {
		return noted
	}
	return err // it is tried again a few times
}
