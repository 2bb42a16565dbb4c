package chatops

import (
	"context"
	"errors"

	"signalbox/internal/secret"
	"signalbox/models"
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
	reason := "an error in signalbox itself; administrators find it among the tasks"
	if errors.Is(cause, secret.ErrSealed) {
		reason = "a stored secret cannot be opened with the key of this installation"
	}
	for _, c := range waiting {
		if c.Ended() {
			continue
		}
		if err := s.record(ctx, c.ID, &undeliverable{reason: reason}); err != nil {
			return err
		}
	}
	return notThere(err)
}
