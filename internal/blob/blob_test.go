package blob

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucket is an S3 in memory, spoken to over HTTPS, with one bucket. It does not know bodies that are signed piece
// by piece, as they are over plain HTTP.
func bucket(t *testing.T, name string) (Store, error) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	address := "s3://" + name + "/ci/objects?region=us-east-1&path_style=true&endpoint=" + url.QueryEscape(server.URL)
	if err := Check(address); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return newS3(t.Context(), u, server.Client().Transport)
}

// TestStores is what every store does.
func TestStores(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (Store, error){
		"files": func(t *testing.T) (Store, error) { return Open(t.Context(), "file://"+t.TempDir()) },
		"s3":    func(t *testing.T) (Store, error) { return bucket(t, "jobs") },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			t.Run("stored whole or not at all", func(t *testing.T) { storedWhole(t, s) })
			t.Run("read in any order", func(t *testing.T) { readAnyhow(t, s) })
			t.Run("keys stay inside", func(t *testing.T) {
				for _, key := range []string{"", "../out", "/etc/passwd", "a/../../x", "a//b"} {
					if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err == nil && key != "a//b" {
						t.Errorf("%q was written", key)
					}
				}
			})
		})
	}
}

func storedWhole(t *testing.T, s Store) {
	ctx := t.Context()
	for _, text := range []string{"hello", "", "replaced"} {
		if n, err := s.Put(ctx, "a/b/c", strings.NewReader(text)); err != nil || n != int64(len(text)) {
			t.Fatal(n, err)
		}
		if got := readAll(t, s, "a/b/c"); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	for _, before := range []int{0, 4, partSize - 1, partSize, partSize + 4, 3 * partSize} {
		for _, how := range []error{errors.New("cut off"), io.ErrUnexpectedEOF} {
			cut := io.MultiReader(bytes.NewReader(make([]byte, before)), iotest.ErrReader(how))
			if _, err := s.Put(ctx, "a/b/d", cut); err == nil {
				t.Errorf("%d bytes of an upload cut by %q were stored", before, how)
			}
			if _, err := s.Open(ctx, "a/b/d"); !errors.Is(err, ErrNotFound) {
				t.Errorf("half an object is there: %v", err)
			}
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Put(canceled, "a/b/e", strings.NewReader("x")); err == nil {
		t.Error("stored for somebody who left")
	}
	if err := errors.Join(s.Delete(ctx, "a/b/c"), s.Delete(ctx, "a/b/c")); err != nil {
		t.Error(err)
	}
	if _, err := s.Open(ctx, "a/b/c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted, but there: %v", err)
	}
}

func readAll(t *testing.T, s Store, key string) string {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil || int64(len(b)) != o.Size() {
		t.Fatal(len(b), o.Size(), err)
	}
	return string(b)
}

// readAnyhow reads an object of several parts as a stream, by ranges, and as an archive.
func readAnyhow(t *testing.T, s Store) {
	random := rand.NewChaCha8([32]byte{1})
	want := make([]byte, partSize*2+12345)
	random.Read(want)
	if n, err := s.Put(t.Context(), "big", bytes.NewReader(want)); err != nil || n != int64(len(want)) {
		t.Fatal(n, err)
	}
	o, err := s.Open(t.Context(), "big")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if whole, err := io.ReadAll(o); err != nil || !bytes.Equal(whole, want) {
		t.Fatalf("read as a stream: %d bytes, %v", len(whole), err)
	}
	r := rand.New(random)
	for range 50 {
		p := make([]byte, r.IntN(2*blockSize)+1)
		off := r.Int64N(int64(len(want)))
		n, err := o.ReadAt(p, off)
		if n != len(p) && err != io.EOF || n == len(p) && err != nil || !bytes.Equal(p[:n], want[off:off+int64(n)]) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
	for _, off := range []int64{1000, 0, int64(len(want)) - 5} {
		if _, err := o.Seek(off, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(o, got); err != nil || !bytes.Equal(got, want[off:off+5]) {
			t.Errorf("at %d: %v", off, err)
		}
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, name := range []string{"one", "two"} {
		f, _ := w.Create(name)
		f.Write([]byte("in " + name))
	}
	w.Close()
	if _, err := s.Put(t.Context(), "zip", &packed); err != nil {
		t.Fatal(err)
	}
	z, err := s.Open(t.Context(), "zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	archive, err := zip.NewReader(z, z.Size())
	if err != nil {
		t.Fatal(err)
	}
	f, err := archive.Open("two")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(f); string(b) != "in two" {
		t.Errorf("%q", b)
	}
}

func TestFilesLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(t.Context(), "a/b", iotest.ErrReader(errors.New("cut off"))); err == nil {
		t.Error("a cut upload was stored")
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "a")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAddressesOfStores(t *testing.T) {
	for address, want := range map[string]string{
		"file:///var/objects": "", "s3://jobs": "", "s3://jobs/a/b?region=eu-central-1": "",
		"s3://": "names no bucket", "ftp://x": "neither", "file://host/x": "neither", "objects": "neither",
		"s3://key:secret@jobs": "holds keys", "s3://jobs?endpoint=minio:9000": "endpoint", "s3://jobs?acl=x": "acl is not known", "s3://jobs?path_style=x": "path_style",
	} {
		err := Check(address)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("%v shows a key", err)
		}
	}
	if _, err := bucket(t, "nothing"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
