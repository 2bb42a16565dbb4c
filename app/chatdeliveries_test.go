package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/chatops/slack"
	"signalbox/models"
	"signalbox/models/enum"
)

type deliveryJSON struct {
	ID         int64
	Kind       string
	Verdict    string
	Reason     *string
	Status     int
	ChatUserID string `json:"chat_user_id"`
	Text       string
	Times      int64
	CommandID  *int64 `json:"command_id"`
	Replayable bool
}

func (w *world) deliveries(s chatSide) []deliveryJSON {
	w.t.Helper()
	var out []deliveryJSON
	w.must(200, "GET", "/projects/"+w.project+"/integrations/"+s.slug+"/deliveries?per_page=100", nil, &out)
	return out
}

// tokenOf makes a token of a user who is there.
func (w *world) tokenOf(name string) string {
	w.t.Helper()
	var users []struct{ ID int64 }
	w.must(200, "GET", "/users?username="+name, nil, &users)
	var made struct{ Token string }
	w.must(201, "POST", fmt.Sprintf("/users/%d/personal_access_tokens", users[0].ID), map[string]any{"name": "more", "scopes": []string{"api"}}, &made)
	return made.Token
}

// unlink ends the link of a user's first chat account on the page for it.
func (w *world) unlink(name string) {
	w.t.Helper()
	v := w.visitor(name, name+"-password")
	_, page, _ := v.get("/-/profile")
	form := regexp.MustCompile(`/-/profile/chat_names/\d+/remove`).FindString(page)
	if status, _, _ := v.post(form, nil, "/-/profile"); form == "" || status != 200 {
		w.t.Fatalf("unlink %q: %d", form, status)
	}
}

// verdict waits for the newest delivery of a verdict.
func (w *world) verdict(s chatSide, verdict string) (d deliveryJSON) {
	w.t.Helper()
	w.eventually("a delivery that is "+verdict, func() bool {
		for _, d = range w.deliveries(s) {
			if d.Verdict == verdict {
				return true
			}
		}
		return false
	})
	return d
}

// TestEveryRequestOfAChatIsNotedWithItsVerdict, and nothing secret of it.
func TestEveryRequestOfAChatIsNotedWithItsVerdict(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		var clock shiftingClock
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		s := chatSides[0]
		w.integrate(s, map[string]any{"signing_secret": signing})
		sign := func(secret string, at time.Time, f url.Values) http.Header {
			stamp := fmt.Sprint(at.Unix())
			return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {slack.Signature(secret, stamp, []byte(f.Encode()))}}
		}
		w.integrate(s, map[string]any{"signing_secret": ""})
		w.connect(s, "U1", "anna")
		w.integrate(s, map[string]any{"signing_secret": signing})
		if d := w.verdict(s, "unknown_user"); d.Kind != "command" || d.Status != 200 || d.ChatUserID != "U1" || d.Text != "run anything" || d.CommandID == nil {
			t.Errorf("of somebody unknown: %+v", d)
		}

		now := clock.now()
		f := w.form(s, "U1", "run hello-world")
		_, answer := w.send(s, f, sign(signing, now, f))
		w.confirm(answer, "anna")
		f = w.form(s, "U1", "run hello-world")
		w.send(s, f, sign("forged", now, f))
		if d := w.verdict(s, "bad_signature"); d.Status != 404 || d.CommandID != nil || d.Text != "run hello-world" {
			t.Errorf("forged: %+v", d)
		}
		w.send(s, f, sign(signing, now.Add(-6*time.Minute), f))
		w.verdict(s, "stale")
		f.Set("token", "another-token")
		w.send(s, f, sign(signing, now, f))
		w.verdict(s, "wrong_token")
		f.Set("token", chatToken)
		w.send(s, f, sign(signing, now, f))
		if d := w.deliveries(s)[0]; d.Verdict != "taken" || d.Status != 200 || d.CommandID == nil || d.Replayable {
			t.Errorf("a good one, which is not root's: %+v", d)
		}
		w.send(s, f, sign(signing, now, f))
		w.verdict(s, "repeated")
		f = w.form(s, "U1", "run nothing-like-it")
		w.send(s, f, sign(signing, now, f))
		if d := w.verdict(s, "refused"); d.Reason == nil || !strings.Contains(*d.Reason, "no job `nothing-like-it`") {
			t.Errorf("refused: %+v", d)
		}
		var all any
		w.must(200, "GET", "/projects/"+w.project+"/integrations/"+s.slug+"/deliveries", nil, &all)
		raw, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{chatToken, "another-token", signing, "v0=", w.chat.URL, "chat_names", "hooks/"} {
			if strings.Contains(string(raw), never) {
				t.Errorf("%q is kept: %s", never, raw)
			}
		}
		id, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
		if got := w.apiAs(token, "GET", "/projects/"+w.project+"/integrations/"+s.slug+"/deliveries", nil, nil); got != 403 {
			t.Errorf("a developer: %d", got)
		}
	})
}

