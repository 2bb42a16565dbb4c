package web

import (
	"net/http"
	"slices"
	"strings"

	"signalbox/models"
)

// releaseDownload leads from the path of a release's link to where it is.
func (s *Server) releaseDownload(r *request, c *inside) error {
	path := "/" + strings.Join(c.args[1:], "/")
	var link *models.ReleaseLink
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		release, err := tx.Release(c.project.ID, c.args[0])
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(release.Links, func(l models.ReleaseLink) bool { return l.Filepath == path }); at >= 0 {
			link = &release.Links[at]
		}
		return nil
	})
	if err == models.ErrNotFound || err == nil && link == nil {
		return notFound(r)
	}
	if err != nil {
		return err
	}
	http.Redirect(r.w, r.Request, link.URL, http.StatusFound)
	return nil
}
