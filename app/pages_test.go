package app

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"signalbox/models"
)

// visitor is somebody with a browser, without its screen.
type visitor struct {
	w *world
	c *http.Client
}

func (w *world) visitor(name, password string) *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	v := &visitor{w, &http.Client{Jar: jar}}
	if name != "" {
		v.post("/users/sign_in", url.Values{"login": {name}, "password": {password}}, "")
	}
	return v
}

func (v *visitor) get(path string) (status int, body string, at *url.URL) {
	v.w.t.Helper()
	res, err := v.c.Get(v.w.node.Local + path)
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Request.URL
}

func (v *visitor) post(path string, form url.Values, from string) (int, string, *url.URL) {
	v.w.t.Helper()
	req, err := http.NewRequest("POST", v.w.node.Local+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if from != "" {
		req.Header.Set("Referer", v.w.node.Local+from)
	}
	res, err := v.c.Do(req)
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Request.URL
}

var hrefs = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

// crawl follows every link of every page, from the first one on, and gives the pages.
func (v *visitor) crawl(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	queue := []string{"/"}
	seen := map[string]bool{"/": true}
	for len(queue) > 0 && len(pages) < 400 {
		path := queue[0]
		queue = queue[1:]
		status, body, _ := v.get(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		pages[path] = body
		if !strings.HasPrefix(body, "<!doctype html>") {
			continue
		}
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				t.Errorf("%s links to %q: %v", path, m[1], err)
				continue
			}
			at, _ := url.Parse(v.w.node.Local + path)
			next := at.ResolveReference(u)
			next.Fragment = ""
			if next.Host != at.Host || seen[next.RequestURI()] || next.Query().Get("at") != "" { // a link beside each line
				continue
			}
			seen[next.RequestURI()] = true
			queue = append(queue, next.RequestURI())
		}
	}
	return pages
}

const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "`{{.}}${x}\u202e"

const evilConfig = `
"<script>alert(1)</script> \"'&":
  stage: "<b>st</b>"
  script:
    - 'printf "<script>alert(1)</script>\n\033]8;;javascript:alert(1)\007x\033]8;;\007\nsection_start:1:a\"><script>\r\033[0K<img src=x onerror=alert(1)>\n"'
    - mkdir -p "a <b>'\"" && echo x > "a <b>'\"/f<i>.txt"
  artifacts: {paths: [./]}
stages: ["<b>st</b>"]
`

