package ci

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"signalbox/internal/fault"
	"signalbox/models"
)

// Bounds of the archives that are looked into. All entries are read into memory, whatever number the archive says.
const (
	maxZipEntries   = 200_000
	maxZipDirectory = 32 << 20 // bytes
	maxZipPath      = 4096     // bytes of a name; longer ones cannot be unpacked either
)

// openZip reads the directory of an archive; its files are read one by one where they lie.
func (c *Coordinator) openZip(ctx context.Context, row *models.Artifact) (*zip.Reader, io.Closer, error) {
	if row.Format != "zip" {
		return nil, nil, fault.Refused(fault.Invalid, "archives of the format %s cannot be looked into", row.Format)
	}
	o, err := c.OpenArtifact(ctx, row)
	if err != nil {
		return nil, nil, err
	}
	directory := &boundedAt{r: o, left: maxZipDirectory}
	z, err := zip.NewReader(directory, o.Size())
	directory.left = math.MaxInt64 // files are streamed
	if err == nil && len(z.File) > maxZipEntries {
		err = errEntries
	}
	if err != nil {
		o.Close()
		return nil, nil, fault.Refused(fault.Invalid, "the archive cannot be read").Because(err)
	}
	return z, o, nil
}

var errEntries = fmt.Errorf("it has more than %d files and folders", maxZipEntries)

// boundedAt reads no more than some bytes.
type boundedAt struct {
	r    io.ReaderAt
	left int64
}

func (b *boundedAt) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errEntries
	}
	return b.r.ReadAt(p, at)
}

// ArtifactEntry finds one file of an archive by its exact name. The closer must be closed after reading.
func (c *Coordinator) ArtifactEntry(ctx context.Context, row *models.Artifact, name string) (*zip.File, io.Closer, error) {
	z, closer, err := c.openZip(ctx, row)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range z.File {
		if f.Name == name && f.Mode().IsRegular() {
			return f, closer, nil
		}
	}
	closer.Close()
	return nil, nil, fault.Missing("")
}

// ArtifactFile is a file or folder of an archive.
type ArtifactFile struct {
	Name   string
	Path   string
	Folder bool
	Size   int64
	Mode   string // octal, as 100644
}

// ArtifactTree lists a folder of an archive, or all below it.
func (c *Coordinator) ArtifactTree(ctx context.Context, row *models.Artifact, folder string, recursive bool) ([]ArtifactFile, error) {
	z, closer, err := c.openZip(ctx, row)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	folder = strings.TrimPrefix(path.Clean("/"+folder), "/")
	found := map[string]ArtifactFile{}
	for _, f := range z.File {
		name := strings.Trim(f.Name, "/")
		if len(name) > maxZipPath || path.Clean("/"+name) != "/"+name || !strings.HasPrefix(name+"/", folder+"/") && folder != "" {
			continue
		}
		if add(found, f, name, folder, recursive); len(found) > maxZipEntries {
			return nil, fault.Refused(fault.Invalid, "the archive cannot be read").Because(errEntries)
		}
	}
	out := make([]ArtifactFile, 0, len(found))
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b ArtifactFile) int { return strings.Compare(a.Path, b.Path) })
	if len(out) == 0 && folder != "" {
		return nil, fault.Missing("")
	}
	return out, nil
}

// add notes a file and the folders that lead to it, as far as they are to be shown.
func add(found map[string]ArtifactFile, f *zip.File, name, folder string, recursive bool) {
	rest := name
	if folder != "" {
		rest = strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
	}
	if rest == "" {
		return
	}
	parts, end := strings.Split(rest, "/"), len(name)-len(rest)
	for i := range parts {
		if i > 0 && !recursive || len(found) > maxZipEntries {
			return
		}
		end += len(parts[i])
		p := name[:end]
		end++ // the slash
		if i < len(parts)-1 || f.FileInfo().IsDir() {
			if _, known := found[p]; !known {
				found[p] = ArtifactFile{Name: parts[i], Path: p, Folder: true, Mode: "040755"}
			}
			continue
		}
		found[p] = ArtifactFile{Name: parts[i], Path: p, Size: int64(f.UncompressedSize64), Mode: fmt.Sprintf("100%03o", f.Mode().Perm())}
	}
}
