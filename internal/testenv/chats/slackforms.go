package chats

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

type slackOption struct {
	Text  slackText `json:"text"`
	Value string    `json:"value"`
}

type slackInput struct {
	Type        string        `json:"type"`
	Action      string        `json:"action_id"`
	Multiline   bool          `json:"multiline"`
	Initial     string        `json:"initial_value"`
	Min         int           `json:"min_length"`
	Max         int           `json:"max_length"`
	Placeholder *slackText    `json:"placeholder"`
	Options     []slackOption `json:"options"`
	Chosen      *slackOption  `json:"initial_option"`
}

type slackView struct {
	Type     string     `json:"type"`
	Callback string     `json:"callback_id"`
	Title    slackText  `json:"title"`
	Submit   *slackText `json:"submit"`
	Close    *slackText `json:"close"`
	Metadata string     `json:"private_metadata"`
	Blocks   []struct {
		Type     string      `json:"type"`
		ID       string      `json:"block_id"`
		Text     *slackText  `json:"text"`
		Label    *slackText  `json:"label"`
		Hint     *slackText  `json:"hint"`
		Optional bool        `json:"optional"`
		Element  *slackInput `json:"element"`
	} `json:"blocks"`
}

// openView opens a modal for whoever pressed or commanded.
func (s *Slack) openView(r *http.Request, body []byte) (int, any) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.complain("views.open as %s", r.Header.Get("Content-Type"))
		return refuse("invalid_post_type")
	}
	var in struct {
		Trigger string    `json:"trigger_id"`
		View    slackView `json:"view"`
	}
	if err := strict(body, &in); err != nil {
		s.complain("views.open: %v: %s", err, body)
		return refuse("invalid_arguments")
	}
	f, problem := in.View.form()
	if problem != "" {
		s.complain("views.open: %s: %s", problem, body)
		return 200, map[string]any{"ok": false, "error": "invalid_arguments", "response_metadata": map[string]any{"messages": []string{problem}}}
	}
	t, problem := s.pull(in.Trigger)
	if problem != "" {
		return refuse(map[string]string{"unknown": "invalid_trigger_id", "exchanged": "exchanged_trigger_id", "expired": "expired_trigger_id"}[problem])
	}
	f.User, f.Channel = t.user, t.channel
	s.forms = append(s.forms, f)
	return 200, map[string]any{"ok": true, "view": map[string]any{"id": "V" + strconv.Itoa(s.next())}}
}

func plainly(t *slackText, most int) bool {
	return t != nil && t.Type == "plain_text" && good(*t, most)
}

// form checks a view; problem says what Slack would not take.
func (v slackView) form() (f *Form, problem string) {
	switch {
	case v.Type != "modal" || !plainly(&v.Title, 24):
		return nil, "title"
	case len(v.Blocks) == 0 || len(v.Blocks) > 100:
		return nil, "blocks"
	case !plainly(v.Submit, 24) || v.Close != nil && !plainly(v.Close, 24):
		return nil, "submit"
	case len(v.Metadata) > 3000 || len(v.Callback) > 255:
		return nil, "private_metadata"
	}
	f = &Form{Title: v.Title.Text, Submit: v.Submit.Text, state: v.Metadata, callback: v.Callback}
	seen := map[string]bool{}
	for _, b := range v.Blocks {
		switch {
		case b.Type == "section" && b.Text != nil && good(*b.Text, 3000) && b.Element == nil:
			f.Text = b.Text.Text
			continue
		case b.Type != "input" || b.Element == nil:
			return nil, "block " + b.Type
		case b.ID == "" || len(b.ID) > 255 || seen[b.ID]:
			return nil, "block_id " + b.ID
		case !plainly(b.Label, 2000) || b.Hint != nil && !plainly(b.Hint, 2000):
			return nil, "label of " + b.ID
		}
		seen[b.ID] = true
		field := FormField{Name: b.ID, Label: b.Label.Text, Required: !b.Optional}
		if b.Hint != nil {
			field.Hint = b.Hint.Text
		}
		if problem := b.Element.into(&field); problem != "" {
			return nil, problem + " of " + b.ID
		}
		f.Fields = append(f.Fields, field)
	}
	return f, ""
}

func (e slackInput) into(f *FormField) (problem string) {
	if e.Action == "" || len(e.Action) > 255 || e.Placeholder != nil && !plainly(e.Placeholder, 150) {
		return "action_id or placeholder"
	}
	f.Value, f.Lines = e.Initial, e.Multiline
	switch e.Type {
	case "plain_text_input":
		if e.Max < 0 || e.Max > 3000 || e.Min > e.Max || utf8.RuneCountInString(e.Initial) > 3000 || len(e.Options) > 0 {
			return "length"
		}
		return ""
	case "static_select":
	default:
		return "element " + e.Type
	}
	if len(e.Options) == 0 || len(e.Options) > 100 || e.Initial != "" || e.Multiline {
		return "options"
	}
	for _, o := range e.Options {
		if !plainly(&o.Text, 75) || o.Value == "" || utf8.RuneCountInString(o.Value) > 75 {
			return "option " + o.Value
		}
		f.Options = append(f.Options, o.Value)
		if e.Chosen != nil && *e.Chosen == o {
			f.Value = o.Value
		}
	}
	if e.Chosen != nil && f.Value == "" {
		return "initial_option"
	}
	return ""
}

// Submit fills in the modal of a user and sends it.
func (s *Slack) Submit(user string, values map[string]string) Receipt {
	s.t.Helper()
	f := s.fill(user, values)
	state := map[string]any{}
	for _, x := range f.Fields {
		var value any
		if x.Value != "" {
			value = x.Value
		}
		element := map[string]any{"type": "plain_text_input", "value": value}
		if x.Options != nil {
			element = map[string]any{"type": "static_select", "selected_option": nil}
			if x.Value != "" {
				element["selected_option"] = slackOption{slackText{Type: "plain_text", Text: x.Value}, x.Value}
			}
		}
		state[x.Name] = map[string]any{"value": element}
	}
	payload, _ := json.Marshal(map[string]any{
		"type": "view_submission", "team": map[string]any{"id": s.Team, "domain": "team"}, "user": map[string]any{"id": user, "username": "name-" + user, "name": "name-" + user, "team_id": s.Team},
		"api_app_id": "A1", "trigger_id": s.press(), "response_urls": []any{},
		"view": map[string]any{"id": "V1", "type": "modal", "callback_id": f.callback, "private_metadata": f.state, "hash": "1.a", "state": map[string]any{"values": state}},
	})
	body := url.Values{"payload": {string(payload)}}.Encode()
	f.sent = func() Receipt {
		r := s.request("POST", cmp.Or(s.Presses, s.Target+"/interactions"), "application/x-www-form-urlencoded", body)
		s.sign(r, body, time.Time{})
		return s.send(r, Command{})
	}
	out := f.sent()
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
	}
	if out.Status != 200 {
		s.wrongIn(f, fmt.Sprintf("We had some trouble connecting (%d)", out.Status), nil)
		return out
	}
	if out.Body != "" {
		if err := strict([]byte(out.Body), &answer); err != nil || answer.Action != "errors" || len(answer.Errors) == 0 {
			s.Complain("the answer to a form: %v: %s", err, out.Body)
		}
	}
	s.wrongIn(f, "", answer.Errors)
	return out
}
