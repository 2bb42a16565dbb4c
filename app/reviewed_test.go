package app

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox/models"
)

// TestRenamedProjectsAndGroups: what was renamed is found under its old path, by those who may see it: clients
// that read are led to the number, others are told, clones and pages keep working.
func TestRenamedProjectsAndGroups(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		var group, p struct{ ID int64 }
		w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
		w.must(201, "POST", "/projects", map[string]any{"path": "app", "namespace_id": group.ID}, &p)
		w.must(200, "PUT", fmt.Sprintf("/projects/%d", p.ID), map[string]any{"path": "tool"}, nil)
		w.must(200, "PUT", fmt.Sprintf("/groups/%d", group.ID), map[string]any{"path": "crew"}, nil)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		ask := func(method, path string) *http.Response {
			req, err := http.NewRequest(method, w.node.Local+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("PRIVATE-TOKEN", rootToken)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res
		}
		for _, old := range []string{"team%2Fapp", "team%2Ftool", "TEAM%2FTool"} {
			res := ask("GET", "/api/v4/projects/"+old+"/jobs?per_page=3&private_token=x")
			want := fmt.Sprintf("%s/api/v4/projects/%d/jobs?per_page=3", w.node.URL, p.ID)
			if res.StatusCode != 301 || res.Header.Get("Location") != want {
				t.Errorf("%s: %d to %q, want %q", old, res.StatusCode, res.Header.Get("Location"), want)
			}
			if res := ask("POST", "/api/v4/projects/"+old+"/archive"); res.StatusCode != 405 {
				t.Errorf("POST to %s: %d", old, res.StatusCode)
			}
		}
		if res := ask("GET", "/api/v4/groups/team"); res.StatusCode != 301 || !strings.HasSuffix(res.Header.Get("Location"), fmt.Sprintf("/groups/%d", group.ID)) {
			t.Errorf("group: %d to %q", res.StatusCode, res.Header.Get("Location"))
		}
		if out, err := w.tryPush("team/app", rootToken, "main", map[string]string{"a": "1"}); err != nil {
			t.Errorf("push to the old path: %v %s", err, out)
		}
		_, stranger := w.user("stranger")
		if got := w.apiAs(stranger, "GET", "/projects/team%2Fapp", nil, nil); got != 404 {
			t.Errorf("a stranger learns of a rename: %d", got)
		}
		w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
		w.must(201, "POST", "/projects", map[string]any{"path": "app", "namespace_id": group.ID}, nil)
		if res := ask("GET", "/api/v4/projects/team%2Fapp"); res.StatusCode != 200 {
			t.Errorf("a project that took the path: %d", res.StatusCode)
		}
	})
}

