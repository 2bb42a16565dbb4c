package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/ci/rubyregexp"
)

func load(text string) (*Config, []*Error) {
	return Load(File{Name: ".gitlab-ci.yml", Content: []byte(text)}, Options{Pattern: rubyregexp.Check})
}

func rspec(lines string) string {
	return "rspec:\n  script: rspec\n  " + strings.ReplaceAll(lines, "\n", "\n  ")
}

func TestRefusalsInGitLabsWords(t *testing.T) {
	const nested = "should be a string or a nested array of strings up to 10 levels deep"
	for in, want := range map[string]string{
		"":             "Please provide content of .gitlab-ci.yml",
		"invalid_yaml": "Invalid configuration format",
		"- a":          "Invalid configuration format",
		"before_script: [a]\n.hidden: {script: ls}":               "jobs config should contain at least one visible job",
		"rspec: {before_script: test}":                            "jobs rspec config should implement the script:, run:, or trigger: keyword",
		"my_job: {stage: x}":                                      "jobs my_job config should implement the script:, run:, or trigger: keyword",
		"a-b: {stage: x}":                                         "jobs a-b config should implement the script:, run:, or trigger: keyword",
		"'': {script: a}":                                         "jobs:job name can't be blank",
		strings.Repeat("x", 256) + ": {script: a}":                "jobs:" + strings.Repeat("x", 256) + " name is too long (maximum is 255 characters)",
		rspec("bad_tags: mysql"):                                  "jobs:rspec config contains unknown keys: bad_tags",
		"stages: [true, test]\n" + rspec("tags: []"):              "stages config should be an array of strings or a nested array of strings up to 10 levels deep",
		rspec("stage: acceptance"):                                "rspec job: chosen stage acceptance does not exist; available stages are .pre, build, test, deploy, .post",
		"default: {image: a}\nimage: b\n" + rspec(""):             "image is defined in top-level and `default:` entry",
		"before_script: 123\n" + rspec(""):                        "before_script config " + nested,
		rspec("after_script: [10, test]"):                         "jobs:rspec:after_script config " + nested,
		rspec("image: [test]"):                                    "jobs:rspec:image config should be a hash or a string",
		"services: [10, test]\n" + rspec(""):                      "services:service config should be a hash or a string",
		rspec("services: [10, test]"):                             "jobs:rspec:services:service config should be a hash or a string",
		rspec("services: x"):                                      "jobs:rspec:services config should be a array",
		rspec("when: [a]"):                                        "jobs:rspec when should be a string",
		rspec("when: never"):                                      "jobs:rspec when should be one of: on_success, on_failure, always, manual, delayed",
		rspec("allow_failure: string"):                            "jobs:rspec allow failure should be a hash or a boolean value",
		rspec("allow_failure: {exit_codes: [a]}"):                 "jobs:rspec:allow_failure exit codes should be an array of integers or an integer",
		rspec("when: delayed"):                                    "jobs:rspec start in should be a duration",
		rspec("when: delayed\nstart_in: 8 days"):                  "jobs:rspec start in should not exceed the limit",
		rspec("start_in: 1 day"):                                  "jobs:rspec start in must be blank",
		rspec("only: {}"):                                         "jobs:rspec:only config can't be blank",
		rspec("only: 1"):                                          "jobs:rspec:only has to be either an array of conditions or a hash",
		rspec("except: ['/(?=a)/']"):                              "jobs:rspec:except config should be an array of strings or regular expressions using re2 syntax",
		rspec("artifacts: x"):                                     "jobs:rspec:artifacts config should be a hash",
		rspec("artifacts: {paths: 1}"):                            "jobs:rspec:artifacts paths should be an array of strings",
		rspec("artifacts: {expire_in: 7 elephants}"):              "jobs:rspec:artifacts expire in should be a duration",
		rspec("artifacts: {expire_in: 1}"):                        "jobs:rspec:artifacts expire in should be a duration",
		rspec("artifacts: {when: sometimes}"):                     "jobs:rspec:artifacts when should be one of: on_success, on_failure, always",
		rspec("cache: {key: 1}"):                                  "jobs:rspec:cache:key should be a hash, a string or a symbol",
		rspec("cache: {policy: unknown}"):                         "jobs:rspec:cache policy should be a variable or one of: pull-push, push, pull",
		rspec("cache: [{}, {}, {}, {}, {}]"):                      "jobs:rspec:cache config no more than 4 caches can be created",
		rspec("retry: 3"):                                         "retry config must be less than or equal to 2",
		rspec("retry: -1"):                                        "retry config must be greater than or equal to 0",
		rspec("retry: {max: x}"):                                  "retry max must be an integer",
		rspec("retry: {when: nothing}"):                           "retry when is not included in the list",
		rspec("retry: {when: [nothing, always]}"):                 "retry when contains unknown values: nothing",
		rspec("retry: true"):                                      "retry config has to be either an integer or a hash",
		rspec("timeout: 3 months"):                                "jobs:rspec:timeout config should not exceed the limit",
		rspec("timeout: 10"):                                      "jobs:rspec:timeout config should be a duration",
		rspec("tags: mysql"):                                      "jobs:rspec:tags config should be an array of strings",
		rspec("variables: x"):                                     "jobs:rspec:variables config should be a hash",
		rspec("variables: {A: [true]}"):                           "variable definition must be either a string or a hash",
		rspec("variables: {A: {value: a, options: x}}"):           "jobs:rspec:variables:a config uses invalid data keys: options",
		rspec("variables: {A: {value: a, expand: x}}"):            "jobs:rspec:variables:a config expand should be a boolean value",
		"variables: {V: {value: a, options: [b]}}\n" + rspec(""):  "variables:v config value must be present in options",
		rspec("dependencies: x"):                                  "jobs:rspec dependencies should be an array of strings",
		rspec("dependencies: [x]"):                                "rspec job: undefined dependency: x",
		rspec("needs: [x]"):                                       "rspec job: undefined need: x",
		rspec("needs: [rspec]"):                                   "The pipeline has circular dependencies: self-dependency: rspec",
		rspec("needs: [b]") + "\nb: {script: b, stage: deploy}":   "rspec job: need b is not defined in current or prior stages",
		rspec("needs: [b, b]") + "\nb: {script: b, stage: build}": "rspec has the following needs duplicated: b.",
		"a: {script: a, needs: [c]}\nb: {script: b, needs: [a]}\nc: {script: c, needs: [b]}": `The pipeline has circular dependencies: topological sort failed: ["a", "c", "b"]`,
		rspec("script: []"):             "jobs:rspec script can't be blank",
		"rspec: {script: [1]}":          "jobs:rspec:script config " + nested,
		"10: {script: a}":               "jobs:integer name should be a symbol",
		"default: {x: 1}\n" + rspec(""): "default config contains unknown keys: x",
		"rspec:\n\tscript: x":           "",
	} {
		_, errs := load(in)
		if len(errs) == 0 {
			t.Errorf("%q is accepted, want %q", in, want)
			continue
		}
		if want == "" {
			continue
		}
		found := false
		for _, e := range errs {
			found = found || e.Text == want
		}
		if in == "10: {script: a}" {
			found = strings.HasSuffix(errs[0].Text, "name should be a symbol")
		}
		if !found {
			t.Errorf("%q\n got %v\nwant %s", in, errs, want)
		}
	}
}

