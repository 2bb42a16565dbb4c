package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhatGitLabTells and what is found beyond it: GitLab looks into a keyword only if that is right by itself, tells
// all of the structure, and of what comes before and after that the first.
func TestWhatGitLabTells(t *testing.T) {
	s := &shelf{files: map[string]string{"base.yml": ".base:\n  script: x\n  artifacts: {expire_in: 1}\n", "bad.yml": "spec: {inputs: {a: , b: {type: number}}}\n---\nx: {script: y}"}}
	for text, want := range map[string][]string{
		// case 23: both are mistakes of the job itself
		"rspec: {script: a, bad_tags: mysql, rules: {wrong: format}}": {
			"jobs:rspec config contains unknown keys: bad_tags", "jobs:rspec rules should be an array containing hashes and arrays of hashes",
		},
		"rspec: {script: a, bad_tags: mysql, image: [x]}": {"jobs:rspec config contains unknown keys: bad_tags", "-jobs:rspec:image config should be a hash or a string"},
		"a: {script: x, image: [y], retry: 5}\nb: {script: x, stage: nowhere, tags: t}": {
			"jobs:a:image config should be a hash or a string", "retry config must be less than or equal to 2", "jobs:b:tags config should be an array of strings",
			"-b job: chosen stage nowhere does not exist; available stages are .pre, build, test, deploy, .post",
		},
		"default: {foo: 1, image: [x]}\na: {script: x}": {"default config contains unknown keys: foo", "-default:image config should be a hash or a string"},
		"a: {script: x, cache: {policy: y, untracked: z}, artifacts: {name: [], reports: {foo: bar}}}": {
			"jobs:a:cache policy should be a variable or one of: pull-push, push, pull", "jobs:a:artifacts name should be a string",
			"-jobs:a:cache:untracked config should be a boolean value", "-jobs:a:artifacts:reports config contains unknown keys: foo",
		},
		"a: {script: x, rules: [{when: y, changes: [1]}]}": {"jobs:a:rules:rule when unknown value: y", "-jobs:a:rules:rule:changes config should be an array of strings"},
		"a: {script: x, image: [y]}\nb: z":                 {"jobs b config should implement the script:, run:, or trigger: keyword", "-jobs:a:image config should be a hash or a string"},
		"image: a\ndefault: {image: b, tags: c}\nx: {script: y, tags: z}": {
			"image is defined in top-level and `default:` entry", "-default:tags config should be an array of strings", "-jobs:x:tags config should be an array of strings",
		},
		"a: {script: x, needs: [b, c], dependencies: [d]}": {
			"jobs:a dependencies the d should be part of needs", "-a job: undefined dependency: d", "-a job: undefined need: b", "-a job: undefined need: c",
		},
		"a: {extends: .no}\nb: {extends: .nor, image: [x]}\nc: {extends: a}\nd: {script: x, image: [y], needs: [a, e]}": {
			"a: unknown keys in `extends` (.no)", "-b: unknown keys in `extends` (.nor)", "-jobs:d:image config should be a hash or a string", "-d job: undefined need: e",
		},
		"a: {script: !reference [.a, x]}\nb: {script: [!reference [.b, x]]}\nc: {script: x, when: y}": {
			`!reference [".a", "x"] could not be found`, `-!reference [".b", "x"] could not be found`, "-jobs:c when should be one of: on_success, on_failure, always, manual, delayed",
		},
		"include: [none.yml, base.yml, nor.yml]\na: {script: x, image: [y]}": {"Local file `none.yml` does not exist!", "-Local file `nor.yml` does not exist!"},
		"include: bad.yml": {"`bad.yml`: `a` input: required value has not been provided", "-`bad.yml`: `b` input: required value has not been provided"},
		"spec: {inputs: {a: {default: x}}}\n---\na: {script: ['$[[ inputs.b ]]', '$[[ inputs.c ]]', '$[[ inputs.a ]]', '$[[ inputs.b ]]']}": {
			"unknown interpolation provided: `b` in `inputs.b`", "-unknown interpolation provided: `c` in `inputs.c`",
		},
		"stages: [1]\na: {script: x, stage: y}": {"stages config should be an array of strings or a nested array of strings up to 10 levels deep"},
	} {
		_, errs := loadFrom(s, text, Options{})
		var got []string
		for _, e := range Apart(errs) {
			mark := ""
			if e.Beyond {
				mark = "-"
			}
			got = append(got, mark+e.Text)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s\n%s", text, d)
		}
	}
}

// TestHowAMistakeCameThere: the chain of extends, references and includes, place and suggestion.
func TestHowAMistakeCameThere(t *testing.T) {
	s := &shelf{files: map[string]string{
		"ci/a.yml": "include: ci/b.yml\n.middle:\n  extends: .base\n", "ci/b.yml": ".base:\n  script: x\n  timeout: soon\n.list:\n  - a\n",
	}}
	for text, want := range map[string]string{
		"include: ci/a.yml\njob:\n  extends: .middle": "ci/b.yml:3:12: jobs:job:timeout config should be a duration\n" +
			"    2 |   script: x\n    3 |   timeout: soon\n                   ^\n" +
			"`job` extends `.middle` extends `.base`, ci/b.yml:1\nci/b.yml is included by ci/a.yml:1, that by .gitlab-ci.yml:1",
		".a: {image: [x]}\njob:\n  script: x\n  image: !reference [.a, image]": ".gitlab-ci.yml:1:13: jobs:job:image config should be a hash or a string\n" +
			"    1 | .a: {image: [x]}\n                    ^\n`job` takes it from `.a`, .gitlab-ci.yml:1",
		".a: &a {tags: x}\njob:\n  script: x\n  <<: *a": ".gitlab-ci.yml:1:15: jobs:job:tags config should be an array of strings\n" +
			"    1 | .a: &a {tags: x}\n                      ^\n`job` takes it from `.a`, .gitlab-ci.yml:1",
		"job: {script: x, artefacts: {}}": ".gitlab-ci.yml:1:18: jobs:job config contains unknown keys: artefacts\n" +
			"    1 | job: {script: x, artefacts: {}}\n                         ^\nDid you mean `artifacts`?",
		"build: {script: x}\njob:\n  script: x\n  needs:\n    - job: biuld": ".gitlab-ci.yml:5:12: job job: undefined need: biuld\n" +
			"    4 |   needs:\n    5 |     - job: biuld\n                   ^\nDid you mean `build`?",
		".setup: {script: x}\njob: {script: !reference [.setpu, script]}": ".gitlab-ci.yml:2:15: !reference [\".setpu\", \"script\"] could not be found\n" +
			"    1 | .setup: {script: x}\n    2 | job: {script: !reference [.setpu, script]}\n                      ^\nDid you mean `.setup`?",
	} {
		_, errs := loadFrom(s, text, Options{})
		if len(errs) == 0 {
			t.Errorf("%s: valid", text)
			continue
		}
		if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(errs[0].Report(), "\n")); d != "" {
			t.Errorf("%s\n%s", text, d)
		}
	}
}
