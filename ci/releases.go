package ci

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// NewRelease is a release that is to be made.
type NewRelease struct {
	Release    *models.Release
	Ref        string // what the tag is made of, if it is not there yet
	TagMessage string
}

// CreateRelease publishes a tag, and makes it first if there is none.
func (c *Coordinator) CreateRelease(ctx context.Context, by access.Actor, p *models.Project, n NewRelease) (*models.Release, error) {
	r := n.Release
	if err := c.mayRelease(ctx, by, p, r.Tag); err != nil {
		return nil, err
	}
	repo := c.Repo(p)
	full := "refs/tags/" + r.Tag
	_, err := repo.Resolve(ctx, full)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		if n.Ref == "" {
			return nil, fault.New(fault.Invalid, "Ref is not specified")
		}
		err = c.CreateTag(ctx, by, p, r.Tag, n.Ref, n.TagMessage)
	}
	if err != nil {
		return nil, err
	}
	if r.SHA, err = repo.Find(ctx, full); err != nil {
		return nil, err
	}
	if r.Name == "" {
		r.Name = r.Tag
	}
	if err := checkLinks(r.Links); err != nil {
		return nil, err
	}
	if r.Links == nil {
		r.Links = []models.ReleaseLink{}
	}
	if r.Milestones == nil {
		r.Milestones = []string{}
	}
	r.ProjectID, r.AuthorID = p.ID, by.ID()
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		r.ID = 0
		for i := range r.Links {
			if err := numberLink(tx, r, &r.Links[i]); err != nil {
				return err
			}
		}
		if err := tx.CreateRelease(r); err != nil {
			return err
		}
		if err := c.happens(tx, happening{Event: ReleaseEvents, Project: p.ID, ID: r.ID, Action: "create", Release: r}); err != nil {
			return err
		}
		return audit(tx, by, "release_created", "project", p.ID, r.Tag)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, errReleased
	}
	return r, err
}

var errReleased = fault.New(fault.Conflict, "Release already exists")

// SourcesPath is where the pages hand out the files of a tag as an archive, as on GitLab.
func SourcesPath(p *models.Project, tag string, format gitrepo.ArchiveFormat) string {
	name := p.Path + "-" + strings.ReplaceAll(tag, "/", "-") + "." + string(format)
	return (&url.URL{Path: "/" + p.FullPath + "/-/archive/" + tag + "/" + name}).EscapedPath()
}

// mayRelease asks for the right to the tag: releases of protected tags are for those who may make these.
func (c *Coordinator) mayRelease(ctx context.Context, by access.Actor, p *models.Project, tag string) error {
	return c.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, by, p)
		if err == nil && !access.Allowed(by, access.CreateReleases, subject.On(tag, true)) {
			err = errForbidden
		}
		return err
	})
}

// ChangeRelease changes a release; with nil it is removed, and its tag stays.
func (c *Coordinator) ChangeRelease(ctx context.Context, by access.Actor, p *models.Project, r *models.Release, change func(*models.Release)) error {
	if err := c.mayRelease(ctx, by, p, r.Tag); err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if change == nil {
			if err := c.happens(tx, happening{Event: ReleaseEvents, Project: p.ID, ID: r.ID, Action: "delete", Release: r}); err != nil {
				return err
			}
			return tx.DeleteRelease(r.ID)
		}
		change(r)
		if err := c.happens(tx, happening{Event: ReleaseEvents, Project: p.ID, ID: r.ID, Action: "update", Release: r}); err != nil {
			return err
		}
		return tx.UpdateRelease(r)
	})
}

// publish makes the release that a job asks for, before the job counts as successful. It may be called again for the same
// job. What stands in the way fails the job, and is told on its page.
func (c *Coordinator) publish(ctx context.Context, j *models.Job) error {
	f := &jobFacts{runner: &models.Runner{}}
	if err := c.db.Read(ctx, func(tx *models.Tx) error { return c.readFacts(tx, j.ID, f) }); err != nil {
		return err
	}
	e := f.definition.Release
	if e == nil {
		return nil
	}
	var err error
	repo := c.Repo(f.project)
	if f.commit, err = repo.Commit(ctx, f.pipeline.SHA); err != nil {
		return err
	}
	vars := f.variables(c.server(), "", c.db.Now())
	text := func(s string) string { return vars.Expand(s, false) }
	n := NewRelease{Ref: text(e.Ref), TagMessage: text(e.TagMessage), Release: &models.Release{
		Tag: text(e.TagName), Name: text(e.Name), Description: text(e.Description), JobID: &j.ID,
	}}
	if n.Ref == "" {
		n.Ref = f.pipeline.SHA
	}
	var old *models.Release
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		old, err = tx.Release(f.project.ID, n.Release.Tag)
		return err
	})
	if err == nil && old.JobID != nil && *old.JobID == j.ID {
		return nil
	}
	if err := notThere(err); err != nil {
		return err
	}
	if n.Release.Description, err = c.describe(ctx, f, n.Release.Description); err != nil {
		return err
	}
	if at := text(e.ReleasedAt); at != "" {
		ok := false
		if n.Release.ReleasedAt, ok = config.ReleaseTime(at); !ok {
			return fault.New(fault.Invalid, "released_at is no time such as 2026-01-31T12:00:00Z: %s", at)
		}
	}
	for _, m := range e.Milestones {
		n.Release.Milestones = append(n.Release.Milestones, text(m))
	}
	for _, l := range e.Links {
		n.Release.Links = append(n.Release.Links, models.ReleaseLink{Name: text(l.Name), URL: text(l.URL), Filepath: text(l.Filepath), LinkType: l.LinkType})
	}
	_, err = c.CreateRelease(ctx, access.Actor{User: f.user}, f.project, n)
	if errors.Is(err, errReleased) { // perhaps by this job, whose runner told of its end twice
		return c.db.Read(ctx, func(tx *models.Tx) error {
			old, readErr := tx.Release(f.project.ID, n.Release.Tag)
			if readErr == nil && old.JobID != nil && *old.JobID == j.ID {
				return nil
			}
			return err
		})
	}
	return err
}

const maxDescription = 1 << 20

// describe is what a release says of itself: a text, or the file of the commit that it names.
func (c *Coordinator) describe(ctx context.Context, f *jobFacts, text string) (string, error) {
	name := strings.TrimPrefix(text, "./")
	if name == "" || strings.ContainsAny(name, "\n\r") || len(name) > 255 {
		return text, nil
	}
	raw, err := c.Repo(f.project).File(ctx, f.pipeline.SHA, name, maxDescription)
	switch {
	case err == nil:
		return string(raw), nil
	case errors.Is(err, gitrepo.ErrTooLarge):
		return "", fault.New(fault.Invalid, "the description %s is larger than 1 MB", name)
	case errors.Is(err, gitrepo.ErrNotFound), errors.Is(err, gitrepo.ErrBadName):
		return text, nil
	}
	return "", err
}

// released makes a job's release at its end; failed says what kept it from that.
func (c *Coordinator) released(ctx context.Context, j *models.Job) (failed string, err error) {
	if err := c.publish(ctx, j); err != nil {
		if !refused(err) {
			return "", err
		}
		return fmt.Sprintf("its release could not be made: %s", fault.Message(err)), nil
	}
	return "", nil
}
