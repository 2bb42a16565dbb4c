package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/chatops/slack"
	"signalbox/models"
)

// TestWhoeverChangesTheSecretSpeaksForNobody: a maintainer who gives an integration another token could write any user into a
// request, so each linked user confirms first (CVE-2023-5356).
func TestWhoeverChangesTheSecretSpeaksForNobody(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if _, a := w.say(s, "U1", "run hello-world"); !strings.Contains(a, "was started") {
			t.Fatal(a)
		}
		w.integrate(s, map[string]any{"keep_ansi": true, "token": ""})
		if _, a := w.say(s, "U1", "run hello-world"); !strings.Contains(a, "was started") {
			t.Errorf("a change of something else: %q", a)
		}
		w.integrate(s, map[string]any{"token": "a new one"})
		f := w.form(s, "U1", "run hello-world")
		f.Set("token", "a new one")
		_, a := w.send(s, f, nil)
		if !strings.Contains(a, "we verify the source of all slash commands") {
			t.Fatalf("%q", a)
		}
		page := regexp.MustCompile(`https?://[^|)>\s]+/-/integrations/slash_commands\?command_id=[^|)>\s]+`).FindString(a)
		if c := w.command("refused"); c.PipelineID != nil || !strings.Contains(deref(c.Refusal), "secret was changed") {
			t.Errorf("%+v", c)
		}
		path := strings.TrimPrefix(page, w.node.URL)
		_, token, _ := strings.Cut(page, "command_id=")

		id, _ := w.user("mallory")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		other := w.visitor("mallory", "mallory-password")
		if status, text, _ := other.get(path); status != 403 || !strings.Contains(text, "invalid") {
			t.Errorf("another user: %d %s", status, text)
		}
		anna := w.visitor("anna", "anna-password")
		if status, text, _ := anna.get(path); status != 200 || !strings.Contains(text, "name-U1") {
			t.Errorf("the page: %d %s", status, text)
		}
		where, _, _ := strings.Cut(path, "?")
		if status, text, _ := anna.post(where, url.Values{"token": {token}}, w.node.URL); status != 200 || !strings.Contains(text, "taken again") {
			t.Errorf("confirmed: %d %s", status, text)
		}
		if status, _, _ := anna.post(where, url.Values{"token": {token}}, w.node.URL); status != 404 {
			t.Errorf("confirmed twice: %d", status)
		}
		hook := strings.TrimPrefix(f.Get("response_url"), w.chat.URL)
		w.eventually("the chat is told", func() bool { return len(w.chat.all(hook)) == 1 })
		if text := w.chat.all(hook)[0].text(); !strings.Contains(text, "successfully verified") {
			t.Errorf("told %q", text)
		}
		f = w.form(s, "U1", "run hello-world")
		f.Set("token", "a new one")
		if _, a := w.send(s, f, nil); !strings.Contains(a, "was started") {
			t.Errorf("after it: %q", a)
		}
		w.integrate(s, map[string]any{"token": "a third"})
		f = w.form(s, "U1", "run hello-world")
		f.Set("token", "a third")
		_, a = w.send(s, f, nil)
		_, token, _ = strings.Cut(regexp.MustCompile(`command_id=[^|)>\s]+`).FindString(a), "command_id=")
		w.clock.set(4 * time.Minute)
		if status, text, _ := anna.get(where + "?command_id=" + token); status != 404 || !strings.Contains(text, "expired") {
			t.Errorf("after three minutes: %d %s", status, text)
		}
	})
}

// confirm lets commands of a linked user through again, on the page that an answer leads to.
func (w *world) confirm(answer, name string) {
	w.t.Helper()
	_, token, found := strings.Cut(regexp.MustCompile(`command_id=[^|)>\s]+`).FindString(answer), "command_id=")
	status, text, _ := w.visitor(name, name+"-password").post("/"+strings.ReplaceAll(w.project, "%2F", "/")+"/-/integrations/slash_commands", url.Values{"token": {token}}, w.node.URL)
	if !found || status != 200 {
		w.t.Fatalf("confirm by %q: %d %s", answer, status, text)
	}
}

