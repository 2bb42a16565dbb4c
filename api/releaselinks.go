package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// linkOf renders a link. One with a path is found under the release too, which leads to where it is.
func (s *Server) linkOf(c *call, r *models.Release, l models.ReleaseLink) releaseLink {
	direct := l.URL
	if l.Filepath != "" {
		direct = fmt.Sprintf("%s/%s/-/releases/%s/downloads/%s", s.ci.URL(), c.project.FullPath, url.PathEscape(r.Tag), strings.TrimPrefix(l.Filepath, "/"))
	}
	return releaseLink{l.ID, l.Name, l.URL, direct, l.LinkType}
}

// linkWords are what a client says of a link beside name and address.
type linkWords struct {
	Direct   *string `param:"direct_asset_path"`
	Filepath *string `param:"filepath"` // the old word for it
	LinkType string  `param:"link_type" values:"other runbook image package"`
}

func (w linkWords) apply(l *models.ReleaseLink) {
	keep(&l.Filepath, w.Filepath)
	keep(&l.Filepath, w.Direct)
	if l.LinkType = w.LinkType; l.LinkType == "" {
		l.LinkType = "other" // on a change too, as GitLab does
	}
}

func (s *Server) releaseLinkRoutes(r routes) {
	base, one := "/projects/:id/releases/:tag_name/assets/links", "/projects/:id/releases/:tag_name/assets/links/:link_id"
	r.get(base, inRelease(access.ReadReleases), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		links := slices.Clone(c.release.Links)
		slices.Reverse(links)
		return sliced(each(links, func(l models.ReleaseLink) releaseLink { return s.linkOf(c, c.release, l) }), p.Page), nil
	}))
	r.post(base, inRelease(access.CreateReleases), with(func(c *call, p *struct {
		Name string `param:"name,required"`
		URL  string `param:"url,required"`
		linkWords
	},
	) (any, error) {
		l := &models.ReleaseLink{Name: p.Name, URL: p.URL}
		p.apply(l)
		err := s.ci.AddLink(c.ctx(), asUser(c), c.project, c.release, l)
		return s.linkAnswer(c, 201, l, err)
	}))
	r.get(one, inLink(access.ReadReleases), func(c *call) (any, error) { return s.linkOf(c, c.release, *c.link), nil })
	r.put(one, inLink(access.CreateReleases), with(func(c *call, p *struct {
		_    struct{} `oneof:"name url"`
		Name *string  `param:"name"`
		URL  *string  `param:"url"`
		linkWords
	},
	) (any, error) {
		l, err := s.ci.ChangeLink(c.ctx(), asUser(c), c.project, c.release, c.link.ID, func(l *models.ReleaseLink) {
			keep(&l.Name, p.Name)
			keep(&l.URL, p.URL)
			p.apply(l)
		})
		return s.linkAnswer(c, 200, &l, err)
	}))
	r.delete(one, inLink(access.CreateReleases), func(c *call) (any, error) {
		l, err := s.ci.ChangeLink(c.ctx(), asUser(c), c.project, c.release, c.link.ID, nil)
		return s.linkAnswer(c, 200, &l, err)
	})
}

// asUser lets a job act as its user from here on.
func asUser(c *call) access.Actor {
	actor := c.actor
	actor.Job = nil
	return actor
}

// linkAnswer is a link, or a list of what is wrong with it.
func (s *Server) linkAnswer(c *call, status int, l *models.ReleaseLink, err error) (any, error) {
	var wrong ci.LinkMistakes
	if errors.As(err, &wrong) {
		return reply{400, gin.H{"message": wrong}}, nil
	}
	if err != nil {
		return nil, err
	}
	return reply{status, s.linkOf(c, c.release, *l)}, nil
}

// inLink finds the link of :link_id in its release.
func inLink(a access.Ability) place {
	return inRelease(a).within(func(c *call) error {
		id, err := c.id("link_id", "")
		at := slices.IndexFunc(c.release.Links, func(l models.ReleaseLink) bool { return l.ID == id })
		if err != nil || at < 0 {
			return missing(models.ErrNotFound, "")
		}
		c.link = &c.release.Links[at]
		return nil
	})
}