// TestEventsAndPressesAreNoted beside slash commands.
func TestEventsAndPressesAreNoted(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		s := chatSides[0]
		w.integrate(s, nil)
		w.connect(s, "U1", "anna")
		w.integrate(s, map[string]any{"signing_secret": signing})
		send := func(what, secret, body string) int {
			t.Helper()
			req, err := http.NewRequest("POST", fmt.Sprintf("%s/api/v4/projects/%s/integrations/slack_slash_commands/%s", w.node.Local, w.project, what), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			stamp := fmt.Sprint(time.Now().Unix())
			req.Header.Set("X-Slack-Request-Timestamp", stamp)
			req.Header.Set("X-Slack-Signature", slack.Signature(secret, stamp, []byte(body)))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res.StatusCode
		}
		is := func(verdict, kind string, status int) deliveryJSON {
			t.Helper()
			d := w.verdict(s, verdict)
			if d.Kind != kind || d.Status != status {
				t.Errorf("%s: %+v", verdict, d)
			}
			return d
		}
		f, stamp := w.form(s, "U1", "run hello-world"), fmt.Sprint(time.Now().Unix())
		_, answer := w.send(s, f, http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {slack.Signature(signing, stamp, []byte(f.Encode()))}})
		w.confirm(answer, "anna")
		send("events", signing, `{"type":"url_verification","challenge":"c"}`)
		d := is("taken", "event", 200)
		if got := w.api("POST", fmt.Sprintf("/projects/%s/integrations/%s/deliveries/%d/replay", w.project, s.slug, d.ID), nil, nil); got != 400 {
			t.Errorf("a replay of what is no command: %d", got)
		}
		send("events", signing, `{"type":"event_callback","event_id":"E1","team_id":"T1","event":{"type":"app_mention","user":"U1","text":"<@B> help","channel":"C1","ts":"1.2"}}`)
		if d := w.deliveries(s)[0]; d.Kind != "event" || d.Verdict != "taken" || d.Text != "help" {
			t.Errorf("a mention: %+v", d)
		}
		send("events", signing, `{"type":"event_callback","event":{"type":"message","bot_id":"B"}}`)
		is("ignored", "event", 200)
		payload := url.Values{"payload": {`{"type":"block_actions","user":{"id":"U1"},"team":{"id":"T1"},"channel":{"id":"C1"},"actions":[{"value":"forged"}]}`}}.Encode()
		if got := send("interactions", signing, payload); got != 403 {
			t.Errorf("a forged button: %d", got)
		}
		is("refused", "interaction", 403)
		send("interactions", "forged", payload)
		is("bad_signature", "interaction", 404)
	})
}

