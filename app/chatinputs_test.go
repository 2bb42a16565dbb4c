package app

import (
	"strings"
	"testing"

	"signalbox/models"
)

// specifiedConfig asks for inputs of the configuration itself.
const specifiedConfig = `
spec:
  inputs:
    environment: {options: [staging, production], description: where to}
    replicas: {type: number, default: 1}
    debug: {type: boolean, default: false}
---
stages: [build, deploy]
build:
  stage: build
  script: printf 'section_start:1:chat_reply\r\033[0K\n%s\nsection_end:2:chat_reply\r\033[0K\n' "built for $[[ inputs.environment ]] [$CHAT_INPUT]"
deploy-$[[ inputs.environment ]]:
  stage: deploy
  script: printf 'section_start:1:chat_reply\r\033[0K\n%s\nsection_end:2:chat_reply\r\033[0K\n' "$[[ inputs.replicas ]] $[[ inputs.debug ]]"
`

// TestChatFillsTheConfigurationsInputs gives them by name and type, on any ref, to a pipeline and to a stage.
func TestChatFillsTheConfigurationsInputs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.runner()
		w.push("ops", map[string]string{".gitlab-ci.yml": specifiedConfig})
		if out, err := w.tryPush("ops", rootToken, "release-2", map[string]string{".gitlab-ci.yml": strings.ReplaceAll(specifiedConfig, "built", "built again")}); err != nil {
			t.Fatal(out)
		}
		for text, want := range map[string]string{
			"run pipeline production":                                      "built for production [production]\n1 false",
			"run pipeline environment=staging replicas=3 --debug":          "built for staging [environment=staging replicas=3 --debug]\n3 true",
			"run pipeline@release-2 environment=production":                "built again for production [environment=production]",
			"run pipeline @release-2 environment=production —replicas “2”": "built again for production [environment=production —replicas “2”]\n2 false",
			"run stage deploy production replicas=5":                       "5 false",
			"run stage build@release-2 environment=staging":                "built again for staging [environment=staging]",
		} {
			if c := w.give(rootToken, text, "replied"); !strings.Contains(deref(c.Reply), want) {
				t.Errorf("%s: %q, want %q", text, deref(c.Reply), want)
			}
		}
		const accepts = "It takes:\n• `environment` (string, must be given): one of `staging`, `production` – where to\n• `replicas` (number, otherwise `1`)"
		for text, want := range map[string]string{
			"run pipeline":                         "Nothing was run: `environment` must be given. " + accepts,
			"run pipeline moon":                    "not clear which input `moon` is for. " + accepts,
			"run pipeline environment=moon":        "`moon` cannot be used because it is not in the list of allowed options. " + accepts,
			"run pipeline staging replicas=many":   "`replicas` must be a number, not `many`. " + accepts,
			"run pipeline staging size=3":          "there is no input `size`. " + accepts,
			"run stage deploy":                     "`environment` must be given. " + accepts,
			"run pipeline@release-2 --environment": "`--environment` has no value. " + accepts,
		} {
			if c := w.give(rootToken, text, "refused"); !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("%s: %q, want %q", text, deref(c.Refusal), want)
			}
		}
		// Nothing but a pipeline and a stage can give them: everything else says so, and how.
		const first = "the configuration must be given `environment` before its jobs are known"
		const how = "give the inputs with `run pipeline environment= replicas=1 debug=false` or `run stage`. " + accepts
		for _, text := range []string{"run build", "run build environment=staging", "run deploy-staging", "run nothing-like-it", "help build"} {
			if c := w.give(rootToken, text, "refused"); deref(c.Refusal) == "" || !strings.Contains(deref(c.Refusal), "Nothing was run: "+first+"; "+how) {
				t.Errorf("%s: %q", text, deref(c.Refusal))
			}
		}
		if c := w.give(rootToken, "run build@release-2", "refused"); !strings.Contains(deref(c.Refusal), "with `run pipeline@release-2 environment= ") {
			t.Errorf("on another branch: %q", deref(c.Refusal))
		}
		if c := w.give(rootToken, "jobs", "replied"); !strings.Contains(deref(c.Reply), "*Jobs on `main`*\n• `run pipeline environment= replicas=1 debug=false` – "+first+".\n"+accepts) {
			t.Errorf("jobs: %q", deref(c.Reply))
		}
		if c := w.give(rootToken, "jobs @release-2", "replied"); !strings.Contains(deref(c.Reply), "• `run pipeline@release-2 environment= ") {
			t.Errorf("jobs of another branch: %q", deref(c.Reply))
		}
		_, page, _ := w.visitor("root", "root-password").get("/root/ops/-/chat/commands")
		if !strings.Contains(page, `data-say="run pipeline environment= replicas=1 debug=false"`) || strings.Contains(page, "cannot be used.") {
			t.Error("the console does not offer the pipeline with its inputs")
		}
		if out, err := w.tryPush("ops", rootToken, "plain", map[string]string{".gitlab-ci.yml": "build: {script: 'echo plainly built'}"}); err != nil {
			t.Fatal(out)
		}
		if c := w.give(rootToken, "run build@plain", "replied"); deref(c.Reply) != "plainly built" {
			t.Errorf("on a branch that asks for nothing: %q", deref(c.Reply))
		}
		w.push("ops", map[string]string{".gitlab-ci.yml": "spec: {inputs: {a: {default: x}}}\n---\npipeline: {script: 'echo job [$CHAT_INPUT] $[[ inputs.a ]]'}\n"})
		if c := w.give(rootToken, "run pipeline a=y", "replied"); deref(c.Reply) != "job [a=y] x" {
			t.Errorf("a job of that name: %q", deref(c.Reply))
		}
	})
}
