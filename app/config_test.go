package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/models"
)

func (w *world) jobNames() []string {
	var names []string
	for name := range w.jobs(w.pipelines()[0].ID) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestConfigurationsOfManyFiles: a configuration that includes files of its own and of another project, with
// inputs, rules on changed and existing files, and parallel jobs, makes the pipeline that it describes and runs.
func TestConfigurationsOfManyFiles(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		w.newProject("tools")
		w.push("tools", map[string]string{
			"templates/greet.yml": "spec:\n  inputs: {who: {default: nobody}}\n  component: [name, version]\n---\n\"greet-$[[ inputs.who ]]\": {script: 'echo $[[ component.name ]] $[[ component.version ]] greets $[[ inputs.who ]]'}\n",
			"ci/base.yml":         "include: /ci/part.yml\n.base: {before_script: [echo prepared]}\n",
			"ci/part.yml":         "part: {script: echo part, rules: [{exists: [go.mod]}]}\n",
			".gitlab-ci.yml":      "x: {script: x, when: manual}",
		})
		w.newProject("app")
		host := strings.TrimPrefix(w.node.URL, "http://")
		files := map[string]string{
			".gitlab-ci.yml": `
include:
  - project: root/tools
    file: ci/base.yml
  - local: 'ci/*.yml'
  - component: ` + host + `/root/tools/greet@main
    inputs: {who: world}
  - local: never.yml
    rules: [{if: $NOT_SET}]
workflow:
  name: Build of $CI_COMMIT_BRANCH
  rules: [{if: $CI_COMMIT_BRANCH}]
build:
  extends: .base
  parallel: 2
  script: [!reference [.steps, script], 'echo node $CI_NODE_INDEX of $CI_NODE_TOTAL']
docs:
  script: echo docs
  rules: [{changes: [docs/*]}]
`,
			"ci/steps.yml": ".steps: {script: [echo step]}",
			"go.mod":       "module x",
		}
		w.push("app", files)
		w.pipeline("success")
		// The first push of a branch has nothing to compare with: changes match.
		if got, want := w.jobNames(), []string{"build 1/2", "build 2/2", "docs", "greet-world", "part"}; !slices.Equal(got, want) {
			t.Fatalf("jobs %v, want %v", got, want)
		}
		jobs := w.jobs(w.pipelines()[0].ID)
		for name, want := range map[string]string{"build 2/2": "node 2 of 2", "greet-world": "greet main greets world", "build 1/2": "prepared"} {
			if log := w.trace(jobs[name].ID); !strings.Contains(log, want) {
				t.Errorf("log of %s: %s", name, log)
			}
		}
		var pl struct{ Name string }
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, w.pipelines()[0].ID), nil, &pl)
		if pl.Name != "Build of main" {
			t.Errorf("name %q", pl.Name)
		}
		w.push("app", map[string]string{"src/x": "1"})
		w.eventually("the second pipeline", func() bool { return len(w.pipelines()) == 2 })
		if got := w.jobNames(); slices.Contains(got, "docs") {
			t.Errorf("jobs %v although docs did not change", got)
		}
		w.push("app", map[string]string{"docs/a.md": "1"})
		w.eventually("the third pipeline", func() bool { return len(w.pipelines()) == 3 })
		if got := w.jobNames(); !slices.Contains(got, "docs") {
			t.Errorf("jobs %v although docs changed", got)
		}
		var lint struct {
			Valid    bool
			Errors   []string
			Includes []struct{ Type, Location string }
			Merged   string `json:"merged_yaml"`
		}
		w.must(200, "GET", "/projects/"+w.project+"/ci/lint", nil, &lint)
		if !lint.Valid || len(lint.Includes) != 4 || !strings.Contains(lint.Merged, "greet-world") {
			t.Errorf("%+v", lint)
		}
	})
}

