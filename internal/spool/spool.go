// Package spool lets two sides go at their own speed: what comes slowly is gathered before something scarce is taken for it,
// and what is taken slowly is kept until then. What does not fit into memory goes to files without a name, so that nothing
// is left of them when the process is killed.
package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// memory is how much of a body is kept without a file.
const memory = 1 << 20

// ErrTooLarge says that a body has more bytes than it may have.
var ErrTooLarge = errors.New("the body is too large")

// Gather reads a body to its end, at most limit bytes; 0 is no limit. The result must be closed.
func Gather(dir string, body io.Reader, limit int64) (io.ReadCloser, error) {
	if limit > 0 {
		body = io.LimitReader(body, limit+1)
	}
	var first bytes.Buffer
	n, err := io.Copy(&first, io.LimitReader(body, memory))
	if err != nil {
		return nil, err
	}
	if limit > 0 && n > limit {
		return nil, ErrTooLarge
	}
	if n < memory {
		return io.NopCloser(&first), nil
	}
	f, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	if n, err = io.Copy(f, io.MultiReader(&first, body)); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && limit > 0 && n > limit {
		err = ErrTooLarge
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// nameless makes a file that is gone once it is closed, or its process ends.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ErrStalled says that the reader of an outlet took too little for too long, while its writer waited for room.
var ErrStalled = errors.New("the client takes its answer too slowly")

// The least speed of a reader for which the writer waits.
const (
	leastBytes = 1 << 20
	leastEach  = 30 * time.Second
)

// Outlet keeps what is written to it until its reader takes it, up to a size; beyond that the writer waits. It has one writer.
type Outlet struct {
	w      io.Writer
	dir    string
	size   int64
	stop   func() bool
	done   chan struct{}
	mu     sync.Mutex
	change *sync.Cond
	file   *os.File  // a ring of size bytes
	direct bool      // there is no room for the ring: the writer waits for the reader
	in     int64     // bytes that were written
	out    int64     // bytes that were taken
	since  time.Time // when the writer began to wait for room; zero: the reader keeps up
	taken  int64     // bytes that were taken then
	closed bool
	err    error
}

// NewOutlet begins to hand to w what is written. When the context ends, so does the outlet. It must be closed.
func NewOutlet(ctx context.Context, dir string, size int64, w io.Writer) *Outlet {
	o := &Outlet{w: w, dir: dir, size: size, done: make(chan struct{})}
	o.change = sync.NewCond(&o.mu)
	o.stop = context.AfterFunc(ctx, func() { o.fail(context.Cause(ctx)) })
	go o.drain()
	return o
}

// Write keeps bytes for the reader. It fails if the reader failed, or stalls while there is no room.
func (o *Outlet) Write(p []byte) (n int, err error) {
	for n < len(p) {
		room, err := o.room(len(p) - n)
		if err != nil {
			return n, err
		}
		if o.direct {
			written, err := o.w.Write(p[n:])
			return n + written, err
		}
		if _, err := o.file.WriteAt(p[n:n+room], o.in%o.size); err != nil { // the disk is full, which must not keep anybody from reading
			o.mu.Lock()
			o.direct = true
			o.mu.Unlock()
			continue
		}
		n += room
		o.mu.Lock()
		o.in += int64(room)
		o.change.Broadcast()
		o.mu.Unlock()
	}
	return n, nil
}

// room waits for room for some bytes, or, without a ring, until the reader has taken all before them.
func (o *Outlet) room(want int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil && !o.direct {
		var err error
		if o.file, err = nameless(o.dir); err != nil {
			o.direct = true
		}
	}
	if o.in-o.out < o.size/2 {
		o.since = time.Time{} // the reader keeps up
	}
	for o.err == nil && (o.in-o.out == o.size || o.direct && o.in > o.out) {
		if o.since.IsZero() {
			o.since, o.taken = time.Now(), o.out
		}
		timer := time.AfterFunc(leastEach, o.change.Broadcast)
		o.change.Wait()
		timer.Stop()
		if time.Since(o.since) >= leastEach {
			if o.out-o.taken < min(leastBytes, o.size) {
				o.err = ErrStalled
				o.change.Broadcast()
			}
			o.since, o.taken = time.Now(), o.out
		}
	}
	return int(min(int64(want), o.size-(o.in-o.out), o.size-o.in%o.size)), o.err
}

func (o *Outlet) drain() {
	defer close(o.done)
	piece := make([]byte, 32<<10)
	for {
		o.mu.Lock()
		for o.err == nil && o.in == o.out && !o.closed {
			o.change.Wait()
		}
		n := min(o.in-o.out, int64(len(piece)), o.size-o.out%o.size)
		end := o.err != nil || n == 0
		o.mu.Unlock()
		if end {
			return
		}
		_, err := o.file.ReadAt(piece[:n], o.out%o.size)
		if err == nil {
			_, err = o.w.Write(piece[:n])
		}
		if err != nil {
			o.fail(fmt.Errorf("answer not taken: %w", err))
			return
		}
		o.mu.Lock()
		o.out += n
		o.change.Broadcast()
		o.mu.Unlock()
	}
}

func (o *Outlet) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.change.Broadcast()
}

// Close waits until the reader has taken everything. It fails if the reader did.
func (o *Outlet) Close() error {
	o.mu.Lock()
	o.closed = true
	o.change.Broadcast()
	o.mu.Unlock()
	<-o.done
	o.stop()
	if o.file != nil {
		o.file.Close()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
