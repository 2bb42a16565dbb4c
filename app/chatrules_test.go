package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestChatRules let run jobs those alone whom they name, from the channels that they name, not too often, and with approval.
func TestChatRules(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o, func(s *Settings) { s.AcceptWithin, s.LostAfter = 24*time.Hour, 24*time.Hour })
		w.newProject("ops")
		h := w.hand(false)
		w.push("ops", map[string]string{".gitlab-ci.yml": "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\ndeploy-prod: {script: x}\ndeploy-test: {script: x}\nbuild: {script: x}\nlocked: {script: x, resource_group: one}"})
		tokens := map[string]string{}
		ids := map[string]int64{}
		for _, name := range []string{"ada", "ben", "cyn"} {
			ids[name], tokens[name] = w.user(name)
			w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": ids[name], "access_level": 40}, nil)
		}
		in := func(name, channel, text string) commandJSON {
			t.Helper()
			var c commandJSON
			if got := w.apiAs(tokens[name], "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": text, "channel": channel}, &c); got != 201 {
				t.Fatalf("%s: %d", text, got)
			}
			return c
		}
		refused := func(name, channel, text, want string) {
			t.Helper()
			if c := in(name, channel, text); c.State != "refused" || !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("%s in %s: %s: %s %q, want %q", name, channel, text, c.State, deref(c.Refusal), want)
			}
		}
		runs := func(name, channel, text string) commandJSON {
			t.Helper()
			c := in(name, channel, text)
			if c.State != "running" {
				t.Errorf("%s in %s: %s: %s %q", name, channel, text, c.State, deref(c.Refusal))
			}
			return c
		}
		rules := "/projects/" + w.project + "/chat/rules"
		var rule struct{ ID int64 }
		w.must(201, "POST", rules, map[string]any{"pattern": "deploy-*", "channels": []string{"ops"}, "who": []map[string]any{{"user_id": ids["ada"]}, {"user_id": ids["ben"]}}}, &rule)
		w.refused(400, "POST", rules, map[string]any{"pattern": ""}, `{"message":{"pattern":["can't be blank"]}}`)
		refused("ada", "random", "run deploy-test", "from the channels `ops` alone")
		refused("cyn", "ops", "run deploy-test", "run by @ada or @ben alone, by a rule of the project; your role is Maintainer")
		refused("cyn", "ops", "run pipeline", "run by @ada or @ben alone")
		runs("ada", "ops", "run deploy-test")
		runs("cyn", "random", "run build")

		w.must(200, "PUT", fmt.Sprintf("%s/%d", rules, rule.ID), map[string]any{"approvals": 1, "pattern": "deploy-prod"}, nil)
		c := in("ada", "ops", "run deploy-prod now")
		if c.State != "waiting" || c.PipelineID != nil || !strings.Contains(c.Acknowledgement, "1 approval of somebody else is missing") {
			t.Fatalf("%+v", c)
		}
		if got := w.found("state=waiting"); len(got) != 1 || got[0] != "run deploy-prod now" {
			t.Errorf("commands that wait: %q", got)
		}
		var told auditJSON
		if w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &told); deref(told.Decision) != "it waits for the approval of others" {
			t.Errorf("%+v", told)
		}
		// What was asked for is what is approved, whatever is pushed meanwhile.
		var asked struct{ ID string }
		var later struct{ SHA string }
		w.must(200, "GET", "/projects/"+w.project+"/repository/commits/main", nil, &asked)
		w.must(201, "POST", "/projects/"+w.project+"/repository/commits", map[string]any{
			"branch": "main", "commit_message": "meanwhile", "actions": []any{map[string]any{"action": "create", "file_path": "meanwhile", "content": "x"}},
		}, nil)
		answer := fmt.Sprintf("approve command %d", c.ID)
		refused("ada", "ops", answer, "somebody else has to approve")
		refused("cyn", "ops", answer, "lets you neither run nor approve")
		if a := in("ben", "ops", answer); a.State != "replied" || !strings.Contains(a.Acknowledgement, "approved `run deploy-prod now`") {
			t.Errorf("%+v", a)
		}
		w.eventually("the approved command runs", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.State == "running" && c.PipelineID != nil
		})
		if j := w.jobs(*c.PipelineID)["deploy-prod"]; h.variable(j.ID, "GITLAB_USER_LOGIN") != "ada" || h.variable(j.ID, "CHAT_INPUT") != "now" {
			t.Errorf("it runs as %s with %q", h.variable(j.ID, "GITLAB_USER_LOGIN"), h.variable(j.ID, "CHAT_INPUT"))
		}
		if w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, *c.PipelineID), nil, &later); later.SHA != asked.ID || asked.ID == "" {
			t.Errorf("it runs %s, approved was %s", later.SHA, asked.ID)
		}
		refused("ben", "ops", answer, "does not wait for approval; it is running")
		c = in("ada", "ops", "run deploy-prod")
		in("ben", "ops", fmt.Sprintf("reject command %d", c.ID))
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
		if c.State != "refused" || !strings.Contains(deref(c.Refusal), "rejected it") {
			t.Errorf("%+v", c)
		}
		w.must(204, "DELETE", fmt.Sprintf("%s/%d", rules, rule.ID), nil, nil)

		w.must(201, "POST", rules, map[string]any{"pattern": "build", "cooldown_seconds": 600}, nil)
		refused("cyn", "random", "run build", "it can be run again in")
		runs("ben", "random", "run build")
		w.clock.set(11 * time.Minute)
		runs("cyn", "random", "run build")

		w.must(201, "POST", rules, map[string]any{"pattern": "build", "cooldown_seconds": 600, "cooldown_of": "channel"}, nil)
		refused("ada", "random", "run build", "somebody in this channel ran `build`")
		runs("ada", "ops", "run build")

		first := runs("ada", "ops", "run locked")
		w.eventually("the first has the resource", func() bool { return w.jobs(*first.PipelineID)["locked"].Status == "pending" })
		h.run(*first.JobID)
		second := runs("ben", "ops", "run locked")
		w.eventually("the second waits", func() bool { return w.jobs(*second.PipelineID)["locked"].Status == "waiting_for_resource" })
		if got := in("ben", "ops", "status"); !strings.Contains(deref(got.Reply), fmt.Sprintf("queued behind job #%d of @ada, which holds `one`", *first.JobID)) {
			t.Errorf("%q", deref(got.Reply))
		}
	})
}

