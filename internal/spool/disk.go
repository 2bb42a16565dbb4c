package spool

import (
	"errors"
	"os"
	"sync"
)

// ErrNoRoom says that what is on its way already takes all the room that there is for it, or for its client.
var ErrNoRoom = errors.New("too much is on its way already")

// Disk is a folder for what is on its way, with a bound of its bytes: in all, and of one client.
type Disk struct {
	dir       string
	all, each int64
	mu        sync.Mutex
	used      int64
	by        map[string]int64
}

// NewDisk makes a Disk for some bytes in all, of which each client may have some; 0 is no bound.
func NewDisk(dir string, all, each int64) *Disk {
	return &Disk{dir: dir, all: all, each: each, by: map[string]int64{}}
}

// Room says whether a client may have more.
func (d *Disk) Room(client string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fits(client, 1)
}

// Share says whether a client has less than each may have, whatever the others have.
func (d *Disk) Share(client string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.each == 0 || d.by[client] < d.each
}

// short says whether most of the room is taken.
func (d *Disk) short() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all > 0 && d.used > d.all/2
}

func (d *Disk) fits(client string, n int64) bool {
	return (d.all == 0 || d.used+n <= d.all) && (d.each == 0 || d.by[client]+n <= d.each)
}

func (d *Disk) take(client string, n int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fits(client, n) {
		return false
	}
	d.used += n
	d.by[client] += n
	return true
}

func (d *Disk) give(client string, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= n
	if d.by[client] -= n; d.by[client] == 0 {
		delete(d.by, client)
	}
}

// share is what one body or answer has of a disk.
type share struct {
	disk   *Disk
	client string
	has    int64
}

// step is by how much a share grows, so that not each write asks.
const step = 1 << 20

// grow lets a share have at least some bytes; false if there is no room.
func (s *share) grow(to int64) bool {
	if to <= s.has {
		return true
	}
	for _, more := range []int64{(to - s.has + step - 1) / step * step, to - s.has} {
		if s.disk.take(s.client, more) {
			s.has += more
			return true
		}
	}
	return false
}

func (s *share) giveBack() {
	s.disk.give(s.client, s.has)
	s.has = 0
}

// nameless makes a file that is gone once it is closed, or its process ends.
func (d *Disk) nameless() (*os.File, error) {
	f, err := os.CreateTemp(d.dir, "spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
