package app

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signalbox/models"
	"signalbox/web"
)

// A door is an address of the API or of a page, and who is let in there. testdata/doors.txt lists them:
//
//	role    resource  address
//
// The role is the least that is let in of a private project or group. "own" means that the address is for a credential of
// its own (a runner's, a trigger's, a chat's, one's own session). Addresses that lead to one resource share its name; "-" is
// a resource with one address.
type door struct {
	role, resource, method, path string
	page                         bool
}

func (d door) String() string {
	kind := ""
	if d.page {
		kind = "PAGE "
	}
	return kind + d.method + " " + d.path
}

// roles of callers, each with all that the ones before have.
var doorRoles = []string{"nobody", "stranger", "guest", "reporter", "developer", "maintainer", "owner", "admin"}

// allDoors are the addresses that the routers know.
func (w *world) allDoors() (out []door) {
	for _, r := range w.node.routes() {
		out = append(out, door{method: r.Method, path: r.Path})
	}
	for _, p := range web.Pages() {
		out = append(out, door{method: p.Method, path: p.Path, page: true})
	}
	return out
}

// listedDoors reads the list, by address.
func listedDoors(t *testing.T) map[string]door {
	t.Helper()
	raw, err := os.ReadFile("testdata/doors.txt")
	noError(t, err)
	out := map[string]door{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		f := strings.Fields(line)
		d := door{role: f[0], resource: f[1]}
		if f = f[2:]; f[0] == "PAGE" {
			d.page, f = true, f[1:]
		}
		d.method, d.path = f[0], f[1]
		if _, twice := out[d.String()]; twice {
			t.Errorf("%s is listed twice", d)
		}
		out[d.String()] = d
	}
	return out
}

// doorWorld has a group team with the project team/app, one of each kind of thing in it, and a caller of each role.
type doorWorld struct {
	*world
	tokens   map[string]string
	visitors map[string]*visitor
	ids      map[string]string
	job      int64
	refused  refusals
}

func newDoorWorld(t *testing.T, debug bool, access string) *doorWorld {
	t.Helper()
	w := &doorWorld{world: start(t, models.Options{}), tokens: map[string]string{"nobody": "", "admin": rootToken}, visitors: map[string]*visitor{}, refused: refusals{}}
	runner := w.ready(t)
	var group, project struct{ ID int64 }
	w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
	w.must(201, "POST", "/projects", map[string]any{"path": "app", "name": "App", "namespace_id": group.ID, "visibility": "private"}, &project)
	w.project = fmt.Sprint(project.ID)
	p := "/projects/" + w.project
	for i, role := range doorRoles[1:7] {
		id, token := w.user(role)
		w.tokens[role] = token
		w.visitors[role] = w.visitor(role, role+"-password")
		if role != "stranger" {
			w.must(201, "POST", fmt.Sprintf("/groups/%d/members", group.ID), map[string]any{"user_id": id, "access_level": i * 10}, nil)
		}
	}
	w.visitors["nobody"], w.visitors["admin"] = w.visitor("", ""), w.visitor("root", "root-password")
	variables := ""
	if debug {
		variables = "\n  variables: {CI_DEBUG_TRACE: 'true'}"
	}
	if out, err := w.tryPush("team/app", rootToken, "main", map[string]string{
		".gitlab-ci.yml": "job:\n  script: x\n  environment: live\n  resource_group: one\n  artifacts: {paths: [f], access: " + access + "}" + variables, "f": "x",
	}); err != nil {
		t.Fatal(out)
	}
	w.pipeline("pending")
	w.fill(p, fmt.Sprintf("/groups/%d", group.ID))
	j := w.take(runner, "v19.4-02")
	w.job = j.ID
	w.ids[":job_id"], w.ids["jobs/*"] = itoa(j.ID), itoa(j.ID)
	w.runJob(j)
	return w
}

