package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// formerIndex is how versions before named their indexes, in the folder of all programs.
const formerIndex = "signalbox-index-"

// RemoveTemporary removes files that processes which were killed left: indexes of commits, of this version and of those before.
// Only what nobody wrote to since a time goes. It says how many.
func (s *Store) RemoveTemporary(ctx context.Context, before time.Time) (n int, err error) {
	for dir, prefix := range map[string]string{s.tmp: "", os.TempDir(): formerIndex} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return n, err
		}
		for _, e := range entries {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(e.Name(), prefix) || !info.ModTime().Before(before) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err == nil {
				n++
			} else if !errors.Is(err, fs.ErrNotExist) && dir == s.tmp { // others' files in the common folder are theirs
				return n, err
			}
		}
	}
	return n, nil
}
