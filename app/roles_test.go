package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"signalbox/models"
)

// TestWhoMayAskWhat is the sheet's column of roles: for each endpoint the least role that is not refused. Others
// get 403 in a project that they may see, and 404 in one that they may not; nobody gets 401 or 404.
func TestWhoMayAskWhat(t *testing.T) {
	w := start(t, models.Options{})
	id := w.newProject("app")
	p := fmt.Sprintf("/projects/%d", id)
	w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x, when: manual}", "README.md": "x"})
	w.pipeline("skipped")
	pl := w.pipelines()[0].ID
	job := w.jobs(pl)["a"].ID
	levels := []int{0, 10, 20, 30, 40, 50}
	tokens := map[int]string{}
	for _, level := range levels {
		uid, token := w.user(fmt.Sprintf("level%d", level))
		tokens[level] = token
		if level > 0 {
			w.must(201, "POST", p+"/members", map[string]any{"user_id": uid, "access_level": level}, nil)
		}
	}
	pipeline, one := fmt.Sprintf("%s/pipelines/%d", p, pl), fmt.Sprintf("%s/jobs/%d", p, job)
	for _, c := range []struct {
		method, path string
		least        int
	}{
		{"GET", p, 10},
		{"GET", p + "/members", 10},
		{"GET", p + "/pipelines", 10},
		{"GET", pipeline, 10},
		{"GET", pipeline + "/jobs", 10},
		{"GET", p + "/jobs", 10},
		{"GET", one, 10},
		{"GET", one + "/trace", 10},
		{"GET", p + "/repository/branches", 20},
		{"GET", p + "/repository/commits", 20},
		{"GET", p + "/repository/tree", 20},
		{"GET", p + "/repository/files/README.md?ref=main", 20},
		{"GET", p + "/repository/archive.zip", 20},
		{"GET", p + "/protected_branches", 20},
		{"GET", p + "/ci/lint", 20},
		{"POST", p + "/ci/lint?content=a", 30},
		{"PUT", pipeline + "/metadata?name=n", 30},
		{"POST", p + "/pipeline?ref=none", 30},
		{"POST", p + "/repository/branches?branch=b&ref=none", 30},
		{"GET", p + "/variables", 40},
		{"POST", p + "/variables?key=&value=", 40},
		{"PUT", p + "?description=d", 40},
		{"POST", p + "/members?user_id=99999&access_level=10", 40},
		{"POST", p + "/protected_branches?name=x", 40},
		{"GET", p + "/chat/rules", 40},
		{"POST", p + "/chat/rules?pattern=", 40},
		{"GET", p + "/chat/rules/try?job=a&user=root", 40},
		{"GET", p + "/chat/notifications", 40},
		{"GET", p + "/access_tokens", 40},
		{"GET", p + "/runners", 40},
		{"GET", p + "/integrations", 40},
		{"GET", p + "/audit_events", 40},
		{"DELETE", p + "/artifacts", 40},
		{"DELETE", one + "/artifacts", 40},
		{"POST", p + "/archive", 50},
		{"POST", p + "/unarchive", 50},
		{"DELETE", pipeline + "0", 50},
	} {
		for _, level := range levels {
			got := w.apiAs(tokens[level], c.method, strings.TrimSuffix(c.path, "!"), nil, nil)
			refused := got == http.StatusForbidden || got == http.StatusUnauthorized || level == 0 && got == http.StatusNotFound
			if refused != (level < c.least) {
				t.Errorf("%s %s as level %d: %d, least is %d", c.method, c.path, level, got, c.least)
			}
			if level == 0 && got != http.StatusNotFound {
				t.Errorf("%s %s as a stranger: %d, want 404", c.method, c.path, got)
			}
		}
		if got := w.apiAs("", c.method, c.path, nil, nil); got != http.StatusNotFound && got != http.StatusUnauthorized {
			t.Errorf("%s %s as nobody: %d", c.method, c.path, got)
		}
	}
	for _, path := range []string{"/users", "/runners/all", "/admin/ci/variables", "/audit_events", "/application/settings", "/application/slack_app/workspaces", "/application/slack_app/manifest"} {
		want := http.StatusForbidden
		if path == "/users" {
			want = http.StatusOK
		}
		if got := w.apiAs(tokens[50], "GET", path, nil, nil); got != want {
			t.Errorf("GET %s as no administrator: %d, want %d", path, got, want)
		}
	}
}

// TestConventionsOfAnswers pins ETags, 405 with what is allowed, HEAD, keyset pages and their ends.
func TestConventionsOfAnswers(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("a")
	w.newProject("b")
	call := func(method, path string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, w.node.Local+"/api/v4"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+rootToken)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	first := call("GET", "/projects/root%2Fa")
	if tag := first.Header.Get("ETag"); !strings.HasPrefix(tag, `W/"`) || call("GET", "/projects/root%2Fa", "If-None-Match", tag).StatusCode != 304 {
		t.Errorf("ETag %q", tag)
	}
	if res := call("PATCH", "/version"); res.StatusCode != 405 || !strings.Contains(res.Header.Get("Allow"), "GET") {
		t.Errorf("%d, allowed %q", res.StatusCode, res.Header.Get("Allow"))
	}
	if res := call("HEAD", "/projects"); res.StatusCode != 200 || res.Header.Get("X-Total") != "2" || res.ContentLength > 0 && res.Header.Get("ETag") == "" {
		t.Errorf("HEAD %d %v", res.StatusCode, res.Header)
	}
	page := call("GET", "/projects?pagination=keyset&order_by=id&per_page=1&private_token="+rootToken)
	link := page.Header.Get("Link")
	if page.Header.Get("X-Total") != "" || !strings.Contains(link, `rel="next"`) || !strings.Contains(link, "id_before=") || strings.Contains(link, rootToken) {
		t.Errorf("keyset page %q", link)
	}
	if res := call("GET", "/projects?page=99"); res.StatusCode != 200 || res.Header.Get("X-Next-Page") != "" {
		t.Errorf("a page past the end: %d", res.StatusCode)
	}
	if res := call("GET", "/projects/root%2Fa/jobs?page=9000&per_page=100"); res.StatusCode != 405 {
		t.Errorf("a page too deep: %d", res.StatusCode)
	}
	if got := first.Header.Get("X-Gitlab-Meta"); !strings.Contains(got, first.Header.Get("X-Request-Id")) {
		t.Errorf("correlation %q", got)
	}
}
