// Package tasks runs durable effects: what a transaction caused and must happen after it, at least once,
// across restarts. Handlers are registered by kind; each must bear to run twice. A task that fails again and again is
// given up: it is kept, with its last error, until somebody lets it run once more or drops it.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"signalbox/models"
)

// Handler does one task. An error means that it runs again later, after a growing pause.
type Handler func(ctx context.Context, t *models.Task) error

// Later is an error that asks for the next try at a given time, and counts as no failure: how often it may be is for the
// handler to bound. Without a reason nothing is wrong: the task goes on then.
type Later struct {
	At     time.Time
	Reason error
	Unsure bool // it is not known whether something was done: the next try finds its task marked so
}

func (l *Later) Error() string {
	if l.Reason == nil {
		return ""
	}
	return l.Reason.Error()
}

// Runner claims due tasks and runs them. Any number of nodes may have one.
type Runner struct {
	db      *models.DB
	log     *slog.Logger
	kinds   map[string]*kind
	lanes   []*lane
	working sync.WaitGroup
	claims  claims
}

// lane is a lane's handlers.
type lane struct {
	lane  models.Lane
	wake  chan struct{}
	slots chan struct{}
	mu    sync.Mutex
	runs  map[[2]string]int // tasks that run now, by kind and share
	tasks map[int64]string  // the same by id, with their kind
}

// handlers are how many tasks of each lane run at a time. Calls of others, and commands, which may read files from elsewhere,
// mostly wait and cost little; there are enough of them that what one project waits for leaves others their part (shares).
var handlers = map[models.Lane]int{models.LaneInner: 8, models.LaneOutside: 18, models.LaneCommands: 18}

const (
	// hold is how long a claimed task is nobody else's. It is renewed while its handler works, so that the
	// tasks of a node that was killed are soon somebody's again.
	hold      = 15 * time.Second
	most      = time.Minute // that a handler may take
	batch     = 16
	slowTick  = 2 * time.Second // finds tasks whose wake-up was lost
	firstWait = 2 * time.Second
	longest   = time.Hour
)

// NewRunner makes a runner of the given handlers.
func NewRunner(db *models.DB, log *slog.Logger) *Runner {
	r := &Runner{db: db, log: log, kinds: map[string]*kind{}}
	for l, n := range handlers {
		r.lanes = append(r.lanes, &lane{lane: l, wake: make(chan struct{}, 1), slots: make(chan struct{}, n), runs: map[[2]string]int{}, tasks: map[int64]string{}})
	}
	return r
}

// Handle registers who does a kind of task. It must not be called once Run has begun.
func (r *Runner) Handle(name string, h Handler, options ...Option) {
	k := &kind{do: h, tries: DefaultTries, within: most}
	for _, o := range options {
		o(k)
	}
	r.kinds[name] = k
}

// Wake looks for due tasks soon. It is called after the commit that stored one.
func (r *Runner) Wake() {
	for _, l := range r.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Run works until the context ends, then waits for the handlers under way.
func (r *Runner) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, l := range r.lanes {
		loops.Go(func() { r.run(ctx, l) })
	}
	loops.Wait()
	r.working.Wait()
}

func (r *Runner) run(ctx context.Context, l *lane) {
	tick := time.NewTicker(slowTick)
	defer tick.Stop()
	for {
		more, err := r.runOnce(ctx, l)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "tasks cannot be claimed", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-tick.C:
		}
	}
}

// runOnce starts what is due, at most a batch, and says whether there may be more. Without due tasks it
// writes nothing.
func (r *Runner) runOnce(ctx context.Context, l *lane) (more bool, err error) {
	var due []string
	names := slices.Sorted(maps.Keys(r.kinds))
	err = r.db.Read(ctx, func(tx *models.Tx) error {
		due, err = tx.DueKinds(l.lane, names)
		return err
	})
	if err != nil || len(due) == 0 {
		return false, err
	}
	free, err := l.free(ctx)
	if err != nil {
		return false, err
	}
	var claimed []*models.Task
	unstored := r.claims.unstored()
	err = r.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.ReturnTasks(unstored); err != nil {
			return err
		}
		claimed, err = tx.ClaimTasks(l.lane, r.shares(l, due), min(batch, free), hold)
		return err
	})
	if err != nil {
		return false, err
	}
	r.claims.ended(unstored...)
	for _, t := range claimed {
		r.claims.add(t)
		l.slots <- struct{}{} // it is free: nobody else takes one
		l.count(t, 1)
		r.working.Go(func() {
			defer func() {
				l.count(t, -1)
				<-l.slots
				select {
				case l.wake <- struct{}{}: // what waited for a share of this kind may be due
				default:
				}
			}()
			r.do(ctx, t)
		})
	}
	return len(claimed) == min(batch, free), nil
}

// free waits until a task can be started at once, and says how many can: what is claimed is worked on from then on.
func (l *lane) free(ctx context.Context) (int, error) {
	select {
	case l.slots <- struct{}{}:
		<-l.slots
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return max(1, cap(l.slots)-len(l.slots)), nil
}

func (r *Runner) do(ctx context.Context, t *models.Task) {
	k, stopped := r.kinds[t.Kind], ctx
	err := k.spent(t)
	if err == nil {
		err = r.call(ctx, k, t)
	}
	// The outcome is stored even while the node shuts down, or the task would run again for nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var later *Later
	var store error
	switch failed := err != nil && !errors.As(err, &later) && stopped.Err() == nil; {
	case failed && k.last(t):
		store = r.giveUp(ctx, k, t, err)
	default:
		store = r.store(ctx, t, err, failed)
	}
	if store != nil {
		r.log.ErrorContext(ctx, "outcome of a task cannot be stored", "kind", t.Kind, "task", t.ID, "error", store)
		r.claims.fail(t)
		return
	}
	r.claims.ended(t)
}

// store notes how a run ended.
func (r *Runner) store(ctx context.Context, t *models.Task, err error, failed bool) error {
	if err != nil && err.Error() != "" {
		r.log.WarnContext(ctx, "task will be tried again", "kind", t.Kind, "task", t.ID, "failures", t.Failures, "error", err)
	}
	return r.db.Write(ctx, func(tx *models.Tx) error {
		if err == nil {
			return tx.DoneTask(t.ID)
		}
		var later *Later
		unsure := errors.As(err, &later) && later.Unsure
		return tx.PostponeTask(t, nextTry(tx.Now(), t.Failures+t.Deaths+1, err), err.Error(), failed, unsure)
	})
}

// call runs the handler; its panic is an error like any other.
func (r *Runner) call(ctx context.Context, k *kind, t *models.Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(ctx, "task panicked", "kind", t.Kind, "task", t.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	go r.renew(ctx, cancel, t)
	return k.do(ctx, t)
}

// renew keeps a task claimed while its handler works. A handler whose claim is lost is stopped.
func (r *Runner) renew(ctx context.Context, cancel context.CancelFunc, t *models.Task) {
	tick := time.NewTicker(hold / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		held := false
		err := r.db.Write(ctx, func(tx *models.Tx) (err error) {
			held, err = tx.HoldTask(t, hold)
			return err
		})
		if err == nil && !held {
			cancel()
			return
		}
	}
}