// TestWhatIsNotedOfDeliveriesIsBounded, by counting what is alike.
func TestWhatIsNotedOfDeliveriesIsBounded(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		id := w.give(rootToken, "help", "replied").ID
		var posts []*models.ChatPost
		err := w.node.db.Write(t.Context(), func(tx *models.Tx) error {
			for i := range 100 {
				p := &models.ChatPost{CommandID: id, Kind: enum.PostEdit, Via: "bot", Outcome: enum.PostDelivered}
				if i > 60 {
					p.Detail = fmt.Sprint("reason ", i)
				}
				if err := tx.AddChatPost(p); err != nil {
					return err
				}
				if i == 60 {
					all, err := tx.ChatPosts([]int64{id})
					if err != nil || len(all[id]) != 1 || all[id][0].Times != 61 {
						t.Errorf("%d posts, %v", len(all[id]), err)
					}
				}
			}
			all, err := tx.ChatPosts([]int64{id})
			posts = all[id]
			return err
		})
		if err != nil || len(posts) != 30 || posts[29].Detail != "reason 99" {
			t.Errorf("%d posts are kept, %v", len(posts), err)
		}
	})
}

// TestStrangersDoNotFillTheLogOfDeliveries: what nobody could prove is counted, in one entry.
func TestStrangersDoNotFillTheLogOfDeliveries(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		var clock shiftingClock
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		s := chatSides[1]
		w.integrate(s, nil)
		w.connect(s, "U1", "anna")
		for i := range 60 {
			f := w.form(s, "U6", fmt.Sprint("run ", i))
			f.Set("token", "guessed")
			w.send(s, f, nil)
		}
		w.verdict(s, "wrong_token")
		clock.set(2 * time.Second)
		f := w.form(s, "U6", "run last")
		f.Set("token", "guessed")
		w.send(s, f, nil)
		w.eventually("the others are counted", func() bool {
			d := w.verdict(s, "wrong_token")
			return d.Times == 61 && d.Text == "run last"
		})
		if all := w.deliveries(s); len(all) != 2 {
			t.Errorf("%d entries: %+v", len(all), all)
		}
		for range 60 {
			w.say(s, "U1", "help")
		}
		all := w.deliveries(s)
		if len(all) != 50 || all[0].Verdict != "taken" || all[49].Verdict != "taken" {
			t.Errorf("%d entries are kept", len(all))
		}
		_, page, _ := w.visitor("root", "root-password").get("/root/ops/-/settings/integrations/mattermost")
		if rows := strings.Count(page, `<span class="status success">taken</span>`); rows != 10 {
			t.Errorf("the page shows %d requests", rows)
		}
	})
}

// TestOnlyOnesOwnCommandsAreReplayed, with the rights of now.
func TestOnlyOnesOwnCommandsAreReplayed(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot", "server_url": w.chat.URL, "quiet": true})
		w.answer(s, "run vars again")
		first := w.command("replied")
		d := w.verdict(s, "taken")
		path := fmt.Sprintf("/projects/%s/integrations/%s/deliveries/%d/replay", w.project, s.slug, d.ID)
		if got := w.api("POST", path, nil, nil); got != 403 {
			t.Errorf("an administrator replays what somebody else asked for: %d", got)
		}
		anna := w.tokenOf("anna")
		var c commandJSON
		if got := w.apiAs(anna, "POST", path, nil, &c); got != 201 || c.ID == first.ID {
			t.Fatalf("one's own: %d %+v", got, c)
		}
		if c := w.command("replied"); !strings.HasPrefix(deref(c.Reply), "[again] [ops] [C1]") || c.ID == first.ID {
			t.Errorf("the replay: %+v", c)
		}
		w.eventually("the bot sends the reply", func() bool { return len(w.chat.all("/api/")) == 1 })
		if d := w.deliveries(s)[0]; d.Verdict != "taken" || d.Text != "run vars again" {
			t.Errorf("the replay is noted: %+v", d)
		}

		// The rights of now: the chat account was unlinked.
		var ids []struct{ ID int64 }
		w.must(200, "GET", "/projects/"+w.project+"/members?query=anna", nil, &ids)
		w.unlink("anna")
		if got := w.apiAs(anna, "POST", path, nil, nil); got != 403 {
			t.Errorf("after the account was unlinked: %d", got)
		}
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/members/%d", w.project, ids[0].ID), nil, nil)
		if got := w.apiAs(anna, "POST", path, nil, nil); got != 403 && got != 404 {
			t.Errorf("without the role: %d", got)
		}
	})
}
