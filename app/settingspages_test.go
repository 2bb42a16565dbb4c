package app

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"signalbox/models"
)

// keeperAndDev makes a project with a maintainer and a developer, and gives their sessions.
func (w *world) keeperAndDev() (keeper, dev *visitor) {
	w.t.Helper()
	w.newProject("app")
	for name, level := range map[string]int{"keeper": 40, "dev": 30} {
		id, _ := w.user(name)
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": level}, nil)
	}
	return w.visitor("keeper", "keeper-password"), w.visitor("dev", "dev-password")
}

// shut says that a page and its forms are for others.
func (v *visitor) shut(page string, posts ...string) {
	v.w.t.Helper()
	if status, _, _ := v.get(page); status != http.StatusNotFound {
		v.w.t.Errorf("%s: %d", page, status)
	}
	for _, p := range posts {
		if status, _, _ := v.post(p, url.Values{"name": {"x"}, "url": {"https://example.com"}, "description": {"x"}}, page); status != http.StatusForbidden {
			v.w.t.Errorf("POST %s: %d", p, status)
		}
	}
	if _, body, _ := v.get("/root/app"); strings.Contains(body, page) {
		v.w.t.Errorf("the project links to %s", page)
	}
}

// sends posts a form and wants a text on the page that it leads to.
func (v *visitor) sends(path, from, want string, form url.Values) string {
	v.w.t.Helper()
	status, body, _ := v.post(path, form, from)
	if status != http.StatusOK || !strings.Contains(html.UnescapeString(body), want) {
		v.w.t.Fatalf("POST %s: %d, without %q: %s", path, status, want, body)
	}
	return body
}

// TestPagesOfWebhooks: what REST does with webhooks, people do on pages, where secrets are never seen again.
func TestPagesOfWebhooks(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		l := listen(t)
		w := start(t, o, func(s *Settings) { s.PrivateHosts = append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://")) })
		keeper, dev := w.keeperAndDev()
		at := "/root/app/-/hooks"
		dev.shut(at, at, at+"/1", at+"/1/test", at+"/1/remove", at+"/1/hook_logs/1/retry")

		body := keeper.sends(at, at, "Invalid url given", url.Values{"url": {"ftp://example.com"}, "name": {"Mirror"}, "job_events": {"1"}, "branch_filter_strategy": {"all_branches"}})
		if !strings.Contains(body, `value="Mirror"`) || !strings.Contains(body, `name="job_events" value="1" checked`) || strings.Contains(body, `name="push_events" value="1" checked`) {
			t.Errorf("what was typed is gone: %s", body)
		}
		form := url.Values{
			"url": {l.URL + "/{place}"}, "name": {"Mirror"}, "token": {"s3cret-token"}, "push_events": {"1"}, "pipeline_events": {"1"},
			"branch_filter_strategy": {"wildcard"}, "push_events_branch_filter": {"main"}, "enable_ssl_verification": {"1"},
		}
		keeper.sends(at, at, "The webhook was saved", form)
		var list []struct {
			ID       int64
			Pipeline bool   `json:"pipeline_events"`
			Job      bool   `json:"job_events"`
			SSL      bool   `json:"enable_ssl_verification"`
			Filter   string `json:"push_events_branch_filter"`
		}
		w.must(200, "GET", "/projects/"+w.project+"/hooks", nil, &list)
		if len(list) != 1 || !list[0].Pipeline || list[0].Job || !list[0].SSL || list[0].Filter != "main" {
			t.Fatalf("webhooks %+v", list)
		}
		one := fmt.Sprintf("%s/%d", at, list[0].ID)
		edit := one + "/edit"
		keeper.sends(one+"/keys", edit, "X-Own was set", url.Values{"what": {"custom_headers"}, "key": {"X-Own"}, "value": {"own-value"}})
		keeper.sends(one+"/keys", edit, "A name begins with a letter", url.Values{"what": {"custom_headers"}, "key": {"X Own"}, "value": {"own-value"}})
		keeper.sends(one+"/keys", edit, "place was set", url.Values{"what": {"url_variables"}, "key": {"place"}, "value": {"hidden-place"}})
		keeper.sends(one+"/test", edit, "there is nothing yet", url.Values{"trigger": {"releases_events"}})

		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x, when: manual}"})
		w.eventually("the push is told", func() bool { return len(l.all("Push Hook")) > 0 })
		w.eventually("the pipeline is there", func() bool { return len(w.pipelines()) > 0 })
		if got := l.all("Push Hook"); len(got) != 1 || got[0].header.Get("X-Gitlab-Token") != "s3cret-token" || got[0].header.Get("X-Own") != "own-value" {
			t.Errorf("told %+v", got)
		}
		keeper.sends(one+"/test", edit, "It arrived: the address answered 200", url.Values{"trigger": {"pipeline_events"}})
		delete(form, "token")
		form.Set("job_events", "1")
		keeper.sends(one, edit, "The webhook was saved", form) // the token stays
		l.say(500)
		body = keeper.sends(one+"/test", edit, "It did not arrive: 500", url.Values{"trigger": {"job_events"}})
		if got := l.all("Job Hook"); len(got) != 1 || got[0].header.Get("X-Gitlab-Token") != "s3cret-token" {
			t.Errorf("after the change %+v", got)
		}
		l.say(0)
		log := regexp.MustCompile(at + `/\d+/hook_logs/\d+/retry`).FindString(body)
		keeper.sends(log, edit, "It arrived: the address answered 200", nil)
		form.Set("no_token", "1")
		keeper.sends(one, edit, "The webhook was saved", form)
		keeper.sends(one+"/test", edit, "It arrived", url.Values{"trigger": {"push_events"}})
		if got := l.all("Push Hook"); got[len(got)-1].header.Get("X-Gitlab-Token") != "" {
			t.Error("the token was not removed")
		}
		_, page, _ := keeper.get(edit)
		for _, want := range []string{"delivered", "X-Own", "place", "Resend", "200"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of the webhook has no %q", want)
			}
		}
		for _, path := range []string{at, edit, strings.TrimSuffix(log, "/retry")} {
			_, page, _ := keeper.get(path)
			for _, never := range []string{"s3cret-token", "own-value", "hidden-place"} {
				if strings.Contains(page, never) {
					t.Errorf("%s shows %s", path, never)
				}
			}
		}
		keeper.sends(one+"/keys", edit, "X-Own was removed", url.Values{"what": {"custom_headers"}, "key": {"X-Own"}, "action": {"remove"}})
		w.newProject("other")
		root := w.visitor("root", "root-password")
		if status, _, _ := root.get(strings.Replace(edit, "/app/", "/other/", 1)); status != http.StatusNotFound {
			t.Errorf("a webhook of another project: %d", status)
		}
		keeper.sends(one+"/remove", edit, "No webhooks yet", nil)
	})
}

