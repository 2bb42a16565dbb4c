package chatops

import (
	"slices"
	"strings"
	"testing"

	"signalbox/ci/config"
)

func TestFormFields(t *testing.T) {
	specs := config.InputSpecs(map[string]any{
		"environment": map[string]any{"options": []any{"staging", "production"}, "default": "staging", "description": "where to"},
		"count":       map[string]any{"type": "number", "default": int64(1), "description": "How many"},
		"force":       map[string]any{"type": "boolean", "default": false},
		"hosts":       map[string]any{"type": "array", "default": []any{"a", "b"}},
		"tag":         map[string]any{"regex": "^v"},
		"long":        map[string]any{"options": []any{strings.Repeat("x", 80), "y"}, "default": "y"},
	})
	show := func(fields []FormField) (out []string) {
		for _, f := range fields {
			mark := ""
			if f.Required {
				mark = "!"
			}
			out = append(out, f.Name+mark+"="+f.Value+" "+strings.Join(f.Options, "|")+" "+f.Hint)
		}
		return out
	}
	long := strings.Repeat("x", 80)
	for _, c := range []struct {
		last string
		most int
		want []string
	}{
		{"", 10, []string{
			"count=1  How many. A number.", "environment=staging staging|production where to", "force=false true|false ", "hosts=a,b  Several, with commas between.",
			"long=y  One of " + long + ", y.", "tag!=  Must match ^v.",
		}},
		{"production force=yes hosts=c nothing=x tag", 10, []string{
			"count=1  How many. A number.", "environment=production staging|production where to", "force=true true|false ", "hosts=c  Several, with commas between.",
			"long=y  One of " + long + ", y.", "tag!=  Must match ^v.",
		}},
		{"environment=moon hosts='c d' --force long=y", 3, []string{
			"tag!=  Must match ^v.", "environment= staging|production where to", `.arguments=force=true hosts="c d" long=y  As name=value: force, hosts, long, count`,
		}},
	} {
		if got := show(formFields(specs, c.last, c.most)); !slices.Equal(got, c.want) {
			t.Errorf("%q:\n%q, want\n%q", c.last, got, c.want)
		}
	}
	got := filledIn(specs, map[string]string{"count": "", "environment": "", "force": "true", "hosts": "", "tag": "", "long": "", otherArguments: " x=1"})
	if got != `force=true long=""  x=1` {
		t.Errorf("%q", got)
	}
}

func TestWhichFieldIsWrong(t *testing.T) {
	values := map[string]string{"b": "", "a": ""}
	for _, c := range [][2]string{{"b", "b"}, {"", "a"}, {"c", "a"}} {
		if got := (&InputsError{Input: c[0]}).FieldOf(values); got != c[1] {
			t.Errorf("%q stands at %q", c[0], got)
		}
	}
	values[otherArguments] = ""
	if got := (&InputsError{Input: "c"}).FieldOf(values); got != otherArguments {
		t.Errorf("%q", got)
	}
}
