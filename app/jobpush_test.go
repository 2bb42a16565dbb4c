package app

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"signalbox/models"
)

// pushAsJob commits to a branch of a project with the token of a job.
func (w *world) pushAsJob(path, token, ref string) (string, error) {
	address := strings.Replace(w.node.Local, "http://", "http://gitlab-ci-token:"+token+"@", 1) + "/" + path + ".git"
	out, err := exec.Command("sh", "-c", `set -e
git clone -q "$1" "$2" && cd "$2"
git commit -q --allow-empty -m "By a job"
git push -q "$1" "HEAD:refs/heads/$3" 2>&1`, "sh", address, w.t.TempDir()+"/clone", ref).CombinedOutput()
	return string(out), err
}

// TestJobsPushWhereTheirProjectLetsThem: to their own project, as their user may, and without starting pipelines.
func TestJobsPushWhereTheirProjectLetsThem(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		runner := w.ready(t)
		w.newProject("other")
		other := w.project
		w.push("other", map[string]string{"f": "x"})
		w.must(200, "PUT", "/projects/"+other, map[string]any{"ci_push_repository_for_job_token_allowed": true}, nil)
		w.newProject("pushing")
		w.push("pushing", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		w.pipeline("pending")
		w.must(201, "POST", "/projects/"+other+"/job_token_scope/allowlist", map[string]any{"target_project_id": w.project}, nil)
		job := w.take(runner, "v19.4-02")
		if out, err := w.pushAsJob("root/pushing", job.Token, "made"); err == nil || !strings.Contains(out, "403") {
			t.Errorf("a push that was not allowed: %v %s", err, out)
		}
		var set struct {
			Allowed bool `json:"ci_push_repository_for_job_token_allowed"`
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_push_repository_for_job_token_allowed": true}, &set)
		if out, err := w.pushAsJob("root/pushing", job.Token, "made"); err != nil || !set.Allowed {
			t.Errorf("a push that is allowed: %v %s", err, out)
		}
		if out, err := w.pushAsJob("root/other", job.Token, "made"); err == nil {
			t.Errorf("a push to another project: %s", out)
		}
		if out, err := w.tryPush("pushing", rootToken, "later", map[string]string{"g": "x"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of a user's push", func() bool { return w.pipelines()[0].Ref == "later" })
		for _, p := range w.pipelines() {
			if p.Ref == "made" {
				t.Errorf("what a job pushed made pipeline %d", p.ID)
			}
		}
	})
}

// TestCachesAreSeparated as the project says: those of protected refs and of Maintainers apart from others'.
func TestCachesAreSeparated(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	runner := w.ready(t)
	id, token := w.user("dev")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
	config := map[string]string{".gitlab-ci.yml": "job: {script: x, cache: {key: k, paths: [x], fallback_keys: [f]}}"}
	n := 0
	keys := func(as string) string {
		t.Helper()
		n++
		ref := fmt.Sprintf("branch%d", n)
		if as == "" {
			as, ref = rootToken, "main"
		}
		if out, err := w.tryPush("app", as, ref, config); err != nil {
			t.Fatal(out)
		}
		w.eventually("a pipeline of "+ref, func() bool { all := w.pipelines(); return len(all) == n && all[0].Status == "pending" })
		_, body := w.replay(readCapture(t, "v19.4-02-jobs-request-201"), runner, "", 0)
		var job struct {
			Cache []struct {
				Key      string
				Fallback []string `json:"fallback_keys"`
			}
		}
		noError(t, json.Unmarshal([]byte(body), &job))
		return fmt.Sprint(job.Cache)
	}
	for _, c := range []struct{ as, want string }{
		{"", "[{k-protected [f-protected]}]"}, {token, "[{k-non_protected [f-non_protected]}]"}, {rootToken, "[{k-protected [f-protected]}]"},
	} {
		if got := keys(c.as); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"ci_separated_caches": false}, nil)
	if got := keys(token); got != "[{k [f]}]" {
		t.Errorf("shared: %s", got)
	}
}
