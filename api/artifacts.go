package api

import (
	"archive/zip"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

func (s *Server) artifactRoutes(r routes) {
	one := "/projects/:id/jobs/:job_id/artifacts"
	r.get(one, inJob(access.ReadArtifacts), s.download)
	r.get(one+"/*path", inJob(access.ReadArtifacts), with(s.artifactPath))
	r.get("/projects/:id/jobs/artifacts/*rest", project(access.ReadArtifacts), with(s.artifactsOfRef))
	r.post(one+"/keep", inJob(access.KeepArtifacts), func(c *call) (any, error) {
		if err := s.ci.KeepArtifacts(c.ctx(), c.job.ID); err != nil {
			return nil, err
		}
		e, err := s.renderJob(c, c.job)
		return reply{200, e}, err
	})
	r.delete(one, inJob(access.DeleteArtifacts), func(c *call) (any, error) {
		return nil, s.ci.DeleteArtifacts(c.ctx(), c.actor, c.job.ID)
	})
	r.delete("/projects/:id/artifacts", project(access.DeleteArtifacts), func(c *call) (any, error) {
		return accepted, s.ci.DeleteProjectArtifacts(c.ctx(), c.project.ID)
	})
}

// byRef serves …/jobs/artifacts/:ref_name/download and …/raw/*path, whose ref may hold slashes. The router
// knows the word artifacts only as a job's id, so that these come in as its endpoints.
func byRef(rest string) (ref, file string, raw, ok bool) {
	rest = strings.TrimPrefix(rest, "/")
	if ref, ok := strings.CutSuffix(rest, "/download"); ok {
		return ref, "", false, ref != ""
	}
	ref, file, ok = strings.Cut(rest, "/raw/")
	return ref, file, true, ok && ref != "" && file != ""
}

type byRefParams struct {
	Job    string `param:"job,required"`
	Search bool   `param:"search_recent_successful_pipelines"`
}

func (s *Server) artifactsOfRef(c *call, p *byRefParams) (any, error) {
	ref, file, raw, ok := byRef(c.Param("rest"))
	if !ok {
		return nil, fault.New(fault.NotFound, "404 Not found")
	}
	err := c.read(func(tx *models.Tx) error {
		pl, err := tx.LatestPipeline(c.project.ID, ref, "", enum.Success)
		if err != nil {
			return err
		}
		c.job, err = tx.JobByName(pl.ID, p.Job)
		return err
	})
	if err != nil {
		return nil, missing(err, "")
	}
	if raw {
		return s.artifactFile(c, file)
	}
	return s.download(c)
}

func (s *Server) archiveOf(c *call) (*models.Artifact, error) {
	return s.ci.ReadableArchive(c.ctx(), c.actor, c.subject, c.job)
}

// download hands out a job's archive.
func (s *Server) download(c *call) (any, error) {
	row, err := s.archiveOf(c)
	if err != nil {
		return nil, err
	}
	o, err := s.ci.OpenArtifact(c.ctx(), row)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	c.Header("Content-Type", "application/zip")
	c.Header("Content-Disposition", httpapi.Disposition("attachment", row.Filename))
	http.ServeContent(c.Writer, c.Request, "", row.CreatedAt, o)
	return written, nil
}

type treeOfArtifacts struct {
	httpapi.Page
	Path      string `param:"path"`
	Recursive bool   `param:"recursive"`
}

// artifactPath is one file of the archive, or the list of them at tree.
func (s *Server) artifactPath(c *call, p *treeOfArtifacts) (any, error) {
	file := strings.TrimPrefix(c.Param("path"), "/")
	if file == "tree" {
		return s.artifactTree(c, p)
	}
	return s.artifactFile(c, file)
}

func (s *Server) artifactFile(c *call, name string) (any, error) {
	if name == "" || path.Clean("/"+name) != "/"+name {
		return nil, fault.New(fault.Invalid, "400 Bad request")
	}
	row, err := s.archiveOf(c)
	if err != nil {
		return nil, err
	}
	f, closer, err := s.ci.ArtifactEntry(c.ctx(), row, name)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	in, err := f.Open()
	if err != nil {
		return nil, unreadable(err)
	}
	defer in.Close()
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" || !strings.HasPrefix(kind, "text/plain") {
		kind = "application/octet-stream" // nothing of a job runs in a browser as if it were ours
	}
	c.Header("Content-Type", kind)
	c.Header("Content-Disposition", httpapi.Disposition("attachment", path.Base(name)))
	c.Header("Content-Security-Policy", "default-src 'none'; sandbox")
	c.Status(http.StatusOK)
	if httpapi.IsHead(c.Context) {
		return written, nil
	}
	_, err = io.Copy(c.Writer, in)
	return written, err
}

func unreadable(err error) error {
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) {
		return fault.Wrap(fault.Invalid, err, "400 Bad request - the archive cannot be read")
	}
	return err
}

func (s *Server) artifactTree(c *call, p *treeOfArtifacts) (any, error) {
	row, err := s.archiveOf(c)
	if err != nil {
		return nil, err
	}
	entries, err := s.ci.ArtifactTree(c.ctx(), row, p.Path, p.Recursive)
	if err != nil {
		return nil, err
	}
	out := sliced(entries, p.Page)
	out.rows = each(out.rows.([]ci.ArtifactFile), func(f ci.ArtifactFile) gin.H {
		e := gin.H{"name": f.Name, "path": f.Path, "type": "file", "size": f.Size, "mode": f.Mode}
		if f.Folder {
			e["type"] = "directory"
			delete(e, "size")
		}
		return e
	})
	return out, nil
}
