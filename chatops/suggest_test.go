package chatops

import (
	"slices"
	"strings"
	"testing"

	"signalbox/ci/config"
)

func TestComplete(t *testing.T) {
	specs := config.InputSpecs(map[string]any{
		"environment": map[string]any{"options": []any{"staging", "production", "two words"}, "default": "staging"},
		"count":       map[string]any{"type": "number", "default": int64(1)},
		"force":       map[string]any{"type": "boolean", "default": false},
	})
	for typed, want := range map[string][]string{
		"":                                {"count=", "environment=", "force="},
		"E":                               {"environment="},
		"--f":                             {"--force="},
		"environment=":                    {"environment=staging", "environment=production", `environment="two words"`},
		"environment=p":                   {"environment=production"},
		`environment="t`:                  {`environment="two words"`},
		"environment=x":                   nil,
		"--force=":                        {"--force=true", "--force=false"},
		"count=":                          {"count=1"},
		"environment=staging ":            {"environment=staging count=", "environment=staging force="},
		"environment=staging force=t":     {"environment=staging force=true"},
		"environment=staging environment": nil,
		"pro":                             {"production"},
		"production c":                    {"production count="},
		"size=":                           nil,
	} {
		if got := Complete(specs, typed, 25); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	if got := Complete(specs, "", 2); len(got) != 2 {
		t.Errorf("at most two: %q", got)
	}
	if got := Complete(specs, strings.Repeat("x", 99)+" ", 25); got != nil {
		t.Errorf("too long: %q", got)
	}
}
