package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// releaseCard is a release as pages show it.
type releaseCard struct {
	*models.Release
	Author   *models.User
	Upcoming bool
	Path     string
	Assets   []releaseAsset
	Sources  []releaseAsset // for those who may read code
}

// releaseAsset is something that belongs to a release: what leads there, what it says, and of what kind it is.
type releaseAsset struct{ Path, Text, Kind string }

// Text is the description with its Markdown.
func (c releaseCard) Text() template.HTML { return markdownHTML(c.Description) }

func releasePath(p *models.Project, tag string) string {
	return "/" + p.FullPath + "/-/releases/" + url.PathEscape(tag)
}

// releaseCards shows releases: one query for their authors.
func (s *Server) releaseCards(tx *models.Tx, r *request, c *inside, rows []*models.Release) ([]releaseCard, error) {
	var people []int64
	for _, row := range rows {
		people = append(people, row.AuthorID)
	}
	users, err := tx.Users(people)
	if err != nil {
		return nil, err
	}
	code := c.may(r, access.ReadCode)
	var out []releaseCard
	for _, row := range rows {
		card := releaseCard{Release: row, Author: users[row.AuthorID], Upcoming: row.ReleasedAt.After(s.ci.DB().Now()), Path: releasePath(c.project, row.Tag)}
		for _, l := range slices.Backward(row.Links) {
			a := releaseAsset{l.URL, l.Name, l.LinkType}
			if l.Filepath != "" {
				a.Path = card.Path + "/downloads/" + strings.TrimPrefix(l.Filepath, "/")
			}
			card.Assets = append(card.Assets, a)
		}
		for _, format := range gitrepo.ArchiveFormats {
			if code && format.Available() {
				card.Sources = append(card.Sources, releaseAsset{Path: ci.SourcesPath(c.project, row.Tag, format), Text: "Source code (" + string(format) + ")"})
			}
		}
		out = append(out, card)
	}
	return out, nil
}

func (s *Server) releasesPage(r *request, c *inside) error {
	p := paging(r)
	p.PerPage, p.OrderBy = 10, "released_at"
	d := data{"Title": "Releases", "Code": c.may(r, access.ReadCode)}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		rows, _, err := tx.Releases(c.project.ID, p)
		if err != nil {
			return err
		}
		d["Releases"], err = s.releaseCards(tx, r, c, rows)
		d["Pager"] = pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "releases", d)
}

// latestRelease is what stands in an address for the release that was published last.
const latestRelease = "permalink/latest"

// ofRelease answers what lies at the address of a release: its page, or what one of its links leads to. Names of tags have
// slashes too.
func (s *Server) ofRelease(r *request, c *inside) error {
	rest := strings.Join(c.args, "/downloads/")
	var release *models.Release
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		if rest == latestRelease || strings.HasPrefix(rest, latestRelease+"/") {
			release, err = tx.LatestRelease(c.project.ID)
			return missingPage(err)
		}
		release, rest, err = releaseAt(tx, c.project.ID, rest)
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	if after, latest := strings.CutPrefix(rest, latestRelease); latest {
		return s.to(r, releasePath(c.project, release.Tag)+(&url.URL{Path: after}).EscapedPath())
	}
	if rest != "" {
		return releaseDownload(r, release, rest)
	}
	return s.releasePage(r, c, release)
}

// releaseAt finds the release of an address, and the path of the link behind it; "" if it ends with the release.
func releaseAt(tx *models.Tx, projectID int64, address string) (release *models.Release, path string, err error) {
	release, err = tx.Release(projectID, address)
	tag := address
	for errors.Is(err, models.ErrNotFound) {
		at := strings.LastIndex(tag, "/downloads/")
		if at < 0 {
			return nil, "", err
		}
		tag = address[:at]
		path = strings.TrimPrefix(address[at:], "/downloads")
		release, err = tx.Release(projectID, tag)
	}
	return release, path, err
}

// releaseDownload leads from the path of a release's link to where it is.
func releaseDownload(r *request, release *models.Release, path string) error {
	at := slices.IndexFunc(release.Links, func(l models.ReleaseLink) bool { return l.Filepath == path })
	if at < 0 {
		return notFound(r)
	}
	http.Redirect(r.w, r.Request, release.Links[at].URL, http.StatusFound)
	return nil
}

func (s *Server) releasePage(r *request, c *inside, release *models.Release) error {
	d := data{"Title": fmt.Sprintf("Release %s", release.Name), "Code": c.may(r, access.ReadCode)}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		cards, err := s.releaseCards(tx, r, c, []*models.Release{release})
		d["Releases"], d["One"] = cards, true
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "releases", d)
}
