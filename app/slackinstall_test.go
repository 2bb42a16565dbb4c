package app

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

// lead gives where an address leads at once, without going there.
func (v *visitor) lead(path string) (status int, to string) {
	v.w.t.Helper()
	once := *v.c
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := once.Get(v.w.node.Local + path)
	if err != nil && !errors.Is(err, http.ErrUseLastResponse) {
		v.w.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("Location")
}

// slackHome is a node whose Slack app is set up, with Slack beside it.
func slackHome(t *testing.T, o models.Options) (*world, *chats.Slack, *visitor, *shiftingClock) {
	t.Helper()
	s, clock := chats.NewSlack(t), &shiftingClock{}
	s.Now = clock.now
	w := start(t, o, func(set *Settings) {
		set.SlackAPI, set.Now, set.PostTimeout = s.URL+"/api", clock.now, time.Second
		set.PrivateHosts = append(set.PrivateHosts, strings.TrimPrefix(s.URL, "http://"))
	})
	s.Redirects, s.Target, s.Presses = []string{w.node.URL}, w.node.Local+"/api/v4/slack", w.node.Local+"/api/v4/integrations/slack/interactions"
	t.Cleanup(func() {
		for _, wrong := range s.Wrong() {
			t.Errorf("Slack was asked what it does not take: %s", wrong)
		}
	})
	return w, s, w.visitor("root", "root-password"), clock
}

const adminSlack = "/admin/slack"

func slackSecrets(s *chats.Slack) url.Values {
	return url.Values{"enabled": {"1"}, "client_id": {s.ClientID}, "client_secret": {s.ClientSecret}, "signing_secret": {s.Signing}, "token": {s.Old}}
}

// back is the part of an address of ours, which Slack leads to.
func back(w *world, address string) string { return strings.TrimPrefix(address, w.node.URL) }

// TestTheSlackAppIsInstalledByAButton: whoever began the installation ends it, once and in time; the secrets are never shown again.
func TestTheSlackAppIsInstalledByAButton(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w, s, root, clock := slackHome(t, o)
		w.user("anna")
		anna := w.visitor("anna", "anna-password")
		for _, path := range []string{adminSlack, adminSlack + "/install", "/admin/application_settings/slack/slack_auth", "/admin/application_settings/slack_app_manifest_download"} {
			if status, _, _ := anna.get(path); status != 404 {
				t.Errorf("%s for others: %d", path, status)
			}
		}
		if _, body, _ := root.get(adminSlack + "/install"); !strings.Contains(body, "cannot be installed yet") {
			t.Error("an installation without a client secret")
		}
		root.sends(adminSlack, adminSlack, "Must be the client id that Slack shows", url.Values{"enabled": {"1"}, "client_id": {"a client"}})
		root.sends(adminSlack, adminSlack, "Must be an app-level token", url.Values{"enabled": {"1"}, "client_id": {s.ClientID}, "app_token": {"xoxb-1"}})
		body := root.sends(adminSlack, adminSlack, "Add to Slack", slackSecrets(s))
		for _, never := range []string{s.ClientSecret, s.Signing, s.Old} {
			if strings.Contains(body, never) {
				t.Errorf("the page shows %s", never)
			}
		}
		for _, want := range []string{"/api/v4/slack/trigger", "/api/v4/integrations/slack/interactions", "app_uninstalled", "redirect_urls", s.ClientID} {
			if !strings.Contains(html.UnescapeString(body), want) {
				t.Errorf("the page has no %s", want)
			}
		}
		var manifest struct {
			OAuth struct {
				Redirects []string `json:"redirect_urls"`
			} `json:"oauth_config"`
		}
		w.must(200, "GET", "/application/slack_app/manifest", nil, &manifest)
		if fmt.Sprint(manifest.OAuth.Redirects) != "["+w.node.URL+"]" {
			t.Errorf("manifest %+v", manifest)
		}
		if _, to := root.lead("/admin/application_settings/slack_app_manifest_share"); !strings.HasPrefix(to, "https://api.slack.com/apps?") {
			t.Errorf("GitLab's address of the manifest leads to %s", to)
		}

		begin := func(v *visitor) string {
			t.Helper()
			status, to := v.lead(adminSlack + "/install")
			if status != http.StatusSeeOther {
				t.Fatalf("begin: %d", status)
			}
			return to
		}
		page := begin(root)
		if strings.Contains(page, s.ClientSecret) {
			t.Error("the client secret stands in an address")
		}
		came := back(w, s.Install(page))
		u, _ := url.Parse(came)
		code := u.Query().Get("code")
		forged := u.Path + "?" + url.Values{"code": {code}, "state": {"forged"}}.Encode()
		if status, body, _ := root.get(forged); status != 403 || !strings.Contains(body, "not begun by you") {
			t.Errorf("a forged state: %d", status)
		}
		w.must(201, "POST", "/users", map[string]any{"username": "other", "name": "Other", "email": "other@example.com", "password": "other-password-1", "admin": true, "skip_confirmation": true}, nil)
		if status, _, _ := w.visitor("other", "other-password-1").get(came); status != 403 {
			t.Errorf("somebody else's state: %d", status)
		}
		if got := len(s.Calls("oauth")); got != 0 {
			t.Fatalf("%d codes were exchanged for nothing", got)
		}
		_, body, at := root.get(came)
		if !strings.Contains(body, "The app is in the workspace The people of T1") || at.Path != adminSlack || at.RawQuery != "" {
			t.Fatalf("installed: %s %s", at, body)
		}
		if status, _, _ := root.get(came); status != 403 {
			t.Errorf("a replay: %d", status)
		}
		denied := u.Path + "?" + url.Values{"error": {"access_denied"}, "state": {stateOf(t, begin(root))}}.Encode()
		if _, body, _ := root.get(denied); !strings.Contains(body, "Slack was told not to install the app; nothing was changed") {
			t.Error("whoever says no reads nothing of it")
		}
		late := back(w, s.Install(begin(root)))
		clock.set(11 * time.Minute)
		if status, _, _ := root.get(late); status != 403 {
			t.Errorf("after ten minutes: %d", status)
		}
		s.ClientSecret += "-changed"
		if _, body, _ := root.get(back(w, s.Install(begin(root)))); !strings.Contains(body, "the client secret is not the app") {
			t.Error("a wrong client secret is not named")
		}

		var list []struct {
			TeamID string `json:"team_id"`
			Name   string
			Shared bool
			Scopes string
		}
		w.must(200, "GET", "/application/slack_app/workspaces", nil, &list)
		if len(list) != 1 || list[0].TeamID != "T1" || !list[0].Shared || !strings.Contains(list[0].Scopes, "chat:write") {
			t.Errorf("workspaces %+v", list)
		}
		root.sends(adminSlack+"/workspaces", adminSlack, "Is not taken by Slack", url.Values{"bot_token": {"xoxb-unknown"}})
		root.sends(adminSlack+"/workspaces", adminSlack, "The bot of the workspace The people of T1 is kept", url.Values{"bot_token": {s.Token}})
		root.sends(adminSlack+"/workspaces/T1/remove", adminSlack, "its token is worth nothing any more", nil)
		if !s.Revoked(s.Token) {
			t.Error("the token is good still")
		}
		w.refused(404, "DELETE", "/application/slack_app/workspaces/T1", nil, `{"message":"404 Workspace Not Found"}`)
	})
}

func stateOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("state") == "" {
		t.Fatalf("no state in %q", address)
	}
	return u.Query().Get("state")
}

// TestTheBotOfTheWorkspaceFollowsJobs: commands of the instance's app have one living message with buttons, by the bot of the workspace that
// they come from, until Slack says that the app is gone.
func TestTheBotOfTheWorkspaceFollowsJobs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w, s, root, clock := slackHome(t, o)
		root.sends(adminSlack, adminSlack, "Saved", slackSecrets(s))
		w.newProject("ops")
		h := w.hand(false)
		w.push("ops", map[string]string{".gitlab-ci.yml": suiteConfig})
		host := strings.TrimPrefix(s.URL, "http://")
		w.must(200, "PUT", "/projects/root%2Fops/integrations/gitlab-slack-application", map[string]any{"reply_hosts": []string{host}, "alias": "o"}, nil)
		say := func(text string) chats.Receipt {
			t.Helper()
			return s.Say(chats.Command{Channel: "C1", ChannelName: "ops", User: "U1", Text: text})
		}
		w.link(linkIn(t, say("o run build").Message.Read()), "root", "root-password")
		bots := map[string]bool{}
		add := func(team string) {
			t.Helper()
			s.Team = team
			_, to := root.lead(adminSlack + "/install")
			root.get(back(w, s.Install(to)))
		}
		run := func(job string) (id int64) {
			t.Helper()
			before := len(w.pipelines())
			say("o run " + job)
			w.eventually("a pipeline", func() bool { return len(w.pipelines()) > before })
			return w.jobs(w.newest())[job].ID
		}
		living := func(id int64) (m chats.Message, there bool) {
			for _, one := range s.Said("C1", "U1") {
				if one.Token != "" && strings.Contains(one.Read(), fmt.Sprintf("#%d", id)) {
					return one, true
				}
			}
			return m, false
		}
		end := func(id int64, text string) {
			t.Helper()
			h.run(id)
			if _, err := h.client.Patch(t.Context(), h.offer(id), 0, []byte(section("chat_reply", text))); err != nil {
				t.Fatal(err)
			}
			h.success(id)
			w.eventually(text, func() bool {
				w.node.tasks.Wake()
				for _, m := range s.Said("C1", "U1") {
					if strings.Contains(m.Read(), text) {
						return true
					}
				}
				return false
			})
		}

		id := run("build")
		end(id, "without a bot")
		if _, there := living(id); there {
			t.Error("a bot that nobody installed follows a job")
		}
		add("T2")
		add("T1")
		id = run("build")
		w.eventually("the message of the bot", func() bool { w.node.tasks.Wake(); _, there := living(id); return there })
		m, _ := living(id)
		bots[m.Token] = true
		if !strings.HasPrefix(m.Token, "xoxb-T1-") {
			t.Errorf("it was sent with %s", m.Token)
		}
		if got := s.Press("U1", m, "Cancel"); got.Status != 200 {
			t.Errorf("a press: %+v", got)
		}
		w.eventually("the press cancels the job", func() bool { return w.jobs(w.newest())["build"].Status == "canceled" })
		id = run("other")
		w.eventually("the message of the bot", func() bool { w.node.tasks.Wake(); _, there := living(id); return there })
		clock.set(40 * time.Minute) // longer than the command's own address serves
		end(id, "by the bot")
		if m, _ := living(id); !strings.Contains(m.Read(), "by the bot") || len(m.Edits) == 0 {
			t.Errorf("the reply is not in the place of the message: %+v", m)
		}

		// Slack says that the app is gone, and repeats it after it was added again.
		event := func(kind, more string, at time.Time) {
			t.Helper()
			body := fmt.Sprintf(`{"type":"event_callback","team_id":"T1","api_app_id":"A1","event_id":"Ev-%s","event_time":%d,"event":{"type":%q%s}}`, kind, at.Unix(), kind, more)
			if status, text := w.slackPost("/integrations/slack/events", s.Signing, clock.now(), body); status != 200 {
				t.Fatalf("%s: %d %s", kind, status, text)
			}
		}
		teams := func() string {
			var list []struct {
				TeamID string `json:"team_id"`
			}
			w.must(200, "GET", "/application/slack_app/workspaces", nil, &list)
			return fmt.Sprint(list)
		}
		event("tokens_revoked", `,"tokens":{"oauth":["U1"]}`, clock.now())
		if got := teams(); got != "[{T1} {T2}]" {
			t.Errorf("after a person's token is gone: %s", got)
		}
		gone := clock.now()
		event("tokens_revoked", `,"tokens":{"oauth":[],"bot":["B-T1"]}`, gone)
		if got := teams(); got != "[{T2}]" {
			t.Errorf("after the bot's is: %s", got)
		}
		if status, _ := w.slackPost("/integrations/slack/events", "forged", clock.now(), `{"type":"event_callback","team_id":"T2","event":{"type":"app_uninstalled"}}`); status != 401 || teams() != "[{T2}]" {
			t.Errorf("a forged word: %d", status)
		}
		id = run("third")
		end(id, "without it again")
		if _, there := living(id); there {
			t.Error("a bot that is gone follows a job")
		}
		clock.set(50 * time.Minute)
		add("T1")
		event("app_uninstalled", "", gone)
		if got := teams(); got != "[{T1} {T2}]" {
			t.Errorf("an old word ended a newer installation: %s", got)
		}
		event("app_uninstalled", "", clock.now())
		if got := teams(); got != "[{T2}]" {
			t.Errorf("uninstalled: %s", got)
		}
	})
}

