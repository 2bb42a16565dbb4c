package trace

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"signalbox/internal/blob"
)

// TestIndexFindsLines: whatever the log and however it is read, a place of the index is where its line begins.
func TestIndexFindsLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,6}`), 0, 4000).Draw(t, "lines")
		text := strings.Join(lines, "\n")
		i, err := NewIndex(iotest.HalfReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			want++
		}
		if i.Lines != want || i.Size != int64(len(text)) {
			t.Fatalf("%d lines of %d bytes, want %d of %d", i.Lines, i.Size, want, len(text))
		}
		if want == 0 {
			return
		}
		n := rapid.IntRange(1, want).Draw(t, "line")
		known, offset := i.Before(n)
		if known > n || n-known >= Stride || strings.Count(text[:offset], "\n") != known-1 || offset > 0 && text[offset-1] != '\n' {
			t.Fatalf("before line %d: line %d at %d", n, known, offset)
		}
	})
}

// TestLargeLogsAreStoredWithTheirIndex, and a log that changed since is read anew.
func TestLargeLogsAreStoredWithTheirIndex(t *testing.T) {
	blobs, err := blob.NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	s, err := NewFiles(t.TempDir(), blobs)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var text bytes.Buffer
	for n := range 60_000 {
		fmt.Fprintf(&text, "this is line number %d\n", n+1)
	}
	for id, size := range map[int64]int{1: text.Len(), 2: 100} {
		if _, err := s.Append(t.Context(), id, 0, text.Bytes()[:size], 1<<30); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		_, err := s.stored(t.Context(), id)
		if stored := err == nil; stored != (size >= indexedSize) {
			t.Errorf("index of a log of %d bytes: %v", size, err)
		}
	}
	log, err := s.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	i, err := s.Index(t.Context(), 1, log)
	if err != nil || i.Lines != 60_000 {
		t.Fatal(i.Lines, err)
	}
	known, offset := i.Before(31_500)
	line := make([]byte, 26)
	if _, err := log.ReadAt(line, offset); err != nil || string(line) != fmt.Sprintf("this is line number %d\n", known) {
		t.Errorf("line %d: %q, %v", known, line, err)
	}
	if _, err := s.put(t.Context(), 1, bytes.NewReader(text.Bytes()[:text.Len()-26])); err != nil {
		t.Fatal(err)
	}
	shorter, err := s.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer shorter.Close()
	if i, err := s.Index(t.Context(), 1, shorter); err != nil || i.Lines != 59_999 {
		t.Errorf("of a log that was replaced: %d lines, %v", i.Lines, err)
	}
	if err := s.Delete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stored(t.Context(), 1); err == nil {
		t.Error("the index outlives its log")
	}
}
