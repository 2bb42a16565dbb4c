package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/ci/variable"
)

// shelf is a resolver of files in memory: "path" of the project itself, "project:path" of others.
type shelf struct {
	files   map[string]string
	fetches int
}

func (s *shelf) Fetch(from Context, l Location) ([]byte, Context, error) {
	s.fetches++
	key, at := strings.TrimPrefix(l.Name, "/"), from
	switch l.Kind {
	case "project":
		key, at.Project = l.Project+":"+key, l.Project
	case "local":
		if from.Project != "own" {
			key = from.Project + ":" + key
		}
	case "component":
		key, at.Component = "component:"+l.Name, map[string]string{"name": "scan", "sha": "abc", "version": "1.2.0"}
	case "remote":
		at = Context{Alone: true}
	case "artifact":
		key = l.Job + ":" + key
	case "template":
		key = "template:" + key
	}
	text, ok := s.files[key]
	if !ok {
		return nil, at, &Refused{Text: "Local file `" + l.Name + "` does not exist!"}
	}
	at.Source = key
	return []byte(text), at, nil
}

func (s *shelf) Match(_ Context, pattern string) ([]string, error) {
	dir := strings.TrimSuffix(pattern, "*.yml")
	var out []string
	for _, name := range []string{"ci/a.yml", "ci/b.yml"} {
		if _, ok := s.files[name]; ok && strings.HasPrefix(name, dir) {
			out = append(out, name)
		}
	}
	return out, nil
}

func loadFrom(s *shelf, text string, o Options) (*Config, []*Error) {
	o.Resolver, o.Project, o.SHA = s, "own", "sha"
	return Load(File{Name: ".gitlab-ci.yml", Content: []byte(text)}, o)
}

func scripts(c *Config) map[string]string {
	out := map[string]string{}
	for _, j := range c.Jobs {
		out[j.Name] = strings.Join(j.Script, "; ")
	}
	return out
}

