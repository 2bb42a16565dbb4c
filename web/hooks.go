package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/models"
)

// hookEvent is an event as forms offer it.
type hookEvent struct{ Field, Text string }

var hookEvents = []hookEvent{
	{ci.PushEvents, "Pushes"},
	{ci.TagPushEvents, "Tags"},
	{ci.PipelineEvents, "Pipelines"},
	{ci.JobEvents, "Jobs"},
	{ci.DeploymentEvents, "Deployments"},
	{ci.ReleaseEvents, "Releases"},
	{ci.MergeRequestEvents, "Merge requests"},
}

func eventText(field string) string {
	for _, e := range hookEvents {
		if e.Field == field {
			return e.Text
		}
	}
	return field
}

// hookRow is a webhook as its list shows it: without what stands in its address as a password.
type hookRow struct {
	*models.Webhook
	Address string
	Told    []string // of what
	Alert   string
	Until   *time.Time
}

func (s *Server) hookRow(w *models.Webhook) hookRow {
	row := hookRow{Webhook: w, Address: ci.HiddenURL(w.URL)}
	for _, e := range hookEvents {
		if w.Wants(e.Field) {
			row.Told = append(row.Told, e.Text)
		}
	}
	row.Alert, row.Until = ci.HookAlert(w, s.ci.DB().Now())
	return row
}

func hooksAt(c *inside) string { return "/" + c.project.FullPath + "/-/hooks" }

func hookAt(c *inside, w *models.Webhook) string {
	return fmt.Sprintf("%s/%d/edit", hooksAt(c), w.ID)
}

func (s *Server) hooksPage(r *request, c *inside) error {
	var found []*models.Webhook
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		found, err = tx.Webhooks(c.project.ID)
		return err
	})
	if err != nil {
		return err
	}
	rows := make([]hookRow, len(found))
	for i, w := range found {
		rows[i] = s.hookRow(w)
	}
	fresh := &models.Webhook{Events: []string{ci.PushEvents}, SSLVerification: true, BranchFilterStrategy: "all_branches"}
	return s.show(r, c, "hooks", data{"Title": "Webhooks", "Rows": rows, "Hook": fresh, "Events": hookEvents, "At": hooksAt(c)})
}

// hookOf finds the webhook of the address.
func (s *Server) hookOf(r *request, c *inside) (w *models.Webhook, err error) {
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if w, err = tx.Webhook(c.number(0)); err == nil && w.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return w, err
}

// deliveryRow is a delivery with how it went in words.
type deliveryRow struct {
	*models.WebhookDelivery
	Event  string
	Status string // the status whose looks it has
	Answer string
	Took   string
}

func deliveryOf(d *models.WebhookDelivery) deliveryRow {
	row := deliveryRow{WebhookDelivery: d, Event: eventText(d.Event), Status: "failed", Answer: d.ResponseStatus}
	code, err := strconv.Atoi(d.ResponseStatus)
	switch {
	case err == nil && code < 400 && d.Error == "":
		row.Status = "success"
	case d.Attempts == 0 && d.Error == "":
		row.Status = "pending"
	}
	if d.Error != "" {
		row.Answer = d.Error
	}
	if d.Attempts > 0 {
		row.Took = fmt.Sprintf("%.0f ms", max(1, d.Duration*1000))
	}
	return row
}

func (s *Server) hookPage(r *request, c *inside) error {
	w, err := s.hookOf(r, c)
	if err != nil {
		return err
	}
	p := paging(r)
	d := data{"Title": "Webhook", "Hook": w, "Row": s.hookRow(w), "Events": hookEvents, "At": fmt.Sprintf("%s/%d", hooksAt(c), w.ID)}
	for name, what := range map[string]string{"Headers": "custom_headers", "Places": "url_variables"} {
		if d[name], err = s.ci.HookKeys(w, what); err != nil {
			return err
		}
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, _, err := tx.Deliveries(w.ID, p)
		rows := make([]deliveryRow, len(found))
		for i, one := range found {
			rows[i] = deliveryOf(one)
		}
		d["Rows"], d["Pager"] = rows, pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "hook", d)
}

func hookForm(r *request) ci.HookInput {
	text := func(name string) *string {
		v := strings.TrimSpace(r.PostFormValue(name))
		return &v
	}
	on := func(name string) *bool {
		v := r.PostFormValue(name) != ""
		return &v
	}
	in := ci.HookInput{
		URL: text("url"), Name: text("name"), Description: text("description"), SSLVerification: on("enable_ssl_verification"),
		BranchFilter: text("push_events_branch_filter"), BranchFilterStrategy: text("branch_filter_strategy"), Events: map[string]*bool{},
	}
	for _, e := range hookEvents {
		in.Events[e.Field] = on(e.Field)
	}
	none := ""
	switch token := r.PostFormValue("token"); {
	case token != "":
		in.Token = &token
	case r.PostFormValue("no_token") != "":
		in.Token = &none
	}
	return in
}

