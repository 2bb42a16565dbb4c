package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"signalbox/models"
)

// TestProgramsGetNoPages: what is no page is not found for everybody, in the form that was asked for; nothing is stored for those
// who never sign in.
func TestProgramsGetNoPages(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		const signIn = "/users/sign_in"
		for _, c := range []struct {
			method, path, accept string
			status               int
			kind                 string
		}{
			{"POST", "/oauth/token", "", 404, "text/plain"},
			{"POST", "/oauth/token", "application/json", 404, "application/json"},
			{"GET", "/oauth/authorize", "*/*", 404, "text/plain"},
			{"GET", "/.well-known/security.txt", "*/*", 404, "text/plain"},
			{"GET", "/.well-known/oauth-authorization-server", "application/json", 404, "application/json"},
			{"GET", "/robots.txt", "*/*", 404, "text/plain"},
			{"GET", "/sitemap.xml", "", 404, "text/plain"},
			{"GET", "/-/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1", 404, "text/plain"},
			{"GET", "/-/unknown", browser, 404, "text/html"},
			{"GET", "/users/unknown", "*/*", 404, "text/plain"},
			{"GET", "/root/.env", "*/*", 404, "text/plain"},
			{"GET", "/root/app/-/unknown", "*/*", 404, "text/plain"},
			{"GET", "/none/app/-/unknown", "*/*", 404, "text/plain"},
			{"POST", "/root/app", "*/*", 404, "text/plain"},
			{"HEAD", "/robots.txt", "*/*", 404, "text/plain"},
			{"GET", "/unknown", "application/json", 404, "application/json"},
			{"GET", "/unknown/thing", "application/vnd.api+json", 404, "application/json"},
			{"GET", "/root/app", "application/json", 404, "application/json"}, // is hidden, as what is not there
			{"GET", "/root/app/-/pipelines", "application/json, text/plain, */*", 404, "application/json"},
			{"GET", "/-/profile", "application/json", 401, "application/json"},
			{"GET", "/admin", "image/png", 401, "text/plain"},
			{"GET", "/root/app", browser, 303, signIn},
			{"GET", "/unknown/thing", browser, 303, signIn},
			{"GET", "/-/profile", browser, 303, signIn},
			{"GET", "/root/app/-/pipelines", "", 303, signIn},
		} {
			req, err := http.NewRequest(c.method, w.node.Local+c.path, nil)
			noError(t, err)
			if c.accept != "" {
				req.Header.Set("Accept", c.accept)
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			noError(t, err)
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if cookies := strings.Join(res.Header.Values("Set-Cookie"), "; "); strings.Contains(cookies, "_session") {
				t.Errorf("%s %s: a session was stored for nobody: %s", c.method, c.path, cookies)
			}
			kind := res.Header.Get("Content-Type")
			if c.status == 303 {
				kind = res.Header.Get("Location")
			}
			if res.StatusCode != c.status || !strings.HasPrefix(kind, c.kind) {
				t.Errorf("%s %s (%s): %d %s", c.method, c.path, c.accept, res.StatusCode, kind)
			}
			if c.kind == "application/json" && !json.Valid(body) {
				t.Errorf("%s: %s", c.path, body)
			}
		}
	})
}

