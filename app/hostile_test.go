package app

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signalbox/models"
)

// nasty are values that clients should not send.
var nasty = []string{
	"", "0", "-1", "99999999999999999999", "9223372036854775807", "1e400", "null", "true", "[]", "{}", "a%2Fb", "..", "../../etc/passwd", "%00", "\x00", "\xff\xfe",
	"'; DROP TABLE users; --", "%", "_", "<script>", strings.Repeat("x", 70_000), "refs/heads/main", "HEAD", "main:..", "-v", "--upload-pack=x", "1,2,x", "\u202e", "2024-13-45", "root/app",
}

// routes are the addresses of the API with every kind of id in them; # stands for a part to be filled.
var hostileRoutes = []string{
	"/projects", "/projects/#", "/projects/#/members", "/projects/#/members/#", "/projects/#/members/all/#", "/projects/#/pipelines", "/projects/#/pipelines/#",
	"/projects/#/pipelines/#/jobs", "/projects/#/pipelines/#/variables", "/projects/#/pipelines/latest", "/projects/#/pipelines/#/metadata", "/projects/#/pipeline",
	"/projects/#/jobs", "/projects/#/jobs/#", "/projects/#/jobs/#/trace", "/projects/#/jobs/#/play", "/projects/#/jobs/#/artifacts", "/projects/#/jobs/#/artifacts/#",
	"/projects/#/jobs/#/artifacts/tree", "/projects/#/jobs/artifacts/#/download", "/projects/#/jobs/artifacts/#/raw/#", "/projects/#/variables", "/projects/#/variables/#",
	"/projects/#/protected_branches", "/projects/#/protected_branches/#", "/projects/#/protected_tags", "/projects/#/repository/branches", "/projects/#/repository/branches/#",
	"/projects/#/repository/tags", "/projects/#/repository/tags/#", "/projects/#/repository/commits", "/projects/#/repository/commits/#", "/projects/#/repository/commits/#/statuses",
	"/projects/#/repository/files/#", "/projects/#/repository/files/#/raw", "/projects/#/repository/tree", "/projects/#/repository/archive.zip", "/projects/#/ci/lint",
	"/projects/#/runners", "/projects/#/runners/#", "/projects/#/integrations/#", "/projects/#/access_tokens", "/projects/#/access_tokens/#/rotate", "/projects/#/audit_events",
	"/projects/#/chat/commands", "/projects/#/chat/commands/#", "/projects/#/chat/commands/export", "/projects/#/integrations/slack-slash-commands/deliveries",
	"/projects/#/integrations/slack-slash-commands/deliveries/#/replay", "/projects/#/integrations/#/test", "/projects/#/integrations/#/setup", "/groups", "/groups/#", "/groups/#/members", "/groups/#/variables", "/groups/#/projects", "/groups/#/runners",
	"/namespaces/#", "/users", "/users/#", "/users/#/projects", "/users/#/block", "/personal_access_tokens", "/personal_access_tokens/#", "/personal_access_tokens/#/rotate",
	"/runners", "/runners/all", "/runners/#", "/runners/#/jobs", "/runners/#/managers", "/user/runners", "/admin/ci/variables", "/admin/ci/variables/#", "/audit_events",
	"/application/settings", "/application/slack_app/workspaces", "/application/slack_app/workspaces/#", "/application/slack_app/manifest", "/jobs/request", "/jobs/#/trace", "/jobs/#/artifacts", "/runners/verify", "/jobs/#",
}

var hostileParams = []string{
	"page", "per_page", "ref", "sha", "status", "scope", "scope[]", "order_by", "sort", "search", "user_id", "access_level", "expires_at", "name", "path", "key", "value", "variables",
	"variables[]", "variables[0][key]", "filter[environment_scope]", "branch", "commit_message", "content", "actions", "cursor", "page_token", "pagination", "updated_after", "topic", "tag_list",
	"namespace_id", "visibility", "username", "email", "password", "scopes", "runner_type", "project_id", "token", "id_after", "regex", "since", "job", "recursive", "dry_run", "text",
	"chat", "channel", "state", "created_after", "created_before", "user", "format",
}