func (s *Server) saveHook(r *request, c *inside) error {
	id := int64(0)
	if len(c.args) > 0 {
		w, err := s.hookOf(r, c)
		if err != nil {
			return err
		}
		id = w.ID
	}
	in := hookForm(r)
	switch *in.BranchFilterStrategy {
	case "all_branches", "wildcard", "regex":
	default:
		return fault.New(fault.Invalid, "Choose which branches the webhook is told of.")
	}
	w, err := s.ci.SaveHook(r.Context(), r.actor, c.project, id, in)
	if err != nil {
		return err
	}
	s.say(r, "The webhook was saved. Press “Test” to try it.")
	return s.to(r, hookAt(c, w))
}

// told leads to the delivery that was just made by hand, whether it arrived or not.
func (s *Server) told(r *request, c *inside, d *models.WebhookDelivery, err error) error {
	switch {
	case err == nil:
		s.say(r, "It arrived: the address answered "+d.ResponseStatus+".")
	case d != nil && d.Attempts > 0 && fault.KindOf(err) == fault.Unprocessable:
		s.sessions.Put(r.Context(), "error", "It did not arrive: "+deliveryOf(d).Answer+".")
	default:
		return err
	}
	return s.to(r, fmt.Sprintf("%s/%d/hook_logs/%d", hooksAt(c), d.WebhookID, d.ID))
}

func (s *Server) hookAction(r *request, c *inside) error {
	w, err := s.hookOf(r, c)
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "test":
		d, err := s.ci.TestHook(r.Context(), w, r.PostFormValue("trigger"), r.actor.User)
		return s.told(r, c, d, err)
	case "remove":
		if err := s.ci.DeleteHook(r.Context(), r.actor, w); err != nil {
			return err
		}
		s.say(r, "The webhook was removed.")
		return s.to(r, hooksAt(c))
	case "keys":
		err = s.setHookKey(r, c, w)
	default:
		return notFound(r)
	}
	if err != nil {
		return err
	}
	return s.to(r, hookAt(c, w))
}

var hookKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// setHookKey sets or removes a header or a part of the address that is kept secret.
func (s *Server) setHookKey(r *request, c *inside, w *models.Webhook) error {
	what, key, value := r.PostFormValue("what"), r.PostFormValue("key"), r.PostFormValue("value")
	if what != "custom_headers" && what != "url_variables" {
		return notFound(r)
	}
	if r.PostFormValue("action") == "remove" {
		s.say(r, key+" was removed.")
		return s.ci.SetHookKey(r.Context(), r.actor, c.project, w, what, key, nil)
	}
	if !hookKey.MatchString(key) || value == "" || strings.ContainsAny(value, "\r\n") {
		return fault.New(fault.Invalid, "A name begins with a letter and has letters, digits and . _ - alone; its value stands on one line.")
	}
	if err := s.ci.SetHookKey(r.Context(), r.actor, c.project, w, what, key, &value); err != nil {
		return err
	}
	s.say(r, key+" was set.")
	return nil
}

// maxShownBody is how much of a body the page of a delivery shows.
const maxShownBody = 64 << 10

func shownBody(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") == nil {
		text = b.String()
	}
	if len(text) > maxShownBody {
		text = strings.ToValidUTF8(text[:maxShownBody], "") + "\n…"
	}
	return text
}

func (s *Server) deliveryPage(r *request, c *inside) error {
	w, err := s.hookOf(r, c)
	if err != nil {
		return err
	}
	var d *models.WebhookDelivery
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if d, err = tx.Delivery(c.number(1)); err == nil && d.WebhookID != w.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	body, err := s.ci.DeliveryBody(d)
	if err != nil {
		return err
	}
	return s.show(r, c, "delivery", data{
		"Title": "Delivery", "Row": deliveryOf(d), "Hook": w, "At": fmt.Sprintf("%s/%d", hooksAt(c), w.ID), "Sent": shownBody(body), "Answer": shownBody(d.ResponseBody),
	})
}

func (s *Server) resendDelivery(r *request, c *inside) error {
	w, err := s.hookOf(r, c)
	if err != nil {
		return err
	}
	d, err := s.ci.ResendHook(r.Context(), w, c.number(1))
	return s.told(r, c, d, err)
}