// TestIncludesAskWhoMayRead: a file of a project that the person may not read is as unknown as one that is not there.
func TestIncludesAskWhoMayRead(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("secret")
	w.push("secret", map[string]string{"a.yml": "a: {script: a}"})
	id := w.newProject("app")
	dev, token := w.user("dev")
	w.must(201, "POST", fmt.Sprintf("/projects/%d/members", id), map[string]any{"user_id": dev, "access_level": 40}, nil)
	w.push("app", map[string]string{"README.md": "x"})
	for _, project := range []string{"root/secret", "root/nothing"} {
		var lint struct{ Errors []string }
		content := "include: {project: " + project + ", file: a.yml}\nb: {script: b}"
		if got := w.apiAs(token, "POST", fmt.Sprintf("/projects/%d/ci/lint", id), map[string]any{"content": content}, &lint); got != 200 || len(lint.Errors) != 1 ||
			lint.Errors[0] != "Project `"+project+"` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined." {
			t.Errorf("%s: %d %v", project, got, lint.Errors)
		}
	}
}

// TestInputsOfPipelines are given by the API, with their types.
func TestInputsOfPipelines(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": "spec: {inputs: {env: {options: [dev, prod], default: dev}, n: {type: number, default: 1}}}\n---\njob:\n  script: echo to $[[ inputs.env ]]\n  parallel: $[[ inputs.n ]]\n"})
	w.pipeline("success")
	w.must(201, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main", "inputs": map[string]any{"env": "prod", "n": 2}}, nil)
	w.eventually("the second pipeline", func() bool { return w.pipelines()[0].Status == "success" && len(w.pipelines()) == 2 })
	jobs := w.jobs(w.pipelines()[0].ID)
	if len(jobs) != 2 || !strings.Contains(w.trace(jobs["job 2/2"].ID), "to prod") {
		t.Errorf("%v", jobs)
	}
	var refused struct{ Message struct{ Base []string } }
	if got := w.api("POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main", "inputs": map[string]any{"env": "test"}}, &refused); got != 400 || len(refused.Message.Base) != 1 ||
		!strings.Contains(refused.Message.Base[0], "not in the list of allowed options") {
		t.Errorf("%d %v", got, refused)
	}
}

// TestIncludesFromElsewhere: templates that are shipped or the instance's own, and files of hosts that the
// administrator allows; a remote file has no project and sees no variables.
func TestIncludesFromElsewhere(t *testing.T) {
	beside(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/job.yml":
			fmt.Fprint(out, "from elsewhere: {script: [echo remote]}")
		case "/reads.yml":
			fmt.Fprint(out, "include: {local: secret.yml}\na: {script: x}")
		case "/leaks.yml":
			fmt.Fprint(out, "include: {remote: 'http://"+r.Host+"/x$CI_PROJECT_PATH.yml'}\na: {script: x}")
		default:
			http.NotFound(out, r)
		}
	}))
	defer elsewhere.Close()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "Ours.gitlab-ci.yml"), []byte("ours: {script: [echo ours]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := start(t, models.Options{}, func(s *Settings) {
		s.Templates, s.IncludeHosts = folder, []string{strings.TrimPrefix(elsewhere.URL, "http://")}
	})
	w.newProject("app")
	w.push("app", map[string]string{
		"secret.yml": "a: {script: secret}",
		".gitlab-ci.yml": `
include:
  - ` + elsewhere.URL + `/job.yml
  - template: Ours.gitlab-ci.yml
  - template: Bash.gitlab-ci.yml
`,
	})
	w.pipeline("pending")
	if got, want := w.jobNames(), []string{"build", "deploy", "from elsewhere", "ours", "test"}; !slices.Equal(got, want) {
		t.Errorf("jobs %v, want %v", got, want)
	}
	for include, want := range map[string]string{
		"remote: " + elsewhere.URL + "/reads.yml": "Local file `secret.yml` does not have project!",
		"remote: " + elsewhere.URL + "/leaks.yml": "Remote file `" + elsewhere.URL + "/x.yml` could not be fetched because of HTTP code `404` error!",
		"remote: " + w.node.Local + "/a.yml":      "Remote file could not be fetched because URL is blocked: Requests to localhost are not allowed!",
		"template: None.gitlab-ci.yml":            "Included file `None.gitlab-ci.yml` is empty or does not exist!",
		"template: none.yml":                      "Template file `none.yml` is not a valid location!",
	} {
		var lint struct{ Errors []string }
		w.must(200, "POST", "/projects/"+w.project+"/ci/lint", map[string]any{"content": "include: {" + include + "}\nb: {script: b}"}, &lint)
		if len(lint.Errors) != 1 || lint.Errors[0] != want {
			t.Errorf("%s: %q, want %q", include, lint.Errors, want)
		}
	}
}

