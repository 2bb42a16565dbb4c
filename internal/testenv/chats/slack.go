package chats

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Slack plays slack.com and hooks.slack.com.
type Slack struct {
	*Server
	Signing string // the app's signing secret
	Old     string // the app's verification token
	Target  string // where the app's requests go, up to /trigger
	Presses string // where presses go; "" is beside /trigger
	Team    string // the workspace from which people speak

	ClientID, ClientSecret string   // the app's
	Redirects              []string // addresses that the app names; what lies below them is one too
	codes                  map[string]*slackCode
	bots                   map[string]string // workspaces by the tokens of their bots
	revoked                map[string]bool
}

// NewSlack starts a workspace with one app. Its Web API is at URL + "/api".
func NewSlack(t testing.TB) *Slack {
	s := &Slack{
		Server: newServer(t, "xoxb-bot", slackDrawing), Signing: "slack-signing-secret", Old: "slack-verification-token", Team: "T1",
		ClientID: "1234567890.1234567890123", ClientSecret: "slack-client-secret", codes: map[string]*slackCode{}, bots: map[string]string{}, revoked: map[string]bool{},
	}
	s.bots[s.Token] = "T1"
	methods := map[string]struct {
		kind string
		e    endpoint
	}{
		"/api/chat.postMessage": {"post", s.method(s.postMessage)}, "/api/chat.update": {"update", s.method(s.update)},
		"/api/chat.postEphemeral": {"whisper", s.method(s.postEphemeral)}, "/api/files.getUploadURLExternal": {"upload", s.method(s.uploadURL)},
		"/api/files.completeUploadExternal": {"upload", s.method(s.completeUpload)}, "/api/views.open": {"form", s.method(s.openView)},
		"/api/oauth.v2.access": {"oauth", s.access}, "/api/auth.test": {"auth", s.method(s.authTest)}, "/api/auth.revoke": {"auth", s.method(s.authRevoke)},
		"/api/conversations.history": {"history", s.method(s.history)}, "/api/conversations.replies": {"history", s.method(s.history)},
	}
	s.serve(func(r *http.Request) (string, endpoint) {
		switch {
		case r.Method == "GET" && r.URL.Path == "/oauth/v2/authorize":
			return "authorize", s.authorize
		case r.Method != "POST":
		case strings.HasPrefix(r.URL.Path, "/commands/"), strings.HasPrefix(r.URL.Path, "/actions/"):
			return "respond", s.respond
		case strings.HasPrefix(r.URL.Path, "/upload/"):
			return "upload", s.upload
		default:
			m := methods[r.URL.Path]
			return m.kind, m.e
		}
		return "", nil
	}, func(f *Fault) (int, any) {
		if f.Inside != "" {
			return 200, map[string]any{"ok": false, "error": f.Inside}
		}
		if f.Status == 429 {
			return 429, map[string]any{"ok": false, "error": "ratelimited"}
		}
		return f.Status, "upstream connect error"
	})
	return s
}

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitempty"`
	Verbatim *bool  `json:"verbatim,omitempty"`
}

type slackElement struct {
	Type     string          `json:"type"`
	Text     json.RawMessage `json:"text,omitempty"`
	Action   string          `json:"action_id,omitempty"`
	Value    string          `json:"value,omitempty"`
	Style    string          `json:"style,omitempty"`
	URL      string          `json:"url,omitempty"`
	Verbatim *bool           `json:"verbatim,omitempty"`
}

type slackBlock struct {
	Type     string         `json:"type"`
	ID       string         `json:"block_id,omitempty"`
	Text     *slackText     `json:"text,omitempty"`
	Fields   []slackText    `json:"fields,omitempty"`
	Elements []slackElement `json:"elements,omitempty"`
}

type slackMessage struct {
	Channel   string        `json:"channel"`
	User      string        `json:"user"`
	Thread    string        `json:"thread_ts"`
	TS        string        `json:"ts"`
	Text      string        `json:"text"`
	Blocks    *[]slackBlock `json:"blocks"`
	Response  string        `json:"response_type"`
	Replace   bool          `json:"replace_original"`
	Delete    bool          `json:"delete_original"`
	Unfurl    *bool         `json:"unfurl_links"`
	UnfurlM   *bool         `json:"unfurl_media"`
	Status    *int          `json:"status"` // GitLab's answers hold it, and Slack passes over it
	LinkNames bool          `json:"link_names"`
	Metadata  *struct {
		Type    string         `json:"event_type"`
		Payload map[string]any `json:"event_payload"`
	} `json:"metadata"`
}

func refuse(name string) (int, any) { return 200, map[string]any{"ok": false, "error": name} }

// method checks what all methods of the Web API ask for.
func (s *Slack) method(e endpoint) endpoint {
	return func(r *http.Request, body []byte) (int, any) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !found:
			s.complain("%s without a token", r.URL.Path)
			return refuse("not_authed")
		case s.revoked[token]:
			return refuse("token_revoked")
		case s.bots[token] == "" && token != s.Token:
			return refuse("invalid_auth")
		}
		return e(r, body)
	}
}

