package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// archiveOf finds the archive of the job of the address, for somebody who may read it.
func (s *Server) archiveOf(r *request, c *inside) (j *models.Job, row *models.Artifact, err error) {
	if j, _, err = s.jobOf(r, c); err != nil {
		return nil, nil, err
	}
	row, err = s.ci.ReadableArchive(r.Context(), r.actor, c.subject, j)
	if kind := fault.KindOf(err); kind == fault.Forbidden || kind == fault.NotFound {
		err = notFound(r)
	}
	return j, row, err
}

// readsArchive says whether the reader gets the archive of a job, so that pages link to it.
func (s *Server) readsArchive(r *request, c *inside, j *models.Job) (bool, error) {
	_, err := s.ci.ReadableArchive(r.Context(), r.actor, c.subject, j)
	if kind := fault.KindOf(err); kind == fault.Forbidden || kind == fault.NotFound {
		return false, nil
	}
	return err == nil, err
}

func (s *Server) downloadArtifacts(r *request, c *inside) error {
	_, row, err := s.archiveOf(r, c)
	if err != nil {
		return err
	}
	o, err := s.ci.OpenArtifact(r.Context(), row)
	if err != nil {
		return err
	}
	defer o.Close()
	r.w.Header().Set("Content-Type", "application/zip")
	r.w.Header().Set("Content-Disposition", httpapi.Disposition("attachment", row.Filename))
	http.ServeContent(r.w, r.Request, "", row.CreatedAt, io.ReadSeeker(o))
	return nil
}

// crumb is a folder on the way to one.
type crumb struct{ Name, Path string }

// maxListed bounds the files of a folder that a page shows.
const maxListed = 2000

func (s *Server) browseArtifacts(r *request, c *inside) error {
	j, row, err := s.archiveOf(r, c)
	if err != nil {
		return err
	}
	folder := strings.Trim(strings.Join(c.args[1:], "/"), "/")
	entries, err := s.ci.ArtifactTree(r.Context(), row, folder, false)
	if err != nil {
		return err
	}
	if len(entries) == 0 && folder != "" {
		return notFound(r)
	}
	var crumbs []crumb
	for i, name := range strings.Split(folder, "/") {
		if name != "" {
			crumbs = append(crumbs, crumb{name, strings.Join(strings.Split(folder, "/")[:i+1], "/")})
		}
	}
	d := data{"Title": "Artifacts of " + j.Name, "Job": j, "Row": row, "Crumbs": crumbs, "Entries": entries[:min(len(entries), maxListed)], "All": len(entries)}
	return s.show(r, c, "artifacts", d)
}

// artifactFile hands out one file. Texts and pictures are shown, nothing runs as if it were ours.
func (s *Server) artifactFile(r *request, c *inside) error {
	_, row, err := s.archiveOf(r, c)
	if err != nil {
		return err
	}
	name := strings.Join(c.args[1:], "/")
	f, closer, err := s.ci.ArtifactEntry(r.Context(), row, name)
	if err != nil {
		return err
	}
	defer closer.Close()
	in, err := f.Open()
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "The archive cannot be read.")
	}
	defer in.Close()
	h := r.w.Header()
	kind, shown := "application/octet-stream", false
	switch found := mime.TypeByExtension(path.Ext(name)); {
	case strings.HasPrefix(found, "text/"), strings.HasPrefix(found, "application/json"), found == "" && f.UncompressedSize64 < 1<<20, path.Ext(name) == ".log", path.Ext(name) == ".xml":
		kind, shown = "text/plain; charset=utf-8", true
	case found == "image/png", found == "image/jpeg", found == "image/gif", found == "image/webp":
		kind, shown = found, true
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if !shown {
		h.Set("Content-Disposition", httpapi.Disposition("attachment", path.Base(name)))
	}
	_, err = io.Copy(r.w, in)
	return err
}

// Link is the address of an entry below the page of the archive.
func entryPath(base string, f ci.ArtifactFile) string {
	kind := "file"
	if f.Folder {
		kind = "browse"
	}
	var parts []string
	for _, p := range strings.Split(f.Path, "/") {
		parts = append(parts, pathEscape(p))
	}
	return fmt.Sprintf("%s/artifacts/%s/%s", base, kind, strings.Join(parts, "/"))
}
