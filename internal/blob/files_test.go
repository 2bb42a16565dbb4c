package blob

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if n, err := s.Put(ctx, "a/b/c", strings.NewReader("hello")); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	o, err := s.Open(ctx, "a/b/c")
	if err != nil || o.Size() != 5 {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(o)
	o.Close()
	if string(got) != "hello" {
		t.Errorf("%q", got)
	}
	cut := io.MultiReader(strings.NewReader("half"), failing{})
	if _, err := s.Put(ctx, "a/b/d", cut); err == nil {
		t.Error("a cut upload was stored")
	}
	if _, err := s.Open(ctx, "a/b/d"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half an object is there: %v", err)
	}
	left, _ := os.ReadDir(filepath.Join(dir, "a/b"))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for _, key := range []string{"../out", "/etc/passwd", "a/../../x"} {
		if _, err := s.Put(ctx, key, strings.NewReader("x")); err == nil {
			t.Errorf("%s was written", key)
		}
	}
	if err := errors.Join(s.Delete(ctx, "a/b/c"), s.Delete(ctx, "a/b/c")); err != nil {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("cut off") }
