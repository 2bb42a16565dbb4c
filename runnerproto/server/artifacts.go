package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/runnerproto"
)

// maxParts bounds the fields before the file of an upload.
const maxParts = 10

func (s *Server) upload(c *gin.Context) error {
	a, err := s.attempt(c, "")
	if err != nil {
		return err
	}
	parts, err := c.Request.MultipartReader()
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not multipart/form-data").Because(err)
	}
	u := ci.ArtifactUpload{Type: c.Query("artifact_type"), Format: c.Query("artifact_format"), ExpireIn: c.Query("expire_in")}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fault.Refused(fault.Invalid, "the upload was cut off").Because(err)
		}
		if part.FormName() != "file" {
			if err := field(&u, part.FormName(), part); err != nil {
				return err
			}
			continue
		}
		u.Filename = part.FileName()
		body := &source{r: part}
		if _, err := s.ci.StoreArtifact(c.Request.Context(), a, u, body); err != nil {
			if body.failed != nil {
				return fault.Refused(fault.Invalid, "the upload was cut off").Because(err)
			}
			return err
		}
		c.Header(runnerproto.HeaderJobStatus, string(a.Status()))
		c.JSON(http.StatusCreated, gin.H{"message": "201 Created"})
		return nil
	}
	return &httpapi.ParamError{Text: "file is missing"}
}

func field(u *ci.ArtifactUpload, name string, r io.Reader) error {
	value, err := io.ReadAll(io.LimitReader(r, 1<<10))
	if err != nil {
		return fault.Refused(fault.Invalid, "the upload was cut off").Because(err)
	}
	switch name {
	case "artifact_type":
		u.Type = string(value)
	case "artifact_format":
		u.Format = string(value)
	case "expire_in":
		u.ExpireIn = string(value)
	}
	return nil
}

// source remembers that the sender failed, as opposed to the store.
type source struct {
	r      io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}

func (s *Server) download(c *gin.Context) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return fault.Refused(fault.NotFound, "")
	}
	token := c.GetHeader(runnerproto.HeaderJobToken)
	if token == "" {
		token = c.Query("token")
	}
	reader, err := s.ci.JobOfToken(c.Request.Context(), token)
	if err != nil {
		return fault.Refused(fault.Unauthorized, "").Because(err)
	}
	row, err := s.ci.DependencyArtifact(c.Request.Context(), reader, id)
	if err != nil {
		return err
	}
	o, err := s.ci.OpenArtifact(c.Request.Context(), row)
	if err != nil {
		return err
	}
	defer o.Close()
	c.Header("Content-Type", "application/octet-stream")
	c.Header("Content-Disposition", httpapi.Disposition("attachment", row.Filename))
	http.ServeContent(c.Writer, c.Request, "", row.CreatedAt, o)
	return nil
}
