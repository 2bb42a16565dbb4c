package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"signalbox/models"
)

const commandsConfig = `
stages: [build, test, deploy]

# Builds the thing.
# It takes a while.
build:
  stage: build
  script: echo built for "$CHAT_INPUT"

check:
  stage: test
  needs: [build]
  script:
    - echo checking
    - printf 'section_start:1:chat_reply\r\033[0K\nchecked %s\nsection_end:2:chat_reply\r\033[0K\n' "$CI_COMMIT_REF_NAME"

# Brings a version to an environment.
deploy:
  stage: deploy
  needs: []
  inputs:
    environment: {default: staging, options: [staging, production], description: where to}
    replicas: {type: number, default: 1}
  script: echo "${{ job.inputs.environment }} x $CHAT_ARG_REPLICAS [$CHAT_INPUT]"

broken:
  stage: deploy
  needs: []
  rules: [{if: $CI_PIPELINE_SOURCE == "chat"}]
  script: [echo here, cat /no/such/file]

hidden:
  script: echo never
  rules: [{if: $CI_PIPELINE_SOURCE == "push"}]
`

// give gives a command through the endpoint of signalbox itself, and waits until it ends in a state.
func (w *world) give(token, text, state string) commandJSON {
	w.t.Helper()
	var c commandJSON
	if got := w.apiAs(token, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": text, "channel": "ops"}, &c); got != 201 {
		w.t.Fatalf("%s: %d", text, got)
	}
	w.eventually(fmt.Sprintf("%q is %s", text, state), func() bool {
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
		if c.State != state && c.State != "accepted" && c.State != "running" {
			w.t.Fatalf("%s: %+v %v %v", text, c, deref(c.Refusal), deref(c.Reply))
		}
		return c.State == state
	})
	return c
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestChatRuns runs jobs with what they need, stages, pipelines, on any ref, with inputs.
func TestChatRuns(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.runner()
		w.push("ops", map[string]string{".gitlab-ci.yml": commandsConfig})
		if out, err := w.tryPush("ops", rootToken, "release-2", map[string]string{".gitlab-ci.yml": commandsConfig + "\nonly-here: {script: echo second, needs: []}\n"}); err != nil {
			t.Fatal(out)
		}
		var branch struct{ Commit struct{ ID string } }
		w.must(200, "GET", "/projects/"+w.project+"/repository/branches/release-2", nil, &branch)
		for text, want := range map[string]string{
			"run build a b":                          "built for a b",
			"run only-here@release-2":                "second",
			"run only-here@" + branch.Commit.ID[:12]: "second",
			"run check --with-needs":                 "checked main",
			"run check@release-2 --with-needs":       "checked release-2",
			"run deploy":                             "staging x 1 []",
			"run deploy production replicas=3":       "production x 3 [production replicas=3]",
			"run deploy —environment “staging”":      "staging x 1 [—environment “staging”]",
		} {
			if c := w.give(rootToken, text, "replied"); deref(c.Reply) != want {
				t.Errorf("%s: %q, want %q", text, deref(c.Reply), want)
			}
		}
		c := w.give(rootToken, "run check --with-needs", "replied")
		if jobs := w.jobs(*c.PipelineID); len(jobs) != 2 {
			t.Errorf("with needs: %v", jobs)
		}
		c = w.give(rootToken, "run stage build@release-2", "replied")
		if got := deref(c.Reply); !strings.Contains(got, "passed") || !strings.Contains(got, "1 job") {
			t.Errorf("stage: %q", got)
		}
		c = w.give(rootToken, "run pipeline", "replied")
		if got := deref(c.Reply); !strings.Contains(got, "failed: broken") || !strings.Contains(got, "checked main") || !strings.Contains(got, "/no/such/file") {
			t.Errorf("pipeline: %q", got)
		}
		if jobs := w.jobs(*c.PipelineID); len(jobs) != 4 {
			t.Errorf("pipeline: %v", jobs)
		}
	})
}

// TestChatRefusals say one exact reason each.
func TestChatRefusals(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": commandsConfig})
		for text, want := range map[string]string{
			"run biuld":                    "no job `biuld` on the default branch `main`; did you mean `build`?",
			"run hidden":                   "`hidden`",
			"run build@relase":             "no branch, tag or commit `relase`",
			"run build@mian":               "did you mean `main`?",
			"run stage tset":               "no job in a stage `tset`",
			"run check":                    "'check' job needs 'build' job",
			"run deploy moon":              "not clear which input `moon` is for. It takes:\n• `environment` (string, otherwise `staging`): one of `staging`, `production` – where to\n• `replicas` (number, otherwise `1`)",
			"run deploy replicas=many":     "`replicas` must be a number, not `many`. It takes:",
			"run deploy environment=moon":  "`environment`",
			"run deploy size=3":            "no input `size`",
			"retry":                        "you have run nothing in this channel yet",
			"status nothing":               "no job `nothing` was run from chat lately",
			"logs 999999":                  "no job or pipeline #999999",
			"deploy staging to production": "no manual job that deploys what is in `staging` to `production`",
			"help biuld":                   "did you mean `build`?",
			"fetch the tea":                "not valid",
		} {
			if c := w.give(rootToken, text, "refused"); !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("%s: %q, want %q", text, deref(c.Refusal), want)
			}
		}
		id, token := w.user("rita")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
		if c := w.give(token, "run build", "refused"); !strings.Contains(deref(c.Refusal), "on `main`: it is protected") || !strings.Contains(deref(c.Refusal), "your role is Developer") {
			t.Errorf("protected branch: %q", deref(c.Refusal))
		}
		w.push("ops", map[string]string{".gitlab-ci.yml": "ok: {script: x}\nbuild:\n  scripts: x\n"})
		if c := w.give(rootToken, "run build", "refused"); !strings.Contains(deref(c.Refusal), "jobs build config should implement") || !strings.Contains(deref(c.Refusal), ".gitlab-ci.yml:2:1") {
			t.Errorf("broken configuration: %q", deref(c.Refusal))
		}
	})
}

