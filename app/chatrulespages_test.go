package app

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"signalbox/models"
)

// TestPagesOfChatRules: what REST does with rules, maintainers do on a page, which says what is wrong at the field, and who would
// be let through.
func TestPagesOfChatRules(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		keeper, dev := w.keeperAndDev()
		at := "/root/app/-/settings/integrations/rules"
		dev.shut(at, at, at+"/1", at+"/1/remove")
		form := func(more ...string) url.Values {
			f := url.Values{"pattern": {"deploy-*"}, "whom": {"all"}, "who_role": {"0"}, "approvals": {"0"}, "cooldown": {"0"}, "cooldown_unit": {"60"}, "cooldown_of": {"user"}}
			for i := 0; i < len(more); i += 2 {
				f.Set(more[i], more[i+1])
			}
			return f
		}
		body := html.UnescapeString(keeper.sends(at, at, "Nothing was saved", form("pattern", " ", "channels", "ops, two words", "whom", "some", "who_users", "nobody-here", "approvals", "9", "cooldown", "x")))
		for _, want := range []string{
			"Can't be blank", "Must be ids or names without blanks", `There is no user "nobody-here"`, "Must be from 0 to 5", "Must be from 0 to 604800",
			`value="ops, two words"`, `name="approvals" type="number" min="0" max="5" required value="9" aria-invalid="true"`, `name="who_users" placeholder="anna, bert" autocomplete="off" value="nobody-here"`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the refused form has no %q", want)
			}
		}
		keeper.sends(at, at, "Must name a role, a user or a group", form("whom", "some"))
		keeper.sends(at, at, "Must be from 0 to 604800", form("cooldown", "8", "cooldown_unit", "86400"))
		keeper.sends(at, at, "The rule about deploy-* was saved", form("channels", "#ops, C7", "whom", "some", "who_role", "40", "who_users", "dev", "approvals", "1", "cooldown", "10"))
		var rules []struct {
			ID        int64
			Pattern   string
			Channels  []string
			Who       []struct{ AccessLevel, UserID *int64 }
			Approvals int
			Cooldown  int64  `json:"cooldown_seconds"`
			Of        string `json:"cooldown_of"`
		}
		w.must(200, "GET", "/projects/"+w.project+"/chat/rules", nil, &rules)
		if len(rules) != 1 || fmt.Sprint(rules[0].Channels) != "[ops C7]" || rules[0].Approvals != 1 || rules[0].Cooldown != 600 || rules[0].Of != "user" || len(rules[0].Who) != 2 {
			t.Fatalf("%+v", rules)
		}
		one := fmt.Sprintf("%s/%d", at, rules[0].ID)
		_, body, _ = keeper.get(at + "?edit=" + fmt.Sprint(rules[0].ID))
		for _, want := range []string{`value="ops, C7"`, `value="dev"`, "Maintainers and above, dev", "10 minutes, for each person", `name="whom" value="some" checked`, `value="40" selected`} {
			if !strings.Contains(body, want) {
				t.Errorf("the page of the rule has no %q", want)
			}
		}
		keeper.sends(one, at, "was saved", form("pattern", "deploy-prod", "channels", "ops", "whom", "some", "who_role", "60", "cooldown", "2", "cooldown_unit", "3600", "cooldown_of", "channel"))
		w.must(200, "GET", "/projects/"+w.project+"/chat/rules", nil, &rules)
		if len(rules) != 1 || rules[0].Pattern != "deploy-prod" || rules[0].Approvals != 0 || rules[0].Cooldown != 7200 || rules[0].Of != "channel" || len(rules[0].Who) != 1 {
			t.Errorf("%+v", rules)
		}
		keeper.sends(at, at, "was saved", form("pattern", "*", "approvals", "2"))
		w.must(200, "PUT", fmt.Sprintf("/projects/%s/chat/rules/%d", w.project, rules[0].ID), map[string]any{"who": []map[string]any{{"access_level": 0}}}, nil)
		if _, body, _ := keeper.get(at); !strings.Contains(body, `data-label="Let through:">nobody<`) {
			t.Error("a rule that lets nobody through does not say so")
		}
		w.must(200, "PUT", fmt.Sprintf("/projects/%s/chat/rules/%d", w.project, rules[0].ID), map[string]any{"who": []map[string]any{{"access_level": 60}}}, nil)

		// The page, the API and a command decide alike.
		w.user("guest")
		trial := func(job, channel, user string, wants ...string) {
			t.Helper()
			_, body, _ := keeper.get(at + "?" + url.Values{"job": {job}, "channel": {channel}, "user": {user}}.Encode())
			body = html.UnescapeString(body)
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("%s in %s by %s: no %q", job, channel, user, want)
				}
			}
		}
		trial("deploy-prod", "random", "keeper", "Refused</strong> by rule 1, about <code>deploy-prod</code>", "from the channels <code>ops</code> alone")
		trial("deploy-prod", "#ops", "@keeper", "Refused</strong> by rule 1", "run by Administrators alone, by a rule of the project; your role is Maintainer")
		trial("deploy-prod", "ops", "dev", "Refused</strong>, whatever the rules say", "does not allow running jobs on <code>main</code>")
		trial("deploy-prod", "ops", "root", "Waits for others</strong> by rule 2, about <code>*</code>", "2 approvals of somebody else are missing", "<code>deploy-prod</code> lets them through")
		trial("build", "ops", "guest", "Refused</strong>, whatever the rules say", "your role in the project, No access")
		trial("build", "ops", "", "Can't be blank")
		trial("build", "ops", "who", "Is not the name of a user here")
		var found struct {
			Outcome, Reason string
			Rule            *struct{ ID int64 }
		}
		w.must(200, "GET", "/projects/"+w.project+"/chat/rules/try?job=deploy-prod&channel=random&user=keeper", nil, &found)
		if found.Outcome != "refuses" || found.Rule == nil || found.Rule.ID != rules[0].ID || !strings.Contains(found.Reason, "`ops` alone") {
			t.Errorf("%+v", found)
		}
		w.refused(400, "GET", "/projects/"+w.project+"/chat/rules/try?job=&user=nobody", nil, `{"message":{"job":["can't be blank"]}}`)
		keeper.sends(one+"/remove", at, "The rule about deploy-prod was removed", nil)
		if status, _, _ := keeper.post(one, form(), at); status != 404 {
			t.Errorf("a rule that is gone: %d", status)
		}
	})
}

