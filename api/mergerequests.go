package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// The merge requests here live elsewhere; whoever mirrors the repository tells of them through GitLab's endpoints. What is
// reviewed and merged is not known here: those fields say that nothing stands in the way.

// inMergeRequest finds the merge request of :merge_request_iid in its project.
func inMergeRequest(a access.Ability) place {
	return project(a).within(func(c *call) error {
		iid, err := c.id("merge_request_iid", "Merge Request")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.mergeRequest, err = tx.MergeRequest(c.project.ID, iid)
			return err
		})
		return missing(err, "Merge Request")
	})
}

type mergeRequestList struct {
	httpapi.Page
	State  string  `param:"state" values:"opened closed merged locked all"`
	IIDs   []int64 `param:"iids"`
	Source string  `param:"source_branch"`
	Target string  `param:"target_branch"`
	Author int64   `param:"author_id"`
	Search string  `param:"search"`
	Scope  string  `param:"scope" values:"created_by_me created-by-me assigned_to_me assigned-to-me reviews_for_me all"`
	Order  string  `param:"order_by" values:"created_at updated_at title"`
	Sort   string  `param:"sort" values:"asc desc"`
}

func (p *mergeRequestList) filter() (models.MergeRequestFilter, models.Page) {
	f := models.MergeRequestFilter{AuthorID: p.Author, IIDs: p.IIDs, Source: p.Source, Target: p.Target, Search: p.Search}
	if p.State != "all" {
		f.State = models.MergeRequestState(p.State)
	}
	page := pageOf(p.Page)
	page.OrderBy, page.Descending = "created_at", p.Sort != "asc"
	if p.Order != "" {
		page.OrderBy = p.Order
	}
	return f, page
}

func (s *Server) mergeRequestRoutes(r routes) {
	base, one := "/projects/:id/merge_requests", "/projects/:id/merge_requests/:merge_request_iid"
	r.get("/merge_requests", user(access.ReadOwn), with(s.ownMergeRequests))
	r.get(base, project(access.ReadMergeRequests), with(func(c *call, p *mergeRequestList) (any, error) {
		f, page := p.filter()
		if f.ProjectID = c.project.ID; p.Scope == "created_by_me" || p.Scope == "created-by-me" {
			f.AuthorID = c.actor.ID()
		} else if strings.HasPrefix(p.Scope, "assigned") || p.Scope == "reviews_for_me" {
			return paged([]mergeRequestEntity{}, p.Page, 0), nil
		}
		return s.listMergeRequests(c, f, page, p.Page)
	}))
	r.post(base, project(access.UpdateMergeRequests), with(s.createMergeRequest))
	r.get(one, inMergeRequest(access.ReadMergeRequests), func(c *call) (any, error) { return s.mergeRequestDetail(c, c.mergeRequest) })
	r.put(one, inMergeRequest(access.UpdateMergeRequests), with(s.changeMergeRequest))
	r.delete(one, inMergeRequest(access.DeleteMergeRequests), func(c *call) (any, error) {
		return reply{http.StatusNoContent, nil}, s.ci.DeleteMergeRequest(c.ctx(), c.actor, c.project, c.mergeRequest)
	})
	r.get(one+"/pipelines", inMergeRequest(access.ReadMergeRequests), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		if !access.Allowed(c.actor, access.ReadPipelines, c.subject) {
			return nil, errForbidden
		}
		page := pageOf(p.Page)
		page.Descending = true
		var out listing
		err := c.read(func(tx *models.Tx) error {
			rows, total, err := tx.MergeRequestPipelines(c.mergeRequest.ID, page)
			out = paged(each(rows, func(pl *models.Pipeline) pipelineBasic { return s.basicPipeline(pl, c.project) }), p.Page, total)
			return err
		})
		return out, err
	}))
	r.post(one+"/pipelines", inMergeRequest(access.CreatePipeline), func(c *call) (any, error) {
		pl, err := s.ci.RunMergeRequest(c.ctx(), c.actor, c.project, c.mergeRequest)
		if err != nil {
			return nil, refusal(err)
		}
		if pl == nil {
			return nil, fault.New(fault.WrongMethod, "405 Method Not Allowed")
		}
		d, err := s.detail(c, pl)
		return reply{http.StatusOK, d}, err
	})
	r.get(one+"/versions", inMergeRequest(access.ReadMergeRequests), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		page := pageOf(p.Page)
		page.Descending = true
		var out listing
		err := c.read(func(tx *models.Tx) error {
			rows, total, err := tx.MergeRequestDiffs(c.mergeRequest.ID, page)
			out = paged(each(rows, version), p.Page, total)
			return err
		})
		return out, err
	}))
	r.get("/projects/:id/repository/commits/:sha/merge_requests", project(access.ReadCode), with(func(c *call, p *mergeRequestList) (any, error) {
		sha, err := s.ci.Repo(c.project).Find(c.ctx(), c.Param("sha"))
		if err != nil {
			return nil, lost(err, "Commit")
		}
		if !access.Allowed(c.actor, access.ReadMergeRequests, c.subject) { // GitLab lists those that the caller may see
			return paged([]mergeRequestEntity{}, p.Page, 0), nil
		}
		f, page := p.filter()
		f.ProjectID, f.Head = c.project.ID, sha
		return s.listMergeRequests(c, f, page, p.Page)
	}))
}

