// Package trace keeps the logs of jobs: the live bytes while a runner sends them, and the whole log of a
// finished job in the blob store. Stored bytes are the runner's bytes, proved by length and CRC32.
package trace

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"signalbox/internal/blob"
)

// Store keeps the logs of jobs: live ones where it is fast, finished ones in the blob store.
type Store interface {
	// Append adds bytes that start at an offset. They must start where the log ends: a *RangeError says where
	// that is. ErrTooLarge is answered over limit.
	Append(ctx context.Context, jobID, start int64, data []byte, limit int64) (size int64, err error)
	// Size is the number of bytes that are there; 0 if there are none.
	Size(ctx context.Context, jobID int64) (int64, error)
	// Verify compares the log with what the runner says it sent, and makes it durable; ErrMismatch if it
	// differs. size or sum may be nil if the runner said nothing.
	Verify(ctx context.Context, jobID int64, size *int64, sum *uint32) error
	// Restart empties a live log, for a runner that was told to send it again from its first byte. What was
	// there is kept aside until the log is archived, in case the runner never comes back.
	Restart(ctx context.Context, jobID int64) error
	// Archive moves the log of a finished job to the blob store and returns its size. It may be repeated.
	// Call it once no runner may append any more.
	Archive(ctx context.Context, jobID int64) (int64, error)
	// Delete removes a log wherever it lies.
	Delete(ctx context.Context, jobID int64) error
	// Open reads a log, live or archived. A job without one has an empty log.
	Open(ctx context.Context, jobID int64) (Reader, error)
	// Index tells where lines begin in a log that Open gave.
	Index(ctx context.Context, jobID int64, log Reader) (Index, error)
	Close() error
}

// Files keeps live logs as files of one node.
type Files struct {
	archive
	root *os.Root
	mu   sync.Mutex
	live map[int64]*live
}

// live is the open log of a running job.
type live struct {
	mu     sync.Mutex
	file   *os.File
	size   int64
	sum    uint32
	closed bool
}

// RangeError says that bytes did not start where the log ends.
type RangeError struct{ Size int64 }

func (e *RangeError) Error() string { return fmt.Sprintf("the log has %d bytes", e.Size) }

// ErrTooLarge says that a log is over the limit.
var ErrTooLarge = errors.New("log is over its limit")

// ErrMismatch says that the log is not what its runner sent.
var ErrMismatch = errors.New("log differs from its checksum")

// NewFiles opens the folder of live logs.
func NewFiles(dir string, blobs blob.Store) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	return &Files{archive: archive{blobs}, root: root, live: map[int64]*live{}}, nil
}

// Close closes all open logs.
func (s *Files) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.live {
		l.close()
		delete(s.live, id)
	}
	return s.root.Close()
}

func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.file.Close()
	}
}

func name(jobID int64) string {
	return filepath.Join(strconv.FormatInt(jobID/1000, 10), strconv.FormatInt(jobID, 10)+".log")
}

func aside(jobID int64) string { return name(jobID) + ".rejected" }

// lock opens a live log, reading its checksum anew after a restart, and keeps others out of it.
func (s *Files) lock(jobID int64, create bool) (*live, error) {
	s.mu.Lock()
	l := s.live[jobID]
	if l == nil {
		var err error
		if l, err = s.openLive(jobID, create); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		s.live[jobID] = l
	}
	s.mu.Unlock()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return s.lock(jobID, create)
	}
	return l, nil
}

