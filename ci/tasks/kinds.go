package tasks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"signalbox/models"
)

// kind is what is known of a kind of tasks.
type kind struct {
	do      Handler
	tries   int           // runs that may fail
	within  time.Duration // that one run may take
	atMost  int           // of them at a time in a lane; 0: all but a quarter of its handlers
	givenUp func(ctx context.Context, t *models.Task, reason error) error
}

// Option says something of a kind of tasks.
type Option func(*kind)

// Tries is how many runs of a task may fail before it is given up.
func Tries(n int) Option { return func(k *kind) { k.tries = n } }

// Within is how long one run may take, instead of a minute.
func Within(d time.Duration) Option { return func(k *kind) { k.within = d } }

// AtMost is how many tasks of the kind run at a time.
func AtMost(n int) Option { return func(k *kind) { k.atMost = n } }

// GivenUp is called when a task of the kind is given up, or dropped by an administrator, so that whatever waits for it comes
// to an end that people see. Like a handler it must bear to run twice. A task whose end cannot be told is tried once more,
// a few times; then it is given up nonetheless.
func GivenUp(f func(ctx context.Context, t *models.Task, reason error) error) Option {
	return func(k *kind) { k.givenUp = f }
}

const (
	// DefaultTries are over after about half a day.
	DefaultTries = 20
	// maxDeaths is in how many runs of a task its node may end: the task may be why.
	maxDeaths = 5
	// endTries is how often whoever waits for a task is told of its end.
	endTries = 3
)

// spent says why a task is not run once more, if it may not be.
func (k *kind) spent(t *models.Task) error {
	switch {
	case t.Deaths >= maxDeaths:
		return fmt.Errorf("%d times the node ended while the task ran", t.Deaths)
	case t.Failures >= k.tries:
		return errors.New(t.LastError)
	}
	return nil
}

// last says whether a run that failed was the last one.
func (k *kind) last(t *models.Task) bool { return t.Deaths >= maxDeaths || t.Failures+1 >= k.tries }

// giveUp tells whoever waits for a task that it is given up, and keeps it with that state.
func (r *Runner) giveUp(ctx context.Context, k *kind, t *models.Task, reason error) error {
	if err := r.tell(ctx, k, t, reason); err != nil {
		r.log.ErrorContext(ctx, "the end of a task cannot be told", "kind", t.Kind, "task", t.ID, "reason", reason, "error", err)
		if t.Failures+1 < k.tries+endTries {
			return r.db.Write(ctx, func(tx *models.Tx) error {
				return tx.PostponeTask(t, nextTry(tx.Now(), t.Failures+1-k.tries, reason), reason.Error(), true, false)
			})
		}
	}
	r.log.ErrorContext(ctx, "task is given up", "kind", t.Kind, "task", t.ID, "failures", t.Failures+1, "deaths", t.Deaths, "error", reason)
	return r.db.Write(ctx, func(tx *models.Tx) error { return tx.GiveUpTask(t, reason.Error()) })
}

func (r *Runner) tell(ctx context.Context, k *kind, t *models.Task, reason error) (err error) {
	if k == nil || k.givenUp == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return k.givenUp(ctx, t, reason)
}

// Drop removes a task that does not run, after whoever waits for it was told. It is refused with models.ErrNotFound if the
// task runs or is gone.
func (r *Runner) Drop(ctx context.Context, id int64) error {
	var t *models.Task
	err := r.db.Read(ctx, func(tx *models.Tx) (err error) {
		t, err = tx.Task(id)
		return err
	})
	if err != nil {
		return err
	}
	if t.GaveUpAt == nil {
		if err := r.tell(ctx, r.kinds[t.Kind], t, errors.New("an administrator dropped it")); err != nil {
			return err
		}
	}
	return r.db.Write(ctx, func(tx *models.Tx) error {
		if gone, err := tx.DropTask(id); err != nil || gone {
			return err
		}
		return models.ErrNotFound
	})
}

// Retry lets a task run at once, as if it had never failed. It is refused with models.ErrNotFound if the task runs or is gone.
func (r *Runner) Retry(ctx context.Context, id int64) error {
	return r.db.Write(ctx, func(tx *models.Tx) error {
		tx.AfterCommit(r.Wake)
		if found, err := tx.RetryTask(id); err != nil || found {
			return err
		}
		return models.ErrNotFound
	})
}

// ShareOf is the share of a project in the handlers of a kind, so that what one has to wait for holds up no other.
func ShareOf(project int64) string { return fmt.Sprint("project ", project) }

// shares are what each kind may take of a lane now. One kind leaves a quarter of the handlers to the others, and one share,
// such as a project, half of what its kind has.
func (r *Runner) shares(l *lane, kinds []string) (list []models.KindShare) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range kinds {
		k := r.kinds[name]
		s := models.KindShare{Kind: name, AtMost: k.atMost, RunningShares: map[string]int{}}
		if s.AtMost == 0 {
			s.AtMost = max(1, cap(l.slots)-cap(l.slots)/4)
		}
		s.EachAtMost = max(1, s.AtMost/2)
		for of, n := range l.runs {
			if of[0] != name {
				continue
			}
			s.Running += n
			s.RunningShares[of[1]] = n
			if of[1] != "" && n >= s.EachAtMost {
				s.Busy = append(s.Busy, of[1])
			}
		}
		for id, of := range l.tasks {
			if of == name {
				s.Working = append(s.Working, id)
			}
		}
		list = append(list, s)
	}
	return list
}

func (l *lane) count(t *models.Task, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > 0 {
		l.tasks[t.ID] = t.Kind
	} else {
		delete(l.tasks, t.ID)
	}
	of := [2]string{t.Kind, t.Share}
	if l.runs[of] += n; l.runs[of] == 0 {
		delete(l.runs, of)
	}
}

// nextTry is when a task that failed runs again: after a pause that doubles with every failure, with some jitter.
func nextTry(now time.Time, failures int, err error) time.Time {
	var later *Later
	if errors.As(err, &later) {
		return later.At
	}
	wait := min(longest, firstWait<<min(max(failures-1, 0), 12))
	return now.Add(wait/2 + rand.N(wait/2+1))
}
