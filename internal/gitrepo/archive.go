package gitrepo

import (
	"context"
	"io"
	"os/exec"
	"strings"
)

// ArchiveFormat is a form of archive, by the ending of its file.
type ArchiveFormat string

// The formats.
const (
	Zip    ArchiveFormat = "zip"
	TarGz  ArchiveFormat = "tar.gz"
	TarBz2 ArchiveFormat = "tar.bz2"
	Tar    ArchiveFormat = "tar"
)

// ArchiveFormats are all formats, in the order in which GitLab offers them.
var ArchiveFormats = []ArchiveFormat{Zip, TarGz, TarBz2, Tar}

// FormatOf finds the format of a file by its ending.
func FormatOf(file string) (f ArchiveFormat, ok bool) {
	for _, f := range ArchiveFormats {
		if strings.HasSuffix(file, "."+string(f)) {
			return f, true
		}
	}
	return "", false
}

// bzip2 is the machine's own program, which git does not bring along.
const bzip2 = "bzip2"

// Available says whether this machine can make a format.
func (f ArchiveFormat) Available() bool {
	if f != TarBz2 {
		return true
	}
	_, err := exec.LookPath(bzip2)
	return err == nil
}

// MediaType is what mail and web call a format.
func (f ArchiveFormat) MediaType() string {
	switch f {
	case Zip:
		return "application/zip"
	case TarGz:
		return "application/gzip"
	case TarBz2:
		return "application/x-bzip2"
	}
	return "application/x-tar"
}

// ArchiveName is the name of an archive, and of the folder in it, as GitLab gives it: the project, the ref, the commit if the ref
// is another word for it, and the folder whose files it holds.
func ArchiveName(project, ref, sha, folder string) string {
	name := strings.Map(inFileName, strings.ReplaceAll(project+"-"+ref, "/", "-"))
	if ref != sha {
		name += "-" + sha
	}
	if folder != "" {
		name += "-" + strings.Map(inFileName, strings.ReplaceAll(folder, "/", "-"))
	}
	return name
}

// inFileName leaves out of a name what no file system takes everywhere.
func inFileName(r rune) rune {
	if r < ' ' || r == '"' || r == '\\' || r == '/' || r == 0x7f {
		return '_'
	}
	return r
}

// Archive writes the files of a commit, or of a folder of it, below a folder named prefix.
func (r *Repo) Archive(ctx context.Context, sha string, format ArchiveFormat, prefix, folder string, w io.Writer) error {
	if !ValidSHA(sha) || folder != "" && !validPathspec(folder) {
		return ErrBadName
	}
	// git itself runs the program for what it cannot make, within the turn that it has.
	args := []string{"-c", "tar." + string(TarBz2) + ".command=" + bzip2 + " -c", "--git-dir=" + r.dir, "archive", "--format=" + string(format), "--prefix=" + prefix + "/", sha, "--"}
	if folder != "" {
		args = append(args, ":(literal)"+strings.TrimPrefix(folder, "/"))
	}
	return r.answer(ctx, r.store.git(ctx, args...), w, turn{r.store.archives, r.client})
}
