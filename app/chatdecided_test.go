package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

// triedAgain stores a command as an earlier try left it that found what it is about, and lets it be tried again.
func (w *world) triedAgain(text string, pipeline int64, job *int64) commandJSON {
	w.t.Helper()
	var root models.User
	w.must(200, "GET", "/user", nil, &root)
	row := &models.ChatCommand{
		Chat: enum.Console, DeliveryKey: fmt.Sprint("again:", text, time.Now().UnixNano()), ChannelID: "ops", ChannelName: "ops", ChatUserID: "root", ChatUserName: "root",
		UserID: &root.ID, Text: text, State: enum.CommandAccepted, DecidedPipelineID: &pipeline, DecidedJobID: job,
	}
	fmt.Sscan(w.project, &row.ProjectID)
	noError(w.t, w.node.db.Write(w.t.Context(), func(tx *models.Tx) error {
		row.ID = 0
		if err := tx.CreateCommand(row); err != nil {
			return err
		}
		return tx.AddTask(&models.Task{Kind: "run-command", Lane: models.LaneCommands, Payload: fmt.Sprintf(`{"command":%d}`, row.ID)})
	}))
	w.node.tasks.Wake()
	var c commandJSON
	w.eventually(text+" is done", func() bool {
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, row.ID), nil, &c)
		return c.State != "accepted"
	})
	return c
}

// TestCommandsActOnWhatTheyFirstFound: what a command is about is found once. Tried again, it is about the same job and pipeline, whatever
// has that name, or is the newest, by then.
func TestCommandsActOnWhatTheyFirstFound(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		h := w.hand(false)
		w.push("ops", map[string]string{".gitlab-ci.yml": "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\nbuild: {script: x}\nlater: {script: x, when: manual}\n"})
		first := *w.give(rootToken, "run build", "running").JobID
		if c := w.give(rootToken, "cancel #999999", "refused"); !strings.Contains(deref(c.Refusal), "no job or pipeline #999999") {
			t.Errorf("%q", deref(c.Refusal))
		}
		if c := w.give(rootToken, "retry build", "refused"); !strings.Contains(deref(c.Refusal), "it can be tried again when it has ended") {
			t.Errorf("retry of one that waits: %q", deref(c.Refusal))
		}
		h.run(first)
		h.success(first)
		over := fmt.Sprintf("#%d](%s/root/ops/-/jobs/%d) is over: success", first, w.node.URL, first)
		if c := w.give(rootToken, "cancel build", "refused"); !strings.Contains(deref(c.Refusal), over) {
			t.Errorf("cancel of one that ended: %q, want %q", deref(c.Refusal), over)
		}
		if c := w.give(rootToken, "play build", "refused"); !strings.Contains(deref(c.Refusal), over) {
			t.Errorf("play of one that ended: %q", deref(c.Refusal))
		}
		pipeline := w.newest()
		for text, want := range map[string]string{
			fmt.Sprintf("cancel pipeline %d", pipeline): "is over: success", fmt.Sprintf("retry pipeline %d", pipeline): "nothing to try again",
		} {
			if c := w.give(rootToken, text, "refused"); !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("%s: %q", text, deref(c.Refusal))
			}
		}

		other := *w.give(rootToken, "run build", "running").JobID
		untouched := func(what string) {
			t.Helper()
			if st := w.jobs(w.newest())["build"]; st.ID != other || st.Status != "pending" {
				t.Fatalf("%s: the later job is %+v", what, st)
			}
		}
		for text, want := range map[string]string{"cancel build": over, "play build": over, "cancel": over, "status build": fmt.Sprintf("#%d]", first), "logs build": fmt.Sprintf("#%d]", first), "watch build": fmt.Sprintf("#%d]", first)} {
			if c := w.triedAgain(text, pipeline, &first); !strings.Contains(deref(c.Refusal)+c.Acknowledgement, want) {
				t.Errorf("%s tried again: %s %q, want %q", text, c.State, deref(c.Refusal)+c.Acknowledgement, want)
			}
			untouched(text)
		}
		if c := w.triedAgain("cancel", pipeline, nil); !strings.Contains(deref(c.Refusal), "is over: success") {
			t.Errorf("cancel of a pipeline tried again: %q", deref(c.Refusal))
		}
		untouched("cancel")
		if c := w.triedAgain("retry build", pipeline, &first); c.State != "running" || *c.PipelineID != pipeline {
			t.Errorf("retry tried again: %+v", c)
		}
		untouched("retry")

		// The number of an attempt is that attempt.
		next := w.jobs(pipeline)["build"].ID
		for _, verb := range []string{"cancel", "retry", "play", "watch"} {
			if c := w.give(rootToken, fmt.Sprintf("%s #%d", verb, first), "refused"); !strings.Contains(deref(c.Refusal), fmt.Sprintf("was tried again already, as #%d, which is pending; `%s #%d` is about that.", next, verb, next)) {
				t.Errorf("%s of an earlier attempt: %q", verb, deref(c.Refusal))
			}
		}
		if c := w.give(rootToken, fmt.Sprintf("status #%d", first), "replied"); !strings.Contains(c.Acknowledgement, "is success") || !strings.Contains(c.Acknowledgement, fmt.Sprintf("as #%d, which is pending", next)) {
			t.Errorf("status of an earlier attempt: %q", c.Acknowledgement)
		}
		if st := w.jobs(pipeline)["build"].Status; st != "pending" {
			t.Errorf("the next attempt is %s", st)
		}
		untouched("what was done with the first one")

		// Buttons of the page are for one attempt, too.
		b, at := w.visitor("root", "root-password"), "/root/ops/-/chat/commands"
		for text, turn := range map[string]string{fmt.Sprintf("cancel pipeline #%d", pipeline): fmt.Sprint(first), fmt.Sprintf("cancel #%d", first): ""} {
			b.post(at, url.Values{"text": {text}, "pressed": {"1"}, "turn": {turn}}, at)
			w.eventually("the button is gone", func() bool {
				c := w.commands()[0]
				return c.State == "refused" && strings.HasPrefix(deref(c.Refusal), "This button is gone: ")
			})
			if st := w.jobs(pipeline)["build"].Status; st != "pending" {
				t.Fatalf("%s of an old page: the job is %s", text, st)
			}
		}
		if c := w.give(rootToken, "cancel build", "replied"); !strings.Contains(c.Acknowledgement, fmt.Sprintf("#%d]", next)) || !strings.Contains(c.Acknowledgement, "is canceled.") {
			t.Errorf("cancel: %q", c.Acknowledgement)
		}
	})
}
