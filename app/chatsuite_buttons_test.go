package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/chatops"
	"signalbox/internal/testenv/chats"
)

// told waits for a message to one user alone.
func (r *room) told(user, text string) {
	r.t.Helper()
	r.until(text+" is told to "+user, func() bool {
		return slices.ContainsFunc(r.saying(user, text), func(m chats.Message) bool { return m.To == user })
	})
}

// living waits for the message with a button.
func (r *room) living(label string) chats.Message {
	r.t.Helper()
	var found chats.Message
	r.until("a button "+label, func() bool {
		for _, m := range slices.Backward(r.Said(r.channel, r.eve)) {
			if slices.Contains(m.Labels(), label) {
				found = m
				return true
			}
		}
		r.pass(300 * time.Millisecond)
		return false
	})
	return found
}

// TestSuiteButtons act as whoever presses them, once.
func TestSuiteButtons(t *testing.T) {
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		m := r.living("Cancel")
		r.Press(r.eve, m, "Cancel")
		r.told(r.eve, "connect your")
		r.Press(r.ben, m, "Cancel")
		r.told(r.ben, "You may not")
		if st := r.jobs(r.newest())["build"].Status; st != "pending" {
			t.Fatalf("those who may not have canceled it: %s", st)
		}
		r.Press(r.carl, m, "Cancel")
		r.Press(r.carl, m, "Cancel")
		r.told(r.carl, "is canceled")
		r.eventually("it is canceled", func() bool { return r.jobs(r.newest())["build"].Status == "canceled" })
		m = r.living("Retry")
		if !strings.Contains(m.Read(), "was canceled") {
			t.Errorf("%q", m.Read())
		}
		r.Press(r.anna, m, "Retry")
		r.Press(r.anna, m, "Retry")
		r.eventually("another attempt", func() bool { return r.jobs(r.newest())["build"].ID != id })
		id = r.jobs(r.newest())["build"].ID
		again := r.living("Cancel")
		if again.ID != m.ID {
			t.Errorf("another message: %q", again.Read())
		}
		r.reply(id, section("chat_reply", "second attempt"))
		r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return len(r.saying(r.eve, "second attempt")) == 1 })
		r.settled()
		everyone := slices.DeleteFunc(r.Said(r.channel, r.eve), func(m chats.Message) bool { return m.To != "" })
		if r.jobs(r.newest())["build"].ID != id || len(everyone) != 1 {
			t.Errorf("after two presses: %+v, %d messages", r.jobs(r.newest()), len(everyone))
		}

		r.run("start")
		m = r.living("Start")
		r.Press(r.ben, m, "Start")
		r.told(r.ben, "You may not")
		r.Press(r.carl, m, "Start")
		r.eventually("it is started", func() bool { return r.jobs(r.newest())["start"].Status == "pending" })
		r.reply(r.jobs(r.newest())["start"].ID, section("chat_reply", "started by hand"))
		r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return len(r.saying(r.eve, "started by hand")) == 1 })
	})
}

// TestSuitePressesOfThoseWhoMayNow: a press that was refused is asked anew once the person is linked, and once it has the role.
func TestSuitePressesOfThoseWhoMayNow(t *testing.T) {
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		user, _ := r.user("eve")
		r.must(201, "POST", "/projects/"+r.project+"/members", map[string]any{"user_id": user, "access_level": 20}, nil)
		r.run("build")
		m := r.living("Cancel")
		for n := 1; n < 3; n++ { // the first page may be over
			r.Press(r.eve, m, "Cancel")
			r.until("a page that links", func() bool { return len(r.saying(r.eve, "connect your")) == n })
		}
		asked := r.saying(r.eve, "connect your")
		r.link(linkIn(t, asked[1].Read()), "eve", "eve-password")
		r.Press(r.eve, m, "Cancel")
		r.told(r.eve, "You may not")
		if st := r.jobs(r.newest())["build"].Status; st != "pending" {
			t.Fatalf("those who may not have canceled it: %s", st)
		}
		r.must(200, "PUT", fmt.Sprintf("/projects/%s/members/%d", r.project, user), map[string]any{"access_level": 40}, nil)
		r.Press(r.eve, m, "Cancel")
		r.told(r.eve, "is canceled")
		r.eventually("it is canceled", func() bool { return r.jobs(r.newest())["build"].Status == "canceled" })
	})
}