// TestAProjectAddsTheAppToItsWorkspace: its maintainer is led there and back, and no other project's bot speaks where it was not let in.
func TestAProjectAddsTheAppToItsWorkspace(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w, s, root, _ := slackHome(t, o)
		keeper, dev := w.keeperAndDev()
		w.push("app", map[string]string{".gitlab-ci.yml": suiteConfig})
		at := "/root/app/-/settings/integrations/slack_app"
		dev.shut(at, at, at+"/test", at+"/remove")
		for _, path := range []string{"/root/app/-/settings/slack/install", "/root/app/-/settings/slack/slack_auth?state=x&code=y"} {
			if status, _, _ := dev.get(path); status != 404 {
				t.Errorf("%s: %d", path, status)
			}
		}
		if _, body, _ := keeper.get(at); !strings.Contains(body, "An administrator can switch it on") {
			t.Error("a maintainer is not told who sets the app up")
		}
		root.sends(adminSlack, adminSlack, "Saved", slackSecrets(s))
		status, to := keeper.lead("/root/app/-/settings/slack/install")
		if status != http.StatusSeeOther {
			t.Fatalf("begin: %d", status)
		}
		came := back(w, s.Install(to))
		if status, _, _ := root.get(strings.Replace(came, "/root/app/-/settings/slack/slack_auth", "/admin/application_settings/slack/slack_auth", 1)); status != 403 {
			t.Errorf("a project's installation for the instance: %d", status)
		}
		_, body, where := keeper.get(came)
		if !strings.Contains(body, "The bot of the workspace <strong>The people of T1</strong> speaks for this project") || where.Path != at {
			t.Fatalf("installed: %s %s", where, body)
		}
		keeper.sends(at, at, "Must be one word", url.Values{"alias": {"two words"}, "team_id": {"T1"}, "channel_variable": {"name"}, "active": {"1"}})
		keeper.sends(at, at, "/signalbox shop run", url.Values{"alias": {"shop"}, "team_id": {"T1"}, "channel_variable": {"id"}, "active": {"1"}, "quiet": {"1"}})
		keeper.sends(at+"/test", at, "The message is in the channel", url.Values{"channel": {"C5"}})
		if said := s.Said("C5", "U1"); len(said) != 1 || !strings.HasPrefix(said[0].Token, "xoxb-T1-") {
			t.Errorf("the test %+v", said)
		}
		notes := "/root/app/-/settings/integrations/notifications"
		keeper.sends(notes, notes, "The notification was saved", url.Values{"chat": {"slack_app"}, "channel": {"C5"}, "pipelines": {"1"}, "end_failed": {"1"}})
		keeper.sends(notes+"/1/test", notes, "The message is in the channel C5", nil)

		// Another project that only names the workspace does not write there.
		w.newProject("eve")
		id, _ := w.user("eve")
		w.must(201, "POST", "/projects/root%2Feve/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		w.push("eve", map[string]string{".gitlab-ci.yml": suiteConfig})
		eve := w.visitor("eve", "eve-password")
		at = "/root/eve/-/settings/integrations/slack_app"
		eve.sends(at, at, "must be added from here by somebody of the workspace", url.Values{"team_id": {"T1"}, "channel_variable": {"name"}, "active": {"1"}})
		eve.sends(at+"/test", at, "install the instance's Slack app in the workspace first", url.Values{"channel": {"C5"}})
		_, to = root.lead(adminSlack + "/install")
		root.get(back(w, s.Install(to)))
		eve.sends(at+"/test", at, "The message is in the channel", url.Values{"channel": {"C5"}})
		eve.sends(at+"/remove", at, "takes no more commands", nil)
	})
}
