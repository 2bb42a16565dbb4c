package api

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type branchEntity struct {
	Name               string       `json:"name"`
	Commit             commitEntity `json:"commit"`
	Merged             bool         `json:"merged"`
	Protected          bool         `json:"protected"`
	DevelopersCanPush  bool         `json:"developers_can_push"`
	DevelopersCanMerge bool         `json:"developers_can_merge"`
	CanPush            bool         `json:"can_push"`
	Default            bool         `json:"default"`
	WebURL             string       `json:"web_url"`
}

type tagEntity struct {
	Name      string       `json:"name"`
	Message   *string      `json:"message"`
	Target    string       `json:"target"`
	Commit    commitEntity `json:"commit"`
	Release   any          `json:"release"`
	Protected bool         `json:"protected"`
	CreatedAt *commitTime  `json:"created_at"`
}

func (s *Server) branchRoutes(r routes) {
	branches, tags := "/projects/:id/repository/branches", "/projects/:id/repository/tags"
	r.get(branches, project(access.ReadRepository), with(func(c *call, p *refList) (any, error) { return s.listRefs(c, p, "refs/heads/") }))
	r.get(branches+"/:branch", project(access.ReadCode), s.getBranch)
	r.post(branches, project(access.PushRef), with(s.createBranch))
	r.delete(branches+"/:branch", project(access.PushRef), func(c *call) (any, error) {
		return nil, s.ci.DeleteRef(c.ctx(), c.actor, c.project, "refs/heads/"+c.Param("branch"))
	})
	r.get(tags, project(access.ReadRepository), with(func(c *call, p *refList) (any, error) { return s.listRefs(c, p, "refs/tags/") }))
	r.get(tags+"/:tag_name", project(access.ReadRepository), s.getTag)
	r.post(tags, project(access.PushRef), with(s.createTag))
	r.delete(tags+"/:tag_name", project(access.PushRef), func(c *call) (any, error) {
		return nil, s.ci.DeleteRef(c.ctx(), c.actor, c.project, "refs/tags/"+c.Param("tag_name"))
	})
}

type refList struct {
	httpapi.Page
	Search  string `param:"search"`
	Regex   string `param:"regex"`
	OrderBy string `param:"order_by" values:"name updated version"`
	Sort    string `param:"sort" values:"asc desc name_asc updated_asc updated_desc"`
}

// key is git's word for the order.
func (p *refList) key(prefix string) string {
	if prefix == "refs/heads/" {
		switch p.Sort {
		case "updated_asc":
			return "committerdate"
		case "updated_desc":
			return "-committerdate"
		}
		return "refname"
	}
	key := map[string]string{"name": "refname", "version": "version:refname"}[p.OrderBy]
	if key == "" {
		key = "creatordate"
	}
	if p.Sort != "asc" {
		key = "-" + key
	}
	return key
}

// matches says whether a name has the text that is searched: ^ and $ tie it to an end.
func (p *refList) matches(name string, pattern *regexp.Regexp) bool {
	if pattern != nil && !pattern.MatchString(name) {
		return false
	}
	low, text := strings.ToLower(name), strings.ToLower(p.Search)
	begin, atStart := strings.CutPrefix(text, "^")
	end, atEnd := strings.CutSuffix(begin, "$")
	switch {
	case atStart && atEnd:
		return low == end
	case atStart:
		return strings.HasPrefix(low, begin)
	case atEnd:
		return strings.HasSuffix(low, end)
	}
	return strings.Contains(low, text)
}

func (s *Server) listRefs(c *call, p *refList, prefix string) (any, error) {
	var pattern *regexp.Regexp
	if p.Regex != "" {
		var err error
		if pattern, err = regexp.Compile(p.Regex); err != nil || len(p.Regex) > 500 {
			return nil, &httpapi.ParamError{Text: "regex is invalid"}
		}
	}
	all, err := s.ci.Repo(c.project).SortedRefs(c.ctx(), prefix, p.key(prefix))
	if err != nil {
		return nil, err
	}
	var refs []gitrepo.Ref
	after := p.PageToken == ""
	for _, ref := range all {
		name := strings.TrimPrefix(ref.Name, prefix)
		if after && p.matches(name, pattern) {
			refs = append(refs, ref)
		}
		after = after || name == p.PageToken
	}
	out := sliced(refs, p.Page)
	shown := out.rows.([]gitrepo.Ref)
	out.total.Unknown, out.total.More = true, len(refs) > p.Number*p.PerPage()
	if p.Keyset() || p.PageToken != "" {
		out.keyset, out.param = true, "page_token"
		if out.total.More {
			out.next = strings.TrimPrefix(shown[len(shown)-1].Name, prefix)
		}
	}
	if prefix == "refs/tags/" {
		out.rows, err = s.tags(c, shown)
	} else {
		out.rows, err = s.branches(c, shown)
	}
	return out, err
}

