package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"signalbox/chatops"
	"signalbox/models"
)

// slackSockets is Slack's side of Socket Mode: it opens connections for a token, and sends over the newest one.
type slackSockets struct {
	*httptest.Server
	mu      sync.Mutex
	opened  int
	sent    int
	conns   chan *websocket.Conn
	posts   chan map[string]any // what the Web API and response addresses took
	answers chan map[string]any
}

func newSlackSockets(t *testing.T) *slackSockets {
	t.Helper()
	f := &slackSockets{conns: make(chan *websocket.Conn, 8), posts: make(chan map[string]any, 64), answers: make(chan map[string]any, 64)}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/apps.connections.open", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer xapp-1" {
			json.NewEncoder(w).Encode(map[string]any{"ok": false, "error": "invalid_auth"})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"ok": true, "url": strings.Replace(f.URL, "http", "ws", 1) + "/link?ticket=secret"})
	})
	mux.HandleFunc("/api/auth.test", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"ok": true, "team": "The people of T1", "team_id": "T1", "user_id": "U0", "bot_id": "B1"})
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.opened++
		f.mu.Unlock()
		ctx := context.Background()
		wsjson.Write(ctx, ws, map[string]any{"type": "hello", "num_connections": 1})
		f.conns <- ws
		for {
			var answer map[string]any
			if wsjson.Read(ctx, ws, &answer) != nil {
				return
			}
			f.answers <- answer
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		if body != nil {
			body["path"] = r.URL.Path
			f.posts <- body
		}
		json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": "C1", "ts": "1.1"})
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// send sends an envelope over a connection, and gives what its acknowledgement holds.
func (f *slackSockets) send(t *testing.T, ws *websocket.Conn, kind string, payload map[string]any) map[string]any {
	t.Helper()
	f.mu.Lock()
	f.sent++
	id := fmt.Sprint("S", f.sent)
	f.mu.Unlock()
	noError(t, wsjson.Write(t.Context(), ws, map[string]any{"type": kind, "envelope_id": id, "accepts_response_payload": true, "payload": payload}))
	a := receive(t, "an acknowledgement", f.answers)
	if a["envelope_id"] != id {
		t.Fatalf("%v acknowledges %s", a, id)
	}
	p, _ := a["payload"].(map[string]any)
	return p
}

// next waits for a request to Slack, and gives it as JSON.
func (f *slackSockets) next(t *testing.T, what string, is func(p map[string]any, raw string) bool) string {
	t.Helper()
	for {
		p := receive(t, what, f.posts)
		raw, _ := json.Marshal(p)
		if is(p, string(raw)) {
			return string(raw)
		}
	}
}

// valueOf is the value of a button in a message.
func valueOf(t *testing.T, label, raw string) string {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(label) + `","type":"plain_text"},"type":"button","value":"([^"]+)"`).FindStringSubmatch(raw)
	if m == nil {
		t.Fatalf("no button %s: %s", label, raw)
	}
	return m[1]
}

// pressed is the press of a button by U1, as Slack tells of it.
func (f *slackSockets) pressed(value string) map[string]any {
	return map[string]any{
		"type": "block_actions", "user": slackPerson, "team": slackTeam, "channel": map[string]any{"id": "C1"}, "message": map[string]any{"ts": "1.1"}, "trigger_id": "t.press",
		"response_url": f.URL + "/hooks/press", "actions": []any{map[string]any{"value": value}},
	}
}

// filledIn is the form that was opened, with one field, as Slack tells of it.
func filledIn(t *testing.T, opened, field, value string) map[string]any {
	t.Helper()
	state := regexp.MustCompile(`"private_metadata":"([^"]+)"`).FindStringSubmatch(opened)
	if state == nil {
		t.Fatalf("no form: %s", opened)
	}
	return map[string]any{"type": "view_submission", "user": slackPerson, "team": slackTeam, "view": map[string]any{
		"private_metadata": state[1], "state": map[string]any{"values": map[string]any{field: map[string]any{"value": map[string]any{"type": "plain_text_input", "value": value}}}},
	}}
}

var (
	slackPerson = map[string]any{"id": "U1", "username": "anna"}
	slackTeam   = map[string]any{"id": "T1", "domain": "team"}
)

