package app

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/goccy/go-yaml"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// TestSetUpPagesHoldEverythingReadyToPaste: manifests that hold together, all settings of the API, secrets never again.
func TestSetUpPagesHoldEverythingReadyToPaste(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		keeper, dev := w.keeperAndDev()
		w.push("app", map[string]string{".gitlab-ci.yml": pageConfig})
		at := "/root/app/-/settings/integrations/slack"
		dev.shut(at, at, at+"/test", at+"/deliveries/1/replay")
		_, page, _ := keeper.get(at)
		codes := regexp.MustCompile(`(?s)<pre><code>(.*?)</code></pre>`).FindAllStringSubmatch(page, -1)
		if len(codes) != 4 || !strings.Contains(page, "/assets/bot-512.png") {
			t.Fatalf("%d texts to paste, or no icon", len(codes))
		}
		for i, c := range codes {
			text := html.UnescapeString(c[1])
			var app struct {
				Features struct {
					Commands []struct {
						Command string `json:"command" yaml:"command"`
						URL     string `json:"url" yaml:"url"`
					} `json:"slash_commands" yaml:"slash_commands"`
				} `json:"features" yaml:"features"`
				OAuth struct {
					Scopes struct {
						Bot []string `json:"bot" yaml:"bot"`
					} `json:"scopes" yaml:"scopes"`
				} `json:"oauth_config" yaml:"oauth_config"`
				Settings struct {
					Events struct {
						URL string `json:"request_url" yaml:"request_url"`
					} `json:"event_subscriptions" yaml:"event_subscriptions"`
					Socket bool `json:"socket_mode_enabled" yaml:"socket_mode_enabled"`
				} `json:"settings" yaml:"settings"`
			}
			err := json.Unmarshal([]byte(text), &app)
			if i%2 == 0 {
				err = yaml.Unmarshal([]byte(text), &app)
			}
			if err != nil || len(app.Features.Commands) != 1 || app.Features.Commands[0].Command != "/app" {
				t.Fatalf("manifest %d: %v %+v\n%s", i, err, app, text)
			}
			if got := strings.Join(app.OAuth.Scopes.Bot, " "); got != "commands chat:write files:write app_mentions:read im:history" {
				t.Errorf("scopes %q", got)
			}
			base := fmt.Sprintf("%s/api/v4/projects/1/integrations/slack_slash_commands/", w.node.URL)
			socket := i >= 2
			if app.Settings.Socket != socket || !socket && (app.Features.Commands[0].URL != base+"trigger" || app.Settings.Events.URL != base+"events") {
				t.Errorf("manifest %d: %+v", i, app)
			}
			if socket && strings.Contains(text, "http") {
				t.Errorf("an address in the manifest of Socket Mode: %s", text)
			}
		}
		var ready struct {
			Address  string
			Manifest struct {
				Features struct {
					Commands []struct{ URL string } `json:"slash_commands"`
				}
			}
			Socket  map[string]any `json:"socket_mode_manifest"`
			Command map[string]any
			Icon    string `json:"bot_icon"`
		}
		integration := "/projects/" + w.project + "/integrations/"
		w.must(200, "GET", integration+"slack-slash-commands/setup", nil, &ready)
		if c := ready.Manifest.Features.Commands; len(c) != 1 || c[0].URL != ready.Address || !strings.HasSuffix(ready.Address, "/slack_slash_commands/trigger") || ready.Socket == nil || ready.Command != nil {
			t.Errorf("ready to paste by the API: %+v", ready)
		}
		form := url.Values{
			"all": {"1"}, "token": {chatToken}, "signing_secret": {signing}, "bot_token": {"xoxb-secret"}, "app_token": {"xapp-secret"}, "reply_hosts": {"a.example.com, b.example.com:8443"},
			"channel_variable": {"id"}, "quiet": {"1"}, "keep_ansi": {"1"},
		}
		body := keeper.sends(at, at, "Saved", form)
		for _, never := range []string{chatToken, signing, "xoxb-secret", "xapp-secret"} {
			if strings.Contains(body, never) {
				t.Errorf("the page shows %s", never)
			}
		}
		properties := func(slug string) map[string]any {
			var d struct {
				Active     bool
				Properties map[string]any
			}
			w.must(200, "GET", "/projects/"+w.project+"/integrations/"+slug, nil, &d)
			d.Properties["active"] = d.Active
			return d.Properties
		}
		got := properties("slack-slash-commands")
		for name, want := range map[string]any{
			"active": false, "quiet": true, "keep_ansi": true, "channel_variable": "id", "signing_secret_set": true, "bot_token_set": true, "app_token_set": true,
			"reply_hosts": []any{"a.example.com", "b.example.com:8443"},
		} {
			if fmt.Sprint(got[name]) != fmt.Sprint(want) {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		keeper.sends(at, at, "Saved", url.Values{"all": {"1"}, "active": {"1"}, "no_bot_token": {"1"}})
		if got := properties("slack-slash-commands"); got["active"] != true || got["bot_token_set"] != false || got["signing_secret_set"] != true || got["quiet"] != false {
			t.Errorf("after a change %v", got)
		}
		keeper.sends(at, at, "Saved", url.Values{"bot_token": {"xoxb-other"}})
		keeper.sends(at+"/test", at, "The message is in the channel. This chat can run:", url.Values{"channel": {"C77"}})
		if posts := w.chat.all("/api/chat.postMessage"); len(posts) != 1 || posts[0].Body["channel"] != "C77" || posts[0].Auth != "Bearer xoxb-other" {
			t.Errorf("the test message %+v", posts)
		}
		var tried struct {
			Message string
			Sent    bool
		}
		w.must(201, "POST", integration+"slack-slash-commands/test", map[string]any{"channel": "C78"}, &tried)
		if posts := w.chat.all("/api/chat.postMessage"); len(posts) != 2 || posts[1].Body["channel"] != "C78" || !tried.Sent || !strings.Contains(tried.Message, "This chat can run:") {
			t.Errorf("the test by the API: %+v %+v", tried, posts)
		}
		w.chat.mu.Lock()
		w.chat.answer = func(int) int { return 403 }
		w.chat.mu.Unlock()
		keeper.sends(at+"/test", at, "The message did not reach the channel: slack answers 403", url.Values{"channel": {"C77"}})

		at = "/root/app/-/settings/integrations/mattermost"
		_, page, _ = keeper.get(at)
		for _, want := range []string{"mmctl command create TEAM", "--trigger-word app", "/integrations/mattermost_slash_commands/trigger", "bot.svg", "/api/v4/commands"} {
			if !strings.Contains(html.UnescapeString(page), want) {
				t.Errorf("the page of Mattermost has no %q", want)
			}
		}
		w.must(200, "GET", integration+"mattermost-slash-commands/setup", nil, &ready)
		if raw, err := json.Marshal(ready.Command["url"]); err != nil || !strings.Contains(html.UnescapeString(page), `"url": `+string(raw)) || ready.Command["trigger"] != "app" || ready.Icon == "" {
			t.Errorf("ready to paste by the API: %+v", ready)
		}
		keeper.sends(at, at, "Saved", url.Values{"all": {"1"}, "active": {"1"}, "token": {chatToken}, "server_url": {"https://chat.example.com/"}, "reply_hosts": {"chat.example.com"}})
		if got := properties("mattermost-slash-commands"); got["server_url"] != "https://chat.example.com" {
			t.Errorf("mattermost %v", got)
		}
	})
}