// TestSmallPrint is what clients met when they did unusual things, each once.
func TestSmallPrint(t *testing.T) {
	w := start(t, models.Options{})
	id := w.newProject("app")
	p := fmt.Sprintf("/projects/%d", id)
	w.push("app", map[string]string{"README.md": "x", "dir/a": "y", ".gitlab-ci.yml": "a: {script: x, when: manual}"})
	w.pipeline("skipped")
	file := func(author string) map[string]any {
		return map[string]any{"branch": "main", "content": "x", "commit_message": "m", "author_name": author}
	}
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"a path out of the repository", "GET", p + "/repository/commits?path=../x", nil, 404},
		{"a tree out of the repository", "GET", p + "/repository/tree?path=../..", nil, 404},
		{"an archive out of the repository", "GET", p + "/repository/archive.zip?path=../..", nil, 404},
		{"a file below a file", "POST", p + "/repository/files/README.md%2Fx", file(""), 400},
		{"a file that is still there", "GET", p + "/repository/files/README.md?ref=main", nil, 200},
		{"an author without a name", "POST", p + "/repository/files/b", file("<>"), 400},
		{"an author of dots", "POST", p + "/repository/files/b", file("..."), 400},
		{"a branch HEAD", "POST", p + "/repository/branches?branch=HEAD&ref=main", nil, 400},
		{"a branch that is an option", "POST", p + "/repository/branches?branch=-x&ref=main", nil, 400},
		{"a tag that is an option", "POST", p + "/repository/tags?tag_name=-d&ref=main", nil, 400},
		{"a branch below a branch", "POST", p + "/repository/branches?branch=main%2Fx&ref=main", nil, 400},
		{"a variable that is no name", "POST", p + "/pipeline", map[string]any{"ref": "main", "variables": []any{map[string]any{"key": "A B", "value": "1"}}}, 400},
		{"a token that makes tokens", "POST", "/user/personal_access_tokens", map[string]any{"name": "n", "scopes": []string{"api"}}, 400},
		{"a token that renews itself", "POST", "/user/personal_access_tokens", map[string]any{"name": "n", "scopes": []string{"self_rotate"}, "expires_at": "2030-01-01"}, 201},
		{"a configuration out of the repository", "PUT", p, map[string]any{"ci_config_path": "../x"}, 400},
		{"pipelines deleted at once", "PUT", p, map[string]any{"ci_delete_pipelines_in_seconds": 1}, 400},
		{"an artifact that is not there", "GET", p + "/jobs/1/artifacts", nil, 404},
	} {
		var raw struct{ Message any }
		if got := w.api(c.method, c.path, c.body, &raw); got != c.status {
			t.Errorf("%s: %d %v, want %d", c.name, got, raw.Message, c.status)
		}
	}
	t.Run("old version", func(t *testing.T) {
		res, err := http.Get(w.node.Local + "/api/v3/projects")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusGone {
			t.Errorf("%d", res.StatusCode)
		}
	})
	t.Run("delete what changed", func(t *testing.T) {
		req, err := http.NewRequest("DELETE", w.node.Local+"/api/v4"+p, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("PRIVATE-TOKEN", rootToken)
		req.Header.Set("If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusPreconditionFailed {
			t.Errorf("%d", res.StatusCode)
		}
	})
	t.Run("who sees pipelines", func(t *testing.T) {
		w := w.in(t)
		guest, token := w.user("guest")
		w.must(201, "POST", p+"/members", map[string]any{"user_id": guest, "access_level": 10}, nil)
		see := func(token string, want int) {
			t.Helper()
			if got := w.apiAs(token, "GET", p+"/pipelines", nil, nil); got != want {
				t.Errorf("%d, want %d", got, want)
			}
		}
		see(token, 200)
		w.must(200, "PUT", p, map[string]any{"public_jobs": false}, nil)
		see(token, 403)
		w.must(200, "PUT", p, map[string]any{"builds_access_level": "enabled"}, nil)
		see(token, 403)
		w.must(200, "PUT", p, map[string]any{"visibility": "public", "public_jobs": true}, nil)
		see("", 200)
		var shown struct {
			Access string `json:"builds_access_level"`
		}
		w.must(200, "PUT", p, map[string]any{"builds_access_level": "private"}, &shown)
		if shown.Access != "private" {
			t.Errorf("builds_access_level %q", shown.Access)
		}
		see("", 403)
		see(token, 200)
	})
	t.Run("where a role comes from", func(t *testing.T) {
		w := w.in(t)
		var group, inside struct{ ID int64 }
		w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
		w.must(201, "POST", "/projects", map[string]any{"path": "inside", "namespace_id": group.ID}, &inside)
		dev, token := w.user("dev")
		w.must(201, "POST", fmt.Sprintf("/projects/%d/members", inside.ID), map[string]any{"user_id": dev, "access_level": 30}, nil)
		type access struct {
			Level int `json:"access_level"`
		}
		var got struct {
			Permissions struct {
				Project *access `json:"project_access"`
				Group   *access `json:"group_access"`
			}
		}
		if w.apiAs(token, "GET", fmt.Sprintf("/projects/%d", inside.ID), nil, &got); got.Permissions.Project == nil || got.Permissions.Project.Level != 30 || got.Permissions.Group != nil {
			t.Errorf("permissions %+v", got.Permissions)
		}
	})
	t.Run("runners", func(t *testing.T) {
		w := w.in(t)
		var made, reg struct {
			ID    int64
			Token string
		}
		w.must(201, "POST", "/runners/reset_registration_token", nil, &reg)
		if w.apiAs("", "POST", "/runners", map[string]any{"token": reg.Token, "maximum_timeout": 900}, &made); !strings.HasPrefix(made.Token, "glrtr-") {
			t.Errorf("token of a registered runner: %.6s", made.Token)
		}
		one := fmt.Sprintf("/runners/%d", made.ID)
		if w.must(201, "POST", one+"/reset_authentication_token", nil, &reg); !strings.HasPrefix(reg.Token, "glrtr-") {
			t.Errorf("new token of a registered runner: %.6s", reg.Token)
		}
		var shown struct {
			Timeout  *int `json:"maximum_timeout"`
			Projects *[]any
		}
		w.must(200, "PUT", one, map[string]any{"maximum_timeout": nil}, &shown)
		if shown.Timeout != nil || shown.Projects == nil {
			t.Errorf("timeout %v, projects %v", shown.Timeout, shown.Projects)
		}
	})
	t.Run("a job that was played is played again", func(t *testing.T) {
		w := w.in(t)
		w.runner()
		first := w.jobs(w.pipelines()[0].ID)["a"].ID
		w.must(200, "POST", fmt.Sprintf("%s/jobs/%d/play", p, first), nil, nil)
		w.eventually("the job to end", func() bool { return w.jobs(w.pipelines()[0].ID)["a"].Status == "failed" })
		var next struct{ ID int64 }
		w.must(200, "POST", fmt.Sprintf("%s/jobs/%d/play", p, first), nil, &next)
		if next.ID == first {
			t.Error("no new job")
		}
	})
}

