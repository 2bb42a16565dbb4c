package web

import (
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
)

// maxFile is the largest file that pages hand out, maxShownFile the largest that is shown within one.
const (
	maxFile      = 32 << 20
	maxShownFile = 1 << 20
)

// maxRefParts bounds how many parts of an address are tried as the name of a ref.
const maxRefParts = 10

// network is whom what a request holds is counted for.
func (s *Server) network(r *request) string {
	return httpapi.Network(httpapi.Address(r.Request, s.trusted)).String()
}

// fileAt reads the file that stands behind /-/blob/ and the like: a ref and a path at its commit. Names of refs
// have slashes too: the shortest counts at whose commit there is such a file.
func (s *Server) fileAt(r *request, c *inside, limit int64) (ref, file string, content []byte, err error) {
	repo := s.ci.Repo(c.project).For(s.network(r))
	parts := strings.Split(c.args[0], "/")
	for i := 1; i < min(len(parts), maxRefParts+1); i++ {
		ref, file = strings.Join(parts[:i], "/"), strings.Join(parts[i:], "/")
		sha, err := repo.Find(r.Context(), ref)
		if err == nil {
			content, err = repo.FileFor(r.Context(), sha, file, limit)
		}
		if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
			continue
		}
		return ref, file, content, err
	}
	return "", "", nil, notFound(r)
}

// readable says whether bytes are a text.
func readable(b []byte) bool { return utf8.Valid(b) && !strings.ContainsRune(string(b), 0) }

// rawRepositoryFile hands out a file as it is. Nothing of it runs as if it were ours.
func (s *Server) rawRepositoryFile(r *request, c *inside) error {
	_, file, content, err := s.fileAt(r, c, maxFile)
	if errors.Is(err, gitrepo.ErrTooLarge) {
		return fault.Wrap(fault.TooLarge, err, "This file is larger than 32 MiB. Clone the repository to read it.")
	}
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if !readable(content) {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", httpapi.Disposition("attachment", path.Base(file)))
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = r.w.Write(content)
	return err
}

// filePage shows a file of the repository.
func (s *Server) filePage(r *request, c *inside) error {
	ref, file, content, err := s.fileAt(r, c, maxShownFile)
	large := errors.Is(err, gitrepo.ErrTooLarge)
	if err != nil && !large {
		return err
	}
	d := data{"Title": path.Base(file), "File": file, "Ref": ref, "Raw": "/" + c.project.FullPath + "/-/raw/" + escaped(ref+"/"+file), "Large": large}
	if !large && readable(content) {
		d["Content"], d["Shown"] = string(content), true
	}
	d["Size"] = int64(len(content))
	return s.show(r, c, "file", d)
}

// escaped is a path as addresses have it.
func escaped(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = pathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// sourceArchive hands out the files of a branch, tag or commit: /-/archive/<ref>/<any name>.<format>.
func (s *Server) sourceArchive(r *request, c *inside) error {
	ref, file := path.Split(c.args[0])
	ref = strings.TrimSuffix(ref, "/")
	format, known := gitrepo.FormatOf(file)
	if !known || ref == "" {
		return notFound(r)
	}
	if !format.Available() {
		return fault.New(fault.Invalid, "bzip2 is not installed on the server. Take tar.gz.")
	}
	repo := s.ci.Repo(c.project)
	sha, err := repo.Find(r.Context(), ref)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return notFound(r)
	}
	if err != nil {
		return err
	}
	name := gitrepo.ArchiveName(c.project.Path, ref, sha, "")
	r.w.Header().Set("Content-Type", format.MediaType())
	r.w.Header().Set("Content-Disposition", httpapi.Disposition("attachment", name+"."+string(format)))
	if r.Method == http.MethodHead {
		return nil
	}
	out := &begun{Writer: r.w}
	err = repo.For(s.network(r)).Archive(r.Context(), sha, format, name, "", out)
	if err != nil && out.any {
		panic(http.ErrAbortHandler) // an archive that is not whole must not look so
	}
	if err != nil {
		r.w.Header().Del("Content-Disposition")
	}
	return err
}

// begun notes whether anything was written.
type begun struct {
	io.Writer
	any bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.Writer.Write(p)
}
