package app

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// TestTheSlackAppInABrowser: an administrator adds the instance's app to workspaces, and a maintainer connects a project.
func TestTheSlackAppInABrowser(t *testing.T) {
	beside(t)
	program := testenv.Browser(t)
	w, s, _, _ := slackHome(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": suiteConfig})
	id, _ := w.user("keeper")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	b := browse(t, program)
	allow := func(link, button string) {
		t.Helper()
		b.do(chromedp.Click(link), chromedp.WaitVisible(button), chromedp.Click(button), chromedp.WaitVisible(`main h1`))
	}
	b.look("light", 1280, 900)
	b.signIn(w, "root")
	b.at(w, "/admin/slack")
	b.says("“Add to Slack” stands here once")
	b.unfold()
	b.fits("all of the Slack app's page")
	b.shot("slack-app-new")
	b.submit(`form[action="/admin/slack"]`, "client_id", s.ClientID, "client_secret", s.ClientSecret, "signing_secret", s.Signing, "token", s.Old)
	b.says("Saved. Now add the app to a workspace.")
	for _, team := range []string{"T2", "T1"} {
		s.Team = team
		b.at(w, "/admin/slack")
		allow(`a[href="/admin/slack/install"]`, `#allow`)
		b.says("The app is in the workspace The people of " + team)
	}
	b.at(w, "/admin/slack")
	allow(`a[href="/admin/slack/install"]`, `#cancel`)
	b.says("nothing was changed")
	b.views(w, map[string]string{"slack-app": "/admin/slack"})
	if text := b.text(); strings.Contains(text, s.ClientSecret) || strings.Contains(text, s.Signing) {
		t.Error("the page shows a secret")
	}
	b.signIn(w, "keeper")
	b.at(w, "/root/app/-/settings/integrations")
	b.do(chromedp.Click(`a[href$="/integrations/slack_app"]`), chromedp.WaitVisible(`a[href$="/settings/slack/install"]`))
	allow(`a[href$="/settings/slack/install"]`, `#allow`)
	b.says("speaks for this project")
	b.submit(`form[action$="/slack_app/test"]`, "channel", "C0123456789")
	b.says("The message is in the channel")
	b.views(w, map[string]string{"project-slack-app": "/root/app/-/settings/integrations/slack_app"})
}

// TestChatRulesInABrowser: a maintainer says who may run what and which channel is told, and tries both.
func TestChatRulesInABrowser(t *testing.T) {
	beside(t)
	program := testenv.Browser(t)
	w := start(t, models.Options{})
	w.newProject("app")
	w.project = "root%2Fapp"
	w.integrate(chatSides[0], map[string]any{"bot_token": "xoxb-bot"})
	id, _ := w.user("keeper")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	w.must(201, "POST", "/groups", map[string]any{"name": "Operations", "path": "operations"}, nil)
	w.must(201, "POST", "/groups/operations/members", map[string]any{"user_id": id, "access_level": 30}, nil)
	at := "/root/app/-/settings/integrations"
	b := browse(t, program)
	b.look("light", 1280, 900)
	b.signIn(w, "keeper")
	b.at(w, at)
	b.do(chromedp.Click(`nav[aria-label="Chat"] a[href$="/notifications"]`), chromedp.WaitVisible(`#notification`))
	b.submit(`#notification`, "channel", "#ops")
	b.says("Must be the channel's id, not its name")
	b.submit(`#notification`, "channel", "C0123456789", "branches", "release/*", "only_changes", "1")
	b.says("The notification was saved")
	b.submit(`form[action$="/1/test"]`)
	b.says("The message is in the channel C0123456789")
	notes := "/projects/" + w.project + "/chat/notifications"
	w.must(201, "POST", notes, map[string]any{"chat": "slack", "channel": "C0000000001", "events": []string{"job", "pipeline"}, "statuses": []string{"failed"}}, nil)
	w.must(201, "POST", notes, map[string]any{"chat": "mattermost", "channel": "abcdefghijklmnopqrstuvwxyz", "branches": "main"}, nil)

	b.do(chromedp.Click(`nav[aria-label="Chat"] a[href$="/rules"]`), chromedp.WaitVisible(`#rule`))
	for _, scheme := range []string{"dark", "light"} {
		b.look(scheme, 1280, 900)
		b.at(w, at+"/rules") // a picture of a page that is about to be left never comes
		b.submit(`#rule`, "pattern", " ", "channels", "two words", "whom", "some", "who_users", "nobody")
		b.says("There is no user \"nobody\"")
		b.shot("chat-rules-wrong-" + scheme)
	}
	b.submit(`#rule`, "pattern", "deploy", "channels", "#ops, C0123456789", "whom", "some", "who_role", "60", "who_users", "keeper", "who_groups", "operations", "approvals", "1", "cooldown", "10")
	b.says("The rule about deploy was saved")
	for _, rule := range []map[string]any{
		{"pattern": "release-*-with-a-name-that-is-rather-long*", "channels": []string{"ops", "releases", "production-operations", "C0123456789"}, "who": []map[string]any{{"access_level": 40}}},
		{"pattern": "*", "cooldown_seconds": 90, "cooldown_of": "channel"},
	} {
		w.must(201, "POST", "/projects/"+w.project+"/chat/rules", rule, nil)
	}
	b.submit(`#try`, "job", "deploy", "channel", "random", "user", "keeper")
	b.says("Refused by rule 1, about deploy")
	b.submit(`#try`, "job", "deploy", "channel", "ops", "user", "keeper")
	b.says("Waits for others by rule 1")
	b.views(w, map[string]string{
		"chats": at, "chat-rule": at + "/rules?edit=1", "chat-rules-tried": at + "/rules?job=deploy&channel=random&user=keeper",
		"notifications": at + "/notifications", "notification": at + "/notifications?edit=1",
	})
	for _, width := range []int64{680, 920} {
		b.look("light", width, 900)
		b.at(w, at+"/rules")
		b.fits(fmt.Sprint("the rules at ", width))
		b.shot(fmt.Sprint("chat-rules-", width))
		if broken := b.brokenWords("table"); broken != "" {
			t.Errorf("words broken at %d: %s", width, broken)
		}
	}
}

// brokenWords are the words below an element that stand on several lines.
func (b *browser) brokenWords(of string) string {
	b.t.Helper()
	found, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`((of) => {
		const walk = document.createTreeWalker(document.querySelector(of), NodeFilter.SHOW_TEXT), out = [];
		while (walk.nextNode()) {
			for (const m of walk.currentNode.data.matchAll(/[A-Za-z0-9]+/g)) {
				const range = document.createRange();
				range.setStart(walk.currentNode, m.index); range.setEnd(walk.currentNode, m.index + m[0].length);
				if (range.getClientRects().length > 1) out.push(m[0]);
			}
		}
		return out.join(" ");
	})(`+strconv.Quote(of)+`)`))
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}
