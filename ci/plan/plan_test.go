package plan

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/ci/config"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

func names(t *testing.T, text string, f Facts) ([]string, error) {
	t.Helper()
	c, errs := config.Load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, config.Options{})
	if errs != nil {
		t.Fatal(errs)
	}
	p, err := Build(c, f)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, j := range p.Jobs {
		out = append(out, j.Name)
	}
	return out, nil
}

func TestOnlyAndExcept(t *testing.T) {
	push := Facts{Source: enum.SourcePush, Ref: "main", ProjectPath: "g/p"}
	tag := Facts{Source: enum.SourcePush, Ref: "v1.0", Tag: true, ProjectPath: "g/p"}
	chat := Facts{Source: enum.SourceChat, Ref: "main", ProjectPath: "g/p"}
	api := Facts{Source: enum.SourceAPI, Ref: "issue-12", ProjectPath: "g/p"}
	for _, c := range []struct {
		keys string
		f    Facts
		want bool
	}{
		{"", push, true},
		{"", tag, true},
		{"", chat, true},
		{"only: [branches]", tag, false},
		{"only: [tags]", tag, true},
		{"only: [tags]", push, false},
		{"only: [chat]", push, false},
		{"only: [chat]", chat, true},
		{"only: [chats]", chat, true},
		{"except: [chat]", chat, false},
		{"except: [chat]", push, true},
		{"only: [pushes]", push, true},
		{"only: [push, api]", api, true},
		{"only: [main]", push, true},
		{"only: [Main]", push, false},
		{"only: [/^iss.*\\d$/]", api, true},
		{"only: [/ISS/i]", api, true},
		{"only: [/ISS/]", api, false},
		{"only: [/a/x]", api, false},
		{"only: [main@g/p]", push, true},
		{"only: [main@other/p]", push, false},
		{"only: [branches@g/p]", push, true},
		{"only: [main]\n  except: [pushes]", push, false},
		{"only: {refs: [main]}", push, true},
		{"only: [merge_requests]", push, false},
		{"except: [/^v/]", tag, false},
		// GitLab's own cases 305 to 317
		{"only: [main, deploy]", push, true},
		{"only: [main, tags]", tag, true},
		{"only: [main@g/p]", push, true},
		{"only: [pushes]", push, true},
		{"only: [triggers]", push, false},
		{"only: [external_pull_requests]", Facts{Source: "external_pull_request_event", Ref: "x"}, true},
		{"only: [external_pull_request_events]", Facts{Source: "external_pull_request_event", Ref: "x"}, false},
		{"only: [merge_requests]", Facts{Source: "merge_request_event", Ref: "x"}, true},
		{"only: [merge_request_events]", Facts{Source: "merge_request_event", Ref: "x"}, false},
		{"only: [/DOCS-.*/i]", Facts{Source: enum.SourcePush, Ref: "docs-something"}, true},
	} {
		_, err := names(t, "job:\n  script: x\n  "+c.keys+"\n", c.f)
		var r *Refusal
		if got := err == nil; got != c.want || err != nil && (!errors.As(err, &r) || r.Reason != FilteredByRules) {
			t.Errorf("%s on %s %s: included %v, %v", c.keys, c.f.Source, c.f.Ref, got, err)
		}
	}
}

const chatConfig = `
stages: [chatops]
hello: {stage: chatops, script: a, only: [chat]}
deploy: {stage: chatops, script: a, only: [chat], when: manual}
deploy-all: {stage: chatops, script: a}
never: {stage: chatops, script: a, except: [chat]}
needy: {stage: chatops, script: a, needs: [hello]}
relaxed: {stage: chatops, script: a, needs: [{job: hello, optional: true}]}
early: {stage: .pre, script: a}
.hidden: {script: a}
`

func TestChatKeepsTheNamedJobAlone(t *testing.T) {
	for job, want := range map[string]string{
		"hello": "hello", "relaxed": "relaxed", "early": "early", "deploy": "deploy",
		"never":   "excluded_job: the job `never` is kept out by `except: [chat]`",
		"needy":   "config_error: 'needy' job needs 'hello' job, but 'hello' does not exist",
		"helo":    "unknown_job: there is no job `helo` on the default branch `main`; did you mean `hello`?",
		"depoly":  "unknown_job: there is no job `depoly` on the default branch `main`; did you mean `deploy`?",
		".hidden": "unknown_job: ",
		"zzzzzz":  "unknown_job: there is no job `zzzzzz` on the default branch `main`; it has `deploy`, `deploy-all`, `early`",
	} {
		got, err := names(t, chatConfig, Facts{Source: enum.SourceChat, Ref: "main", ChatJob: job, DefaultRef: true})
		text := strings.Join(got, ",")
		var r *Refusal
		if errors.As(err, &r) {
			text = string(r.Reason) + ": " + r.Text
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: %s, want %s", job, text, want)
		}
	}
}

