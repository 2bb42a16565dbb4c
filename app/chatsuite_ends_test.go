package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
)

// refusesContents is how a chat says that it does not take what a message holds.
func (r *room) refusesContents(kind, text string, times int) chats.Fault {
	f := chats.Fault{Kind: kind, Text: text, Times: times, Status: 400}
	if r.chatKind.name == "slack" {
		f.Status, f.Inside = 0, "invalid_blocks"
	}
	return f
}

// TestSuiteAskedFor: everybody sees who asked for what, then how it is, then what it says; what jobs hide is hidden there too.
func TestSuiteAskedFor(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.must(201, "POST", "/projects/"+r.project+"/variables", map[string]any{"key": "HIDDEN", "value": "sup3r-Secret-value", "masked": true}, nil)
		id, _ := r.run("build production key=sup3r-Secret-value")
		command := "/ops run build production key=[MASKED]"
		if r.chatKind.name == "discord" {
			command = "/" + strings.TrimPrefix(command, "/ops ")
		}
		name := "name-" + r.anna
		r.until("who asked for what", func() bool { return len(r.saying(r.eve, command)) == 1 })
		m := r.saying(r.eve, command)[0]
		if text := m.Read(); !strings.Contains(text, name) || strings.Index(text, command) > strings.Index(text, "pending") || strings.Contains(text, "sup3r") {
			t.Errorf("while it waits: %q", text)
		}
		r.reply(id, section("chat_reply", "it is built"))
		r.once(r.eve, "it is built")
		m, _ = r.Message(m.ID)
		text := m.Read()
		if at := strings.Index(text, command); at < 0 || at > strings.Index(text, "build") && strings.Contains(text, "build #") && at > strings.Index(text, "build #") || at > strings.Index(text, "it is built") {
			t.Errorf("the reply: %q", text)
		}
		r.Press(r.carl, m, "Run again")
		r.until("who asked again", func() bool {
			r.pass(300 * time.Millisecond)
			m, _ = r.Message(m.ID)
			return strings.Contains(m.Read(), "then") && strings.Contains(m.Read(), "name-"+r.carl)
		})
		if text := m.Read(); !strings.Contains(text, command) || !strings.Contains(text, name) {
			t.Errorf("run again: %q", text)
		}
	})
}

// TestSuiteLargeBlocks: more links and blocks than a chat takes are shown in part, with the way to the whole.
func TestSuiteLargeBlocks(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		var links, blocks []string
		for i := range 20 {
			links = append(links, fmt.Sprintf(`{"text":"link %d %s","url":"https://example.com/%s"}`, i, strings.Repeat("t", 180), strings.Repeat("p", 180)))
			blocks = append(blocks, fmt.Sprintf(`{"text":"block %d %s"}`, i, strings.Repeat("lorem ", 250)))
		}
		for name, json := range map[string]string{"link 0": `{"text":"with links","links":[` + strings.Join(links, ",") + `]}`, "block 0": "[" + strings.Join(blocks, ",") + "]"} {
			id, _ := r.run("build")
			r.reply(id, section("chat_reply_json", json))
			if m := r.once(r.eve, name); !strings.Contains(m.Read(), "/-/jobs/") || r.commands()[0].State != "replied" {
				t.Errorf("%s: %q", name, m.Read())
			}
		}
	})
}

// TestSuitePlainText: a message that the chat refuses for what it holds is sent once more as plain text.
func TestSuitePlainText(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		m := r.saying(r.eve, "pending")[0]
		r.Fail(r.refusesContents("update", "said plainly", 1))
		r.h.run(id)
		r.log(id, section("chat_reply", "said plainly")+section("chat_reply_json", `{"text":"a block","fields":[{"title":"Version","value":"1.2"}]}`))
		r.h.success(id)
		r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return r.commands()[0].State == "replied" })
		m, _ = r.Message(m.ID)
		for _, want := range []string{"said plainly", "a block", "Version: 1.2"} {
			if !strings.Contains(m.Read(), want) {
				t.Errorf("%q lacks %q", m.Read(), want)
			}
		}
		if len(m.Labels()) != 0 {
			t.Errorf("buttons %v", m.Labels())
		}
	})
}

// TestSuiteUnshownReply: where a reply cannot be shown in any way, the message says so, leads to it, and has no button any more.
func TestSuiteUnshownReply(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		m := r.saying(r.eve, "pending")[0]
		if !slices.Contains(m.Labels(), "Cancel") {
			t.Fatalf("buttons %v", m.Labels())
		}
		for _, kind := range []string{"update", "post", "respond"} {
			r.Fail(r.refusesContents(kind, "nobody sees this", -1))
		}
		r.reply(id, section("chat_reply", "nobody sees this"))
		r.until("it cannot be shown", func() bool { r.pass(300 * time.Millisecond); return r.commands()[0].State == "undeliverable" })
		r.until("the message says so", func() bool {
			r.pass(time.Second)
			m, _ = r.Message(m.ID)
			return strings.Contains(m.Read(), "could not be shown")
		})
		if !strings.Contains(m.Read(), fmt.Sprintf("/-/chat/commands/%d", r.commands()[0].ID)) || len(m.Labels()) != 0 || strings.Contains(m.Read(), "is running") {
			t.Errorf("%q %v", m.Read(), m.Labels())
		}
	})
}

// TestSuiteReplyElsewhere: where the reply comes as a message of its own, the one that followed the job ends too.
func TestSuiteReplyElsewhere(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		m := r.saying(r.eve, "pending")[0]
		r.Fail(r.refusesContents("update", "said beside it", 2))
		r.reply(id, section("chat_reply", "said beside it"))
		r.until("the reply", func() bool { r.pass(300 * time.Millisecond); return len(r.saying(r.eve, "said beside it")) == 1 })
		r.until("the first one ends", func() bool {
			r.pass(time.Second)
			m, _ = r.Message(m.ID)
			return strings.Contains(m.Read(), "is a message of its own")
		})
		if len(m.Labels()) != 0 {
			t.Errorf("buttons %v", m.Labels())
		}
	})
}

// TestSuiteAddressIsOver: an address that says that its time is over leaves a command that is expired.
func TestSuiteAddressIsOver(t *testing.T) {
	eachRoom(t, nil, false, func(t *testing.T, r *room) {
		id, _ := r.run("build")
		over := chats.Fault{Kind: "respond", Times: -1, Status: 404, Body: `{"ok":false,"error":"expired_url"}`}
		switch r.chatKind.name {
		case "mattermost":
			over.Status, over.Body = 400, `{"id":"app.command_webhook.try_use.invalid","message":"Invalid webhook.","status_code":400}`
		case "discord":
			over.Status, over.Body = 401, `{"code":50027,"message":"Invalid Webhook Token"}`
		}
		r.Fail(over)
		r.reply(id, section("chat_reply", "too late"))
		r.until("it has an end", func() bool { r.pass(time.Second); return r.commands()[0].State != "running" })
		if c := r.commands()[0]; c.State != "expired" {
			t.Errorf("%s: %s", c.State, deref(c.DeliveryError))
		}
	})
}
