// Package chatopstest holds what the tests of all chats share.
package chatopstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox/chatops"
)

// Sent keeps what is sent to a chat, which takes everything.
type Sent struct{ Bodies [][]byte }

// Do takes a request.
func (s *Sent) Do(_ context.Context, r chatops.Request) (chatops.Response, error) {
	s.Bodies = append(s.Bodies, r.Body)
	return chatops.Response{Status: 200, Body: []byte(`{"ok":true,"ts":"1.2","channel":"C1","id":"1"}`)}, nil
}

// pieces are what texts are made of: short and wide letters, all that chats escape, and blocks of code.
var pieces = []string{
	"a", "word ", "é", "日本", "🙂", "<", ">", "&", "```", "`", "``", "*", "_", "@here ", "|", "[x](http://y)", "\n", "\\", `"`, "\x1b[31m", "\x1b[0m", "\t", "#", "~",
}

func text(r *rand.Rand, most int) string {
	var b strings.Builder
	kinds := 1 + r.IntN(4)
	var some []string
	for range kinds {
		some = append(some, pieces[r.IntN(len(pieces))])
	}
	for n := r.IntN(most + 1); b.Len() < n; {
		b.WriteString(some[r.IntN(len(some))])
	}
	return b.String()
}

func rich(r *rand.Rand) (out chatops.Rich) {
	out.Text = text(r, []int{0, 50, 1500, 5000}[r.IntN(4)])
	for range r.IntN(21) {
		out.Fields = append(out.Fields, chatops.Field{Title: text(r, 300), Value: text(r, []int{5, 100, 3000}[r.IntN(3)]), Short: r.IntN(2) == 0})
	}
	for range r.IntN(21) {
		out.Links = append(out.Links, chatops.Link{Text: "x" + text(r, 250), URL: "https://example.com/" + strings.Repeat("p", r.IntN(400))})
	}
	if r.IntN(3) == 0 {
		out.Image = &chatops.Image{Artifact: "x" + text(r, 200), Alt: text(r, 300), URL: "https://example.com/" + strings.Repeat("i", r.IntN(300))}
	}
	return out
}

// Random is a message as hostile as jobs and people make them.
func Random(r *rand.Rand) chatops.Message {
	m := chatops.Message{
		Kind: chatops.MessageKind(r.IntN(6)), ChatUserID: "12345", StartedBy: "x" + text(r, 60), StartedByAt: "https://example.com/" + strings.Repeat("u", r.IntN(60)),
		JobName: "x" + text(r, 255), JobID: r.Int64N(1e9), JobURL: "https://example.com/" + strings.Repeat("g/", r.IntN(100)) + "-/jobs/123456", ActionURL: "https://example.com/api/v4/x",
		Text: text(r, []int{0, 40, 700, 20_000}[r.IntN(4)]), Output: text(r, []int{0, 40, 4000, 100_000}[r.IntN(4)]), KeepANSI: r.IntN(4) == 0,
	}
	if m.Kind == chatops.Notice || m.Kind == chatops.Announced {
		m.Text = "x" + m.Text
	}
	if r.IntN(2) == 0 {
		m.AskedBy, m.Asked = "x"+text(r, 60), "run x"+text(r, 16<<10)
	}
	if r.IntN(4) == 0 {
		m.AgainBy, m.Again = "x"+text(r, 60), "retry x"+text(r, 200)
	}
	for range []int{0, 1, 5, 20}[r.IntN(4)] {
		m.Rich = append(m.Rich, rich(r))
	}
	for i := range []int{0, 2, 13}[r.IntN(3)] {
		m.Buttons = append(m.Buttons, chatops.Button{ID: fmt.Sprintf("start%d", i), Label: "x" + text(r, 75), Value: fmt.Sprintf("1.%080d", i)})
	}
	return m
}

// WithinLimits sends messages of all kinds by all ways, as the service does, and asks whether the chat would take each.
func WithinLimits(t *testing.T, chat chatops.Chat, check func(body []byte) error) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	limits, to := chat.Traits().Limits, chatops.Target{Handle: "https://example.com/h", Server: "https://example.com", Bot: "b", Channel: "C1", User: "U1"}
	for i := range 600 {
		m := Random(r)
		if i%3 == 0 {
			m = m.Plainly()
		}
		m = limits.Fit(m)
		sent := &Sent{}
		ctx := t.Context()
		var err error
		switch i % 4 {
		case 0:
			_, err = chat.Post(ctx, sent, to, m)
		case 1:
			err = chat.Update(ctx, sent, to, "C1/1.2", m)
		case 2:
			err = chat.Respond(ctx, sent, to, m)
		default:
			err = chat.Whisper(ctx, sent, to, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		if problem := check(sent.Bodies[len(sent.Bodies)-1]); problem != nil {
			t.Fatalf("message %d is refused: %v\n%+.3000v\n%.6000s", i, problem, m, sent.Bodies[len(sent.Bodies)-1])
		}
	}
}
