package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/chatops"
)

// Chat is how messages reach Slack.
type Chat struct {
	// API is the address of Slack's Web API; "" means Slack's own.
	API string
}

// Traits of Slack (facts: chatops 2).
func (Chat) Traits() chatops.Traits {
	return chatops.Traits{
		Hosts: []string{"hooks.slack.com"}, Window: 30 * time.Minute, Uses: 5, Limits: limits, Live: true, Files: true, FormFields: 50,
		Channel: func(name string) bool { return name != "directmessage" && name != "privategroup" },
	}
}

// body is a message in the words of the Web API and of response addresses.
type body struct {
	Channel      string    `json:"channel,omitempty"`
	User         string    `json:"user,omitempty"`
	Thread       string    `json:"thread_ts,omitempty"`
	TS           string    `json:"ts,omitempty"`
	Text         string    `json:"text"`
	Blocks       []block   `json:"blocks,omitempty"`
	ResponseType string    `json:"response_type,omitempty"`
	Replace      bool      `json:"replace_original,omitempty"`
	Metadata     *metadata `json:"metadata,omitempty"`
}

// Respond posts to the response address.
func (ch Chat) Respond(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	b := body{Text: ch.Text(m), Blocks: blocks(m), ResponseType: "in_channel", Replace: m.Replaces}
	if m.Kind == chatops.Notice {
		b.ResponseType = "ephemeral"
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	res, err := p.Do(ctx, chatops.Request{Address: to.Handle, Body: raw})
	if err != nil {
		return err
	}
	return failed(res)
}

// failed is the error of a response address, which says in its own words if it is over; nil if it took the message.
func failed(res chatops.Response) error {
	err := res.Failure("the response address")
	var a answer
	_ = json.Unmarshal(res.Body, &a) // some answers are text
	if err == nil && (a.OK || a.Error == "") {
		return nil
	}
	var refused *chatops.Refused
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if refused == nil {
		refused = &chatops.Refused{Reason: "the response address does not take the message: " + a.Error}
	}
	switch problem := a.Error + " " + string(res.Body); {
	case strings.Contains(problem, "expired_url"), strings.Contains(problem, "used_url"):
		refused.Over, refused.Contents, refused.Reason = true, false, "the response address is over: "+a.Error
	case strings.Contains(problem, "blocks"), strings.Contains(problem, "msg_too_long"), strings.Contains(problem, "no_text"):
		refused.Contents = true
	}
	return refused
}

// Update changes a message with chat.update.
func (ch Chat) Update(ctx context.Context, p chatops.Poster, to chatops.Target, id string, m chatops.Message) error {
	channel, ts, _ := strings.Cut(id, "/")
	b := body{Channel: channel, TS: ts, Text: ch.Text(m)}
	_, err := ch.call(ctx, p, to, "chat.update", struct {
		body
		Blocks []block `json:"blocks"` // those that are not named would stay as they are
	}{b, append([]block{}, blocks(m)...)})
	return err
}

// Whisper sends with chat.postEphemeral.
func (ch Chat) Whisper(ctx context.Context, p chatops.Poster, to chatops.Target, m chatops.Message) error {
	_, err := ch.call(ctx, p, to, "chat.postEphemeral", body{Channel: to.Channel, User: to.User, Thread: to.Thread, Text: ch.Text(m), Blocks: blocks(m)})
	return err
}

// Upload sends a file in the three steps that Slack asks for.
func (ch Chat) Upload(ctx context.Context, p chatops.Poster, to chatops.Target, f chatops.File) error {
	ask := url.Values{"filename": {f.Name}, "length": {strconv.Itoa(len(f.Content))}}
	res, err := p.Do(ctx, chatops.Request{
		Address: ch.api() + "/files.getUploadURLExternal", Authorization: "Bearer " + to.Bot, ContentType: "application/x-www-form-urlencoded",
		Body: []byte(ask.Encode()),
	})
	a, err := read(res, err)
	if err != nil {
		return err
	}
	res, err = p.Do(ctx, chatops.Request{Address: a.UploadURL, ContentType: "application/octet-stream", Body: f.Content})
	if err == nil {
		err = res.Failure("slack's file store")
	}
	if err != nil {
		return err
	}
	thread := to.Thread
	if _, ts, found := strings.Cut(thread, "/"); found {
		thread = ts
	}
	_, err = ch.call(ctx, p, to, "files.completeUploadExternal", struct {
		Files   []map[string]string `json:"files"`
		Channel string              `json:"channel_id"`
		Thread  string              `json:"thread_ts,omitempty"`
	}{[]map[string]string{{"id": a.FileID, "title": f.Title}}, to.Channel, thread})
	return err
}

func (ch Chat) api() string { return cmp.Or(ch.API, "https://slack.com/api") }

// answer holds what is read of the Web API's answers.
type answer struct {
	OK        bool   `json:"ok"`
	Error     string `json:"error"`
	Channel   string `json:"channel"`
	TS        string `json:"ts"`
	URL       string `json:"url"`
	UploadURL string `json:"upload_url"`
	FileID    string `json:"file_id"`

	// of installations
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
	AppID       string `json:"app_id"`
	BotUserID   string `json:"bot_user_id"`
	Team        team   `json:"team"`
	TeamID      string `json:"team_id"`
	UserID      string `json:"user_id"`
	BotID       string `json:"bot_id"`
	Enterprise  bool   `json:"is_enterprise_install"`
}

// team is a workspace: Slack tells some methods' by id and name, others' by its name alone.
type team struct{ ID, Name string }

// UnmarshalJSON takes both.
func (t *team) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &t.Name)
	}
	var both struct{ ID, Name string }
	err := json.Unmarshal(raw, &both)
	t.ID, t.Name = both.ID, both.Name
	return err
}

func (ch Chat) call(ctx context.Context, p chatops.Poster, to chatops.Target, method string, args any) (answer, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return answer{}, err
	}
	return read(p.Do(ctx, chatops.Request{Address: ch.api() + "/" + method, Authorization: "Bearer " + to.Bot, Body: raw}))
}

// read tells what Slack means: it answers 200 with an error inside.
func read(res chatops.Response, err error) (a answer, _ error) {
	if err != nil {
		return a, err
	}
	if err := res.Failure("slack"); err != nil {
		return a, err
	}
	if res.Status != http.StatusOK {
		return a, fmt.Errorf("slack answers %d", res.Status)
	}
	if err := json.NewDecoder(bytes.NewReader(res.Body)).Decode(&a); err != nil {
		return a, errors.New("slack's answer cannot be read")
	}
	if a.OK {
		return a, nil
	}
	switch a.Error {
	case "ratelimited", "rate_limited":
		return a, &chatops.Busy{After: res.RetryAfter, Reason: "slack asks to wait"}
	case "internal_error", "fatal_error", "request_timeout", "service_unavailable", "team_added_to_org":
		return a, fmt.Errorf("slack: %s", a.Error)
	case "not_in_channel", "channel_not_found":
		return a, &chatops.Refused{Reason: "the bot is not in the channel: invite it there (" + a.Error + ")"}
	case "invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed", "missing_scope":
		return a, &chatops.Refused{Reason: "slack does not take the bot's token: " + a.Error}
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "invalid_arguments", "invalid_json", "block_mismatch":
		return a, &chatops.Refused{Reason: "slack does not take the message: " + a.Error, Contents: true}
	}
	return a, &chatops.Refused{Reason: "slack does not take the message: " + a.Error}
}
