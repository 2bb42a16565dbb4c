package chatops

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/ci/config"
)

var nameLike = regexp.MustCompile(`\A[A-Za-z_][\w-]*\z`)

// Fill gives the inputs that arguments name: key=value, --key=value, --key value, --flag, and words without a name where only
// one input can be meant; behind -- all words are without a name. Values get the types of the specifications. Refusals name
// what is accepted.
func Fill(specs []config.InputSpec, arguments string) (map[string]any, error) {
	given, err := assign(specs, arguments)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, s := range specs {
		text, ok := given[s.Name]
		if !ok {
			continue
		}
		if out[s.Name], err = typedValue(s, text); err != nil {
			return nil, wrongInput(specs, s.Name, "%s", err.Error())
		}
	}
	var wrong *config.InputError
	if err := config.CheckInputs(specs, out); errors.As(err, &wrong) {
		return nil, wrongInput(specs, wrong.Input, "%s", wrong.Text)
	} else if err != nil {
		return nil, err
	}
	return out, nil
}

// assign tells which input each of the arguments is for. With an error it gives those that are clear nonetheless.
func assign(specs []config.InputSpec, arguments string) (given map[string]string, err error) {
	given = map[string]string{}
	words, err := Words(Unmangle(arguments))
	if err != nil {
		return given, err
	}
	known := map[string]config.InputSpec{}
	for _, s := range specs {
		known[s.Name] = s
	}
	wrong := func(name, format string, args ...any) {
		if err == nil {
			err = wrongInput(specs, name, format, args...)
		}
	}
	var bare []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			bare = append(bare, words[i+1:]...)
			break
		}
		name, value, isNamed := named(known, w)
		if n, dashed := strings.CutPrefix(w, "--"); !isNamed && dashed {
			name, isNamed = n, true
			switch s := known[name]; {
			case s.Kind == "boolean" && (i+1 == len(words) || !truth(words[i+1])):
				value = "true"
			case i+1 < len(words):
				i++
				value = words[i]
			default:
				wrong(name, "`--%s` has no value", name)
				continue
			}
		}
		switch _, ok := known[name]; {
		case !isNamed:
			bare = append(bare, w)
		case !ok:
			wrong("", "there is no input `%s`", name)
		default:
			if _, twice := given[name]; twice {
				wrong(name, "`%s` is given twice", name)
				continue
			}
			given[name] = value
		}
	}
	for _, w := range bare {
		name := meant(specs, given, w)
		if name == "" {
			wrong("", "it is not clear which input `%s` is for", w)
			continue
		}
		given[name] = w
	}
	return given, err
}

// named splits name=value; what stands before the = is an input's name, or looks like one.
func named(known map[string]config.InputSpec, word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	if !ok {
		return "", "", false
	}
	if _, is := known[name]; is {
		return name, value, true
	}
	name = strings.TrimPrefix(name, "--")
	_, is := known[name]
	return name, value, is || nameLike.MatchString(name)
}

// meant is the one input that a word without a name can be for: the one that has it among its options, or the only one left.
func meant(list []config.InputSpec, given map[string]string, word string) string {
	var options, left []string
	for _, s := range list {
		if _, ok := given[s.Name]; ok || s.Kind == "boolean" {
			continue
		}
		if slices.Contains(s.Options, word) {
			options = append(options, s.Name)
		}
		left = append(left, s.Name)
	}
	switch {
	case len(options) == 1:
		return options[0]
	case len(options) == 0 && len(left) == 1:
		return left[0]
	}
	return ""
}

func truth(s string) bool { return s == "true" || s == "false" }

func typedValue(s config.InputSpec, text string) (any, error) {
	switch s.Kind {
	case "number":
		if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
			return nil, fmt.Errorf("`%s` must be a number, not `%s`", s.Name, text)
		}
		return json.Number(text), nil
	case "boolean":
		switch strings.ToLower(text) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off":
			return false, nil
		}
		return nil, fmt.Errorf("`%s` must be true or false, not `%s`", s.Name, text)
	case "array":
		var items []any
		if json.Unmarshal([]byte(text), &items) == nil {
			return items, nil
		}
		for _, item := range strings.Split(text, ",") {
			items = append(items, strings.TrimSpace(item))
		}
		return items, nil
	}
	return text, nil
}

// InputsError refuses arguments, and says which are accepted.
type InputsError struct {
	Input    string // which one is wrong; "" if that cannot be said
	Problem  string
	Accepted string // a line for each input
}

func (e *InputsError) Error() string { return e.Problem + ". It takes:\n" + e.Accepted }

func wrongInput(specs []config.InputSpec, name, format string, args ...any) error {
	return &InputsError{name, fmt.Sprintf(format, args...), inputLines(specs)}
}

// inputLines is a line for each input.
func inputLines(list []config.InputSpec) string {
	var lines []string
	for _, s := range list {
		line := fmt.Sprintf("• `%s` (%s", s.Name, s.Kind)
		switch {
		case s.Required:
			line += ", must be given"
		case s.Default != "":
			line += ", otherwise `" + s.Default + "`"
		}
		line += ")"
		if len(s.Options) > 0 {
			line += ": one of `" + strings.Join(s.Options, "`, `") + "`"
		}
		if s.Description != "" {
			line += " – " + s.Description
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
