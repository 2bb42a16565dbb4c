package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeywords: of every keyword the forms that it has, what is wrong with others, and its limits. A row is the content
// of a job, or of a whole file, and what GitLab tells; nothing if it is valid. "@" stands for "jobs:j".
func TestKeywords(t *testing.T) {
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+", ", i)
		}
		return strings.TrimSuffix(b.String(), ", ")
	}
	deep := func(n int, inner string) string { return strings.Repeat("[", n) + inner + strings.Repeat("]", n) }
	long := func(n int) string { return strings.Repeat("x", n) }
	const (
		script  = "config should be a string or a nested array of strings up to 10 levels deep"
		strs    = "should be an array of strings"
		oneMany = "should be an array of strings or a string"
		truth   = "should be a boolean value"
		str     = "should be a string"
		hash    = "config should be a hash"
		empty   = "can't be blank"
		letters = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'"
	)
	type rows map[string][]string
	ok := []string(nil)
	one := func(texts ...string) []string { return texts }
	for keyword, table := range map[string]rows{
		"script": {
			"script: a": ok, "script: [a, b]": ok, "script: [a, [b, [c]]]": ok, "script: " + deep(10, "a"): ok, "script: " + deep(11, "a"): one("@:script " + script),
			"script: ''": one("@ script " + empty), "script: '  '": one("@ script " + empty), "script: []": one("@ script " + empty), "script:": one("@ script " + empty),
			"script: 1": one("@:script " + script), "script: [true]": one("@:script " + script), "script: {a: b}": one("@:script " + script), "script: [:a]": ok,
		},
		"before_script": {"script: a\nbefore_script: []": ok, "script: a\nbefore_script: b": ok, "script: a\nbefore_script: [1]": one("@:before_script " + script)},
		"after_script":  {"script: a\nafter_script: [b, [c]]": ok, "script: a\nafter_script: {a: b}": one("@:after_script " + script)},
		"hooks": {
			"script: a\nhooks: {pre_get_sources_script: b}": ok, "script: a\nhooks: {pre_get_sources_script: [[b]]}": ok, "script: a\nhooks: {}": ok,
			"script: a\nhooks: [b]": one("@:hooks " + hash), "script: a\nhooks: {post: b}": one("@:hooks config contains unknown keys: post"),
			"script: a\nhooks: {pre_get_sources_script: 1}": one("@:hooks:pre_get_sources_script " + script),
		},
		"stage": {
			"script: a\nstage: test": ok, "script: a\nstage: .pre": ok, "script: a\nstage: [test]": one("@:stage config " + str), "script: a\nstage: 1": one("@:stage config " + str),
			"script: a\nstage: " + long(256): one("@:stage config is too long (maximum is 255 characters)"),
		},
		"image": {
			"script: a\nimage: b": ok, "script: a\nimage: {name: b, entrypoint: [c], pull_policy: always, docker: {platform: d, user: e}, kubernetes: {user: 1000}}": ok,
			"script: a\nimage: {name: b, pull_policy: [always, never, if-not-present]}": ok, "script: a\nimage: ''": one("@:image name " + empty),
			"script: a\nimage: 1":                                               one("@:image config should be a hash or a string", "@:image name "+str, "@:image name "+empty),
			"script: a\nimage: {entrypoint: [b]}":                               one("@:image name "+str, "@:image name "+empty),
			"script: a\nimage: {name: b, entrypoint: c}":                        one("@:image entrypoint " + strs),
			"script: a\nimage: {name: b, foo: c}":                               one("@:image config contains unknown keys: foo"),
			"script: a\nimage: {name: b, alias: c}":                             one("@:image config contains unknown keys: alias"),
			"script: a\nimage: {name: b, pull_policy: c}":                       one("@:image:pull_policy config is not included in the list"),
			"script: a\nimage: {name: b, pull_policy: [c, d]}":                  one("@:image:pull_policy config contains unknown values: c, d"),
			"script: a\nimage: {name: b, pull_policy: []}":                      one("@:image:pull_policy config " + empty),
			"script: a\nimage: {name: b, pull_policy: 1}":                       one("@:image:pull_policy config " + oneMany),
			"script: a\nimage: {name: b, docker: {foo: c}}":                     one("@:image executor opts object property at `/docker/foo` is a disallowed additional property"),
			"script: a\nimage: {name: b, docker: {user: 1}}":                    one("@:image executor opts value at `/docker/user` is not a string"),
			"script: a\nimage: {name: b, docker: {user: " + long(255) + "}}":    ok,
			"script: a\nimage: {name: b, docker: {user: " + long(256) + "}}":    one("@:image executor opts string length at `/docker/user` is greater than: 255"),
			"script: a\nimage: {name: b, docker: {platform: ''}}":               one("@:image executor opts string length at `/docker/platform` is less than: 1"),
			"script: a\nimage: {name: b, docker: {platform: " + long(65) + "}}": one("@:image executor opts string length at `/docker/platform` is greater than: 64"),
			"script: a\nimage: {name: b, kubernetes: 1}":                        one("@:image executor opts value at `/kubernetes` is not an object"),
		},
		"services": {
			"script: a\nservices: [b, {name: c, alias: d, command: e, variables: {F: g, H: 1}}]": ok, "script: a\nservices: [{name: b, command: [c, [d]]}, ~]": ok,
			"script: a\nservices: []": ok, "script: a\nservices: b": one("@:services config should be a array"),
			"script: a\nservices: [{name: b, command: [1]}]":               one("@:services:service:command " + script),
			"script: a\nservices: [{name: b, alias: 1}]":                   one("@:services:service alias " + str),
			"script: a\nservices: [{name: b, variables: {C: {value: d}}}]": one("@:services:service:variables:c config must be a string"),
			"script: a\nservices: [{alias: b}]":                            one("@:services:service name "+str, "@:services:service name "+empty),
		},
		"cache": {
			"script: a\ncache: {paths: [b]}": ok, "script: a\ncache: []": ok, "script: a\ncache: [{paths: [b]}, ~]": ok, "script: a\ncache: {}": ok,
			"script: a\ncache: {key: b, paths: [c], untracked: true, unprotect: true, policy: pull, when: always, fallback_keys: [d]}": ok,
			"script: a\ncache: {key: :b}": ok, "script: a\ncache: {key: {files: [b, c], prefix: d}}": ok, "script: a\ncache: {key: {files_commits: [b]}}": ok,
			"script: a\ncache: {policy: $P}": ok, "script: a\ncache: {policy: ''}": ok, "script: a\ncache: {when: [a]}": one("@:cache when "+str, "@:cache when should be one of: on_success, on_failure, always"), "script: a\ncache: [{}, {}, {}, {}]": ok,
			"script: a\ncache: [{}, {}, {}, {}, {}]":                      one("@:cache config no more than 4 caches can be created"),
			"script: a\ncache: b":                                         one("@:cache config can only be a hash or an array"),
			"script: a\ncache: [1]":                                       one("@:cache " + hash),
			"script: a\ncache: {foo: b}":                                  one("@:cache config contains unknown keys: foo"),
			"script: a\ncache: {key: 1}":                                  one("@:cache:key should be a hash, a string or a symbol"),
			"script: a\ncache: {key: a/b}":                                one(`@:cache:key config cannot contain the "/" character`),
			"script: a\ncache: {key: ..}":                                 one(`@:cache:key config cannot be "." or ".."`),
			"script: a\ncache: {key: {}}":                                 one("@:cache:key config must use exactly one of these keys: files, files_commits"),
			"script: a\ncache: {key: {files: [a], files_commits: [b]}}":   one("@:cache:key config must use exactly one of these keys: files, files_commits"),
			"script: a\ncache: {key: {files: []}}":                        one("@:cache:key:files config requires at least 1 item"),
			"script: a\ncache: {key: {files: [a, b, c]}}":                 one("@:cache:key:files config has too many items (maximum is 2)"),
			"script: a\ncache: {key: {files: [a], prefix: [b]}}":          one("@:cache:key:prefix config should be a string or symbol"),
			"script: a\ncache: {paths: b}":                                one("@:cache:paths config " + strs),
			"script: a\ncache: {unprotect: b}":                            one("@:cache:unprotect config " + truth),
			"script: a\ncache: {fallback_keys: [" + list(5, "k%d") + "]}": ok,
			"script: a\ncache: {fallback_keys: [" + list(6, "k%d") + "]}": one("@:cache fallback keys has to many entries (maximum 5)"),
			"script: a\ncache: {fallback_keys: b}":                        one("@:cache:fallback_keys config " + strs),
		},
		"artifacts": {
			"script: a\nartifacts: {name: b, paths: [c], exclude: [d], untracked: true, when: always, expire_in: 1 week, public: false}": ok,
			"script: a\nartifacts: {expire_in: never}": ok, "script: a\nartifacts: {expire_in: Never}": ok, "script: a\nartifacts: {expire_in: '42'}": ok, "script: a\nartifacts: {access: none}": ok,
			"script: a\nartifacts: {expose_as: b c-d_1, paths: [x]}": ok, "script: a\nartifacts: {}": ok,
			"script: a\nartifacts: {expire_in: 1}":                             one("@:artifacts expire in should be a duration"),
			"script: a\nartifacts: {expire_in: 7 elephants}":                   one("@:artifacts expire in should be a duration"),
			"script: a\nartifacts: {exclude: b}":                               one("@:artifacts exclude " + strs),
			"script: a\nartifacts: {public: b}":                                one("@:artifacts public " + truth),
			"script: a\nartifacts: {access: b}":                                one("@:artifacts access should be one of: none, developer, maintainer, all"),
			"script: a\nartifacts: {expose_as: a.b, paths: [x]}":               one("@:artifacts expose as can contain only letters, digits, '-', '_' and spaces"),
			"script: a\nartifacts: {expose_as: -b, paths: [x]}":                one("@:artifacts expose as can contain only letters, digits, '-', '_' and spaces"),
			"script: a\nartifacts: {expose_as: b, paths: ['*.x']}":             one("@:artifacts paths can't contain '*' when used with 'expose_as'"),
			"script: a\nartifacts: {expose_as: " + long(100) + ", paths: [x]}": ok,
			"script: a\nartifacts: {expose_as: " + long(101) + ", paths: [x]}": one("@:artifacts expose as is too long (maximum is 100 characters)"),
			"script: a\nartifacts: {expose_as: 1, paths: [x]}":                 one("@:artifacts expose as " + str),
			"script: a\nartifacts: {foo: b}":                                   one("@:artifacts config contains unknown keys: foo"),
		},
		"artifacts:reports": {
			"script: a\nartifacts: {reports: {junit: b, dotenv: [c, d], cyclonedx: e, sarif: f, annotations: g, repository_xray: h}}": ok,
			"script: a\nartifacts: {reports: {coverage_report: {coverage_format: cobertura, path: b}, junit: ~}}":                     ok,
			"script: a\nartifacts: {reports: {coverage_report: {coverage_format: jacoco, path: b}}}":                                  ok,
			"script: a\nartifacts: {reports: {foo: b}}":                                                                               one("@:artifacts:reports config contains unknown keys: foo"),
			"script: a\nartifacts: {reports: {junit: 1}}":                                                                             one("@:artifacts:reports junit " + oneMany),
			"script: a\nartifacts: {reports: {coverage_report: b}}":                                                                   one("@:artifacts:reports:coverage_report " + hash),
			"script: a\nartifacts: {reports: {coverage_report: {path: b}}}":                                                           one("@:artifacts:reports:coverage_report coverage format "+empty, "@:artifacts:reports:coverage_report coverage format must be one of supported formats: cobertura, jacoco."),
			"script: a\nartifacts: {reports: {coverage_report: {coverage_format: b, path: c}}}":                                       one("@:artifacts:reports:coverage_report coverage format must be one of supported formats: cobertura, jacoco."),
			"script: a\nartifacts: {reports: {cobertura: b}}":                                                                         one("@:artifacts:reports config contains unknown keys: cobertura"),
		},
		"retry": {
			"script: a\nretry: 0": ok, "script: a\nretry: 2": ok, "script: a\nretry: {max: 1, when: always, exit_codes: 3}": ok, "script: a\nretry: {max: ~, when: ~, exit_codes: ~}": ok,
			"script: a\nretry: {when: [script_failure, runner_system_failure, downstream_pipeline_creation_failed, no_updates_running]}": ok, "script: a\nretry: {exit_codes: [1, 2]}": ok,
			"script: a\nretry: 3":                      one("retry config must be less than or equal to 2"),
			"script: a\nretry: 1.5":                    one("retry config has to be either an integer or a hash"),
			"script: a\nretry: true":                   one("retry config has to be either an integer or a hash"),
			"script: a\nretry: {max: b}":               one("retry max must be an integer"),
			"script: a\nretry: {max: -1}":              one("retry max must be greater than or equal to 0"),
			"script: a\nretry: {when: 1}":              one("retry when " + oneMany),
			"script: a\nretry: {when: [always, b, c]}": one("retry when contains unknown values: b, c"),
			"script: a\nretry: {exit_codes: [a]}":      one("retry exit codes should be an array of integers or an integer"),
		},
		"timeout": {
			"script: a\ntimeout: 1h": ok, "script: a\ntimeout: 1 month": ok, "script: a\ntimeout: 30d 5h": ok,
			"script: a\ntimeout: 3 months": one("@:timeout config should not exceed the limit"),
			"script: a\ntimeout: soon":     one("@:timeout config should be a duration", "@:timeout config should not exceed the limit"),
		},
		"tags": {
			"script: a\ntags: [b, $C]": ok, "script: a\ntags: []": ok, "script: a\ntags: [[a]]": one("@:tags config " + strs), "script: a\ntags: [1]": one("@:tags config " + strs),
			"script: a\ntags: [" + list(49, "t%d") + "]": ok, "script: a\ntags: ['" + strings.ReplaceAll(list(50, "t%d"), " ", "") + "']": one("@:tags config must be less than the limit of 50 tags"), "script: a\ntags: [" + list(50, "t%d") + "]": one("@:tags config must be less than the limit of 50 tags"),
		},
		"interruptible": {"script: a\ninterruptible: true": ok, "script: a\ninterruptible: b": one("@:interruptible config " + truth)},
		"id_tokens": {
			"script: a\nid_tokens: {A: {aud: b}, C: {aud: [d, e]}}": ok, "script: a\nid_tokens: [b]": one("@:id_tokens " + hash),
			"script: a\nid_tokens: {A: {aud: 1}}":         one("@:id_tokens:a aud " + oneMany),
			"script: a\nid_tokens: {A: {}}":               one("@:id_tokens:a config missing required keys: aud", "@:id_tokens:a aud "+oneMany),
			"script: a\nid_tokens: {A: {aud: b, foo: c}}": one("@:id_tokens:a config contains unknown keys: foo"),
		},
		"variables": {
			"script: a\nvariables: {A: b, C: 1, D: :e, F: true, G: 1.5, H: {value: i, expand: false}, J: {value: true}}": ok, "script: a\nvariables: {}": ok, "script: a\nvariables:": ok,
			"script: a\nvariables: [b]":                             one("@:variables " + hash),
			"script: a\nvariables: {A: [b]}":                        one("variable definition must be either a string or a hash"),
			"script: a\nvariables: {A: {value: b, description: c}}": one("@:variables:a config uses invalid data keys: description"),
			"script: a\nvariables: {A: {value: [b]}}":               one("@:variables:a config value must be a scalar"),
			"script: a\nvariables: {A: {value: b, expand: c}}":      one("@:variables:a config expand " + truth),
		},
		"rules": {
			"script: a\nrules: [{if: $A, when: manual, allow_failure: true, variables: {B: c}, interruptible: false}]": ok, "script: a\nrules:": ok,
			"script: a\nrules: [{changes: [b]}, {changes: {paths: [c], compare_to: d}}, {changes: {regexp: '^(?!e)'}}]":                       ok,
			"script: a\nrules: [{exists: [b]}, {exists: c}, {exists: {paths: [d], project: e, ref: f}}, {exists: {regexp: g}}, {exists: {}}]": ok,
			"script: a\nrules: " + deep(10, "{if: $A}"): ok, "script: a\nrules: " + deep(11, "{if: $A}"): one("@ rules should be an array containing hashes and arrays of hashes"),
			"script: a\nrules: []":                                       one("@:rules config " + empty),
			"script: a\nrules: [{}]":                                     one("@:rules:rule config " + empty),
			"script: a\nrules: [{if: [b]}]":                              one("@:rules:rule if invalid expression syntax"),
			"script: a\nrules: [{if: '$A =~ /(?!b)/'}]":                  one("@:rules:rule if invalid expression syntax"),
			"script: a\nrules: [{when: false}]":                          one("@:rules:rule when unknown value: false"),
			"script: a\nrules: [{allow_failure: {exit_codes: 1}}]":       one("@:rules:rule allow failure " + truth),
			"script: a\nrules: [{interruptible: b}]":                     one("@:rules:rule interruptible " + truth),
			"script: a\nrules: [{start_in: 1 day}]":                      one("@:rules:rule config contains disallowed keys: start_in"),
			"script: a\nrules: [{when: delayed, start_in: 1 week}]":      ok,
			"script: a\nrules: [{when: delayed, start_in: 8 days}]":      one("@:rules:rule start in should not exceed the limit"),
			"script: a\nrules: [{changes: b}]":                           one("@:rules:rule:changes should be an array or a hash"),
			"script: a\nrules: [{changes: {regexp: '('}}]":               one("@:rules:rule:changes regexp is invalid: error parsing regexp: missing closing ): /(/"),
			"script: a\nrules: [{changes: {regexp: " + long(255) + "}}]": ok,
			"script: a\nrules: [{changes: {regexp: " + long(256) + "}}]": one("@:rules:rule:changes regexp is too long (maximum is 255 characters)"),
			"script: a\nrules: [{changes: {compare_to: b}}]":             one("@:rules:rule:changes config must use exactly one of these keys: paths, regexp"),
			"script: a\nrules: [{changes: {paths: b}}]":                  one("@:rules:rule:changes paths " + strs),
			"script: a\nrules: [{changes: [" + list(50, "p%d") + "]}]":   ok,
			"script: a\nrules: [{changes: [" + list(51, "p%d") + "]}]":   one("@:rules:rule:changes config has too many entries (maximum 50)"),
			"script: a\nrules: [{exists: [" + list(51, "p%d") + "]}]":    one("@:rules:rule:exists config has too many entries (maximum 50)"),
			"script: a\nrules: [{exists: 1}]":                            one("@:rules:rule:exists should be a string, an array of strings, or a hash"),
			"script: a\nrules: [{exists: {paths: [b], ref: c}}]":         one("@:rules:rule:exists config missing required keys: project"),
			"script: a\nrules: [{variables: {A: [b]}}]":                  one("@:rules:rule:variables:a config must be a string"),
			"script: a\nrules: [{needs: [{pipeline: b, job: c}]}]":       one("@:rules:rule:needs config uses invalid types: cross_dependency"),
			"script: a\nrules: [~]":                                      one("@ rules should be an array containing hashes and arrays of hashes"),
		},
		"only and except": {
			"script: a\nonly: [b, /c/i, tags, branches, main@group/project]": ok, "script: a\nonly: {refs: [b], variables: [$C], changes: [d], kubernetes: active}": ok, "script: a\nexcept: [schedules]": ok,
			"script: a\nonly: b":                      one("@:only has to be either an array of conditions or a hash"),
			"script: a\nonly: {foo: b}":               one("@:only config contains unknown keys: foo"),
			"script: a\nonly: {variables: b}":         one("@:only variables " + strs),
			"script: a\nonly: {variables: ['$A ==']}": one("@:only variables invalid expression syntax"),
			"script: a\nonly: {changes: b}":           one("@:only changes " + strs),
			"script: a\nonly: ['/(?!b)/']":            one("@:only config should be an array of strings or regular expressions using re2 syntax"),
			"script: a\nexcept: {kubernetes: b}":      one("@:except kubernetes unknown value: b"),
		},
		"when, start_in and allow_failure": {
			"script: a\nwhen: manual\nmanual_confirmation: sure?": ok, "script: a\nwhen: delayed\nstart_in: 1 week": ok, "script: a\nallow_failure: {exit_codes: [1, 2]}": ok, "script: a\nallow_failure: {}": ok,
			"script: a\nallow_failure: {exit_codes: 1}": ok,
			"script: a\nwhen: never":                    one("@ when should be one of: on_success, on_failure, always, manual, delayed"),
			"script: a\nwhen: [always]":                 one("@ when "+str, "@ when should be one of: on_success, on_failure, always, manual, delayed"),
			"script: a\nwhen: delayed":                  one("@ start in should be a duration", "@ start in should not exceed the limit"),
			"script: a\nallow_failure: {exit_codes: b}": one("@:allow_failure exit codes should be an array of integers or an integer"),
			"script: a\nallow_failure: {foo: b}":        one("@:allow_failure config contains unknown keys: foo"),
			"script: a\nmanual_confirmation: [b]":       one("@ manual confirmation " + str),
		},
		"needs and dependencies": {
			"script: a\nneeds: []\ndependencies: [k]": ok, "script: a\nneeds: [k, ~, {job: k2, optional: true, artifacts: false}]": ok, "script: a\nneeds: [[k]]": ok, "script: a\nneeds: {job: k}": ok,
			"script: a\nneeds: [{pipeline: $P, job: b}, {project: c/d, job: e, ref: main, artifacts: true}]": ok, "script: a\ndependencies: []": ok,
			"script: a\nneeds: [{job: k, parallel: {matrix: [{A: b}]}}]": ok, // which is no parallel job
			"script: a\nneeds: b":                       one("@:needs config can only be a hash or an array"),
			"script: a\nneeds: {}":                      one("@:needs config can not be an empty hash"),
			"script: a\nneeds: [1]":                     one("@:needs:need has an unsupported type"),
			"script: a\nneeds: [{artifacts: true}]":     one("@:needs:need has an unsupported type"),
			"script: a\nneeds: ['']":                    one("@:needs:need config " + empty),
			"script: a\nneeds: [{job: 1}]":              one("@:needs:need job " + str),
			"script: a\nneeds: [{job: k, foo: b}]":      one("@:needs:need config contains unknown keys: foo"),
			"script: a\nneeds: [{job: k, optional: b}]": one("@:needs:need optional " + truth),
			"script: a\nneeds: [{job: k, parallel: 2}]": one(`@:needs config cannot use "parallel: <number>".`),
			"script: a\nneeds: [{project: b, job: c}]":  one("@:needs:need ref "+str, "@:needs:need ref "+empty),
			"script: a\nneeds: [{pipeline: b/c}]":       one("@:needs config uses invalid types: bridge"),
			"script: a\nneeds: [" + list(5, "{pipeline: p, job: j%d}") + ", " + list(5, "{project: p, job: j%d, ref: r}") + "]": ok,
			"script: a\nneeds: [" + list(6, "{pipeline: p, job: j%d}") + "]":                                                    one("@:needs config must be less than or equal to 5"),
			"script: a\nneeds: [" + list(6, "{project: p, job: j%d, ref: r}") + "]":                                             one("@:needs config must be less than or equal to 5"),
			"script: a\ndependencies: b": one("@ dependencies " + strs),
		},
		"parallel": {
			"script: a\nparallel: 1": ok, "script: a\nparallel: 200": ok, "script: a\nparallel: {matrix: [{A: [b, 1], C: d}, {E: f}]}": ok, "script: a\nparallel: {matrix: []}": ok,
			"script: a\nparallel: 0":                                           one("@:parallel config must be greater than or equal to 1"),
			"script: a\nparallel: 201":                                         one("@:parallel config must be less than or equal to 200"),
			"script: a\nparallel: 1.5":                                         one("@:parallel config must be an integer"),
			"script: a\nparallel: {foo: b}":                                    one("@:parallel config contains unknown keys: foo", "@:parallel config missing required keys: matrix"),
			"script: a\nparallel: {matrix: {A: b}}":                            one("@:parallel:matrix config should be an array of hashes"),
			"script: a\nparallel: {matrix: [[{A: b}]]}":                        one("@:parallel:matrix config should be an array of hashes"),
			"script: a\nparallel: {matrix: [{}]}":                              one("@:parallel:matrix:variables config requires at least 1 items"),
			"script: a\nparallel: {matrix: [{A: {b: c}}]}":                     one("@:parallel:matrix:variables config should be a hash of key value pairs, value can be an array"),
			"script: a\nparallel: {matrix: [{A: true}]}":                       one("@:parallel:matrix:variables config should be a hash of key value pairs, value can be an array"),
			"script: a\nparallel: {matrix: [{A: [" + list(200, "v%d") + "]}]}": ok,
			"script: a\nparallel: {matrix: [{A: [" + list(201, "v%d") + "]}]}": one("@:parallel:matrix config generates too many jobs (maximum is 200)"),
		},
		"trigger": {
			"trigger: a/b": ok, "trigger: {project: a, branch: b, strategy: depend, forward: {yaml_variables: false, pipeline_variables: true}, inputs: {c: d}}": ok, "trigger: {project: a, strategy: mirror}": ok,
			"trigger: {include: a.yml}": ok, "trigger: {include: [{local: a.yml, inputs: {b: c}}, {template: d}, {component: e}], strategy: depend, forward: {}}": ok,
			"trigger: {include: {remote: 'https://a/b.yml', integrity: 'sha256-YWJj'}}": ok, "needs: [{pipeline: a/b}]": ok, "needs: {pipeline: a/b}": ok,
			"trigger: 1":                                           one("@:trigger has to be either a string or a hash"),
			"trigger: {}":                                          one("@:trigger config "+empty, "@:trigger project "+str, "@:trigger project "+empty),
			"trigger: ''":                                          one("@:trigger config " + empty),
			"trigger: {branch: a}":                                 one("@:trigger project "+str, "@:trigger project "+empty),
			"trigger: {project: ''}":                               one("@:trigger project " + empty),
			"trigger: {project: a, branch: 1}":                     one("@:trigger branch " + str),
			"trigger: {project: a, strategy: b}":                   one("@:trigger strategy should be depend or mirror"),
			"trigger: {project: a, inputs: b}":                     one("@:trigger inputs should be a hash"),
			"trigger: {project: a, forward: {foo: b}}":             one("@:trigger:forward config contains unknown keys: foo"),
			"trigger: {project: a, forward: {yaml_variables: b}}":  one("@:trigger:forward yaml variables " + truth),
			"trigger: {include: a.yml, inputs: {b: c}}":            one("@:trigger config contains unknown keys: inputs"),
			"trigger: {include: [a, b, c, d]}":                     one("@:trigger:include config is too long (maximum is 3)"),
			"trigger: {include: [1]}":                              one("@:trigger:include:include config should be a hash or a string"),
			"trigger: {include: {artifact: a}}":                    one("@:trigger:include:include config must specify the job where to fetch the artifact from"),
			"trigger: {include: {project: a}}":                     one("@:trigger:include:include config must specify the file where to fetch the config from"),
			"trigger: {include: {local: a, foo: b}}":               one("@:trigger:include:include config contains unknown keys: foo"),
			"trigger: {include: {local: a, integrity: sha256-x}}":  one("@:trigger:include:include config integrity can only be specified for remote includes"),
			"trigger: {include: [{artifact: a.yml, job: nobody}]}": one("j job: undefined dependency: nobody"),
			"trigger: a\nscript: b":                                one("@ config these keys cannot be used together: script, trigger"),
			"trigger: a\nimage: b":                                 one("@ config contains unknown keys: image"),
			"trigger: a\nwhen: delayed\nstart_in: 1 day":           one("@ config contains unknown keys: start_in", "@ when should be one of: on_success, on_failure, always, manual"),
			"trigger: a\nparallel: 2":                              one(`@:parallel config cannot use "parallel: <number>".`),
			"trigger: a\nneeds: [{pipeline: b, job: c}]":           one("@:needs config uses invalid types: cross_dependency"),
			"needs: [{pipeline: a}, {pipeline: b}]":                one("@ config should contain at most one bridge need"),
			"needs: [k]":                                           one("@ config should contain either a trigger or a needs:pipeline"),
		},
		"environment": {
			"script: a\nenvironment: prod/$B": ok, "script: a\nenvironment: {name: b, url: https://c, action: start, on_stop: s, auto_stop_in: 1 day, deployment_tier: production}\n---": ok,
			"script: a\nenvironment: {name: b, kubernetes: {agent: c, namespace: d, flux_resource_path: e}}": ok, "script: a\nenvironment: {name: b, kubernetes: {namespace: c}}": ok,
			"script: a\nenvironment: {name: b, kubernetes: {agent: c, managed_resources: {enabled: true}, dashboard: {namespace: d}}}": ok,
			"script: a\nenvironment: {url: b}": one("@:environment name "+empty, "@:environment name "+letters, "@:environment name "+letters),
			"script: a\nenvironment: ''":       one("@:environment name "+empty, "@:environment name "+letters), "script: a\nenvironment: [b]": one("@:environment config should be a hash or a string", "@:environment name "+empty, "@:environment name "+letters, "@:environment name "+letters),
			"script: a\nenvironment: {name: b, action: [c]}": one("@:environment action "+str, "@:environment action should be start, stop, prepare, verify, or access"),
			"script: a\nenvironment: a:b":                    one("@:environment name " + letters),
			"script: a\nenvironment: {name: 1}":              one("@:environment name " + letters), "script: a\nenvironment: /b": one("@:environment name " + letters),
			"script: a\nenvironment: {name: b, url: 1}":                                                                 one("@:environment url " + str),
			"script: a\nenvironment: {name: b, url: " + long(256) + "}":                                                 one("@:environment url is too long (maximum is 255 characters)"),
			"script: a\nenvironment: {name: b, action: c}":                                                              one("@:environment action should be start, stop, prepare, verify, or access"),
			"script: a\nenvironment: {name: b, on_stop: 1}":                                                             one("@:environment on stop " + str),
			"script: a\nenvironment: {name: b, auto_stop_in: 1}":                                                        one("@:environment auto stop in " + str),
			"script: a\nenvironment: {name: b, deployment_tier: 1}":                                                     one("@:environment deployment tier " + str),
			"script: a\nenvironment: {name: b, foo: c}":                                                                 one("@:environment config contains unknown keys: foo"),
			"script: a\nenvironment: {name: b, kubernetes: c}":                                                          one("@:environment kubernetes should be a hash"),
			"script: a\nenvironment: {name: b, kubernetes: {foo: c}}":                                                   one("@:environment:kubernetes config contains unknown keys: foo"),
			"script: a\nenvironment: {name: b, kubernetes: {flux_resource_path: c}}":                                    one("@:environment:kubernetes namespace "+empty, "@:environment:kubernetes agent "+empty),
			"script: a\nenvironment: {name: b, kubernetes: {agent: c, dashboard: {}, managed_resources: {enabled: d}}}": one("@:environment:kubernetes managed resources value at `/enabled` is not a boolean"),
			"script: a\nenvironment: {name: b, kubernetes: {agent: c, namespace: d, dashboard: {namespace: e}}}":        one("@:environment:kubernetes namespace cannot be specified when dashboard.namespace is set"),
			"script: a\nenvironment: {name: b, on_stop: nobody}":                                                        one("j job: on_stop job nobody is not defined"),
			"script: a\nenvironment: {name: b, on_stop: k}":                                                             one("j job: on_stop job k does not have environment defined"),
		},
		"release": {
			"script: a\nrelease: {tag_name: b, description: c, name: d, ref: main, milestones: [e], released_at: '2026-01-31T10:00:00Z', tag_message: f, assets: {links: [{name: g, url: h}]}}": ok,
			"script: a\nrelease: {tag_name: b, description: c, milestones: d}":      ok,
			"script: a\nrelease: {description: b}":                                  one("@:release tag name "+str, "@:release tag name "+empty),
			"script: a\nrelease: {tag_name: b, description: ''}":                    one("@:release description " + empty),
			"script: a\nrelease: {tag_name: b, description: [c]}":                   one("@:release description " + str),
			"script: a\nrelease: {tag_name: b, description: c, tag_message: 1}":     one("@:release tag message " + str),
			"script: a\nrelease: {tag_name: b, description: c, ref: 'a b'}":         one("@:release ref must be a valid ref"),
			"script: a\nrelease: {tag_name: b, description: c, milestones: 1}":      one("@:release milestones " + oneMany),
			"script: a\nrelease: {tag_name: b, description: c, foo: d}":             one("@:release config contains unknown keys: foo"),
			"script: a\nrelease: {tag_name: b, description: c, assets: {links: d}}": one("@:release:assets links should be an array of hashes"),
			"script: a\nrelease: [b]":                                               one("@:release " + hash),
		},
		"coverage": {
			"script: a\ncoverage: '/\\d+%/'": ok, "script: a\ncoverage: b": one("@:coverage config must be a regular expression with re2 syntax"), "script: a\ncoverage: '/(/'": one("@:coverage config must be a regular expression with re2 syntax"),
		},
		"resource_group": {"script: a\nresource_group: prod/$A": ok, "script: a\nresource_group: [b]": one("@ resource group " + str)},
		"secrets, identity and dast_configuration": {
			"script: a\nsecrets: {A: {vault: b/c@d, file: false, token: $E}, F: {vault: {engine: {name: g, path: h}, path: i, field: j}}}":                                                            ok,
			"script: a\nsecrets: {A: {gcp_secret_manager: {name: b, version: 1}}, B: {azure_key_vault: {name: c}}, C: {aws_secrets_manager: {secret_id: d}}, D: {gitlab_secrets_manager: {name: e}}}": ok,
			"script: a\nsecrets: [b]":                                              one("@:secrets " + hash),
			"script: a\nsecrets: {A: {foo: b}}":                                    one("@:secrets:a config contains unknown keys: foo", "@:secrets:a config must use exactly one of these keys: vault, gcp_secret_manager, azure_key_vault, aws_secrets_manager, gitlab_secrets_manager"),
			"script: a\nidentity: google_cloud":                                    ok,
			"script: a\nidentity: b":                                               one("@:identity should be one of: google_cloud"),
			"script: a\ndast_configuration: {site_profile: b, scanner_profile: c}": ok,
			"script: a\ndast_configuration: {foo: b}":                              one("@:dast_configuration config contains unknown keys: foo"),
		},
		"pages": {
			"script: a\npages: true": ok, "script: a\npages: {publish: b, path_prefix: c, expire_in: never}": ok, "script: a\npages: {expire_in: $A}": ok, "script: a\npages: {}": ok, "script: a\npages: false": ok,
			"script: a\npages: b":                        one("@:pages config should be a hash or a boolean value"),
			"script: a\npages: {foo: b}":                 one("@:pages config contains unknown keys: foo"),
			"script: a\npages: {expire_in: soon}":        one("@:pages expire in should be a duration"),
			"script: a\npublish: b":                      one("@ publish can only be used within a `pages` job"),
			"script: a\npages: {publish: b}\npublish: c": one("j job: use either j:publish or j:pages:publish"),
		},
		"run": {
			"run: [{name: a, script: b}]": ok, "run: [{name: a, step: b, inputs: {c: d}, env: {E: f}}, {name: g, func: h}]": ok, "run: [{name: a, step: {git: {url: b, rev: c}}}]": ok,
			"run: a":                       one("@ run value at root is not an array"),
			"run: [{name: 1a, script: b}]": one("@ run string at `/0/name` does not match pattern: ^[a-za-z_][a-za-z0-9_]*$"),
			"run: [{name: a}]":             one("@ run object at `/0` is missing required properties: step"),
			"run: [{name: a, script: b, inputs: {}}]":      one("@ run object property at `/0/inputs` is a disallowed additional property"),
			"run: [{name: a, script: b}]\nscript: c":       one("@ config these keys cannot be used together: script, run"),
			"run: [{name: a, script: b}]\nafter_script: c": one("@ config these keys cannot be used together: after_script, run"),
			"run: [{name: a, script: b}]\ntrigger: c":      one("@ config these keys cannot be used together: run, trigger"),
		},
		"inputs": {
			"script: a\ninputs: {b: {default: c}, d: {type: number, default: 1, options: [1, 2], description: e}, f: {type: boolean, default: false}}": ok,
			"script: a\ninputs: {b: {}}":                                 one("@:inputs:b must have a default value"),
			"script: a\ninputs: {b: {default: c, options: [d]}}":         one("jobs:j inputs `b`: `c` cannot be used because it is not in the list of allowed options"),
			"script: a\ninputs: {b: {default: c, regex: ^d}}":            one("jobs:j inputs `b`: default value does not match required regex pattern"),
			"script: a\ninputs: {" + list(51, "i%d: {default: x}") + "}": one("@ inputs has too many entries (maximum 50)"),
			"script: a\ninputs: {b: true}":                               one("@:inputs:b config should be a hash"),
			"script: a\ninputs: [b]":                                     one("@:inputs " + hash),
		},
		"extends and inherit": {
			"script: a\nextends: .b": ok, "script: a\nextends: [.b, .c]": ok, "script: a\ninherit: {default: false, variables: [A]}": ok, "script: a\ninherit: {default: [image, tags], variables: true}": ok,
			"script: a\nextends: 1":                        one("j: unknown keys in `extends` (1)"),
			"script: a\nextends: {a: b}":                   one("@ extends " + oneMany),
			"script: a\ninherit: {default: [b, image, c]}": one("@:inherit:default config contains unknown values: b, c"),
			"script: a\ninherit: {default: b}":             one("@:inherit:default should be a bool or array of strings"),
			"script: a\ninherit: {variables: 1}":           one("@:inherit:variables should be a bool or array of strings"),
			"script: a\ninherit: {foo: b}":                 one("@:inherit config contains unknown keys: foo"),
		},
	} {
		for text, want := range table {
			text, _, _ = strings.Cut(text, "\n---")
			file := "k: {stage: build, script: x}\nk2: {stage: build, script: x}\ns: {script: x, when: manual, environment: {name: b, action: stop}}\n.b: {tags: [x]}\n.c: {tags: [y]}\nj:\n  " + strings.ReplaceAll(text, "\n", "\n  ")
			check(t, keyword, file, want)
		}
	}
	for keyword, table := range map[string]rows{
		"stages": {
			"stages: [a, [b]]\nj: {script: x, stage: b}": ok, "stages:\nj: {script: x}": ok, "stages: [.post, a, .pre]\nj: {script: x, stage: a}": ok,
			"stages: a\nj: {script: x}":   one("stages config should be an array of strings or a nested array of strings up to 10 levels deep"),
			"stages: [a]\nj: {script: x}": one("j job: chosen stage test does not exist; available stages are .pre, a, .post"),
			"types: [a]\nj: {script: x}":  one("jobs types config should implement the script:, run:, or trigger: keyword"),
			"stages: [" + long(256) + "]\nj: {script: x, stage: " + long(255) + "}": one("stages config is too long (maximum is 255 characters)"),
		},
		"root variables": {
			"variables: {A: {value: b, description: c, expand: true, options: [b, d]}, E: {description: 5}, F: {value: g, options: []}, H: {value: i, expand: ~}}\nj: {script: x}": ok,
			"variables: {A: {value: b, options: [c]}}\nj: {script: x}":   one("variables:a config value must be present in options"),
			"variables: {A: {value: b, options: c}}\nj: {script: x}":     one("variables:a config options " + strs),
			"variables: {A: {value: b, foo: c, bar: d}}\nj: {script: x}": one("variables:a config uses invalid data keys: foo, bar"),
			"variables: {A: {description: [b]}}\nj: {script: x}":         one("variables:a config description must be an alphanumeric string"),
		},
		"default": {
			"default: {image: a, services: [b], before_script: [c], after_script: [d], cache: {}, artifacts: {}, retry: 1, tags: [e], timeout: 1h, interruptible: true, hooks: {}, id_tokens: {}}\nj: {script: x}": ok,
			"default:\nj: {script: x}": ok, "default: a\nj: {script: x}": one("default " + hash), "default: {script: a}": ok, "default: {rules: []}\nj: {script: x}": one("default config contains unknown keys: rules"),
			"default: {tags: a}\nj: {script: x}": one("default:tags config " + strs), "cache: {}\ndefault: {cache: {}}\nj: {script: x}": one("cache is defined in top-level and `default:` entry"),
		},
		"workflow": {
			"workflow: {name: a, rules: [{if: $A, variables: {B: c}, auto_cancel: {on_new_commit: none}}, {when: never}], auto_cancel: {on_job_failure: all}}\nj: {script: x}": ok, "workflow:\nj: {script: x}": ok,
			"workflow: a\nj: {script: x}":                                            one("workflow " + hash),
			"workflow: {rules: a}\nj: {script: x}":                                   one("workflow:rules config should be a array"),
			"workflow: {rules: []}\nj: {script: x}":                                  one("workflow:rules config " + empty),
			"workflow: {rules: [{trash: a}]}\nj: {script: x}":                        one("workflow:rules:rule config contains unknown keys: trash"),
			"workflow: {rules: [a]}\nj: {script: x}":                                 one("workflow:rules:rule config should be a hash"),
			"workflow: {rules: [{if: $A, start_in: 1 day}]}\nj: {script: x}":         one("workflow:rules:rule config contains disallowed keys: start_in"),
			"workflow: {rules: [{needs: 1}]}\nj: {script: x}":                        one("workflow:rules:rule:needs config can only be a hash or an array"),
			"workflow: {name: ''}\nj: {script: x}":                                   one("workflow name is too short (minimum is 1 character)"),
			"workflow: {name: " + long(255) + "}\nj: {script: x}":                    ok,
			"workflow: {rules: [{auto_cancel: {on_new_commit: a}}]}\nj: {script: x}": one("workflow:rules:rule:auto_cancel on new commit must be one of: conservative, interruptible, none"),
			"workflow: {auto_cancel: {on_job_failure: a}}\nj: {script: x}":           one("workflow:auto_cancel on job failure must be one of: none, all"),
		},
		"jobs": {
			".a:\nj: {script: x}":               one("jobs:.a config " + empty),
			".a: {}\nj: {script: x}":            one("jobs:.a config " + empty),
			".a: [b]\nj: {script: x}":           ok,
			"my job: x\nj: {script: x}":         one("jobs my_job config should implement the script:, run:, or trigger: keyword"),
			"j_1: x\nj: {script: x}":            one("jobs j_1 config should implement the script:, run:, or trigger: keyword"),
			"a.b_c: {image: x}\nj: {script: x}": one("jobs a.b_c config should implement the script:, run:, or trigger: keyword"),
			"on: {push: x}\nj: {script: x}":     one("jobs true config should implement the script:, run:, or trigger: keyword"),
			"10: {script: a}":                   one("jobs:10 name should be a symbol"),
			"a: x":                              one("jobs a config should implement the script:, run:, or trigger: keyword", "jobs config should contain at least one visible job"),
			long(255) + ": {script: a}":         ok,
			"workflow: {script: a}":             ok,
			"j: {script: x, type: test}":        one("jobs:j config contains unknown keys: type"),
		},
		"documents": {
			"a: {script: x}\n---\nb: [y]":   ok, // without a header the first is the one
			"spec: {}\n---\na: {script: x}": ok, "spec:\n---\na: {script: x}": ok, "a: {script: x}\n---\nb: x\n---\nc: y": ok, "spec: {}\n---\n---\na: {script: x}": ok, "---\n---\na: {script: x}": ok, "spec: {}\n---\nb: x\n---\na: {script: x}": ok,
		},
		"spec": {
			"spec: {inputs: {a: {default: b, description: c, regex: ^b}, d: {type: number, default: 1, options: [1, 2]}, e: {type: boolean, default: true}, f: {type: array, default: [x]}}, description: g, component: [name, sha]}\n---\nj: {script: x}": ok,
			"spec: a\n---\nj: {script: x}":                                                                                                                   one("header:spec " + hash),
			"spec: {}\nfoo: a\n---\nj: {script: x}":                                                                                                          one("header config contains unknown keys: foo"),
			"spec: {inputs: [a]}\n---\nj: {script: x}":                                                                                                       one("header:spec:inputs " + hash),
			"spec: {inputs: {a: {foo: b}}}\n---\nj: {script: x}":                                                                                             one("header:spec:inputs:a config contains unknown keys: foo"),
			"spec: {component: a}\n---\nj: {script: x}":                                                                                                      one("header:spec:component config should be a array"),
			"spec: {component: [foo]}\n---\nj: {script: x}":                                                                                                  one("header:spec:component config contains unknown values: foo"),
			"spec: {description: " + long(257) + "}\n---\nj: {script: x}":                                                                                    one("header:spec config description is too long (maximum is 256 characters)"),
			"spec: {inputs: {a: }}\n---\nj: {script: x}":                                                                                                     one("`a` input: required value has not been provided"),
			"spec: {inputs: {a: {default: b, options: [" + list(51, "o%d") + "]}}}\n---\nj: {script: x}":                                                     one("header:spec:inputs:a config cannot define more than 50 options"),
			"spec: {inputs: {a: {default: b, options: [b, ~]}}}\n---\nj: {script: x}":                                                                        one("header:spec:inputs:a config options array cannot contain null values"),
			"spec: {inputs: {a: {type: array, options: [b, c], default: [b]}}}\n---\nj: {script: x}":                                                         ok,
			"spec: {inputs: {a: {type: array, options: [b, c], default: [b, d, e]}}}\n---\nj: {script: x}":                                                   one("`a` input: d, e cannot be used because it is not in the list of allowed options"),
			"spec: {inputs: {a: {type: boolean, options: [true], default: true}}}\n---\nj: {script: x}":                                                      one("`a` input: Options can only be used with string and number inputs"),
			"spec: {inputs: {a: {type: number, regex: b, default: 1}}}\n---\nj: {script: x}":                                                                 one("`a` input: RegEx validation can only be used with string inputs"),
			"spec: {inputs: {b: {rules: [{if: '$[[ inputs.zz ]]', default: c}]}}}\n---\nj: {script: x}":                                                      one("header:spec:inputs:b config rule[0] references undefined inputs: zz"),
			"spec: {inputs: {b: {rules: [{if: '$[[ inputs.c ]]', default: x}]}, c: {rules: [{if: '$[[ inputs.b ]]', default: y}]}}}\n---\nj: {script: x}":    one("header:spec:inputs:b config circular dependency detected"),
			"spec: {inputs: {b: {rules: [{when: x}]}}}\n---\nj: {script: x}":                                                                                 one("header:spec:inputs:b:rules:rule config contains unknown keys: when"),
			"spec: {inputs: {b: {rules: [{default: x}]}}}\n---\nj: {script: x}":                                                                              one("header:spec:inputs:b:rules:rule config fallback rule must define 'options'"),
			"spec: {inputs: {b: {rules: [{if: null, options: null, default: x}]}}}\n---\nj: {script: x}":                                                     one("header:spec:inputs:b:rules:rule config fallback rule must define 'options'"),
			"spec: {inputs: {b: {rules: [{if: '$[[ inputs.c ]] == \"y\"', default: x}, {options: [x], default: x}]}, c: {default: y}}}\n---\nj: {script: x}": ok,
			"spec: {inputs: {a: {default: b, regex: '('}}}\n---\nj: {script: x}":                                                                             one("`a` input: invalid regular expression"),
		},
	} {
		for text, want := range table {
			check(t, keyword, text, want)
		}
	}
}

func check(t *testing.T, keyword, file string, want []string) {
	t.Helper()
	_, errs := load(file)
	var got []string
	for _, e := range Told(errs) {
		got = append(got, e.Text)
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "@", "jobs:j")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s:\n%s\n%s", keyword, file, d)
	}
	// A job may be called as a section is; the schema knows the section. It sees all documents of a file.
	if len(want) == 0 && keyword != "documents" && !strings.HasPrefix(file, "default: {script") && !strings.HasPrefix(file, "workflow: {script") {
		if err := bySchema(t, file); err != nil {
			t.Errorf("%s: the schema refuses\n%s\n%v", keyword, file, err)
		}
	}
}
