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
		r, err := NewDisk(dir, 0, 0).Gather("a", bytes.NewReader(text), int64(tc.limit))
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

func nobody() bool { return false }

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
		o := NewDisk(dir, 0, 0).NewOutlet(t.Context(), "a", 1<<20, nobody, s)
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
		o := NewDisk(dir, 0, 0).NewOutlet(t.Context(), "a", 1<<20, nobody, s)
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
		if took := time.Since(began); !errors.Is(err, ErrStalled) || took > 2*grace {
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
		o := NewDisk(dir, 0, 0).NewOutlet(ctx, "a", 1<<20, nobody, s)
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

// TestTheDiskIsBounded: bodies beyond a client's share and beyond all are refused, answers go on without the disk, and all of it
// is given back.
func TestTheDiskIsBounded(t *testing.T) {
	d := NewDisk(t.TempDir(), 8<<20, 4<<20)
	gather := func(client string, size int) (io.ReadCloser, error) {
		return d.Gather(client, bytes.NewReader(make([]byte, size)), 0)
	}
	first, err := gather("a", 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gather("a", 2<<20); !errors.Is(err, ErrNoRoom) {
		t.Errorf("beyond a client's share: %v", err)
	}
	if !d.Room("a") || d.by["a"] != 3<<20 {
		t.Errorf("%d bytes of a", d.by["a"])
	}
	second, err := gather("b", 4<<20)
	if err != nil || d.Room("b") || d.Share("b") || !d.Share("c") {
		t.Errorf("another client's: %v", err)
	}
	if _, err := gather("c", 2<<20); !errors.Is(err, ErrNoRoom) {
		t.Errorf("beyond all: %v", err)
	}
	var got bytes.Buffer
	text := bytes.Repeat([]byte("0123456789"), 300_000)
	o := d.NewOutlet(t.Context(), "b", 64<<20, nobody, &got)
	if _, err := o.Write(text); err != nil {
		t.Error(err)
	}
	if err := errors.Join(o.Close(), first.Close(), second.Close()); err != nil || !bytes.Equal(got.Bytes(), text) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	if d.used != 0 || len(d.by) != 0 {
		t.Errorf("%d bytes are kept, of %v", d.used, d.by)
	}
}

// paced is a client that takes so many bytes a second.
type paced struct {
	rate int
	got  int
}

func (p *paced) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(p.rate))
	p.got += len(b)
	return len(b), nil
}

// TestOutletAsksForSpeedWhileItHoldsWhatOthersNeed: a place for which somebody waits, or a disk of which most is taken.
func TestOutletAsksForSpeedWhileItHoldsWhatOthersNeed(t *testing.T) {
	const slowly, fast, large = 40 << 10, 400 << 10, 40 << 20
	for name, tc := range map[string]struct {
		rate   int
		ring   int64
		room   int64 // 0: no bound
		wanted bool
		cut    bool
	}{
		"nobody waits":                       {slowly, 1 << 20, 0, false, false},
		"somebody waits for the place":       {slowly, 1 << 20, 0, true, true},
		"it is fast":                         {fast, 1 << 20, 0, true, false},
		"all fits on the disk":               {slowly, 64 << 20, 0, true, false},
		"the disk is short":                  {slowly, 64 << 20, 48 << 20, false, true},
		"the disk is short, the client fast": {fast, 64 << 20, 48 << 20, false, false},
		"there is no disk":                   {slowly, 64 << 20, 1, true, true},
	} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			d, c := NewDisk(dir, tc.room, tc.room), &paced{rate: tc.rate}
			o := d.NewOutlet(t.Context(), "a", tc.ring, func() bool { return tc.wanted }, c)
			began := time.Now()
			_, err := io.CopyBuffer(o, &io.LimitedReader{R: zeros{}, N: large}, make([]byte, 32<<10))
			wrote := time.Since(began)
			err = errors.Join(err, o.Close())
			took := time.Since(began)
			if cut := errors.Is(err, ErrStalled); cut != tc.cut || !cut && err != nil || cut && took > 2*grace || !cut && c.got != large {
				t.Errorf("%s: %v after %s, %d bytes", name, err, took, c.got)
			}
			if tc.ring > large && tc.room == 0 && wrote > time.Second {
				t.Errorf("%s: the writer is kept for %s", name, wrote)
			}
			if d.used != 0 {
				t.Errorf("%s: %d bytes are kept", name, d.used)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestOutletOfAFastReader takes little of the disk, however large the answer is.
func TestOutletOfAFastReader(t *testing.T) {
	d := NewDisk(t.TempDir(), 64<<20, 0)
	o := d.NewOutlet(t.Context(), "a", 64<<20, nobody, io.Discard)
	for range 512 {
		if _, err := o.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		for taken := false; !taken; { // the reader keeps up
			o.mu.Lock()
			if taken = o.in == o.out; !taken {
				o.change.Wait()
			}
			o.mu.Unlock()
		}
		if d.used > 2<<20 {
			t.Fatalf("%d bytes of the disk", d.used)
		}
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}
