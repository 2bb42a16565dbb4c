package api

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type hookKey struct {
	Key string `json:"key"`
}

// hookEntity is GitLab's Hook. Events that cannot happen here are as they were set.
type hookEntity struct {
	ID                   int64         `json:"id"`
	URL                  string        `json:"url"`
	Name                 *string       `json:"name"`
	Description          *string       `json:"description"`
	CreatedAt            httpapi.Time  `json:"created_at"`
	PushEvents           bool          `json:"push_events"`
	TagPushEvents        bool          `json:"tag_push_events"`
	MergeRequestsEvents  bool          `json:"merge_requests_events"`
	SSLVerification      bool          `json:"enable_ssl_verification"`
	AlertStatus          string        `json:"alert_status"`
	DisabledUntil        *httpapi.Time `json:"disabled_until"`
	URLVariables         *[]hookKey    `json:"url_variables,omitempty"`
	BranchFilter         *string       `json:"push_events_branch_filter"`
	BranchFilterStrategy string        `json:"branch_filter_strategy"`
	Template             *string       `json:"custom_webhook_template"`
	CustomHeaders        *[]hookKey    `json:"custom_headers,omitempty"`
	ProjectID            int64         `json:"project_id"`
	keptHookEvents
	PipelineEvents   bool `json:"pipeline_events"`
	DeploymentEvents bool `json:"deployment_events"`
	JobEvents        bool `json:"job_events"`
	ReleasesEvents   bool `json:"releases_events"`
}

// keptHookEvents are the flags of events that cannot happen here (ci.KeptHookEvents).
type keptHookEvents struct {
	RepositoryUpdate    *bool `json:"repository_update_events" param:"repository_update_events" default:"false"`
	IssuesEvents        *bool `json:"issues_events" param:"issues_events" default:"false"`
	ConfidentialIssues  *bool `json:"confidential_issues_events" param:"confidential_issues_events" default:"false"`
	NoteEvents          *bool `json:"note_events" param:"note_events" default:"false"`
	ConfidentialNotes   *bool `json:"confidential_note_events" param:"confidential_note_events" default:"false"`
	WikiPageEvents      *bool `json:"wiki_page_events" param:"wiki_page_events" default:"false"`
	FeatureFlagEvents   *bool `json:"feature_flag_events" param:"feature_flag_events" default:"false"`
	MilestoneEvents     *bool `json:"milestone_events" param:"milestone_events" default:"false"`
	EmojiEvents         *bool `json:"emoji_events" param:"emoji_events" default:"false"`
	AccessTokenEvents   *bool `json:"resource_access_token_events" param:"resource_access_token_events" default:"false"`
	VulnerabilityEvents *bool `json:"vulnerability_events" param:"vulnerability_events" default:"false"`
}

func (s *Server) hookOf(w *models.Webhook) hookEntity {
	e := hookEntity{
		ID: w.ID, URL: w.URL, Name: given(w.Name), Description: given(w.Description), CreatedAt: httpapi.Time(w.CreatedAt), ProjectID: w.ProjectID,
		PushEvents: w.Wants(ci.PushEvents), TagPushEvents: w.Wants(ci.TagPushEvents), PipelineEvents: w.Wants(ci.PipelineEvents),
		JobEvents: w.Wants(ci.JobEvents), DeploymentEvents: w.Wants(ci.DeploymentEvents), ReleasesEvents: w.Wants(ci.ReleaseEvents),
		MergeRequestsEvents: w.Wants(ci.MergeRequestEvents),
		SSLVerification:     w.SSLVerification, BranchFilter: given(w.BranchFilter), BranchFilterStrategy: w.BranchFilterStrategy,
	}
	set := map[string]any{}
	for _, event := range ci.KeptHookEvents {
		set[event] = w.Wants(event)
	}
	e.keptHookEvents = tellFacts[keptHookEvents](set)
	status, until := ci.HookAlert(w, s.ci.DB().Now())
	e.AlertStatus, e.DisabledUntil = status, httpapi.TimeOf(until)
	return e
}