func (s *Server) branches(c *call, refs []gitrepo.Ref) ([]branchEntity, error) {
	repo := s.ci.Repo(c.project)
	names := each(refs, func(r gitrepo.Ref) string { return strings.TrimPrefix(r.Name, "refs/heads/") })
	merged := map[string]bool{}
	if head, err := repo.Resolve(c.ctx(), "refs/heads/"+c.project.DefaultBranch); err == nil {
		if merged, err = repo.Merged(c.ctx(), head, names); err != nil {
			return nil, err
		}
	}
	out := []branchEntity{}
	for i, ref := range refs {
		k, err := repo.Commit(c.ctx(), ref.SHA)
		if err != nil {
			return nil, err
		}
		rules := access.Matching(c.subject.Protected, names[i], false)
		e := branchEntity{
			Name: names[i], Commit: s.commitOf(c.project, k), Default: names[i] == c.project.DefaultBranch, Protected: len(rules) > 0,
			CanPush: access.Allowed(c.actor, access.PushRef, c.subject.On(names[i], false)), WebURL: s.ci.URL() + "/" + c.project.FullPath + "/-/tree/" + names[i],
		}
		e.Merged = merged[names[i]] && !e.Default
		for _, r := range rules {
			e.DevelopersCanPush = e.DevelopersCanPush || r.PushLevel == enum.Developer
			e.DevelopersCanMerge = e.DevelopersCanMerge || r.MergeLevel == enum.Developer
		}
		out = append(out, e)
	}
	return out, nil
}

func (s *Server) tags(c *call, refs []gitrepo.Ref) ([]tagEntity, error) {
	repo := s.ci.Repo(c.project)
	var published map[string]*models.Release
	err := c.read(func(tx *models.Tx) (err error) {
		names := each(refs, func(r gitrepo.Ref) string { return strings.TrimPrefix(r.Name, "refs/tags/") })
		published, err = tx.ReleasesOfTags(c.project.ID, names)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := []tagEntity{}
	for _, ref := range refs {
		name := strings.TrimPrefix(ref.Name, "refs/tags/")
		k, err := repo.Commit(c.ctx(), ref.SHA)
		if err != nil {
			return nil, err
		}
		message, err := repo.TagMessage(c.ctx(), name)
		if err != nil {
			return nil, err
		}
		target, err := repo.Object(c.ctx(), ref.Name)
		if err != nil {
			return nil, err
		}
		e := tagEntity{
			Name: name, Message: given(text(message)), Target: target, Commit: s.commitOf(c.project, k),
			Protected: len(access.Matching(c.subject.Protected, name, true)) > 0,
		}
		if r := published[name]; r != nil && access.Allowed(asUser(c), access.ReadReleases, c.subject) {
			e.Release = gin.H{"tag_name": r.Tag, "description": r.Description}
		}
		if target != ref.SHA {
			at := commitTime(k.Committer.When)
			e.CreatedAt = &at
		}
		out = append(out, e)
	}
	return out, nil
}

func (s *Server) getBranch(c *call) (any, error) {
	full := "refs/heads/" + c.Param("branch")
	sha, err := s.ci.Repo(c.project).Resolve(c.ctx(), full)
	if err != nil {
		return nil, lost(err, "Branch")
	}
	if httpapi.IsHead(c.Context) {
		return reply{status: http.StatusNoContent}, nil
	}
	rows, err := s.branches(c, []gitrepo.Ref{{Name: full, SHA: sha}})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

func (s *Server) getTag(c *call) (any, error) { return s.renderTag(c, c.Param("tag_name")) }

func (s *Server) renderTag(c *call, name string) (any, error) {
	sha, err := s.ci.Repo(c.project).Resolve(c.ctx(), "refs/tags/"+name)
	if err != nil {
		return nil, lost(err, "Tag")
	}
	rows, err := s.tags(c, []gitrepo.Ref{{Name: "refs/tags/" + name, SHA: sha}})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

func (s *Server) createBranch(c *call, p *struct {
	Branch string `param:"branch,required,filled"`
	Ref    string `param:"ref,required,filled"`
},
) (any, error) {
	if err := s.ci.CreateBranch(c.ctx(), c.actor, c.project, p.Branch, p.Ref); err != nil {
		return nil, err
	}
	sha, err := c.found("refs/heads/"+p.Branch, "Branch")
	if err != nil {
		return nil, err
	}
	rows, err := s.branches(c, []gitrepo.Ref{{Name: "refs/heads/" + p.Branch, SHA: sha}})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

func (s *Server) createTag(c *call, p *struct {
	Name    string `param:"tag_name,required,filled"`
	Ref     string `param:"ref,required,filled"`
	Message string `param:"message"`
},
) (any, error) {
	if err := s.ci.CreateTag(c.ctx(), c.actor, c.project, p.Name, p.Ref, p.Message); err != nil {
		return nil, err
	}
	return s.renderTag(c, p.Name)
}
