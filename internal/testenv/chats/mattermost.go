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

// Mattermost plays a Mattermost server.
type Mattermost struct {
	*Server
	Command string // the token of the slash command
	Target  string // where the command's requests go, up to /trigger
}

// NewMattermost starts a server with one slash command and one bot.
func NewMattermost(t testing.TB) *Mattermost {
	m := &Mattermost{Server: newServer(t, "mm-bot-token", mattermostDrawing), Command: "mm-command-token"}
	m.serve(m.route, func(f *Fault) (int, any) {
		if f.Inside != "" { // proxies answer so: 200 with something that is no answer
			return 200, f.Inside
		}
		return f.Status, map[string]any{"id": "app.error", "message": "it failed", "status_code": f.Status}
	})
	return m
}

func (s *Mattermost) route(r *http.Request) (string, endpoint) {
	p := r.URL.Path
	switch {
	case r.Method == "POST" && strings.HasPrefix(p, "/hooks/commands/"):
		return "respond", s.respond
	case r.Method == "POST" && p == "/api/v4/posts":
		return "post", s.bearer(s.createPost)
	case r.Method == "PUT" && strings.HasPrefix(p, "/api/v4/posts/") && strings.HasSuffix(p, "/patch"):
		return "update", s.bearer(s.patchPost)
	case r.Method == "POST" && p == "/api/v4/posts/ephemeral":
		return "whisper", s.bearer(s.ephemeral)
	case r.Method == "GET" && strings.HasPrefix(p, "/api/v4/channels/") && strings.HasSuffix(p, "/posts"):
		return "history", s.bearer(s.posts)
	case r.Method == "POST" && p == "/api/v4/files":
		return "upload", s.bearer(s.upload)
	case r.Method == "POST" && p == "/api/v4/actions/dialogs/open":
		return "form", s.openDialog
	}
	return "", nil
}

func mmError(status int, id string) (int, any) {
	return status, map[string]any{"id": id, "message": id, "status_code": status}
}

func (s *Mattermost) bearer(e endpoint) endpoint {
	return func(r *http.Request, body []byte) (int, any) {
		if r.Header.Get("Authorization") != "Bearer "+s.Token {
			return mmError(401, "api.context.session_expired.app_error")
		}
		return e(r, body)
	}
}

type mmAttachment struct {
	Fallback string `json:"fallback"`
	Color    string `json:"color"`
	Pretext  string `json:"pretext"`
	Author   string `json:"author_name"`
	Title    string `json:"title"`
	Link     string `json:"title_link"`
	Text     string `json:"text"`
	Footer   string `json:"footer"`
	Image    string `json:"image_url"`
	Fields   []struct {
		Title string `json:"title"`
		Value any    `json:"value"`
		Short bool   `json:"short"`
	} `json:"fields"`
	Actions []struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Type        string `json:"type"`
		Style       string `json:"style"`
		Integration struct {
			URL     string         `json:"url"`
			Context map[string]any `json:"context"`
		} `json:"integration"`
	} `json:"actions"`
}

type mmPost struct {
	Channel string   `json:"channel_id"`
	Root    string   `json:"root_id"`
	Message string   `json:"message"`
	Files   []string `json:"file_ids"`
	Pending string   `json:"pending_post_id"`
	Props   struct {
		Attachments []mmAttachment `json:"attachments"`
		Key         string         `json:"signalbox_key"` // servers keep any property
	} `json:"props"`
}

var mmID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// mmProps is how many characters of properties servers up to 5.39 keep of a post, but for some of their own.
const mmProps = 8000 - 400

// CheckMattermost says what Mattermost would refuse a post, or the answer to a command, for.
func CheckMattermost(raw []byte) error {
	var p struct {
		mmPost
		Text        string         `json:"text"`
		Type        string         `json:"response_type"`
		Raw         bool           `json:"skip_slack_parsing"`
		Attachments []mmAttachment `json:"attachments"`
	}
	if err := strict(raw, &p); err != nil {
		return err
	}
	s := &Mattermost{Server: &Server{}}
	_, problem := s.contents(p.Message+p.Text, append(p.Props.Attachments, p.Attachments...))
	if problem == "" && len(s.wrong) > 0 {
		problem = s.wrong[0]
	}
	if problem == "" && p.Message+p.Text == "" && len(p.Props.Attachments)+len(p.Attachments) == 0 {
		problem = "model.post.is_valid.msg.app_error"
	}
	if problem != "" {
		return errors.New(problem)
	}
	return nil
}

