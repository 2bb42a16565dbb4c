package app

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/models"
)

// nasty are values that clients should not send.
var nasty = []string{
	"", "0", "-1", "99999999999999999999", "9223372036854775807", "1e400", "null", "true", "[]", "{}", "a%2Fb", "..", "../../etc/passwd", "%00", "\x00", "\xff\xfe",
	"'; DROP TABLE users; --", "%", "_", "<script>", strings.Repeat("x", 70_000), "refs/heads/main", "HEAD", "main:..", "-v", "--upload-pack=x", "1,2,x", "\u202e", "2024-13-45", "root/app",
}

// ending are the addresses that would end the test: its own session, its own token.
var ending = []string{"/users/sign_in", "/users/sign_out", "/admin/users/*", "/api/v4/users/:id", "/-/profile/password", "/personal_access_tokens/:id/rotate", "/-/profile/tokens/*/revoke"}

// hostileDoors are the addresses of the API and of pages, but for those that delete.
func (w *world) hostileDoors() (out []door) {
	for _, d := range w.allDoors() {
		if d.method != http.MethodDelete && !slices.ContainsFunc(ending, func(e string) bool { return strings.HasSuffix(d.path, e) }) {
			out = append(out, d)
		}
	}
	return out
}

// hostilePart is a part of an address that something else stands for.
var hostilePart = regexp.MustCompile(`[:*][a-z_]*\*?|<[a-z]+>`)

var hostileParams = []string{
	"page", "per_page", "ref", "sha", "status", "scope", "scope[]", "order_by", "sort", "search", "user_id", "access_level", "expires_at", "name", "path", "key", "value", "variables",
	"variables[]", "variables[0][key]", "filter[environment_scope]", "branch", "commit_message", "content", "actions", "cursor", "page_token", "pagination", "updated_after", "topic", "tag_list",
	"namespace_id", "visibility", "username", "email", "password", "scopes", "runner_type", "project_id", "token", "id_after", "regex", "since", "job", "recursive", "dry_run", "text",
	"chat", "channel", "state", "created_after", "created_before", "user", "format",
}

// TestNothingAClientSendsIsAnInternalError sends what nobody should to every address, as an administrator, who
// gets furthest: whatever comes back, it is no 500.
func TestNothingAClientSendsIsAnInternalError(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		id := w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}"})
		w.pipeline("pending")
		w.integrate(chatSides[0], nil)
		random := rand.New(rand.NewPCG(1, 2))
		pick := func(list []string) string { return list[random.IntN(len(list))] }
		ids := append([]string{fmt.Sprint(id), "1", "root%2Fapp", "main", ".gitlab-ci.yml"}, nasty...)
		doors, root := w.hostileDoors(), w.visitor("root", "root-password")
		for n := range 6000 {
			d := doors[n%len(doors)]
			route := hostilePart.ReplaceAllStringFunc(d.path, func(name string) string {
				switch {
				case name == "<project>":
					return "root/app"
				case name == "<group>" || name == "<namespace>":
					return "root"
				}
				part := pick(ids)
				if random.IntN(2) == 0 {
					part = pick(ids[:5])
				}
				if !strings.Contains(part, "%2F") {
					part = url.PathEscape(part)
				}
				return part
			})
			if d.method == http.MethodGet && random.IntN(3) == 0 {
				d.method = http.MethodHead
			}
			form := url.Values{}
			for range random.IntN(5) {
				form.Add(pick(hostileParams), pick(nasty))
			}
			if strings.HasSuffix(d.path, "/live") {
				continue // it has no end
			}
			w.hostile(random, d, route, form, root)
		}
		w.must(200, "GET", "/user", nil, nil)
		if status, _, at := root.get("/-/profile"); status != 200 || at.Path != "/-/profile" {
			t.Errorf("the session ended on the way: what came after it was not tried")
		}
	})
}

func (w *world) hostile(random *rand.Rand, d door, route string, form url.Values, root *visitor) {
	w.t.Helper()
	address := w.node.Local + route
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
	req, err := http.NewRequest(d.method, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return // the client's own library refuses it
	}
	req.Header.Set("Content-Type", kind)
	client := http.DefaultClient
	if d.page {
		client = &http.Client{Jar: root.c.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	} else {
		req.Header.Set("PRIVATE-TOKEN", rootToken)
	}
	res, err := client.Do(req)
	if err != nil {
		w.t.Errorf("%s %s: %v", d, route, err)
		return
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
	if res.StatusCode >= 500 {
		w.t.Errorf("%s %.200s %s %.300q: %d %s", d, route, kind, body+form.Encode(), res.StatusCode, text)
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
