// Package blob stores large objects by key: logs of finished jobs and artifacts.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"
)

// ErrNotFound says that no object has the key.
var ErrNotFound = errors.New("object not found")

// Object is an open object. It must be closed.
type Object interface {
	io.ReaderAt
	io.ReadSeeker
	io.Closer
	Size() int64
}

// Store keeps objects. An object is complete or absent: a reader never sees half of one.
type Store interface {
	// Put stores what r gives under key, replacing what was there, and returns its size. It is durable.
	Put(ctx context.Context, key string, r io.Reader) (int64, error)
	// Open opens an object; ErrNotFound if there is none.
	Open(ctx context.Context, key string) (Object, error)
	// Delete removes an object; a missing one is fine.
	Delete(ctx context.Context, key string) error
	// List gives the objects behind a key, in the order of the keys, at most limit.
	List(ctx context.Context, after string, limit int) ([]Info, error)
	// RemoveUnfinished removes what was left of objects that were not stored to their end, if nothing was written to it since
	// a time, and says how many there were.
	RemoveUnfinished(ctx context.Context, before time.Time) (int, error)
	Close() error
}

// Check says what is wrong with the address of a store, without reaching for it.
func Check(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("cannot be read as an address")
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		return nil
	case u.Scheme == "s3":
		_, err := s3Settings(u)
		return err
	}
	return fmt.Errorf("%q is neither file:///folder nor s3://bucket", u.Redacted())
}

// Open opens the store at an address that Check takes: a folder or a bucket.
func Open(ctx context.Context, address string) (Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "s3" {
		return newS3(ctx, u, nil)
	}
	return NewFiles(u.Path)
}
