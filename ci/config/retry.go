package config

import (
	"slices"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

const maxRetries = 2

// retry reads `retry`. GitLab's texts name no job here.
func (l *loader) retry(v *yaml.Node) *Retry {
	r := &Retry{}
	limit := func(n *yaml.Node, name string) {
		switch {
		case n == nil:
		case n.Kind != yaml.Int:
			l.bad(n, name, "must be an integer")
		case n.Int > maxRetries:
			l.bad(n, name, "must be less than or equal to 2")
		case n.Int < 0:
			l.bad(n, name, "must be greater than or equal to 0")
		default:
			r.Max = int(n.Int)
		}
	}
	switch v.Kind {
	case yaml.Int:
		limit(v, "retry config")
	case yaml.Map:
		l.unknownKeys(v, "retry config", "max", "when", "exit_codes")
		limit(filled(v.Get("max")), "retry max")
		if w := filled(v.Get("when")); w != nil {
			r.When = l.oneOrMany(w, "retry when")
			l.retryWords(w, r.When)
		}
		if codes := filled(v.Get("exit_codes")); codes != nil {
			r.ExitCodes = l.integers(codes, "retry exit codes")
		}
	default:
		l.add(v, "retry config has to be either an integer or a hash")
	}
	return r
}

func (l *loader) retryWords(at *yaml.Node, words []string) {
	var unknown, deprecated []string
	for _, w := range words {
		if w != "always" && !slices.Contains(enum.RetryReasons, enum.FailureReason(w)) {
			unknown = append(unknown, w)
		}
		if enum.FailureReason(w).Deprecated() {
			deprecated = append(deprecated, w)
		}
	}
	if deprecated != nil && unknown == nil {
		l.warn(at, "retry uses deprecated `when` value(s): "+strings.Join(deprecated, ", ")+". These match the more specific failure reasons that replaced them; "+
			"migrate to those reasons. See https://docs.gitlab.com/ci/yaml/#retrywhen")
	}
	switch {
	case len(unknown) == 0:
	case at.IsText():
		l.bad(at, "retry when", "is not included in the list")
	default:
		l.bad(at, "retry when", "contains unknown values: %s", strings.Join(unknown, ", "))
	}
}
