package shellrunner

import (
	"context"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

// jobLog collects what a job prints, hides masked values, and sends it piece by piece. Its bytes are kept
// until the end, because the coordinator may ask for all of them again.
type jobLog struct {
	client *client.Client
	job    *runnerproto.Job
	mask   masker
	stop   func(canceled bool) // the coordinator wants the job stopped; canceled: at once

	mu    sync.Mutex
	bytes []byte
	sent  int
	full  bool
	wake  chan struct{}
	done  chan struct{}
}

const (
	maxLog    = 64 << 20 // bytes; what a job prints beyond is dropped, and the log says so
	maxPiece  = 1 << 20
	heartbeat = 5 * time.Second
)

func newLog(c *client.Client, job *runnerproto.Job, secrets []string, stop func(canceled bool)) *jobLog {
	return &jobLog{
		client: c, job: job, stop: stop, mask: newMasker(secrets), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// Write takes output of the job.
func (l *jobLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(l.mask.write(p))
	return len(p), nil
}

func (l *jobLog) add(b []byte) {
	if l.full {
		return
	}
	if len(l.bytes)+len(b) > maxLog {
		l.full = true
		b = []byte("\n\x1b[31;1mThe log is over its limit; the rest is dropped.\x1b[0;m\n")
	}
	l.bytes = append(l.bytes, b...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pump sends the log while the job runs, and tells the coordinator now and then that it does.
func (l *jobLog) pump(ctx context.Context) {
	defer close(l.done)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			a, err := l.client.Update(ctx, l.job, runnerproto.UpdateRequest{State: "running", Output: &runnerproto.Output{}})
			if err == nil {
				l.obey(a)
			}
			l.send(ctx)
		case <-l.wake:
			// A short wait gathers what comes at once.
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			l.send(ctx)
		}
	}
}

// obey follows the status that an answer carries.
func (l *jobLog) obey(a client.Answer) {
	switch {
	case a.Code == http.StatusForbidden || a.Code == http.StatusNotFound, a.JobStatus == "canceled", a.JobStatus == "failed":
		l.stop(true)
	case a.JobStatus == "canceling":
		l.stop(false)
	}
}

// send passes on what is unsent; false if something is left.
func (l *jobLog) send(ctx context.Context) bool {
	for {
		l.mu.Lock()
		start := l.sent
		piece := l.bytes[start:min(len(l.bytes), start+maxPiece)]
		l.mu.Unlock()
		if len(piece) == 0 {
			return true
		}
		a, err := l.client.Patch(ctx, l.job, int64(start), piece)
		if err != nil {
			return false
		}
		l.obey(a)
		switch a.Code {
		case http.StatusAccepted:
			l.setSent(start + len(piece))
		case http.StatusRequestedRangeNotSatisfiable:
			_, last, _ := strings.Cut(a.Range, "-")
			n, err := strconv.Atoi(last)
			if err != nil || n == start {
				return false
			}
			l.setSent(n)
		case http.StatusForbidden, http.StatusNotFound:
			return true // the job is over for the coordinator, or gone; the update hears the same
		default:
			return false
		}
	}
}

func (l *jobLog) setSent(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = min(max(n, 0), len(l.bytes))
}

// finish sends the rest and the outcome, as often as the coordinator needs.
func (l *jobLog) finish(ctx context.Context, u runnerproto.UpdateRequest) error {
	l.mu.Lock()
	l.add(l.mask.flush())
	size := int64(len(l.bytes))
	u.Output = &runnerproto.Output{Checksum: "crc32:" + hex32(crc32.ChecksumIEEE(l.bytes)), Bytesize: &size}
	l.mu.Unlock()
	wait := 500 * time.Millisecond
	for {
		if l.send(ctx) {
			a, err := l.client.Update(ctx, l.job, u)
			switch {
			case err != nil:
			case a.Code == http.StatusOK || a.Code == http.StatusForbidden || a.Code == http.StatusNotFound:
				return nil
			case a.Code == http.StatusPreconditionFailed:
				l.setSent(0)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

func hex32(v uint32) string {
	s := strconv.FormatUint(uint64(v), 16)
	return strings.Repeat("0", 8-len(s)) + s
}
