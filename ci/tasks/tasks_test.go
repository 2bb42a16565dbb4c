package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/ci/tasks"
	"signalbox/models"
	"signalbox/models/modelstest"
)

// run works on tasks until the test ends.
func run(t *testing.T, db *models.DB, register func(r *tasks.Runner)) *tasks.Runner {
	t.Helper()
	r := tasks.NewRunner(db, slog.New(slog.DiscardHandler))
	register(r)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return r
}

func add(t *testing.T, db *models.DB, list ...*models.Task) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *models.Tx) error {
		for _, one := range list {
			if err := tx.AddTask(one); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never came true", what)
		}
	}
}

func troubled(t *testing.T, db *models.DB) (rows []*models.Task) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *models.Tx) (err error) {
		rows, err = tx.TroubledTasks(100)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestATaskThatFailsForEver is given up after its tries, which whoever waits for it is told of; a panic is a failure like any
// other. It can be retried and dropped.
func TestATaskThatFailsForEver(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		var runs, told atomic.Int32
		key := "one"
		r := run(t, db, func(r *tasks.Runner) {
			r.Handle("broken", func(context.Context, *models.Task) error {
				if runs.Add(1)%2 == 0 {
					panic("no key opens it")
				}
				return errors.New("no key opens it")
			}, tasks.Tries(2), tasks.GivenUp(func(_ context.Context, _ *models.Task, reason error) error {
				if !strings.Contains(reason.Error(), "no key opens it") {
					t.Errorf("told of %v", reason)
				}
				told.Add(1)
				return nil
			}))
		})
		add(t, db, &models.Task{Kind: "broken", Key: &key})
		r.Wake()
		givenUp := func() bool {
			r.Wake()
			rows := troubled(t, db)
			if len(rows) == 1 && rows[0].GaveUpAt == nil { // its pause need not be waited for
				if err := db.Write(t.Context(), func(tx *models.Tx) error { return tx.DueNow(key) }); err != nil {
					t.Fatal(err)
				}
			}
			return len(rows) == 1 && rows[0].GaveUpAt != nil
		}
		until(t, "given up", givenUp)
		if runs.Load() != 2 || told.Load() != 1 {
			t.Errorf("%d runs, told %d times", runs.Load(), told.Load())
		}
		id := troubled(t, db)[0].ID
		if err := r.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		until(t, "given up again", func() bool { return givenUp() && told.Load() == 2 })
		add(t, db, &models.Task{Kind: "broken", Key: &key}) // the same effect is wanted anew
		until(t, "given up a third time", func() bool { return givenUp() && told.Load() == 3 })
		if err := r.Drop(t.Context(), id); err != nil || len(troubled(t, db)) != 0 {
			t.Errorf("%v; %d are left", err, len(troubled(t, db)))
		}
		if told.Load() != 3 {
			t.Error("who was told already is told again")
		}
		if err := r.Drop(t.Context(), id); !errors.Is(err, models.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestATaskThatGoesOn for days is not given up for what failed now and then: each run that goes well begins anew.
func TestATaskThatGoesOn(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		key := "follows"
		var runs atomic.Int32
		r := run(t, db, func(r *tasks.Runner) {
			r.Handle("follows", func(context.Context, *models.Task) error {
				switch n := runs.Add(1); {
				case n == 8:
					return nil
				case n%2 == 1:
					return errors.New("the chat is away for a moment")
				}
				return &tasks.Later{At: db.Now()}
			}, tasks.Tries(2))
		})
		add(t, db, &models.Task{Kind: "follows", Key: &key})
		until(t, "done", func() bool {
			if err := db.Write(t.Context(), func(tx *models.Tx) error { return tx.DueNow(key) }); err != nil {
				t.Fatal(err)
			}
			r.Wake()
			for _, row := range troubled(t, db) {
				if row.GaveUpAt != nil {
					t.Fatalf("given up after %d runs", runs.Load())
				}
			}
			return runs.Load() == 8
		})
	})
}

// TestATaskThatKillsItsNode is not run for ever.
func TestATaskThatKillsItsNode(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		add(t, db, &models.Task{Kind: "killer"})
		kinds := []models.KindShare{{Kind: "killer", AtMost: 1, EachAtMost: 1}}
		for i := range 5 { // nodes claim it and are gone before they renew their claim
			err := db.Write(t.Context(), func(tx *models.Tx) error {
				claimed, err := tx.ClaimTasks(models.LaneInner, kinds, 1, -time.Second)
				if err == nil && len(claimed) != 1 {
					t.Errorf("claim %d: %d tasks", i, len(claimed))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var told atomic.Bool
		r := run(t, db, func(r *tasks.Runner) {
			r.Handle("killer", func(context.Context, *models.Task) error {
				t.Error("it runs once more")
				return nil
			}, tasks.GivenUp(func(context.Context, *models.Task, error) error { told.Store(true); return nil }))
		})
		until(t, "given up", func() bool {
			r.Wake()
			rows := troubled(t, db)
			return len(rows) == 1 && rows[0].GaveUpAt != nil && rows[0].Deaths == 5 && told.Load()
		})
	})
}

// TestATaskThatOutlastsOrderlyStops is not given up for them, however many there are; it is told that it may have done something.
func TestATaskThatOutlastsOrderlyStops(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		add(t, db, &models.Task{Kind: "long"})
		end := make(chan struct{})
		var runners sync.WaitGroup
		defer func() {
			close(end)
			runners.Wait()
		}()
		for i := range 7 {
			begun := make(chan bool, 1)
			r := tasks.NewRunner(db, slog.New(slog.DiscardHandler))
			r.Handle("long", func(_ context.Context, task *models.Task) error {
				begun <- task.Unsure
				<-end // it does not hear that its node stops
				return &tasks.Later{At: db.Now()}
			}, tasks.GivenUp(func(_ context.Context, _ *models.Task, reason error) error {
				t.Errorf("given up: %v", reason)
				return nil
			}))
			ctx, cancel := context.WithCancel(context.Background())
			runners.Go(func() { r.Run(ctx) })
			select {
			case unsure := <-begun:
				if unsure != (i > 0) {
					t.Errorf("run %d: unsure %v", i, unsure)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("run %d does not begin", i)
			}
			cancel()
			if err := r.GiveBack(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := db.ReleaseTasks(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rows := troubled(t, db); len(rows) != 0 {
				t.Fatalf("stop %d: %+v", i, rows[0])
			}
		}
	})
}

// TestKindsHaveShares: neither a crowd of one kind nor one project's crowd keeps others waiting.
func TestKindsHaveShares(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		var list []*models.Task
		for i := range 200 {
			list = append(list, &models.Task{Kind: "hook", Share: "1", Payload: fmt.Sprint(i)})
		}
		add(t, db, list...)
		may := make(chan struct{})
		var hooks, ofOther, pushes atomic.Int32
		r := run(t, db, func(r *tasks.Runner) {
			r.Handle("hook", func(_ context.Context, task *models.Task) error {
				if task.Share == "2" {
					ofOther.Add(1)
					return nil
				}
				hooks.Add(1)
				<-may
				return nil
			})
			r.Handle("push", func(context.Context, *models.Task) error {
				pushes.Add(1)
				return nil
			})
		})
		defer func() { close(may) }()
		r.Wake()
		until(t, "hooks running", func() bool { return hooks.Load() == 3 })
		for range 20 {
			add(t, db, &models.Task{Kind: "push"}, &models.Task{Kind: "hook", Share: "2"})
		}
		r.Wake()
		until(t, "pushes done", func() bool { return pushes.Load() == 20 && ofOther.Load() == 20 })
		if n := hooks.Load(); n != 3 {
			t.Errorf("%d hooks of one project ran at a time", n)
		}
	})
}

// TestAClockThatIsSet while a task runs does not run it twice: the claim of a task ends by the database's clock, which on one node
// is the node's own.
func TestAClockThatIsSet(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		var ahead atomic.Int64
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		db := modelstest.Open(t, o)
		may := make(chan struct{})
		var long, short atomic.Int32
		r := run(t, db, func(r *tasks.Runner) {
			r.Handle("send", func(_ context.Context, task *models.Task) error {
				if task.Payload == "short" {
					short.Add(1)
					return nil
				}
				if long.Add(1) == 1 {
					<-may
				}
				return nil
			})
		})
		add(t, db, &models.Task{Kind: "send", Payload: "long"})
		r.Wake()
		until(t, "the long one runs", func() bool { return long.Load() == 1 })
		ahead.Store(int64(time.Hour))
		for n := range int32(3) { // whoever claims these would claim it, too
			add(t, db, &models.Task{Kind: "send", Payload: "short"})
			r.Wake()
			until(t, "a short one ran", func() bool { return short.Load() == n+1 })
		}
		close(may)
		until(t, "all are done", func() bool {
			left := false
			if err := db.Read(t.Context(), func(tx *models.Tx) (err error) { left, err = tx.TasksLeft(); return err }); err != nil {
				t.Fatal(err)
			}
			return !left
		})
		if n := long.Load(); n != 1 {
			t.Errorf("it ran %d times", n)
		}
	})
}
