package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// The events that webhooks are told of, by the names of their settings.
const (
	PushEvents         = "push_events"
	TagPushEvents      = "tag_push_events"
	PipelineEvents     = "pipeline_events"
	JobEvents          = "job_events"
	DeploymentEvents   = "deployment_events"
	ReleaseEvents      = "releases_events"
	MergeRequestEvents = "merge_requests_events"
)

// HookEvents are all of them.
var HookEvents = []string{PushEvents, TagPushEvents, PipelineEvents, JobEvents, DeploymentEvents, ReleaseEvents, MergeRequestEvents}

// KeptHookEvents are those of GitLab's events that cannot happen here. A webhook keeps which of them it was set to.
var KeptHookEvents = []string{
	"issues_events", "confidential_issues_events", "note_events", "confidential_note_events", "wiki_page_events", "feature_flag_events",
	"milestone_events", "emoji_events", "resource_access_token_events", "repository_update_events", "vulnerability_events",
}

// hookHeader is what X-Gitlab-Event says.
var hookHeader = map[string]string{
	PushEvents: "Push Hook", TagPushEvents: "Tag Push Hook", PipelineEvents: "Pipeline Hook", JobEvents: "Job Hook",
	DeploymentEvents: "Deployment Hook", ReleaseEvents: "Release Hook", MergeRequestEvents: "Merge Request Hook",
}

// happening is an event as it is stored in the transaction that causes it.
type happening struct {
	Event   string            `json:"event"`
	Project int64             `json:"project"`
	ID      int64             `json:"id"` // of the pipeline, job, deployment, release or merge request
	Status  enum.Status       `json:"status,omitempty"`
	At      time.Time         `json:"at"`
	UUID    string            `json:"uuid"`
	Ref     string            `json:"ref,omitempty"`
	Push    *RefChange        `json:"push,omitempty"`
	Options []string          `json:"options,omitempty"` // of the push
	User    int64             `json:"user,omitempty"`
	Action  string            `json:"action,omitempty"`   // of a release or a merge request
	Release *models.Release   `json:"release,omitempty"`  // as the event left it
	Changes map[string]change `json:"changes,omitempty"`  // of a merge request
	OldHead string            `json:"old_head,omitempty"` // of a merge request with a new one
}

// hookCache knows which projects have webhooks for which events, so that the moves of jobs need not ask.
type hookCache struct {
	mu    sync.Mutex
	known map[int64]hooksOf
}

type hooksOf struct {
	events []string
	read   time.Time
}

// hooksTime is how long a node may go on with what it knows of a project's webhooks. A node that changes them knows at once.
const hooksTime = 5 * time.Second

func (h *hookCache) forget(project int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.known, project)
}

// wanted says whether a project has a webhook for an event.
func (c *Coordinator) wanted(tx *models.Tx, project int64, event string) (bool, error) {
	now := c.db.Now()
	c.hooks.mu.Lock()
	k, ok := c.hooks.known[project]
	c.hooks.mu.Unlock()
	if !ok || now.Sub(k.read).Abs() > hooksTime {
		rows, err := tx.Webhooks(project)
		if err != nil {
			return false, err
		}
		k = hooksOf{read: now}
		for _, r := range rows {
			k.events = append(k.events, r.Events...)
		}
		c.hooks.mu.Lock()
		if c.hooks.known == nil || len(c.hooks.known) > 10_000 {
			c.hooks.known = map[int64]hooksOf{}
		}
		c.hooks.known[project] = k
		c.hooks.mu.Unlock()
	}
	return slices.Contains(k.events, event), nil
}

// happens stores an event if a webhook wants it. It is told at least once after the transaction.
func (c *Coordinator) happens(tx *models.Tx, h happening) error {
	wanted, err := c.wanted(tx, h.Project, h.Event)
	if err != nil || !wanted {
		return err
	}
	h.At, h.UUID = tx.Now(), uuid.NewString()
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tx.AfterCommit(c.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: TaskHooks, Share: tasks.ShareOf(h.Project), Payload: string(text)})
}

