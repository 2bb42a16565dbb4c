package api

import (
	"encoding/base64"
	"errors"
	"path"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// commitTime keeps the offset of a commit's date.
type commitTime time.Time

// MarshalJSON writes the time with milliseconds and offset.
func (t commitTime) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).Format("2006-01-02T15:04:05.000-07:00") + `"`), nil
}

type commitEntity struct {
	ID             string            `json:"id"`
	ShortID        string            `json:"short_id"`
	CreatedAt      commitTime        `json:"created_at"`
	ParentIDs      []string          `json:"parent_ids"`
	Title          string            `json:"title"`
	Message        string            `json:"message"`
	AuthorName     string            `json:"author_name"`
	AuthorEmail    string            `json:"author_email"`
	AuthoredDate   commitTime        `json:"authored_date"`
	CommitterName  string            `json:"committer_name"`
	CommitterEmail string            `json:"committer_email"`
	CommittedDate  commitTime        `json:"committed_date"`
	Trailers       map[string]string `json:"trailers"`
	// Always empty: GitLab's own client for Go cannot read the lists that would stand here.
	ExtendedTrailers map[string][]string `json:"extended_trailers"`
	WebURL           string              `json:"web_url"`
}

type commitStats struct {
	Additions int `json:"additions"`
	Deletions int `json:"deletions"`
	Total     int `json:"total"`
}

type commitDetail struct {
	commitEntity
	Stats        *commitStats   `json:"stats,omitempty"`
	Status       *enum.Status   `json:"status"`
	ProjectID    int64          `json:"project_id"`
	LastPipeline *pipelineBasic `json:"last_pipeline"`
}

func (s *Server) commitOf(p *models.Project, c *gitrepo.Commit) commitEntity {
	parents := append([]string{}, c.Parents...)
	message := strings.ToValidUTF8(c.Message, "\uFFFD")
	e := commitEntity{
		ID: c.SHA, ShortID: c.SHA[:8], CreatedAt: commitTime(c.Committer.When), ParentIDs: parents, Title: strings.ToValidUTF8(c.Title(), "\uFFFD"),
		Message: message, AuthorName: text(c.Author.Name), AuthorEmail: text(c.Author.Email), AuthoredDate: commitTime(c.Author.When),
		CommitterName: text(c.Committer.Name), CommitterEmail: text(c.Committer.Email), CommittedDate: commitTime(c.Committer.When),
		WebURL: s.ci.URL() + "/" + p.FullPath + "/-/commit/" + c.SHA, Trailers: map[string]string{}, ExtendedTrailers: map[string][]string{},
	}
	for key, values := range trailers(message) {
		e.Trailers[key] = values[len(values)-1]
	}
	return e
}

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// trailers reads the last paragraph of a message, if all of its lines are "Key: value".
func trailers(message string) map[string][]string {
	out := map[string][]string{}
	_, body, found := strings.Cut(strings.TrimSpace(message), "\n\n")
	if !found {
		return out
	}
	if at := strings.LastIndex(body, "\n\n"); at >= 0 {
		body = body[at+2:]
	}
	for _, line := range strings.Split(body, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			return map[string][]string{}
		}
		out[key] = append(out[key], strings.TrimSpace(value))
	}
	return out
}

func (s *Server) commitRoutes(r routes) {
	r.get("/projects/:id/repository/commits", project(access.ReadCode), with(s.listCommits))
	r.post("/projects/:id/repository/commits", project(access.PushRef), with(s.createCommit))
	r.get("/projects/:id/repository/commits/:sha", project(access.ReadRepository), with(s.getCommit))
	r.get("/projects/:id/repository/commits/:sha/statuses", project(access.ReadPipelines), with(s.commitStatuses))
	r.post("/projects/:id/statuses/:sha", project(access.CreateStatuses), with(s.setStatus))
}

// found finds what a revision names, in GitLab's words if there is nothing.
func (c *call) found(name, thing string) (string, error) {
	sha, err := c.s.ci.Repo(c.project).Find(c.ctx(), name)
	return sha, lost(err, thing)
}

// lost turns what is not in a repository into GitLab's words.
func lost(err error, thing string) error {
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return fault.New(fault.NotFound, "404 %s Not Found", thing)
	}
	return err
}

type commitList struct {
	httpapi.Page
	Ref         string            `param:"ref_name"`
	Since       httpapi.Timestamp `param:"since"`
	Until       httpapi.Timestamp `param:"until"`
	Path        string            `param:"path"`
	Author      string            `param:"author"`
	All         bool              `param:"all"`
	WithStats   bool              `param:"with_stats"`
	FirstParent bool              `param:"first_parent"`
	Order       string            `param:"order" values:"default topo"`
}

// maxCommitOffset bounds how far back a page of commits may lie; git walks all the way there.
const maxCommitOffset = 50_000

