package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"signalbox/ci/config/yaml"
)

// compiled is the schema as another program reads it, which checks it against the schema of schemas.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ci.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("ci.json")
})

// bySchema says what the schema has against a file.
func bySchema(t *testing.T, file string) error {
	t.Helper()
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	docs, err := yaml.Parse([]byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		raw, err := json.Marshal(d.Value())
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			return err
		}
	}
	return nil
}

// TestSchemaRefuses what an editor should mark. What is valid it takes, as the table of keywords checks.
func TestSchemaRefuses(t *testing.T) {
	for _, job := range []string{
		"scirpt: x", "script: 1", "image: {nam: x}", "image: {entrypoint: [x]}", "services: x", "when: sometimes", "retry: 3", "retry: {when: bored}", "parallel: 0",
		"parallel: {matrix: [{A: {b: c}}]}", "rules: {if: x}", "rules: [{unless: x}]", "rules: [{when: later}]", "artifacts: {path: [x]}", "artifacts: {reports: {cobertura: x}}",
		"artifacts: {access: everybody}", "cache: {when: x}", "needs: [{jop: x}]", "only: {branches: [x]}", "allow_failure: x", "environment: {action: x}", "trigger: {project: x, include: y}",
		"trigger: {strategy: wait}", "release: {tag_name: x}", "id_tokens: {A: {}}", "inherit: {default: [scripts]}", "inputs: {a: {}}", "variables: {A: [1]}", "interruptible: x", "tags: x",
		"run: [{script: x}]", "pages: x", "hooks: {post: x}", "coverage: x", "timeout: 5",
	} {
		if err := bySchema(t, "j:\n  "+job); err == nil {
			t.Errorf("%s passes", job)
		}
	}
	for _, file := range []string{"stages: x", "workflow: {rules: [{when: manual}]}", "default: {rules: []}", "include: {lokal: x}", "include: [{project: x}]", "j: x", "spec: {inputs: {a: {type: x}}}\n---\nj: {script: x}"} {
		if err := bySchema(t, file); err == nil {
			t.Errorf("%s passes", file)
		}
	}
}

// TestSchemaTakesInputs where a value is no text, and anything in hidden jobs.
func TestSchemaTakesInputs(t *testing.T) {
	for _, file := range []string{
		"j: {script: !reference [.a, script], image: !reference [.a, image], rules: [!reference [.a, rules]], variables: {A: !reference [.a, variables, A]}, stage: !reference [.a, stage]}", "j: {script: x, parallel: '$[[ inputs.n ]]', tags: '$[[ inputs.tags ]]', interruptible: '$[[ inputs.on ]]', rules: '$[[ inputs.rules ]]', retry: {max: '$[[ inputs.n ]]'}, when: '$[[ inputs.when ]]'}",
		".x: {anything: {at: [all]}}\n.y: [a]\n.z: text\nj: {extends: .x}", "'job $[[ inputs.name ]]': {extends: .x}",
	} {
		if err := bySchema(t, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaKnowsEveryKeyword and tells what each is for.
func TestSchemaKnowsEveryKeyword(t *testing.T) {
	properties := jobProperties()
	for _, key := range slices.Concat(jobKeys, bridgeKeys) {
		s, ok := properties[key].(object)
		if !ok {
			t.Errorf("there is no %s", key)
			continue
		}
		if text, _ := s["description"].(string); text == "" && key != "identity" && key != "dast_configuration" {
			t.Errorf("%s has no description", key)
		}
	}
	if len(properties) != len(jobKeys)+1 { // and trigger
		t.Errorf("%d keywords, of which jobs have %d", len(properties), len(jobKeys))
	}
	for _, word := range slices.Concat(oldGlobals, []string{"stages", "variables", "default", "workflow", "include"}) {
		if _, ok := rootSchema()["properties"].(object)[word]; !ok {
			t.Errorf("the root has no %s", word)
		}
	}
	if !strings.Contains(string(Schema()), "draft-07") {
		t.Error("the schema does not say its version")
	}
}
