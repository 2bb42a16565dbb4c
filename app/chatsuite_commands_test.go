package app

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

const wishesConfig = `
workflow: {rules: [{if: $CI_PIPELINE_SOURCE == "chat"}]}
stages: [build, test]
# Builds the thing.
build: {stage: build, script: x}
locked: {stage: build, script: x, resource_group: one}
several: {stage: build, script: [x, y]}
check:
  stage: test
  needs: [build]
  script: x
  inputs:
    level: {default: low, options: [low, high], description: how much}
    host: {default: none}
`

// wishes are what a person types in a chat, and what comes of it there: any ref, a job with its needs, a stage, near names, words as
// chats and phones change them, a pause and a queue between runs, and word of how another's pipeline ended.
func (r *room) wishes() {
	t := r.t
	r.configure(wishesConfig)
	if out, err := r.tryPush("ops", rootToken, "release-2", map[string]string{".gitlab-ci.yml": wishesConfig}); err != nil {
		t.Fatal(out)
	}
	asks := func(user, text string, wants ...string) {
		t.Helper()
		got := r.say(user, text).Message.Read()
		if strings.Contains(got, "Working on it") || strings.Contains(got, "thinking") { // many commands came in this second
			r.until("the answer to "+text, func() bool { return len(r.saying(user, wants[0])) > 0 })
			got = r.saying(user, wants[0])[0].Read()
		}
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
	}
	asks(r.anna, "run biuld", "did you mean `build`?")
	asks(r.anna, "run check", "needs 'build' job")
	asks(r.anna, "run build@mian", "did you mean `main`?")
	asks(r.anna, "jobs", "`run build`", "Builds the thing.")
	asks(r.anna, "help check", "`level`", "one of `low`, `high`", "how much")
	asks(r.anna, "run build@release-2 fast", "on `release-2`")
	if id := r.jobs(r.newest())["build"].ID; r.h.variable(id, "CI_COMMIT_REF_NAME") != "release-2" || r.h.variable(id, "CHAT_INPUT") != "fast" {
		t.Errorf("it runs on %q with %q", r.h.variable(id, "CI_COMMIT_REF_NAME"), r.h.variable(id, "CHAT_INPUT"))
	}
	const typed = "—level “high” host=<https://shop.example.com|shop.example.com>"
	asks(r.anna, "run check --with-needs "+typed, "after 1 job that it needs")
	jobs := r.jobs(r.newest())
	r.reply(jobs["build"].ID, "made\n")
	if id := jobs["check"].ID; r.h.variable(id, "CHAT_ARG_LEVEL")+" "+r.h.variable(id, "CHAT_ARG_HOST") != "high shop.example.com" || r.h.variable(id, "CHAT_INPUT") != typed {
		t.Errorf("it was given %q and %q of %q", r.h.variable(id, "CHAT_ARG_LEVEL"), r.h.variable(id, "CHAT_ARG_HOST"), r.h.variable(id, "CHAT_INPUT"))
	}
	asks(r.anna, "run check --with-needs level=medium", "`medium`", "one of `low`, `high`")

	asks(r.anna, "run stage build", "has 3 jobs")
	watched := r.newest()
	asks(r.carl, fmt.Sprintf("watch pipeline #%d", watched), "is watched")
	for _, j := range r.jobs(watched) {
		r.reply(j.ID, section("chat_reply", j.Name+" is ready"))
	}
	r.until("both are told", func() bool { return len(r.saying(r.eve, "several is ready")) == 2 })

	asks(r.anna, "run locked", "was started")
	r.h.run(r.jobs(r.newest())["locked"].ID)
	asks(r.carl, "run locked", "was started")
	r.eventually("it waits", func() bool { return r.jobs(r.newest())["locked"].Status == "waiting_for_resource" })
	asks(r.carl, "status", "queued behind job #", "@anna")

	r.must(201, "POST", "/projects/"+r.project+"/chat/rules", map[string]any{"pattern": "locked", "channels": []string{"elsewhere"}}, nil)
	asks(r.anna, "run locked", "from the channels `elsewhere` alone")
	r.must(201, "POST", "/projects/"+r.project+"/chat/rules", map[string]any{"pattern": "build", "cooldown_seconds": 600}, nil)
	asks(r.anna, "run build", "you ran `build`", "it can be run again in")
}

// replies plays the cases of logs: what each says is shown in Slack and Mattermost, and in the web chat, which is beside Discord.
func (r *room) replies() {
	t := r.t
	raw, err := os.ReadFile("../chatops/testdata/chat-replies.json")
	noError(t, err)
	var cases []struct {
		ID     int
		Trace  []byte `json:"trace_base64"`
		Result string
		Reply  *string
		Bytes  int  `json:"reply_bytes"`
		Over   bool `json:"over_limit"`
	}
	noError(t, json.Unmarshal(raw, &cases))
	web := r.chatKind.name == "discord"
	for _, c := range cases {
		var got commandJSON
		if web {
			r.must(201, "POST", "/projects/"+r.project+"/chat/commands", map[string]any{"text": "run several"}, &got)
		} else {
			id, _ := r.run("several")
			got = r.answered(id)
		}
		at := fmt.Sprintf("/projects/%s/chat/commands/%d", r.project, got.ID)
		r.until("a job", func() bool { r.must(200, "GET", at, nil, &got); return got.JobID != nil })
		r.reply(*got.JobID, string(c.Trace))
		r.until(fmt.Sprintf("the reply of case %d", c.ID), func() bool {
			r.must(200, "GET", at, nil, &got)
			return got.State == "replied" || got.State == "silent"
		})
		all := r.Said(r.channel, r.eve)
		shown := all[len(all)-1].Read()
		if web {
			shown = deref(got.Reply)
		}
		kept, drawn := deref(c.Reply), strings.ReplaceAll(strings.TrimSuffix(deref(c.Reply), "\r"), "\r\n", "\n")
		if web { // which tells programs
			drawn = kept
		}
		switch {
		case c.Result == "silent":
			if got.State != "silent" || !web && !strings.Contains(shown, "was started") {
				t.Errorf("case %d is %s, and %q is said", c.ID, got.State, shown)
			}
		case c.Reply == nil:
			if len(deref(got.Reply)) != c.Bytes || !web && strings.Contains(shown, "The whole output") != c.Over {
				t.Errorf("case %d replies with %d bytes: %q", c.ID, len(deref(got.Reply)), shown)
			}
		case deref(got.Reply) != kept || !strings.Contains(shown, drawn):
			t.Errorf("case %d: %q is kept and %q is shown, want %q", c.ID, deref(got.Reply), shown, kept)
		}
	}
}