func (s *Server) listCommits(c *call, p *commitList) (any, error) {
	o := gitrepo.LogOptions{
		All: p.All, Path: p.Path, Author: p.Author, FirstParent: p.FirstParent, Topological: p.Order == "topo",
		Skip: (p.Number - 1) * p.PerPage(), Limit: p.PerPage() + 1,
	}
	if o.Skip > maxCommitOffset || o.Skip < 0 {
		return nil, fault.New(fault.WrongMethod, "Offset pagination has a maximum allowed offset of %d for commits", maxCommitOffset)
	}
	if p.Since.Time != nil {
		o.Since = *p.Since.Time
	}
	if p.Until.Time != nil {
		o.Until = *p.Until.Time
	}
	repo := s.ci.Repo(c.project)
	ref := p.Ref
	if ref == "" {
		ref = c.project.DefaultBranch
	}
	var err error
	if o.From, err = repo.Find(c.ctx(), ref); err != nil && !p.All {
		if empty, emptyErr := repo.Empty(); p.Ref == "" && emptyErr == nil && empty {
			return listing{rows: []commitEntity{}, page: p.Page, total: httpapi.Total{Unknown: true}}, nil
		}
		return nil, lost(err, "Commit")
	}
	commits, err := repo.Log(c.ctx(), o)
	if err != nil {
		return nil, lost(err, "Commit")
	}
	more := len(commits) > p.PerPage()
	if more {
		commits = commits[:p.PerPage()]
	}
	rows := []any{}
	for _, k := range commits {
		e := s.commitOf(c.project, k)
		if !p.WithStats {
			rows = append(rows, e)
			continue
		}
		st, err := repo.Stats(c.ctx(), k)
		if err != nil {
			return nil, err
		}
		rows = append(rows, struct {
			commitEntity
			Stats commitStats `json:"stats"`
		}{e, commitStats{st.Additions, st.Deletions, st.Additions + st.Deletions}})
	}
	return listing{rows: rows, page: p.Page, total: httpapi.Total{Unknown: true, More: more}}, nil
}

func (s *Server) getCommit(c *call, p *struct {
	Stats *bool `param:"stats"`
},
) (any, error) {
	sha, err := c.found(c.Param("sha"), "Commit")
	if err != nil {
		return nil, err
	}
	return s.renderCommit(c, sha, p.Stats == nil || *p.Stats)
}

func (s *Server) renderCommit(c *call, sha string, stats bool) (any, error) {
	repo := s.ci.Repo(c.project)
	k, err := repo.Commit(c.ctx(), sha)
	if err != nil {
		return nil, lost(err, "Commit")
	}
	d := commitDetail{commitEntity: s.commitOf(c.project, k), ProjectID: c.project.ID}
	if stats {
		st, err := repo.Stats(c.ctx(), k)
		if err != nil {
			return nil, err
		}
		d.Stats = &commitStats{st.Additions, st.Deletions, st.Additions + st.Deletions}
	}
	if !access.Allowed(c.actor, access.ReadPipelines, c.subject) {
		return d, nil
	}
	err = c.read(func(tx *models.Tx) error {
		found, err := tx.LatestPipelinesOf(c.project.ID, []string{sha})
		if pl := found[sha]; pl != nil {
			b := s.basicPipeline(pl, c.project)
			d.LastPipeline, d.Status = &b, &pl.Status
		}
		return err
	})
	return d, err
}

// action is one change of a commit.
type action struct {
	Action       string `param:"action,required" values:"create update delete move chmod"`
	Path         string `param:"file_path,required"`
	PreviousPath string `param:"previous_path"`
	Content      string `param:"content"`
	Encoding     string `param:"encoding" values:"text base64"`
	Executable   *bool  `param:"execute_filemode"`
	LastCommit   string `param:"last_commit_id"`
}

func (a action) change() (gitrepo.Change, error) {
	ch := gitrepo.Change{Action: gitrepo.Action(a.Action), Path: strings.TrimPrefix(a.Path, "/"), OldPath: strings.TrimPrefix(a.PreviousPath, "/"), Executable: a.Executable}
	var err error
	ch.Content, err = content(a.Content, a.Encoding)
	if a.Action == "move" && a.Content == "" {
		ch.Content = nil
	}
	return ch, err
}

func content(text, encoding string) ([]byte, error) {
	if encoding != "base64" {
		return []byte(text), nil
	}
	out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fault.New(fault.Invalid, "400 Bad request - the content is not base64")
	}
	return out, nil
}

type newCommit struct {
	Branch      string   `param:"branch,required,filled"`
	Message     string   `param:"commit_message,required,filled"`
	Actions     []action `param:"actions,required"`
	StartBranch string   `param:"start_branch"`
	StartSHA    string   `param:"start_sha"`
	AuthorEmail string   `param:"author_email"`
	AuthorName  string   `param:"author_name"`
	Stats       *bool    `param:"stats"`
	_           struct{} `either:"start_branch start_sha"`
}

// bodyLimit is larger where files are sent.
func (*newCommit) bodyLimit() int64 { return maxFileBody }

const maxFileBody = 64 << 20

