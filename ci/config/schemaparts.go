package config

// closed is a mapping that may have these keys and no others.
func closed(properties object, required ...string) object {
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func anyOf(of ...any) object { return object{"anyOf": of} }

func mapOf(s object) object { return object{"type": "object", "additionalProperties": s} }

var (
	whole    = typed(object{"type": "integer"})
	scalar   = object{"type": []any{"string", "number", "boolean", "null"}}
	anything = object{}
	anyMap   = object{"type": "object"}
	textList = typed(object{"type": "array", "items": object{"type": "string"}})
)

// filesSchema is of what makes one configuration of several files.
func filesSchema() object {
	input := object{
		"default": anything, "description": object{"type": []any{"string", "integer"}}, "options": object{"type": "array", "maxItems": maxOptions},
		"regex": text("A pattern in RE2's syntax, without slashes."), "type": object{"enum": []any{"string", "number", "boolean", "array"}},
	}
	header := object{"rules": listOf(closed(object{"if": text(""), "options": object{"type": "array"}, "default": anything}), "Options and defaults that depend on other inputs.")}
	for k, v := range input {
		header[k] = v
	}
	rules := listOf(nested(closed(object{"if": text(""), "changes": ref("changes", ""), "exists": ref("exists", ""), "when": oneWordOf("always", "never")})), "Whether the file is included.")
	more := object{"rules": rules, "inputs": anyMap}
	form := func(properties object, required ...string) object {
		for k, v := range more {
			properties[k] = v
		}
		return closed(properties, required...)
	}
	entry := anyOf(
		text("A file of this project, or a URL."),
		form(object{"local": text("A file of this project; * and ** are wildcards.")}, "local"),
		form(object{"project": text("The path of another project."), "file": oneOrListOf(text("")).with("Files in it."), "ref": text("A branch, tag or commit.")}, "project", "file"),
		form(object{"remote": text("A URL."), "integrity": object{"type": "string", "pattern": "^sha256-"}, "cache": anything}, "remote"),
		form(object{"template": text("A template of this instance.")}, "template"),
		form(object{"component": text("$CI_SERVER_FQDN/group/project/name@version")}, "component"),
		form(object{"artifact": text("A file that a job made, in child pipelines."), "job": text("")}, "artifact", "job"),
	)
	return object{
		"spec": anyOf(object{"type": "null"}, closed(object{
			"inputs":    anyOf(object{"type": "null"}, mapOf(anyOf(object{"type": "null"}, closed(header)))),
			"include":   anyOf(entry, listOf(entry, "")),
			"component": listOf(object{"enum": toAny(componentFields)}, ""), "description": object{"type": "string", "maxLength": maxHeaderDescription},
		})),
		"include":   anyOf(entry, listOf(nested(entry), ""), object{"type": "null"}),
		"jobInputs": mapOf(closed(input, "default")),
	}
}

// contentSchema is of what a job does and with what.
func contentSchema() object {
	container := func(more object) object {
		properties := object{
			"name": text("The image, with a tag or digest."), "entrypoint": textList, "pull_policy": oneOrListOf(object{"enum": []any{"always", "never", "if-not-present"}}).with(""),
			"docker": closed(object{"platform": text(""), "user": text("")}), "kubernetes": closed(object{"user": object{"type": []any{"string", "integer"}}}),
		}
		for k, v := range more {
			properties[k] = v
		}
		return anyOf(object{"type": "string", "minLength": 1}, closed(properties, "name"))
	}
	service := container(object{"command": ref("script", ""), "alias": text("The name under which the job reaches it."), "variables": mapOf(scalar)})
	variable := func(more object) object {
		properties := object{"value": scalar, "expand": anyOf(object{"type": "null"}, flag("Whether references to other variables are replaced in it."))}
		for k, v := range more {
			properties[k] = v
		}
		return anyOf(object{"type": "null"}, mapOf(anyOf(scalar, closed(properties), ref("reference", ""))), ref("interpolated", ""))
	}
	reports := object{}
	for _, kind := range reportKinds {
		reports[kind] = anyOf(oneOrListOf(text("")), object{"type": "null"})
	}
	reports["coverage_report"] = closed(object{"coverage_format": oneWordOf("cobertura", "jacoco"), "path": text("")}, "coverage_format", "path")
	cache := closed(object{
		"key":   anyOf(text(""), closed(object{"files": textList, "files_commits": textList, "prefix": text("")})),
		"paths": textList, "untracked": flag(""), "unprotect": flag(""), "policy": text("pull-push, pull, push, or a variable."),
		"when": oneWordOf("on_success", "on_failure", "always"), "fallback_keys": typed(object{"type": "array", "items": text(""), "maxItems": maxFallbackKeys}),
	})
	stepOf := anyOf(text(""), closed(object{"git": anyMap}), closed(object{"oci": anyMap}))
	return object{
		"image": container(nil), "services": typed(listOf(nested(anyOf(service, object{"type": "null"})), "")),
		"variables":     variable(nil),
		"rootVariables": variable(object{"description": object{"type": []any{"string", "integer"}}, "options": textList}),
		"caches":        typed(anyOf(cache, listOf(nested(anyOf(cache, object{"type": "null"})), ""))),
		"artifacts": typed(closed(object{
			"name": text(""), "paths": textList, "exclude": textList, "untracked": flag(""), "when": oneWordOf("on_success", "on_failure", "always"),
			"expire_in": ref("duration", "How long they are kept; never keeps them."), "expose_as": object{"type": "string", "maxLength": maxExposeAs},
			"public": flag(""), "access": oneWordOf("all", "developer", "maintainer", "none"), "reports": typed(closed(reports)),
		})),
		"steps": listOf(closed(object{
			"name": object{"type": "string", "pattern": stepName.String()}, "script": text(""), "step": stepOf, "func": stepOf,
			"env": mapOf(object{"type": "string"}), "inputs": anyMap,
		}, "name"), ""),
		"idTokens": mapOf(closed(object{"aud": oneOrListOf(text("")).with("Who the token is for.")}, "aud")),
		"secrets":  mapOf(anyMap),
		"inherit": closed(object{
			"default":   anyOf(flag(""), listOf(object{"enum": toAny(defaultKeys)}, "")),
			"variables": anyOf(flag(""), textList),
		}),
	}
}

// flowSchema is of which jobs run, and when.
func flowSchema() object {
	patterns := typed(object{"type": "array", "items": object{"type": "string"}, "maxItems": maxPatterns})
	changes := anyOf(patterns, closed(object{"paths": patterns, "regexp": object{"type": "string", "maxLength": maxRegexp}, "compare_to": text("")}))
	exists := anyOf(text(""), typed(textList), closed(object{"paths": anyOf(patterns, object{"type": "null"}), "regexp": object{"type": "string", "maxLength": maxRegexp}, "project": text(""), "ref": text("")}))
	expression := anyOf(object{"type": []any{"string", "null"}}, ref("reference", ""))
	rule := closed(object{
		"if": described(expression, "A condition on variables."), "changes": ref("changes", "Files that the push changed."), "exists": ref("exists", "Files that are there."),
		"when": oneWordOf("on_success", "on_failure", "always", "never", "manual", "delayed"), "start_in": ref("duration", ""), "allow_failure": flag(""),
		"variables": anyOf(object{"type": "null"}, mapOf(scalar)), "needs": ref("needs", ""), "interruptible": flag(""),
	})
	cancel := closed(object{"on_new_commit": oneWordOf("conservative", "interruptible", "none"), "on_job_failure": oneWordOf("none", "all")})
	need := anyOf(
		text(""), object{"type": "null"},
		closed(object{"job": text(""), "artifacts": flag(""), "optional": flag(""), "parallel": ref("parallel", "")}, "job"),
		closed(object{"pipeline": text(""), "job": text(""), "artifacts": flag("")}, "pipeline"),
		closed(object{"project": text(""), "job": text(""), "ref": text(""), "artifacts": flag("")}, "project", "job", "ref"),
	)
	matrix := typed(listOf(mapOf(anyOf(object{"type": []any{"string", "integer"}}, typed(listOf(object{"type": []any{"string", "integer"}}, "")))), ""))
	return object{
		"changes": changes, "exists": exists,
		"rules": anyOf(object{"type": "null"}, typed(object{"type": "array", "items": nested(rule), "minItems": 1})),
		"workflow": anyOf(object{"type": "null"}, closed(object{
			"name": object{"type": []any{"string", "null"}, "maxLength": maxWorkflowName}, "auto_cancel": cancel,
			"rules": listOf(nested(closed(object{
				"if": expression, "changes": ref("changes", ""), "exists": ref("exists", ""), "when": oneWordOf("always", "never"), "variables": mapOf(scalar),
				"auto_cancel": cancel, "start_in": anything, "allow_failure": anything, "needs": anything,
			})), ""),
		})),
		"policy": anyOf(object{"type": "null"}, textList, closed(object{
			"refs": textList, "kubernetes": object{"enum": []any{"active"}}, "variables": textList, "changes": textList,
		})),
		"needs":        anyOf(object{"type": "null"}, need, typed(listOf(nested(need), ""))),
		"parallel":     anyOf(typed(object{"type": "integer", "minimum": 1, "maximum": maxParallel}), closed(object{"matrix": matrix}, "matrix")),
		"allowFailure": anyOf(flag(""), closed(object{"exit_codes": anyOf(whole, listOf(whole, ""))})),
		"retry": anyOf(typed(object{"type": "integer", "minimum": 0, "maximum": maxRetries}), closed(object{
			"max":  anyOf(typed(object{"type": "integer", "minimum": 0, "maximum": maxRetries}), object{"type": "null"}),
			"when": anyOf(oneOrListOf(oneWordOf(retryWords()...)), object{"type": "null"}), "exit_codes": anyOf(whole, listOf(whole, ""), object{"type": "null"}),
		})),
	}
}

// deploySchema is of what a job does beyond its runner.
func deploySchema() object {
	entry := anyOf(text(""), anyMap)
	forward := closed(object{"yaml_variables": flag("Whether the other pipeline gets the variables of this job."), "pipeline_variables": flag("Whether it gets those of this pipeline.")})
	strategy := oneWordOf("depend", "mirror")
	return object{
		"trigger": anyOf(
			text("The path of a project."),
			closed(object{"project": text(""), "branch": text(""), "strategy": strategy, "forward": forward, "inputs": anyMap}, "project"),
			closed(object{"include": anyOf(entry, object{"type": "array", "items": nested(entry), "maxItems": maxTriggerIncludes}), "strategy": strategy, "forward": forward}, "include"),
		),
		"environment": anyOf(text(""), closed(object{
			"name": text(""), "url": object{"type": "string", "maxLength": maxEnvironmentURL}, "action": oneWordOf(actions...), "on_stop": text("The job that stops it."),
			"auto_stop_in": text("How long it lives."), "deployment_tier": text("production, staging, testing, development or other."),
			"kubernetes": closed(object{"agent": text(""), "namespace": text(""), "flux_resource_path": text(""), "managed_resources": closed(object{"enabled": flag("")}), "dashboard": closed(object{"namespace": text(""), "flux_resource_path": text("")})}),
		})),
		"release": closed(object{
			"tag_name": text(""), "tag_message": text(""), "name": text(""), "description": text(""), "ref": text(""), "milestones": anyOf(oneOrListOf(text(""))),
			"released_at": text("A time, as 2026-01-31T10:00:00Z."), "assets": closed(object{"links": listOf(anyMap, "")}),
		}, "tag_name", "description"),
		"pages": anyOf(object{"type": "boolean"}, closed(object{"publish": text(""), "path_prefix": text(""), "expire_in": text("")})),
	}
}

func toAny(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
