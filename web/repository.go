package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// commitPage shows a commit and the pipelines that ran for it.
func (s *Server) commitPage(r *request, c *inside) error {
	repo := s.ci.Repo(c.project)
	sha, err := repo.Find(r.Context(), c.args[0])
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return notFound(r)
	}
	if err != nil {
		return err
	}
	commit, err := repo.Commit(r.Context(), sha)
	if err != nil {
		return err
	}
	stats, err := repo.Stats(r.Context(), commit)
	if err != nil {
		return err
	}
	title, body, _ := strings.Cut(commit.Message, "\n")
	d := data{"Title": title, "Commit": commit, "Body": strings.TrimSpace(body), "Stats": stats}
	if c.may(r, access.ReadPipelines) {
		err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
			rows, _, err := tx.ListPipelines(c.project.ID, models.PipelineFilter{SHA: sha}, models.Page{PerPage: listed, Descending: true, Uncounted: true})
			if err != nil {
				return err
			}
			d["Pipelines"] = rows
			d["Failures"], err = failuresOf(tx, rows)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.show(r, c, "commit", d)
}

// latestPipeline leads to the newest pipeline of a branch.
func (s *Server) latestPipeline(r *request, c *inside) error {
	if !c.may(r, access.ReadPipelines) {
		return notFound(r)
	}
	ref := r.URL.Query().Get("ref")
	if ref == "" {
		ref = c.project.DefaultBranch
	}
	var pl *models.Pipeline
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		pl, err = tx.LatestPipeline(c.project.ID, ref, "", "")
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/pipelines/%d", c.project.FullPath, pl.ID))
}

// ofRef leads from GitLab's pages about a branch or tag, which are about files, to its pipelines.
func (s *Server) ofRef(r *request, c *inside) error {
	return s.to(r, "/"+c.project.FullPath+"/-/pipelines?ref="+url.QueryEscape(c.args[0]))
}

// instead leads to a page that stands elsewhere here than on GitLab; * stands for a part of the address.
func (s *Server) instead(path string) func(r *request, c *inside) error {
	return func(r *request, c *inside) error {
		to := path
		for _, arg := range c.args {
			to = strings.Replace(to, "*", url.PathEscape(arg), 1)
		}
		return s.to(r, "/"+c.project.FullPath+"/-/"+to)
	}
}
