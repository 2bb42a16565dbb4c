package chatops

import (
	"strings"

	"signalbox/ci/config"
	"signalbox/internal/fault"
)

// asksFirst refuses a configuration that has jobs only once it was given its inputs, to what cannot give any.
type asksFirst struct {
	specs []config.InputSpec
	ref   string // that was named; "" is the default branch
}

// unasked leaves a configuration's inputs at their defaults; it is refused with *asksFirst if there is one without.
func unasked(ref string) func([]config.InputSpec) (map[string]any, error) {
	return func(specs []config.InputSpec) (map[string]any, error) {
		for _, s := range specs {
			if s.Required {
				return nil, &asksFirst{specs, ref}
			}
		}
		return nil, nil
	}
}

func (e *asksFirst) Error() string { return e.text() + "; " + e.advice() }

// Unwrap makes of it what was asked for wrongly.
func (e *asksFirst) Unwrap() error { return fault.New(fault.Invalid, "%s", e.Error()) }

func (e *asksFirst) text() string {
	var names []string
	for _, s := range e.specs {
		if s.Required {
			names = append(names, code(s.Name))
		}
	}
	return "the configuration must be given " + strings.Join(names, ", ") + " before its jobs are known"
}

func (e *asksFirst) advice() string {
	return "give the inputs with " + code(e.usage()) + " or `run stage`. It takes:\n" + inputLines(e.specs)
}

// usage is how the whole pipeline is run, with its inputs as they are if nothing is given.
func (e *asksFirst) usage() string { return called("run "+at("pipeline", e.ref), e.specs) }

// called is a command with the inputs that it takes.
func called(command string, specs []config.InputSpec) string {
	for _, in := range specs {
		command += " " + in.Name + "="
		if in.Default != "" {
			command += quote(shownDefault(in))
		}
	}
	return command
}