var triggerToken = regexp.MustCompile(`glptt-[A-Za-z0-9_-]{10,}`)

// TestPagesOfTriggerTokens: a token is shown once, works, is its owner's, and ends.
func TestPagesOfTriggerTokens(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		keeper, dev := w.keeperAndDev()
		at := "/root/app/-/triggers"
		dev.shut(at, at, at+"/1/update", at+"/1/remove")
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x, when: manual}"})
		keeper.sends(at, at, "Say what the token is for", url.Values{"description": {""}})
		body := keeper.sends(at, at, "it is shown this once", url.Values{"description": {"Nightly"}})
		token := triggerToken.FindString(body)
		_, page, _ := keeper.get(at)
		if token == "" || strings.Contains(page, token) || !strings.Contains(page, token[:10]+"…") || !strings.Contains(page, ">never<") || !strings.Contains(page, "token=TOKEN") {
			t.Fatalf("token %q, page %s", token, page)
		}
		call := fmt.Sprintf("/projects/%s/trigger/pipeline?token=%s&ref=main", w.project, token)
		if got := w.apiAs("", "POST", call, nil, nil); got != 201 {
			t.Errorf("the token starts a pipeline: %d", got)
		}
		if _, page, _ := keeper.get(at); strings.Contains(page, ">never<") {
			t.Error("its use is not noted")
		}
		var list []struct{ ID int64 }
		w.must(200, "GET", "/projects/"+w.project+"/triggers", nil, &list)
		one := fmt.Sprintf("%s/%d", at, list[0].ID)
		if _, page, _ := keeper.get(at + "?edit=" + itoa(list[0].ID)); !strings.Contains(page, `value="Nightly"`) {
			t.Errorf("edit: %s", page)
		}
		keeper.sends(one+"/update", at, "Weekly", url.Values{"description": {"Weekly"}})
		id, _ := w.user("second")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		second := w.visitor("second", "second-password")
		if status, _, _ := second.post(one+"/update", url.Values{"description": {"Mine"}}, at); status != http.StatusForbidden {
			t.Errorf("another maintainer renames it: %d", status)
		}
		if _, page, _ := second.get(at); strings.Contains(page, "?edit=") || !strings.Contains(page, "Weekly") {
			t.Errorf("the page of another maintainer: %s", page)
		}
		second.sends(one+"/remove", at, "No tokens yet", nil)
		if got := w.apiAs("", "POST", call, nil, nil); got != 404 {
			t.Errorf("a removed token: %d", got)
		}
		keeper.sends(at, at, "The date is not like", url.Values{"description": {"Old"}, "expires_at": {"soon"}})
		if body := keeper.sends(at, at, "expired", url.Values{"description": {"Old"}, "expires_at": {"2020-01-01"}}); w.apiAs("", "POST", fmt.Sprintf("/projects/%s/trigger/pipeline?ref=main&token=%s", w.project, triggerToken.FindString(body)), nil, nil) != 404 {
			t.Error("an expired token works")
		}
	})
}

