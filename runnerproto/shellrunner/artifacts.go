package shellrunner

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"signalbox/runnerproto"
)

// download unpacks the archives of earlier jobs into the checkout.
func (j *run) download(ctx context.Context) error {
	for _, d := range j.job.Dependencies {
		if d.ArtifactsFile == nil || d.ArtifactsFile.Filename == "" {
			continue
		}
		fmt.Fprintf(j.log, "Downloading artifacts for %s (%d)...\n", d.Name, d.ID)
		if err := j.fetch(ctx, d); err != nil {
			return &failure{reason: "script_failure", err: fmt.Errorf("artifacts of %s: %w", d.Name, err)}
		}
	}
	return nil
}

func (j *run) fetch(ctx context.Context, d runnerproto.Dependency) error {
	body, err := j.client.Download(ctx, d)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.CreateTemp(j.tmp, "artifacts-*")
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := io.Copy(f, body)
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(j.dir) // no entry leads out of the checkout
	if err != nil {
		return err
	}
	defer root.Close()
	for _, entry := range archive.File {
		if err := j.unpack(root, entry); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
	}
	return nil
}

func (j *run) unpack(root *os.Root, entry *zip.File) error {
	name := filepath.Clean(entry.Name)
	if entry.FileInfo().IsDir() {
		return j.folders(root, name)
	}
	if err := j.folders(root, filepath.Dir(name)); err != nil {
		return err
	}
	src, err := entry.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	if entry.Mode()&fs.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(src, 4096))
		if err != nil {
			return err
		}
		root.Remove(name)
		return errors.Join(root.Symlink(string(target), name), j.ownIn(root, name))
	}
	root.Remove(name)
	dst, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, entry.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close(), j.ownIn(root, name))
}

func (j *run) folders(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := j.folders(root, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return j.ownIn(root, dir)
}

func (j *run) ownIn(root *os.Root, name string) error {
	if !j.r.drop {
		return nil
	}
	return root.Lchown(name, int(j.r.uid), int(j.r.gid))
}

// upload sends what the job is to keep.
func (j *run) upload(ctx context.Context, success bool) error {
	var wanted []runnerproto.Artifact
	for _, a := range j.job.Artifacts {
		if a.When == "always" || (a.When == "on_failure") != success {
			wanted = append(wanted, a)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	name := "upload_artifacts_on_success"
	if !success {
		name = "upload_artifacts_on_failure"
	}
	return j.section(name, "Uploading artifacts", func() error {
		for _, a := range wanted {
			if err := j.send(ctx, a); err != nil {
				return fmt.Errorf("upload of artifacts: %w", err)
			}
		}
		return nil
	})
}

func (j *run) send(ctx context.Context, a runnerproto.Artifact) error {
	files, err := j.match(ctx, a)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		fmt.Fprintf(j.log, "\x1b[33mNo files match the %s %v\x1b[0;m\n", a.Type, a.Paths)
		return nil
	}
	f, err := os.CreateTemp(j.tmp, "upload-*")
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := os.OpenRoot(j.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name := a.Name
	if name == "" {
		name = "artifacts"
	}
	name = filepath.Base(os.Expand(name, func(k string) string { return j.vars[k] }))
	switch a.Format {
	case "gzip":
		err, name = gzipFiles(f, root, files), name+".gz"
	case "raw":
		err = copyFile(f, root, files[0])
	default:
		err, name = zipFiles(f, root, files), name+".zip"
	}
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	fmt.Fprintf(j.log, "Uploading %d files as %q\n", len(files), a.Type)
	return j.client.Upload(ctx, j.job, a, name, f)
}

// match lists the files of an artifact, relative to the checkout, by name.
func (j *run) match(ctx context.Context, a runnerproto.Artifact) ([]string, error) {
	found := map[string]bool{}
	tree := os.DirFS(j.dir)
	for _, pattern := range a.Paths {
		pattern = strings.TrimPrefix(filepath.Clean(os.Expand(pattern, func(k string) string { return j.vars[k] })), j.dir+"/")
		names, err := doublestar.Glob(tree, pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		for _, n := range names {
			err := fs.WalkDir(tree, n, func(p string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					found[p] = true
				}
				if d != nil && d.IsDir() && d.Name() == ".git" {
					return fs.SkipDir
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if a.Untracked {
		if err := j.untracked(ctx, found); err != nil {
			return nil, err
		}
	}
	var out []string
	for n := range found {
		if !excluded(n, a.Exclude) {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out, nil
}

func excluded(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, err := doublestar.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}

func (j *run) untracked(ctx context.Context, found map[string]bool) error {
	cmd := j.r.process(exec.CommandContext(ctx, "git", "ls-files", "-o", "-z"))
	cmd.Dir, cmd.Env = j.dir, j.env
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list untracked files: %w", err)
	}
	for _, n := range strings.Split(string(out), "\x00") {
		if n != "" {
			found[n] = true
		}
	}
	return nil
}

func zipFiles(w io.Writer, root *os.Root, files []string) error {
	z := zip.NewWriter(w)
	for _, name := range files {
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		h, err := zip.FileInfoHeader(info)
		if err != nil {
			return err
		}
		h.Name, h.Method = name, zip.Deflate
		entry, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := root.Readlink(name)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(entry, target); err != nil {
				return err
			}
			continue
		}
		if err := copyFile(entry, root, name); err != nil {
			return err
		}
	}
	return z.Close()
}

// gzipFiles writes one gzip member a file, as reports are sent.
func gzipFiles(w io.Writer, root *os.Root, files []string) error {
	for _, name := range files {
		z := gzip.NewWriter(w)
		z.Name = filepath.Base(name)
		if err := errors.Join(copyFile(z, root, name), z.Close()); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(w io.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
