package api

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type releaseEntity struct {
	TagName     string        `json:"tag_name"`
	Description string        `json:"description"`
	Name        string        `json:"name"`
	CreatedAt   httpapi.Time  `json:"created_at"`
	ReleasedAt  httpapi.Time  `json:"released_at"`
	Upcoming    bool          `json:"upcoming_release"`
	Author      *userBasic    `json:"author"`
	Commit      any           `json:"commit,omitempty"` // a *commitEntity, null if it is gone; this and its paths are for those who may read code
	CommitPath  string        `json:"commit_path,omitempty"`
	TagPath     string        `json:"tag_path,omitempty"`
	Milestones  []string      `json:"milestones,omitempty"`
	Assets      releaseAssets `json:"assets"`
	Evidences   []string      `json:"evidences"`
	Links       gin.H         `json:"_links"`
}

type releaseAssets struct {
	Count   int           `json:"count"`
	Sources []gin.H       `json:"sources,omitempty"` // for those who may read code
	Links   []releaseLink `json:"links"`
}

type releaseLink struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	URL            string `json:"url"`
	DirectAssetURL string `json:"direct_asset_url"`
	LinkType       string `json:"link_type"`
}

func (s *Server) releases(c *call, rows []*models.Release) ([]releaseEntity, error) {
	var people map[int64]*models.User
	err := c.read(func(tx *models.Tx) (err error) {
		people, err = tx.Users(each(rows, func(r *models.Release) int64 { return r.AuthorID }))
		return err
	})
	if err != nil {
		return nil, err
	}
	code := access.Allowed(asUser(c), access.ReadCode, c.subject)
	out := []releaseEntity{}
	for _, r := range rows {
		e := releaseEntity{
			TagName: r.Tag, Description: r.Description, Name: r.Name, CreatedAt: httpapi.Time(r.CreatedAt), ReleasedAt: httpapi.Time(r.ReleasedAt),
			Upcoming: r.ReleasedAt.After(s.ci.DB().Now()), Author: s.basic(people[r.AuthorID]), Milestones: r.Milestones, Evidences: []string{},
			Assets: releaseAssets{Count: len(r.Links), Links: []releaseLink{}},
			Links:  gin.H{"self": fmt.Sprintf("%s/%s/-/releases/%s", s.ci.URL(), c.project.FullPath, url.PathEscape(r.Tag))},
		}
		for _, l := range slices.Backward(r.Links) {
			e.Assets.Links = append(e.Assets.Links, s.linkOf(c, r, l))
		}
		if code {
			if err := s.releasedCode(c, r, &e); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// releasedCode adds what a release tells of the repository to those alone who may read that.
func (s *Server) releasedCode(c *call, r *models.Release, e *releaseEntity) error {
	e.CommitPath, e.TagPath = fmt.Sprintf("/%s/-/commit/%s", c.project.FullPath, r.SHA), fmt.Sprintf("/%s/-/tags/%s", c.project.FullPath, r.Tag)
	for _, format := range gitrepo.ArchiveFormats {
		e.Assets.Sources = append(e.Assets.Sources, gin.H{"format": format, "url": s.ci.URL() + ci.SourcesPath(c.project, r.Tag, format)})
	}
	e.Assets.Count += len(e.Assets.Sources)
	k, err := s.ci.Repo(c.project).Commit(c.ctx(), r.SHA)
	var commit *commitEntity
	if err == nil {
		found := s.commitOf(c.project, k)
		commit = &found
	} else if lost(err, "Commit") == err {
		return err
	}
	e.Commit = commit
	return nil
}

func (s *Server) renderRelease(c *call, r *models.Release) (any, error) {
	rows, err := s.releases(c, []*models.Release{r})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// inRelease finds the release of :tag_name in its project.
func inRelease(a access.Ability) place {
	return project(a).within(func(c *call) error {
		err := c.read(func(tx *models.Tx) (err error) {
			c.release, err = tx.Release(c.project.ID, c.Param("tag_name"))
			return err
		})
		return missing(err, "")
	})
}

func (s *Server) releaseRoutes(r routes) {
	base, one := "/projects/:id/releases", "/projects/:id/releases/:tag_name"
	r.get(base, project(access.ReadReleases), with(func(c *call, p *struct {
		httpapi.Page
		OrderBy string `param:"order_by" values:"released_at created_at"`
		Sort    string `param:"sort" values:"asc desc"`
	},
	) (any, error) {
		page := pageOf(p.Page)
		page.OrderBy, page.Descending = "released_at", p.Sort != "asc"
		if p.OrderBy != "" {
			page.OrderBy = p.OrderBy
		}
		var rows []*models.Release
		var total int64
		err := c.read(func(tx *models.Tx) (err error) {
			rows, total, err = tx.Releases(c.project.ID, page)
			return err
		})
		if err != nil {
			return nil, err
		}
		entities, err := s.releases(c, rows)
		return paged(entities, p.Page, total), err
	}))
	r.post(base, project(access.CreateReleases), with(s.createRelease))
	r.get(base+"/permalink/latest", project(access.ReadReleases), func(c *call) (any, error) {
		var latest *models.Release
		err := c.read(func(tx *models.Tx) (err error) {
			latest, err = tx.LatestRelease(c.project.ID)
			return err
		})
		if err != nil {
			return nil, missing(err, "")
		}
		return s.renderRelease(c, latest)
	})
	r.get(one, inRelease(access.ReadReleases), func(c *call) (any, error) { return s.renderRelease(c, c.release) })
	r.put(one, inRelease(access.CreateReleases), with(func(c *call, p *struct {
		Name        *string           `param:"name"`
		Description *string           `param:"description"`
		ReleasedAt  httpapi.Timestamp `param:"released_at"`
		Milestones  *[]string         `param:"milestones"`
	},
	) (any, error) {
		err := s.ci.ChangeRelease(c.ctx(), asUser(c), c.project, c.release, func(r *models.Release) {
			keep(&r.Name, p.Name)
			keep(&r.Description, p.Description)
			keep(&r.Milestones, p.Milestones)
			keep(&r.ReleasedAt, p.ReleasedAt.Time)
		})
		if err != nil {
			return nil, err
		}
		return s.renderRelease(c, c.release)
	}))
	r.delete(one, inRelease(access.CreateReleases), func(c *call) (any, error) {
		e, err := s.renderRelease(c, c.release)
		if err != nil {
			return nil, err
		}
		return reply{200, e}, s.ci.ChangeRelease(c.ctx(), asUser(c), c.project, c.release, nil)
	})
}

func (s *Server) createRelease(c *call, p *struct {
	Name        string            `param:"name"`
	Tag         string            `param:"tag_name,required,filled"`
	TagMessage  string            `param:"tag_message"`
	Description string            `param:"description"`
	Ref         string            `param:"ref"`
	Milestones  []string          `param:"milestones"`
	ReleasedAt  httpapi.Timestamp `param:"released_at"`
	Assets      struct {
		Links []struct {
			Name     string `param:"name,required"`
			URL      string `param:"url,required"`
			Filepath string `param:"direct_asset_path"`
			LinkType string `param:"link_type" values:"other runbook image package"`
		} `param:"links"`
	} `param:"assets"`
},
) (any, error) {
	n := ci.NewRelease{Ref: p.Ref, TagMessage: p.TagMessage, Release: &models.Release{Tag: p.Tag, Name: p.Name, Description: p.Description, Milestones: p.Milestones}}
	if p.ReleasedAt.Time != nil {
		n.Release.ReleasedAt = p.ReleasedAt.Time.UTC().Truncate(time.Microsecond)
	}
	for _, l := range p.Assets.Links {
		n.Release.Links = append(n.Release.Links, models.ReleaseLink{Name: l.Name, URL: l.URL, Filepath: l.Filepath, LinkType: l.LinkType})
	}
	r, err := s.ci.CreateRelease(c.ctx(), asUser(c), c.project, n)
	if err != nil {
		return nil, err
	}
	return s.renderRelease(c, r)
}
