package discord

import "signalbox/chatops"

// Discord's bounds of modals, in UTF-16 units.
const (
	modalFields = 5
	titleUnits  = 45
	labelUnits  = 45
	hintUnits   = 100
	inputUnits  = 4000
)

// Kinds of components of a modal.
const (
	stringSelect = 3
	textInput    = 4
	labelled     = 18
)

// modalBody is a form as Discord shows it.
type modalBody struct {
	CustomID   string  `json:"custom_id"`
	Title      string  `json:"title"`
	Components []label `json:"components"`
}

type label struct {
	Type        int    `json:"type"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
	Component   input  `json:"component"`
}

type input struct {
	Type      int            `json:"type"`
	CustomID  string         `json:"custom_id"`
	Style     int            `json:"style,omitempty"` // 1: a line, 2: several
	Value     string         `json:"value,omitempty"`
	Required  bool           `json:"required"`
	MaxLength int            `json:"max_length,omitempty"`
	MinValues *int           `json:"min_values,omitempty"`
	Options   []selectOption `json:"options,omitempty"`
}

type selectOption struct {
	Label   string `json:"label"`
	Value   string `json:"value"`
	Default bool   `json:"default,omitempty"`
}

func modalOf(f chatops.Form) modalBody {
	m := modalBody{CustomID: f.State, Title: cut("run "+f.Title, titleUnits)}
	for _, field := range f.Fields {
		m.Components = append(m.Components, label{labelled, cut(field.Label, labelUnits), cut(field.Hint, hintUnits), inputOf(field)})
	}
	return m
}

func inputOf(f chatops.FormField) input {
	in := input{CustomID: f.Name, Required: f.Required}
	if f.Kind == chatops.Choice {
		in.Type = stringSelect
		if !f.Required {
			in.MinValues = new(int)
		}
		for _, o := range f.Options {
			in.Options = append(in.Options, selectOption{o, o, o == f.Value})
		}
		return in
	}
	in.Type, in.Style, in.MaxLength = textInput, 1, inputUnits
	if f.Kind == chatops.Lines {
		in.Style = 2
	}
	if units(f.Value) <= inputUnits { // half of it would be another value
		in.Value = f.Value
	}
	return in
}

// cut is a text of at most so many units, which shows that it was longer.
func cut(s string, limit int) string {
	if units(s) <= limit {
		return s
	}
	runes := []rune(s)
	for units(string(runes)) > limit-1 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// filled is a component of a modal that was filled in: a label around a field, or the row that it was before there were labels.
type filled struct {
	CustomID   string   `json:"custom_id"`
	Value      string   `json:"value"`
	Values     []string `json:"values"`
	Component  *filled  `json:"component"`
	Components []filled `json:"components"`
}

func values(list []filled) map[string]string {
	out := map[string]string{}
	for _, f := range list {
		if f.Component != nil {
			f.Components = append(f.Components, *f.Component)
		}
		for name, v := range values(f.Components) {
			out[name] = v
		}
		if f.CustomID == "" {
			continue
		}
		out[f.CustomID] = f.Value
		if len(f.Values) > 0 {
			out[f.CustomID] = f.Values[0]
		}
	}
	return out
}
