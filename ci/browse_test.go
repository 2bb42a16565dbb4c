package ci

import (
	"archive/zip"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestZipDirectoriesAreBounded: an archive may say what it likes of its entries, and they may lie deep.
func TestZipDirectoriesAreBounded(t *testing.T) {
	var text bytes.Buffer
	w := zip.NewWriter(&text)
	for i := range 2000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%d/%s", i, strings.Repeat("a/", 2000)) + "x", Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all := bytes.NewReader(text.Bytes())
	if _, err := zip.NewReader(&boundedAt{all, 1 << 20}, int64(text.Len())); err == nil || !strings.Contains(err.Error(), errEntries.Error()) {
		t.Errorf("a directory of 8 MB: %v", err)
	}
	z, err := zip.NewReader(&boundedAt{all, maxZipDirectory}, int64(text.Len()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]ArtifactFile{}
	for _, f := range z.File {
		add(found, f, f.Name, "", true)
	}
	if len(found) > maxZipEntries+1 {
		t.Errorf("%d files and folders", len(found))
	}
	found = map[string]ArtifactFile{}
	add(found, &zip.File{FileHeader: zip.FileHeader{Name: "a/b/c.txt", UncompressedSize64: 3}}, "a/b/c.txt", "a", true)
	var paths []string
	for p, f := range found {
		paths = append(paths, fmt.Sprint(p, " ", f.Name, " ", f.Folder))
	}
	slices.Sort(paths)
	if got := strings.Join(paths, ", "); got != "a/b b true, a/b/c.txt c.txt false" {
		t.Error(got)
	}
}
