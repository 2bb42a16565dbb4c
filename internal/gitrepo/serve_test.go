package gitrepo

import (
	"archive/tar"
	"bytes"
	unbzip2 "compress/bzip2"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"signalbox/internal/testenv"
)

// TestArchivesLeavePlaces: one client's archives, of however many repositories, keep neither others' archives nor fetches from
// their turn.
func TestArchivesLeavePlaces(t *testing.T) {
	r, head, _ := fixture(t)
	dir := t.TempDir()
	s, err := New(Options{Root: filepath.Dir(filepath.Dir(r.dir)), Home: filepath.Join(dir, "home"), Processes: 8})
	if err != nil {
		t.Fatal(err)
	}
	r = s.Repo("a/b")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var held []func()
	for range 8 { // as many archives as one client may have at a time
		now, stop := context.WithTimeout(ctx, 10*time.Millisecond)
		give, err := takeAll(now, []turn{{s.archives, "mallory"}, {s.serving, "elsewhere"}})
		stop()
		if err != nil {
			break
		}
		held = append(held, give)
	}
	if len(held) != 1 {
		t.Errorf("%d archives of one client at a time", len(held))
	}
	refused, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := r.For("mallory").Archive(refused, head, Tar, "x", "", io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more archive: %v", err)
	}
	if err := r.For("ann").Archive(ctx, head, Tar, "x", "", io.Discard); err != nil {
		t.Errorf("another client's archive: %v", err)
	}
	if err := r.For("mallory").Advertise(ctx, UploadPack, "", io.Discard); err != nil {
		t.Errorf("a fetch: %v", err)
	}
	for _, give := range held {
		give()
	}
	if err := r.For("mallory").Archive(ctx, head, Tar, "x", "", io.Discard); err != nil {
		t.Errorf("once there is a place: %v", err)
	}
}

// TestABusyStoreWritesNoArchive: whoever gets no turn is told so, and is not sent an archive of no files.
func TestABusyStoreWritesNoArchive(t *testing.T) {
	r, head, _ := fixture(t)
	var held []func()
	for give, ok := r.store.archives.TryTake(""); ok; give, ok = r.store.archives.TryTake("") {
		held = append(held, give)
	}
	archive := func(format ArchiveFormat) (int, error) {
		var out bytes.Buffer
		err := r.WaitFor(time.Millisecond).Archive(t.Context(), head, format, "x", "", &out)
		return out.Len(), err
	}
	for _, format := range ArchiveFormats {
		if n, err := archive(format); format.Available() && (!errors.Is(err, ErrBusy) || n != 0) {
			t.Errorf("%s: %d bytes, %v", format, n, err)
		}
	}
	for _, give := range held {
		give()
	}
}

// TestABzippedArchive holds the files of the commit, below its folder.
func TestABzippedArchive(t *testing.T) {
	if !TarBz2.Available() {
		testenv.Missing(t, "bzip2 (Debian package bzip2)")
	}
	r, head, _ := fixture(t)
	var out bytes.Buffer
	if err := r.Archive(t.Context(), head, TarBz2, "x", "dir", &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for files := tar.NewReader(unbzip2.NewReader(&out)); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if !slices.Contains(names, "x/dir/a.txt") {
		t.Errorf("it holds %q", names)
	}
}