// TestMaskedValuesStayHidden in what is said of a configuration.
func TestMaskedValuesStayHidden(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	const secret = "very-secret-value"
	w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "HIDDEN", "value": secret, "masked": true}, nil)
	w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "PLAIN", "value": "a $HIDDEN b"}, nil)
	w.push("app", map[string]string{".gitlab-ci.yml": "include: $HIDDEN.yml\na: {script: x}", "part.yml": "p: {script: x}"})
	w.pipeline("failed")
	for _, path := range []string{fmt.Sprintf("/pipelines/%d", w.pipelines()[0].ID), "/ci/lint"} {
		var answer any
		w.must(200, "GET", "/projects/"+w.project+path, nil, &answer)
		text := fmt.Sprint(answer)
		if strings.Contains(text, secret) || !strings.Contains(text, "[MASKED]") {
			t.Errorf("%s: %s", path, text)
		}
	}
	for _, content := range []string{
		"include: {project: root/$HIDDEN, file: a.yml}\na: {script: x}",
		"include: {remote: 'http://127.0.0.1:9/$HIDDEN.yml'}\na: {script: x}",
		"spec: {inputs: {x: {default: $HIDDEN}}}\n---\na: {script: '$[[ inputs.x | expand_vars ]]'}",
		"spec: {inputs: {x: {default: $PLAIN}}}\n---\n'$[[ inputs.x | expand_vars ]]': {script: x}",
		"a: {script: x, rules: [{exists: {paths: [a], project: $HIDDEN}}]}",
		"workflow: {name: $HIDDEN}\na: {script: x, only: [nothing]}",
	} {
		var lint any
		w.must(200, "POST", "/projects/"+w.project+"/ci/lint", map[string]any{"content": content, "dry_run": true}, &lint)
		if text := fmt.Sprint(lint); strings.Contains(text, secret) {
			t.Errorf("%s: %s", content, text)
		}
	}
	// A commit finds what it includes, as a branch does.
	sha := w.push("app", map[string]string{".gitlab-ci.yml": "include: part.yml\na: {script: x}"})
	var lint struct {
		Valid  bool
		Errors []string
	}
	w.must(200, "GET", "/projects/"+w.project+"/ci/lint?content_ref="+sha, nil, &lint)
	if !lint.Valid {
		t.Errorf("of a commit: %v", lint.Errors)
	}
}

// TestLintOfADetachedCommit: a commit that no branch or tag holds any more says nothing of the project (GitLab's case 39).
func TestLintOfADetachedCommit(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	head := func() string {
		var branch struct{ Commit struct{ ID string } }
		w.must(200, "GET", "/projects/"+w.project+"/repository/branches/main", nil, &branch)
		return branch.Commit.ID
	}
	w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}"})
	first := head()
	w.push("app", map[string]string{".gitlab-ci.yml": "b: {script: x}"})
	lost := head()
	var lint struct {
		Valid  bool
		Errors []string
	}
	w.must(200, "GET", "/projects/"+w.project+"/ci/lint?content_ref="+lost, nil, &lint)
	if !lint.Valid {
		t.Errorf("a commit of the branch: %v", lint.Errors)
	}
	w.must(201, "POST", "/projects/"+w.project+"/repository/branches?branch=other&ref="+first, nil, nil)
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"default_branch": "other"}, nil)
	w.api("DELETE", "/projects/"+w.project+"/protected_branches/main", nil, nil)
	w.must(204, "DELETE", "/projects/"+w.project+"/repository/branches/main", nil, nil)
	w.must(200, "GET", "/projects/"+w.project+"/ci/lint?content_ref="+lost, nil, &lint)
	if lint.Valid || len(lint.Errors) != 1 || !strings.HasPrefix(lint.Errors[0], "Could not validate configuration.") {
		t.Errorf("a commit of no branch: %v", lint.Errors)
	}
}

