package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"signalbox/models"
)

// TestBranchInAnEmptyRepository makes the default branch first.
func TestBranchInAnEmptyRepository(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	branches := "/projects/" + w.project + "/repository/branches"
	w.must(201, "POST", branches, map[string]any{"branch": "new", "ref": "main"}, nil)
	var all []struct{ Name string }
	w.must(200, "GET", branches, nil, &all)
	if fmt.Sprint(all) != "[{main} {new}]" {
		t.Errorf("branches %v", all)
	}
	w.must(200, "GET", "/projects/"+w.project+"/repository/files/README.md?ref=new", nil, nil)
	w.newProject("other")
	w.must(400, "POST", "/projects/"+w.project+"/repository/branches", map[string]any{"branch": "new", "ref": "nowhere"}, nil)
}

// TestSmallContracts of GitLab's API that clients stumble over.
func TestSmallContracts(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a.txt": "one", "ü [x].txt": "two"})
	id, _ := w.user("zoe")
	for _, want := range []string{"true", "null"} {
		if body := w.raw("POST", fmt.Sprintf("/users/%d/block", id), nil); strings.TrimSpace(body) != want {
			t.Errorf("block: %s, want %s", body, want)
		}
	}
	if body := w.raw("GET", "/topics", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("topics %s", body)
	}
	if _, err := exec.LookPath("bzip2"); err == nil {
		for _, suffix := range []string{"tbz2", "tbz", "tb2", "bz2", "tar.bz2"} {
			if res, body := w.download("/projects/" + w.project + "/repository/archive." + suffix); res.StatusCode != 200 || !strings.HasPrefix(body, "BZh") {
				t.Errorf("archive.%s: %d", suffix, res.StatusCode)
			}
		}
	}
	if res, body := w.download("/projects/" + w.project + "/repository/archive.gz"); res.StatusCode != 200 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("archive.gz: %d", res.StatusCode)
	}
	res, _ := w.download("/projects/" + w.project + "/repository/files/" + "%C3%BC%20%5Bx%5D.txt/raw?ref=main")
	if got := res.Header.Get("Content-Disposition"); got != `inline; filename="u [x].txt"; filename*=UTF-8''%C3%BC%20%5Bx%5D.txt` {
		t.Errorf("raw file: %s", got)
	}
}

// raw is the body of an answer as it is.
func (w *world) raw(method, path string, header http.Header) string {
	w.t.Helper()
	req, err := http.NewRequest(method, w.node.Local+"/api/v4"+path, nil)
	noError(w.t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	res, err := http.DefaultClient.Do(req)
	noError(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	noError(w.t, err)
	return string(body)
}

// TestScriptsOfOtherSites may call the API as browsers let them, without anybody's session.
func TestScriptsOfOtherSites(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	for _, path := range []string{"/projects", "/projects/" + w.project + "/pipelines", "/nowhere"} {
		req, err := http.NewRequest("OPTIONS", w.node.Local+"/api/v4"+path, nil)
		noError(t, err)
		req.Header.Set("Origin", "https://example.com")
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "private-token, content-type")
		res, err := http.DefaultClient.Do(req)
		noError(t, err)
		res.Body.Close()
		h := res.Header
		if res.StatusCode != 200 || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") ||
			h.Get("Access-Control-Allow-Headers") != "private-token, content-type" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, res.StatusCode, h)
		}
	}
	req, err := http.NewRequest("GET", w.node.Local+"/api/v4/projects", nil)
	noError(t, err)
	req.Header.Set("Origin", "https://example.com")
	res, err := http.DefaultClient.Do(req)
	noError(t, err)
	res.Body.Close()
	if res.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "X-Total") {
		t.Errorf("an answer: %v", res.Header)
	}
	res, err = http.Get(w.node.Local + "/api/v4/projects")
	noError(t, err)
	res.Body.Close()
	if res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a program's answer: %v", res.Header)
	}
}

