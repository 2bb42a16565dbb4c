package config

import "testing"

// TestFormsThatAreEasilyMissed are valid, or not, in ways that one does not think of first.
func TestFormsThatAreEasilyMissed(t *testing.T) {
	for text, want := range map[string]string{
		"a: {script: x}\nb: {script: x, dependencies: [a]}":                                              valid,
		"a: {script: x, parallel: {matrix: []}}":                                                         valid,
		"a: {script: x, timeout: 99999999999999999999 years}":                                            "jobs:a:timeout config should not exceed the limit",
		"a: {script: x, rules: [{if: , when: always}], only: }":                                          valid,
		"a: {script: x, cache: {key: '%2e%2e%2fa'}}":                                                     `jobs:a:cache:key config cannot contain the "/" character`,
		"a: {script: x, cache: {key: '%2E%2E'}}":                                                         `jobs:a:cache:key config cannot be "." or ".."`,
		"a: {script: x, cache: {key: {files: [a], prefix: ../x}}}":                                       `jobs:a:cache:key:prefix config cannot contain the "/" character`,
		"a: {script: x, cache: {key: x, fallback_keys: [a, b, c, d, e, f]}}":                             "jobs:a:cache fallback keys has to many entries (maximum 5)",
		"a: {script: x}\nb: {script: x}\nc: {stage: deploy, script: x, needs: [], dependencies: [a, b]}": valid,
		"b: {script: x, dependencies: [a]}\na: {script: x, stage: nope}":                                 "b job: dependency a is not defined in current or prior stages",
		"a: {script: x, stage: nope}\nb: {script: x, dependencies: [a]}":                                 "a job: chosen stage nope does not exist; available stages are .pre, build, test, deploy, .post",
		"b: {script: x, needs: [a]}\na: {script: x, stage: nope}":                                        "b job: need a is not defined in current or prior stages",
		"default: {foo: 1, bar: 2}\na: {script: x}":                                                      "default config contains unknown keys: foo, bar",
		".c: &c [{key: a, paths: [x]}]\na: {script: x, cache: [*c]}":                                     valid,
		".s: &s [redis]\na: {script: x, services: [*s]}":                                                 valid,
		".h: {needs: [b]}\nb: {script: x}\na: {script: x, needs: [!reference [.h, needs]]}":              valid,
	} {
		_, errs := load(text)
		got := ""
		if len(errs) > 0 {
			got = errs[0].Text
		}
		if got != want {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
	c, errs := load("j: {script: x, parallel: {matrix: [{A: x}, {B: x}]}}")
	if errs != nil || len(c.Jobs) != 1 || len(c.Jobs[0].Variables) != 1 || c.Jobs[0].Variables[0].Key != "B" {
		t.Errorf("two instances of one name: %+v %v", c, errs)
	}
}