func receive[T any](t *testing.T, what string, from chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// TestSlackNeedsNoInboundPort: over Socket Mode commands, mentions and presses come through a connection that we open.
func TestSlackNeedsNoInboundPort(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		f := newSlackSockets(t)
		host := strings.TrimPrefix(f.URL, "http://")
		w := start(t, o, func(s *Settings) { s.SlackAPI, s.PrivateHosts = f.URL+"/api", append(s.PrivateHosts, host) })
		w.newProject("ops")
		w.runner()
		w.push("ops", map[string]string{".gitlab-ci.yml": "hello: {script: [echo hi $CHAT_INPUT], only: [chat]}\ncount: {script: [echo to $CHAT_ARG_N], only: [chat], inputs: {n: {type: number, default: 1}}}"})
		w.must(200, "PUT", "/projects/"+w.project+"/integrations/slack-slash-commands", map[string]any{"app_token": "xapp-1", "reply_hosts": []string{host}}, nil)
		ws := receive(t, "a connection", f.conns)
		ctx := context.Background()
		n := 0
		command := func(text string) string {
			t.Helper()
			n++
			noError(t, wsjson.Write(ctx, ws, map[string]any{"type": "slash_commands", "envelope_id": fmt.Sprint("E", n), "accepts_response_payload": true, "payload": map[string]any{
				"token": "unused", "team_id": "T1", "team_domain": "team", "channel_id": "C1", "channel_name": "ops", "user_id": "U1", "user_name": "anna", "command": "/ops",
				"text": text, "trigger_id": fmt.Sprint("t", n), "response_url": fmt.Sprintf("%s/hooks/%d", f.URL, n),
			}}))
			a := receive(t, "an acknowledgement", f.answers)
			if a["envelope_id"] != fmt.Sprint("E", n) {
				t.Fatalf("%v", a)
			}
			payload, _ := a["payload"].(map[string]any)
			text, _ = payload["text"].(string)
			return text
		}
		id, _ := w.user("anna")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		w.link(linkIn(t, command("run hello")), "anna", "anna-password")
		if text := command("run hello there"); !strings.Contains(text, "was started") {
			t.Fatalf("%q", text)
		}
		if p := receive(t, "the reply", f.posts); p["text"] != "<@U1>: hi there" || p["path"] != fmt.Sprintf("/hooks/%d", n) {
			t.Errorf("%v", p)
		}

		// A mention in a thread is a command too. Slack repeats events that it thinks were lost.
		w.must(200, "PUT", "/projects/"+w.project+"/integrations/slack-slash-commands", map[string]any{"bot_token": "xoxb-1", "quiet": true}, nil)
		ws = receive(t, "a connection after the change", f.conns)
		for range 2 {
			n++
			noError(t, wsjson.Write(ctx, ws, map[string]any{"type": "events_api", "envelope_id": fmt.Sprint("E", n), "payload": map[string]any{
				"type": "event_callback", "team_id": "T1", "event_id": "Ev7",
				"event": map[string]any{"type": "app_mention", "user": "U1", "text": "<@B1> run hello thread", "channel": "C1", "ts": "5.5", "thread_ts": "4.4"},
			}}))
			if a := receive(t, "an acknowledgement", f.answers); a["payload"] != nil {
				t.Errorf("%v", a)
			}
		}
		replied := false
		for !replied {
			p := receive(t, "the reply in the thread", f.posts)
			if p["thread_ts"] != "4.4" {
				t.Errorf("not in the thread: %v", p)
			}
			text, _ := p["text"].(string)
			replied = strings.HasPrefix(text, "<@U1>: `run hello thread`") && strings.HasSuffix(text, "\nhi thread")
		}
		w.settled()
		if got := len(w.pipelines()); got != 2 {
			t.Errorf("%d pipelines, want 2", got)
		}
		var told []auditJSON
		w.must(200, "GET", "/projects/"+w.project+"/chat/commands", nil, &told)
		if got := deref(told[0].Thread); got != "https://app.slack.com/client/T1/C1/thread/C1-4.4" {
			t.Errorf("the thread of the mention is at %q", got)
		}

		// Slack changes its servers under way.
		noError(t, wsjson.Write(ctx, ws, map[string]any{"type": "disconnect", "reason": "refresh_requested"}))
		ws = receive(t, "the next connection", f.conns)
		if text := command("help"); !strings.Contains(text, "Available commands") {
			t.Errorf("%q", text)
		}
		// A form is opened for a press, and answered over the connection with what is wrong in it.
		f.send(t, ws, "events_api", map[string]any{"type": "event_callback", "team_id": "T1", "event_id": "Ev8", "event": map[string]any{
			"type": "app_mention", "user": "U1", "text": "<@B1> run count", "channel": "C1", "ts": "6.6",
		}})
		reply := f.next(t, "the reply", func(p map[string]any, _ string) bool {
			text, _ := p["text"].(string)
			return strings.HasSuffix(text, "\nto 1")
		})
		f.send(t, ws, "interactive", f.pressed(valueOf(t, chatops.AgainLabel, reply)))
		opened := f.next(t, "a form", func(p map[string]any, _ string) bool {
			return p["path"] == "/api/views.open" && p["trigger_id"] == "t.press"
		})
		if got := fmt.Sprint(f.send(t, ws, "interactive", filledIn(t, opened, "n", "many"))); got != "map[errors:map[n:'n' must be a number, not 'many'.] response_action:errors]" {
			t.Errorf("answered %s", got)
		}
		if got := f.send(t, ws, "interactive", filledIn(t, opened, "n", "5")); got != nil {
			t.Errorf("answered %v", got)
		}
		f.next(t, "the reply", func(p map[string]any, _ string) bool {
			text, _ := p["text"].(string)
			return strings.HasSuffix(text, "\nto 5")
		})

		// Nobody else can use the endpoint of an integration that has no token.
		form := url.Values{"token": {""}, "text": {"run hello"}, "team_id": {"T1"}, "user_id": {"U1"}, "trigger_id": {"x"}}
		if status, text := w.send(chatSides[0], form, nil); status != 404 {
			t.Errorf("without a token: %d %s", status, text)
		}
	})
}