// slackPost sends what Slack would to one of the app's endpoints, signed at a time.
func (w *world) slackPost(path, key string, at time.Time, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest("POST", w.node.Local+"/api/v4"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		stamp := fmt.Sprint(at.Unix())
		req.Header.Set("X-Slack-Request-Timestamp", stamp)
		req.Header.Set("X-Slack-Signature", slack.Signature(key, stamp, []byte(body)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(raw)
}

// TestTheSlackAppOfTheInstance serves all projects with one command, whose first word names one.
func TestTheSlackAppOfTheInstance(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		for _, name := range []string{"one", "two"} {
			w.newProject(name)
			w.push(name, map[string]string{".gitlab-ci.yml": "say: {script: [echo " + name + " $CHAT_INPUT], only: [chat]}"})
		}
		trigger := func(text string) (int, string) {
			w.sent++
			return w.slackPost("/slack/trigger", "", time.Time{}, url.Values{
				"token": {"verify"}, "team_id": {"T1"}, "team_domain": {"team"}, "channel_id": {"C1"}, "channel_name": {"ops"}, "user_id": {"U1"}, "user_name": {"anna"},
				"command": {"/gitlab"}, "text": {text}, "trigger_id": {fmt.Sprint(w.sent)}, "response_url": {fmt.Sprintf("%s/hooks/%d", w.chat.URL, w.sent)},
			}.Encode())
		}
		if status, text := trigger("help"); status != 404 || !strings.Contains(text, "404 Integration Not Found") {
			t.Errorf("without the app: %d %s", status, text)
		}
		w.must(200, "PUT", "/application/settings", map[string]any{
			"slack_app_enabled": true, "slack_app_id": "A1", "slack_app_verification_token": "verify", "slack_app_signing_secret": signing,
		}, nil)
		w.must(200, "PUT", "/projects/root%2Fone/integrations/gitlab-slack-application", map[string]any{"reply_hosts": w.hosts, "team_id": "T1"}, nil)
		w.must(200, "PUT", "/projects/root%2Ftwo/integrations/gitlab-slack-application", map[string]any{"reply_hosts": w.hosts, "team_id": "T1", "alias": "zwei"}, nil)
		w.refused(400, "PUT", "/projects/root%2Fone/integrations/gitlab-slack-application", map[string]any{"team_id": "T1", "alias": "zwei"}, `{"message":{"alias":["has already been taken"]}}`)
		answer := func(text string) string {
			t.Helper()
			status, raw := trigger(text)
			var a struct{ Text string }
			if err := json.Unmarshal([]byte(raw), &a); status != 200 || err != nil {
				t.Fatalf("%s: %d %s", text, status, raw)
			}
			return a.Text
		}
		if got := answer("help"); !strings.Contains(got, "/gitlab [project name or alias]") {
			t.Errorf("help: %q", got)
		}
		if got := answer("three run say"); got != "GitLab error: project or alias not found" {
			t.Errorf("unknown: %q", got)
		}
		id, _ := w.user("anna")
		for _, p := range []string{"one", "two"} {
			w.must(201, "POST", "/projects/root%2F"+p+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		}
		w.link(linkIn(t, answer("root/one run say")), "anna", "anna-password")
		for text, want := range map[string]string{"root/one run say hi": "one hi", "zwei run say": "two"} {
			if got := answer(text); !strings.Contains(got, "was started") {
				t.Errorf("%s: %q", text, got)
				continue
			}
			if got := w.posted(fmt.Sprintf("/hooks/%d", w.sent)); !strings.Contains(got, "<@U1>: "+want) {
				t.Errorf("%s: %q", text, got)
			}
		}

		now := time.Now()
		for name, c := range map[string]struct {
			key  string
			at   time.Time
			want int
		}{"none": {"", now, 401}, "forged": {"other", now, 401}, "stale": {signing, now.Add(-6 * time.Minute), 401}, "good": {signing, now, 200}} {
			if status, text := w.slackPost("/integrations/slack/events", c.key, c.at, `{"type":"url_verification","challenge":"abc"}`); status != c.want || c.want == 200 && text != `{"challenge":"abc"}` {
				t.Errorf("signature %s: %d %s", name, status, text)
			}
			if status, _ := w.slackPost("/integrations/slack/options", c.key, c.at, ""); status != c.want {
				t.Errorf("options, signature %s: %d", name, status)
			}
		}
		before := len(w.pipelines())
		event := `{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"app_mention","user":"U1","text":"<@B1> zwei run say there","channel":"C1","ts":"1.2"}}`
		for range 2 { // Slack repeats what it thinks was lost
			if status, text := w.slackPost("/integrations/slack/events", signing, now, event); status != 200 {
				t.Errorf("mention: %d %s", status, text)
			}
		}
		w.project = "root%2Ftwo"
		w.eventually("the mention runs a job", func() bool { return len(w.pipelines()) == before+1 })
		w.settled()
		if n := len(w.pipelines()); n != before+1 {
			t.Errorf("%d pipelines after a repeated event, want %d", n, before+1)
		}
	})
}