// views are the ways in which pages are looked at.
var views = []struct {
	scheme        string
	width, height int64
	suffix        string
}{{"light", 1280, 900, ""}, {"dark", 1280, 900, "-dark"}, {"light", 390, 800, "-phone"}}

// unfold opens what is folded on a page.
func (b *browser) unfold() {
	b.t.Helper()
	if _, err := chromedp.Run(b.tab, chromedp.Evaluate[int](`(() => { for (const d of document.querySelectorAll("main details:not(.confirm)")) d.open = true; return 1; })()`)); err != nil {
		b.t.Fatal(err)
	}
}

// TestSetUpPagesInABrowser fit every screen, with what the chat sent.
func TestSetUpPagesInABrowser(t *testing.T) {
	beside(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.newProject("ops")
	w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
	for _, s := range chatSides {
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot"})
	}
	s := chatSides[0]
	_, answer := w.say(s, "U1", "run anything")
	w.link(linkIn(t, answer), "root", "root-password")
	w.say(s, "U1", "help")
	w.say(s, "U1", "run nothing-like-it with a long line of arguments that goes on and on")
	f := w.form(s, "U1", "help")
	f.Set("token", "another")
	w.send(s, f, nil)
	w.verdict(s, "wrong_token")
	b.do(chromedp.Navigate(w.node.Local+"/users/sign_in"), chromedp.WaitVisible(`main h1`))
	b.submit("form", "login", "root", "password", "root-password")
	b.says("Projects")
	for _, view := range views {
		b.look(view.scheme, view.width, view.height)
		for _, s := range chatSides {
			b.do(chromedp.Navigate(w.node.Local+"/root/ops/-/settings/integrations/"+s.name), chromedp.WaitVisible(`main h1`))
			b.fits("set-up of " + s.name + view.suffix)
			b.unfold()
			b.fits("all of the set-up of " + s.name + view.suffix)
			b.shot("setup-" + s.name + view.suffix)
		}
	}
	b.do(chromedp.Navigate(w.node.Local+"/root/ops/-/settings/integrations/slack"), chromedp.WaitVisible(`main h1`))
	b.submit(`form[action$="/replay"]`)
	b.says("run nothing-like-it")
}