// runHooks writes a delivery for each webhook that an event concerns.
func (c *Coordinator) runHooks(ctx context.Context, t *models.Task) error {
	var h happening
	if err := json.Unmarshal([]byte(t.Payload), &h); err != nil {
		return fmt.Errorf("payload of an event: %w", err)
	}
	var hooks []*models.Webhook
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		hooks, err = tx.Webhooks(h.Project)
		return err
	})
	if err != nil {
		return err
	}
	hooks = slices.DeleteFunc(hooks, func(w *models.Webhook) bool { return !w.Wants(h.Event) || !onBranch(w, h) })
	if len(hooks) == 0 {
		return nil
	}
	body, err := c.payload(ctx, h)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return nil // what it is about is gone
	case err != nil && (refused(err) || t.Attempts >= maxHookAttempts):
		c.log.ErrorContext(ctx, "webhooks cannot be told of an event", "event", h.Event, "project", h.Project, "error", err)
		return nil
	case err != nil:
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		for _, w := range hooks {
			d := c.delivery(w, h, body)
			fresh, err := tx.AddDelivery(d)
			if err != nil {
				return err
			}
			if fresh {
				if err := c.soonOf(tx, TaskDeliver, fmt.Sprint("webhook ", w.ID), d.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// delivery is an event that is to be told to a webhook. Its body may hold values of variables: it is sealed.
func (c *Coordinator) delivery(w *models.Webhook, h happening, body []byte) *models.WebhookDelivery {
	d := &models.WebhookDelivery{WebhookID: w.ID, Key: h.UUID, EventUUID: h.UUID, Event: h.Event}
	d.RequestBody = c.keys.Seal(d.Place(), string(body))
	return d
}

// DeliveryBody opens what a webhook was sent.
func (c *Coordinator) DeliveryBody(d *models.WebhookDelivery) (string, error) {
	return c.keys.Open(d.Place(), d.RequestBody)
}

// onBranch asks a webhook's filter of branches, which is about pushes alone.
func onBranch(w *models.Webhook, h happening) bool {
	if h.Event != PushEvents || w.BranchFilter == "" || w.BranchFilterStrategy == "all_branches" {
		return true
	}
	if w.BranchFilterStrategy == "regex" {
		pattern, err := regexp.Compile(w.BranchFilter)
		return err == nil && pattern.MatchString(h.Ref)
	}
	return len(access.Matching([]*models.ProtectedRef{{Kind: "branch", Name: w.BranchFilter}}, h.Ref, false)) > 0
}

// HookInput is what may be set of a webhook; nil leaves it as it is.
type HookInput struct {
	URL, Name, Description, Token, BranchFilter, BranchFilterStrategy *string
	SSLVerification                                                   *bool
	Events                                                            map[string]*bool
	CustomHeaders, URLVariables                                       *map[string]string
}

const maxHooks = 100

// SaveHook makes or changes a webhook; id is 0 for a new one.
func (c *Coordinator) SaveHook(ctx context.Context, by access.Actor, p *models.Project, id int64, in HookInput) (w *models.Webhook, err error) {
	defer c.hooks.forget(p.ID)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		w = &models.Webhook{ProjectID: p.ID, Events: []string{PushEvents}, SSLVerification: true, BranchFilterStrategy: "wildcard"}
		if id != 0 {
			if w, err = tx.Webhook(id); err != nil {
				return notFound(err, "")
			}
		} else if known, err := tx.Webhooks(p.ID); err != nil || len(known) >= maxHooks {
			return errors.Join(err, fault.New(fault.Invalid, "a project can have %d webhooks", maxHooks))
		}
		if err := c.setHook(w, in); err != nil {
			return err
		}
		if err := audit(tx, by, "webhook_saved", "project", p.ID, w.Name); err != nil {
			return err
		}
		if id == 0 {
			return tx.CreateWebhook(w)
		}
		return tx.UpdateWebhook(w)
	})
	return w, err
}

func (c *Coordinator) setHook(w *models.Webhook, in HookInput) error {
	set := func(into *string, from *string) {
		if from != nil {
			*into = *from
		}
	}
	set(&w.URL, in.URL)
	set(&w.Name, in.Name)
	set(&w.Description, in.Description)
	set(&w.BranchFilter, in.BranchFilter)
	set(&w.BranchFilterStrategy, in.BranchFilterStrategy)
	if in.SSLVerification != nil {
		w.SSLVerification = *in.SSLVerification
	}
	for event, on := range in.Events {
		at := slices.Index(w.Events, event)
		switch {
		case on == nil:
		case *on && at < 0:
			w.Events = append(w.Events, event)
		case !*on && at >= 0:
			w.Events = slices.Delete(w.Events, at, at+1)
		}
	}
	if in.Token != nil {
		w.Token = secret.Sealed{}
		if *in.Token != "" {
			w.Token = c.keys.Seal(w.Place("token"), *in.Token)
		}
	}
	for what, from := range map[string]*map[string]string{"custom_headers": in.CustomHeaders, "url_variables": in.URLVariables} {
		if from == nil {
			continue
		}
		text, err := json.Marshal(*from)
		if err != nil {
			return err
		}
		if what == "custom_headers" {
			w.CustomHeaders = c.keys.Seal(w.Place(what), string(text))
		} else {
			w.URLVariables = c.keys.Seal(w.Place(what), string(text))
		}
	}
	if w.BranchFilterStrategy == "regex" {
		if _, err := regexp.Compile(w.BranchFilter); err != nil {
			return fault.New(fault.Invalid, "Invalid branch filter")
		}
	}
	vars, err := c.hookMap(w, "url_variables")
	if err != nil {
		return err
	}
	if !hookAddress(filledIn(w.URL, vars)) {
		return errHookURL
	}
	return nil
}

var errHookURL = fault.New(fault.Unprocessable, "Invalid url given")

// hookMap opens the custom headers or the url variables of a webhook.
func (c *Coordinator) hookMap(w *models.Webhook, what string) (map[string]string, error) {
	sealed := w.CustomHeaders
	if what == "url_variables" {
		sealed = w.URLVariables
	}
	out := map[string]string{}
	if sealed.Empty() {
		return out, nil
	}
	text, err := c.keys.Open(w.Place(what), sealed)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal([]byte(text), &out)
}

// HookKeys names the custom headers or url variables of a webhook, whose values nobody sees again.
func (c *Coordinator) HookKeys(w *models.Webhook, what string) ([]string, error) {
	m, err := c.hookMap(w, what)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, err
}

// SetHookKey sets or, with nil, removes one custom header or url variable.
func (c *Coordinator) SetHookKey(ctx context.Context, by access.Actor, p *models.Project, w *models.Webhook, what, key string, value *string) error {
	m, err := c.hookMap(w, what)
	if err != nil {
		return err
	}
	if _, there := m[key]; value == nil && !there {
		return fault.Missing("")
	}
	delete(m, key)
	if value != nil {
		m[key] = *value
	}
	in := HookInput{CustomHeaders: &m}
	if what == "url_variables" {
		in = HookInput{URLVariables: &m}
	}
	_, err = c.SaveHook(ctx, by, p, w.ID, in)
	return err
}

// DeleteHook removes a webhook.
func (c *Coordinator) DeleteHook(ctx context.Context, by access.Actor, w *models.Webhook) error {
	defer c.hooks.forget(w.ProjectID)
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteWebhook(w.ID); err != nil {
			return err
		}
		return audit(tx, by, "webhook_deleted", "project", w.ProjectID, w.Name)
	})
}
