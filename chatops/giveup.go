package chatops

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// strikes counts how often tasks failed in a row, other than by having to wait.
type strikes struct {
	mu    sync.Mutex
	tasks map[int64]int
}

// add counts one more failure.
func (s *strikes) add(task int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks == nil || len(s.tasks) >= maxPlaces {
		s.tasks = map[int64]int{}
	}
	s.tasks[task]++
	return s.tasks[task]
}

func (s *strikes) forget(task int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, task)
}

const (
	replyTries  = 15 // some forty minutes
	sealedTries = 3  // what no key opens now is not opened later
	// endWithin bounds what ends a task that was given up, whose own time may be over.
	endWithin = 10 * time.Second
)

// bounded is a handler whose task is given up after so many failures that nobody expected, a panic among them. What waits for
// somebody else's server is waited for longer. end lets what the task was for end in a state that people see.
func (s *Service) bounded(most int, h tasks.Handler, end func(ctx context.Context, t *models.Task, cause error) error) tasks.Handler {
	return func(ctx context.Context, t *models.Task) error {
		err := s.guarded(ctx, h, t)
		var later *tasks.Later
		if err == nil || errors.As(err, &later) {
			s.strikes.forget(t.ID)
			return err
		}
		n := s.strikes.add(t.ID)
		sealed := errors.Is(err, secret.ErrSealed) && n >= sealedTries
		passing := fault.KindOf(err) == fault.Unavailable
		if !sealed && (passing || n < most) && s.db.Now().Sub(t.CreatedAt) < patience {
			return err
		}
		s.log.ErrorContext(ctx, "task is given up", "kind", t.Kind, "task", t.ID, "payload", t.Payload, "tries", n, "error", err)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		if end != nil {
			if err := end(ctx, t, err); err != nil {
				return err // it is ended at the next try
			}
		}
		s.strikes.forget(t.ID)
		return nil
	}
}

// guarded makes an error of a panic.
func (s *Service) guarded(ctx context.Context, h tasks.Handler, t *models.Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "panic in a task", "kind", t.Kind, "task", t.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h(ctx, t)
}

// endRun refuses a command whose task was given up.
func (s *Service) endRun(ctx context.Context, t *models.Task, _ error) error {
	id, err := commandOf(t)
	if err != nil {
		return nil // it names no command
	}
	return notThere(s.refuse(ctx, &models.ChatCommand{ID: id}, unexpected(id, mostTries)))
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
	reason := "an error in signalbox itself; administrators find it in the log"
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