// TestIncludesAreCounted up to the number that the administrator sets (GitLab's case 165).
func TestIncludesAreCounted(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}", "b.yml": "b: {script: x}", "c.yml": "c: {script: x}"})
	var settings map[string]any
	w.must(200, "PUT", "/application/settings", map[string]any{"ci_max_includes": 1}, &settings)
	if settings["ci_max_includes"] != 1.0 {
		t.Errorf("ci_max_includes is %v", settings["ci_max_includes"])
	}
	for content, want := range map[string]string{"include: b.yml": "", "include: [b.yml, c.yml]": "Maximum of 1 nested includes are allowed!"} {
		var lint struct{ Errors []string }
		w.must(200, "POST", "/projects/"+w.project+"/ci/lint", map[string]any{"content": content}, &lint)
		if strings.Join(lint.Errors, "; ") != want {
			t.Errorf("%s: %v, want %q", content, lint.Errors, want)
		}
	}
	if got := w.api("PUT", "/application/settings", map[string]any{"ci_max_includes": 0}, nil); got != 400 {
		t.Errorf("no include at all: %d", got)
	}
}

// TestCoverage: what jobs print of their coverage is told by the job, by its pipeline as the mean of its jobs, and by
// the pages; a retried job's old figure no longer counts.
func TestCoverage(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": `
unit: {script: ['echo "Total: 12%"', 'echo "Total: 97.5%"'], coverage: '/Total: \d+(?:\.\d+)?%/'}
other: {script: ['echo "lines 50%"'], coverage: '/lines (\d+)%/'}
silent: {script: ['echo nothing'], coverage: '/Total: \d+%/'}
plain: {script: ['echo "Total: 1%"']}
`})
		made := w.pipeline("success")
		one := fmt.Sprintf("/projects/%s/pipelines/%d", w.project, made.ID)
		type covered struct {
			ID       int64
			Name     string
			Coverage any
		}
		told := func() (pipeline any, jobs map[string]any) {
			var p covered
			w.must(200, "GET", one, nil, &p)
			var list []covered
			w.must(200, "GET", one+"/jobs", nil, &list)
			jobs = map[string]any{}
			for _, j := range list {
				jobs[j.Name] = j.Coverage
			}
			return p.Coverage, jobs
		}
		w.eventually("the coverage", func() bool {
			pipeline, jobs := told()
			return pipeline == "73.75" && jobs["unit"] == 97.5 && jobs["other"] == 50.0
		})
		for _, name := range []string{"silent", "plain"} { // the coverage is read when the log is archived
			w.eventually("the archived log of "+name, func() (archived bool) {
				err := w.node.db.Read(t.Context(), func(tx *models.Tx) error {
					j, err := tx.Job(w.jobs(made.ID)[name].ID)
					archived = err == nil && j.TraceArchived
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return archived
			})
		}
		if _, jobs := told(); jobs["silent"] != nil || jobs["plain"] != nil {
			t.Errorf("jobs without coverage: %v", jobs)
		}
		var statuses []covered
		w.must(200, "GET", fmt.Sprintf("/projects/%s/repository/commits/main/statuses?name=unit", w.project), nil, &statuses)
		if len(statuses) != 1 || statuses[0].Coverage != 97.5 {
			t.Errorf("statuses: %+v", statuses)
		}
		v := w.visitor("root", "root-password")
		unit := w.jobs(made.ID)["unit"].ID
		for path, want := range map[string]string{fmt.Sprintf("/-/jobs/%d", unit): "covers 97.50%", fmt.Sprintf("/-/pipelines/%d", made.ID): "covers 73.75%"} {
			if _, body, _ := v.get("/root/app" + path); !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, w.jobs(made.ID)["other"].ID), nil, nil)
		w.eventually("the coverage of the second attempt", func() bool {
			pipeline, jobs := told()
			return pipeline == "73.75" && jobs["other"] == 50.0
		})
	})
}

// TestDotenv: what a job writes into its dotenv report are variables of the jobs that fetch its artifacts, above those of
// the configuration and below those of the project; a report that cannot be read is refused, and its job says why.
func TestDotenv(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		w.newProject("app")
		w.variable("ABOVE", "project")
		w.push("app", map[string]string{".gitlab-ci.yml": `
variables: {VERSION: none, ABOVE: none}
version:
  stage: build
  script: ['echo "VERSION=1.2" > a.env', 'echo "ABOVE=dotenv" >> a.env', 'echo "FULL=v$VERSION" >> a.env', "printf 'LAST=$VERSION-last' > b.env"]
  artifacts: {reports: {dotenv: [a.env, b.env]}}
.say: &say {script: ['echo "says $VERSION $ABOVE $FULL $LAST."']}
later: {stage: test, <<: *say}
needing: {stage: test, needs: [version], <<: *say}
alone: {stage: test, needs: [], <<: *say}
independent: {stage: test, dependencies: [], <<: *say}
ordered: {stage: test, needs: [{job: version, artifacts: false}], <<: *say}
wrong:
  stage: test
  script: ['echo "not one" > a.env']
  artifacts: {reports: {dotenv: a.env}}
  allow_failure: true
`})
		made := w.pipeline("success")
		const with, without = "says 1.2 project vnone 1.2-last.", "says none project  ."
		jobs := w.jobs(made.ID)
		for name, want := range map[string]string{
			"later": with, "needing": with, "alone": without, "independent": without, "ordered": without, "wrong": "Invalid Format (line 1)",
		} {
			if log := w.trace(jobs[name].ID); !strings.Contains(log, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, log)
			}
		}
		kept := func() (rows []*models.Dotenv) {
			err := w.node.db.Read(t.Context(), func(tx *models.Tx) (err error) {
				rows, err = tx.Dotenvs(jobs["version"].ID, jobs["wrong"].ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		if rows := kept(); len(rows) != 1 || rows[0].JobID != jobs["version"].ID {
			t.Errorf("kept: %+v", rows)
		}
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/erase", w.project, jobs["version"].ID), nil, nil)
		if len(kept()) != 0 {
			t.Error("an erased job still hands on variables")
		}
		if jobs["wrong"].Status != "failed" {
			t.Errorf("a job with a report that cannot be read: %+v", jobs["wrong"])
		}
	})
}

// TestFailureStopsPipeline: with on_job_failure all, the failure that counts ends what waits and what runs; one that is
// allowed, or that is tried again, does not.
func TestFailureStopsPipeline(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": `
workflow: {auto_cancel: {on_job_failure: all}}
allowed: {stage: .pre, script: exit 1, allow_failure: true}
long: {stage: build, script: sleep 600}
bad: {stage: build, script: exit 1, retry: 1}
waits: {stage: build, tags: [nowhere], script: x}
hand: {stage: test, script: x, when: manual}
later: {stage: test, script: x}
after: {stage: deploy, script: x, when: always}
`})
		w.runner()
		made := w.pipeline("failed")
		states := map[string]string{}
		w.eventually("the end of the long job", func() bool {
			for name, j := range w.jobs(made.ID) {
				states[name] = j.Status
			}
			return states["long"] == "canceled"
		})
		want := map[string]string{
			"allowed": "failed", "bad": "failed", "long": "canceled", "waits": "canceled", "hand": "canceled", "later": "canceled", "after": "canceled",
		}
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		var tries []jobJSON
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true", w.project, made.ID), nil, &tries)
		if len(tries) != len(want)+1 {
			t.Errorf("attempts: %+v", tries)
		}
		if _, body, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/pipelines/%d", made.ID)); !strings.Contains(body, "stops the rest of this pipeline") {
			t.Error("the page does not say why jobs were stopped")
		}
	})
}
