package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slacktest"

	"signalbox/chatops"
)

// plainPoster calls without the bounds that the service has.
type plainPoster struct{}

func (plainPoster) Do(ctx context.Context, q chatops.Request) (chatops.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.Address, bytes.NewReader(q.Body))
	if err != nil {
		return chatops.Response{}, err
	}
	r.Header.Set("Authorization", q.Authorization)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return chatops.Response{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return chatops.Response{Status: res.StatusCode, Body: raw}, err
}

// sent is a call as slack-go's own types read it.
type sent struct {
	Channel string                 `json:"channel"`
	User    string                 `json:"user"`
	TS      string                 `json:"ts"`
	Thread  string                 `json:"thread_ts"`
	Text    string                 `json:"text"`
	Blocks  slack.Blocks           `json:"blocks"`
	Trigger string                 `json:"trigger_id"`
	View    slack.ModalViewRequest `json:"view"`
}

// workspace is slack-go's test server. That reads forms, as slack-go sends them, where Slack takes JSON as well: what stands before
// it reads our JSON with slack-go's types.
type workspace struct {
	*slacktest.Server
	chat  Chat
	calls map[string][]sent
}

func newWorkspace(t *testing.T) *workspace {
	w := &workspace{calls: map[string][]sent{}}
	w.Server = slacktest.NewTestServer(func(c slacktest.Customize) {
		ok := func(rw http.ResponseWriter, r *http.Request) {
			json.NewEncoder(rw).Encode(map[string]any{"ok": true, "channel": r.FormValue("channel"), "ts": r.FormValue("ts")})
		}
		c.Handle("/chat.update", ok) // those that it does not play
		c.Handle("/views.open", ok)
	})
	w.Start()
	t.Cleanup(w.Stop)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var s sent
		if err := json.Unmarshal(raw, &s); err != nil || r.Header.Get("Authorization") != "Bearer xoxb-1" {
			t.Errorf("%s %q: %v: %s", r.URL.Path, r.Header.Get("Authorization"), err, raw)
		}
		method := strings.TrimPrefix(r.URL.Path, "/")
		w.calls[method] = append(w.calls[method], s)
		blocks, _ := json.Marshal(s.Blocks)
		form := url.Values{"channel": {s.Channel}, "user": {s.User}, "ts": {s.TS}, "thread_ts": {s.Thread}, "text": {s.Text}, "blocks": {string(blocks)}, "as_user": {"true"}}
		res, err := http.PostForm(w.GetAPIURL()+method, form)
		if err != nil {
			t.Errorf("%s: %v", method, err)
			return
		}
		defer res.Body.Close()
		rw.WriteHeader(res.StatusCode)
		io.Copy(rw, res.Body)
	}))
	t.Cleanup(front.Close)
	w.chat = Chat{API: front.URL}
	return w
}

// TestOurMessagesAsSlackGoReadsThem posts, edits and whispers to slack-go's test server, and opens a modal.
func TestOurMessagesAsSlackGoReadsThem(t *testing.T) {
	w := newWorkspace(t)
	ctx, to := t.Context(), chatops.Target{Bot: "xoxb-1", Channel: "C1", User: "U1", Thread: "1700000000.000001"}
	m := chatops.Message{
		Kind: chatops.Progress, ChatUserID: "U1", JobName: "deploy", JobID: 7, JobURL: "https://ci.example.com/j/7", Text: "is running for 3 s", Output: "<compiling>",
		Buttons: []chatops.Button{{Label: "Cancel", Style: chatops.Danger, Value: "1.x"}, {Label: chatops.AgainLabel, Value: "1.y"}},
	}
	posted, err := w.chat.Post(ctx, plainPoster{}, to, m)
	id := posted.ID
	if err != nil || !strings.HasPrefix(id, "C1/") {
		t.Fatalf("post: %q %v", id, err)
	}
	m.Kind, m.Text, m.Output, m.Buttons = chatops.Succeeded, "", "done", m.Buttons[1:]
	if err := w.chat.Update(ctx, plainPoster{}, to, id, m); err != nil {
		t.Errorf("update: %v", err)
	}
	if err := w.chat.Whisper(ctx, plainPoster{}, to, chatops.Message{Kind: chatops.Notice, Text: "Only for you"}); err != nil {
		t.Errorf("whisper: %v", err)
	}
	post, update, whisper := w.calls["chat.postMessage"][0], w.calls["chat.update"][0], w.calls["chat.postEphemeral"][0]
	if want := "<https://ci.example.com/j/7|deploy #7> is running for 3 s\n```\n&lt;compiling&gt;\n```"; post.Text != want {
		t.Errorf("posted %q, want %q", post.Text, want)
	}
	if post.Thread != to.Thread || len(post.Blocks.BlockSet) != 2 || update.Channel != "C1" || "C1/"+update.TS != id || whisper.User != "U1" || whisper.Text != "Only for you" {
		t.Errorf("sent %+v\n%+v\n%+v", post, update, whisper)
	}
	labels := func(s sent) (out []string) {
		for _, b := range s.Blocks.BlockSet {
			if a, ok := b.(*slack.ActionBlock); ok {
				for _, e := range a.Elements.ElementSet {
					out = append(out, e.(*slack.ButtonBlockElement).Text.Text)
				}
			}
		}
		return out
	}
	if got := strings.Join(labels(post), ", ") + "; " + strings.Join(labels(update), ", "); got != "Cancel, "+chatops.AgainLabel+"; "+chatops.AgainLabel {
		t.Errorf("buttons %s", got)
	}
}

// TestOurFormAsSlackGoReadsIt opens a modal whose fields slack-go knows.
func TestOurFormAsSlackGoReadsIt(t *testing.T) {
	w := newWorkspace(t)
	err := w.chat.Ask(t.Context(), plainPoster{}, chatops.Target{Bot: "xoxb-1"}, "12345.98765.abcd", chatops.Form{
		Title: "a job whose name is longer than titles are", Text: "Brings <it>.", State: "1.sealed", Fields: []chatops.FormField{
			{Name: "environment", Label: "environment", Kind: chatops.Choice, Options: []string{"staging", "production"}, Value: "production", Required: true},
			{Name: "note", Label: "note", Hint: "what for", Kind: chatops.Lines, Value: "a\nb"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := w.calls["views.open"][0]
	v := c.View
	if c.Trigger != "12345.98765.abcd" || v.Type != slack.VTModal || v.Title.Text != "a job whose name is lon…" || v.PrivateMetadata != "1.sealed" || v.Submit.Text != "Run" || len(v.Blocks.BlockSet) != 3 {
		t.Fatalf("%+v", v)
	}
	first, ok := v.Blocks.BlockSet[1].(*slack.InputBlock)
	if !ok || first.BlockID != "environment" || first.Optional {
		t.Fatalf("%+v", v.Blocks.BlockSet[1])
	}
	if e, ok := first.Element.(*slack.SelectBlockElement); !ok || len(e.Options) != 2 || e.InitialOption.Value != "production" {
		t.Errorf("%+v", first.Element)
	}
	second, ok := v.Blocks.BlockSet[2].(*slack.InputBlock)
	if !ok || !second.Optional || second.Hint.Text != "what for" {
		t.Fatalf("%+v", v.Blocks.BlockSet[2])
	}
	if e, ok := second.Element.(*slack.PlainTextInputBlockElement); !ok || !e.Multiline || e.InitialValue != "a\nb" {
		t.Errorf("%+v", second.Element)
	}
}