// runJob is a runner that writes a log and leaves an archive.
func (w *doorWorld) runJob(j offered) {
	w.t.Helper()
	send := func(method, path, kind string, body string, header ...string) {
		w.t.Helper()
		req, err := http.NewRequest(method, fmt.Sprintf("%s/api/v4/jobs/%d%s", w.node.Local, j.ID, path), strings.NewReader(body))
		noError(w.t, err)
		req.Header.Set("Job-Token", j.Token)
		req.Header.Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		noError(w.t, err)
		defer res.Body.Close()
		if raw, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
			w.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
		}
	}
	const log = "the log shows it all\n"
	send("PATCH", "/trace", "text/plain", log, "Content-Range", fmt.Sprintf("0-%d", len(log)-1))
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, name := range []string{"f", "folder/g"} {
		f, err := z.Create(name)
		noError(w.t, err)
		io.WriteString(f, "x")
	}
	noError(w.t, z.Close())
	send("POST", "/artifacts", "multipart/form-data; boundary=x",
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"artifacts.zip\"\r\n\r\n"+archive.String()+"\r\n--x--\r\n")
	send("PUT", "", "application/json", fmt.Sprintf(`{"token": %q, "state": "success"}`, j.Token))
}

// fill makes one of each kind of thing that addresses name, and notes what stands for it in an address.
func (w *doorWorld) fill(p, group string) {
	var made struct {
		ID    int64
		IID   int64
		Slug  string
		State string
	}
	id := func(status int, method, path string, body map[string]any) string {
		made.ID, made.IID = 0, 0
		w.must(status, method, path, body, &made)
		return itoa(made.ID)
	}
	w.ids = map[string]string{
		":slug": "slack-slash-commands", ":ref": "main", ":sha": "main", ":branch": "main", ":tag_name": "v1", ":file_path": "f", ":key": "KEY", ":name": "main",
		"*path": "f", "*rest": "main/download", ":source_id": "1", ":team_id": "T1", ":trigger": "push_events", ":delivery_id": "1", ":log_id": "1", ":event_id": "1",
	}
	set := func(name, value string) { w.ids[name] = value }
	set(":pipeline_id", itoa(w.pipelines()[0].ID))
	set(":schedule_id", id(201, "POST", p+"/pipeline_schedules", map[string]any{"description": "s", "ref": "main", "cron": "0 0 * * *"}))
	w.must(201, "POST", p+"/pipeline_schedules/"+w.ids[":schedule_id"]+"/variables", map[string]any{"key": "KEY", "value": "v"}, nil)
	set(":trigger_id", id(201, "POST", p+"/triggers", map[string]any{"description": "t"}))
	set(":freeze_period_id", id(201, "POST", p+"/freeze_periods", map[string]any{"freeze_start": "0 23 * * 5", "freeze_end": "0 8 * * 1"}))
	set(":hook_id", id(201, "POST", p+"/hooks", map[string]any{"url": "https://example.com/hook"}))
	for _, at := range []string{p, group, "/admin/ci"} {
		w.must(201, "POST", at+"/variables", map[string]any{"key": "KEY", "value": "v"}, nil)
	}
	w.must(201, "POST", p+"/repository/tags", map[string]any{"tag_name": "v1", "ref": "main"}, nil)
	w.must(201, "POST", p+"/releases", map[string]any{"tag_name": "v1", "description": "r"}, nil)
	set(":link_id", id(201, "POST", p+"/releases/v1/assets/links", map[string]any{"name": "l", "url": "https://example.com/l", "direct_asset_path": "/link"}))
	w.must(201, "POST", p+"/protected_tags", map[string]any{"name": "main"}, nil)
	w.must(201, "POST", p+"/protected_environments", map[string]any{"name": "main", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
	set(":token_id", id(201, "POST", p+"/access_tokens", map[string]any{"name": "t", "scopes": []string{"api"}, "access_level": 10}))
	set("group:token_id", id(201, "POST", group+"/access_tokens", map[string]any{"name": "t", "scopes": []string{"api"}, "access_level": 10}))
	set(":user_id", "1")
	w.must(201, "POST", p+"/members", map[string]any{"user_id": 1, "access_level": 50}, nil)
	set(":command_id", id(201, "POST", p+"/chat/commands", map[string]any{"text": "help"}))
	set(":rule_id", id(201, "POST", p+"/chat/rules", map[string]any{"pattern": "x"}))
	set(":runner_id", id(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": w.project}))
	w.must(200, "PUT", p+"/integrations/slack-slash-commands", map[string]any{"token": "t", "signing_secret": "s"}, nil)
	var list []struct{ ID int64 }
	for name, path := range map[string]string{
		":environment_id": p + "/environments", ":deployment_id": p + "/deployments", ":event_id": p + "/audit_events", "group:event_id": group + "/audit_events",
	} {
		w.must(200, "GET", path, nil, &list)
		if len(list) == 0 {
			w.t.Fatalf("%s is empty", path)
		}
		set(name, itoa(list[0].ID))
	}
	out, err := w.tryPush("team/app", rootToken, "merged", map[string]string{"g": "x"})
	if err != nil {
		w.t.Fatal(out)
	}
	w.must(201, "POST", p+"/merge_requests", map[string]any{"source_branch": "merged", "target_branch": "main", "title": "m"}, &made)
	set(":merge_request_iid", itoa(made.IID))
}

// address fills in an address. Writing addresses name things that do not exist, so that nobody's call changes anything.
func (w *doorWorld) address(d door) string {
	path, query := d.path, ""
	switch {
	case strings.HasSuffix(path, "/export"):
		query = "?format=csv"
	case strings.HasSuffix(path, "/files/:file_path"):
		query = "?ref=main"
	case strings.HasSuffix(path, "artifacts/*rest"):
		query = "?job=job"
	}
	if d.page {
		path = strings.ReplaceAll(path, "<project>", "team/app")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "<group>", "team"), "<namespace>", "team")
		filled := map[string]string{
			"pipelines/*": w.ids[":pipeline_id"], "jobs/*": w.ids[":job_id"], "merge_requests/*": w.ids[":merge_request_iid"], "commit/*": "main", "commits/*": "main", "tree/*": "main",
			"browse/*": "folder", "file/*": "f", "pipeline_schedules/*": w.ids[":schedule_id"], "releases/*": "v1", "downloads/*": "link", "environments/*": w.ids[":environment_id"],
			"blob/*": "main/f", "raw/*": "main/f", "archive/*": "main/any.zip", "tags/*": "v1", "builds/*": w.ids[":job_id"],
			"commands/*": w.ids[":command_id"], "hooks/*": w.ids[":hook_id"], "hook_logs/*": "1", "integrations/*": "slack",
		}
		parts := strings.Split(path, "/")
		for i, part := range parts {
			if !strings.HasPrefix(part, "*") {
				continue
			}
			value, ok := filled[parts[i-1]+"/*"]
			if !ok || d.method != http.MethodGet {
				value = "999999"
			}
			parts[i] = value
		}
		return w.node.Local + strings.Join(parts, "/") + query
	}
	kind := strings.Split(strings.TrimPrefix(path, "/api/v4/"), "/")[0]
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "" || part[0] != ':' && part[0] != '*' {
			continue
		}
		value := w.ids[part]
		switch {
		case part == ":id" && kind == "projects":
			value = w.project
		case part == ":id" && kind == "groups":
			value = "team"
		case part == ":id" && kind == "namespaces":
			value = "team"
		case part == ":id" && kind == "runners":
			value = w.ids[":runner_id"]
		case part == ":id" && kind == "jobs":
			value = itoa(w.job)
		case d.method != http.MethodGet && strings.HasSuffix(part, "_id"):
			value = "999999"
		case kind == "groups" && w.ids["group"+part] != "":
			value = w.ids["group"+part]
		case part == ":key" && parts[i-1] == "resource_groups":
			value = "one"
		case value == "":
			value = "1"
		}
		parts[i] = value
	}
	return w.node.Local + strings.Join(parts, "/") + query
}

// let says whether a caller is let in. A page that leads to signing in does not let in.
func (w *doorWorld) let(d door, role string) (in bool, status int) {
	w.t.Helper()
	req, err := http.NewRequest(d.method, w.address(d), strings.NewReader(""))
	noError(w.t, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if d.page {
		client.Jar = w.visitors[role].c.Jar
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if w.tokens[role] != "" {
		req.Header.Set("PRIVATE-TOKEN", w.tokens[role])
	}
	res, err := client.Do(req)
	noError(w.t, err)
	defer res.Body.Close() // a live stream is not read to its end
	at, _ := url.Parse(res.Header.Get("Location"))
	switch {
	case res.StatusCode == 401, res.StatusCode == 403, res.StatusCode == 404, res.StatusCode == 303 && at.Path == "/users/sign_in":
		if !d.page {
			w.refused.note(w.t, d, role, res)
		}
		return false, res.StatusCode
	}
	return true, res.StatusCode
}

// TestEveryAddressIsListed: who adds an address says who is let in there, and what else leads to the same.
func TestEveryAddressIsListed(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	listed := listedDoors(t)
	for _, d := range w.allDoors() {
		if _, ok := listed[d.String()]; !ok {
			t.Errorf("%s is not in testdata/doors.txt", d)
		}
		delete(listed, d.String())
	}
	for name := range listed {
		t.Errorf("%s is in testdata/doors.txt and nowhere else", name)
	}
}

// TestWhoIsLetInWhere asks at every address as every caller. Writing addresses are asked by those alone who are refused,
// because the others would change something.
func TestWhoIsLetInWhere(t *testing.T) {
	beside(t)
	w := newDoorWorld(t, false, "all")
	shared := map[string]string{}
	for _, d := range listedDoors(t) {
		if d.resource != "-" && d.role != "own" {
			if other, ok := shared[d.resource]; ok && other != d.role {
				t.Errorf("%s lets in %s, other addresses of %s %s", d, d.role, d.resource, other)
			}
			shared[d.resource] = d.role
		}
		if d.role == "own" {
			continue
		}
		least := slices.Index(doorRoles, d.role)
		if least < 0 {
			t.Fatalf("%s: no role %q", d, d.role)
		}
		for i, role := range doorRoles {
			if i >= least && d.method != http.MethodGet {
				break
			}
			if in, status := w.let(d, role); in != (i >= least) {
				t.Errorf("%s as %s: %d, the least is %s", d, role, status, d.role)
			}
		}
	}
	w.refused.compare(t)
	t.Run("a release tells of code to those who may read it", w.releasesTellOfCode)
	t.Run("parts of a project that are for members alone", w.memberParts)
}

// releasesTellOfCode: its commit and archives are the repository's, whoever may see the release.
func (w *doorWorld) releasesTellOfCode(t *testing.T) {
	for role, told := range map[string]bool{"guest": false, "reporter": true} {
		var release struct {
			Commit  *struct{ ID string }
			Path    string `json:"commit_path"`
			TagPath string `json:"tag_path"`
			Assets  struct{ Sources []any }
		}
		if status := w.apiAs(w.tokens[role], "GET", "/projects/"+w.project+"/releases/v1", nil, &release); status != 200 {
			t.Fatalf("%s: %d", role, status)
		}
		if told != (release.Commit != nil) || told != (release.Path != "") || told != (release.TagPath != "") || told != (len(release.Assets.Sources) > 0) {
			t.Errorf("%s is told %+v", role, release)
		}
		_, page, _ := w.visitors[role].get("/team/app/-/releases/v1")
		if told != strings.Contains(page, "/-/commit/") || told != strings.Contains(page, "/-/archive/") || !strings.Contains(page, "/-/releases/v1/downloads/link") {
			t.Errorf("%s sees %s", role, page)
		}
	}
}

// memberParts: what a public project keeps for its members is at no address told to others.
func (w *doorWorld) memberParts(t *testing.T) {
	p := "/projects/" + w.project
	w.must(200, "PUT", "/groups/team", map[string]any{"visibility": "public"}, nil)
	w.must(200, "PUT", p, map[string]any{"visibility": "public", "releases_access_level": "private", "merge_requests_access_level": "private"}, nil)
	for path, want := range map[string]int{"/releases": 403, "/merge_requests": 403, "/merge_requests/" + w.ids[":merge_request_iid"]: 403, "/repository/tags": 200} {
		var answer any
		if status := w.apiAs(w.tokens["stranger"], "GET", p+path, nil, &answer); status != want || strings.Contains(fmt.Sprint(answer), "description:r") {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
	var list []any
	if w.apiAs(w.tokens["stranger"], "GET", p+"/repository/commits/merged/merge_requests", nil, &list); len(list) != 0 {
		t.Errorf("merge requests of a commit: %v", list)
	}
	if status, _, _ := w.visitors["stranger"].get("/team/app/-/releases"); status != 404 {
		t.Errorf("the page of releases: %d", status)
	}
	w.memberJobs(t)
}

// memberJobs: what is said of a merge request, or of a runner that projects share, tells nobody of jobs that they may not see.
func (w *doorWorld) memberJobs(t *testing.T) {
	p := "/projects/" + w.project
	var other struct{ ID int64 }
	if status := w.apiAs(w.tokens["stranger"], "POST", "/projects", map[string]any{"path": "other"}, &other); status != 201 {
		t.Fatal(status)
	}
	runner := w.ids[":runner_id"]
	w.must(201, "POST", "/projects/"+itoa(other.ID)+"/runners", map[string]any{"runner_id": runner}, nil)
	db, err := sql.Open("sqlite", filepath.Join(w.s.Data, "signalbox.db"))
	noError(t, err)
	defer db.Close()
	_, err = db.Exec("UPDATE jobs SET runner_id = ? WHERE id = ?", runner, w.job)
	noError(t, err)
	_, err = db.Exec("UPDATE pipelines SET merge_request_id = (SELECT MAX(id) FROM merge_requests) WHERE id = ?", w.ids[":pipeline_id"])
	noError(t, err)
	for public, jobs := range map[bool]int{true: 1, false: 0} {
		w.must(200, "PUT", p, map[string]any{"merge_requests_access_level": "enabled", "public_jobs": public}, nil)
		var list []any
		var mr struct {
			Head *struct{ ID int64 } `json:"head_pipeline"`
		}
		if status := w.apiAs(w.tokens["stranger"], "GET", "/runners/"+runner+"/jobs", nil, &list); status != 200 || len(list) != jobs {
			t.Errorf("jobs of the runner, public jobs %v: %d %v", public, status, list)
		}
		if status := w.apiAs(w.tokens["stranger"], "GET", p+"/merge_requests/"+w.ids[":merge_request_iid"], nil, &mr); status != 200 || public != (mr.Head != nil) {
			t.Errorf("the merge request, public jobs %v: %d %+v", public, status, mr)
		}
	}
}

// leastOf wants that all addresses of a resource let in the same role.
func (w *doorWorld) leastOf(resource, least string) {
	w.t.Helper()
	n := 0
	for _, d := range listedDoors(w.t) {
		if d.resource != resource || d.method != http.MethodGet || d.role == "own" {
			continue
		}
		n++
		for i, role := range doorRoles {
			if in, status := w.let(d, role); in != (least != "none" && i >= slices.Index(doorRoles, least)) {
				w.t.Errorf("%s as %s: %d, the least is %s", d, role, status, least)
			}
		}
	}
	if n < 2 {
		w.t.Errorf("%d addresses lead to %s", n, resource)
	}
}

// TestDebugLogsAreForDevelopers, whatever address leads to them.
func TestDebugLogsAreForDevelopers(t *testing.T) {
	beside(t)
	w := newDoorWorld(t, true, "all")
	w.leastOf("log", "developer")
	if _, body, _ := w.visitors["guest"].get("/team/app/-/jobs/" + itoa(w.job)); !strings.Contains(body, "CI_DEBUG_TRACE") || strings.Contains(body, "shows it all") {
		t.Errorf("the page does not say why: %.2000s", body)
	}
	db, err := sql.Open("sqlite", filepath.Join(w.s.Data, "signalbox.db"))
	noError(t, err)
	defer db.Close()
	_, err = db.Exec("UPDATE jobs SET debug_mode = NULL WHERE id = ?", w.job)
	noError(t, err)
	w.leastOf("log", "developer") // as jobs of versions that did not keep it
}

// TestArtifactsAreForWhomTheyAreKept, whatever address leads to them.
func TestArtifactsAreForWhomTheyAreKept(t *testing.T) {
	beside(t)
	for access, least := range map[string]string{"all": "guest", "developer": "developer", "none": "none"} {
		t.Run(access, func(t *testing.T) {
			w := newDoorWorld(t, false, access)
			w.leastOf("archive", least)
			for i, role := range doorRoles {
				may := least != "none" && i >= slices.Index(doorRoles, least)
				if status, body, _ := w.visitors[role].get("/team/app/-/jobs/" + itoa(w.job)); status == 200 && strings.Contains(body, "/artifacts/browse") != may {
					t.Errorf("the page of the job links to the archive for %s: %v", role, !may)
				}
			}
		})
	}
}

// TestJobTokensReachWhatTheyAreLetInto: the token of a job of another project, whose user owns this one, reads nothing here
// until the project lets in the jobs of that one; then what job tokens may read, at every address that leads there.
func TestJobTokensReachWhatTheyAreLetInto(t *testing.T) {
	beside(t)
	w := newDoorWorld(t, false, "all")
	var other, r struct {
		ID    int64
		Token string
	}
	if got := w.apiAs(w.tokens["owner"], "POST", "/projects", map[string]any{"path": "other"}, &other); got != 201 {
		t.Fatal(got)
	}
	if out, err := w.tryPush("owner/other", w.tokens["owner"], "main", map[string]string{".gitlab-ci.yml": "job: {script: x}"}); err != nil {
		t.Fatal(out)
	}
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": other.ID, "run_untagged": true}, &r)
	w.eventually("the other project's job", func() bool {
		var list []jobJSON
		w.must(200, "GET", fmt.Sprintf("/projects/%d/jobs", other.ID), nil, &list)
		return len(list) == 1 && list[0].Status == "pending"
	})
	job := w.take(r.Token, "v19.4-02")
	reached := func() (in []string) {
		for _, d := range listedDoors(t) {
			if d.page || d.method != http.MethodGet || !strings.HasPrefix(d.path, "/api/v4/projects/:id") && d.path != "/api/v4/jobs/:id/artifacts" {
				continue
			}
			req, err := http.NewRequest("GET", w.address(d), nil)
			noError(t, err)
			req.Header.Set("JOB-TOKEN", job.Token)
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			res.Body.Close()
			if s := res.StatusCode; s != 401 && s != 403 && s != 404 {
				in = append(in, d.path)
			}
		}
		slices.Sort(in)
		return in
	}
	if in := reached(); in != nil {
		t.Errorf("a job that is not let in reads %q", in)
	}
	if got := w.apiAsJob(job.Token, fmt.Sprintf("/jobs/%d/artifacts", w.job)); got != 403 {
		t.Errorf("the archive by its job: %d", got)
	}
	w.must(201, "POST", "/projects/"+w.project+"/job_token_scope/allowlist", map[string]any{"target_project_id": other.ID}, nil)
	in := reached()
	for _, d := range listedDoors(t) {
		if d.page || d.method != http.MethodGet {
			continue
		}
		if reads := slices.Contains(in, d.path); d.resource == "archive" && !reads || d.resource == "log" && reads {
			t.Errorf("%s: a job that is let in reads it: %v", d, reads)
		}
	}
	if !slices.Contains(in, "/api/v4/jobs/:id/artifacts") {
		t.Errorf("a job that is let in reads %q", in)
	}
}