// TestPagesOfProtectedEnvironments: who may deploy and approve is set by names, and groups that somebody does not see stay.
func TestPagesOfProtectedEnvironments(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		keeper, dev := w.keeperAndDev()
		at := "/root/app/-/protected_environments"
		dev.shut(at, at, at+"/1", at+"/1/remove")
		form := url.Values{"name": {"production"}, "deploy_role": {"40"}, "deploy_users": {"dev, nobody-such"}, "approvals": {"2"}, "approve_role": {"0"}}
		if body := keeper.sends(at, at, `There is no user "nobody-such"`, form); !strings.Contains(body, `value="dev, nobody-such"`) {
			t.Errorf("what was typed is gone: %s", body)
		}
		form.Set("deploy_users", "dev")
		form.Set("approvals", "6")
		keeper.sends(at, at, "from 0 to 5", form)
		form.Set("approvals", "2")
		form.Set("deploy_groups", "hidden")
		var group struct{ ID int64 }
		w.must(201, "POST", "/groups", map[string]any{"name": "Hidden", "path": "hidden", "visibility": "private"}, &group)
		keeper.sends(at, at, `There is no group "hidden"`, form)
		form.Del("deploy_groups")
		keeper.sends(at, at, "2, from those who may deploy", form)
		keeper.sends(at, at, "already exists", form)
		type grant struct {
			Level *int   `json:"access_level"`
			User  *int64 `json:"user_id"`
			Group *int64 `json:"group_id"`
		}
		var g struct {
			Deployers []grant `json:"deploy_access_levels"`
			Approvers []grant `json:"approval_rules"`
			Count     int     `json:"required_approval_count"`
		}
		one := "/projects/" + w.project + "/protected_environments/production"
		w.must(200, "GET", one, nil, &g)
		if len(g.Deployers) != 2 || *g.Deployers[0].Level != 40 || g.Deployers[1].User == nil || len(g.Approvers) != 0 || g.Count != 2 {
			t.Errorf("stored: %+v", g)
		}
		w.must(200, "PUT", one, map[string]any{"deploy_access_levels": []any{map[string]any{"access_level": 30}, map[string]any{"access_level": 40}, map[string]any{"group_id": group.ID}}}, nil)
		_, page, _ := keeper.get(at)
		edit := regexp.MustCompile(`\?edit=(\d+)`).FindStringSubmatch(page)
		if strings.Contains(page, "hidden") || edit == nil {
			t.Fatalf("the page: %s", page)
		}
		if _, page, _ := keeper.get(at + edit[0]); !strings.Contains(page, "Kept as they are") || !strings.Contains(page, `value="30" selected`) {
			t.Errorf("the form: %s", page)
		}
		keeper.sends(at+"/"+edit[1], at, "Developers and above, members of 1 other group", url.Values{"deploy_role": {"30"}, "approvals": {"1"}, "approve_role": {"0"}, "approve_users": {"keeper"}})
		w.must(200, "GET", one, nil, &g)
		if len(g.Deployers) != 2 || g.Deployers[1].Group == nil || *g.Deployers[1].Group != group.ID || len(g.Approvers) != 1 || g.Count != 1 {
			t.Errorf("changed: %+v", g)
		}
		w.newProject("other")
		root := w.visitor("root", "root-password")
		if status, _, _ := root.post(strings.Replace(at, "/app/", "/other/", 1)+"/"+edit[1]+"/remove", nil, at); status != http.StatusNotFound {
			t.Errorf("a protection of another project: %d", status)
		}
		keeper.sends(at+"/"+edit[1]+"/remove", at, "No environment is protected", nil)
	})
}