func TestIncludes(t *testing.T) {
	s := &shelf{files: map[string]string{
		"ci/a.yml":                        "include: /ci/deep.yml\na: {script: a}\nshared: {script: from a, image: x}",
		"ci/b.yml":                        "shared: {script: from b}",
		"ci/deep.yml":                     "deep: {script: deep}\na: {script: deep's, tags: [t]}",
		"tools/ci:base.yml":               "include: {local: more.yml}\nbase: {script: base}",
		"tools/ci:more.yml":               "more: {script: more}",
		"https://x.example/r.yml":         "remote: {script: r}",
		"ci/input.yml":                    "spec: {inputs: {env: {default: dev}, n: {type: number, default: 1}}}\n---\n\"deploy-$[[ inputs.env ]]\":\n  script: echo $[[ inputs.env ]]\n  parallel: $[[ inputs.n ]]",
		"component:ci.example/g/p/scan@1": "spec: {component: [name, version]}\n---\nscan: {script: '$[[ component.name ]] $[[ component.version ]]'}",
	}}
	o := Options{Variables: variable.Collection{{Key: "WHERE", Value: "tools"}}}
	for name, given := range map[string]struct {
		text string
		want map[string]string
	}{
		"local, nested, later over earlier, own over all": {
			"include: [ci/a.yml, {local: ci/b.yml}]\na: {after_script: [x]}\nshared: {tags: [own]}",
			map[string]string{"a": "a", "deep": "deep", "shared": "from b"},
		},
		"wildcards": {"include: 'ci/*.yml'\nx: {script: x}", map[string]string{"a": "a", "deep": "deep", "shared": "from b", "x": "x"}},
		"another project, its locals, variables in names": {"include: {project: $WHERE/ci, file: [base.yml, more.yml]}", map[string]string{"base": "base", "more": "more"}},
		"remote": {"include: https://x.example/r.yml", map[string]string{"remote": "r"}},
		"inputs": {
			"include: [{local: ci/input.yml, inputs: {env: prod, n: '2'}}, {local: ci/input.yml}]",
			map[string]string{"deploy-prod 1/2": "echo prod", "deploy-prod 2/2": "echo prod", "deploy-dev 1/1": "echo dev"},
		},
		"component": {"include: {component: ci.example/g/p/scan@1}", map[string]string{"scan": "scan 1.2.0"}},
		"rules": {
			"include: [{local: ci/b.yml, rules: [{if: $NONE}]}, {local: ci/deep.yml, rules: [{if: $WHERE}]}, {local: ci/a.yml, rules: [{if: $WHERE, when: never}]}]",
			map[string]string{"deep": "deep", "a": "deep's"},
		},
	} {
		want := given.want
		c, errs := loadFrom(s, given.text, o)
		if errs != nil {
			t.Errorf("%s: %v", name, errs)
			continue
		}
		if d := cmp.Diff(want, scripts(c)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestWrongIncludes(t *testing.T) {
	files := map[string]string{
		"self.yml": "include: self.yml\na: {script: a}", "broken.yml": "a: [", "list.yml": "- a", "void.yml": "# nothing", "needy.yml": "spec: {inputs: {env: }}\n---\na:\n  script: $[[ inputs.env ]]",
		"plain.yml": "a: {script: a}", "job.yml": "b: {script: [1]}",
	}
	for text, want := range map[string]string{
		"include: none.yml": "Local file `none.yml` does not exist!",
		"include: self.yml": "Maximum of 150 nested includes are allowed!",
		"include: list.yml": "`list.yml`: Invalid configuration format", "include: void.yml": "Included file `void.yml` does not have valid YAML syntax!",
		"include: needy.yml": "`needy.yml`: `env` input: required value has not been provided",
		"include: {local: needy.yml, inputs: {env: a, x: b}}": "`needy.yml`: unknown input arguments: x",
		"include: {local: plain.yml, inputs: {x: b}}":         "`plain.yml`: Given inputs not defined in the `spec` section of the included configuration file",
		"include: {project: a/b}":                             "include config must specify the file where to fetch the config from",
		"include: {local: a.yml, remote: b.yml}":              "Each include must use only one of: `local`, `project`, `remote`, `template`, `component`, `artifact`",
		"include: job.yml":                                    "jobs:b:script config should be a string or a nested array of strings up to 10 levels deep",
	} {
		_, errs := loadFrom(&shelf{files: files}, text+"\nown: {script: x}", Options{})
		if len(errs) != 1 || errs[0].Text != want {
			t.Errorf("%s: %v, want %s", text, errs, want)
		}
	}
	_, errs := loadFrom(&shelf{files: files}, "include: broken.yml\nown: {script: x}", Options{})
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Text, "`broken.yml`: ") || errs[0].File != "broken.yml" || errs[0].Line == 0 {
		t.Errorf("%+v", errs)
	}
	_, errs = loadFrom(&shelf{files: files}, "include: job.yml\nown: {script: x}", Options{})
	if len(errs) != 1 || errs[0].File != "job.yml" || errs[0].Line != 1 || !strings.Contains(errs[0].Excerpt, "b: {script: [1]}") {
		t.Errorf("the place of a mistake in an included file: %+v", errs)
	}
}

// TestFilesAreFetchedOnce, however often they are included.
func TestFilesAreFetchedOnce(t *testing.T) {
	s := &shelf{files: map[string]string{"a.yml": "a: {script: a}"}}
	if _, errs := loadFrom(s, "include: [a.yml, a.yml, a.yml]", Options{}); errs != nil || s.fetches != 1 {
		t.Errorf("%d fetches, %v", s.fetches, errs)
	}
}

func TestInputs(t *testing.T) {
	const header = "spec:\n  inputs:\n    env: {options: [dev, prod], default: dev}\n    count: {type: number, default: 3}\n    on: {type: boolean, default: false}\n" +
		"    list: {type: array, default: [a, b]}\n    name: {regex: '^[a-z]+$', default: x}\n---\n"
	for _, c := range []struct {
		inputs map[string]any
		script string
		want   string
	}{
		{nil, "$[[ inputs.env ]] $[[inputs.count]] $[[ inputs.on ]]", "dev 3 false"},
		{map[string]any{"env": "prod", "count": "5", "on": true}, "$[[ inputs.env ]] $[[ inputs.count ]] $[[ inputs.on ]]", "prod 5 true"},
		{map[string]any{"list": "[\"c\"]"}, "$[[ inputs.list ]]", "c"},
		{nil, "$[[ inputs.list ]]", "a; b"},
		{nil, "l: $[[ inputs.list ]]", `l: ["a", "b"]`},
		{map[string]any{"count": "1.0"}, "x $[[ inputs.count ]]", "x 1.0"},
		{map[string]any{"count": 1e20}, "x $[[ inputs.count ]]", "x 1.0e+20"},
		{map[string]any{"list": []any{"a", int64(1), nil, true}}, "x $[[ inputs.list ]]", `x ["a", 1, nil, true]`},
		{map[string]any{"name": "abc"}, "$[[ inputs.name ]]", "abc"},
		{nil, "$[[ inputs.name | truncate(0,1) ]]", "x"},
		{map[string]any{"name": "abcdef"}, "$[[ inputs.name | truncate(3,5) | posix_escape ]]", "def"},
		{nil, "$[[ matrix.X ]] and $[[]]", "$[[ matrix.X ]] and $[[]]"},
	} {
		got, errs := Load(File{Name: "a.yml", Content: []byte(header + "job:\n  script: '" + c.script + "'")}, Options{Inputs: c.inputs})
		if errs != nil || strings.Join(got.Jobs[0].Script, "; ") != c.want {
			t.Errorf("%s with %v: %v %v", c.script, c.inputs, got, errs)
		}
	}
	for want, inputs := range map[string]map[string]any{
		"`env` input: `test` cannot be used because it is not in the list of allowed options": {"env": "test"},
		"`count` input: provided value is not a number":                                       {"count": "many"},
		"`on` input: provided value is not a boolean":                                         {"on": "maybe"},
		"`list` input: provided value is not an array":                                        {"list": "a"},
		"`name` input: provided value does not match required RegEx pattern":                  {"name": "A1"},
		"unknown input arguments: nobody":                                                     {"nobody": 1},
	} {
		_, errs := Load(File{Name: "a.yml", Content: []byte(header + "job: {script: x}")}, Options{Inputs: inputs})
		if len(errs) != 1 || errs[0].Text != want {
			t.Errorf("%v: %v, want %s", inputs, errs, want)
		}
	}
	_, errs := Load(File{Name: "a.yml", Content: []byte("job: {script: x}")}, Options{Inputs: map[string]any{"a": 1}})
	if len(errs) != 1 || errs[0].Text != "Given inputs not defined in the `spec` section of the included configuration file" {
		t.Errorf("%v", errs)
	}
}

func TestExpandVarsInInputs(t *testing.T) {
	vars := variable.Collection{{Key: "MY_VAR", Value: "mine"}, {Key: "NESTED_VAR", Value: "$MY_VAR"}, {Key: "SECRET", Value: "s", Masked: true}}
	for given, want := range map[string]string{"$NESTED_VAR": "$MY_VAR", "$UNKNOWN_VAR": "$UNKNOWN_VAR", "x ${MY_VAR}": "x mine"} {
		c, errs := Load(File{Name: "a.yml", Content: []byte("spec: {inputs: {a: }}\n---\njob: {script: '$[[ inputs.a | expand_vars ]]'}")},
			Options{Inputs: map[string]any{"a": given}, Variables: vars})
		if errs != nil || c.Jobs[0].Script[0] != want {
			t.Errorf("%s: %v %v", given, c, errs)
		}
	}
	_, errs := Load(File{Name: "a.yml", Content: []byte("spec: {inputs: {a: }}\n---\njob: {script: '$[[ inputs.a | expand_vars ]]'}")},
		Options{Inputs: map[string]any{"a": "$SECRET"}, Variables: vars})
	if len(errs) != 1 || !strings.Contains(errs[0].Text, "masked variables cannot be expanded") {
		t.Errorf("%v", errs)
	}
}

func TestExtendsAndReferences(t *testing.T) {
	c, errs := load(`
.base:
  image: alpine
  variables: {A: base, B: base}
  before_script: [one]
.more:
  extends: .base
  variables: {B: more, C: more}
  script: [m]
job:
  extends: [.base, .more]
  variables: {C: own}
  script:
    - !reference [.more, script]
    - !reference [.parts, second, script]
    - last
other: {script: x, extends: .base, variables: , before_script: }
.parts:
  second: {script: [!reference [.base, before_script], two]}
`)
	if errs != nil {
		t.Fatal(errs)
	}
	job, other := c.Jobs[0], c.Jobs[1]
	if d := cmp.Diff([]string{"m", "one", "two", "last"}, job.Script); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Variable{{Key: "A", Value: "base"}, {Key: "B", Value: "more"}, {Key: "C", Value: "own"}}, job.Variables); d != "" || job.Image.Name != "alpine" {
		t.Error(d, job.Image)
	}
	if len(other.Variables) != 0 || other.Image.Name != "alpine" || len(other.BeforeScript) != 0 {
		t.Errorf("%+v", other)
	}
}

// TestReferencesDoNotExplode: what a few lines stand for is counted before it is made.
func TestReferencesDoNotExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString(".l0: {script: [x, x, x, x, x, x, x, x, x, x]}\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&b, ".l%d: {script: [%s]}\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("!reference [.l%d, script], ", i-1), 10), ", "))
	}
	b.WriteString("job: {script: [!reference [.l8, script]]}\n")
	if _, errs := load(b.String()); len(errs) != 1 || errs[0].Text != "The parsed YAML is too big" {
		t.Errorf("%v", errs)
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]struct{ errors, warnings int }{
		"job: {script: x, rules: [{if: $A}, {when: always}]}":                            {0, 1},
		"job: {script: x, rules: [{when: never}]}":                                       {0, 0}, // case 279
		"job: {script: x, rules: [{if: $A}]}":                                            {0, 0},
		"workflow: {rules: [{when: always}]}\njob: {script: x, rules: [{when: always}]}": {0, 0},
		"job: {script: x, rules: [{when: always}]}\nother: {script: x, image: [y]}":      {1, 1}, // case 281
		"job: {script: x, rules: [{when: always}]}\nother: {script: x, stage: nowhere}":  {1, 1},
		"job: {script: x, rules: [{when: always}]}\nother: {script: x, extends: nobody}": {1, 0}, // it is before
	} {
		r, err := LoadWith(File{Name: "a.yml", Content: []byte(text)}, Options{})
		if err != nil || len(Apart(r.Errors)) != want.errors || len(r.Warnings) != want.warnings {
			t.Errorf("%s: %v %v %v", text, r.Errors, r.Warnings, err)
		}
		if want.warnings > 0 && len(r.Warnings) > 0 && !strings.HasPrefix(r.Warnings[0].Text, "jobs:job may allow multiple pipelines to run for a single action due to `rules:when` clause with no `workflow:rules` - read more: https://docs.gitlab.com/") {
			t.Error(r.Warnings[0])
		}
	}
}