// TestTheSlackAppOfTheInstanceNeedsNoInboundPort: its commands, presses and forms come over a connection of its own too, and so does Slack's
// word that it is gone.
func TestTheSlackAppOfTheInstanceNeedsNoInboundPort(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		f := newSlackSockets(t)
		host := strings.TrimPrefix(f.URL, "http://")
		w := start(t, o, func(s *Settings) { s.SlackAPI, s.PrivateHosts = f.URL+"/api", append(s.PrivateHosts, host) })
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": "hello: {script: [echo hi], only: [chat], inputs: {n: {type: number, default: 1}}}"})
		w.must(200, "PUT", "/application/settings", map[string]any{"slack_app_enabled": true, "slack_app_token": "xapp-1"}, nil)
		w.must(200, "PUT", "/projects/"+w.project+"/integrations/gitlab-slack-application", map[string]any{"reply_hosts": []string{host}}, nil)
		ws := receive(t, "a connection", f.conns)
		n := 0
		command := func(text string) string {
			t.Helper()
			n++
			noError(t, wsjson.Write(t.Context(), ws, map[string]any{"type": "slash_commands", "envelope_id": fmt.Sprint("E", n), "payload": map[string]any{
				"team_id": "T1", "team_domain": "team", "channel_id": "C1", "channel_name": "ops", "user_id": "U1", "user_name": "anna", "command": "/signalbox",
				"text": text, "trigger_id": fmt.Sprint("t", n), "response_url": fmt.Sprintf("%s/hooks/%d", f.URL, n),
			}}))
			payload, _ := receive(t, "an acknowledgement", f.answers)["payload"].(map[string]any)
			text, _ = payload["text"].(string)
			return text
		}
		if text := command("nobody/knows run hello"); !strings.Contains(text, "project or alias not found") {
			t.Errorf("%q", text)
		}
		w.link(linkIn(t, command("root/ops run hello")), "root", "root-password")
		if text := command("root/ops run hello"); !strings.Contains(text, "was started") {
			t.Errorf("%q", text)
		}

		// With the bot of the workspace a message follows the job: its button is pressed, and its form is filled in.
		install := func() {
			w.must(201, "POST", "/application/slack_app/workspaces", map[string]any{"bot_token": "xoxb-1"}, nil)
		}
		install()
		runs := len(w.pipelines())
		if text := command("root/ops run hello n=2"); !strings.Contains(text, "was started") {
			t.Errorf("%q", text)
		}
		message := f.next(t, "the message of the bot", func(p map[string]any, raw string) bool {
			return p["path"] == "/api/chat.postMessage" && strings.Contains(raw, "Cancel")
		})
		f.send(t, ws, "interactive", f.pressed(valueOf(t, "Cancel", message)))
		w.eventually("the press cancels the job", func() bool { return w.jobs(w.newest())["hello"].Status == "canceled" })
		f.send(t, ws, "interactive", f.pressed(valueOf(t, chatops.AgainLabel, message)))
		opened := f.next(t, "a form", func(p map[string]any, _ string) bool { return p["path"] == "/api/views.open" })
		if got := fmt.Sprint(f.send(t, ws, "interactive", filledIn(t, opened, "n", "many"))); !strings.Contains(got, "must be a number, not 'many'") {
			t.Errorf("answered %s", got)
		}
		if got := f.send(t, ws, "interactive", filledIn(t, opened, "n", "5")); got != nil {
			t.Errorf("answered %v", got)
		}
		w.eventually("the form runs the job", func() bool { return len(w.pipelines()) == runs+2 })

		// Slack says that the app is gone.
		teams := func() int {
			var list []any
			w.must(200, "GET", "/application/slack_app/workspaces", nil, &list)
			return len(list)
		}
		for _, event := range []map[string]any{{"type": "tokens_revoked", "tokens": map[string]any{"bot": []string{"U0"}}}, {"type": "app_uninstalled"}} {
			install()
			f.send(t, ws, "events_api", map[string]any{"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event_time": time.Now().Unix(), "event": event})
			w.eventually("the bot is forgotten", func() bool { return teams() == 0 })
		}
		w.must(200, "PUT", "/application/settings", map[string]any{"slack_app_enabled": false}, nil)
	})
}
