package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"

	"signalbox/internal/blob"
)

// archive is the logs of finished jobs in the blob store, each with its index if it is large.
type archive struct{ blobs blob.Store }

// BlobKey is where the log of a finished job lies.
func BlobKey(jobID int64) string { return "traces/" + filepath.ToSlash(name(jobID)) }

func indexKey(jobID int64) string { return BlobKey(jobID) + ".index" }

func (a archive) put(ctx context.Context, jobID int64, r io.Reader) (int64, error) {
	return a.blobs.Put(ctx, BlobKey(jobID), r)
}

// size is 0 without a log.
func (a archive) size(ctx context.Context, jobID int64) (int64, error) {
	o, err := a.blobs.Open(ctx, BlobKey(jobID))
	if errors.Is(err, blob.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer o.Close()
	return o.Size(), nil
}

func (a archive) open(ctx context.Context, jobID int64) (Reader, error) {
	o, err := a.blobs.Open(ctx, BlobKey(jobID))
	if errors.Is(err, blob.ErrNotFound) {
		return &section{io.NewSectionReader(nil, 0, 0), io.NopCloser(nil)}, nil
	}
	return o, err
}

func (a archive) remove(ctx context.Context, jobID int64) error {
	return errors.Join(a.blobs.Delete(ctx, BlobKey(jobID)), a.blobs.Delete(ctx, indexKey(jobID)))
}

// addIndex stores the index of a log that is in the store, if it is worth one.
func (a archive) addIndex(ctx context.Context, jobID int64) error {
	o, err := a.blobs.Open(ctx, BlobKey(jobID))
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer o.Close()
	if o.Size() < indexedSize {
		return nil
	}
	i, err := NewIndex(o)
	if err != nil {
		return err
	}
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = a.blobs.Put(ctx, indexKey(jobID), bytes.NewReader(text))
	return err
}

// Index tells where lines begin in a log that Open gave. Without a stored index that fits, the log is read
// once.
func (a archive) Index(ctx context.Context, jobID int64, log Reader) (Index, error) {
	if log.Size() >= indexedSize {
		if i, err := a.stored(ctx, jobID); err == nil && i.Size == log.Size() && i.sound() {
			return i, nil
		}
	}
	return NewIndex(io.NewSectionReader(log, 0, log.Size()))
}

func (a archive) stored(ctx context.Context, jobID int64) (i Index, err error) {
	o, err := a.blobs.Open(ctx, indexKey(jobID))
	if err != nil {
		return i, err
	}
	defer o.Close()
	return i, json.NewDecoder(o).Decode(&i)
}
