package web

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// listed is how many rows a page shows.
const listed = 30

// pager says where in a list a page stands.
type pager struct{ Page, Next, Prev int }

func paging(r *request) models.Page {
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	return models.Page{Number: max(1, n), PerPage: listed, Descending: true, Uncounted: true}
}

func pagerOf(p models.Page, rows int) pager {
	out := pager{Page: p.Number}
	if rows == p.PerPage {
		out.Next = p.Number + 1
	}
	if p.Number > 1 {
		out.Prev = p.Number - 1
	}
	return out
}

func (s *Server) home(r *request) error {
	p := paging(r)
	p.OrderBy = "last_activity_at"
	var rows []*models.Project
	var latest map[int64]*models.Pipeline
	var failures map[int64]int
	search := r.URL.Query().Get("search")
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		v := models.VisibleTo{UserID: r.actor.ID(), All: r.actor.Admin()}
		if rows, _, err = tx.ListProjects(v, models.ProjectFilter{Search: search, SearchNamespaces: true}, p); err != nil {
			return err
		}
		if latest, err = s.latestShown(tx, r, rows); err != nil {
			return err
		}
		failures, err = failuresOf(tx, slices.Collect(maps.Values(latest)))
		return err
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "home", data{"Title": "Projects", "Projects": rows, "Latest": latest, "Failures": failures, "Search": search, "Pager": pagerOf(p, len(rows))})
	return nil
}

// latestShown are the newest pipelines of those projects whose pipelines the asker may see.
func (s *Server) latestShown(tx *models.Tx, r *request, rows []*models.Project) (map[int64]*models.Pipeline, error) {
	roles, err := tx.AccessLevels(r.actor.ID(), rows)
	if err != nil {
		return nil, err
	}
	var shown []*models.Project
	for _, p := range rows {
		if access.Allowed(r.actor, access.ReadPipelines, access.Subject{Project: p, Level: roles[p.ID].Level()}) {
			shown = append(shown, p)
		}
	}
	return tx.LatestPipelineOf(shown)
}

func (s *Server) newProjectPage(r *request) error {
	var groups []*models.Namespace
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		v := models.VisibleTo{UserID: r.actor.ID(), All: r.actor.Admin()}
		groups, _, err = tx.ListGroups(v, models.GroupFilter{Kind: "group", MinLevel: enum.Developer}, models.Page{PerPage: 100, OrderBy: "full_path"})
		return err
	})
	if err != nil {
		return err
	}
	into, _ := strconv.ParseInt(r.URL.Query().Get("namespace_id"), 10, 64)
	s.render(r, http.StatusOK, "new_project", data{"Title": "New project", "Groups": groups, "Into": into})
	return nil
}

func (s *Server) createProject(r *request) error {
	namespace, _ := strconv.ParseInt(r.PostFormValue("namespace_id"), 10, 64)
	p, err := s.ci.CreateProject(r.Context(), r.actor, ci.NewProject{
		Path: r.PostFormValue("path"), Name: r.PostFormValue("name"), Description: r.PostFormValue("description"), NamespaceID: namespace,
		Visibility: enum.Visibility(r.PostFormValue("visibility")),
	})
	if err != nil {
		return err
	}
	if r.PostFormValue("readme") != "" {
		_, err := s.ci.Commit(r.Context(), r.actor, p, ci.NewCommit{
			Branch: p.DefaultBranch, Message: "Initial commit [skip ci]", Changes: []gitrepo.Change{
				{Action: gitrepo.CreateFile, Path: "README.md", Content: []byte("# " + p.Name + "\n\n" + p.Description + "\n")},
				{Action: gitrepo.CreateFile, Path: ".gitlab-ci.yml", Content: []byte(sampleConfig)},
			},
		})
		if err != nil {
			return err
		}
	}
	s.say(r, "The project is there. Push to its address to run its first pipeline.")
	return s.to(r, "/"+p.FullPath)
}

// sampleConfig is what a new project may start with: a job for pushes and one for the chat.
const sampleConfig = `build:
  script:
    - echo "Building $CI_COMMIT_SHORT_SHA"

hello:
  only: [chat]
  script:
    - echo "Hello $CHAT_INPUT"
`

func (s *Server) createGroup(r *request) error {
	parent, _ := strconv.ParseInt(r.PostFormValue("parent_id"), 10, 64)
	g, err := s.ci.CreateGroup(r.Context(), r.actor, ci.NewGroup{Name: r.PostFormValue("name"), Path: r.PostFormValue("path"), ParentID: parent, Visibility: enum.Private})
	if err != nil {
		return err
	}
	s.say(r, "The group is there; projects can be made in it now.")
	return s.to(r, "/groups/"+g.FullPath)
}

// show renders a project's page with what all of them need.
func (s *Server) show(r *request, c *inside, name string, d data) error {
	return s.showAs(r, c, http.StatusOK, name, d)
}

func (s *Server) showAs(r *request, c *inside, status int, name string, d data) error {
	d["Project"] = c.project
	d["Can"] = map[string]bool{
		"run": c.may(r, access.CreatePipeline), "chat": c.may(r, access.ReadCommands), "command": c.may(r, access.CreateCommand),
		"members": c.may(r, access.AdminMembers), "variables": c.may(r, access.AdminVariables), "admin": c.may(r, access.AdminProject),
		"pipelines": c.may(r, access.ReadPipelines), "triggers": c.may(r, access.AdminTriggers),
		"releases": c.may(r, access.ReadReleases),
	}
	s.render(r, status, name, d)
	return nil
}

func (s *Server) projectPage(r *request, c *inside) error {
	d := data{"Title": c.project.Name, "CloneURL": s.ci.URL() + "/" + c.project.FullPath + ".git"}
	empty, err := s.ci.Repo(c.project).Empty()
	if err != nil {
		return err
	}
	d["Empty"] = empty
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if c.may(r, access.ReadPipelines) {
			rows, _, err := tx.ListPipelines(c.project.ID, models.PipelineFilter{}, models.Page{PerPage: 10, Descending: true, Uncounted: true})
			if err != nil {
				return err
			}
			d["Pipelines"] = rows
			if d["Failures"], err = failuresOf(tx, rows); err != nil {
				return err
			}
			version, err := pipelinesVersion(tx, c.project.ID)
			if err != nil {
				return err
			}
			d["Live"], d["Watched"] = liveAt("/"+c.project.FullPath+"/-/pipelines/live", version), true
		}
		if c.may(r, access.ReadCommands) {
			rows, _, err := tx.ListCommands(c.project.ID, models.Page{PerPage: 10, Uncounted: true})
			d["Commands"] = rows
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "project", d)
}
