package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestCaseResults are GitLab's own cases (by their numbers) of what a configuration comes to.
func TestCaseResults(t *testing.T) {
	first := func(c *Config) *Job { return c.Jobs[0] }
	names := func(c *Config) any {
		var out []string
		for _, j := range c.Jobs {
			out = append(out, j.Name)
		}
		return out
	}
	needs := func(c *Config) any {
		var out []string
		for _, n := range *c.Jobs[len(c.Jobs)-1].Needs {
			out = append(out, n.Job)
		}
		return out
	}
	for _, tc := range []struct {
		number int
		text   string
		result func(c *Config) any
		want   string
	}{
		{25, "a: {script: x}", func(c *Config) any { return c.Stages }, `[".pre","build","test","deploy",".post"]`},
		{27, "stages: [stage1, stage2]\na: {script: x, stage: stage1}", func(c *Config) any { return c.Stages }, `[".pre","stage1","stage2",".post"]`},
		{33, "image: i\nbefore_script: [b]\na: {script: x}", func(c *Config) any { return []any{first(c).Image.Name, first(c).BeforeScript} }, `["i",["b"]]`},
		{41, "before_script: [a, [b, [c]]]\na: {script: x}", func(c *Config) any { return first(c).BeforeScript }, `["a","b","c"]`},
		{43, "a: {script: rspec}", func(c *Config) any { return first(c).Script }, `["rspec"]`},
		{47, "before_script: [a]\na: {script: x, inherit: {default: false}}", func(c *Config) any { return first(c).BeforeScript }, `null`},
		{49, "before_script: [a]\na: {script: x, inherit: {default: [image]}}", func(c *Config) any { return first(c).BeforeScript }, `null`},
		{53, "default: {hooks: {pre_get_sources_script: [h]}}\na: {script: x}", func(c *Config) any { return first(c).Hooks }, `["h"]`},
		{85, "a: {script: x, variables: null}", func(c *Config) any { return len(first(c).Variables) }, `0`},
		{97, "variables: {A: {value: 1}, B: {value: :sym}}\na: {script: x}", func(c *Config) any { return []string{c.Variables[0].Value, c.Variables[1].Value} }, `["1","sym"]`},
		{99, ".template: {script: test, image: i}\nrspec: {extends: .template, image: j}", func(c *Config) any { return []any{first(c).Script, first(c).Image.Name} }, `[["test"],"j"]`},
		{101, ".base: {script: x, variables: {VAR1: base, VAR2: base}}\nt: {extends: .base, variables: {VAR2: own}}", func(c *Config) any { return []string{first(c).Variables[0].Value, first(c).Variables[1].Value} }, `["base","own"]`},
		{113, ".t: &t {script: x}\na: *t\nb: *t", names, `["a","b"]`},
		{225, "a: {script: x, timeout: 1m 3s}", func(c *Config) any { return first(c).Timeout }, `63`},
		{229, "a: {script: x, retry: 2}", func(c *Config) any { return first(c).Retry.Max }, `2`},
		{231, "a: {script: x, retry: {exit_codes: 255}}", func(c *Config) any { return first(c).Retry.ExitCodes }, `[255]`},
		{221, "a: {script: x, when: manual, allow_failure: false}", func(c *Config) any { return first(c).AllowFailure }, `false`},
		{327, "p: {script: x, parallel: {matrix: [{VAR1: [1, 3], VAR2: 2}]}}\nt: {script: x, needs: [{job: p, parallel: {matrix: [{VAR1: 1, VAR2: 2}]}}]}", needs, `["p: [1, 2]"]`},
		{351, "'rspec 35/2': {script: x, parallel: 2}", names, `["rspec 35/2 1/2","rspec 35/2 2/2"]`},
		{359, "d: {script: x, parallel: {matrix: [{PROVIDER: aws, STACK: [a, b, c]}, {PROVIDER: ovh, STACK: [a, b, c]}, {PROVIDER: gcp, STACK: [a, b]}]}}", func(c *Config) any { return []any{len(c.Jobs), c.Jobs[7].Name} }, `[8,"d: [gcp, b]"]`},
		{369, "a: {script: x, cache: [{key: a, paths: [x]}, {key: b, paths: [y]}]}", func(c *Config) any { return len(first(c).Cache) }, `2`},
		{371, "a: {script: x, cache: {paths: [x]}}", func(c *Config) any { return first(c).Cache[0].Key }, `"default"`},
		{397, "default: {id_tokens: {A: {aud: a}}}\nj: {script: x, id_tokens: {B: {aud: b}}}", func(c *Config) any { return len(first(c).IDTokens) }, `1`},
		{429, "j: {script: x, pages: true, publish: foo, artifacts: {paths: [bar]}}", func(c *Config) any { return first(c).Artifacts.Paths }, `["bar","foo"]`},
		{67, "a: {script: x, image: {name: r, entrypoint: [/e]}, services: [{name: m, alias: db, entrypoint: [/f], command: [/c]}]}", func(c *Config) any { return []any{first(c).Image, first(c).Services} }, `[{"name":"r","entrypoint":["/e"]},[{"name":"m","alias":"db","entrypoint":["/f"],"command":["/c"]}]]`},
		{83, "a: {script: x, variables: {VAR1: value1, VAR2: value2}}", func(c *Config) any { return first(c).Variables }, `[{"key":"VAR1","value":"value1"},{"key":"VAR2","value":"value2"}]`},
		{87, "variables: {VAR3: {value: a, expand: false}}\na: {script: x, variables: {VAR4: b, VAR5: {value: c, expand: false}, VAR6: {value: d, expand: true}}}", func(c *Config) any { return []any{c.Variables, first(c).Variables} }, `[[{"key":"VAR3","value":"a","raw":true}],[{"key":"VAR4","value":"b"},{"key":"VAR5","value":"c","raw":true},{"key":"VAR6","value":"d"}]]`},
		{125, ".a: {b: [x1, x2]}\n.f: [!reference [.a, b], x5]\nj: {script: !reference [.f]}", func(c *Config) any { return first(c).Script }, `["x1","x2","x5"]`},
		{211, "a: {script: x, when: on_success}\nb: {script: x, when: on_failure}\nc: {script: x, when: always}\nd: {script: x, when: manual}", func(c *Config) any { return []any{c.Jobs[0].When, c.Jobs[1].When, c.Jobs[2].When, c.Jobs[3].When} }, `["on_success","on_failure","always","manual"]`},
		{301, "a: {script: x}", func(c *Config) any { return first(c).Only.Refs }, `["branches","tags"]`},
		{303, "workflow: {rules: [{if: $A}]}\na: {script: x}", func(c *Config) any { return first(c).Only }, `null`},
		{367, "cache: {paths: [logs/, binaries/], untracked: true, key: key}\na: {script: x}", func(c *Config) any { return first(c).Cache }, `[{"key":"key","paths":["logs/","binaries/"],"untracked":true,"policy":"pull-push","when":"on_success"}]`},
		{383, "a: {script: x, artifacts: {paths: [logs/], expose_as: Exposed, untracked: true, name: custom, expire_in: 7d}}", func(c *Config) any { return first(c).Artifacts }, `{"name":"custom","paths":["logs/"],"untracked":true,"when":"on_success","expire_in":"7d","expose_as":"Exposed"}`},
		{403, "a: {script: x, environment: production}", func(c *Config) any { return first(c).Environment }, `{"name":"production","action":"start"}`},
		{421, "a: {trigger: {project: p, forward: {pipeline_variables: true}}}", func(c *Config) any { return first(c).Trigger }, `{"project":"p","yaml_variables":true,"pipeline_variables":true}`},
		{427, "pages: {script: x, pages: {publish: foo}}", func(c *Config) any { return first(c).Artifacts.Paths }, `["foo"]`},
	} {
		c, errs := load(tc.text)
		if errs != nil {
			t.Errorf("case %d: %v", tc.number, errs[0])
			continue
		}
		got, err := json.Marshal(tc.result(c))
		if err != nil || string(got) != tc.want {
			t.Errorf("case %d: %s, want %s (%v)", tc.number, got, tc.want, err)
		}
	}
	long := strings.Repeat("n", 128)
	for _, tc := range []struct {
		number     int
		text, want string
	}{
		{5, "a: {script: x, steps: *bad_alias}", "nknown alias"},
		{15, "? " + strings.Repeat("n", 256) + "\n: {script: x}", "n name is too long (maximum is 255 characters)"},
		{117, "a: {b: !reference [b, c]}\nb: {c: !reference [d, e, f]}\nd: {e: {f: !reference [a, b]}}\nj: {script: !reference [a, b]}", "is part of a circular chain"},
		{1251, ".a: {b: [x1, x2]}\nj: {script: x, dependencies: [!reference [.a, b]]}", "dependencies should be an array of strings"}, // a list within the list
		{321, "stages: [test]\nbuild: {script: x, stage: test, needs: [other]}\nother: {script: x, stage: unlisted}", "is not defined in current or prior stages"},
		{343, long + ": {script: x, parallel: 2}\ntest1: {script: x, needs: [" + long + "]}", fmt.Sprintf("test1 job: need `%s 1/2` name is too long (maximum is 128 characters)", long)},
	} {
		_, errs := load(tc.text)
		if len(errs) == 0 || !strings.Contains(errs[0].Text, tc.want) {
			t.Errorf("case %d: %v, want %q", tc.number, errs, tc.want)
		}
	}
}
