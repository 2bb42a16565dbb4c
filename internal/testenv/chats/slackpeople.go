package chats

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

func (s *Slack) open(kind, channel, thread, user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := fmt.Sprintf("/%s/T1/%d/secret", kind, s.next())
	s.handles[path] = &handle{channel: channel, thread: thread, user: user, made: s.Now()}
	return path
}

func (s *Slack) sign(r *http.Request, body string, at time.Time) {
	if at.IsZero() {
		at = s.Now()
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.Signing))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// Say gives a slash command.
func (s *Slack) Say(c Command) Receipt {
	s.t.Helper()
	if c.ID == "" {
		c.ID = "trigger." + strconv.Itoa(int(time.Now().UnixNano()))
	}
	form := url.Values{
		"token": {s.Old}, "team_id": {s.Team}, "team_domain": {"team"}, "channel_id": {c.Channel}, "channel_name": {c.ChannelName}, "user_id": {c.User},
		"user_name": {"name-" + c.User}, "command": {"/ops"}, "text": {c.Text}, "trigger_id": {c.ID}, "api_app_id": {"A1"},
		"response_url": {s.URL + s.once(c.ID, func() string { return s.open("commands", c.Channel, "", c.User) })},
	}
	s.did(c.ID, c.User, c.Channel)
	r := s.request("POST", s.Target+"/trigger", "application/x-www-form-urlencoded", form.Encode())
	s.sign(r, form.Encode(), c.Stamp)
	out := s.send(r, c)
	var in slackMessage
	if out.Status == 200 && out.Body != "" {
		if err := strict([]byte(out.Body), &in); err != nil {
			s.Complain("the answer to a command: %v: %s", err, out.Body)
		}
		s.answered(c, in.Response == "in_channel", in.Text, func() (Message, string) { return s.contents(in) }, &out)
	}
	return out
}

// Press presses a button of a message.
func (s *Slack) Press(user string, m Message, label string) Receipt {
	s.t.Helper()
	return s.PressAs(user, m, s.button(m, label))
}

// PressAs sends a press of a button as it is, be it in the message or not.
func (s *Slack) PressAs(user string, m Message, b Button) Receipt {
	s.t.Helper()
	trigger := s.press()
	s.did(trigger, user, m.Channel)
	payload, _ := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]any{"id": user, "username": "name-" + user, "name": "name-" + user, "team_id": s.Team},
		"team": map[string]any{"id": s.Team, "domain": "team"}, "channel": map[string]any{"id": m.Channel, "name": "ops"}, "trigger_id": trigger,
		"api_app_id": "A1", "container": map[string]any{"type": "message", "message_ts": m.ID, "channel_id": m.Channel},
		"message": map[string]any{"ts": m.ID, "thread_ts": m.Thread}, "response_url": s.URL + s.open("actions", m.Channel, m.Thread, user),
		"actions": []any{map[string]any{"type": "button", "action_id": b.ID, "block_id": "b", "value": b.Value, "action_ts": "1"}},
	})
	body := url.Values{"payload": {string(payload)}}.Encode()
	r := s.request("POST", cmp.Or(s.Presses, s.Target+"/interactions"), "application/x-www-form-urlencoded", body)
	s.sign(r, body, time.Time{})
	return s.send(r, Command{})
}