// message reads and checks a message; problem is Slack's name for what is wrong.
func (s *Slack) message(r *http.Request, body []byte) (in slackMessage, out Message, problem string) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.complain("%s as %s", r.URL.Path, r.Header.Get("Content-Type"))
		return in, out, "invalid_post_type"
	}
	if err := strict(body, &in); err != nil {
		s.complain("%s: %v", r.URL.Path, err)
		return in, out, "invalid_json"
	}
	out, problem = s.contents(in)
	if problem != "" {
		s.complain("%s: %s", r.URL.Path, problem)
	}
	return in, out, problem
}

func (s *Slack) contents(in slackMessage) (out Message, problem string) {
	blocks := []slackBlock{}
	if in.Blocks != nil {
		blocks = *in.Blocks
	}
	switch {
	case in.Text == "" && len(blocks) == 0:
		return out, "no_text"
	case utf8.RuneCountInString(in.Text) > 4000:
		return out, "msg_too_long" // it would be split or cut, and its formatting broken
	case len(blocks) > 50:
		return out, "invalid_blocks"
	}
	total := 0
	actions := map[string]bool{}
	for _, b := range blocks {
		c := Card{}
		switch b.Type {
		case "section":
			if b.Text == nil && len(b.Fields) == 0 || len(b.Fields) > 10 {
				return out, "invalid_blocks"
			}
			if b.Text != nil {
				if !good(*b.Text, 3000) {
					return out, "invalid_blocks"
				}
				c.Text = b.Text.Text
			}
			for _, f := range b.Fields {
				if !good(f, 2000) {
					return out, "invalid_blocks"
				}
				c.Fields = append(c.Fields, Field{Value: f.Text, Short: true})
			}
		case "context":
			if len(b.Elements) == 0 || len(b.Elements) > 10 {
				return out, "invalid_blocks"
			}
			c.Small = true
			for _, e := range b.Elements {
				var text string
				if json.Unmarshal(e.Text, &text) != nil || e.Type != "mrkdwn" && e.Type != "plain_text" || !good(slackText{Type: e.Type, Text: text}, 3000) {
					return out, "invalid_blocks"
				}
				c.Text = strings.TrimLeft(c.Text+"  "+text, " ")
			}
		case "actions":
			if len(b.Elements) == 0 || len(b.Elements) > 25 {
				return out, "invalid_blocks"
			}
			for _, e := range b.Elements {
				var text slackText
				if json.Unmarshal(e.Text, &text) != nil || e.Type != "button" || text.Type != "plain_text" || !good(text, 75) || len(e.Value) > 2000 || actions[e.Action] ||
					e.Style != "" && e.Style != "primary" && e.Style != "danger" {
					return out, "invalid_blocks"
				}
				if utf8.RuneCountInString(e.Action) > 255 {
					return out, "invalid_blocks"
				}
				total += utf8.RuneCountInString(text.Text)
				actions[e.Action] = e.Action != ""
				c.Buttons = append(c.Buttons, Button{Label: text.Text, Style: e.Style, ID: e.Action, Value: e.Value, Link: e.URL})
			}
		case "divider":
		default:
			return out, "invalid_blocks"
		}
		total += utf8.RuneCountInString(c.Text)
		for _, f := range c.Fields {
			total += utf8.RuneCountInString(f.Value)
		}
		out.Cards = append(out.Cards, c)
	}
	if total > 13000 {
		return out, "msg_blocks_too_long"
	}
	if len(blocks) == 0 {
		out.Text = in.Text
	}
	return out, ""
}

// CheckSlack says what Slack would refuse a message for, by the name of its error.
func CheckSlack(raw []byte) error {
	var in slackMessage
	if err := strict(raw, &in); err != nil {
		return err
	}
	if _, problem := (&Slack{Server: &Server{}}).contents(in); problem != "" {
		return errors.New(problem)
	}
	return nil
}

func good(t slackText, most int) bool {
	n := utf8.RuneCountInString(t.Text)
	return n > 0 && n <= most && (t.Type == "mrkdwn" || t.Type == "plain_text")
}

var slackTime = regexp.MustCompile(`^\d{10}\.\d{6}$`)

// there says whether the bot may write to a channel, and into a thread of it.
func (s *Slack) there(channel, thread string) string {
	switch {
	case channel == "":
		return "channel_not_found"
	case s.absent[channel]:
		return "not_in_channel"
	case thread != "" && !slackTime.MatchString(thread):
		s.complain("thread_ts %q", thread)
		return "invalid_thread_ts"
	}
	return ""
}

func (s *Slack) stamp() string { return fmt.Sprintf("%d.%06d", s.Now().Unix(), s.next()) }

func (s *Slack) postMessage(r *http.Request, body []byte) (int, any) {
	in, m, problem := s.message(r, body)
	if problem == "" {
		problem = s.there(in.Channel, in.Thread)
	}
	if problem != "" {
		return refuse(problem)
	}
	if wait := s.hurried(in.Channel); wait > 0 {
		return 429, waiting{map[string]any{"ok": false, "error": "ratelimited"}, wait.Round(time.Second) + time.Second}
	}
	if in.Metadata != nil {
		key, _ := in.Metadata.Payload["key"].(string)
		if in.Metadata.Type == "" || key == "" {
			s.complain("metadata %+v", *in.Metadata)
			return refuse("invalid_metadata_format")
		}
		m.Key = in.Metadata.Type + " " + key
	}
	m.ID, m.Channel, m.Thread, m.Token = s.stamp(), in.Channel, in.Thread, bearer(r)
	s.show(&m)
	return 200, map[string]any{"ok": true, "channel": in.Channel, "ts": m.ID, "message": map[string]any{"text": in.Text}}
}

