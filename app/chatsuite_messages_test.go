package app

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/chatops"
	"signalbox/internal/testenv/chats"
)

var withBot = map[string]any{"bot_token": true}

// TestSuiteAnswers: without a bot, a command is acknowledged to everyone, refusals to the asker alone, and the reply comes once; what
// people type and what jobs print is understood.
func TestSuiteAnswers(t *testing.T) {
	eachRoom(t, nil, false, func(t *testing.T, r *room) {
		if got := r.say(r.anna, "run nothing-like-it").Message; got.To != r.anna || !strings.Contains(got.Read(), "no job `nothing-like-it`") {
			t.Errorf("refusal: %+v", got)
		}
		if got := r.say(r.anna, "help").Message; got.To != r.anna || !strings.Contains(got.Read(), "Available commands") {
			t.Errorf("help: %+v", got)
		}
		id, receipt := r.run("build one two")
		if got := receipt.Message; got.To != "" || !strings.Contains(got.Read(), "was started") {
			t.Errorf("acknowledgement: %+v", got)
		}
		if got := r.h.variable(id, "CHAT_INPUT"); got != "one two" {
			t.Errorf("CHAT_INPUT %q", got)
		}
		if got := r.h.variable(id, "CHAT_USER_ID") + r.h.variable(id, "CHAT_CHANNEL_ID") + r.h.variable(id, "CHAT_CHANNEL"); got != r.anna+r.channel+"ops" {
			t.Errorf("variables %q", got)
		}
		r.reply(id, section("chat_reply", "it is built"))
		if m := r.once(r.eve, "it is built"); m.To != "" || len(m.Labels()) != 0 || !m.Handle {
			t.Errorf("reply %+v", m)
		}
		id, _ = r.run("build")
		r.h.run(id)
		r.log(id, section("step_script", "\x1b[32;1m$ make\x1b[0;m\nno rule to make it"))
		r.h.fail(id)
		if m := r.once(r.eve, "exit status 1"); !strings.Contains(m.Read(), "no rule to make it") {
			t.Errorf("failure %q", m.Read())
		}
		r.wishes()
		r.replies()
	})
}

// TestSuiteLivingMessage: one message of the bot's is queued, runs and ends, and is edited no more than once a second.
func TestSuiteLivingMessage(t *testing.T) {
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		id, receipt := r.run("build")
		r.alone(receipt.Message, r.anna)
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		first := r.saying(r.eve, "pending")[0]
		if !slices.Equal(first.Labels(), []string{"Cancel", chatops.AgainLabel}) {
			t.Errorf("buttons while it waits: %v", first.Labels())
		}
		now := func() chats.Message {
			m, _ := r.Message(first.ID)
			return m
		}
		r.h.run(id)
		for i := range 4 {
			r.log(id, fmt.Sprintf("compiling part %d\n", i))
			r.until("the last lines", func() bool {
				r.pass(300 * time.Millisecond)
				return strings.Contains(now().Read(), fmt.Sprintf("compiling part %d", i))
			})
		}
		r.log(id, section("chat_reply", "all parts are built"))
		r.h.success(id)
		r.until("the result", func() bool {
			r.pass(300 * time.Millisecond)
			return strings.Contains(now().Read(), "all parts are built")
		})
		m := r.once(r.eve, "all parts are built")
		if m.ID != first.ID || strings.Contains(m.Read(), "compiling") || !slices.Equal(m.Labels(), []string{"Run again", chatops.AgainLabel}) {
			t.Errorf("result %q %v", m.Read(), m.Labels())
		}
		if said := r.Said(r.channel, r.eve); len(said) != 1 {
			t.Errorf("%d messages, want one: %+v", len(said), said)
		}
		var all []auditJSON
		r.must(200, "GET", "/projects/"+r.project+"/chat/commands", nil, &all)
		if got := deref(all[0].Thread); got != r.permalink(r.server.URL, m.ID) {
			t.Errorf("the record leads to %q", got)
		}
		last := m.At
		for i, e := range m.Edits {
			if e.At.Sub(last) < time.Second && i < len(m.Edits)-1 {
				t.Errorf("edit %d comes %s after the one before", i, e.At.Sub(last))
			}
			last = e.At
		}
		if r.chatKind.name != "mattermost" { // in threads of Slack people mention the bot, and those of Discord are channels
			return
		}
		r.Say(chats.Command{Channel: r.channel, ChannelName: "ops", User: r.anna, Text: "run other", Thread: m.ID})
		r.until("the message in the thread", func() bool { return len(r.saying(r.eve, "other")) == 1 })
		if in := r.saying(r.eve, "other")[0]; in.Thread != m.ID {
			t.Errorf("it is not in the thread: %+v", in)
		}
	})
}

