package limit

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestOneKeyLeavesPlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlaces(2, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		give, err := p.Take(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		var failed atomic.Int64
		for range 50 { // they wait for the place of a, and keep none of all
			go func() {
				if give, err := p.Take(ctx, "a"); err != nil {
					failed.Add(1)
				} else {
					defer give()
					<-ctx.Done()
				}
			}()
		}
		synctest.Wait()
		if p.Wanted("a") != 51 {
			t.Errorf("%d want a place of a", p.Wanted("a"))
		}
		other, err := p.Take(ctx, "b")
		if err != nil {
			t.Fatal(err)
		}
		gone := errors.New("gone")
		short, stop := context.WithCancelCause(t.Context())
		stop(gone)
		if _, err := p.Take(short, "c"); !errors.Is(err, gone) {
			t.Errorf("a place beyond all: %v", err)
		}
		give()
		give() // for nothing
		synctest.Wait()
		cancel(gone)
		synctest.Wait()
		other()
		if failed.Load() != 49 || len(p.keys) != 0 || len(p.all) != 0 {
			t.Errorf("%d failed; %d keys and %d places are left", failed.Load(), len(p.keys), len(p.all))
		}
	})
}