func (s *Slack) update(r *http.Request, body []byte) (int, any) {
	in, with, problem := s.message(r, body)
	if problem != "" {
		return refuse(problem)
	}
	m := s.find(in.TS)
	switch {
	case m == nil || m.Channel != in.Channel:
		return refuse("message_not_found")
	case m.Author != Bot || m.To != "" || m.Handle:
		return refuse("cant_update_message")
	}
	if in.Blocks == nil && len(m.Cards) > 0 { // blocks that are not named stay
		with.Text, with.Cards = "", m.Cards
	}
	s.edit(m, with)
	return 200, map[string]any{"ok": true, "channel": in.Channel, "ts": in.TS, "text": in.Text}
}

func (s *Slack) postEphemeral(r *http.Request, body []byte) (int, any) {
	in, m, problem := s.message(r, body)
	if problem == "" {
		problem = s.there(in.Channel, in.Thread)
	}
	if problem == "" && in.User == "" {
		problem = "user_not_in_channel"
	}
	if problem != "" {
		return refuse(problem)
	}
	m.ID, m.Channel, m.Thread, m.To = s.stamp(), in.Channel, in.Thread, in.User
	s.show(&m)
	return 200, map[string]any{"ok": true, "message_ts": m.ID}
}

func (s *Slack) uploadURL(r *http.Request, body []byte) (int, any) {
	form, err := url.ParseQuery(string(body))
	length, _ := strconv.Atoi(form.Get("length"))
	if err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || form.Get("filename") == "" || length <= 0 {
		s.complain("files.getUploadURLExternal %s: %s", r.Header.Get("Content-Type"), body)
		return refuse("invalid_arguments")
	}
	id := fmt.Sprintf("F%d", s.next())
	s.pending[id] = &File{ID: id, Name: form.Get("filename"), Content: make([]byte, 0, length)}
	return 200, map[string]any{"ok": true, "upload_url": s.URL + "/upload/" + id, "file_id": id}
}

func (s *Slack) upload(r *http.Request, body []byte) (int, any) {
	f := s.pending[strings.TrimPrefix(r.URL.Path, "/upload/")]
	if f == nil || cap(f.Content) != len(body) {
		s.complain("an upload of %d bytes to %s", len(body), r.URL.Path)
		return 400, "wrong length"
	}
	f.Content, f.Type = body, http.DetectContentType(body)
	return 200, "OK - " + strconv.Itoa(len(body))
}

func (s *Slack) completeUpload(_ *http.Request, body []byte) (int, any) {
	var in struct {
		Files []struct {
			ID    string `json:"id"`
			Title string `json:"title"`
		} `json:"files"`
		Channel string `json:"channel_id"`
		Thread  string `json:"thread_ts"`
		Comment string `json:"initial_comment"`
	}
	if err := strict(body, &in); err != nil || len(in.Files) == 0 {
		s.complain("files.completeUploadExternal: %s %v", body, err)
		return refuse("invalid_arguments")
	}
	if problem := s.there(in.Channel, in.Thread); problem != "" {
		return refuse(problem)
	}
	m := &Message{ID: s.stamp(), Channel: in.Channel, Thread: in.Thread, Text: in.Comment}
	for _, x := range in.Files {
		f := s.pending[x.ID]
		if f == nil || f.Type == "" {
			return refuse("file_not_found")
		}
		f.Title = x.Title
		m.Files = append(m.Files, *f)
		delete(s.pending, x.ID)
	}
	s.show(m)
	return 200, map[string]any{"ok": true, "files": []any{}}
}

// respond takes a post to a response address.
func (s *Slack) respond(r *http.Request, body []byte) (int, any) {
	h := s.handles[r.URL.Path]
	switch {
	case h == nil || s.Now().After(h.made.Add(30*time.Minute)):
		s.complain("a post to a response address that is over")
		return 404, map[string]any{"ok": false, "error": "expired_url"}
	case h.posts >= 5:
		s.complain("more than 5 posts to a response address")
		return 404, map[string]any{"ok": false, "error": "used_url"}
	}
	in, m, problem := s.message(r, body)
	switch {
	case problem != "":
		return 400, map[string]any{"ok": false, "error": problem}
	case in.Channel+in.User+in.TS != "":
		s.complain("a post to a response address names a channel, a user or a message")
		return 400, map[string]any{"ok": false, "error": "invalid_payload"}
	}
	h.posts++
	m.ID, m.Channel, m.Thread, m.Handle = s.stamp(), h.channel, in.Thread, true
	if in.Response != "in_channel" {
		m.To = h.user
	}
	s.show(&m)
	return 200, "ok"
}
