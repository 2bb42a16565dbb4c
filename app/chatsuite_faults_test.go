package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
)

// TestSuiteForgedAndRepeated: requests that nobody signed or that are old change nothing; the same one again is the same command.
func TestSuiteForgedAndRepeated(t *testing.T) {
	eachRoom(t, nil, false, func(t *testing.T, r *room) {
		c := chats.Command{Channel: r.channel, ChannelName: "ops", User: r.anna, Text: "run build", Change: r.forge}
		if got := r.Say(c); got.Status != r.refusal {
			t.Errorf("forged: %d %s", got.Status, got.Body)
		}
		c.Change = nil
		if r.signed {
			for _, age := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
				c.Stamp = r.clock.now().Add(age)
				if got := r.Say(c); got.Status != r.refusal {
					t.Errorf("%s off: %d %s", age, got.Status, got.Body)
				}
			}
		}
		if n := len(r.pipelines()); n != 0 {
			t.Fatalf("%d pipelines of requests that were refused", n)
		}
		c.Stamp, c.ID = time.Time{}, "770000000000000001"
		done := make(chan chats.Receipt, 4)
		r.Say(c)
		for range 3 {
			go func() { done <- r.Say(c) }()
			if got := <-done; got.Status != 200 || !strings.Contains(got.Message.Read(), "was started") {
				t.Errorf("again: %+v", got)
			}
		}
		if n := len(r.pipelines()); n != 1 {
			t.Errorf("%d pipelines of one command", n)
		}
		c.Channel = "other"
		if r.signed && r.chatKind.name != "slack" { // what makes the delivery the same is the chat's id alone
			return
		}
		if r.Say(c); len(r.pipelines()) != 2 {
			t.Error("a different command with the same id is taken for the first")
		}
	})
}

// TestSuiteFaults: whatever the chat does wrong with one call, the reply is shown once.
func TestSuiteFaults(t *testing.T) {
	faults := map[string]chats.Fault{
		"429":  {Status: 429, After: 3 * time.Second, Times: 2},
		"500":  {Status: 500, Times: 2},
		"hang": {Hang: true},
	}
	for _, bot := range []bool{false, true} {
		more := map[string]any{}
		if bot {
			more = withBot
		}
		t.Run(fmt.Sprintf("bot=%v", bot), func(t *testing.T) {
			eachRoom(t, more, false, func(t *testing.T, r *room) {
				all := map[string]chats.Fault{"inside": {Inside: r.transient, Times: 2}}
				for name, f := range faults {
					all[name] = f
				}
				if !bot { // response addresses answer with a status alone
					delete(all, "inside")
				}
				for name, f := range all {
					id, _ := r.run("build")
					if bot {
						r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
					}
					r.Fail(f)
					r.reply(id, section("chat_reply", "said in spite of "+name))
					r.until("the reply", func() bool {
						r.pass(time.Second)
						return len(r.saying(r.eve, "in spite of "+name)) > 0
					})
					r.Heal()
					r.once(r.eve, "in spite of "+name)
					if left := r.saying(r.eve, "pending"); len(left) != 0 {
						t.Errorf("%s: a message is left: %q", name, left[0].Read())
					}
				}
				if !bot {
					return
				}
				r.Leave(r.channel)
				id, _ := r.run("build")
				r.reply(id, section("chat_reply", "said without the bot"))
				if m := r.once(r.eve, "said without the bot"); !m.Handle {
					t.Errorf("%+v", m)
				}
			})
		})
	}
}

// TestSuiteOtherWays: an address that is over or refused gives way to the bot; where it is not in the channel either, the reply stands
// on the command's page.
func TestSuiteOtherWays(t *testing.T) {
	eachRoom(t, map[string]any{"bot_token": true, "quiet": true}, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.Fail(chats.Fault{Kind: "respond", Status: 404, Times: -1})
		r.reply(id, section("chat_reply", "said by the bot"))
		if m := r.once(r.eve, "said by the bot"); m.Handle {
			t.Errorf("%+v", m)
		}
		r.Heal()
		id, _ = r.run("start")
		r.pass(r.handleFor + time.Minute)
		r.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", r.project, id), nil, nil)
		r.reply(id, section("chat_reply", "said late"))
		if m := r.once(r.eve, "said late"); m.Handle {
			t.Errorf("%+v", m)
		}
		id, _ = r.run("start")
		r.pass(r.handleFor + time.Minute)
		r.Leave(r.channel)
		r.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", r.project, id), nil, nil)
		r.reply(id, section("chat_reply", "said to nobody"))
		r.until("it cannot be said", func() bool { return r.commands()[0].State == "undeliverable" })
		if c := r.commands()[0]; deref(c.Reply) != "said to nobody" || c.DeliveryError == nil {
			t.Errorf("without the bot: %+v", c)
		}
	})
}

// TestSuiteDownForAnHour: what a chat could not take while it was down comes after that, each reply once, in their order.
func TestSuiteDownForAnHour(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.Fail(chats.Fault{Status: 503, Times: -1})
		for i, job := range []string{"build", "other", "third"} {
			id, _ := r.run(job)
			r.reply(id, section("chat_reply", fmt.Sprintf("result %d", i)))
			r.until("a try", func() bool {
				return slices.ContainsFunc(r.commands(), func(c commandJSON) bool { return c.JobID != nil && *c.JobID == id && c.Reply != nil })
			})
		}
		for range 12 {
			r.pass(5 * time.Minute)
			r.settled()
		}
		r.Heal()
		r.until("the replies", func() bool {
			r.pass(time.Second)
			return len(r.saying(r.eve, "result 2")) == 1
		})
		r.once(r.eve, "result 2")
		var got []string
		for _, m := range r.saying(r.eve, "result ") {
			text := m.Read()
			got = append(got, text[strings.Index(text, "result "):][:8])
		}
		if strings.Join(got, ",") != "result 0,result 1,result 2" {
			t.Errorf("shown: %v", got)
		}
	})
}
