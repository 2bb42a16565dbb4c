package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
)

// gone presses a button of a message as it was, in the two ways in which that comes: by its id, and with all that it held. Nothing is done,
// and whoever pressed is told so.
func (r *room) gone(user string, old chats.Message, label, why string) {
	r.t.Helper()
	b, _ := old.Button(label)
	if r.chatKind.name == "mattermost" && old.To == "" { // the server refuses it by itself
		if got := r.Press(user, old, label); got.Status != 404 {
			r.t.Errorf("%s by its id: %+v", label, got)
		}
	}
	before := len(r.saying(user, "This button is gone"))
	r.PressAs(user, old, b)
	r.until(label+" is gone", func() bool { return len(r.saying(user, "This button is gone")) > before })
	for _, m := range r.saying(user, "This button is gone")[before:] {
		if m.To != user || !strings.Contains(m.Read(), why) {
			r.t.Errorf("%s: %q is told to %q, want %q", label, m.Read(), m.To, why)
		}
	}
}

// wholeWith waits for the message about a whole pipeline to have a button.
func (r *room) wholeWith(label string) (m chats.Message) {
	r.t.Helper()
	r.until("a button "+label+" on the pipeline's message", func() bool {
		r.pass(300 * time.Millisecond)
		all := r.saying(r.eve, "run pipeline")
		if len(all) > 0 {
			m = all[len(all)-1]
		}
		return slices.Contains(m.Labels(), label)
	})
	return m
}

// TestSuiteOldButtons: a button is for what it names and for that attempt. Pressed later, such as in a client that is slow, it does nothing.
func TestSuiteOldButtons(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		pipeline := r.newest()
		still := func(name, status string) {
			t.Helper()
			r.settled()
			if j := r.jobs(pipeline)[name]; j.Status != status {
				t.Fatalf("job %s is %s, want %s", name, j.Status, status)
			}
		}
		cancel1 := r.living("Cancel")
		r.reply(id, section("chat_reply", "first"))
		again1 := r.living("Run again")
		r.gone(r.carl, cancel1, "Cancel", "is over: success")
		r.Press(r.anna, again1, "Run again")
		cancel2 := r.living("Cancel")
		r.gone(r.carl, cancel1, "Cancel", "was tried again already")
		r.gone(r.carl, again1, "Run again", "was tried again already")
		still("build", "pending")
		r.Press(r.carl, cancel2, "Cancel")
		retry2 := r.living("Retry")
		r.Press(r.carl, retry2, "Retry")
		r.living("Cancel")
		r.gone(r.anna, cancel2, "Cancel", "was tried again already")
		r.gone(r.anna, retry2, "Retry", "was tried again already")
		still("build", "pending")

		r.configure("workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\none: {script: x}\ntwo: {script: x, when: manual}\n")
		r.say(r.anna, "run pipeline")
		r.eventually("it is there", func() bool { return r.newest() != pipeline })
		pipeline = r.newest()
		whole1 := r.wholeWith("Cancel")
		r.Press(r.carl, whole1, "Cancel")
		retry1 := r.wholeWith("Retry")
		r.Press(r.carl, retry1, "Retry")
		whole2 := r.wholeWith("Cancel")
		r.gone(r.anna, whole1, "Cancel", "has other attempts by now")
		r.gone(r.anna, retry1, "Retry", "has other attempts by now")
		still("one", "pending")
		foreign := cancel1
		b, _ := foreign.Button("Cancel")
		switch r.chatKind.name {
		case "mattermost": // nothing signs it: it is answered as whatever is no request of the chat's
			b.Value = `{"value":"1.AAAA"}`
			if got := r.PressAs(r.carl, foreign, b); got.Status != 404 {
				t.Errorf("a foreign button: %+v", got)
			}
		default:
			b.ID, b.Value = "1.AAAA", "1.AAAA"
			before := len(r.saying(r.carl, "This button is gone"))
			r.PressAs(r.carl, foreign, b)
			r.until("a foreign button is gone", func() bool { return len(r.saying(r.carl, "This button is gone")) > before })
		}
		still("one", "pending")
		for _, m := range []chats.Message{cancel1, cancel2, again1, retry2, whole1, retry1, whole2} {
			for _, b := range m.Buttons {
				if strings.HasSuffix(b.ID, "0") && strings.HasPrefix(b.ID, "signalbox") {
					t.Errorf("the id %s is a place", b.ID)
				}
			}
		}
	})
}