// TestPagesWithHostileNames: names, texts, logs and files of others stay what they are on every page, for those
// who administer, for members and for strangers; no link leads nowhere.
func TestPagesWithHostileNames(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	p := "/projects/" + w.project
	w.must(200, "PUT", p, map[string]any{"name": evil, "description": evil}, nil)
	dev, _ := w.user("dev")
	w.must(200, "PUT", "/users/"+itoa(dev), map[string]any{"name": evil}, nil)
	w.user("stranger")
	w.must(201, "POST", p+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
	w.must(201, "POST", p+"/variables", map[string]any{"key": "A", "value": evil, "description": evil, "environment_scope": "a<b>"}, nil)
	w.must(201, "POST", p+"/repository/commits", map[string]any{
		"branch": "main", "commit_message": evil + "\n\n" + evil, "author_name": "x<b>",
		"actions": []any{map[string]any{"action": "create", "file_path": ".gitlab-ci.yml", "content": evilConfig}},
	}, nil)
	w.must(201, "POST", p+"/repository/branches", map[string]any{"branch": `<b>'"&x`, "ref": "main"}, nil)
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type", "description": evil, "tag_list": []string{"<b>"}}, nil)
	w.must(201, "POST", p+"/chat/commands", map[string]any{"text": "run " + evil, "channel": evil}, nil)
	w.must(201, "POST", "/groups", map[string]any{"name": "G <b>", "path": "g"}, nil)
	w.must(201, "POST", p+"/hooks", map[string]any{"url": "https://hooks.example/<b>", "name": evil, "description": evil, "push_events_branch_filter": evil}, nil)
	w.must(201, "POST", p+"/triggers", map[string]any{"description": evil}, nil)
	w.must(201, "POST", p+"/protected_environments", map[string]any{"name": evil, "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
	w.must(201, "POST", p+"/releases", map[string]any{
		"tag_name": "v1", "ref": "main", "name": evil, "description": evil + "\n\n[x](javascript:alert(1))", "assets": map[string]any{"links": []any{map[string]any{"name": evil, "url": "https://example.com/"}}},
	}, nil)
	w.eventually("the pipelines", func() bool {
		all := w.pipelines()
		return len(all) == 3 && all[0].Status == "success" && all[1].Status == "success" && all[2].Status == "success"
	})
	for who, least := range map[string]int{"root": 25, "dev": 12, "stranger": 3} {
		password := who + "-password"
		pages := w.visitor(who, password).crawl(t)
		if len(pages) < least {
			t.Errorf("%s saw %d pages", who, len(pages))
		}
		for path, body := range pages {
			if strings.HasPrefix(body, "<!doctype html>") && (strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") || strings.Contains(body, "<b>st") || strings.Contains(body, `="javascript:`)) {
				t.Errorf("%s as %s has what others wrote in it as it is", path, who)
			}
		}
	}
}

// TestSessionsEnd: whoever is signed out is asked to sign in and led back, to our own pages alone, and what was
// posted is not sent by somebody else.
func TestSessionsEnd(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	v := w.visitor("", "")
	if _, body, at := v.get("/root/app/-/pipelines?ref=main"); at.Path != "/users/sign_in" || !strings.Contains(body, "Sign in") {
		t.Fatalf("led to %s", at)
	}
	if status, _, at := v.post("/users/sign_in", url.Values{"login": {"root"}, "password": {"root-password"}}, ""); status != 200 || at.RequestURI() != "/root/app/-/pipelines?ref=main" {
		t.Errorf("back at %s: %d", at, status)
	}
	stale := w.visitor("", "")
	if _, _, at := stale.post("/root/app/-/settings/ci_cd/variables", url.Values{"key": {"A"}, "value": {"b"}}, "/root/app/-/settings/ci_cd"); at.Path != "/users/sign_in" {
		t.Errorf("a form after the session ended: %s", at)
	}
	if _, _, at := stale.post("/users/sign_in", url.Values{"login": {"root"}, "password": {"root-password"}}, ""); at.RequestURI() != "/root/app/-/settings/ci_cd" {
		t.Errorf("back at %s", at)
	}
	if got := w.api("GET", "/projects/"+w.project+"/variables/A", nil, nil); got != 404 {
		t.Errorf("the form was sent for somebody who was not signed in: %d", got)
	}
	elsewhere := w.visitor("", "")
	elsewhere.get("//evil.example/x")
	if _, _, at := elsewhere.post("/users/sign_in", url.Values{"login": {"root"}, "password": {"root-password"}}, ""); at.Host != v.hostOf() {
		t.Errorf("led to another host: %s", at)
	}
}

func (v *visitor) hostOf() string { return strings.TrimPrefix(v.w.node.Local, "http://") }

// TestAddressesOfTheAPILeadToPages: the addresses that clients show are pages.
func TestAddressesOfTheAPILeadToPages(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, nil)
	w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x, when: manual}"})
	w.pipeline("skipped")
	v := w.visitor("root", "root-password")
	p := "/projects/" + w.project
	for _, path := range []string{p, "/groups/team", "/users/1", p + "/repository/commits/main", p + "/repository/branches/main", p + "/pipelines/latest", p + "/jobs/" + itoa(w.jobs(w.pipelines()[0].ID)["a"].ID)} {
		var e struct {
			WebURL string `json:"web_url"`
		}
		w.must(200, "GET", path, nil, &e)
		if status, _, at := v.get(strings.TrimPrefix(e.WebURL, w.node.URL)); status != 200 || at.Path == "/users/sign_in" {
			t.Errorf("%s of %s: %d", e.WebURL, path, status)
		}
	}
	for _, path := range []string{"/root/app.git", "/root/app/-/pipelines/latest", "/root/app/-/jobs", "/root/app/-/commits/main", "/-/profile/personal_access_tokens", "/root/app/-/settings/integrations/slack_slash_commands/edit", "/favicon.ico"} {
		if status, _, _ := v.get(path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, body, _ := v.get("/assets/"); status != 404 || strings.Contains(body, "app.js") {
		t.Errorf("the list of assets: %d", status)
	}
}