// TestSuiteButtonsOfPipelines: a message about a whole pipeline has the buttons of one, and each attempt its own press.
func TestSuiteButtonsOfPipelines(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.configure("workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\none: {script: x}\ntwo: {script: x}\n")
		runs := len(r.pipelines())
		r.say(r.anna, "run pipeline")
		r.eventually("it runs", func() bool { return len(r.pipelines()) == runs+1 })
		id := r.newest()
		m := r.lastWith("Cancel")
		if !slices.Equal(m.Labels(), []string{"Cancel"}) {
			t.Errorf("buttons %v", m.Labels())
		}
		r.Press(r.ben, m, "Cancel")
		r.told(r.ben, "You may not")
		for range 2 {
			r.Press(r.carl, r.lastWith("Cancel"), "Cancel")
			r.eventually("both are canceled", func() bool {
				jobs := r.jobs(id)
				return jobs["one"].Status == "canceled" && jobs["two"].Status == "canceled"
			})
			before := r.jobs(id)["one"].ID
			again := r.lastWith("Retry")
			if again.ID != m.ID || slices.Contains(again.Labels(), chatops.AgainLabel) {
				t.Errorf("%q %v", again.Read(), again.Labels())
			}
			r.Press(r.carl, again, "Retry")
			r.Press(r.carl, again, "Retry")
			r.eventually("other attempts", func() bool { return r.jobs(id)["one"].ID != before })
			r.lastWith("Cancel")
		}
		for _, name := range []string{"one", "two"} {
			r.reply(r.jobs(id)[name].ID, section("chat_reply", "this was "+name))
		}
		r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return len(r.saying(r.eve, "this was two")) == 1 })
		if n := len(r.pipelines()); n != runs+1 {
			t.Errorf("%d pipelines", n-runs)
		}

		// It can be run again as it was, which is another pipeline with a message of its own.
		m = r.lastWith("Run again")
		if !slices.Equal(m.Labels(), []string{"Run again"}) {
			t.Errorf("buttons %v", m.Labels())
		}
		r.denied(r.ben, m, "Run again")
		r.Press(r.anna, m, "Run again")
		r.Press(r.anna, m, "Run again")
		r.ran("run pipeline", runs+2)
		if again := r.lastWith("Cancel"); again.ID == m.ID || r.jobs(r.newest())["one"].User.Username != "anna" {
			t.Errorf("%q in the message of the run before, %+v", again.Read(), r.jobs(r.newest()))
		}
		r.settled()
		if n := len(r.pipelines()); n != runs+2 {
			t.Errorf("%d pipelines after two presses", n-runs)
		}
		r.startByButtons()
	})
}

// denied presses a button, and waits for the word that the user may not.
func (r *room) denied(user string, m chats.Message, label string) {
	r.t.Helper()
	before := len(r.saying(user, "You may not"))
	r.Press(user, m, label)
	r.until("it is refused", func() bool { return len(r.saying(user, "You may not")) > before })
}

// startByButtons runs a pipeline of manual jobs alone: its message has a button for each job that waits for somebody, up to a bound, and
// follows what was started.
func (r *room) startByButtons() {
	r.t.Helper()
	r.configure("workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\none: {script: x, when: manual}\ntwo: {script: x, when: manual}\n" +
		"many: {script: x, when: manual, parallel: 11}\n")
	runs := len(r.pipelines())
	r.say(r.anna, "run pipeline")
	r.eventually("it is there", func() bool { return len(r.pipelines()) == runs+1 })
	id := r.newest()
	m := r.lastWith("Start one")
	if got := m.Labels(); len(got) != 10 || got[1] != "Start two" || got[9] != "Start many 8/11" {
		r.t.Errorf("buttons %v", got)
	}
	if text := m.Read(); !strings.Contains(text, "waits: 13 jobs, to be started by hand: one (") || strings.Count(text, "many ") != 11 {
		r.t.Errorf("%q", text)
	}
	r.denied(r.ben, m, "Start two")
	if st := r.jobs(id)["two"].Status; st != "manual" {
		r.t.Fatalf("those who may not have started it: %s", st)
	}
	r.Press(r.carl, m, "Start two")
	r.Press(r.carl, m, "Start two")
	r.eventually("it is started", func() bool { return r.jobs(id)["two"].Status == "pending" })
	two := r.jobs(id)["two"]
	now := r.lastWith("Cancel")
	if now.ID != m.ID || slices.Contains(now.Labels(), "Start two") || !slices.Contains(now.Labels(), "Start many 9/11") || two.User.Username != "carl" {
		r.t.Errorf("%q %v, by %s", now.Read(), now.Labels(), two.User.Username)
	}
	r.reply(two.ID, section("chat_reply", "this was by hand"))
	r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return len(r.saying(r.eve, "this was by hand")) == 1 })
	now = r.lastWith("Run again")
	if now.ID != m.ID || !slices.Contains(now.Labels(), "Start one") {
		r.t.Errorf("%q %v", now.Read(), now.Labels())
	}
	r.gone(r.anna, m, "Start two", "does not wait to be started any more")
	r.settled()
	if again := r.jobs(id)["two"].ID; again != two.ID || len(r.pipelines()) != runs+1 {
		r.t.Errorf("job %d after %d, %d pipelines", again, two.ID, len(r.pipelines())-runs)
	}
}

// TestSuiteApprovals are given in the chat by somebody else than who asked.
func TestSuiteApprovals(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.must(201, "POST", "/projects/"+r.project+"/protected_environments", map[string]any{
			"name": "production", "deploy_access_levels": []any{map[string]any{"access_level": 40}}, "required_approval_count": 1,
		}, nil)
		r.run("deploy")
		m := r.living("Approve")
		if !slices.Equal(m.Labels(), []string{"Approve", "Reject"}) {
			t.Errorf("buttons %v", m.Labels())
		}
		r.Press(r.ben, m, "Approve")
		r.told(r.ben, "You may not")
		r.Press(r.anna, m, "Approve")
		r.told(r.anna, "You may not")
		r.Press(r.carl, m, "Approve")
		r.until("everyone learns of it", func() bool { return len(r.saying(r.eve, "was approved by Carl")) == 1 })
		r.eventually("it may be run", func() bool {
			st := r.jobs(r.newest())["deploy"].Status
			return st == "pending" || st == "manual"
		})
		r.until("the buttons go", func() bool {
			r.pass(300 * time.Millisecond)
			now, _ := r.Message(m.ID)
			return !slices.Contains(now.Labels(), "Reject")
		})
		r.run("deploy")
		m = r.living("Reject")
		r.Press(r.carl, m, "Reject")
		r.until("everyone learns of it", func() bool { return len(r.saying(r.eve, "was rejected by Carl")) == 1 })
	})
}