// contents checks a post; problem is Mattermost's name for what is wrong.
func (s *Mattermost) contents(text string, all []mmAttachment) (m Message, problem string) {
	if utf8.RuneCountInString(text) > 16383 {
		s.complain("a post of %d characters", utf8.RuneCountInString(text))
		return m, "api.post.create_post.message_length.app_error"
	}
	m.Text = text
	for _, a := range all {
		c := Card{Color: a.Color, Title: a.Title, Text: strings.TrimLeft(a.Pretext+"\n"+a.Text, "\n")}
		for _, f := range a.Fields {
			c.Fields = append(c.Fields, Field{f.Title, fmt.Sprint(f.Value), f.Short})
		}
		for _, b := range a.Actions {
			u, err := url.Parse(b.Integration.URL)
			if !mmID.MatchString(b.ID) || b.Name == "" || b.Type != "button" || err != nil || u.Host == "" {
				s.complain("an action %+v", b)
				return m, "api.post.do_action.action_integration.app_error"
			}
			switch b.Style {
			case "", "default", "primary", "success", "good", "warning", "danger":
			default:
				s.complain("an action's style %q", b.Style)
			}
			raw, _ := json.Marshal(b.Integration.Context)
			c.Buttons = append(c.Buttons, Button{Label: b.Name, Style: b.Style, ID: b.ID, Value: string(raw), Address: b.Integration.URL})
		}
		m.Cards = append(m.Cards, c)
	}
	raw, _ := json.Marshal(map[string]any{"attachments": all})
	if n := utf8.RuneCount(raw); n > mmProps {
		s.complain("attachments of %d characters", n)
		return m, "model.post.is_valid.props.app_error"
	}
	return m, ""
}

func (s *Mattermost) there(p mmPost) (int, string) {
	switch {
	case p.Channel == "" || s.absent[p.Channel]:
		return 403, "api.context.permissions.app_error"
	case p.Root != "" && s.find(p.Root) == nil:
		s.complain("root_id %q is no post", p.Root)
		return 400, "api.post.create_post.root_id.app_error"
	case p.Root != "" && s.find(p.Root).Thread != "":
		s.complain("root_id %q is no root", p.Root)
		return 400, "api.post.create_post.parent_id.app_error"
	}
	return 0, ""
}

func (s *Mattermost) id() string { return fmt.Sprintf("p%025d", s.next()) }

func (s *Mattermost) createPost(_ *http.Request, body []byte) (int, any) {
	var p mmPost
	if err := strict(body, &p); err != nil {
		s.complain("a post: %v: %s", err, body)
		return mmError(400, "api.context.invalid_body_param.app_error")
	}
	if status, id := s.there(p); status != 0 {
		return mmError(status, id)
	}
	if m := s.keyed(p.Pending, 30*time.Second); m != nil {
		return 201, map[string]any{"id": m.ID, "channel_id": m.Channel, "root_id": m.Thread, "message": m.Text}
	}
	m, problem := s.contents(p.Message, p.Props.Attachments)
	if problem != "" {
		return mmError(400, problem)
	}
	if p.Props.Key != "" && p.Props.Key != p.Pending {
		s.complain("a post with two keys, %s and %s", p.Props.Key, p.Pending)
	}
	m.Key = p.Pending
	for _, id := range p.Files {
		f := s.pending[id]
		if f == nil {
			s.complain("file %q is not there", id)
			return mmError(400, "api.post.create_post.attach_files.error")
		}
		m.Files = append(m.Files, *f)
		delete(s.pending, id)
	}
	if m.Text == "" && len(m.Cards) == 0 && len(m.Files) == 0 {
		s.complain("an empty post")
		return mmError(400, "model.post.is_valid.msg.app_error")
	}
	if s.hurried("server") > 0 {
		return 429, waiting{"limit exceeded", time.Second}
	}
	m.ID, m.Channel, m.Thread = s.id(), p.Channel, p.Root
	s.show(&m)
	return 201, map[string]any{"id": m.ID, "channel_id": m.Channel, "root_id": m.Thread, "message": m.Text}
}

