package chatops

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/config"
)

// Form asks a person for the arguments of a job.
type Form struct {
	Title   string // the job
	Text    string // what it does
	Fields  []FormField
	State   string // comes back with what was filled in; a seal that only we can make
	Address string // where that goes, for chats that ask for it
}

// FormField is one thing that a form asks for.
type FormField struct {
	Name     string
	Label    string
	Hint     string
	Kind     FieldKind
	Options  []string // of a Choice
	Value    string   // filled in already
	Required bool
}

// FieldKind is how a field is filled in.
type FieldKind int

// The kinds of fields.
const (
	Line   FieldKind = iota // a line of text
	Lines                   // text of several lines
	Choice                  // one of the options
)

// otherArguments is the field for what has none of its own, as it would be typed.
const otherArguments = ".arguments"

// Bounds that all chats keep.
const (
	maxFieldName = 80
	maxOption    = 75 // characters
	maxOptions   = 25
	maxLabel     = 75 // bytes of a button's
)

// formFields are the fields for a job's inputs, at most so many, filled in with what was given last. A job without inputs has
// one field for its arguments.
func formFields(specs []config.InputSpec, last string, most int) []FormField {
	if len(specs) == 0 {
		return []FormField{{Name: otherArguments, Label: "Arguments", Hint: "What the job gets as CHAT_INPUT.", Kind: Lines, Value: last}}
	}
	given, _ := assign(specs, last) // what is clear of it
	order := slices.Clone(specs)
	if len(specs) > most {
		slices.SortStableFunc(order, func(a, b config.InputSpec) int { return rank(b, given) - rank(a, given) })
	}
	var fields []FormField
	var more, filled []string
	for i, s := range order {
		if len(s.Name) > maxFieldName || len(specs) > most && i >= most-1 {
			more = append(more, s.Name)
			if text, ok := given[s.Name]; ok {
				filled = append(filled, s.Name+"="+quote(text))
			}
			continue
		}
		fields = append(fields, formField(s, given))
	}
	if len(more) > 0 {
		fields = append(fields, FormField{
			Name: otherArguments, Label: "Other arguments", Kind: Lines, Value: strings.Join(filled, " "),
			Hint: "As name=value: " + strings.Join(more, ", "),
		})
	}
	return fields
}

// rank is how much an input wants a field of its own.
func rank(s config.InputSpec, given map[string]string) int {
	if s.Required {
		return 2
	}
	if _, ok := given[s.Name]; ok {
		return 1
	}
	return 0
}

func formField(s config.InputSpec, given map[string]string) FormField {
	f := FormField{Name: s.Name, Label: s.Name, Required: s.Required, Value: shownDefault(s)}
	hints := []string{strings.TrimSpace(s.Description)}
	if f.Options = choices(s); f.Options != nil {
		f.Kind = Choice
	} else {
		switch {
		case s.Kind == "number":
			hints = append(hints, "A number.")
		case s.Kind == "array":
			hints = append(hints, "Several, with commas between.")
		case strings.Contains(f.Value+given[s.Name], "\n"):
			f.Kind = Lines
		}
		if len(s.Options) > 0 {
			hints = append(hints, "One of "+strings.Join(s.Options, ", ")+".")
		}
		if s.Regex != "" {
			hints = append(hints, "Must match "+s.Regex+".")
		}
	}
	if text, ok := given[s.Name]; ok {
		f.Value = text
		if v, err := typedValue(s, text); err == nil && s.Kind == "boolean" {
			f.Value = fmt.Sprint(v)
		}
	}
	if f.Kind == Choice && !slices.Contains(f.Options, f.Value) {
		f.Value = ""
	}
	if len(hints) > 1 && hints[0] != "" && !strings.ContainsAny(hints[0][len(hints[0])-1:], ".!?") {
		hints[0] += "."
	}
	f.Hint = strings.TrimSpace(strings.Join(hints, " "))
	return f
}

// choices are what can be chosen from; nil if a person writes the value.
func choices(s config.InputSpec) []string {
	if s.Kind == "boolean" {
		return []string{"true", "false"}
	}
	bad := func(o string) bool { return o == "" || len(o) > maxOption }
	if s.Kind == "array" || len(s.Options) == 0 || len(s.Options) > maxOptions || slices.ContainsFunc(s.Options, bad) {
		return nil
	}
	return s.Options
}

// shownDefault is a default as a person would write it.
func shownDefault(s config.InputSpec) string {
	var items []string
	if s.Kind != "array" || json.Unmarshal([]byte(s.Default), &items) != nil || strings.Contains(strings.Join(items, ""), ",") {
		return s.Default
	}
	return strings.Join(items, ",")
}

// filledIn writes what a form was filled in with as it would be typed. A text that was emptied is given as empty; of everything
// else that is empty the default counts.
func filledIn(specs []config.InputSpec, values map[string]string) string {
	var words []string
	for _, s := range specs {
		value, asked := values[s.Name]
		switch {
		case !asked || value == "" && (s.Kind != "string" || s.Default == "" || choices(s) != nil):
		case value == "":
			words = append(words, s.Name+`=""`)
		default:
			words = append(words, s.Name+"="+quote(value))
		}
	}
	if other := values[otherArguments]; strings.TrimSpace(other) != "" {
		words = append(words, other)
	}
	return strings.Join(words, " ")
}

// FieldOf is the field of a form that was filled in wrongly: that of the input, or the one where it may stand.
func (e *InputsError) FieldOf(values map[string]string) string {
	if _, ok := values[e.Input]; ok {
		return e.Input
	}
	if _, ok := values[otherArguments]; ok {
		return otherArguments
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