// TestSuiteSilentJobs: a job that says nothing on purpose leaves no button that no longer works.
func TestSuiteSilentJobs(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		r.reply(id, section("chat_reply", ""))
		r.until("it is done", func() bool { return len(r.saying(r.eve, "is done")) == 1 })
		if m := r.saying(r.eve, "is done")[0]; slices.Contains(m.Labels(), "Cancel") {
			t.Errorf("buttons %v", m.Labels())
		}
	})
}

// TestSuitePrivateAndRich: what is for the asker alone, fields, links, and a file of the artifacts.
func TestSuitePrivateAndRich(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		r.h.run(id)
		r.artifacts(id, map[string][]byte{"out/graph.png": picture})
		r.log(id, section("chat_reply", "for everyone")+section("chat_reply_private", "the key is 42")+section("chat_reply_json", `{
			"text": "*Deployed* <!channel> to production", "fields": [{"title": "Version", "value": "1.2 <b>", "short": true}, {"title": "Took", "value": "3 min", "short": true}],
			"links": [{"text": "Dashboard | <x>", "url": "https://grafana.example.com/d?a=1&b=2"}], "image": {"artifact": "out/graph.png", "alt": "Load"}}`))
		r.h.success(id)
		m := r.once(r.eve, "for everyone")
		for _, want := range []string{"Version", "1.2", "Took", "3 min", "https://grafana.example.com/d?a=1", "Load"} {
			if !strings.Contains(m.Read(), want) {
				t.Errorf("%q lacks %q", m.Read(), want)
			}
		}
		if pings := r.Pings(m); slices.Contains(pings, "<!channel>") {
			t.Errorf("it calls %v", pings)
		}
		private := r.saying(r.anna, "the key is 42")
		if len(private) != 1 || len(r.saying(r.eve, "the key is 42")) != 0 {
			t.Fatalf("the private part: %+v", private)
		}
		r.alone(private[0], r.anna)
		r.until("the file", func() bool {
			return slices.ContainsFunc(r.Said(r.channel, r.eve), func(m chats.Message) bool {
				return len(m.Files) == 1 && m.Files[0].Name == "graph.png" && string(m.Files[0].Content) == string(picture)
			})
		})
	})
}

// TestSuiteLongPrivateSection: what is for the asker alone is shown to nobody else while the job runs, however long it is.
func TestSuiteLongPrivateSection(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.h.run(id)
		r.log(id, "in the open\n")
		r.until("the open part", func() bool { r.pass(time.Second); return len(r.saying(r.eve, "in the open")) == 1 })
		hidden := strings.Repeat("the key is 42\n", 5000) // more than is read of a log's end
		r.log(id, "section_start:1:chat_reply_private\r\x1b[0K\n"+hidden)
		r.until("a look at it", func() bool { r.pass(3 * time.Second); return len(r.saying(r.eve, "in the open")) == 0 })
		r.log(id, hidden+"section_end:2:chat_reply_private\r\x1b[0K\nopen again\n")
		r.until("what is open again", func() bool { r.pass(3 * time.Second); return len(r.saying(r.eve, "open again")) == 1 })
		if got := r.say(r.anna, fmt.Sprint("logs ", id)).Message; strings.Contains(got.Read(), "the key") {
			t.Errorf("the log: %q", got.Read())
		}
		r.log(id, section("chat_reply", "for everyone"))
		r.h.success(id)
		r.once(r.eve, "for everyone")
		for _, one := range r.Said(r.channel, r.eve) {
			for _, e := range one.Edits {
				if strings.Contains(e.Text, "the key") {
					t.Fatalf("everyone saw %.200q", e.Text)
				}
			}
			if strings.Contains(one.Read(), "the key") {
				t.Fatalf("everyone sees %.200q", one.Read())
			}
		}
		r.told(r.anna, "the key is 42")
	})
}