func TestPipelinesWithoutOrdinaryStages(t *testing.T) {
	_, err := names(t, "a: {script: x, stage: .pre}", Facts{Source: enum.SourcePush, Ref: "main"})
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != FilteredByRules {
		t.Fatal(err)
	}
	got, err := names(t, chatConfig, Facts{Source: enum.SourcePush, Ref: "main"})
	if err == nil || got != nil {
		t.Errorf("needy without hello: %v, %v", got, err)
	}
}

func TestVariablesAndTags(t *testing.T) {
	c, errs := config.Load(config.File{Name: "x", Content: []byte("variables: {A: root, B: root}\nj: {script: x, tags: [$T, $U], variables: {A: job}}")}, config.Options{})
	if errs != nil {
		t.Fatal(errs)
	}
	f := Facts{Source: enum.SourcePush, Ref: "main"}
	f.Variables.Add("T", "linux")
	p, err := Build(c, f)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]config.Variable{{Key: "B", Value: "root"}, {Key: "A", Value: "job"}}, p.Jobs[0].Definition.Variables); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"linux", "$U"}, p.Jobs[0].Tags); d != "" {
		t.Error(d)
	}
}

func TestSkipsCI(t *testing.T) {
	for in, want := range map[string]bool{
		"[ci skip]": true, "x [skip ci] y": true, "[CI-SKIP]": true, "a\n[skip_ci]": true,
		"[ ci skip]": false, "[ciskip]": false, "[ci  skip]": false, "[no ci]": false,
	} {
		if SkipsCI(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
}

// TestTooManyNeeds is GitLab's case 349.
func TestTooManyNeeds(t *testing.T) {
	var b, needs strings.Builder
	for i := range 101 {
		fmt.Fprintf(&b, "j%d: {stage: build, script: x}\n", i)
		fmt.Fprintf(&needs, "j%d, ", i)
	}
	_, err := names(t, b.String()+"rspec: {script: x, needs: ["+needs.String()+"]}", Facts{Source: enum.SourcePush, Ref: "main"})
	if err == nil || err.Error() != "rspec: one job can only need 50 others, but you have listed 101. See needs keyword documentation for more details" {
		t.Error(err)
	}
}

// TestBuildChangesNoConfiguration: one configuration serves many pipelines at once.
func TestBuildChangesNoConfiguration(t *testing.T) {
	const text = `
default: {tags: [$WHERE], retry: 1}
variables: {A: {value: a, description: d, expand: false}, B: $A}
workflow: {name: "for $WHERE", rules: [{if: '$WHERE == "x"', variables: {C: c}}, {when: always}]}
build: {script: [make], parallel: {matrix: [{OS: [a, b]}]}, artifacts: {paths: [$WHERE], expire_in: 1 day}, cache: {key: $WHERE, paths: [x]}}
test: {script: [make], needs: [build], services: [{name: $WHERE, alias: db}], variables: {D: $WHERE}, rules: [{if: $A, variables: {D: e}, needs: []}]}
deploy: {script: [make], environment: {name: "$WHERE/x", url: "https://$WHERE"}, resource_group: $WHERE, stage: deploy, when: manual, inputs: {n: {default: "1"}}}
go: {trigger: {include: [{local: a.yml}]}, inherit: {variables: [A]}}
`
	load := func() *config.Config {
		c, errs := config.Load(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, config.Options{})
		if errs != nil {
			t.Fatal(errs)
		}
		return c
	}
	c, want := load(), load()
	for _, where := range []string{"x", "y"} {
		for _, job := range []string{"", "test", "deploy"} {
			f := Facts{Source: enum.SourceChat, Ref: "main", ChatJob: job, WithNeeds: true, Variables: variable.Collection{{Key: "WHERE", Value: where}}}
			if _, err := Build(c, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !reflect.DeepEqual(c, want) {
		t.Error("Build changed the configuration")
	}
}