// TestInputsThatDependOnOthers: the first rule that holds gives options and default; what is given to later inputs counts.
func TestInputsThatDependOnOthers(t *testing.T) {
	const header = `spec:
  inputs:
    cloud: {options: [aws, gcp], default: aws}
    size:
      rules:
        - {if: '$[[ inputs.cloud ]] == "aws" && $[[ inputs.later-one ]] == "x"', options: [huge], default: huge}
        - {if: '$[[ inputs.cloud ]] == "aws"', options: [small, large], default: small}
        - {options: [tiny], default: tiny}
    own:
      rules: [{if: '$[[ inputs.cloud ]] == "gcp"', default: given by a rule}]
    later-one: {default: z}
---
job: {script: '$[[ inputs.cloud ]] $[[ inputs.size ]] [$[[ inputs.own ]]]'}
`
	for _, c := range []struct {
		inputs map[string]any
		want   string
	}{
		{nil, "aws small []"},
		{map[string]any{"size": "large"}, "aws large []"},
		{map[string]any{"size": ""}, "aws small []"},
		{map[string]any{"later-one": "x"}, "aws huge []"},
		{map[string]any{"cloud": "gcp"}, "gcp tiny [given by a rule]"},
		{map[string]any{"cloud": "gcp", "own": "mine"}, "gcp tiny [mine]"},
		{map[string]any{"cloud": "gcp", "size": "large"}, "`size` input: `large` cannot be used because it is not in the list of allowed options"},
	} {
		got, errs := Load(File{Name: "a.yml", Content: []byte(header)}, Options{Inputs: c.inputs})
		switch {
		case errs != nil && errs[0].Text != c.want, errs == nil && got.Jobs[0].Script[0] != c.want:
			t.Errorf("%v: %v %v, want %s", c.inputs, errs, got, c.want)
		}
	}
}