func (s *Files) openLive(jobID int64, create bool) (*live, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := s.root.OpenFile(name(jobID), flags, 0o600)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err := s.root.MkdirAll(filepath.Dir(name(jobID)), 0o700); err != nil {
			return nil, err
		}
		f, err = s.root.OpenFile(name(jobID), flags, 0o600)
	}
	if err != nil {
		return nil, err
	}
	l := &live{file: f}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 { // of the time before a restart
		sum := crc32.NewIEEE()
		l.size, err = io.Copy(sum, f)
		l.sum = sum.Sum32()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// Append writes to the file.
func (s *Files) Append(_ context.Context, jobID, start int64, data []byte, limit int64) (size int64, err error) {
	l, err := s.lock(jobID, true)
	if err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	if start != l.size {
		return l.size, &RangeError{Size: l.size}
	}
	if l.size+int64(len(data)) > limit {
		return l.size, ErrTooLarge
	}
	if _, err := l.file.WriteAt(data, l.size); err != nil {
		// What was written of it is cut off, so that size and checksum stay those of confirmed bytes.
		return l.size, errors.Join(err, l.file.Truncate(l.size))
	}
	l.sum = crc32.Update(l.sum, crc32.IEEETable, data)
	l.size += int64(len(data))
	return l.size, nil
}

// Size looks at the live log alone: it is asked while one is there.
func (s *Files) Size(_ context.Context, jobID int64) (int64, error) {
	l, err := s.lock(jobID, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	return l.size, nil
}

// Verify compares sizes and checksums, which are kept as the log grows.
func (s *Files) Verify(_ context.Context, jobID int64, size *int64, sum *uint32) error {
	l, err := s.lock(jobID, true)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if size != nil && *size != l.size || sum != nil && *sum != l.sum {
		return fmt.Errorf("%w: %d bytes, crc32 %08x", ErrMismatch, l.size, l.sum)
	}
	return l.file.Sync()
}

// Restart renames the file.
func (s *Files) Restart(_ context.Context, jobID int64) error {
	l, err := s.lock(jobID, true)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.closed = true
	l.file.Close()
	s.mu.Lock()
	delete(s.live, jobID)
	s.mu.Unlock()
	return s.root.Rename(name(jobID), aside(jobID))
}

// Archive moves the file itself if the blob store can take it.
func (s *Files) Archive(ctx context.Context, jobID int64) (int64, error) {
	s.mu.Lock()
	l := s.live[jobID]
	delete(s.live, jobID)
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
	file, err := s.longer(jobID)
	if errors.Is(err, fs.ErrNotExist) {
		return s.size(ctx, jobID)
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	size, ok := s.adopt(jobID, file)
	if !ok {
		if size, err = s.put(ctx, jobID, file); err != nil {
			return 0, err
		}
	}
	return size, errors.Join(s.removeLive(jobID), s.addIndex(ctx, jobID))
}

// adopter is a blob store that takes a file as it lies.
type adopter interface {
	Adopt(key, file string) error
}

// adopt moves a log that is on disk already. A move that a power cut undoes leaves the live log, which Open
// finds first.
func (s *Files) adopt(jobID int64, file *os.File) (int64, bool) {
	store, ok := s.blobs.(adopter)
	if !ok {
		return 0, false
	}
	info, err := file.Stat()
	if err != nil || file.Sync() != nil {
		return 0, false
	}
	err = store.Adopt(BlobKey(jobID), file.Name())
	return info.Size(), err == nil
}

// longer opens the live log, or what was set aside if the runner did not get as far again.
func (s *Files) longer(jobID int64) (*os.File, error) {
	file, err := s.root.Open(name(jobID))
	old, oldErr := s.root.Open(aside(jobID))
	if oldErr != nil {
		return file, err
	}
	if err != nil {
		return old, nil
	}
	a, err1 := file.Stat()
	b, err2 := old.Stat()
	if err1 == nil && err2 == nil && b.Size() > a.Size() {
		file.Close()
		return old, nil
	}
	old.Close()
	return file, nil
}

func (s *Files) removeLive(jobID int64) error {
	for _, n := range []string{name(jobID), aside(jobID)} {
		if err := s.root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Delete removes the file and the blob.
func (s *Files) Delete(ctx context.Context, jobID int64) error {
	s.mu.Lock()
	l := s.live[jobID]
	delete(s.live, jobID)
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
	return errors.Join(s.removeLive(jobID), s.remove(ctx, jobID))
}

// Reader is an open log. It must be closed.
type Reader interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
	Size() int64
}

// Open reads the file if there is one, else the blob.
func (s *Files) Open(ctx context.Context, jobID int64) (Reader, error) {
	f, err := s.root.Open(name(jobID))
	if err == nil {
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		return &section{io.NewSectionReader(f, 0, info.Size()), f}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s.archive.open(ctx, jobID)
}

// section is a log as it was when it was opened, although it may grow meanwhile.
type section struct {
	*io.SectionReader
	io.Closer
}