// TestARunnerThatStopsSaysSo: a job that its runner gave up did not fail by its script.
func TestARunnerThatStopsSaysSo(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.flag(t)
	w.runner()
	w.push("app", map[string]string{".gitlab-ci.yml": slowJob})
	w.pipeline("running")
	job := w.jobs(w.pipelines()[0].ID)["talk"].ID
	w.eventually("the live log", func() bool { return strings.Contains(w.trace(job), "line 2") })
	w.node.stopRunner()
	w.node.stopRunner = nil
	var shown struct {
		Reason string `json:"failure_reason"`
	}
	w.eventually("the job to end", func() bool {
		w.must(200, "GET", fmt.Sprintf("/projects/%s/jobs/%d", w.project, job), nil, &shown)
		return shown.Reason != ""
	})
	if shown.Reason != "runner_system_failure" {
		t.Errorf("it failed by %s", shown.Reason)
	}
}

// TestForeignIDs: what belongs to another project is not there, wherever its id is written.
func TestForeignIDs(t *testing.T) {
	w := start(t, models.Options{})
	first := w.newProject("first")
	w.push("first", map[string]string{".gitlab-ci.yml": "a: {script: x, when: manual}"})
	w.pipeline("skipped")
	pl := w.pipelines()[0].ID
	job := w.jobs(pl)["a"].ID
	var token, command struct{ ID int64 }
	w.must(201, "POST", fmt.Sprintf("/projects/%d/access_tokens", first), map[string]any{"name": "n", "scopes": []string{"api"}, "expires_at": "2030-01-01"}, &token)
	w.must(201, "POST", fmt.Sprintf("/projects/%d/variables", first), map[string]any{"key": "SECRET", "value": "x"}, nil)
	w.must(201, "POST", fmt.Sprintf("/projects/%d/chat/commands", first), map[string]any{"text": "run a"}, &command)
	second := fmt.Sprintf("/projects/%d", w.newProject("second"))
	for _, c := range []struct{ method, path string }{
		{"GET", fmt.Sprintf("/pipelines/%d", pl)},
		{"GET", fmt.Sprintf("/pipelines/%d/jobs", pl)},
		{"POST", fmt.Sprintf("/pipelines/%d/cancel", pl)},
		{"POST", fmt.Sprintf("/pipelines/%d/retry", pl)},
		{"DELETE", fmt.Sprintf("/pipelines/%d", pl)},
		{"PUT", fmt.Sprintf("/pipelines/%d/metadata?name=x", pl)},
		{"GET", fmt.Sprintf("/pipelines/%d/variables", pl)},
		{"GET", fmt.Sprintf("/jobs/%d", job)},
		{"GET", fmt.Sprintf("/jobs/%d/trace", job)},
		{"POST", fmt.Sprintf("/jobs/%d/play", job)},
		{"POST", fmt.Sprintf("/jobs/%d/cancel", job)},
		{"POST", fmt.Sprintf("/jobs/%d/retry", job)},
		{"POST", fmt.Sprintf("/jobs/%d/erase", job)},
		{"GET", fmt.Sprintf("/jobs/%d/artifacts", job)},
		{"DELETE", fmt.Sprintf("/jobs/%d/artifacts", job)},
		{"GET", fmt.Sprintf("/access_tokens/%d", token.ID)},
		{"DELETE", fmt.Sprintf("/access_tokens/%d", token.ID)},
		{"GET", "/variables/SECRET"},
		{"DELETE", "/variables/SECRET"},
		{"GET", fmt.Sprintf("/chat/commands/%d", command.ID)},
	} {
		if got := w.api(c.method, second+c.path, nil, nil); got != 404 {
			t.Errorf("%s %s of another project: %d", c.method, c.path, got)
		}
	}
	if got := w.api("GET", fmt.Sprintf("/projects/%d/pipelines/%d", first, pl), nil, nil); got != 200 {
		t.Errorf("it is still there: %d", got)
	}
	v := w.visitor("root", "root-password")
	for _, path := range []string{fmt.Sprintf("/pipelines/%d", pl), fmt.Sprintf("/jobs/%d", job), fmt.Sprintf("/jobs/%d/raw", job), fmt.Sprintf("/jobs/%d/live", job), fmt.Sprintf("/chat/commands/%d", command.ID)} {
		if status, _, _ := v.get("/root/second/-" + path); status != 404 {
			t.Errorf("page %s of another project: %d", path, status)
		}
	}
}

// TestLargeBodies are cut off, whatever they hold, and the server goes on.
func TestLargeBodies(t *testing.T) {
	w := start(t, models.Options{})
	id := w.newProject("app")
	for kind, begin := range map[string]string{"application/json": `{"description":"`, "application/x-www-form-urlencoded": "description="} {
		body := io.MultiReader(strings.NewReader(begin), io.LimitReader(endless('x'), 100<<20))
		req, err := http.NewRequest("PUT", fmt.Sprintf("%s/api/v4/projects/%d", w.node.Local, id), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("PRIVATE-TOKEN", rootToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			continue // cut off while it was sent
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("100 MB of %s: %d", kind, res.StatusCode)
		}
	}
	w.must(200, "GET", fmt.Sprintf("/projects/%d", id), nil, nil)
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
