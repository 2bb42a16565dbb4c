package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// reader is a kept-open `git cat-file --batch` of one repository. One question is asked at a time.
type reader struct {
	turn   chan struct{} // who holds it may ask
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	cancel context.CancelFunc
	once   sync.Once
	left   bool // it still says what nobody reads; belongs to who has the turn
}

// maxReaders bounds the processes that are kept open; the one unused for longest goes first.
const maxReaders = 16

func (r *Repo) reader() (*reader, error) {
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastUsed = append(without(s.lastUsed, r.dir), r.dir)
	if old := s.readers[r.dir]; old != nil {
		return old, nil
	}
	for len(s.readers) >= maxReaders {
		oldest := s.lastUsed[0]
		s.lastUsed = s.lastUsed[1:]
		if old := s.readers[oldest]; old != nil {
			old.close()
			delete(s.readers, oldest)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := s.git(ctx, "--git-dir="+r.dir, "cat-file", "--batch")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	n := &reader{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10), cancel: cancel, turn: make(chan struct{}, 1)}
	s.readers[r.dir] = n
	return n, nil
}

func without(list []string, s string) []string {
	out := list[:0]
	for _, l := range list {
		if l != s {
			out = append(out, l)
		}
	}
	return out
}

func (n *reader) close() {
	n.once.Do(func() {
		n.cancel()
		go n.cmd.Wait()
	})
}

// forget drops a process that broke, so that the next question starts a new one.
func (r *Repo) forget(n *reader) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if r.store.readers[r.dir] == n {
		delete(r.store.readers, r.dir)
	}
	n.close()
}

// object asks for one object. spec must be one line; the callers build it of checked names. An object over
// limit is reported as too large. A process that died is replaced once.
func (r *Repo) object(ctx context.Context, spec string, limit int64) (id, kind string, data []byte, err error) {
	if strings.ContainsAny(spec, "\n\x00") {
		return "", "", nil, ErrBadName
	}
	for attempt := 0; ; attempt++ {
		n, err := r.reader()
		if err != nil {
			return "", "", nil, err
		}
		select {
		case n.turn <- struct{}{}:
		case <-ctx.Done():
			return "", "", nil, ctx.Err()
		}
		if n.left { // a large object ended it while others waited
			<-n.turn
			attempt--
			continue
		}
		id, kind, data, err = n.ask(spec, limit)
		if n.left {
			r.forget(n)
		}
		<-n.turn
		var broken brokenError
		if !errors.As(err, &broken) {
			return id, kind, data, err
		}
		r.forget(n)
		if attempt == 1 || ctx.Err() != nil {
			return "", "", nil, err
		}
	}
}

// maxPassed is how many bytes of an object that is too large are read to ask on. For more the process is ended: to pass over
// gigabytes takes as long as to read them, and the pipelines of the repository would wait.
const maxPassed = 16 << 20

// brokenError says that the process can answer no more.
type brokenError struct{ error }

// ErrTooLarge says that a file is over the caller's limit.
var ErrTooLarge = errors.New("file is too large")

func (n *reader) ask(spec string, limit int64) (id, kind string, data []byte, err error) {
	if _, err := io.WriteString(n.in, spec+"\n"); err != nil {
		return "", "", nil, brokenError{err}
	}
	line, err := n.out.ReadString('\n')
	if err != nil {
		return "", "", nil, brokenError{err}
	}
	line = strings.TrimSuffix(line, "\n")
	if strings.HasSuffix(line, " missing") || strings.HasSuffix(line, " ambiguous") {
		return "", "", nil, ErrNotFound
	}
	f := strings.Split(line, " ")
	if len(f) != 3 {
		return "", "", nil, brokenError{fmt.Errorf("cat-file answered %q", line)}
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return "", "", nil, brokenError{fmt.Errorf("cat-file answered %q", line)}
	}
	if size > limit && size > maxPassed {
		n.left = true
		return f[0], f[1], nil, ErrTooLarge
	}
	if size > limit {
		if _, err := io.CopyN(io.Discard, n.out, size+1); err != nil {
			return "", "", nil, brokenError{err}
		}
		return f[0], f[1], nil, ErrTooLarge
	}
	data = make([]byte, size+1)
	if _, err := io.ReadFull(n.out, data); err != nil {
		return "", "", nil, brokenError{err}
	}
	return f[0], f[1], data[:size], nil
}