func version(d *models.MergeRequestDiff) gin.H {
	return gin.H{
		"id": d.ID, "head_commit_sha": d.HeadSHA, "base_commit_sha": d.BaseSHA, "start_commit_sha": d.StartSHA, "created_at": httpapi.Time(d.CreatedAt),
		"merge_request_id": d.MergeRequestID, "state": "collected", "real_size": nil, "patch_id_sha": nil,
	}
}

// ownMergeRequests lists those that the caller made, in projects that the caller may still read.
func (s *Server) ownMergeRequests(c *call, p *mergeRequestList) (any, error) {
	if p.Scope != "" && p.Scope != "created_by_me" && p.Scope != "created-by-me" || p.Author != 0 && p.Author != c.actor.ID() {
		return nil, &httpapi.ParamError{Text: "merge requests of all projects are listed by who made them: ask with scope=created_by_me, or ask one project"}
	}
	f, page := p.filter()
	f.AuthorID = c.actor.ID()
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListMergeRequests(f, page)
		if err != nil {
			return err
		}
		shown, err := s.readableMergeRequests(tx, c, rows)
		out = paged(shown, p.Page, total)
		return err
	})
	return out, err
}

// readableMergeRequests renders merge requests of several projects, for the cost of the projects: those that the caller may read.
func (s *Server) readableMergeRequests(tx *models.Tx, c *call, rows []*models.MergeRequest) ([]mergeRequestEntity, error) {
	of := map[int64][]*models.MergeRequest{}
	for _, mr := range rows {
		of[mr.ProjectID] = append(of[mr.ProjectID], mr)
	}
	known := map[int64]mergeRequestEntity{}
	for id, some := range of {
		found, err := tx.Project(id)
		if err != nil {
			return nil, err
		}
		subject, err := access.SubjectOf(tx, c.actor, found)
		if err != nil {
			return nil, err
		}
		if !access.Allowed(c.actor, access.ReadMergeRequests, subject) {
			continue
		}
		entities, err := s.mergeRequests(tx, found, some)
		if err != nil {
			return nil, err
		}
		for _, e := range entities {
			known[e.ID] = e
		}
	}
	shown := []mergeRequestEntity{}
	for _, mr := range rows {
		if e, ok := known[mr.ID]; ok {
			shown = append(shown, e)
		}
	}
	return shown, nil
}

func (s *Server) listMergeRequests(c *call, f models.MergeRequestFilter, page models.Page, asked httpapi.Page) (any, error) {
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListMergeRequests(f, page)
		if err != nil {
			return err
		}
		shown, err := s.mergeRequests(tx, c.project, rows)
		out = paged(shown, asked, total)
		return err
	})
	return out, err
}

// mergeRequestWords are what a merge request says of itself.
type mergeRequestWords struct {
	Description *string   `param:"description" max:"1048576"`
	Labels      *[]string `param:"labels"`
	AssigneeID  *int64    `param:"assignee_id"`
	AssigneeIDs *[]int64  `param:"assignee_ids"`
	Milestone   *string   `param:"milestone" max:"255"`
	Squash      *bool     `param:"squash"`
}

// apply stores the words that are given, and leaves the others as they are.
func (w *mergeRequestWords) apply(mr *models.MergeRequest) {
	keep(&mr.Description, w.Description)
	keep(&mr.Milestone, w.Milestone)
	keep(&mr.Squash, w.Squash)
	if w.Labels != nil {
		mr.Labels = labels(*w.Labels)
	}
	if w.AssigneeIDs != nil {
		mr.Assignees = *w.AssigneeIDs
	}
}