// TestPagesOfNotifications: channels are named, tried and told.
func TestPagesOfNotifications(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		keeper, dev := w.keeperAndDev()
		at := "/root/app/-/settings/integrations/notifications"
		dev.shut(at, at, at+"/1", at+"/1/test", at+"/1/remove")
		body := html.UnescapeString(keeper.sends(at, at, "Nothing was saved", url.Values{"chat": {"slack"}, "channel": {"#ops"}, "only_changes": {"1"}}))
		for _, want := range []string{"Must be the channel's id, not its name", "Must name pipeline or job", "Must name at least one", `value="#ops"`, `name="only_changes" value="1" checked`} {
			if !strings.Contains(body, want) {
				t.Errorf("the refused form has no %q", want)
			}
		}
		keeper.sends(at, at, "Is not a chat that can be told", url.Values{"chat": {"console"}, "channel": {"C9"}, "pipelines": {"1"}, "end_failed": {"1"}})
		keeper.sends(at, at, "The notification was saved", url.Values{"chat": {"slack"}, "channel": {" C9 "}, "pipelines": {"1"}, "end_failed": {"1"}, "end_success": {"1"}, "branches": {"main"}, "only_changes": {"1"}})
		type entity struct {
			ID               int64
			Chat, Channel    string
			Events, Statuses []string
			Branches         string
			Only             bool `json:"only_changes"`
		}
		list := func() (all []entity) {
			t.Helper()
			w.must(200, "GET", "/projects/"+w.project+"/chat/notifications", nil, &all)
			return all
		}
		all := list()
		if len(all) != 1 || fmt.Sprintf("%+v", all[0]) != fmt.Sprintf("{ID:%d Chat:slack Channel:C9 Events:[pipeline] Statuses:[success failed] Branches:main Only:true}", all[0].ID) {
			t.Fatalf("%+v", all)
		}
		one := fmt.Sprintf("%s/%d", at, all[0].ID)
		keeper.sends(one+"/test", at, "The project is not connected to this chat; connect it first.", nil)
		s := chatSides[0]
		w.project = "root%2Fapp"
		w.integrate(s, nil)
		keeper.sends(one+"/test", at, "takes a bot token; save one first", nil)
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot"})
		keeper.sends(one+"/test", at, "The message is in the channel C9.", nil)
		if posts := w.chat.all("/api/chat.postMessage"); len(posts) != 1 || posts[0].Body["channel"] != "C9" || !strings.Contains(posts[0].text(), "This channel is told of results of") {
			t.Errorf("%+v", posts)
		}
		w.chat.mu.Lock()
		w.chat.answer = func(int) int { return 403 }
		w.chat.mu.Unlock()
		keeper.sends(one+"/test", at, "The message did not reach the channel: slack answers 403", nil)
		w.integrate(s, map[string]any{"active": false})
		keeper.sends(one+"/test", at, "switched off", nil)
		keeper.sends(one, at, "was saved", url.Values{"chat": {"slack"}, "channel": {"C8"}, "jobs": {"1"}, "end_failed": {"1"}, "end_success": {"1"}, "end_canceled": {"1"}})
		if all = list(); len(all) != 1 || all[0].Channel != "C8" || fmt.Sprint(all[0].Events, all[0].Statuses) != "[job] []" || all[0].Only || all[0].Branches != "" {
			t.Errorf("%+v", all)
		}
		keeper.sends(one+"/remove", at, "No channel is told yet", nil)
	})
}
