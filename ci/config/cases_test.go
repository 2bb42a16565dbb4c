package config

import (
	"fmt"
	"strings"
	"testing"
)

// valid stands for a configuration without mistakes.
const valid = ""

// TestCases are GitLab's own cases (by their numbers): a configuration, and the mistake that is reported, or the
// end of its text behind an ellipsis.
func TestCases(t *testing.T) {
	const nested = "should be a string or a nested array of strings up to 10 levels deep"
	kjobs := "build1: {stage: build, script: a}\nbuild2: {stage: build, script: a}\nparallel: {stage: build, script: a, parallel: 2}\n" +
		"test2: {stage: test, script: a}\ndeploy: {stage: deploy, script: a}\ntest1:\n  stage: test\n  script: a\n  "
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString(".b0: {script: a}\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, ".b%d: {extends: .b%d}\n", i, i-1)
		}
		return b.String() + fmt.Sprintf("job: {extends: .b%d}\n", n-1)
	}
	many := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint("v", i))
		}
		return strings.Join(names, ", ")
	}
	for _, c := range []struct {
		number     int
		text, want string
	}{
		{1, "", "Please provide content of .gitlab-ci.yml"},
		{3, "invalid_yaml", "Invalid configuration format"},
		{7, "- a", "Invalid configuration format"},
		{9, "before_script: [a]\n.hidden: {script: ls}", "jobs config should contain at least one visible job"},
		{11, "rspec: {before_script: test}", "jobs rspec config should implement the script:, run:, or trigger: keyword"},
		{13, "'': {script: a}", "jobs:job name can't be blank"},
		{17, ".hidden_job: {image: a}\nnormal_job: {script: a}", valid},
		{19, "default: {before_script: x}\na: {script: b}", valid},
		{21, "variables:\nrspec: {script: a}", valid},
		{23, rspec("bad_tags: mysql\nrules: {wrong: format}"), "jobs:rspec rules should be an array containing hashes and arrays of hashes"},
		{29, "stages: [true, test]\n" + rspec(""), "stages config should be an array of strings or a nested array of strings up to 10 levels deep"},
		{31, rspec("stage: acceptance"), "rspec job: chosen stage acceptance does not exist; available stages are .pre, build, test, deploy, .post"},
		{35, "default: {image: a}\nimage: b\n" + rspec(""), "image is defined in top-level and `default:` entry"},
		{37, "before_script: 123\n" + rspec(""), "before_script config " + nested},
		{45, rspec("after_script: [10, test]"), "jobs:rspec:after_script config " + nested},
		{51, rspec("hooks: {pre_get_sources_script: [a, b]}"), valid},
		{55, "job: {script: , stage: test}", "jobs:job script can't be blank"},
		{57, "job: {before_script: a, run: [{name: a, script: b}]}", "…these keys cannot be used together: before_script, run"},
		{59, "job: {run: [{step: ref}]}", "jobs:job run object at `/0` is missing required properties: name"},
		{61, "job: {run: [{name: a, step: ref, script: b}]}", "jobs:job run object property at `/0/script` is a disallowed additional property"},
		{63, "job: {run: [{name: a, script: b, invalid_key: c}]}", "jobs:job run object property at `/0/invalid_key` is a disallowed additional property"},
		{65, "job: {run: [{name: a, script: b, env: {my_var: 1}}]}", "jobs:job run value at `/0/env/my_var` is not a string"},
		{69, rspec("image: {name: ruby:2.7, pull_policy: if-not-present}"), valid},
		{71, rspec("image: {name: ruby, docker: {platform: arm64, user: dave}}"), valid},
		{73, rspec("image: [test]"), "jobs:rspec:image config should be a hash or a string"},
		{75, "services: [10, test]\n" + rspec(""), "services:service config should be a hash or a string"},
		{77, rspec("services: [10, test]"), "jobs:rspec:services:service config should be a hash or a string"},
		{79, "test: {script: a, image: {name: a, ports: [80]}}", "jobs:test:image config contains disallowed keys: ports"},
		{81, rspec("services: [{name: a, non_existing: b}]"), "…service config contains unknown keys: non_existing"},
		{89, "variables: test\n" + rspec(""), "variables config should be a hash"},
		{91, "variables: {VAR1: {invalid: hello}}\n" + rspec(""), "…var1 config uses invalid data keys: invalid"},
		{93, "variables: {VAR: {value: val1, options: [val1, val2]}}\n" + rspec(""), valid},
		{95, rspec("rules: [{variables: {VAR1: {value: a}}}]"), "…var1 config must be a string"},
		{103, ".base: {variables: {A: b}, script: a}\ntest4: {extends: .base, variables: }", valid},
		{105, rspec("") + "\ntest: {extends: rspec, image: a}", valid},
		{107, "first: my value\ntest: {extends: first, script: a}", "test: invalid base hashes in `extends` (first)"},
		{109, chain(12), "…: nesting too deep in `extends`"},
		{1092, chain(11), valid},
		{1091, chain(10), valid},
		{110, "test: {extends: [.a, .b], script: x}", "test: unknown keys in `extends` (.a, .b)"},
		{1101, ".a: {extends: .b}\n.b: {extends: .a}\ntest: {extends: .a, script: x}", "….a: circular dependency detected in `extends`"},
		{111, ".a: {script: a}\n.b: {script: b}\ntest: {extends: [.a, .b]}", valid},
		{115, "a: !reference [b]\nb: !reference [a]\n" + rspec(""), `!reference ["b"] is part of a circular chain`},
		{119, "a: !reference []\n" + rspec(""), "!reference [] is not valid"},
		{121, "a: !reference 1\n" + rspec(""), `!reference "1" is not valid`},
		{123, "a: !reference {b: c}\n" + rspec(""), `!reference {"b"=>"c"} is not valid`},
		{1231, "a: !reference [nowhere]\n" + rspec(""), `!reference ["nowhere"] could not be found`},
		{127, "job: {script: [!reference [.later, script]]}\n.later: {script: [a, b]}", valid},
		{129, "include: {local: a.yml}\n" + rspec(""), "Local file `a.yml` does not have project!"},
		{131, "include: invalid\n" + rspec(""), "Included file `invalid` does not have YAML extension!"},
		{133, "include: [{yolo: x}]\n" + rspec(""), "…does not have a valid subkey for include. Valid subkeys are: `local`, `project`, `remote`, `template`, `component`, `artifact`"},
		{157, "include: [{local: a.yml, rules: [$VARIABLE]}]\n" + rspec(""), "include rules should be an array of hashes"},
		{161, "include: {local: a.yml, integrity: sha256-x}\n" + rspec(""), "include config integrity can only be specified for remote includes"},
		{163, "include: {remote: 'https://a/b.yml', integrity: 'sha256-!'}\n" + rspec(""), "include config integrity hash must be base64 encoded"},
		{169, "include: {project: 12, file: a.yml}\n" + rspec(""), "…does not have a valid subkey for include. Valid subkeys are: `local`, `project`, `remote`, `template`, `component`, `artifact`"},
		{175, "build1: {stage: build, script: a}\nt: {trigger: {include: [{artifact: a, job: build1}]}}", valid},
		{177, "t: {trigger: {include: [{file: a.yml, project: b}]}}", valid},
		{179, "t: {trigger: {include: generated.yml}}", valid},
		{183, "spec: {arguments: {}}\n---\n" + rspec(""), "header:spec config contains unknown keys: arguments"},
		{185, "spec: {inputs: {number_of_deploy: {type: number, default: hello}}}\n---\n" + rspec(""), "`number_of_deploy` input: default value is not a number"},
		{187, "spec: {inputs: {cde: {default: x}}}\n---\njob: {script: '$[[ inputs.something.abc ]] $[[ inputs.cde ]] $[[ efg ]]'}", "unknown interpolation provided: `something` in `inputs.something.abc`"},
		{189, "spec: {component: [name]}\n---\njob: {script: '$[[ component.sha ]]'}", "unknown interpolation provided: `sha` in `component.sha`"},
		{197, "spec: {inputs: {a: {default: 100, type: number}}}\n---\njob: {script: '$[[ inputs.a | expand_vars ]]'}", "error in `expand_vars` function: invalid input type: expand_vars can only be used with string inputs"},
		{201, "spec: {inputs: {a: {default: x}}}\n---\njob: {script: '$[[ inputs.a | truncate(0,1) | truncate(0,1) | truncate(0,1) | truncate(0,1) ]]'}", "too many functions in interpolation block"},
		{203, "spec: {inputs: {a: {rules: [{if: '$[[ inputs.b ]] == \"x\"'}]}}}\n---\n" + rspec(""), "…rule with 'if' must define 'options' or 'default'"},
		{205, "spec: {inputs: {a: {rules: [], options: [a]}}}\n---\n" + rspec(""), "…config these keys cannot be used together: rules, options"},
		{209, rspec("inputs: {number_input: {type: number, default: not_a_number}}"), "…inputs `number_input`: default value is not a number"},
		{213, rspec("when: delayed"), "jobs:rspec start in should be a duration"},
		{215, rspec("when: delayed\nstart_in: 8 days"), "jobs:rspec start in should not exceed the limit"},
		{217, rspec("start_in: 1 day"), "jobs:rspec start in must be blank"},
		{219, rspec("when: true"), "jobs:rspec when should be a string"},
		{223, rspec("allow_failure: string"), "jobs:rspec allow failure should be a hash or a boolean value"},
		{227, rspec("timeout: 100"), "jobs:rspec:timeout config should be a duration"},
		{233, rspec("retry: -1"), "retry config must be greater than or equal to 0"},
		{235, rspec("retry: {max: 10}"), "retry max must be less than or equal to 2"},
		{237, rspec("retry: {max: 2, unknown_key: 1, one_more: 1}"), "retry config contains unknown keys: unknown_key, one_more"},
		{239, rspec("retry: {when: unknown_reason}"), "retry when is not included in the list"},
		{241, rspec("retry: {exit_codes: true}"), "retry exit codes should be an array of integers or an integer"},
		{243, rspec("tags: mysql"), "jobs:rspec:tags config should be an array of strings"},
		{245, rspec("resource_group: 123"), "jobs:rspec resource group should be a string"},
		{247, rspec("when: always\nrules: [{if: $A}]"), valid},
		{249, rspec("only: [a]\nrules: [{if: $A}]"), "jobs:rspec config key may not be used with `rules`: only"},
		{251, rspec("only: [a]\nexcept: [b]\nrules: [{if: $A}]"), "jobs:rspec config key may not be used with `rules`: only, except"},
		{253, rspec("only: [a]\nrules: "), valid},
		{255, rspec("rules: [{if: $A}, [{if: $B}, {when: never}]]"), valid},
		{257, rspec("rules: [{invalid_key: x}, [{if: $A}]]"), "…rule config contains unknown keys: invalid_key"},
		{259, rspec("rules: [{allow_failure: true}]"), valid},
		{261, rspec("rules: [{if: $MY_VAR ==}]"), "jobs:rspec:rules:rule if invalid expression syntax"},
		{263, rspec("rules: [{changes: [1, 2]}]"), "…changes config should be an array of strings"},
		{265, rspec("rules: [{changes: {paths: [a], regexp: b}}]"), "…must use exactly one of these keys: paths, regexp"},
		{267, rspec("rules: [{when: delayed, start_in: 2 days}]"), valid},
		{269, rspec("rules: [{when: delayed}]"), "…start in can't be blank"},
		{270, rspec("rules: [{when: manual, start_in: 2 days}]"), "…rule config contains disallowed keys: start_in"},
		{271, rspec("rules: [{when: explode}]"), "jobs:rspec:rules:rule when unknown value: explode"},
		{273, rspec("rules: [string]"), "jobs:rspec rules should be an array containing hashes and arrays of hashes"},
		{275, rspec("rules: [{variables: hello}]"), "…variables config should be a hash"},
		{277, rspec("rules: [{changes: [README.md]}]"), valid},
		{283, "workflow: {trash: a}\n" + rspec(""), "workflow config contains unknown keys: trash"},
		{285, "workflow: {rules: [{when: on_success}]}\n" + rspec(""), "…when unknown value: on_success"},
		{287, "workflow: {name: " + strings.Repeat("x", 256) + "}\n" + rspec(""), "workflow name is too long (maximum is 255 characters)"},
		{289, "workflow: {auto_cancel: {on_new_commit: interruptible, on_job_failure: none}}\n" + rspec(""), valid},
		{290, "workflow: {auto_cancel: {on_new_commit: x}}\n" + rspec(""), "workflow:auto_cancel on new commit must be one of: conservative, interruptible, none"},
		{291, rspec("only: 1"), "jobs:rspec:only has to be either an array of conditions or a hash"},
		{293, rspec("only: ['/*invalid/']"), "jobs:rspec:only config should be an array of strings or regular expressions using re2 syntax"},
		{295, rspec("except: [1, 1]"), "jobs:rspec:except config should be an array of strings or regular expressions using re2 syntax"},
		{297, rspec("only: {changes: [1]}"), "jobs:rspec:only changes should be an array of strings"},
		{299, rspec("only: {}"), "jobs:rspec:only config can't be blank"},
		{300, rspec("only: {kubernetes: something}"), "jobs:rspec:only kubernetes unknown value: something"},
		{319, kjobs + "dependencies: [undefined]", "test1 job: undefined dependency: undefined"},
		{323, kjobs + "needs: [test2]", valid},
		{325, kjobs + "needs: [parallel]", valid},
		{3251, kjobs + "needs: ['parallel 1/2']", valid},
		{329, kjobs + "needs: [undefined]", "test1 job: undefined need: undefined"},
		{331, kjobs + "needs: [deploy]", "test1 job: need deploy is not defined in current or prior stages"},
		{333, kjobs + "needs: [{job: build2, artifacts: false}, {job: build2}]", "test1 has the following needs duplicated: build2."},
		{335, kjobs + "needs: [build1, {job: build2}]\n  dependencies: [build3]", "…build3"},
		{3351, kjobs + "needs: [build1]\n  dependencies: [build2]", "jobs:test1 dependencies the build2 should be part of needs"},
		{337, kjobs + "needs: [{pipeline: \"123\", job: d}]\n  dependencies: [build1]", "jobs:test1 needs corresponding to dependencies must be from the same pipeline"},
		{339, kjobs + "needs: [{pipeline: \"123\", job: d}]", valid},
		{341, kjobs + "needs: [{job: ''}]", "jobs:test1:needs:need job can't be blank"},
		{345, kjobs + "rules: [{needs: [build1, {job: build1}]}]", "test1 has the following needs duplicated: build1."},
		{347, "job_a: {script: a, needs: [job_c]}\njob_b: {script: a, needs: [job_a]}\njob_c: {script: a, needs: [job_b]}", `The pipeline has circular dependencies: topological sort failed: ["job_a", "job_c", "job_b"]`},
		{353, rspec("parallel: test"), "jobs:rspec:parallel should be an integer or a hash"},
		{355, rspec("parallel: {}"), "jobs:rspec:parallel config missing required keys: matrix"},
		{356, rspec("parallel: 0"), "jobs:rspec:parallel config must be greater than or equal to 1"},
		{357, rspec("parallel: {matrix: [{A: [a, b]}]}"), valid},
		{361, rspec("parallel: {matrix: [{A: [" + many(15) + "], B: [" + many(15) + "]}]}"), "jobs:rspec:parallel:matrix config generates too many jobs (maximum is 200)"},
		{363, "build: {script: a, stage: build, parallel: {matrix: [{A: [a, b]}]}}\ntest: {script: a, needs: [{job: build, parallel: {matrix: [{A: '$[[ matrix.NONEXISTENT ]]'}]}}]}", "test job: 'NONEXISTENT' does not exist in matrix configuration"},
		{365, "b: {trigger: a/b, parallel: {matrix: [{A: [a, b]}]}}", valid},
		{373, rspec("cache: {key: {files: [1]}}"), "jobs:rspec:cache:key:files config should be an array of strings"},
		{375, rspec("cache: {key: {prefix: a}}"), "jobs:rspec:cache:key config must use exactly one of these keys: files, files_commits"},
		{377, rspec("cache: {untracked: string}"), "jobs:rspec:cache:untracked config should be a boolean value"},
		{379, rspec("cache: {policy: unknown}"), "jobs:rspec:cache policy should be a variable or one of: pull-push, push, pull"},
		{381, rspec("cache: {when: unknown}"), "jobs:rspec:cache when should be one of: on_success, on_failure, always"},
		{385, "test: {script: a, artifacts: [{paths: }, test/]}", "jobs:test:artifacts config should be a hash"},
		{387, rspec("artifacts: {when: 1}"), "jobs:rspec:artifacts when should be one of: on_success, on_failure, always"},
		{389, rspec("artifacts: {untracked: string}"), "jobs:rspec:artifacts untracked should be a boolean value"},
		{391, rspec("artifacts: {expose_as: x}"), "jobs:rspec:artifacts paths can't be blank"},
		{393, rspec("artifacts: {public: true, access: all}"), "jobs:rspec:artifacts config these keys cannot be used together: public, access"},
		{395, rspec("artifacts: {reports: junit.xml}"), "jobs:rspec:artifacts reports should be a hash"},
		{399, rspec("release: {tag_name: v1}"), "jobs:rspec:release description can't be blank"},
		{401, rspec("release: {tag_name: v1, description: d, released_at: ABC123}"), "jobs:rspec:release released at must be a valid datetime"},
		{403, rspec("environment: production"), valid},
		{405, "deploy_to_production: {script: a, environment: 1}", "jobs:deploy_to_production:environment config should be a hash or a string"},
		{407, rspec("environment: {name: a, action: invalid}"), "jobs:rspec:environment action should be start, stop, prepare, verify, or access"},
		{409, "review: {script: a, environment: {name: r, on_stop: close_review}}\nclose_review: {script: a}", "review job: on_stop job close_review does not have environment defined"},
		{411, "review: {script: a, environment: {name: r, on_stop: close_review}}\nclose_review: {script: a, environment: r}", "review job: on_stop job close_review needs to have action stop defined"},
		{413, "t: {trigger: ''}", "jobs:t:trigger config can't be blank"},
		{415, "t: {trigger: {project: [a]}}", "jobs:t:trigger project should be a string"},
		{417, "t: {trigger: {project: a/b, unknown: 123}}", "jobs:t:trigger config contains unknown keys: unknown"},
		{419, "t: {trigger: {branch: a, include: b.yml}}", "jobs:t:trigger config contains unknown keys: branch"},
		{421, "t: {trigger: {project: a/b, forward: {pipeline_variables: true}}}", valid},
		{423, "t: {trigger: a/b, allow_failure: {exit_codes: [42]}}", "jobs:t allow failure should be a boolean value"},
		{425, "t: {needs: [a]}\na: {script: b}", "jobs:t config should contain either a trigger or a needs:pipeline"},
		{427, "pages: {script: a, pages: {publish: foo}}", valid},
		{431, rspec("publish: foo"), "jobs:rspec publish can only be used within a `pages` job"},
	} {
		_, errs := load(c.text)
		var texts []string
		found := c.want == valid && errs == nil
		for _, e := range errs {
			texts = append(texts, e.Text)
			end, open := strings.CutPrefix(c.want, "…")
			found = found || c.want != valid && (e.Text == c.want || open && strings.HasSuffix(e.Text, end))
		}
		if !found {
			t.Errorf("case %d:\n%s\n got %q\nwant %q", c.number, c.text, texts, c.want)
		}
	}
}
