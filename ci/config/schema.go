package config

import (
	"encoding/json"
	"maps"

	"signalbox/models/enum"
)

// Schema gives the JSON Schema (draft 7) of the language as it is read here, for editors. It is looser than Load where
// a schema cannot follow: jobs get keywords by extends, values come from inputs, and jobs refer to one another.
func Schema() []byte {
	out, err := json.MarshalIndent(rootSchema(), "", "  ")
	if err != nil {
		panic(err) // it is made of constants
	}
	return append(out, '\n')
}

// object is a schema, or a part of one.
type object = map[string]any

// orNothing lets nothing stand for a keyword, which is as if it were not there, and a !reference, which an editor takes for
// a list of names.
func orNothing(properties object) object {
	out := object{}
	for key, s := range properties {
		s, _ := s.(object)
		one := maps.Clone(s)
		delete(one, "description")
		description, _ := s["description"].(string)
		out[key] = described(object{"anyOf": []any{one, object{"type": "null"}, ref("reference", "")}}, description)
	}
	return out
}

func rootSchema() object {
	properties := object{
		"spec":          ref("spec", "The header: inputs that this file takes. It stands in a document of its own, before ---."),
		"include":       ref("include", "Further files that this configuration is made of."),
		"workflow":      ref("workflow", "Whether there is a pipeline at all, and how it is called."),
		"stages":        described(typed(listOf(nested(text("")), "")), "The stages, in the order in which they run."),
		"variables":     ref("rootVariables", "Variables of all jobs."),
		"default":       described(object{"type": "object", "additionalProperties": false, "properties": orNothing(pick(jobProperties(), defaultKeys))}, "What jobs get that do not say otherwise."),
		"image":         ref("image", "The older form of default:image."),
		"services":      ref("services", "The older form of default:services."),
		"before_script": ref("script", "The older form of default:before_script."),
		"after_script":  ref("script", "The older form of default:after_script."),
		"cache":         ref("caches", "The older form of default:cache."),
	}
	return object{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": ".gitlab-ci.yml", "description": "CI/CD configuration as signalbox reads it.",
		"type": "object", "properties": orNothing(properties),
		"patternProperties":    object{`^\.`: object{"anyOf": []any{ref("job", "A hidden job: for extends, !reference and anchors."), object{}}}},
		"additionalProperties": ref("job", ""),
		"definitions":          definitions(),
	}
}

func definitions() object {
	out := object{
		"interpolated": described(object{"type": "string", "pattern": `\$\[\[.+\]\]`}, "An input: $[[ inputs.name ]]."),
		"reference":    described(object{"type": "array", "items": object{"type": "string"}, "minItems": 1}, "A value from elsewhere: !reference [.job, keyword]."),
		"job":          described(object{"type": "object", "additionalProperties": false, "properties": orNothing(jobProperties())}, "A job."),
		"script":       typed(object{"anyOf": []any{text(""), listOf(nested(text("")), "")}}),
		"duration":     described(object{"type": "string"}, "A duration, such as 1 week, 3 days 2 hours, 90 minutes."),
	}
	for _, more := range []object{filesSchema(), contentSchema(), flowSchema(), deploySchema()} {
		maps.Copy(out, more)
	}
	return out
}

