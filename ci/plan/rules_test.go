package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/ci/config"
	"signalbox/ci/rubyregexp"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// repository answers from lists.
type repository struct {
	changed []string
	known   bool
	tree    map[string][]string
}

func (r repository) Changed(compareTo string) ([]string, bool, error) {
	if compareTo == "nowhere" {
		return nil, false, &RuleError{"rules:changes:compare_to is not a valid ref"}
	}
	return r.changed, r.known, nil
}

func (r repository) Tree(project, _ string) ([]string, error) { return r.tree[project], nil }

func (r repository) Any(pattern string, paths []string) (bool, error) {
	return rubyregexp.Any(pattern, paths)
}

func vars(pairs ...string) variable.Collection {
	var c variable.Collection
	for i := 0; i < len(pairs); i += 2 {
		c.Add(pairs[i], pairs[i+1])
	}
	return c
}

func planned(t *testing.T, text string, f Facts) (*Plan, error) {
	t.Helper()
	c, errs := config.Load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, config.Options{Pattern: rubyregexp.Check})
	if errs != nil {
		t.Fatal(errs)
	}
	return Build(c, f)
}

func TestRules(t *testing.T) {
	push := Facts{Source: enum.SourcePush, Ref: "main", Variables: vars("A", "a", "EMPTY", "", "DIR", "docs"), Files: repository{
		changed: []string{"docs/a.md", "go.mod"}, known: true, tree: map[string][]string{"": {"Dockerfile", "src/x.go"}, "other/project": {"x.tf"}},
	}}
	unknown := push
	unknown.Files = repository{}
	type want struct {
		in       bool
		when     enum.When
		mayFail  bool
		variable string // of V
	}
	for _, c := range []struct {
		job  string
		f    Facts
		want want
	}{
		{`rules: [{if: $A}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{if: $NONE}]`, push, want{}},
		{`rules: [{if: $EMPTY}]`, push, want{}},
		{`rules: [{if: $NONE}, {when: manual}]`, push, want{in: true, when: "manual"}},
		{`rules: [{if: $A, when: never}, {when: always}]`, push, want{}},
		{`rules: [[]]`, push, want{}},
		{`rules: [{changes: {regexp: "^(?!docs/|go.mod)"}}]`, push, want{}},
		{`rules: [{changes: {regexp: "^$DIR/"}}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{exists: {regexp: "^$DIR/"}}]`, push, want{}},
		{`rules: [{exists: {}}]`, push, want{}},
		{`rules: [{exists: Dockerfile}]`, push, want{in: true, when: "on_success"}},
		{`rules: `, push, want{in: true, when: "on_success"}},
		{"rules: [{if: $A}]\n  when: manual", push, want{in: true, when: "manual", mayFail: true}},
		{"rules: [{if: $A, when: manual}]", push, want{in: true, when: "manual"}},
		{"rules: [{if: $A, when: on_success}]\n  when: manual", push, want{in: true, when: "on_success", mayFail: true}},
		{"rules: [{if: $A, allow_failure: true}]", push, want{in: true, when: "on_success", mayFail: true}},
		{"rules: [{if: $A, allow_failure: false}]\n  when: manual", push, want{in: true, when: "manual"}},
		{"rules: [{if: $A, when: delayed, start_in: 1 hour}]", push, want{in: true, when: "delayed"}},
		{"rules: [{if: $A, variables: {V: rule}}]\n  variables: {V: job}", push, want{in: true, when: "on_success", variable: "rule"}},
		{"rules: [{if: '$V == \"job\"'}]\n  variables: {V: job}", push, want{in: true, when: "on_success", variable: "job"}},
		{`rules: [{changes: ["docs/*"]}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{changes: ["$DIR/**/*"]}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{changes: [src/*]}]`, push, want{}},
		{`rules: [{changes: [src/*]}]`, unknown, want{in: true, when: "on_success"}},
		{`rules: [{changes: {regexp: "^docs/.*md$"}}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{changes: {paths: [go.mod], compare_to: main}, if: $NONE}]`, push, want{}},
		{`rules: [{exists: [Dockerfile]}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{exists: ["**/*.go"]}]`, push, want{in: true, when: "on_success"}},
		{`rules: [{exists: ["*.go"]}]`, push, want{}},
		{`rules: [{exists: {paths: ["*.tf"], project: other/project}}]`, push, want{in: true, when: "on_success"}},
		{`only: {changes: [src/*]}`, push, want{}},
		{`only: {changes: [src/*]}`, unknown, want{in: true, when: "on_success"}},
		{`except: {changes: [go.mod]}`, push, want{}},
		{`except: {changes: [go.mod]}`, unknown, want{}},
		{`only: {variables: [$NONE, $A]}`, push, want{in: true, when: "on_success"}},
		{`except: {variables: ['$A == "a"']}`, push, want{}},
		{`only: {kubernetes: active}`, push, want{}},
		{`only: {refs: [tags], variables: [$A]}`, push, want{}},
	} {
		p, err := planned(t, "job:\n  script: x\n  "+c.job+"\nanother: {script: y, rules: [{when: always}]}", c.f)
		if err != nil {
			t.Errorf("%s: %v", c.job, err)
			continue
		}
		var got want
		for _, j := range p.Jobs {
			if j.Name != "job" {
				continue
			}
			got = want{in: true, when: j.When, mayFail: j.AllowFailure}
			for _, v := range j.Definition.Variables {
				if v.Key == "V" {
					got.variable = v.Value
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.job, got, c.want)
		}
		if !got.in && (len(p.LeftOut) != 1 || p.LeftOut[0].Why == "") {
			t.Errorf("%s: nothing says why the job is out: %+v", c.job, p.LeftOut)
		}
	}
}

func TestRulesThatCannotBeAsked(t *testing.T) {
	f := Facts{Source: enum.SourcePush, Ref: "main", Files: repository{known: true}}
	_, err := planned(t, "job: {script: x, rules: [{changes: {paths: [a], compare_to: nowhere}}]}", f)
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Reason != ConfigError || refused.Text != "Failed to parse rule for job: rules:changes:compare_to is not a valid ref" {
		t.Errorf("%v", err)
	}
}

func TestWorkflow(t *testing.T) {
	f := Facts{Source: enum.SourcePush, Ref: "main", Variables: vars("BRANCH", "main")}
	const jobs = "\njob: {script: x}\n"
	p, err := planned(t, `
variables: {KIND: root, OTHER: o}
workflow:
  name: "$KIND pipeline of $BRANCH$NONE"
  rules:
    - if: $NONE
    - if: $BRANCH
      variables: {KIND: rule}
job: {script: x, rules: [{if: '$KIND == "rule"'}]}
`, f)
	if err != nil || p.Name != "rule pipeline of main" || len(p.Jobs) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	want := []config.Variable{{Key: "OTHER", Value: "o"}, {Key: "KIND", Value: "rule"}}
	if d := cmp.Diff(want, p.Jobs[0].Definition.Variables); d != "" {
		t.Error(d)
	}
	for text, want := range map[string]string{
		"workflow: {name: x}":                            "",
		"workflow: {auto_cancel: {on_job_failure: all}}": "all",
		"workflow: {auto_cancel: {on_job_failure: all}, rules: [{if: $BRANCH, auto_cancel: {on_job_failure: none}}]}":              "none",
		"workflow: {auto_cancel: {on_job_failure: all}, rules: [{if: $BRANCH, auto_cancel: {on_new_commit: none}}]}":               "all",
		"workflow: {rules: [{if: $NONE, auto_cancel: {on_job_failure: none}}, {if: $BRANCH, auto_cancel: {on_job_failure: all}}]}": "all",
	} {
		if p, err := planned(t, text+jobs, f); err != nil || p.OnJobFailure != want {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	for _, rules := range []string{"[{if: $NONE}]", "[{when: never}]"} {
		_, err := planned(t, "workflow: {rules: "+rules+"}"+jobs, f)
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Reason != FilteredByWorkflow {
			t.Errorf("%s: %v", rules, err)
		}
	}
	// With rules of the workflow the job runs for everything, also where `only` would keep it out by default.
	chat := f
	chat.Source = enum.SourceTrigger
	if p, err := planned(t, "workflow: {rules: [{when: always}]}"+jobs, chat); err != nil || len(p.Jobs) != 1 {
		t.Errorf("%v", err)
	}
}

func TestParallelJobs(t *testing.T) {
	p, err := planned(t, `
build: {script: b, stage: build, parallel: 2}
"deploy":
  stage: deploy
  script: d
  needs: [build]
  variables: {REGION: none, X: y}
  parallel:
    matrix:
      - REGION: [eu, us]
        SIZE: 1
      - REGION: asia
last:
  stage: .post
  script: l
  needs:
    - {job: deploy, parallel: {matrix: [{REGION: us, SIZE: 1}]}}
`, Facts{Source: enum.SourcePush, Ref: "main"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	byName := map[string]Job{}
	for _, j := range p.Jobs {
		names = append(names, j.Name)
		byName[j.Name] = j
	}
	want := []string{"build 1/2", "build 2/2", "deploy: [eu, 1]", "deploy: [us, 1]", "deploy: [asia]", "last"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	us := byName["deploy: [us, 1]"]
	if d := cmp.Diff([]string{"build 1/2", "build 2/2"}, *us.Needs); d != "" || us.Definition.NodeIndex != 2 || us.Definition.NodeTotal != 3 {
		t.Error(d, us.Definition.NodeIndex, us.Definition.NodeTotal)
	}
	if d := cmp.Diff([]config.Variable{{Key: "X", Value: "y"}, {Key: "REGION", Value: "us"}, {Key: "SIZE", Value: "1"}}, us.Definition.Variables); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"deploy: [us, 1]"}, *byName["last"].Needs); d != "" {
		t.Error(d)
	}
}

func TestInheritedVariables(t *testing.T) {
	for inherit, want := range map[string]string{"true": "A B", "false": "", "[B]": "B"} {
		p, err := planned(t, "variables: {A: a, B: b}\njob: {script: x, inherit: {variables: "+inherit+"}}", Facts{Source: enum.SourcePush, Ref: "main"})
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, v := range p.Jobs[0].Definition.Variables {
			keys = append(keys, v.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: %q, want %q", inherit, got, want)
		}
	}
}

// TestWhatIsReadAndCannotRunYet is refused when a pipeline would need it, never left out without a word.
func TestWhatIsReadAndCannotRunYet(t *testing.T) {
	for _, keys := range []string{
		"script: x, secrets: {S: {vault: a/b/c@d}}", "trigger: c/d, needs: {pipeline: a/b}",
	} {
		_, err := planned(t, "job: {"+keys+"}", Facts{Source: enum.SourcePush, Ref: "main"})
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Reason != NotYet || !strings.Contains(refused.Text, "cannot run yet") {
			t.Errorf("%s: %v", keys, err)
		}
	}
}

// TestWhatAConfigurationSaysCountsMoreThanWhatIsPredefined, and less than what is stored or given; patterns of files
// know both, and what they say of one another.
func TestWhatAConfigurationSaysCountsMoreThanWhatIsPredefined(t *testing.T) {
	const text = `
variables: {CI_COMMIT_BRANCH: foo, STORED: yaml, DIR: $TOP/docs}
over predefined: {script: x, rules: [{if: $CI_COMMIT_BRANCH == "foo"}]}
below stored: {script: x, rules: [{if: $STORED == "stored"}]}
changed: {script: x, rules: [{changes: [$DIR/*]}]}
only changed: {script: x, only: {changes: [$DIR/*]}}
nested: {script: x, rules: [{if: $DIR == "sub/docs"}]}
there: {script: x, variables: {FILE: go.mod}, rules: [{exists: [$FILE]}]}
`
	p, err := planned(t, text, Facts{
		Source: enum.SourcePush, Ref: "main", Variables: vars("CI_COMMIT_BRANCH", "main", "STORED", "stored", "TOP", "sub"), Predefined: 1,
		Files: repository{changed: []string{"sub/docs/a"}, known: true, tree: map[string][]string{"": {"go.mod"}}},
	})
	if err != nil || len(p.Jobs) != 4 {
		t.Errorf("%+v, left out %+v, %v", p.Jobs, p.LeftOut, err)
	}
}

// TestAPipelineOfTooMuch is refused before it is made.
func TestAPipelineOfTooMuch(t *testing.T) {
	text := "default:\n  before_script:\n" + strings.Repeat("    - echo "+strings.Repeat("a", 90)+"\n", 5000) + strings.Repeat("j: {script: x}\n", 1)
	for i := range 400 {
		text += fmt.Sprintf("j%d: {script: x}\n", i)
	}
	var refused *Refusal
	if _, err := planned(t, text, Facts{Source: enum.SourcePush, Ref: "main"}); !errors.As(err, &refused) || !strings.Contains(refused.Text, "too big") {
		t.Errorf("%v", err)
	}
}

// TestManyAlternatives of braces are not compared one by one with many paths.
func TestManyAlternatives(t *testing.T) {
	paths := make([]string, 5000)
	for i := range paths {
		paths[i] = fmt.Sprint("file", i)
	}
	if !anyMatch([]string{strings.Repeat("{a,b}", 10)}, paths) || anyMatch([]string{"{a,b}{c,d}"}, paths) {
		t.Error("more than is compared is taken to match, and nothing else")
	}
}
