package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// call is one request: who asks, and what its address names, found and allowed before the endpoint runs.
type call struct {
	*gin.Context
	s            *Server
	actor        access.Actor
	subject      access.Subject
	project      *models.Project
	group        *models.Namespace
	pipeline     *models.Pipeline
	job          *models.Job
	runner       *models.Runner
	resources    *models.ResourceGroup
	environment  *models.Environment
	deployment   *models.Deployment
	schedule     *models.PipelineSchedule
	trigger      *models.Trigger
	freeze       *models.FreezePeriod
	release      *models.Release
	mergeRequest *models.MergeRequest
	link         *models.ReleaseLink
	hook         *models.Webhook
	protection   *models.ProtectedEnvironment
	// enterAgain asks once more who may, after a body that was not there from the beginning; nil if it was.
	enterAgain func() error
}

func (c *call) ctx() context.Context { return c.Request.Context() }

func (c *call) read(f func(tx *models.Tx) error) error { return c.s.ci.DB().Read(c.ctx(), f) }

// id reads a numeric part of the address.
func (c *call) id(name, thing string) (int64, error) {
	n, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.NotFound, "404 %s Not Found", thing)
	}
	return n, nil
}

// place says what an address is about and who may ask there.
type place struct {
	ability access.Ability
	login   bool // nobody in particular gets 401 rather than an answer
	find    func(*call) error
}

// endpoint answers a call with an entity, or with how to answer: a listing, a reply, written.
type endpoint func(*call) (any, error)

// reply is an answer with a status of its own.
type reply struct {
	status int
	body   any // nil: no body
}

// accepted is the answer to what is done afterwards.
var accepted = reply{http.StatusAccepted, gin.H{"message": "202 Accepted"}}

// jsonNull is the answer that there is nothing, where GitLab says so with a body.
var jsonNull = json.RawMessage("null")

type done struct{}

// written says that the endpoint wrote its answer itself.
var written done

type routes struct {
	s *Server
	r gin.IRouter
}

func (r routes) get(path string, at place, h endpoint)    { r.add(http.MethodGet, path, at, h) }
func (r routes) post(path string, at place, h endpoint)   { r.add(http.MethodPost, path, at, h) }
func (r routes) put(path string, at place, h endpoint)    { r.add(http.MethodPut, path, at, h) }
func (r routes) patch(path string, at place, h endpoint)  { r.add(http.MethodPatch, path, at, h) }
func (r routes) delete(path string, at place, h endpoint) { r.add(http.MethodDelete, path, at, h) }

func (r routes) add(method, path string, at place, h endpoint) {
	r.r.Handle(method, path, httpapi.Handle(r.s.log, func(g *gin.Context) error {
		c := &call{Context: g, s: r.s}
		body, err := c.answer(at, h)
		var invalid *access.InvalidToken
		var scope *access.ScopeError
		var moved *ci.Moved
		switch {
		case errors.As(err, &moved):
			return c.redirect(moved)
		case errors.As(err, &invalid):
			c.Header("WWW-Authenticate", `Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="`+invalid.Description+`"`)
			return httpapi.WriteJSON(g, http.StatusUnauthorized, gin.H{"error": "invalid_token", "error_description": invalid.Description})
		case errors.As(err, &scope):
			need := strings.Join(scope.Need, " ")
			c.Header("WWW-Authenticate", `Bearer realm="Protected by OAuth 2.0", error="insufficient_scope", scope="`+need+`"`)
			return httpapi.WriteJSON(g, http.StatusForbidden, gin.H{
				"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": need,
			})
		case err != nil:
			return err
		}
		return c.write(method, body)
	}))
}

// answer finds who asks and what is asked about, and runs the endpoint.
func (c *call) answer(at place, h endpoint) (any, error) {
	here, err := httpapi.TakeSmallBody(c.Request)
	if err != nil {
		return nil, err
	}
	if err := c.enter(at); err != nil {
		return nil, err
	}
	if !here {
		c.enterAgain = func() error { return c.enter(at) }
	}
	return h(c)
}

