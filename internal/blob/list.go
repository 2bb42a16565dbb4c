package blob

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Info is what a list says of an object.
type Info struct {
	Key      string
	Modified time.Time
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// isTemporary says whether a file is one that Put writes before it has its name.
func isTemporary(name string) bool { return strings.HasPrefix(path.Base(name), ".tmp-") }

// List gives the objects behind a key, in the order of the keys, at most limit.
func (s *Files) List(ctx context.Context, after string, limit int) (list []Info, err error) {
	err = s.walk(ctx, after, func(key string, info fs.FileInfo) error {
		if !isTemporary(key) {
			list = append(list, Info{key, info.ModTime()})
		}
		if len(list) >= limit {
			return errEnough
		}
		return nil
	})
	return list, err
}

// RemoveUnfinished removes what was being stored when a process was killed: files without their name that nothing was written
// to since a time. It says how many.
func (s *Files) RemoveUnfinished(ctx context.Context, before time.Time) (n int, err error) {
	err = s.walk(ctx, "", func(key string, info fs.FileInfo) error {
		if !isTemporary(key) || !info.ModTime().Before(before) {
			return nil
		}
		if err := s.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		n++
		return nil
	})
	return n, err
}

// walk visits the files behind a key in the order of the keys. Folders that lie before it are not read. What is removed
// meanwhile is passed over.
func (s *Files) walk(ctx context.Context, after string, visit func(key string, info fs.FileInfo) error) error {
	err := fs.WalkDir(s.root.FS(), ".", func(key string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			if key != "." && key+"/" < after && !strings.HasPrefix(after, key+"/") {
				return fs.SkipDir
			}
			return nil
		case key <= after:
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(key, info)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// List gives the objects behind a key, in the order of the keys, at most limit.
func (s *S3) List(ctx context.Context, after string, limit int) (list []Info, err error) {
	prefix := s.prefix
	if prefix != "" {
		prefix += "/"
	}
	if after != "" {
		after = prefix + after
	}
	found, err := s.core.ListObjectsV2(s.bucket, prefix, after, "", "", min(limit, 1000))
	for _, o := range found.Contents {
		list = append(list, Info{strings.TrimPrefix(o.Key, prefix), o.LastModified})
	}
	return list, err
}

// RemoveUnfinished removes nothing: a bucket has no half of an object, and its own rule ends uploads that were not completed.
func (s *S3) RemoveUnfinished(context.Context, time.Time) (int, error) { return 0, nil }