// TestChatControls lists, tells, retries and cancels.
func TestChatControls(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		h := w.hand(false)
		w.push("ops", map[string]string{".gitlab-ci.yml": commandsConfig})
		tells := func(text string, want ...string) {
			t.Helper()
			c := w.give(rootToken, text, "replied")
			for _, x := range want {
				if !strings.Contains(deref(c.Reply), x) {
					t.Errorf("%s: %q, want %q", text, deref(c.Reply), x)
				}
			}
		}
		tells("jobs", "*Jobs on `main`*", "• `run build` – Builds the thing.", "• `run deploy environment=staging replicas=1` – Brings a version")
		tells("jobs @main", "`run build`")
		tells("help", "run <job> <arguments>")
		tells("help build", "*build*\nBuilds the thing.\nIt takes a while.", ".gitlab-ci.yml")
		tells("help deploy", "• `environment` (string, otherwise `staging`): one of `staging`, `production` – where to")
		tells("help hidden", "Chat may not run it")

		var c commandJSON
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run build", "channel": "ops"}, &c)
		w.eventually("the job waits", func() bool { return w.jobs(w.newest())["build"].Status == "pending" })
		id := w.newest()
		tells("status", "`build`", "pending")
		h.run(w.jobs(id)["build"].ID)
		tells(fmt.Sprintf("status %d", w.jobs(id)["build"].ID), "running for")
		tells("logs build", "running")
		tells("cancel", "is canceled")
		w.eventually("the command of the run has its reply", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.State == "replied" && strings.Contains(deref(c.Reply), "was canceled")
		})
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "retry build", "channel": "ops"}, &c)
		if !strings.Contains(c.Acknowledgement, "runs again") {
			t.Errorf("%+v", c)
		}
		w.eventually("the job waits again", func() bool { return w.jobs(id)["build"].Status == "pending" })
		h.fail(w.jobs(id)["build"].ID)
		w.eventually("the retry has its reply", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.State == "replied" && strings.Contains(deref(c.Reply), "failed")
		})

		pushed := w.pushed("watched", map[string]string{".gitlab-ci.yml": "slow: {script: x}\nother: {script: x}"})
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": fmt.Sprintf("watch %d", pushed), "channel": "ops"}, &c)
		if c.State != "running" || !strings.Contains(c.Acknowledgement, "is watched") {
			t.Errorf("%+v", c)
		}
		h.success(w.jobs(pushed)["slow"].ID)
		h.fail(w.jobs(pushed)["other"].ID)
		w.eventually("how the watched pipeline ended is told", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.State == "replied" && strings.Contains(deref(c.Reply), "failed: other")
		})

		// Who may not see the project's jobs is told nothing of them.
		_, token := w.user("guest")
		if got := w.apiAs(token, "POST", "/projects/"+url.PathEscape(w.project)+"/chat/commands", map[string]any{"text": "status 1"}, nil); got != 404 && got != 403 {
			t.Errorf("a stranger: %d", got)
		}
	})
}

// TestChatDeploys starts the manual job that promotes from one environment to another.
func TestChatDeploys(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("ops", map[string]string{".gitlab-ci.yml": `
stages: [a, b]
staging: {stage: a, script: x, environment: staging}
promote: {stage: b, script: x, when: manual, environment: production}
production: {stage: b, script: x, when: manual, environment: production}
`})
		h.success(w.jobs(id)["staging"].ID)
		w.eventually("the deployment is known", func() bool { return w.environment("staging").LastDeployment != nil })
		w.settled()
		// A rule about the job holds for every way to it.
		rules := "/projects/" + w.project + "/chat/rules"
		var rule struct{ ID int64 }
		w.must(201, "POST", rules, map[string]any{"pattern": "prod*", "channels": []string{"elsewhere"}}, &rule)
		for _, text := range []string{"deploy staging to production", fmt.Sprintf("play %d", w.jobs(id)["production"].ID)} {
			if c := w.give(rootToken, text, "refused"); !strings.Contains(deref(c.Refusal), "from the channels `elsewhere` alone") {
				t.Errorf("%s: %q", text, deref(c.Refusal))
			}
		}
		w.must(204, "DELETE", fmt.Sprintf("%s/%d", rules, rule.ID), nil, nil)
		c := w.give(rootToken, "deploy staging to production", "replied")
		if !strings.Contains(c.Acknowledgement, "Deployment started from staging to production. [Follow its progress](") {
			t.Errorf("%+v", c)
		}
		if jobs := w.jobs(id); jobs["production"].Status != "pending" || jobs["promote"].Status != "manual" {
			t.Errorf("%v", jobs)
		}
	})
}
