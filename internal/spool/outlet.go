package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// ErrStalled says that the reader of an outlet took too little for too long, while others needed what it held.
var ErrStalled = errors.New("the client takes its answer too slowly")

// The least speed of a reader while it holds what is scarce: its writer, which waits for it, or a disk of which most is taken.
// It may fall short of that for grace in all, and makes up for it by being faster.
const (
	leastRate = 32 << 10  // bytes a second, while the writer waits and nobody waits for what that holds
	shortRate = 128 << 10 // while somebody does, or the disk is short
	grace     = 30 * time.Second
	lookEach  = 5 * time.Second
)

// Outlet keeps what is written to it until its reader takes it, up to a size and as long as its client has room on the disk;
// beyond that the writer waits. It has one writer.
type Outlet struct {
	w      io.Writer
	size   int64
	wanted func() bool
	stop   func() bool
	done   chan struct{}
	mu     sync.Mutex
	change *sync.Cond
	share  share
	file   *os.File // a ring of size bytes
	broken bool     // the file cannot be written
	in     int64    // bytes that were written to the file, since the reader had taken all
	out    int64    // bytes of them that were taken
	closed bool
	err    error
	speed  speed
}

// NewOutlet begins to hand to w, which a client reads, what is written. wanted says whether somebody waits for what the writer
// holds. When the context ends, so does the outlet. It must be closed.
func (d *Disk) NewOutlet(ctx context.Context, client string, size int64, wanted func() bool, w io.Writer) *Outlet {
	o := &Outlet{w: w, size: size, wanted: wanted, done: make(chan struct{}), share: share{disk: d, client: client}}
	o.change = sync.NewCond(&o.mu)
	o.stop = context.AfterFunc(ctx, func() { o.fail(context.Cause(ctx)) })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.speed.left = grace
	o.speed.timer = time.AfterFunc(lookEach, o.look)
	go o.drain()
	return o
}

// Write keeps bytes for the reader. It fails if the reader failed, or stalls.
func (o *Outlet) Write(p []byte) (n int, err error) {
	for n < len(p) {
		room, err := o.room(len(p) - n)
		if err != nil {
			return n, err
		}
		if room == 0 {
			written, err := o.direct(p[n:])
			return n + written, err
		}
		if _, err := o.file.WriteAt(p[n:n+room], o.in%o.size); err != nil { // the disk is full, which must not keep anybody from reading
			o.mu.Lock()
			o.broken = true
			o.mu.Unlock()
			continue
		}
		n += room
		o.mu.Lock()
		o.speed.begin()
		o.in += int64(room)
		o.change.Broadcast()
		o.mu.Unlock()
	}
	return n, nil
}

// direct hands bytes to the reader, who has taken all before them.
func (o *Outlet) direct(p []byte) (int, error) {
	o.mu.Lock()
	o.speed.begin()
	o.speed.wait()
	o.mu.Unlock()
	n, err := o.w.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.speed.waits = false
	o.speed.taken += int64(n)
	o.speed.end()
	return n, err
}

// room waits for room for some bytes. Without any on the disk it waits until the reader has taken all, and says 0.
func (o *Outlet) room(want int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil {
		if o.in == o.out {
			o.restart()
		}
		if n := o.onDisk(int64(want)); n > 0 || o.in == o.out {
			return int(n), nil
		}
		o.speed.wait()
		o.change.Wait()
		o.speed.waits = false
	}
	return 0, o.err
}

// restart uses the file from its beginning again: who takes all as it comes needs little of it.
func (o *Outlet) restart() {
	o.in, o.out = 0, 0
	if o.share.has > step && o.file.Truncate(0) == nil {
		o.share.giveBack()
	}
}

// onDisk is how many of some bytes the file can take now.
func (o *Outlet) onDisk(want int64) int64 {
	if o.broken {
		return 0
	}
	at := o.in % o.size
	n := min(want, o.size-(o.in-o.out), o.size-at)
	if !o.share.grow(at + n) {
		n = max(0, o.share.has-at)
	}
	if n > 0 && o.file == nil {
		var err error
		if o.file, err = o.share.disk.nameless(); err != nil {
			o.broken, n = true, 0
		}
	}
	return n
}

func (o *Outlet) drain() {
	defer close(o.done)
	piece := make([]byte, 32<<10)
	for {
		o.mu.Lock()
		for o.err == nil && o.in == o.out && !o.closed {
			o.change.Wait()
		}
		at := o.out % o.size
		n := min(o.in-o.out, int64(len(piece)), o.size-at)
		end := o.err != nil || n == 0
		o.mu.Unlock()
		if end {
			return
		}
		_, err := o.file.ReadAt(piece[:n], at)
		if err == nil {
			_, err = o.w.Write(piece[:n])
		}
		if err != nil {
			o.fail(fmt.Errorf("answer not taken: %w", err))
			return
		}
		o.mu.Lock()
		o.out += n
		o.speed.taken += n
		if o.in == o.out {
			o.speed.end()
		}
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
	o.mu.Lock()
	defer o.mu.Unlock()
	o.speed.timer.Stop()
	if o.file != nil {
		o.file.Close()
	}
	o.share.giveBack()
	return o.err
}
