package ci

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/ci/config"
	"signalbox/models"

	"signalbox/ci/variable"
)

// TestHiddenValuesOfWhichOneBeginsAnother are hidden whole, whichever was defined first.
func TestHiddenValuesOfWhichOneBeginsAnother(t *testing.T) {
	for _, values := range [][]string{{"password", "password-of-production"}, {"password-of-production", "password"}} {
		f := &files{}
		for _, v := range values {
			f.vars = append(f.vars, variable.Variable{Key: "K" + v, Value: v, Masked: true})
		}
		if got := f.hide("`password-of-production.yml` and `password`"); got != "`[MASKED].yml` and `[MASKED]`" {
			t.Errorf("%v: %s", values, got)
		}
	}
}

// TestHiddenForms: what a message makes of a value is hidden too.
func TestHiddenForms(t *testing.T) {
	f := &files{vars: variable.Collection{
		{Key: "A", Value: `pass&w<rd"1234`, Masked: true}, {Key: "B", Value: "/abcDEF12345=", Masked: true}, {Key: "C", Value: "to ken|1234", Masked: true},
	}}
	for text, want := range map[string]string{
		`{"foo":"pass\u0026w\u003crd\"1234"}`: `{"foo":"[MASKED]"}`,
		`{"foo"=>"pass&w<rd\"1234"}`:          `{"foo"=>"[MASKED]"}`,
		"`abcDEF12345=` is no YAML":           "`[MASKED]` is no YAML",
		"https://h/x?t=to+ken%7C1234":         "https://h/x?t=[MASKED]",
		"https://h/to%20ken%7C1234.yml":       "https://h/[MASKED].yml",
		"abc":                                 "abc",
	} {
		if got := f.hide(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	secret := &config.Error{Text: "x", File: "https://h/to%20ken%7C1234.yml", Line: 1, Column: 1}
	f.hideResult(&config.Result{Errors: []*config.Error{secret}})
	if report := secret.Report(); report != "https://h/[MASKED].yml:1:1: x" {
		t.Error(report)
	}
}

// slow is an address that takes its time; with none it never answers.
type slow time.Duration

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := time.After(time.Duration(s))
	if s == 0 {
		answer = nil
	}
	select {
	case <-answer:
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("b: {script: x}"))}, nil
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// TestSlowIncludes end after the time of one file, or after that of all (GitLab's case 145).
func TestSlowIncludes(t *testing.T) {
	for answer, want := range map[slow]struct {
		text string
		took time.Duration
	}{
		0:                     {"Remote file `https://example.com/0.yml` could not be fetched because of a timeout error!", remoteWithin},
		slow(9 * time.Second): {"Request timed out when fetching configuration files.", includesWithin},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &Coordinator{compiled: newCompiled(), remote: &remote{after: time.After, client: &http.Client{Transport: answer, Timeout: remoteWithin}}}
			f := &files{c: c, ctx: t.Context(), b: &builder{c: c, r: PipelineRequest{Project: &models.Project{FullPath: "a/b"}}}}
			var include string
			for i := range 9 {
				include += fmt.Sprintf("  - https://example.com/%d.yml\n", i)
			}
			from := time.Now()
			r, err := f.load(config.File{Name: ".gitlab-ci.yml", Content: []byte("include:\n" + include + "a: {script: x}")}, nil)
			if err != nil || len(r.Errors) != 1 || r.Errors[0].Text != want.text {
				t.Errorf("%v %v, want %s", r.Errors, err, want.text)
			}
			if took := time.Since(from); took != want.took {
				t.Errorf("it took %s, not %s", took, want.took)
			}
		})
	}
}

// TestReportsAreBounded: what is kept with a pipeline does not grow with the number of mistakes.
func TestReportsAreBounded(t *testing.T) {
	e := &ConfigError{}
	for range 200 {
		e.Errors = append(e.Errors, &config.Error{Text: "wrong"}, &config.Error{Text: "follows", Echo: true})
	}
	if got := e.Report(); strings.Count(got, "wrong") != maxReported || strings.Contains(got, "follows") || !strings.HasSuffix(got, "… and 150 more") {
		t.Error(got)
	}
}