// TestRepositoriesByTheAddressOfTheirPage are cloned and pushed without .git; the go command finds them.
func TestRepositoriesByTheAddressOfTheirPage(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a.txt": "one"})
	w.script(`git clone -q ${url%.git} c; cd c; test "$(cat a.txt)" = one; echo two > a.txt; git commit -qam Two; git push -q`)
	res, err := http.DefaultTransport.RoundTrip(mustRequest(t, w.node.Local+"/none/at/all/info/refs?service=git-upload-pack"))
	noError(t, err)
	res.Body.Close()
	if res.StatusCode != 301 || res.Header.Get("Location") != "/none/at/all.git/info/refs?service=git-upload-pack" {
		t.Errorf("without .git: %d %s", res.StatusCode, res.Header.Get("Location"))
	}
	w.must(201, "POST", "/groups", map[string]any{"path": "team", "name": "team", "visibility": "public"}, nil)
	var team struct{ ID int64 }
	w.must(200, "GET", "/groups/team", nil, &team)
	w.must(201, "POST", "/groups", map[string]any{"path": "sub", "name": "sub", "parent_id": team.ID, "visibility": "public"}, nil)
	var sub struct{ ID int64 }
	w.must(200, "GET", "/groups/team%2Fsub", nil, &sub)
	w.must(201, "POST", "/projects", map[string]any{"path": "lib", "namespace_id": sub.ID, "visibility": "public", "default_branch": "trunk"}, nil)
	host := strings.TrimPrefix(w.node.URL, "http://")
	for path, c := range map[string]struct{ project, branch, password string }{
		"/root/app":              {"root/app", "master", ""},
		"/root/app/":             {"root/app", "main", rootToken},
		"/root/app/pkg/x":        {"root/app", "main", rootToken},
		"/none/such":             {"none/such", "master", ""},
		"/none/such/pkg":         {"none/such", "master", rootToken},
		"/root/app/pkg":          {"root/app", "master", "wrong"},
		"/team/sub/lib":          {"team/sub/lib", "trunk", ""},
		"/team/sub/lib/pkg/deep": {"team/sub/lib", "trunk", ""},
		"/team/sub/none/pkg":     {"team/sub", "master", ""},
	} {
		req := mustRequest(t, w.node.Local+path+"?go-get=1")
		if c.password != "" {
			req.SetBasicAuth("oauth2", c.password)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		noError(t, err)
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		at := w.node.URL + "/" + c.project
		want := `<meta name="go-import" content="` + host + "/" + c.project + " git " + at + `.git">`
		if res.StatusCode != 200 || !strings.Contains(string(body), want) || !strings.Contains(string(body), at+"/-/tree/"+c.branch+"{/dir}") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, err := http.DefaultTransport.RoundTrip(mustRequest(t, w.node.Local+"/users/sign_in?go-get=1")); err != nil || res.StatusCode != 200 || strings.Contains(res.Header.Get("Set-Cookie"), "session") {
		t.Errorf("a page with go-get=1: %v %v", res, err)
	}
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	noError(t, err)
	return req
}

// TestLFS: clients of Git LFS are told that there is none, with the real program where it is installed.
func TestLFS(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a.txt": "one"})
	_, token := w.user("nora")
	for _, c := range []struct {
		method, path, password string
		status                 int
		message                string
	}{
		{"POST", "/root/app.git/info/lfs/objects/batch", rootToken, 501, "Git LFS is not enabled"},
		{"POST", "/root/app.git/info/lfs/locks/verify", rootToken, 501, "Git LFS is not enabled"},
		{"GET", "/root/app.git/info/lfs/locks", rootToken, 501, "Git LFS is not enabled"},
		{"POST", "/root/app.git/info/lfs/locks/1/unlock", rootToken, 501, "Git LFS is not enabled"},
		{"POST", "/root/app.git/info/lfs/objects/batch", "", 401, "Access denied"},
		{"POST", "/none/app.git/info/lfs/objects/batch", "", 401, "Access denied"},
		{"POST", "/root/app.git/info/lfs/locks/verify", "wrong", 401, "Access denied"},
		{"POST", "/root/app.git/info/lfs/objects/batch", token, 404, "could not be found"},
		{"POST", "/none/app.git/info/lfs/objects/batch", rootToken, 404, "could not be found"},
	} {
		req, err := http.NewRequest(c.method, w.node.Local+c.path, strings.NewReader(`{"operation":"download","objects":[]}`))
		noError(t, err)
		req.Header.Set("Accept", "application/vnd.git-lfs+json")
		if c.password != "" {
			req.SetBasicAuth("oauth2", c.password)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		noError(t, err)
		var answer struct{ Message string }
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		asks := res.Header.Get("LFS-Authenticate") == `Basic realm="GitLab"` && res.Header.Get("WWW-Authenticate") == `Basic realm="GitLab"`
		if err != nil || res.StatusCode != c.status || !strings.Contains(answer.Message, c.message) || asks != (c.status == 401) || res.Header.Get("Content-Type") != "application/vnd.git-lfs+json" {
			t.Errorf("%+v: %d %v %v %v", c, res.StatusCode, answer, res.Header, err)
		}
	}
	if _, err := exec.LookPath("git-lfs"); err != nil {
		t.Log("git-lfs is not installed")
		return
	}
	// Without objects of LFS everything goes on, locks notwithstanding; with them a push says why it cannot.
	w.script(`git clone -q $url c; cd c; git lfs install --local >/dev/null; git lfs track '*.bin' >/dev/null; git add .; git commit -qm Track
out=$(git push 2>&1) || { echo "$out"; exit 1; }
head -c 100 /dev/zero > x.bin; git add .; git commit -qm Object
if out=$(git push 2>&1); then echo "taken: $out"; exit 1; fi
case "$out" in *"Git LFS is not enabled"*) ;; *) echo "$out"; exit 1;; esac
out=$(git lfs locks 2>&1) && exit 1; case "$out" in *"not enabled"*|*"not supported"*|*"501"*) ;; *) echo "$out"; exit 1;; esac
git push -q --no-verify
cd ..; git lfs install >/dev/null; GIT_LFS_SKIP_SMUDGE=1 git clone -q $url d; grep -q oid d/x.bin
if out=$(git clone $url e 2>&1); then echo "smudged: $out"; exit 1; fi
case "$out" in *"Git LFS is not enabled"*) ;; *) echo "$out"; exit 1;; esac`)
}