// detailHook is a webhook with the names of its secrets.
func (s *Server) detailHook(w *models.Webhook) (any, error) {
	e := s.hookOf(w)
	for what, into := range map[string]**[]hookKey{"custom_headers": &e.CustomHeaders, "url_variables": &e.URLVariables} {
		keys, err := s.ci.HookKeys(w, what)
		if err != nil {
			return nil, err
		}
		list := each(keys, func(k string) hookKey { return hookKey{k} })
		*into = &list
	}
	return e, nil
}

// inHook finds the webhook of :hook_id in its project.
func inHook() place {
	return project(access.AdminProject).within(func(c *call) error {
		n, err := c.id("hook_id", "")
		if err != nil {
			return missing(models.ErrNotFound, "")
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.hook, err = tx.Webhook(n)
			return err
		})
		if err == nil && c.hook.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "")
	})
}

type hookPair struct {
	Key   string `param:"key,required"`
	Value string `param:"value,required"`
}

type hookParams struct {
	URL          *string     `param:"url"`
	Name         *string     `param:"name"`
	Description  *string     `param:"description"`
	Token        *string     `param:"token"`
	Push         *bool       `param:"push_events"`
	TagPush      *bool       `param:"tag_push_events"`
	Pipeline     *bool       `param:"pipeline_events"`
	Job          *bool       `param:"job_events"`
	Deployment   *bool       `param:"deployment_events"`
	Releases     *bool       `param:"releases_events"`
	MergeRequest *bool       `param:"merge_requests_events"`
	SSL          *bool       `param:"enable_ssl_verification"`
	Filter       *string     `param:"push_events_branch_filter"`
	Strategy     *string     `param:"branch_filter_strategy" values:"wildcard regex all_branches"`
	Headers      *[]hookPair `param:"custom_headers"`
	URLVariables *[]hookPair `param:"url_variables"`
	keptHookEvents
}

func (p *hookParams) input() ci.HookInput {
	in := ci.HookInput{
		URL: p.URL, Name: p.Name, Description: p.Description, Token: p.Token, SSLVerification: p.SSL, BranchFilter: p.Filter, BranchFilterStrategy: p.Strategy,
		Events: map[string]*bool{
			ci.PushEvents: p.Push, ci.TagPushEvents: p.TagPush, ci.PipelineEvents: p.Pipeline, ci.JobEvents: p.Job, ci.DeploymentEvents: p.Deployment,
			ci.ReleaseEvents: p.Releases, ci.MergeRequestEvents: p.MergeRequest,
		},
	}
	for event, on := range factsOf(p.keptHookEvents) {
		set := on.(bool)
		in.Events[event] = &set
	}
	in.CustomHeaders, in.URLVariables = pairs(p.Headers), pairs(p.URLVariables)
	return in
}

func pairs(list *[]hookPair) *map[string]string {
	if list == nil {
		return nil
	}
	out := map[string]string{}
	for _, p := range *list {
		out[p.Key] = p.Value
	}
	return &out
}

// saveHook answers an address that cannot be used in the shape that GitLab has for it.
func (s *Server) saveHook(c *call, id int64, in ci.HookInput) (any, error) {
	w, err := s.ci.SaveHook(c.ctx(), c.actor, c.project, id, in)
	if fault.KindOf(err) == fault.Unprocessable {
		return reply{http.StatusUnprocessableEntity, gin.H{"error": fault.Message(err)}}, nil
	}
	if err != nil {
		return nil, err
	}
	return s.detailHook(w)
}