// TestNothingAClientSendsIsAnInternalError sends what nobody should to every address, as an administrator, who
// gets furthest: whatever comes back, it is no 500.
func TestNothingAClientSendsIsAnInternalError(t *testing.T) {
	each(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		id := w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}"})
		w.pipeline("pending")
		w.integrate(chatSides[0], nil)
		random := rand.New(rand.NewPCG(1, 2))
		pick := func(list []string) string { return list[random.IntN(len(list))] }
		ids := append([]string{fmt.Sprint(id), "1", "root%2Fapp", "main", ".gitlab-ci.yml"}, nasty...)
		for n := range 6000 {
			route := hostileRoutes[n%len(hostileRoutes)]
			for strings.Contains(route, "#") {
				part := pick(ids)
				if random.IntN(2) == 0 || strings.HasPrefix(route, "/projects/#") {
					part = pick(ids[:5])
				}
				if !strings.Contains(part, "%2F") {
					part = url.PathEscape(part)
				}
				route = strings.Replace(route, "#", part, 1)
			}
			method := pick([]string{"GET", "GET", "POST", "PUT", "PATCH", "HEAD"})
			form := url.Values{}
			for range random.IntN(5) {
				form.Add(pick(hostileParams), pick(nasty))
			}
			w.hostile(random, method, route, form)
		}
	})
}

func (w *world) hostile(random *rand.Rand, method, route string, form url.Values) {
	w.t.Helper()
	address := w.node.Local + "/api/v4" + route
	if len(address) > 8000 {
		address = address[:8000]
	}
	kind, body := "", ""
	switch random.IntN(4) {
	case 0:
		kind, body = "application/x-www-form-urlencoded", form.Encode()
	case 1:
		kind, body = "application/json", pickJSON(random, form)
	case 2:
		kind, body = "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"ref\"\r\n\r\nmain\r\n--x--"
	}
	if q := form.Encode(); kind == "" && len(q) < 4000 {
		address += "?" + q
	}
	req, err := http.NewRequest(method, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return // the client's own library refuses it
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Errorf("%s %s: %v", method, route, err)
		return
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
	if res.StatusCode >= 500 {
		w.t.Errorf("%s %.200s %s %.300q: %d %s", method, route, kind, body+form.Encode(), res.StatusCode, text)
	}
}

func pickJSON(random *rand.Rand, form url.Values) string {
	switch random.IntN(6) {
	case 0:
		return ""
	case 1:
		return `{"ref":`
	case 2:
		return strings.Repeat("[", 5000)
	case 3:
		return `{"variables":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200) + "}"
	case 4:
		return "[1,2,3]"
	}
	var b strings.Builder
	b.WriteString("{")
	for k, v := range form {
		if b.Len() > 1 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "%q:", strings.ToValidUTF8(k, "?"))
		values := []string{fmt.Sprintf("%q", strings.ToValidUTF8(v[0], "?")), "1", "-1.5", "true", "null", "[]", "{}", `["a",{"b":1}]`, "1e400"}
		b.WriteString(values[random.IntN(len(values))])
	}
	return b.String() + "}"
}

// TestListsCostTheSameWhateverTheirLength counts the queries behind a list of one and of many rows.
func TestListsCostTheSameWhateverTheirLength(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	for range 12 {
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}\nb: {script: x}"})
	}
	w.eventually("the pipelines", func() bool { return len(w.pipelines()) == 12 })
	for i := range 12 {
		w.newProject(fmt.Sprintf("p%d", i))
		w.user(fmt.Sprintf("user%d", i))
	}
	pl := w.mustProject(t, "root%2Fapp")
	for _, path := range []string{
		"/projects", "/users", "/projects/" + pl + "/pipelines", "/projects/" + pl + "/jobs", "/runners/all", "/groups", "/projects/" + pl + "/members/all", "/audit_events", "/personal_access_tokens",
	} {
		count := func(size int) int64 {
			before := w.node.db.Queries()
			w.must(200, "GET", fmt.Sprintf("%s?per_page=%d", path, size), nil, nil)
			return w.node.db.Queries() - before
		}
		count(1)
		few, many := count(2), count(20)
		// Sweeps and held polls of the node may add a few of their own.
		if many > few+4 || many > 20 {
			t.Errorf("%s: %d queries for 2 rows, %d for 20", path, few, many)
		}
	}
}

func (w *world) mustProject(t *testing.T, path string) string {
	t.Helper()
	var p struct{ ID int64 }
	w.must(200, "GET", "/projects/"+path, nil, &p)
	return fmt.Sprint(p.ID)
}
