package ci

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// LinkMistakes are what is wrong with a link of a release, in GitLab's words.
type LinkMistakes []string

func (m LinkMistakes) Error() string { return strings.Join(m, ", ") }

// linkPath is GitLab's form of the paths under which links of a release are found; two slashes never follow one another.
var linkPath = regexp.MustCompile(`^/[^/][-.\w/]+[\da-zA-Z]+$`)

const maxLinkPath = 128

// linkMistakes checks one link among the others of its release, in GitLab's order.
func linkMistakes(l models.ReleaseLink, others []models.ReleaseLink) (out LinkMistakes) {
	taken := func(of func(models.ReleaseLink) string) bool {
		return slices.ContainsFunc(others, func(o models.ReleaseLink) bool { return of(o) == of(l) })
	}
	if l.URL == "" {
		out = append(out, "Url can't be blank", "Url must be a valid URL")
	} else if !linkAddress(l.URL) {
		out = append(out, "Url is blocked: Only allowed schemes are http, https, ftp")
	}
	if taken(func(o models.ReleaseLink) string { return o.URL }) {
		out = append(out, "Url has already been taken")
	}
	if l.Name == "" {
		out = append(out, "Name can't be blank")
	}
	if taken(func(o models.ReleaseLink) string { return o.Name }) {
		out = append(out, "Name has already been taken")
	}
	if l.Filepath == "" {
		return out
	}
	if taken(func(o models.ReleaseLink) string { return o.Filepath }) {
		out = append(out, "Filepath has already been taken")
	}
	switch {
	case len([]rune(l.Filepath)) > maxLinkPath:
		out = append(out, "Filepath is too long (maximum is 128 characters)")
	case !linkPath.MatchString(l.Filepath) || strings.Contains(l.Filepath, "//"):
		out = append(out, "Filepath is in an invalid format")
	}
	return out
}

func linkAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "ftp") && len(text) <= 2048
}

// checkLinks checks all links of a new release.
func checkLinks(links []models.ReleaseLink) error {
	for i := range links {
		l := &links[i]
		if l.URL = strings.TrimSpace(l.URL); l.LinkType == "" {
			l.LinkType = "other"
		}
		if wrong := linkMistakes(*l, links[:i]); wrong != nil {
			return fault.New(fault.Invalid, "Links %s%s", strings.ToLower(wrong[0][:1]), wrong[0][1:])
		}
	}
	return nil
}

// numberLink gives a link its id: none that another link of the project has or had. Releases of earlier versions count
// their links by themselves.
func numberLink(tx *models.Tx, r *models.Release, l *models.ReleaseLink) error {
	for {
		id, err := tx.NextIID(r.ProjectID, "release_link")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(r.Links, func(o models.ReleaseLink) bool { return o.ID == id }) {
			l.ID = id
			return nil
		}
	}
}

// AddLink gives a release another link.
func (c *Coordinator) AddLink(ctx context.Context, by access.Actor, p *models.Project, r *models.Release, l *models.ReleaseLink) error {
	return c.changeLinks(ctx, by, p, r, func(tx *models.Tx, r *models.Release) error {
		if l.URL = strings.TrimSpace(l.URL); l.LinkType == "" {
			l.LinkType = "other"
		}
		if wrong := linkMistakes(*l, r.Links); wrong != nil {
			return wrong
		}
		if err := numberLink(tx, r, l); err != nil {
			return err
		}
		r.Links = append(r.Links, *l)
		return nil
	})
}

// ChangeLink changes a link of a release; with nil it is removed. It answers the link as it is, or was.
func (c *Coordinator) ChangeLink(ctx context.Context, by access.Actor, p *models.Project, r *models.Release, id int64, change func(*models.ReleaseLink)) (l models.ReleaseLink, err error) {
	err = c.changeLinks(ctx, by, p, r, func(_ *models.Tx, r *models.Release) error {
		at := slices.IndexFunc(r.Links, func(l models.ReleaseLink) bool { return l.ID == id })
		if at < 0 {
			return fault.Missing("")
		}
		l = r.Links[at]
		others := slices.Delete(slices.Clone(r.Links), at, at+1)
		if change == nil {
			r.Links = others
			return nil
		}
		change(&l)
		l.URL = strings.TrimSpace(l.URL)
		if wrong := linkMistakes(l, others); wrong != nil {
			return wrong
		}
		r.Links[at] = l
		return nil
	})
	return l, err
}

// changeLinks changes the links of a release as they are at that moment, for somebody who may change the release.
func (c *Coordinator) changeLinks(ctx context.Context, by access.Actor, p *models.Project, r *models.Release, change func(*models.Tx, *models.Release) error) error {
	if err := c.mayRelease(ctx, by, p, r.Tag); err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.LockRelease(r.ID)
		if err != nil {
			return notFound(err, "Release")
		}
		if err := change(tx, fresh); err != nil {
			return err
		}
		if err := tx.UpdateReleaseLinks(fresh); err != nil {
			return err
		}
		r.Links = fresh.Links
		return nil
	})
}
