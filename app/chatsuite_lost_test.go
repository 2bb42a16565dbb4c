package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

// TestSuiteLostAnswer: a chat takes a message of the bot's, but its answer never comes. The message is known again: it stands
// there once, and is the one that is changed.
func TestSuiteLostAnswer(t *testing.T) {
	lost := chats.Fault{Kind: "post", Hang: true, Taken: true}
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		r.Fail(lost)
		id, _ := r.run("build")
		r.tries("post", 2)
		r.reply(id, section("chat_reply", "the first"))
		r.whole("the first")

		// The job ends before the message is tried again, and the chat is down for longer than Mattermost remembers keys.
		r.Fail(lost)
		id, _ = r.run("build")
		r.eventually("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		r.eventually("it is to be tried again", func() bool { return strings.Contains(r.tried(), "cannot be reached") })
		r.Fail(chats.Fault{Status: 503, Times: -1})
		r.reply(id, section("chat_reply", "the second"))
		r.pass(time.Minute)
		r.settled()
		r.Heal()
		r.until("the reply", func() bool {
			r.pass(time.Second)
			return len(r.saying(r.eve, "the second")) > 0
		})
		r.whole("the second")
	})
}

// TestSuiteLostReply: the same for a reply that no message lives for.
func TestSuiteLostReply(t *testing.T) {
	eachRoom(t, map[string]any{"bot_token": true, "quiet": true}, false, func(t *testing.T, r *room) {
		r.Fail(chats.Fault{Kind: "respond", Status: 404, Times: -1})
		r.Fail(chats.Fault{Kind: "post", Hang: true, Taken: true})
		id, _ := r.run("build")
		r.reply(id, section("chat_reply", "the only"))
		r.until("the command has its reply", func() bool {
			r.pass(time.Second)
			return r.commands()[0].State == "replied"
		})
		r.whole("the only")
		if r.chatKind.name != "discord" && !strings.Contains(r.tried(), "was in the channel already") {
			t.Errorf("tries: %s", r.tried())
		}
	})
}

// TestSuiteLostAndBlind: a bot that may not read the channel says its message again, and that is noted.
func TestSuiteLostAndBlind(t *testing.T) {
	eachRoom(t, map[string]any{"bot_token": true, "quiet": true}, false, func(t *testing.T, r *room) {
		r.server.Blind = true
		r.Fail(chats.Fault{Kind: "respond", Status: 404, Times: -1})
		r.Fail(chats.Fault{Kind: "post", Hang: true, Taken: true})
		id, _ := r.run("build")
		r.reply(id, section("chat_reply", "perhaps twice"))
		r.eventually("the reply", func() bool { return len(r.saying(r.eve, "perhaps twice")) == 1 })
		r.eventually("it is to be tried again", func() bool { return strings.Contains(r.tried(), "cannot be reached") })
		r.eventually("no task runs", func() bool { return !r.holdsTasks() })
		r.pass(4 * time.Minute)
		r.until("it is tried again", func() bool { return r.commands()[0].State == "replied" })
		if got := len(r.saying(r.eve, "perhaps twice")); got != 2 {
			t.Errorf("it is said %d times", got)
		}
		if !strings.Contains(r.tried(), "it may stand there twice") {
			t.Errorf("tries: %s", r.tried())
		}
	})
}

// whole waits for a reply, and wants one message of the bot's with its job, which is the reply.
func (r *room) whole(text string) {
	r.t.Helper()
	r.once(r.eve, text)
	for _, wrong := range []string{"pending", "is running", "is done"} {
		if left := r.saying(r.eve, wrong); len(left) != 0 {
			r.t.Errorf("a message is left: %q", left[0].Read())
		}
	}
}

// tries waits until so many calls of a kind came, while time goes by.
func (r *room) tries(kind string, n int) {
	r.t.Helper()
	r.until("another try", func() bool {
		r.pass(time.Second)
		return len(r.Calls(kind))+len(r.Calls("history")) >= n
	})
}

// tried is what is noted of the posts of the newest command.
func (r *room) tried() string {
	var out strings.Builder
	for _, p := range r.posts(r.commands()[0].ID) {
		out.WriteString(p.Detail + "\n")
	}
	return out.String()
}

func (r *room) posts(command int64) (posts []*models.ChatPost) {
	r.t.Helper()
	noError(r.t, r.node.db.Read(context.Background(), func(tx *models.Tx) error {
		all, err := tx.ChatPosts([]int64{command})
		posts = all[command]
		return err
	}))
	return posts
}
