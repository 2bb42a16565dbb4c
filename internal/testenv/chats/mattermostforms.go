package chats

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

type mmDialog struct {
	Callback string      `json:"callback_id"`
	Title    string      `json:"title"`
	Intro    string      `json:"introduction_text"`
	Icon     string      `json:"icon_url"`
	Elements []mmElement `json:"elements"`
	Submit   string      `json:"submit_label"`
	Notify   bool        `json:"notify_on_cancel"`
	State    string      `json:"state"`
}

type mmElement struct {
	Label       string `json:"display_name"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	SubType     string `json:"subtype"`
	Default     string `json:"default"`
	Placeholder string `json:"placeholder"`
	Help        string `json:"help_text"`
	Optional    bool   `json:"optional"`
	Min         int    `json:"min_length"`
	Max         int    `json:"max_length"`
	Options     []struct {
		Text  string `json:"text"`
		Value string `json:"value"`
	} `json:"options"`
}

// openDialog opens a dialog for whoever pressed or commanded; the trigger alone proves who may.
func (s *Mattermost) openDialog(_ *http.Request, body []byte) (int, any) {
	var in struct {
		Trigger string   `json:"trigger_id"`
		URL     string   `json:"url"`
		Dialog  mmDialog `json:"dialog"`
	}
	if err := strict(body, &in); err != nil {
		s.complain("a dialog: %v: %s", err, body)
		return mmError(400, "api.context.invalid_body_param.app_error")
	}
	f, problem := in.Dialog.form()
	if u, err := url.Parse(in.URL); err != nil || u.Host == "" {
		problem = "empty URL"
	}
	if problem != "" {
		s.complain("a dialog: %s: %s", problem, body)
		return mmError(400, "app.open_interactive_dialog.invalid_dialog: "+problem)
	}
	t, problem := s.pull(in.Trigger)
	if problem != "" {
		return mmError(400, "interactive_message.decode_trigger_id."+problem)
	}
	f.User, f.Channel, f.address = t.user, t.channel, in.URL
	s.forms = append(s.forms, f)
	return 200, map[string]any{"status": "OK"}
}

// form checks a dialog, whose bounds are in bytes; problem says what Mattermost would not take.
func (d mmDialog) form() (f *Form, problem string) {
	if d.Title == "" || len(d.Title) > 24 {
		return nil, fmt.Sprintf("invalid dialog title %q", d.Title)
	}
	f = &Form{Title: d.Title, Text: d.Intro, Submit: d.Submit, state: d.State, callback: d.Callback}
	for _, e := range d.Elements {
		field := FormField{Name: e.Name, Label: e.Label, Hint: e.Help, Value: e.Default, Required: !e.Optional, Lines: e.Type == "textarea"}
		most := map[string]int{"text": 150, "textarea": 3000, "select": 3000, "bool": 150}[e.Type]
		if _, twice := f.Field(e.Name); twice || e.Name == "" || len(e.Name) > 300 || e.Label == "" || len(e.Label) > 24 || len(e.Help) > 150 {
			return nil, fmt.Sprintf("%q field is not valid", e.Name)
		}
		if most == 0 || len(e.Default) > most || len(e.Placeholder) > most || e.Min < 0 || e.Min > e.Max || e.Max > most {
			return nil, fmt.Sprintf("%q field has invalid lengths", e.Name)
		}
		if e.Type == "bool" && !slices.Contains([]string{"", "true", "false"}, e.Default) {
			return nil, "invalid default of bool"
		}
		for _, o := range e.Options {
			field.Options = append(field.Options, o.Value)
		}
		if e.Type == "select" && (len(e.Options) == 0 || e.Default != "" && !slices.Contains(field.Options, e.Default)) {
			return nil, fmt.Sprintf("default value %q doesn't exist in options", e.Default)
		}
		f.Fields = append(f.Fields, field)
	}
	return f, ""
}

// Submit fills in the dialog of a user and sends it. The server names the user, and what is sent is signed by nothing.
func (s *Mattermost) Submit(user string, values map[string]string) Receipt {
	s.t.Helper()
	f := s.fill(user, values)
	sent := map[string]any{}
	for _, x := range f.Fields {
		sent[x.Name] = x.Value
		if x.Value == "" {
			sent[x.Name] = nil
		}
	}
	body, _ := json.Marshal(map[string]any{
		"type": "dialog_submission", "url": f.address, "callback_id": f.callback, "state": f.state, "user_id": user, "channel_id": f.Channel, "team_id": "T1",
		"submission": sent, "cancelled": false,
	})
	f.sent = func() Receipt {
		return s.send(s.request("POST", f.address, "application/json", string(body)), Command{})
	}
	out := f.sent()
	var answer struct {
		Error  string            `json:"error"`
		Errors map[string]string `json:"errors"`
	}
	if out.Status != 200 {
		s.wrongIn(f, fmt.Sprintf("the integration answers %d", out.Status), nil)
		return out
	}
	if err := strict([]byte(out.Body), &answer); err != nil {
		s.Complain("the answer to a form: %v: %s", err, out.Body)
	}
	s.wrongIn(f, answer.Error, answer.Errors)
	return out
}
