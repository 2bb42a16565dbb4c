package chatops

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/ci/config"
	"signalbox/internal/fault"
)

var named = regexp.MustCompile(`(?s)\A(?:--)?([A-Za-z_][\w-]*)=(.*)\z`)

// Words splits text at blanks as a shell does: quotes of both kinds keep blanks, a backslash keeps the next character.
func Words(text string) ([]string, error) {
	var out []string
	var word strings.Builder
	in, quote := false, rune(0)
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			in, quote = true, c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(runes):
			i++
			word.WriteRune(runes[i])
			in = true
		case quote == 0 && strings.ContainsRune(" \t\n\r\v\f", c):
			if in {
				out = append(out, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fault.New(fault.Invalid, "the quote %c is not closed", quote)
	}
	if in {
		out = append(out, word.String())
	}
	return out, nil
}

// Fill gives the inputs that arguments name: key=value, --key=value, --key value, --flag, and words without a name where only
// one input can be meant. Values get the types of the specification. Refusals name what is accepted.
func Fill(specs map[string]any, arguments string) (map[string]any, error) {
	words, err := Words(Unmangle(arguments))
	if err != nil {
		return nil, err
	}
	known := map[string]config.InputSpec{}
	list := config.InputSpecs(specs)
	for _, s := range list {
		known[s.Name] = s
	}
	given := map[string]string{}
	var bare []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		name, value, isNamed := "", "", false
		if m := named.FindStringSubmatch(w); m != nil {
			name, value, isNamed = m[1], m[2], true
		} else if n, dashed := strings.CutPrefix(w, "--"); dashed && n != "" {
			name, isNamed = n, true
			switch s := known[name]; {
			case s.Kind == "boolean" && (i+1 == len(words) || !truth(words[i+1])):
				value = "true"
			case i+1 < len(words):
				i++
				value = words[i]
			default:
				return nil, accepted(list, "`--%s` has no value", name)
			}
		}
		switch _, ok := known[name]; {
		case !isNamed:
			bare = append(bare, w)
		case !ok:
			return nil, accepted(list, "there is no input `%s`", name)
		default:
			if _, twice := given[name]; twice {
				return nil, accepted(list, "`%s` is given twice", name)
			}
			given[name] = value
		}
	}
	for _, w := range bare {
		name := meant(list, given, w)
		if name == "" {
			return nil, accepted(list, "it is not clear which input `%s` is for", w)
		}
		given[name] = w
	}
	out := map[string]any{}
	for name, text := range given {
		v, err := typedValue(known[name], text)
		if err != nil {
			return nil, accepted(list, "%s", err.Error())
		}
		out[name] = v
	}
	if _, err := config.ResolveJobInputs(specs, out); err != nil {
		return nil, accepted(list, "%s", err.Error())
	}
	return out, nil
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
type InputsError struct{ Text string }

func (e *InputsError) Error() string { return e.Text }

func accepted(list []config.InputSpec, format string, args ...any) error {
	return &InputsError{fmt.Sprintf(format, args...) + ". It takes:\n" + inputLines(list)}
}

// inputLines is a line for each input.
func inputLines(list []config.InputSpec) string {
	var lines []string
	for _, s := range list {
		line := fmt.Sprintf("• `%s` (%s", s.Name, s.Kind)
		if s.Default != "" {
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