// posts gives what changed in a channel since a time.
func (s *Mattermost) posts(r *http.Request, _ []byte) (int, any) {
	channel := strings.Split(r.URL.Path, "/")[4]
	since, err := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
	switch {
	case err != nil || since < 1e12:
		s.complain("posts since %q", r.URL.Query().Get("since"))
		return mmError(400, "api.context.invalid_param.app_error")
	case s.Blind || s.absent[channel]:
		return mmError(403, "api.context.permissions.app_error")
	}
	posts, order := map[string]any{}, []string{}
	for _, m := range s.messages {
		if m.Channel == channel && m.To == "" && m.At.UnixMilli() > since {
			posts[m.ID] = map[string]any{"id": m.ID, "channel_id": channel, "message": m.Text, "delete_at": 0, "props": map[string]any{"signalbox_key": m.Key}}
			order = append(order, m.ID)
		}
	}
	return 200, map[string]any{"posts": posts, "order": order}
}

func (s *Mattermost) patchPost(r *http.Request, body []byte) (int, any) {
	var p struct {
		Message *string `json:"message"`
		Props   *struct {
			Attachments []mmAttachment `json:"attachments"`
		} `json:"props"`
		Files *[]string `json:"file_ids"`
	}
	if err := strict(body, &p); err != nil {
		s.complain("a patch: %v: %s", err, body)
		return mmError(400, "api.context.invalid_body_param.app_error")
	}
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/v4/posts/"), "/patch")
	m := s.find(id)
	switch {
	case m == nil || m.To != "":
		return mmError(404, "app.post.get.app_error")
	case m.Author != Bot || s.absent[m.Channel]:
		return mmError(403, "api.context.permissions.app_error")
	}
	with := Message{Text: m.Text, Cards: m.Cards}
	if p.Message != nil {
		with.Text = *p.Message
	}
	if p.Props != nil {
		c, problem := s.contents(with.Text, p.Props.Attachments)
		if problem != "" {
			return mmError(400, problem)
		}
		with.Cards = c.Cards
	}
	s.edit(m, with)
	return 200, map[string]any{"id": m.ID, "channel_id": m.Channel, "message": m.Text}
}

func (s *Mattermost) ephemeral(_ *http.Request, body []byte) (int, any) {
	var in struct {
		User string `json:"user_id"`
		Post mmPost `json:"post"`
	}
	if err := strict(body, &in); err != nil || in.User == "" {
		s.complain("an ephemeral post: %v: %s", err, body)
		return mmError(400, "api.context.invalid_body_param.app_error")
	}
	if status, id := s.there(in.Post); status != 0 {
		return mmError(status, id)
	}
	m, problem := s.contents(in.Post.Message, in.Post.Props.Attachments)
	if problem != "" {
		return mmError(400, problem)
	}
	m.ID, m.Channel, m.Thread, m.To = s.id(), in.Post.Channel, in.Post.Root, in.User
	s.show(&m)
	return 201, map[string]any{"id": m.ID}
}

func (s *Mattermost) upload(r *http.Request, body []byte) (int, any) {
	q := r.URL.Query()
	if q.Get("channel_id") == "" || q.Get("filename") == "" || len(body) == 0 {
		s.complain("a file to %s of %d bytes", r.URL, len(body))
		return mmError(400, "api.context.invalid_body_param.app_error")
	}
	if s.absent[q.Get("channel_id")] {
		return mmError(403, "api.context.permissions.app_error")
	}
	f := &File{ID: s.id(), Name: q.Get("filename"), Content: body, Type: http.DetectContentType(body)}
	s.pending[f.ID] = f
	return 201, map[string]any{"file_infos": []any{map[string]any{"id": f.ID, "name": f.Name, "size": len(body)}}, "client_ids": []string{}}
}

// mmResponse is what a slash command is answered with, at once or at its response address.
type mmResponse struct {
	Type        string         `json:"response_type"`
	Text        string         `json:"text"`
	Username    string         `json:"username"`
	Channel     string         `json:"channel_id"`
	Icon        string         `json:"icon_url"`
	PostType    string         `json:"type"`
	Props       map[string]any `json:"props"`
	Goto        string         `json:"goto_location"`
	Trigger     string         `json:"trigger_id"`
	Raw         bool           `json:"skip_slack_parsing"`
	Attachments []mmAttachment `json:"attachments"`
	Status      *int           `json:"status"` // GitLab's; Mattermost passes over it
}