// TestInputsFromOtherFiles: spec:include (cases 191 and beyond).
func TestInputsFromOtherFiles(t *testing.T) {
	s := &shelf{files: map[string]string{
		"inputs.yml":              "inputs:\n  region: {default: eu}\n  size: {type: number, default: 3}",
		"tools:more.yml":          "inputs: {name: {}}",
		"https://x.example/i.yml": "inputs: {far: {default: away}}",
		"jobs.yml":                "inputs: {a: {}}\njob: {script: x}\nstages: [b]",
		"wrong.yml":               "inputs: {a: {type: nothing}}",
		"list.yml":                "- a",
		"broken.yml":              "a: [",
		"empty.yml":               "inputs:",
		"component.yml":           "spec: {include: [{local: inputs.yml}]}\n---\n\"in-$[[ inputs.region ]]\": {script: x}",
	}}
	c, errs := loadFrom(s, "spec:\n  include:\n    - local: /inputs.yml\n    - {project: tools, file: more.yml}\n    - {remote: 'https://x.example/i.yml'}\n    - local: empty.yml\n  inputs: {own: {default: mine}}\n---\n"+
		"include: {local: component.yml, inputs: {region: us}}\n"+
		"a: {script: '$[[ inputs.region ]] $[[ inputs.size ]] $[[ inputs.name ]] $[[ inputs.far ]] $[[ inputs.own ]]'}", Options{Inputs: map[string]any{"name": "given"}})
	if errs != nil {
		t.Fatal(errs)
	}
	if d := cmp.Diff(map[string]string{"a": "eu 3 given away mine", "in-us": "x"}, scripts(c)); d != "" {
		t.Error(d)
	}
	for spec, want := range map[string]string{
		"{include: [{local: none.yml}]}":                               "Local file `none.yml` does not exist!",
		"{include: {local: inputs.yml}}":                               "header:spec:include config should be an array or a string",
		"{include: [{ref: x}]}":                                        "…does not have a valid subkey for header include. Valid subkeys are: `local`, `remote`, `project`",
		"{include: [{local: jobs.yml}]}":                               "Header include file `jobs.yml` contains unknown keys: [:job, :stages]",
		"{include: [{local: inputs.yml}], inputs: {size: , region: }}": "Duplicate input keys found: size, region. Input keys must be unique across all included files and inline specifications.",
		"{include: [{local: inputs.yml}, {local: inputs.yml}]}":        "Duplicate input keys found: region, size. Input keys must be unique across all included files and inline specifications.",
		"{include: [{template: Go.gitlab-ci.yml}]}":                    "header:spec:include:include config contains unknown keys: template",
		"{include: [{local: wrong.yml}]}":                              "header:spec:inputs:a input type unknown value: nothing",
		"{include: [{local: list.yml}]}":                               "Included file `list.yml` does not have valid YAML syntax!",
		"{include: [{local: broken.yml}]}":                             "`broken.yml`: did not find expected node content while parsing a flow node",
		"{include: [{local: inputs.txt}]}":                             "Included file `inputs.txt` does not have YAML extension!",
	} {
		_, errs := loadFrom(s, "spec: "+spec+"\n---\na: {script: x}", Options{})
		got := ""
		if len(errs) > 0 {
			got = errs[0].Text
		}
		if end, cut := strings.CutPrefix(want, "…"); !(cut && strings.HasSuffix(got, end)) && got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
}

// TestFilesFromArtifacts are read for child pipelines alone (cases 147, 149, 207).
func TestFilesFromArtifacts(t *testing.T) {
	s := &shelf{files: map[string]string{"generator:out.yml": "spec: {inputs: {env: {}}}\n---\ndeploy: {script: 'echo $[[ inputs.env ]]'}"}}
	child := Options{Child: true}
	c, errs := loadFrom(s, "include: {artifact: out.yml, job: generator, inputs: {env: production}}", child)
	if errs != nil || scripts(c)["deploy"] != "echo production" {
		t.Errorf("%v %v", c, errs)
	}
	for text, want := range map[string]string{
		"include: {artifact: out.yml}":                 "Job must be provided when including configs from artifacts",
		"include: {artifact: out.txt, job: generator}": "Included file `out.txt` does not have YAML extension!",
	} {
		if _, errs := loadFrom(s, text, child); len(errs) != 1 || errs[0].Text != want {
			t.Errorf("%s: %v", text, errs)
		}
	}
	if _, errs := loadFrom(s, "include: {artifact: out.yml, job: generator}", Options{}); len(errs) != 1 || errs[0].Text != "Including configs from artifacts is only allowed when triggering child pipelines" {
		t.Error(errs)
	}
}

// TestIncludeCases are GitLab's own (by their numbers).
func TestIncludeCases(t *testing.T) {
	s := &shelf{files: map[string]string{
		"https://example.com/remote.yml": "variables: {A: alpha, B: beta}\njob1: {script: [echo 'hello from remote file']}", "tools:a.yml": "a: {script: x}", "tools:b.yml": "b: {script: x}",
		"template:Auto-DevOps.gitlab-ci.yml": "auto: {script: x}", "deep.yml": "include: [tools.yml, tools.yml]", "tools.yml": "t: {script: x}", "in.yml": "t: {script: '$[[ inputs.a ]]'}",
		"http://host/radio/.gitlab-ci.yml": "radio: {script: x}", "group.yml": "group: {script: x}", "project.yml": "project: {script: x}",
		"expand.yml": "spec: {inputs: {a: {}}}\n---\nt: {script: 'x $[[ inputs.a | expand_vars ]]'}", "cut.yml": "spec: {inputs: {a: {}}}\n---\nt: {script: '$[[ inputs.a | truncate(3,5) ]]'}",
	}}
	vars := variable.Collection{{Key: "CI_SERVER_URL", Value: "http://host"}, {Key: "WHICH", Value: "group.yml"}, {Key: "WHICH", Value: "project.yml"}, {Key: "NESTED_VAR", Value: "$MY_VAR"}, {Key: "MY_VAR", Value: "my"}}
	keys := func(c *Config) string {
		var out []string
		for _, v := range c.Variables {
			out = append(out, v.Key)
		}
		return strings.Join(out, " ")
	}
	for number, tc := range map[int]struct {
		text string
		o    Options
		want func(c *Config) bool
		err  string
	}{
		135: {text: "include: ['https://example.com/remote.yml', {template: Auto-DevOps.gitlab-ci.yml}]", want: func(c *Config) bool { return len(c.Jobs) == 2 }},
		137: {text: "include: local.gitlab-ci.yml\na: {script: x}", err: "Local file `local.gitlab-ci.yml` does not exist!"},
		139: {text: "include: $WHICH", want: func(c *Config) bool { return c.Jobs[0].Name == "project" }},
		141: {text: "include: https://example.com/remote.yml\nvariables: {C: gamma, D: delta}", want: func(c *Config) bool { return keys(c) == "A B C D" }},
		143: {text: "include: https://example.com/remote.yml\njob1: {variables: {E: f}}", want: func(c *Config) bool {
			return c.Jobs[0].Script[0] == "echo 'hello from remote file'" && c.Jobs[0].Variables[0].Key == "E"
		}},
		153: {text: "include: {project: tools, file: [a.yml, b.yml]}", want: func(c *Config) bool { return len(c.Jobs) == 2 }},
		155: {text: "include: {local: group.yml, rules: [{exists: [there]}]}\na: {script: x}", want: func(c *Config) bool { return len(c.Jobs) == 2 }},
		156: {text: "include: {local: group.yml, rules: [{exists: [gone]}]}\na: {script: x}", want: func(c *Config) bool { return len(c.Jobs) == 1 }},
		165: {text: "include: [group.yml, project.yml]", o: Options{MaxIncludes: 1}, err: "Maximum of 1 nested includes are allowed!"},
		166: {text: "include: {project: tools, file: [a.yml, b.yml]}", o: Options{MaxIncludes: 1}, err: "Maximum of 1 nested includes are allowed!"},
		167: {text: "include: $CI_SERVER_URL/radio/.gitlab-ci.yml", want: func(c *Config) bool { return c.Includes[0].Location.Kind == "remote" && c.Jobs[0].Name == "radio" }},
		181: {text: "include: {local: group.yml, inputs: {a: b}}", err: "`group.yml`: Given inputs not defined in the `spec` section of the included configuration file"},
		193: {text: "include: {local: expand.yml, inputs: {a: $NESTED_VAR}}", want: func(c *Config) bool { return c.Jobs[0].Script[0] == "x $MY_VAR" }},
		195: {text: "include: {local: expand.yml, inputs: {a: $UNKNOWN_VAR}}", want: func(c *Config) bool { return c.Jobs[0].Script[0] == "x $UNKNOWN_VAR" }},
		199: {text: "include: {local: cut.yml, inputs: {a: '0123456789'}}", want: func(c *Config) bool { return c.Jobs[0].Script[0] == "34567" }},
		// beyond those
		1331: {text: "include: {local: $NOTHING}\na: {script: x}", err: "`{\"local\":\"\"}` does not have a valid subkey for include. Valid subkeys are: `local`, `project`, `remote`, `template`, `component`, `artifact`"},
		1332: {text: "include: [{local: a.yml, remote: 'https://a/b.yml'}]\na: {script: x}", err: "Each include must use only one of: `local`, `project`, `remote`, `template`, `component`, `artifact`"},
		1333: {text: "include: [12]\na: {script: x}", err: "Each include must be a hash or a string"},
		1334: {text: "include: {local: group.yml, rules: [{unless: $A}]}\na: {script: x}", err: "include:rules:rule config contains unknown keys: unless"},
	} {
		tc.o.Variables = vars
		tc.o.Rules = func(_ Context, r Rule) (bool, error) { return r.Exists != nil && r.Exists.Paths[0] == "there", nil }
		c, errs := loadFrom(s, tc.text, tc.o)
		switch {
		case tc.err != "" && (len(errs) == 0 || errs[0].Text != tc.err):
			t.Errorf("case %d: %v, want %q", number, errs, tc.err)
		case tc.err == "" && errs != nil:
			t.Errorf("case %d: %v", number, errs)
		case tc.err == "" && !tc.want(c):
			t.Errorf("case %d: %+v", number, c)
		}
	}
}