// TestChatRulesHoldForRetries: a whole pipeline is tried again by those alone who may run each of its jobs.
func TestChatRulesHoldForRetries(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		h := w.hand(false)
		w.push("ops", map[string]string{".gitlab-ci.yml": "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\ndeploy: {script: x}\nbuild: {script: x}"})
		tokens := map[string]string{}
		ids := map[string]int64{}
		for _, name := range []string{"ada", "cyn"} {
			ids[name], tokens[name] = w.user(name)
			w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": ids[name], "access_level": 40}, nil)
		}
		in := func(name, text string) (c commandJSON) {
			t.Helper()
			if got := w.apiAs(tokens[name], "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": text, "channel": "ops"}, &c); got != 201 {
				t.Fatalf("%s: %d", text, got)
			}
			return c
		}
		last := map[string]int64{}
		for _, name := range []string{"ada", "cyn"} {
			p := *in(name, "run pipeline").PipelineID
			h.run(w.jobs(p)["deploy"].ID)
			h.fail(w.jobs(p)["deploy"].ID)
			h.run(w.jobs(p)["build"].ID)
			h.success(w.jobs(p)["build"].ID)
			w.state(p, "failed")
			last[name] = p
		}
		w.must(201, "POST", "/projects/"+w.project+"/chat/rules", map[string]any{"pattern": "deploy", "who": []map[string]any{{"user_id": ids["ada"]}}}, nil)
		if c := in("cyn", "retry"); c.State != "refused" || !strings.Contains(deref(c.Refusal), "run by @ada alone") {
			t.Errorf("%s %q", c.State, deref(c.Refusal))
		}
		if got := w.jobs(last["cyn"])["deploy"]; got.Status != "failed" {
			t.Errorf("refused, and yet it is %s", got.Status)
		}
		if c := in("ada", "retry"); c.State != "running" || c.PipelineID == nil || *c.PipelineID != last["ada"] {
			t.Errorf("%s %q", c.State, deref(c.Refusal))
		}
		if got := w.jobs(last["ada"])["deploy"]; got.Status != "pending" {
			t.Errorf("tried again, it is %s", got.Status)
		}
	})
}
