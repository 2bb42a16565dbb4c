package chatops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

// strictChat keeps the bot's messages and refuses what names none of them. Messages with more than text break it, as one would
// that cannot be rendered.
type strictChat struct {
	mu       sync.Mutex
	messages map[string]Message
	updates  func(m Message) error // nil: breaks on what is not plain
	edits    int
}

func (c *strictChat) Traits() Traits {
	const most = 100_000
	return Traits{Live: true, Window: 30 * time.Minute, Limits: Limits{Head: most, Alone: most, Said: most, Bytes: most, Output: most, Progress: most, Whole: most, Label: most}}
}

func (c *strictChat) Respond(context.Context, Poster, Target, Message) error {
	return &Refused{Reason: "no such address"}
}

func (c *strictChat) Post(context.Context, Poster, Target, Message) (Posted, error) {
	return Posted{}, &Refused{Reason: "not in the channel"}
}

func (c *strictChat) Whisper(context.Context, Poster, Target, Message) error {
	return &Refused{Reason: "not in the channel"}
}

func (c *strictChat) Upload(context.Context, Poster, Target, File) error {
	return &Refused{Reason: "no files"}
}

func (c *strictChat) Update(_ context.Context, _ Poster, _ Target, id string, m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edits++
	if _, ok := c.messages[id]; !ok {
		return &Refused{Reason: "message_not_found"}
	}
	if c.updates != nil {
		if err := c.updates(m); err != nil {
			return err
		}
	} else if !m.Bare {
		panic("it cannot be rendered")
	}
	c.messages[id] = m
	return nil
}

func (c *strictChat) shown(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages[id].Text
}

// TestAMessageThatFollowsIsEnded: when the task that edits the message of a command is given up, the message is ended plainly, or
// the command's page says that the chat does not show how the command ended.
func TestAMessageThatFollowsIsEnded(t *testing.T) {
	const running = "is running for 3 s"
	refuses := func(Message) error { return &Refused{Reason: "is_archived"} }
	away := func(m Message) error {
		if m.Bare {
			return errors.New("the chat answers 503")
		}
		panic("it cannot be rendered")
	}
	for name, c := range map[string]struct {
		state   enum.CommandState
		shown   string // fingerprint of what the message shows, as stored
		reply   string
		error   string // as stored
		removed bool   // the message is gone
		updates func(Message) error
		says    string // the message in the end
		noted   string // on the command's page
	}{
		"expired":            {state: enum.CommandExpired, reply: "done", error: "too late", says: "its reply could not be shown: too late", noted: "too late"},
		"undeliverable":      {state: enum.CommandUndeliverable, error: "no key opens it", says: "is over without a reply: no key opens it", noted: "no key opens it"},
		"refused":            {state: enum.CommandRefused, says: "Nothing was run"},
		"replied elsewhere":  {state: enum.CommandReplied, reply: "done", shown: shownElsewhere, says: "its reply is a message of its own"},
		"replied there":      {state: enum.CommandReplied, reply: "done", says: running},
		"goes on":            {state: enum.CommandWaiting, says: running, noted: "does not show any more how the job is"},
		"the chat refuses":   {state: enum.CommandUndeliverable, error: "no key", updates: refuses, says: running, noted: "no key; the message of the bot may still say that it is running: is_archived"},
		"the chat is away":   {state: enum.CommandExpired, error: "too late", updates: away, says: running, noted: "too late; the message of the bot may still say that it is running: the chat answers 503"},
		"somebody took away": {state: enum.CommandReplied, reply: "done", shown: shownElsewhere, removed: true, updates: refuses},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chat := &strictChat{messages: map[string]Message{"m1": {Text: running, Buttons: []Button{{Label: "Cancel"}}}}, updates: c.updates}
			if c.removed {
				clear(chat.messages)
			}
			b := newBench(t, onceConfig, chat)
			id := b.give("run build", func(row *models.ChatCommand) {
				row.State, row.MessageID, row.Shown, row.DeliveryError = c.state, "m1", c.shown, c.error
				if c.reply != "" {
					row.Reply = &c.reply
				}
				if c.state == enum.CommandRefused {
					row.Refusal = "Nothing was run: nobody approved it."
				}
			})
			key := liveKey(id)
			task := &models.Task{Kind: taskLive, Lane: models.LaneOutside, Key: &key, Payload: payload(id), Failures: mostTries - 1}
			b.write(func(tx *models.Tx) error { return tx.AddTask(task) })
			b.finished(task)
			if got := chat.shown("m1"); !c.removed && !strings.Contains(got, c.says) {
				t.Errorf("the message says %q, want %q", got, c.says)
			}
			if got := b.command(id).DeliveryError; got != c.noted && (c.state != enum.CommandWaiting || !strings.Contains(got, c.noted)) {
				t.Errorf("the page says %q, want %q", got, c.noted)
			}
			if chat.mu.Lock(); strings.Contains(chat.messages["m1"].Text, "is over") && len(chat.messages["m1"].Buttons) != 0 {
				t.Error("it has buttons")
			}
			chat.mu.Unlock()
		})
	}
}

// TestAMessageOfASilentJobIsEnded when the task that should have ended it is given up.
func TestAMessageOfASilentJobIsEnded(t *testing.T) {
	chat := &strictChat{messages: map[string]Message{"m1": {Text: "is running for 3 s"}}}
	b := newBench(t, onceConfig, chat)
	pipeline, _ := b.pipeline()
	said := ""
	id := b.give("run build", func(row *models.ChatCommand) {
		row.State, row.MessageID, row.PipelineID, row.Reply = enum.CommandSilent, "m1", &pipeline, &said
	})
	b.must(b.endReply(t.Context(), &models.Task{Payload: fmt.Sprintf(`{"pipeline":%d}`, pipeline)}, errors.New("it cannot be rendered")))
	if got := chat.shown("m1"); got != "is done" || b.command(id).State != enum.CommandSilent {
		t.Errorf("the message says %q", got)
	}
}

// finished works on tasks until one with a key is done or given up.
func (b *bench) finished(task *models.Task) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	var done sync.WaitGroup
	done.Go(func() { b.tasks.Run(ctx) })
	defer done.Wait()
	defer cancel()
	for end := time.Now().Add(shortly); ; time.Sleep(5 * time.Millisecond) {
		var now *models.Task
		b.read(func(tx *models.Tx) (err error) { now, err = tx.Task(task.ID); return notThere(err) })
		if now == nil || now.GaveUpAt != nil {
			return
		}
		held := false
		b.read(func(tx *models.Tx) (err error) { held, err = tx.TasksHeld(); return err })
		if !held { // its pause need not be waited for
			b.later.Add(int64(10 * time.Second))
		}
		b.tasks.Wake()
		if time.Now().After(end) {
			b.t.Fatalf("the task goes on: %+v", now)
		}
	}
}