// jobProperties are all keywords of jobs, those of triggers included.
func jobProperties() object {
	return object{
		"extends":             oneOrListOf(text("")).with("Jobs whose keywords this one starts from."),
		"stage":               text("The stage that it runs in; test if none is named."),
		"only":                ref("policy", "When it runs: the older form of rules."),
		"except":              ref("policy", "When it does not run: the older form of rules."),
		"rules":               ref("rules", "When it runs, and how: the first rule that holds decides."),
		"variables":           ref("variables", "Variables of this job."),
		"inherit":             ref("inherit", "Which defaults and variables it gets."),
		"allow_failure":       ref("allowFailure", "Whether the pipeline goes on if it fails."),
		"when":                described(oneWordOf("on_success", "on_failure", "always", "manual", "delayed"), "When it runs, once its stage or its needs are done."),
		"needs":               ref("needs", "Jobs that must come before, whatever their stages."),
		"resource_group":      text("Jobs of one group run one at a time."),
		"environment":         ref("environment", "Where it deploys to."),
		"interruptible":       flag("Whether a newer pipeline may cancel it."),
		"tags":                described(textList, "Runners must have all of these."),
		"script":              ref("script", "What it does."),
		"image":               ref("image", "The container image that it runs in."),
		"services":            ref("services", "Containers that run beside it, such as databases."),
		"start_in":            ref("duration", "How long a delayed job waits; at most a week."),
		"artifacts":           ref("artifacts", "Files that it hands on and keeps."),
		"cache":               ref("caches", "Files that later pipelines find again; up to four caches."),
		"dependencies":        described(textList, "Jobs whose artifacts it fetches; none of them with []."),
		"before_script":       ref("script", "What it does before script."),
		"after_script":        ref("script", "What it does after script, also if that failed."),
		"hooks":               described(object{"type": "object", "additionalProperties": false, "properties": object{"pre_get_sources_script": ref("script", "What is done before the sources are fetched.")}}, "Commands at other moments."),
		"coverage":            described(object{"type": "string", "pattern": `^/.*/[ismU]*$`}, "The pattern, between slashes, that finds the coverage in the log."),
		"retry":               ref("retry", "How often and why it is tried again."),
		"parallel":            ref("parallel", "How many jobs are made of it: a number, or one for each combination of a matrix."),
		"timeout":             ref("duration", "How long it may run; at most a month."),
		"release":             ref("release", "A release that is made when it is done."),
		"id_tokens":           ref("idTokens", "Tokens that it can show to others."),
		"publish":             text("The folder that is published: the older form of pages:publish."),
		"pages":               ref("pages", "Files that it publishes as a site."),
		"manual_confirmation": text("What is asked before somebody starts it by hand."),
		"run":                 ref("steps", "Steps, instead of script."),
		"inputs":              ref("jobInputs", "What can be given when it is started by hand or from chat; each has a default."),
		"secrets":             ref("secrets", "Secrets of other stores."),
		"identity":            oneWordOf("google_cloud"),
		"dast_configuration":  object{"type": "object", "additionalProperties": false, "properties": object{"site_profile": text(""), "scanner_profile": text("")}},
		"trigger":             ref("trigger", "Another pipeline that it starts, instead of running anything."),
	}
}

// schema is an object to which a description can be added.
type schema object

func (s schema) with(description string) object { return described(object(s), description) }

func described(s object, description string) object {
	if description == "" {
		return s
	}
	out := maps.Clone(s)
	out["description"] = description
	return out
}

func ref(name, description string) object {
	if description == "" {
		return object{"$ref": "#/definitions/" + name}
	}
	// Beside $ref nothing counts in draft 7.
	return object{"description": description, "allOf": []any{object{"$ref": "#/definitions/" + name}}}
}

func text(description string) object { return described(object{"type": "string"}, description) }

// typed lets an input stand for what is no text.
func typed(s object) object {
	return object{"anyOf": []any{s, ref("interpolated", "")}}
}

func flag(description string) object {
	return described(typed(object{"type": "boolean"}), description)
}

func listOf(items object, description string) object {
	return described(object{"type": "array", "items": items}, description)
}

// nested is a value, or lists of it within lists, as !reference and anchors make them.
func nested(s object) object {
	return object{"anyOf": []any{s, object{"type": "array"}}}
}

func oneOrListOf(s object) schema {
	return schema{"anyOf": []any{s, object{"type": "array", "items": s}}}
}

func oneWordOf(words ...string) object { return typed(object{"enum": toAny(words)}) }

func pick(from object, keys []string) object {
	out := object{}
	for _, k := range keys {
		out[k] = from[k]
	}
	return out
}

func retryWords() []string {
	words := []string{"always"}
	for _, r := range enum.RetryReasons {
		words = append(words, string(r))
	}
	return words
}
