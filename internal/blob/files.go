package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

// Files is a store in a folder.
type Files struct {
	dir  string
	root *os.Root
	n    atomic.Int64
}

// NewFiles opens a folder as a store, and makes it if needed. No key leads out of it.
func NewFiles(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("object storage: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("object storage: %w", err)
	}
	return &Files{dir: dir, root: root}, nil
}

// Close releases the folder.
func (s *Files) Close() error { return s.root.Close() }

// Put writes beside the target and renames, so that a crash leaves nothing under the key.
func (s *Files) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	dir := path.Dir(key)
	if err := s.root.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	tmp := path.Join(dir, fmt.Sprintf(".tmp-%d-%d", os.Getpid(), s.n.Add(1)))
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer s.root.Remove(tmp)
	size, err := io.Copy(f, withContext{ctx, r})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := s.root.Rename(tmp, key); err != nil {
		return 0, err
	}
	return size, s.syncDir(dir)
}

// Adopt moves a file that is whole and on disk into the store, without copying it. Until the move itself is on
// disk a power cut may undo it: the caller must still find the file at its old place then. It fails across
// file systems.
func (s *Files) Adopt(key, file string) error {
	if err := s.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return err
	}
	return os.Rename(file, filepath.Join(s.dir, filepath.FromSlash(key)))
}

func (s *Files) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens an object.
func (s *Files) Open(_ context.Context, key string) (Object, error) {
	f, err := s.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{f, info.Size()}, nil
}

// Delete removes an object.
func (s *Files) Delete(_ context.Context, key string) error {
	err := s.root.Remove(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (w withContext) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