// find leaves out people whom nobody knows, as on GitLab.
func (w *mergeRequestWords) find(c *call) error {
	if w.AssigneeIDs == nil && w.AssigneeID != nil {
		w.AssigneeIDs = &[]int64{*w.AssigneeID}
	}
	if w.AssigneeIDs == nil {
		return nil
	}
	known := []int64{}
	err := c.read(func(tx *models.Tx) error {
		people, err := tx.Users(*w.AssigneeIDs)
		known = known[:0]
		for _, id := range *w.AssigneeIDs {
			if people[id] != nil && !slices.Contains(known, id) {
				known = append(known, id)
			}
		}
		return err
	})
	w.AssigneeIDs = &known
	return err
}

// labels are names without blanks around them, each once, in order.
func labels(names []string) []string {
	out := []string{}
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func (s *Server) createMergeRequest(c *call, p *struct {
	mergeRequestWords
	IID           int64  `param:"iid"` // where it lives; an addition of signalbox
	Title         string `param:"title,required,filled"`
	Source        string `param:"source_branch,required,filled"`
	Target        string `param:"target_branch,required,filled"`
	TargetProject *int64 `param:"target_project_id"`
},
) (any, error) {
	if p.TargetProject != nil && *p.TargetProject != c.project.ID {
		return nil, fault.Field("validate_fork", "merge requests between projects are not known here: push the source branch to the target project")
	}
	mr := &models.MergeRequest{IID: p.IID, Title: p.Title, SourceBranch: p.Source, TargetBranch: p.Target, Labels: []string{}, Assignees: []int64{}}
	if err := p.find(c); err != nil {
		return nil, err
	}
	p.apply(mr)
	if err := s.ci.CreateMergeRequest(c.ctx(), c.actor, c.project, mr); err != nil {
		return unmade(err)
	}
	d, err := s.mergeRequestDetail(c, mr)
	return reply{http.StatusCreated, d}, err
}

// unmade gives the refusals that GitLab answers as lists.
func unmade(err error) (any, error) {
	var wrong fault.Fields
	var f *fault.Error
	switch {
	case errors.As(err, &wrong) && wrong["branch_conflict"] != nil:
		return reply{http.StatusUnprocessableEntity, gin.H{"message": wrong["branch_conflict"]}}, nil
	case errors.As(err, &f) && f.Kind == fault.Conflict:
		return reply{http.StatusConflict, gin.H{"message": []string{f.Message}}}, nil
	}
	return nil, err
}

func (s *Server) changeMergeRequest(c *call, p *struct {
	mergeRequestWords
	_      struct{}  `oneof:"title description labels add_labels remove_labels assignee_id assignee_ids milestone squash target_branch state_event"`
	Title  *string   `param:"title,filled"`
	Target *string   `param:"target_branch,filled"`
	Event  string    `param:"state_event" values:"close reopen"`
	Add    *[]string `param:"add_labels"`
	Remove *[]string `param:"remove_labels"`
},
) (any, error) {
	if err := p.find(c); err != nil {
		return nil, err
	}
	mr, err := s.ci.ChangeMergeRequest(c.ctx(), c.actor, c.project, c.mergeRequest.ID, func(mr *models.MergeRequest) {
		p.apply(mr)
		keep(&mr.Title, p.Title)
		keep(&mr.TargetBranch, p.Target)
		if p.Add != nil {
			mr.Labels = labels(append(slices.Clone(mr.Labels), *p.Add...))
		}
		if p.Remove != nil {
			mr.Labels = slices.DeleteFunc(slices.Clone(mr.Labels), func(l string) bool { return slices.Contains(labels(*p.Remove), l) })
		}
		switch {
		case p.Event == "close" && mr.State == models.MergeRequestOpened:
			mr.State = models.MergeRequestClosed
		case p.Event == "reopen" && mr.State == models.MergeRequestClosed:
			mr.State = models.MergeRequestOpened
		}
	})
	if err != nil {
		return unmade(err)
	}
	return s.mergeRequestDetail(c, mr)
}

func mergeRequestPath(p *models.Project, iid int64) string {
	return fmt.Sprintf("/%s/-/merge_requests/%d", p.FullPath, iid)
}