func (s *Server) hookRoutes(r routes) {
	base, one := "/projects/:id/hooks", "/projects/:id/hooks/:hook_id"
	r.get(base, project(access.AdminProject), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var rows []*models.Webhook
		err := c.read(func(tx *models.Tx) (err error) {
			rows, err = tx.Webhooks(c.project.ID)
			return err
		})
		return sliced(each(rows, s.hookOf), p.Page), err
	}))
	r.post(base, project(access.AdminProject), with(func(c *call, p *struct {
		Address string `param:"url,required"`
		hookParams
	},
	) (any, error) {
		return s.saveHook(c, 0, p.input())
	}))
	r.get(one, inHook(), func(c *call) (any, error) { return s.detailHook(c.hook) })
	r.put(one, inHook(), with(func(c *call, p *hookParams) (any, error) { return s.saveHook(c, c.hook.ID, p.input()) }))
	r.delete(one, inHook(), func(c *call) (any, error) { return nil, s.ci.DeleteHook(c.ctx(), c.actor, c.hook) })
	r.post(one+"/test/:trigger", inHook(), func(c *call) (any, error) {
		_, err := s.ci.TestHook(c.ctx(), c.hook, c.Param("trigger"), c.actor.User)
		return gin.H{"message": "201 Created"}, err
	})
	r.get(one+"/events", inHook(), with(s.hookEvents))
	r.post(one+"/events/:log_id/resend", inHook(), func(c *call) (any, error) {
		id, err := c.id("log_id", "")
		if err != nil {
			return nil, missing(models.ErrNotFound, "")
		}
		d, err := s.ci.ResendHook(c.ctx(), c.hook, id)
		if err != nil {
			return nil, err
		}
		status := 0
		for _, digit := range d.ResponseStatus {
			status = status*10 + int(digit-'0')
		}
		return gin.H{"response_status": status}, nil
	})
	for _, what := range []string{"custom_headers", "url_variables"} {
		r.put(one+"/"+what+"/:key", inHook(), with(func(c *call, p *struct {
			Value string `param:"value,required"`
		},
		) (any, error) {
			return reply{http.StatusNoContent, nil}, s.ci.SetHookKey(c.ctx(), c.actor, c.project, c.hook, what, c.Param("key"), &p.Value)
		}))
		r.delete(one+"/"+what+"/:key", inHook(), func(c *call) (any, error) {
			return nil, s.ci.SetHookKey(c.ctx(), c.actor, c.project, c.hook, what, c.Param("key"), nil)
		})
	}
}

type hookEvent struct {
	ID                int64             `json:"id"`
	URL               string            `json:"url"`
	Trigger           string            `json:"trigger"`
	RequestHeaders    map[string]string `json:"request_headers"`
	RequestData       any               `json:"request_data"`
	ResponseHeaders   map[string]string `json:"response_headers"`
	ResponseBody      string            `json:"response_body"`
	ExecutionDuration float64           `json:"execution_duration"`
	ResponseStatus    string            `json:"response_status"`
	CreatedAt         httpapi.Time      `json:"created_at"`
}

func (s *Server) hookEvents(c *call, p *struct{ httpapi.Page }) (any, error) {
	page := pageOf(p.Page)
	page.PerPage = min(max(page.PerPage, 1), 20)
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.Deliveries(c.hook.ID, page)
		if err != nil {
			return err
		}
		events := []hookEvent{}
		for _, d := range rows {
			body, err := s.ci.DeliveryBody(d)
			if err != nil {
				return err
			}
			e := hookEvent{
				ID: d.ID, URL: d.URL, Trigger: d.Event, RequestHeaders: d.RequestHeaders, RequestData: json.RawMessage(body),
				ResponseHeaders: d.ResponseHeaders, ResponseBody: d.ResponseBody, ExecutionDuration: d.Duration, ResponseStatus: d.ResponseStatus,
				CreatedAt: httpapi.Time(d.CreatedAt),
			}
			if d.Error != "" {
				e.ResponseBody = d.Error
			}
			events = append(events, e)
		}
		out = paged(events, p.Page, total)
		return nil
	})
	return out, err
}