// enter finds who asks and what the address names, and refuses those who may not ask there.
func (c *call) enter(at place) error {
	if err := c.authenticate(at.ability); err != nil {
		return err
	}
	write := c.Request.Method != http.MethodGet
	if ok, need := access.Scoped(c.actor, at.ability, write); !ok {
		return &access.ScopeError{Need: need}
	}
	if at.login && c.actor.User == nil {
		return errUnauthorized
	}
	if at.find != nil {
		if err := at.find(c); err != nil {
			return err
		}
	}
	return c.unchanged()
}

var (
	errUnauthorized = fault.New(fault.Unauthorized, "401 Unauthorized")
	errForbidden    = fault.New(fault.Forbidden, "403 Forbidden")
)

// redirect leads from a path that a project or group had to its number, for reading (facts: rest-api 1.2).
func (c *call) redirect(to *ci.Moved) error {
	if c.Request.Method != http.MethodGet {
		return fault.New(fault.WrongMethod, "Non GET methods are not allowed for moved projects")
	}
	u := *c.Request.URL
	parts := strings.SplitN(strings.TrimPrefix(u.EscapedPath(), "/api/v4/"), "/", 3)
	parts[1] = strconv.FormatInt(to.ID, 10)
	c.Header("Location", c.s.ci.URL()+"/api/v4/"+strings.Join(parts, "/")+query(u.Query()))
	c.Status(http.StatusMovedPermanently)
	c.Writer.WriteHeaderNow()
	return nil
}

