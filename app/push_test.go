package app

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"signalbox/models"
	"signalbox/models/modelstest"
)

const stagesConfig = `
stages: [build, test, deploy]
build:
  stage: build
  script:
    - echo "building $CI_COMMIT_SHORT_SHA"
    - mkdir out
    - echo data > out/file.txt
  artifacts: {paths: [out/]}
unit:
  stage: test
  script:
    - cat out/file.txt
    - test "$(id -u)" != 0
    - test -z "$SIGNALBOX_SECRET"
allowed:
  stage: test
  script: exit 3
  allow_failure: true
ship:
  stage: deploy
  script: echo shipped
  when: manual
notes:
  stage: deploy
  dependencies: []
  script:
    - test ! -e out
    - echo notes
`

func TestAPushedPipelineRuns(t *testing.T) {
	t.Setenv("SIGNALBOX_SECRET", "hunter2")
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.runner()
		w.push("app", map[string]string{".gitlab-ci.yml": stagesConfig})
		p := w.pipeline("success")
		jobs := w.jobs(p.ID)
		for name, want := range map[string]string{"build": "success", "unit": "success", "allowed": "failed", "ship": "manual", "notes": "success"} {
			if jobs[name].Status != want {
				t.Errorf("%s is %s, want %s\n%s", name, jobs[name].Status, want, w.trace(jobs[name].ID))
			}
		}
		if log := w.trace(jobs["unit"].ID); !strings.Contains(log, "\ndata\n") || !strings.Contains(log, "section_start:") {
			t.Errorf("log of unit:\n%s", log)
		}
		w.must(200, "POST", "/projects/"+w.project+"/jobs/"+itoa(jobs["ship"].ID)+"/play", nil, nil)
		w.eventually("the manual job", func() bool { return w.jobs(p.ID)["ship"].Status == "success" })
	})
}

func itoa(n int64) string { return fmt.Sprint(n) }

func TestClonesShallowPartialAndByPassword(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{"a.txt": "one"})
	w.push("app", map[string]string{"a.txt": "two"})
	address := strings.Replace(w.node.Local, "://", "://root:root-password@", 1) + "/root/app.git"
	for name, c := range map[string]struct{ args, check, want string }{
		"password": {"", "git rev-list --count HEAD", "2"},
		"shallow":  {"--depth 1", "git rev-list --count HEAD", "1"},
		"partial":  {"--filter=blob:none --no-checkout", "git rev-list --objects --all --missing=print | grep -c '^?'", "2"},
		"old":      {"-c protocol.version=0", "cat a.txt", "two"},
		"release":  {"", "git ls-remote --heads ${1/root:root-password/gitlab-ci-token:" + rootToken + "} | wc -l", "1"}, // as semantic-release asks
		"no token": {"", "GIT_TERMINAL_PROMPT=0 git ls-remote ${1/root:root-password/gitlab-ci-token:root-password} >/dev/null 2>&1 || echo refused", "refused"},
	} {
		cmd := exec.Command("bash", "-c", "git clone -q "+c.args+" $1 repo && cd repo && "+c.check, "x", address)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("%s: %q %v", name, out, err)
		}
	}
	res, err := http.Get(w.node.Local + "/root/app.git/info/refs?service=git-upload-pack")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("without credentials: %d %q", res.StatusCode, res.Header.Get("WWW-Authenticate"))
	}
}

// TestOtherRefsArePushed: release tools keep notes beside branches and tags. They start nothing.
func TestOtherRefsArePushed(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		w.script(`git clone -q $url c; cd c; git notes --ref semantic-release add -m '{"channels":[null]}' HEAD; git push -q $url refs/notes/semantic-release
git push -q $url HEAD:refs/meta/config; git push -q $url :refs/meta/config
git notes --ref semantic-release append -m more HEAD; git notes --ref semantic-release prune; git push -q -f $url refs/notes/semantic-release
cd ..; git clone -q $url d; cd d; git fetch -q $url 'refs/notes/*:refs/notes/*'; git notes --ref semantic-release show | grep -q more; git ls-remote $url | grep -q refs/notes/semantic-release`)
		w.settled()
		if n := len(w.pipelines()); n != 1 {
			t.Errorf("%d pipelines", n)
		}
		for _, ref := range []string{"refs/pipelines/99", "refs/merge-requests/1/head", "refs/keep-around/x", "refs/environments/x", "refs/tmp/x", "refs/remotes/origin/x", "refs/heads/-x", "refs/tags/-x", "refs/heads/" + strings.Repeat("a", 40)} {
			if out, err := w.pushTo("app", rootToken, "HEAD:"+ref); err == nil || !strings.Contains(out, "remote rejected") {
				t.Errorf("%s: %v %s", ref, err, out)
			}
		}
		id, token := w.user("rita")
		for _, c := range []struct {
			level int
			want  bool
		}{{20, false}, {30, true}} {
			level, want := c.level, c.want
			method, path := "POST", "/projects/"+w.project+"/members"
			if level == 30 {
				method, path = "PUT", fmt.Sprintf("%s/%d", path, id)
			}
			w.must(map[string]int{"POST": 201, "PUT": 200}[method], method, path, map[string]any{"user_id": id, "access_level": level}, nil)
			if out, err := w.pushTo("app", token, "HEAD:refs/notes/hers"); (err == nil) != want {
				t.Errorf("access level %d: %v %s", level, err, out)
			}
		}
	})
}
