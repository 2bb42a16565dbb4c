package ci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/internal/blob"
	"signalbox/internal/fault"
	"signalbox/models"
)

// ArtifactUpload is what a runner sends of an artifact, besides its bytes.
type ArtifactUpload struct {
	Type     string // archive if empty
	Format   string // zip if empty
	ExpireIn string
	Filename string
}

var artifactFormats = map[string][]string{
	"archive": {"zip", "zipzstd", "tarzstd"}, "metadata": {"gzip"}, "trace": {"raw"}, "lsif": {"zip"}, "scip": {"zip"},
}

func checkFormat(u *ArtifactUpload) error {
	if u.Type == "" {
		u.Type = "archive"
	}
	if u.Format == "" {
		u.Format = "zip"
	}
	allowed, known := artifactFormats[u.Type]
	if !known {
		allowed = []string{"gzip", "raw"}
	}
	for _, f := range allowed {
		if f == u.Format {
			return nil
		}
	}
	return fault.New(fault.Invalid, "the artifact type %s cannot have the format %s", u.Type, u.Format)
}

// expiry reads `expire_in`: never, a duration, or the default.
func (c *Coordinator) expiry(text string, set InstanceSettings) (*time.Time, error) {
	now := c.db.Now()
	if d, ok := config.ParseDuration(set.ArtifactsExpireIn); text == "" && ok && d > 0 {
		text = set.ArtifactsExpireIn
	} else if text == "" && (set.ArtifactsExpireIn == "0" || set.ArtifactsExpireIn == "never") {
		text = "never"
	}
	at := now.Add(c.settings.ArtifactExpiry)
	switch {
	case strings.EqualFold(text, "never"):
		return nil, nil
	case text != "":
		seconds, ok := config.ParseDuration(text)
		if !ok {
			return nil, fault.New(fault.Invalid, "expire_in is not a duration: %q", text)
		}
		at = now.Add(time.Duration(seconds) * time.Second)
	}
	return &at, nil
}

// StoreArtifact keeps an artifact of a running job. It is there for others once all its bytes are durable,
// never before. The same content again is fine; other content of the same type is refused.
func (c *Coordinator) StoreArtifact(ctx context.Context, a *Attempt, u ArtifactUpload, body io.Reader) (*models.Artifact, error) {
	if err := checkFormat(&u); err != nil {
		return nil, err
	}
	expire, err := c.expiry(u.ExpireIn, c.current(ctx))
	if err != nil {
		return nil, err
	}
	row := &models.Artifact{
		JobID: a.Job.ID, ProjectID: a.Job.ProjectID, Type: u.Type, Format: u.Format, Filename: cleanName(u), ExpireAt: expire,
		BlobKey: fmt.Sprintf("artifacts/%d/%d/%s-%s", a.Job.ID/1000, a.Job.ID, newKey(), safe(u.Type)),
	}
	var project *models.Project
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		project, err = tx.Project(a.Job.ProjectID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if row.Access, err = c.artifactAccess(ctx, a.Job); err != nil {
		return nil, err
	}
	var handed *models.Dotenv
	if u.Type == "dotenv" {
		var raw []byte
		if raw, handed, err = c.dotenv(a.Job.ID, u.Format, body); err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	sum := sha256.New()
	row.Size, err = c.blobs.Put(ctx, row.BlobKey, io.TeeReader(&capped{r: body, left: c.maxArtifact(ctx, project)}, sum))
	if err != nil {
		return nil, err
	}
	row.SHA256 = hex.EncodeToString(sum.Sum(nil))
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row.ID = 0
		pipeline, err := tx.LockPipeline(a.Job.PipelineID) // it may be unlocked at this moment
		if err != nil {
			return err
		}
		job, err := tx.Job(a.Job.ID)
		if err != nil {
			return err
		}
		if err := alive(tx, a, job); err != nil { // it may have ended while its bytes came
			return err
		}
		row.Locked = pipeline.Locked
		if err := tx.CreateArtifact(row); err != nil || handed == nil {
			return err
		}
		return tx.SetDotenv(handed)
	})
	if err == nil {
		return row, nil
	}
	c.blobs.Delete(context.WithoutCancel(ctx), row.BlobKey)
	if !errors.Is(err, models.ErrDuplicate) {
		return nil, err
	}
	var old *models.Artifact
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		old, err = tx.Artifact(a.Job.ID, u.Type)
		return err
	})
	if err != nil {
		return nil, err
	}
	if old.SHA256 != row.SHA256 {
		return nil, fault.New(fault.Invalid, "another artifact of the type %s is stored for this job", u.Type)
	}
	return old, nil
}

// artifactAccess is who may read what a job leaves: artifacts:access of its configuration.
func (c *Coordinator) artifactAccess(ctx context.Context, j *models.Job) (level string, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		def, err := c.definition(tx, j)
		if err == nil && def.Artifacts != nil {
			level = def.Artifacts.Access
		}
		return err
	})
	if level == "" {
		level = access.ArtifactsForAll
	}
	return level, err
}

// OpenArtifact reads a stored artifact.
func (c *Coordinator) OpenArtifact(ctx context.Context, row *models.Artifact) (blob.Object, error) {
	o, err := c.blobs.Open(ctx, row.BlobKey)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fault.Refused(fault.NotFound, "")
	}
	return o, err
}

// cleanName keeps the last part of the name that a runner gives.
func cleanName(u ArtifactUpload) string {
	name := path.Base(strings.ReplaceAll(u.Filename, `\`, "/"))
	if name == "." || name == "/" || name == ".." {
		name = "artifacts." + u.Format
	}
	return strings.ReplaceAll(strings.ToValidUTF8(name[:min(len(name), 255)], ""), "\x00", "")
}

func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '_' {
			return r
		}
		return '_'
	}, s)[:min(len(s), 64)]
}

// capped fails once more bytes come than are allowed, while they come.
type capped struct {
	r    io.Reader
	left int64
}

func (l *capped) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n, fault.Refused(fault.TooLarge, "")
	}
	return n, err
}