func (s *Mattermost) respond(r *http.Request, body []byte) (int, any) {
	h := s.handles[r.URL.Path]
	switch {
	case h == nil || s.Now().After(h.made.Add(30*time.Minute)):
		s.complain("a post to a response address that is over")
		return mmError(404, "app.command_webhook.get.missing")
	case h.posts >= 5:
		s.complain("more than 5 posts to a response address")
		return mmError(400, "app.command_webhook.try_use.invalid")
	}
	var in mmResponse
	if err := strict(body, &in); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.complain("a post to a response address, %s: %v: %s", r.Header.Get("Content-Type"), err, body)
		return mmError(400, "web.incoming_webhook.parse.app_error")
	}
	m, problem := s.contents(in.Text, in.Attachments)
	if problem != "" {
		return mmError(400, problem)
	}
	h.posts++
	if !in.Raw {
		s.complain("a response is read as Slack's markup")
	}
	m.ID, m.Channel, m.Thread, m.Handle = s.id(), h.channel, h.thread, true
	if in.Type != "in_channel" {
		m.To = h.user
	}
	s.show(&m)
	return 200, "ok"
}

// Post is something that a person says, to begin a thread with.
func (s *Mattermost) Post(channel, user, text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.show(&Message{ID: s.id(), Channel: channel, Author: "name-" + user, Text: text}).ID
}

// Say gives a slash command.
func (s *Mattermost) Say(c Command) Receipt {
	s.t.Helper()
	if c.ID == "" {
		c.ID = "trigger" + strconv.Itoa(int(time.Now().UnixNano()))
	}
	path := s.once(c.ID, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		path := "/hooks/commands/" + s.id()
		s.handles[path] = &handle{channel: c.Channel, thread: c.Thread, user: c.User, made: s.Now()}
		return path
	})
	form := url.Values{
		"token": {s.Command}, "team_id": {"T1"}, "team_domain": {"team"}, "channel_id": {c.Channel}, "channel_name": {c.ChannelName}, "user_id": {c.User},
		"user_name": {"name-" + c.User}, "command": {"/ops"}, "text": {c.Text}, "trigger_id": {c.ID}, "root_id": {c.Thread}, "response_url": {s.URL + path},
	}
	s.did(c.ID, c.User, c.Channel)
	r := s.request("POST", s.Target+"/trigger", "application/x-www-form-urlencoded", form.Encode())
	r.Header.Set("Authorization", "Token "+s.Command)
	out := s.send(r, c)
	var in mmResponse
	if out.Status == 200 {
		if err := strict([]byte(out.Body), &in); err != nil {
			s.Complain("the answer to a command: %v: %s", err, out.Body)
		}
		s.answered(c, in.Type == "in_channel", in.Text, func() (Message, string) { return s.contents(in.Text, in.Attachments) }, &out)
	}
	return out
}

// Press presses a button of a message.
func (s *Mattermost) Press(user string, m Message, label string) Receipt {
	s.t.Helper()
	b := s.button(m, label)
	s.mu.Lock()
	now := s.find(m.ID)
	s.mu.Unlock()
	if now != nil && m.To == "" { // the server looks the id up in the post as it is now
		found := false
		for _, other := range now.allButtons() {
			if other.ID == b.ID {
				b, found = other, true
			}
		}
		if !found {
			status, answer := mmError(404, "api.post.do_action.action_id.app_error")
			raw, _ := json.Marshal(answer)
			return Receipt{Status: status, Body: string(raw)}
		}
	}
	return s.PressAs(user, m, b)
}

// PressAs sends a press of a button as it is, as the server does for posts that it does not keep.
func (s *Mattermost) PressAs(user string, m Message, b Button) Receipt {
	s.t.Helper()
	trigger := s.press()
	s.did(trigger, user, m.Channel)
	body, _ := json.Marshal(map[string]any{
		"user_id": user, "user_name": "name-" + user, "channel_id": m.Channel, "channel_name": "ops", "team_id": "T1", "team_domain": "team",
		"post_id": m.ID, "trigger_id": trigger, "type": "button", "data_source": "", "context": json.RawMessage(b.Value),
	})
	out := s.send(s.request("POST", b.Address, "application/json", string(body)), Command{})
	var in struct {
		Update    *mmPost `json:"update"`
		Ephemeral string  `json:"ephemeral_text"`
		Raw       bool    `json:"skip_slack_parsing"`
	}
	if out.Status == 200 {
		if err := strict([]byte(out.Body), &in); err != nil {
			s.Complain("the answer to a press: %v: %s", err, out.Body)
		}
		if in.Ephemeral != "" {
			s.mu.Lock()
			out.Message = *s.show(&Message{ID: s.id(), Channel: m.Channel, Thread: m.Thread, To: user, Text: in.Ephemeral, Handle: true})
			s.mu.Unlock()
		}
	}
	return out
}
