package limit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := NewLocal(time.Second, 3)
		use := func(key string) (n int) {
			for l.Allow(ctx, key) {
				n++
			}
			return n
		}
		if n := use("a"); n != 3 {
			t.Errorf("%d at once", n)
		}
		time.Sleep(2 * time.Second)
		if n := use("a"); n != 2 {
			t.Errorf("%d after two seconds", n)
		}
		l.Return(ctx, "a")
		if n := use("a"); n != 1 {
			t.Errorf("%d after one was taken back", n)
		}
		l.Reset(ctx, "a")
		if n := use("a"); n != 3 {
			t.Errorf("%d after it was forgotten", n)
		}
		l.Return(ctx, "nobody")
		use("guessed")
		time.Sleep(time.Second / 2)
		for i := range 2 * maxKeys {
			l.Allow(ctx, fmt.Sprint(i))
		}
		if len(l.keys) > maxKeys {
			t.Errorf("%d keys", len(l.keys))
		}
	})
}
