package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGather(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		size, limit int
		want        error
	}{{0, 10, nil}, {10, 10, nil}, {11, 10, ErrTooLarge}, {memory - 1, 0, nil}, {memory, 0, nil}, {3*memory + 5, 0, nil}, {2 * memory, 2 * memory, nil}, {2*memory + 1, 2 * memory, ErrTooLarge}} {
		text := bytes.Repeat([]byte("x1"), tc.size/2+1)[:tc.size]
		r, err := Gather(dir, bytes.NewReader(text), int64(tc.limit))
		if err != tc.want {
			t.Errorf("%+v: %v", tc, err)
		}
		if err != nil {
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%+v: %d bytes, %v", tc, len(got), err)
		}
		r.Close()
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// slow takes what it is given when it may.
type slow struct {
	may chan struct{}
	got bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	if _, ok := <-s.may; !ok {
		return s.got.Write(p)
	}
	return s.got.Write(p)
}

func TestOutletLetsItsWriterGo(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/nowhere"} { // without room on the disk the writer waits for the reader
		s := &slow{may: make(chan struct{})}
		o := NewOutlet(t.Context(), dir, 1<<20, s)
		if dir == "/nowhere" {
			close(s.may)
		}
		text := strings.Repeat("0123456789", 100_000)
		if n, err := io.WriteString(o, text); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
		if dir != "/nowhere" {
			close(s.may)
		}
		if n, err := io.WriteString(o, text+text); n != 2*len(text) || err != nil { // around the ring
			t.Fatal(n, err)
		}
		if err := o.Close(); err != nil || s.got.String() != text+text+text {
			t.Errorf("%d bytes, %v", s.got.Len(), err)
		}
	}
}

func TestOutletEndsWithAReaderThatStalls(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{may: make(chan struct{})}
		o := NewOutlet(t.Context(), dir, 1<<20, s)
		go func() { // 32 KB in ten seconds
			for range 100 {
				time.Sleep(10 * time.Second)
				select {
				case s.may <- struct{}{}:
				default:
				}
			}
			close(s.may)
		}()
		began := time.Now()
		_, err := o.Write(make([]byte, 4<<20))
		if took := time.Since(began); !errors.Is(err, ErrStalled) || took > 2*leastEach {
			t.Errorf("%v after %s", err, took)
		}
		if err := o.Close(); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
	})
	synctest.Test(t, func(t *testing.T) {
		s := &slow{may: make(chan struct{})}
		ctx, cancel := context.WithCancelCause(t.Context())
		o := NewOutlet(ctx, dir, 1<<20, s)
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := o.Write(make([]byte, 4<<20)); !errors.Is(err, gone) {
			t.Error(err)
		}
		close(s.may)
		if err := o.Close(); !errors.Is(err, gone) {
			t.Error(err)
		}
	})
}
