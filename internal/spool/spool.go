// Package spool lets two sides go at their own speed: what comes slowly is gathered before something scarce is taken for it,
// and what is taken slowly is kept until then. What does not fit into memory goes to files without a name, so that nothing
// is left of them when the process is killed. What they take of a disk is bounded, in all and for one client.
package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// memory is how much of a body is kept without a file.
const memory = 128 << 10

// ErrTooLarge says that a body has more bytes than it may have.
var ErrTooLarge = errors.New("the body is too large")

// Gather reads a client's body to its end, at most limit bytes; 0 is no limit. It fails with ErrNoRoom when the disk has no room
// for it. The result must be closed.
func (d *Disk) Gather(client string, body io.Reader, limit int64) (io.ReadCloser, error) {
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
	f, err := d.nameless()
	if err != nil {
		return nil, err
	}
	g := &gathered{File: f, share: share{disk: d, client: client}}
	if n, err = io.Copy(charged{g}, io.MultiReader(&first, body)); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && limit > 0 && n > limit {
		err = ErrTooLarge
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// gathered is a body in a file.
type gathered struct {
	*os.File
	share share
	size  int64
}

func (g *gathered) Close() error {
	g.share.giveBack()
	return g.File.Close()
}

// charged writes to the file of a body as long as there is room.
type charged struct{ g *gathered }

func (c charged) Write(p []byte) (int, error) {
	if !c.g.share.grow(c.g.size + int64(len(p))) {
		return 0, ErrNoRoom
	}
	n, err := c.g.File.Write(p)
	c.g.size += int64(n)
	return n, err
}