// query writes parameters without tokens, which no address repeats.
func query(q url.Values) string {
	for _, secret := range httpapi.Secrets {
		q.Del(secret)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// unchanged refuses to delete what changed after the time that the client names (facts: rest-api 1.4).
func (c *call) unchanged() error {
	since, err := http.ParseTime(c.GetHeader("If-Unmodified-Since"))
	if c.Request.Method != http.MethodDelete || err != nil {
		return nil
	}
	var changed time.Time
	switch strings.TrimPrefix(c.FullPath(), "/api/v4") {
	case "/projects/:id":
		changed = c.project.UpdatedAt
	case "/projects/:id/pipelines/:pipeline_id":
		changed = c.pipeline.UpdatedAt
	}
	if changed.Truncate(time.Second).After(since) {
		return fault.New(fault.Precondition, "412 Precondition Failed")
	}
	return nil
}

// authenticate finds the actor. A token that is given must be good; a job token counts only where jobs may.
func (c *call) authenticate(ability access.Ability) (err error) {
	cr := httpapi.ReadCredentials(c.Context)
	auth := c.s.auth
	switch {
	case cr.Token != "":
		if c.actor, err = auth.Token(c.ctx(), cr.Token); err != nil && strings.HasPrefix(cr.Token, "glcbt-") && access.ForJobs(ability) {
			c.actor, err = auth.Job(c.ctx(), cr.Token)
		}
	case cr.JobToken != "" && access.ForJobs(ability):
		c.actor, err = auth.Job(c.ctx(), cr.JobToken)
	}
	if err == nil && cr.Sudo != "" && c.actor.User != nil {
		c.actor, err = auth.Sudo(c.ctx(), c.actor, cr.Sudo)
	}
	c.actor.IP = c.ClientIP()
	return err
}

// write renders what an endpoint returned.
func (c *call) write(method string, body any) error {
	status := http.StatusOK
	if method == http.MethodPost {
		status = http.StatusCreated
	}
	switch b := body.(type) {
	case done:
		return nil
	case listing:
		b.headers(c)
		body = b.rows
	case reply:
		status, body = b.status, b.body
	}
	if body == nil && method == http.MethodDelete {
		status = http.StatusNoContent
	}
	if body == nil {
		c.Status(status)
		c.Writer.WriteHeaderNow()
		return nil
	}
	return httpapi.WriteJSON(c.Context, status, body)
}

// with declares an endpoint's parameters: the struct that they are read into (see httpapi.Params.Bind).
func with[P any](h func(*call, *P) (any, error)) endpoint {
	return func(c *call) (any, error) {
		p := new(P)
		var limit int64
		if l, ok := any(p).(interface{ bodyLimit() int64 }); ok {
			limit = l.bodyLimit()
		}
		params, err := httpapi.ReadParams(c.Context, limit)
		if err != nil {
			return nil, err
		}
		if c.enterAgain != nil {
			if err := c.enterAgain(); err != nil {
				return nil, err
			}
		}
		if err := params.Bind(p); err != nil {
			return nil, err
		}
		if checked, ok := any(p).(interface{ Check() error }); ok {
			if err := checked.Check(); err != nil {
				return nil, err
			}
		}
		return h(c, p)
	}
}

// listing is one page of a list.
type listing struct {
	rows  any
	page  httpapi.Page
	total httpapi.Total
	// next continues a keyset list: the parameter and its value; "" at the end.
	keyset      bool
	param, next string
}

func (l listing) headers(c *call) {
	base := c.s.ci.URL()
	if l.keyset {
		httpapi.WriteNextHeader(c.Context, base, l.page, l.param, l.next, l.next != "")
		return
	}
	httpapi.WritePageHeaders(c.Context, base, l.page, l.total)
}

// paged is a page counted from the first row. More rows than are counted have no total.
func paged[E any](rows []E, p httpapi.Page, total int64) listing {
	t := httpapi.Total{Rows: total}
	if total > models.CountedRows {
		t.Unknown, t.More = true, len(rows) == p.PerPage()
	}
	return listing{rows: rows, page: p, total: t}
}

// sliced is a page of a list that is known whole.
func sliced[E any](rows []E, p httpapi.Page) listing {
	from := min(len(rows), (min(p.Number, 1<<24)-1)*p.PerPage())
	cut := slices.Clone(rows[from:min(len(rows), from+p.PerPage())])
	if cut == nil {
		cut = []E{}
	}
	return paged(cut, p, int64(len(rows)))
}

// anybody may ask; what is answered depends on who does.
func anybody(a access.Ability) place { return place{ability: a} }

// user is for those who are signed in.
func user(a access.Ability) place {
	return place{ability: a, login: true, find: func(c *call) error {
		if !access.Allowed(c.actor, a, access.Subject{}) {
			return errForbidden
		}
		return nil
	}}
}

// openly are the abilities for which nobody needs to be signed in if the project or group is public.
var openly = []access.Ability{
	access.ReadProject, access.ReadPipelines, access.ReadJob, access.ReadArtifacts, access.ReadRepository, access.ReadCode, access.ReadGroup,
	access.ReadProtectedRefs, access.ReadEnvironments, access.ReadReleases,
}

// project finds the project of :id, by number or path.
func project(a access.Ability) place {
	return place{ability: a, login: !slices.Contains(openly, a), find: func(c *call) (err error) {
		c.project, c.subject, err = c.s.ci.FindProject(c.ctx(), c.actor, c.Param("id"), a)
		return c.foreign(err)
	}}
}

// foreign says why a job token does not reach a project that its user may see.
func (c *call) foreign(err error) error {
	if err == nil || c.actor.Job == nil {
		return err
	}
	person := access.Actor{User: c.actor.User}
	p, _, visible := c.s.ci.FindProject(c.ctx(), person, c.Param("id"), access.ReadProject)
	if visible != nil || p.ID == c.actor.Job.ProjectID {
		return err
	}
	from := ""
	if readErr := c.read(func(tx *models.Tx) error {
		own, err := tx.Project(c.actor.Job.ProjectID)
		if err == nil {
			from = own.FullPath
		}
		return err
	}); readErr != nil {
		return err
	}
	return fault.New(fault.Forbidden, "403 Forbidden - Authentication by CI/CD job token not allowed from %s to project #%d.", from, p.ID)
}

// group finds the group of :id, by number or path.
func group(a access.Ability) place {
	return place{ability: a, login: !slices.Contains(openly, a), find: func(c *call) (err error) {
		c.group, c.subject, err = c.s.ci.FindGroup(c.ctx(), c.actor, c.Param("id"), a)
		return err
	}}
}

// within adds a step to a place: what else the address names.
func (p place) within(find func(*call) error) place {
	first := p.find
	p.find = func(c *call) error {
		if err := first(c); err != nil {
			return err
		}
		return find(c)
	}
	return p
}

// missing turns a missing row into GitLab's words; thing is "" for what has no name of its own.
func missing(err error, thing string) error {
	if errors.Is(err, models.ErrNotFound) {
		if thing == "" {
			return fault.New(fault.NotFound, "404 Not found")
		}
		return fault.New(fault.NotFound, "404 %s Not Found", thing)
	}
	return err
}