// TestSuiteLongOutput is shown by its beginning, its end and a link, and sent as a file.
func TestSuiteLongOutput(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		for name, line := range map[string]string{"plain": "a line of text %d", "hostile": "<<<&&&>>> ```*_~`@here %d", "wide": "ééé 日本 🙂 %d"} {
			id, _ := r.run("build")
			var lines []string
			for i := range 600 {
				lines = append(lines, fmt.Sprintf(line, i))
			}
			r.reply(id, section("chat_reply", "begin "+name+"\n"+strings.Join(lines, "\n")+"\nfinish "+name))
			r.until("the reply "+name, func() bool { return len(r.saying(r.eve, "finish "+name)) == 1 })
			m := r.once(r.eve, "finish "+name)
			if !strings.Contains(m.Read(), "begin "+name) || !strings.Contains(m.Read(), "…") || !strings.Contains(m.Read(), "/-/jobs/") {
				t.Errorf("%s: %q", name, m.Read())
			}
			r.until("the file of "+name, func() bool {
				return slices.ContainsFunc(r.Said(r.channel, r.eve), func(m chats.Message) bool {
					return len(m.Files) == 1 && strings.Contains(string(m.Files[0].Content), strings.Join(lines, "\n"))
				})
			})
		}
	})
}

// TestSuiteHostileOutput: what a job prints calls nobody, ends no block of code, and no byte of it keeps the reply back.
func TestSuiteHostileOutput(t *testing.T) {
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		hostile := "\x08first \x00\x07\x0b\x7f\xff\xfe \u202e reversed\n<!channel> <!here> <@U9> <https://evil.example.com|good.example.com> @here @channel @all @everyone <@&1>\n" +
			"```\n@here @channel @everyone\n```` ````` \n[x](https://evil.example.com)\r\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m last"
		r.h.run(id)
		r.log(id, section("chat_progress", hostile))
		r.until("it is shown while it runs", func() bool {
			r.pass(time.Second)
			return len(r.saying(r.eve, "first ")) == 1
		})
		m := r.saying(r.eve, "first ")[0]
		check := func(m chats.Message) {
			t.Helper()
			for _, ping := range r.Pings(m) {
				if ping != "<@"+r.anna+">" {
					t.Errorf("it calls %s: %q", ping, m.Read())
				}
			}
			for _, c := range m.Read() {
				if c < ' ' && c != '\n' && c != '\t' || c == 0x7f || c == 0x202e {
					t.Errorf("it holds %U: %q", c, m.Read())
				}
			}
			if !strings.Contains(m.Read(), "red last") {
				t.Errorf("it lost the end: %q", m.Read())
			}
		}
		check(m)
		r.log(id, section("chat_reply", hostile))
		r.h.success(id)
		r.until("the result", func() bool { r.pass(time.Second); return r.commands()[0].State == "replied" })
		check(r.once(r.eve, "first "))
	})
}

// TestSuiteMaskedValues: no form of a masked value reaches the chat.
func TestSuiteMaskedValues(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		const value = "sup3r-Secret-value"
		r.must(201, "POST", "/projects/"+r.project+"/variables", map[string]any{"key": "HIDDEN", "value": value, "masked": true}, nil)
		encoded := base64.StdEncoding.EncodeToString([]byte("user:" + value))
		text := "plain " + value + "\nbase64 " + encoded + "\nsplit sup3r-Sec\nret-value\ncoloured sup3r-\x1b[31mSecret\x1b[0m-value end"
		id, _ := r.run("build")
		r.reply(id, section("chat_reply", text), section("chat_reply_private", "alone "+value), section("chat_reply_json", `{"text":"rich `+value+`","links":[{"text":"x","url":"https://x.example.com/?t=`+value+`"}]}`))
		r.once(r.anna, "rich ")
		for _, m := range r.Said(r.channel, r.anna) {
			for _, bad := range []string{"sup3r", "Secret-value", "ret-value", encoded[8:20]} {
				if strings.Contains(m.Read(), bad) {
					t.Errorf("%q is shown in %q", bad, m.Read())
				}
			}
		}
		if len(r.saying(r.anna, "alone ")) == 0 {
			t.Error("the private part is missing")
		}
	})
}
