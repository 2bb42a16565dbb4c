package chats

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

type discordModal struct {
	CustomID   string `json:"custom_id"`
	Title      string `json:"title"`
	Components []struct {
		Type        int          `json:"type"`
		Label       string       `json:"label"`
		Description string       `json:"description"`
		Component   discordInput `json:"component"`
	} `json:"components"`
}

type discordInput struct {
	Type        int    `json:"type"`
	CustomID    string `json:"custom_id"`
	Style       int    `json:"style"`
	Value       string `json:"value"`
	Placeholder string `json:"placeholder"`
	Required    *bool  `json:"required"` // true if it is not named
	MinLength   int    `json:"min_length"`
	MaxLength   int    `json:"max_length"`
	MinValues   *int   `json:"min_values"`
	Options     []struct {
		Label       string `json:"label"`
		Value       string `json:"value"`
		Description string `json:"description"`
		Default     bool   `json:"default"`
	} `json:"options"`
}

// form checks a modal; problem says what Discord would not take.
func (d discordModal) form() (f *Form, problem string) {
	switch {
	case d.Title == "" || units(d.Title) > 45:
		return nil, "title: Must be between 1 and 45 in length."
	case d.CustomID == "" || units(d.CustomID) > 100:
		return nil, fmt.Sprintf("custom_id: Must be between 1 and 100 in length, not %d.", units(d.CustomID))
	case len(d.Components) == 0 || len(d.Components) > 5:
		return nil, "components: Must be between 1 and 5 in length."
	}
	f = &Form{Title: d.Title, Submit: "Submit", state: d.CustomID}
	for _, c := range d.Components {
		if c.Type != 18 || c.Label == "" || units(c.Label) > 45 || units(c.Description) > 100 {
			return nil, "components: Invalid label " + c.Label
		}
		e := c.Component
		if _, twice := f.Field(e.CustomID); twice || e.CustomID == "" || units(e.CustomID) > 100 || units(e.Placeholder) > 150 {
			return nil, "components: Invalid custom_id " + e.CustomID
		}
		field := FormField{Name: e.CustomID, Label: c.Label, Hint: c.Description, Value: e.Value, Required: e.Required == nil || *e.Required, Lines: e.Style == 2}
		switch e.Type {
		case 4:
			if e.Style != 1 && e.Style != 2 || units(e.Value) > 4000 || e.MaxLength < 0 || e.MaxLength > 4000 || units(e.Placeholder) > 100 || len(e.Options) > 0 {
				return nil, "components: Invalid text input " + e.CustomID
			}
		case 3:
			if len(e.Options) == 0 || len(e.Options) > 25 || e.Value != "" || e.Style != 0 || e.MaxLength != 0 {
				return nil, "components: Invalid select " + e.CustomID
			}
			if field.Required == (e.MinValues != nil && *e.MinValues == 0) {
				return nil, "components: min_values and required of " + e.CustomID
			}
			for _, o := range e.Options {
				if o.Label == "" || units(o.Label) > 100 || o.Value == "" || units(o.Value) > 100 || units(o.Description) > 100 || o.Default && field.Value != "" {
					return nil, "components: Invalid option " + o.Value
				}
				field.Options = append(field.Options, o.Value)
				if o.Default {
					field.Value = o.Value
				}
			}
		default:
			return nil, "components: Invalid type"
		}
		f.Fields = append(f.Fields, field)
	}
	return f, ""
}

// opened shows a modal that an interaction was answered with.
func (d *Discord) opened(raw json.RawMessage, c Command) {
	var in discordModal
	if err := strict(raw, &in); err != nil {
		d.Complain("a modal: %v: %s", err, raw)
		return
	}
	f, problem := in.form()
	if problem != "" {
		d.Complain("a modal: %s: %s", problem, raw)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f.User, f.Channel = c.User, c.Channel
	d.forms = append(d.forms, f)
}

// Submit fills in the modal of a user and sends it. A modal is closed by whatever answer; errors are messages.
func (d *Discord) Submit(user string, values map[string]string) Receipt {
	d.t.Helper()
	f := d.fill(user, values)
	var components []any
	for i, x := range f.Fields {
		field := map[string]any{"type": 4, "id": 2*i + 2, "custom_id": x.Name, "value": x.Value}
		if x.Options != nil {
			chosen := []string{}
			if x.Value != "" {
				chosen = []string{x.Value}
			}
			field = map[string]any{"type": 3, "id": 2*i + 2, "custom_id": x.Name, "values": chosen}
		}
		components = append(components, map[string]any{"type": 18, "id": 2*i + 1, "component": field})
	}
	id := strconv.Itoa(int(time.Now().UnixNano()))
	token, body := d.interaction(5, id, f.Channel, user, map[string]any{"custom_id": f.state, "components": components}, nil)
	f.sent = func() Receipt {
		out := d.post(body, Command{})
		d.answerTo(token, Command{Channel: f.Channel, User: user, Text: "(" + f.Title + ")"}, &out)
		return out
	}
	out := f.sent()
	d.wrongIn(f, "", nil)
	return out
}