// TestArchivesKeepTheirName at every place that hands them out.
func TestArchivesKeepTheirName(t *testing.T) {
	w := start(t, models.Options{})
	h := w.hand(false)
	id := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x, artifacts: {paths: [x], name: gatling}}\nlater: {stage: deploy, script: x, dependencies: [job]}"})
	job := w.jobs(id)["job"].ID
	h.run(job)
	h.upload(job, "archive", "zip", "gatling.zip", bytes.NewBuffer(zipOf(t, "ü [x].txt", "content")))
	h.success(job)
	const want = `attachment; filename="gatling.zip"`
	if res, _ := w.download(fmt.Sprintf("/projects/%s/jobs/%d/artifacts/%s", w.project, job, "%C3%BC%20%5Bx%5D.txt")); res.Header.Get("Content-Disposition") != `attachment; filename="u [x].txt"; filename*=UTF-8''%C3%BC%20%5Bx%5D.txt` {
		t.Errorf("one file: %v", res.Header)
	}
	v := w.visitor("root", "root-password")
	res, err := v.c.Get(fmt.Sprintf("%s/root/app/-/jobs/%d/artifacts/download", w.node.Local, job))
	noError(t, err)
	res.Body.Close()
	if res.Header.Get("Content-Disposition") != want {
		t.Errorf("the page: %v", res.Header)
	}
	later := h.offer(w.jobs(id)["later"].ID)
	req, err := http.NewRequest("GET", fmt.Sprintf("%s/api/v4/jobs/%d/artifacts", w.node.Local, job), nil)
	noError(t, err)
	req.Header.Set("JOB-TOKEN", later.Token)
	res, err = http.DefaultClient.Do(req)
	noError(t, err)
	res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Disposition") != want {
		t.Errorf("a runner: %d %v", res.StatusCode, res.Header)
	}
	h.run(later.ID)
	h.success(later.ID)
	for _, path := range []string{fmt.Sprintf("/projects/%s/jobs/%d/artifacts", w.project, job), "/projects/" + w.project + "/jobs/artifacts/main/download?job=job"} {
		if res, _ := w.download(path); res.Header.Get("Content-Disposition") != want {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
}

// TestTheBuiltInRunnerSaysWhatItIs in the variables that the official one has.
func TestTheBuiltInRunnerSaysWhatItIs(t *testing.T) {
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": `job:
  image: alpine:3
  script: echo "image=$CI_JOB_IMAGE arch=$CI_RUNNER_EXECUTABLE_ARCH revision=$CI_RUNNER_REVISION token=$CI_RUNNER_SHORT_TOKEN."`})
	p := w.pipeline("success")
	log := w.trace(w.jobs(p.ID)["job"].ID)
	said := regexp.MustCompile(`image=alpine:3 arch=` + runtime.GOOS + "/" + runtime.GOARCH + ` revision=\w{4,} token=[\w-]{8}\.`)
	if !said.MatchString(log) {
		t.Errorf("%s", log)
	}
}

// TestAGroupGoesWithAllThatItHolds, and nothing that lies beside it.
func TestAGroupGoesWithAllThatItHolds(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		group := func(path string, parent int64) (id int64) {
			var g struct{ ID int64 }
			body := map[string]any{"path": path, "name": path}
			if parent != 0 {
				body["parent_id"] = parent
			}
			w.must(201, "POST", "/groups", body, &g)
			return g.ID
		}
		top, beside := group("top", 0), group("topped", 0)
		sub := group("sub", top)
		deep := group("deep", sub)
		for _, in := range []int64{top, sub, deep, beside} {
			w.must(201, "POST", "/projects", map[string]any{"path": "app", "namespace_id": in}, nil)
		}
		other, token := w.user("otto")
		w.must(201, "POST", fmt.Sprintf("/groups/%d/members", top), map[string]any{"user_id": other, "access_level": 40}, nil)
		if status := w.apiAs(token, "DELETE", fmt.Sprintf("/groups/%d", top), nil, nil); status != 403 {
			t.Errorf("a maintainer deletes a group: %d", status)
		}
		w.must(202, "DELETE", fmt.Sprintf("/groups/%d", top), nil, nil)
		w.eventually("all of the group is gone", func() bool {
			for _, path := range []string{"/groups/top", "/groups/top%2Fsub", "/groups/top%2Fsub%2Fdeep", "/projects/top%2Fapp", "/projects/top%2Fsub%2Fdeep%2Fapp"} {
				if w.api("GET", path, nil, nil) != 404 {
					return false
				}
			}
			return true
		})
		w.must(200, "GET", "/projects/topped%2Fapp", nil, nil)
		group("top", 0)
		w.settled()
	})
}