func (s *Server) createCommit(c *call, p *newCommit) (any, error) {
	n := ci.NewCommit{Branch: p.Branch, StartBranch: p.StartBranch, Message: p.Message, AuthorName: p.AuthorName, AuthorEmail: p.AuthorEmail}
	if n.StartBranch == "" {
		n.StartBranch = p.StartSHA
	}
	if len(p.Actions) > 1000 {
		return nil, fault.New(fault.Invalid, "400 Bad request - a commit may have 1000 actions")
	}
	seen := map[string]bool{}
	for _, a := range p.Actions {
		ch, err := a.change()
		if err != nil {
			return nil, err
		}
		if seen[path.Clean(ch.Path)] {
			return nil, fault.New(fault.Invalid, "400 Bad request - %s is named twice", ch.Path)
		}
		seen[path.Clean(ch.Path)] = true
		n.Changes = append(n.Changes, ch)
	}
	sha, err := s.ci.Commit(c.ctx(), c.actor, c.project, n)
	if err != nil {
		return nil, err
	}
	return s.renderCommit(c, sha, p.Stats == nil || *p.Stats)
}

type statusEntity struct {
	ID           int64         `json:"id"`
	SHA          string        `json:"sha"`
	Ref          string        `json:"ref"`
	Status       enum.Status   `json:"status"`
	Name         string        `json:"name"`
	TargetURL    *string       `json:"target_url"`
	Description  *string       `json:"description"`
	CreatedAt    httpapi.Time  `json:"created_at"`
	StartedAt    *httpapi.Time `json:"started_at"`
	FinishedAt   *httpapi.Time `json:"finished_at"`
	AllowFailure bool          `json:"allow_failure"`
	Coverage     *float64      `json:"coverage"`
	PipelineID   int64         `json:"pipeline_id"`
	Author       *userBasic    `json:"author"`
}

type statusList struct {
	httpapi.Page
	Ref        string `param:"ref"`
	Stage      string `param:"stage"`
	Name       string `param:"name"`
	PipelineID int64  `param:"pipeline_id"`
	All        bool   `param:"all"`
	OrderBy    string `param:"order_by" values:"id pipeline_id"`
	Sort       string `param:"sort" values:"asc desc"`
}

// commitStatuses lists the jobs of a commit's pipelines, as statuses.
func (s *Server) commitStatuses(c *call, p *statusList) (any, error) {
	sha, err := c.found(c.Param("sha"), "Commit")
	if err != nil {
		return nil, err
	}
	page := pageOf(p.Page)
	page.Descending, page.OrderBy = p.Sort == "desc", p.OrderBy
	var out listing
	err = c.read(func(tx *models.Tx) error {
		rows, total, err := tx.CommitJobs(c.project.ID, sha, models.StatusFilter{Ref: p.Ref, Stage: p.Stage, Name: p.Name, PipelineID: p.PipelineID, Retried: p.All}, page)
		if err != nil {
			return err
		}
		users, err := tx.Users(each(rows, func(j *models.Job) int64 { return j.UserID }))
		if err != nil {
			return err
		}
		pipelines, err := tx.Pipelines(each(rows, func(j *models.Job) int64 { return j.PipelineID }))
		entities := each(rows, func(j *models.Job) statusEntity { return s.statusOf(c, j, pipelines[j.PipelineID], users[j.UserID]) })
		out = paged(entities, p.Page, total)
		return err
	})
	return out, err
}

// statusOf renders a job as a status of its commit.
func (s *Server) statusOf(c *call, j *models.Job, pl *models.Pipeline, by *models.User) statusEntity {
	link := s.ci.URL() + jobPath(c.project, j)
	e := statusEntity{
		ID: j.ID, Status: j.Status, Name: j.Name, TargetURL: &link, Description: given(j.Description), CreatedAt: httpapi.Time(j.CreatedAt),
		StartedAt: httpapi.TimeOf(j.StartedAt), FinishedAt: httpapi.TimeOf(j.FinishedAt), AllowFailure: j.AllowFailure, PipelineID: j.PipelineID,
		Coverage: j.Coverage, Author: s.basic(by),
	}
	if j.External {
		e.TargetURL = given(j.TargetURL)
	}
	if pl != nil {
		e.Ref, e.SHA = pl.Ref, pl.SHA
	}
	return e
}

// setStatus stores what another system says of a commit.
func (s *Server) setStatus(c *call, p *struct {
	State       string   `param:"state,required" values:"pending running success failed canceled skipped"`
	Ref         string   `param:"ref"`
	Name        string   `param:"name"`
	Context     string   `param:"context"`
	TargetURL   *string  `param:"target_url"`
	Description *string  `param:"description"`
	Coverage    *float64 `param:"coverage"`
	PipelineID  int64    `param:"pipeline_id"`
},
) (any, error) {
	in := ci.ExternalStatus{
		SHA: c.Param("sha"), Ref: p.Ref, Name: p.Name, State: enum.Status(p.State), PipelineID: p.PipelineID, TargetURL: p.TargetURL,
		Description: p.Description, Coverage: p.Coverage,
	}
	for _, name := range []string{p.Context, "default"} {
		if in.Name == "" {
			in.Name = name
		}
	}
	j, pl, err := s.ci.SetStatus(c.ctx(), c.actor, c.project, in)
	if err != nil {
		return nil, err
	}
	return s.statusOf(c, j, pl, c.actor.User), nil
}