func TestErrorsShowTheirPlace(t *testing.T) {
	_, errs := load("stages: [test]\nrspec:\n  script: rspec\n  whenn: manual # oops\n  image: [1]\n")
	if len(Apart(errs)) != 2 {
		t.Fatalf("%v", errs)
	}
	want := ".gitlab-ci.yml:4:3: jobs:rspec config contains unknown keys: whenn\n    3 |   script: rspec\n    4 |   whenn: manual # oops\n          ^\nDid you mean `when`?"
	if got := errs[0].Report(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, errs = load("a:\n  script: x\n b: y")
	if len(errs) != 1 || errs[0].Line == 0 || errs[0].Excerpt == "" {
		t.Errorf("syntax error: %+v", errs)
	}
}

func TestJobs(t *testing.T) {
	c, errs := load(`
stages: [build, [test, deploy]]
default:
  image: alpine
  tags: [linux]
before_script: [[one, [two]], three]
variables: {A: 1, B: {value: b, description: d, expand: false}, C: :sym, D: }
build:
  stage: build
  script: make
  artifacts: {paths: [out/], reports: {junit: r.xml}, expire_in: 1 week}
  retry: {max: 2, when: runner_system_failure}
"my job":
  stage: .post
  before_script: []
  image: {name: ruby, entrypoint: [""]}
  services: [redis, {name: pg, alias: db, variables: {X: y}}]
  script: [a, b]
  when: manual
  only: {refs: [chat, /^x/i]}
  timeout: 1h 30m
  cache: [{key: k, paths: [p]}, {key: {files: [go.sum], prefix: z}}]
  needs: [build, {job: other, optional: true, artifacts: false}]
  dependencies: [build]
  variables: {E: e}
  allow_failure: false
.hidden: 12
later: {script: x, stage: deploy, when: delayed, start_in: 5 min, allow_failure: {exit_codes: 3}}
`)
	if errs != nil {
		t.Fatal(errs)
	}
	if d := cmp.Diff([]string{".pre", "build", "test", "deploy", ".post"}, c.Stages); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Variable{{Key: "A", Value: "1"}, {Key: "B", Value: "b", Raw: true, Description: "d"}, {Key: "C", Value: "sym"}, {Key: "D"}}, c.Variables); d != "" {
		t.Error(d)
	}
	build, my, later := c.Jobs[0], c.Jobs[1], c.Jobs[2]
	if d := cmp.Diff([]string{"one", "two", "three"}, build.BeforeScript); d != "" || build.Image.Name != "alpine" || build.Retry.Max != 2 {
		t.Error(d, build)
	}
	if my.Image.Name != "ruby" || len(my.BeforeScript) != 0 || my.StageIndex != 4 || my.Timeout != 5400 || my.AllowFailure || len(*my.Needs) != 2 || my.Tags[0] != "linux" {
		t.Errorf("%+v", my)
	}
	if d := cmp.Diff([]Cache{
		{Key: "k", Paths: []string{"p"}, Policy: "pull-push", When: "on_success"},
		{Key: "default", Files: []string{"go.sum"}, Prefix: "z", Policy: "pull-push", When: "on_success"},
	}, my.Cache); d != "" {
		t.Error(d)
	}
	if later.StartIn != 300 || later.AllowCodes[0] != 3 {
		t.Errorf("%+v", later)
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]int{
		"3 mins 4 sec": 184, "2 hrs 20 min": 8400, "2h20min": 8400, "6 mos 1 day": 15638400, "47 yrs 6 mos and 4d": 1499104800,
		"3 weeks and 2 days": 1987200, "42": 42, "1h30m": 5400, "0.5h": 1800, "1:30": 90, "1 hour and 5 min, 3 sec": 3903,
		"1 month": 2592000, "1 year": 31557600, "one hour": 3600, "two weeks": 1209600,
	} {
		if got, ok := ParseDuration(in); !ok || got != want {
			t.Errorf("%q = %d, %v; want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"never", "abc", "", "0", "7 elephants", "1 fortnight", "5 5 min", "-1 h", "1h!"} {
		if got, ok := ParseDuration(in); ok {
			t.Errorf("%q = %d, want none", in, got)
		}
	}
}

// Large is a configuration of n jobs.
func large(n int) string {
	var b strings.Builder
	b.WriteString("stages: [build, test]\nvariables: {A: b}\n")
	for i := range n {
		fmt.Fprintf(&b, "job %d:\n  stage: test\n  image: alpine:3\n  tags: [linux]\n  variables:\n    N: %d\n  script:\n    - echo one\n    - echo two\n  only: [main, tags]\n", i, i)
	}
	return b.String()
}

func BenchmarkLoad1000Jobs(b *testing.B) {
	text := large(1000)
	for b.Loop() {
		if _, errs := load(text); errs != nil {
			b.Fatal(errs)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(large(2))
	f.Add("a: {script: [b, [c]], only: {refs: [x]}, cache: {}, retry: {max: 1}}")
	f.Add(".a: &a {rules: [{if: $A =~ /b/i, changes: {paths: [x/**/*], compare_to: main}}]}\nb: {<<: *a, extends: .a, script: [!reference [.a, rules]], parallel: {matrix: [{A: [1, 2]}]}}")
	f.Add("workflow: {name: x, rules: [{when: never}]}\na: {trigger: {include: [{local: x.yml}], forward: {}}}\nb: {needs: [{job: a, parallel: {matrix: [{A: b}]}}], environment: {name: a, on_stop: b}}")
	f.Add("include: [{local: a.yml, rules: [{exists: [b]}], inputs: {c: d}}]\na: {release: {tag_name: x, assets: {links: [{name: a, url: b}]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, errs := load(text)
		if (c == nil) == (len(errs) == 0) {
			t.Fatal("neither a configuration nor an error")
		}
	})
}

func FuzzInterpolate(f *testing.F) {
	f.Add("$[[ inputs.a | truncate(0,5) | expand_vars | posix_escape ]]", "value")
	f.Add("a: $[[ inputs.a ]]\nb: [$[[ inputs.a | split(',') ]]]", "x,y")
	f.Add("$[[ inputs.a | $[[ inputs.a ]] ]]", "$A")
	f.Add("$[[ ]] $[[ inputs ]] $[[inputs.b]] $[[ inputs.a | nothing ]]", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		r, err := LoadWith(File{Name: "x", Content: []byte("spec: {inputs: {a: {}}}\n---\n" + text)}, Options{Inputs: map[string]any{"a": value}})
		if err != nil || (r.Config == nil) == (len(r.Errors) == 0) {
			t.Fatalf("neither a configuration nor an error: %v", err)
		}
	})
}
