package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAConnectionIsWhatTheServerNeeds: what net/http looks for in a connection to end it well, and to send files, is there.
func TestAConnectionIsWhatTheServerNeeds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = Listen(l, nil)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("a side of it cannot be closed alone: an answer to a body that still comes may be lost")
	}
	from, ok := c.(io.ReaderFrom)
	if !ok {
		t.Fatal("files are copied by hand")
	}
	text := bytes.Repeat([]byte("0123456789"), writePiece/4) // some pieces
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sent := make(chan error, 1)
	go func() {
		for _, src := range []io.Reader{&io.LimitedReader{R: f, N: writePiece + 1}, f, strings.NewReader("end")} {
			if _, err := from.ReadFrom(src); err != nil {
				sent <- err
				return
			}
		}
		sent <- half.CloseWrite()
	}()
	got, err := io.ReadAll(client)
	if err := errors.Join(err, <-sent); err != nil || string(got) != string(text)+"end" {
		t.Errorf("%d bytes of %d, %v", len(got), len(text)+3, err)
	}
	if _, err := io.WriteString(client, "more"); err != nil { // the other side is open still
		t.Error(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Error(err)
	}
}

// fileTaker is a connection that takes files, as TCP does.
type fileTaker struct {
	net.Conn
	files int
}

func (f *fileTaker) ReadFrom(src io.Reader) (int64, error) {
	f.files++
	return io.Copy(struct{ io.Writer }{f.Conn}, src)
}

// TestAClientThatNeverReadsAFile is cut off too, and a source that takes its time is not the client's fault.
func TestAClientThatNeverReadsAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 4*writePiece), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		to := &fileTaker{Conn: far}
		c := &conn{Conn: to, leave: func() {}}
		began := time.Now()
		_, err := c.ReadFrom(f)
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took > 2*writeWithin || to.files == 0 {
			t.Errorf("%v after %s", err, took)
		}
		near.Close()
		far.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &conn{Conn: &fileTaker{Conn: far}, leave: func() {}}
		in, out := io.Pipe()
		go func() {
			for range 3 {
				time.Sleep(2 * writeWithin)
				io.WriteString(out, "late")
			}
			out.Close()
		}()
		go io.Copy(io.Discard, near)
		if n, err := c.ReadFrom(in); n != 12 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		near.Close()
		far.Close()
	})
}
