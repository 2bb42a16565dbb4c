package httpapi

import (
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// writeWithin is how long a piece of an answer may take to be taken, and writePiece how large a piece is: a client that reads
// less than about two kilobytes a second, or nothing, is cut off.
const (
	writeWithin = 30 * time.Second
	writePiece  = 64 << 10
)

// Listen bounds the connections of a listener, in all and of one address, and cuts those whose client does not read what it is
// sent. trusted proxies bring the connections of many clients, and have no bound of their own.
func Listen(l net.Listener, trusted []netip.Prefix) net.Listener {
	most := maxConnections()
	return &listener{Listener: l, trusted: trusted, most: most, each: max(1, most/2), by: map[netip.Addr]int{}}
}

// maxConnections leaves descriptors to databases, files and git.
func maxConnections() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 4096
	}
	return int(max(64, min(l.Cur, 1<<16)/4*3))
}

type listener struct {
	net.Listener
	trusted    []netip.Prefix
	most, each int
	mu         sync.Mutex
	all        int
	by         map[netip.Addr]int
}

// Accept waits for the next connection that may be had. One beyond a bound is closed at once: its client tries again later.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := Network(c.RemoteAddr().String())
		if !l.enter(from) {
			c.Close()
			continue
		}
		return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
	}
}

func (l *listener) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.by[from] >= l.each && !trusts(l.trusted, from) {
		return false
	}
	l.all++
	l.by[from]++
	return true
}

func (l *listener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.by[from]--; l.by[from] == 0 {
		delete(l.by, from)
	}
}

// conn is a connection whose client must read.
type conn struct {
	net.Conn
	leave    func()
	mu       sync.Mutex
	deadline time.Time // that the server set
}

func (c *conn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+writePiece)]
		if err := c.Conn.SetWriteDeadline(c.until()); err != nil {
			return n, err
		}
		written, err := c.Conn.Write(piece)
		if n += written; err != nil || n == len(p) {
			return n, err
		}
	}
}

// ReadFrom lets the kernel send a file, piece by piece within the same times. All else goes by Write: its source may take its
// time, which is not the client's fault.
func (c *conn) ReadFrom(src io.Reader) (n int64, err error) {
	to, sends := c.Conn.(io.ReaderFrom)
	rest, limited := src.(*io.LimitedReader)
	if !limited {
		rest = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	if _, isFile := rest.R.(*os.File); !sends || !isFile {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	for rest.N > 0 {
		if err := c.Conn.SetWriteDeadline(c.until()); err != nil {
			return n, err
		}
		piece := min(rest.N, writePiece)
		sent, err := to.ReadFrom(&io.LimitedReader{R: rest.R, N: piece})
		n, rest.N = n+sent, rest.N-sent
		if err != nil || sent < piece {
			return n, err
		}
	}
	return n, nil
}

// CloseWrite says that no more is sent. With it the server ends a connection on which the client still sends, so that the client can
// read the answer; a connection that cannot do that is closed whole.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *conn) until() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().Add(writeWithin)
	if !c.deadline.IsZero() && c.deadline.Before(at) {
		return c.deadline
	}
	return at
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(c.until())
}

func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
