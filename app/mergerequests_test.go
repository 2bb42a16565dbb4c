package app

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalbox/models"
	"signalbox/runnerproto"
)

type mergeRequestJSON struct {
	ID, IID  int64
	State    string
	SHA      string
	Draft    bool
	Labels   []string
	Pipeline *pipelineJSON
	Refs     struct {
		Base string `json:"base_sha"`
		Head string `json:"head_sha"`
	} `json:"diff_refs"`
	MergeUser *struct{ Username string } `json:"merge_user"`
	WebURL    string                     `json:"web_url"`
}

const mergeRequestConfig = `
stages: [test, deploy]
branch:
  script: echo branch
  rules:
    - if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS
      when: never
    - if: $CI_COMMIT_BRANCH
check:
  script: echo check
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event" && $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == $CI_DEFAULT_BRANCH
      changes: [new.txt]
untouched:
  script: echo untouched
  rules:
    - if: $CI_MERGE_REQUEST_IID
      changes: [old.txt]
classic:
  script: echo classic
  only: [merge_requests]
  except: [main, /feature/]
review:
  stage: deploy
  script: echo review
  environment: {name: review/$CI_MERGE_REQUEST_IID}
  only: [merge_requests]
child:
  stage: deploy
  trigger: {include: child.yml}
  rules: [{if: $CI_MERGE_REQUEST_IID}]
`

const mergeRequestChild = `
inner:
  script: echo $CI_MERGE_REQUEST_TITLE
  rules: [{if: '$CI_MERGE_REQUEST_IID && $CI_PIPELINE_SOURCE == "parent_pipeline"'}]
`

// TestMergeRequestPipelines goes through the life of a merge request that lives elsewhere: told of by API, kept up by pushes.
func TestMergeRequestPipelines(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		heard := listen(t)
		w := start(t, o, func(s *Settings) { s.PrivateHosts = append(s.PrivateHosts, strings.TrimPrefix(heard.URL, "http://")) })
		w.newProject("app")
		files := map[string]string{".gitlab-ci.yml": mergeRequestConfig, "child.yml": mergeRequestChild, "old.txt": "1"}
		w.push("app", files)
		anna, _ := w.user("anna")
		files["new.txt"] = "1"
		push := func(ref string) {
			t.Helper()
			if out, err := w.tryPush("app", rootToken, ref, files, "-f"); err != nil {
				t.Fatal(out)
			}
			w.settled()
		}
		w.must(201, "POST", "/projects/"+w.project+"/hooks", map[string]any{"url": heard.URL, "pipeline_events": true}, nil)
		push("feature/one")
		if p := w.of(w.newest()); p.Source != "push" || p.Ref != "feature/one" {
			t.Fatalf("a branch without merge request has %+v", p)
		}

		requests := "/projects/" + w.project + "/merge_requests"
		body := map[string]any{
			"source_branch": "feature/one", "target_branch": "main", "title": "Draft: one", "description": strings.Repeat("ä", 2701), "iid": 7,
			"labels": "b, a", "assignee_ids": []int64{anna}, "milestone": "v1", "squash": true,
		}
		var mr mergeRequestJSON
		w.must(201, "POST", requests, body, &mr)
		if mr.IID != 7 || mr.State != "opened" || !mr.Draft || fmt.Sprint(mr.Labels) != "[a b]" {
			t.Errorf("made %+v", mr)
		}
		w.settled()
		one := requests + "/7"
		w.must(200, "GET", one, nil, &mr)
		if mr.Pipeline == nil || mr.Pipeline.Source != "merge_request_event" || mr.Pipeline.Ref != "refs/merge-requests/7/head" {
			t.Fatalf("its pipeline is %+v", mr.Pipeline)
		}
		first := mr.Pipeline.ID
		if got := strings.Join(slices.Sorted(maps.Keys(w.jobs(first))), " "); got != "check classic review" {
			t.Errorf("its jobs are %s", got)
		}

		// What its jobs see, and what they check out.
		h := w.hand(false)
		check := w.jobs(first)["check"].ID
		for key, want := range map[string]string{
			"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_NAME": "feature/one", "CI_COMMIT_REF_SLUG": "feature-one", "CI_COMMIT_BRANCH": "",
			"CI_COMMIT_SHA": mr.SHA, "CI_COMMIT_BEFORE_SHA": strings.Repeat("0", 40), "CI_COMMIT_REF_PROTECTED": "false", "CI_OPEN_MERGE_REQUESTS": "root/app!7",
			"CI_MERGE_REQUEST_ID": fmt.Sprint(mr.ID), "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/7/head",
			"CI_MERGE_REQUEST_PROJECT_ID": w.project, "CI_MERGE_REQUEST_PROJECT_PATH": "root/app", "CI_MERGE_REQUEST_PROJECT_URL": w.node.URL + "/root/app",
			"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": w.project, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "root/app", "CI_MERGE_REQUEST_SOURCE_PROJECT_URL": w.node.URL + "/root/app",
			"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/one", "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED": "false", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
			"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED": "true", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "",
			"CI_MERGE_REQUEST_TITLE": "Draft: one", "CI_MERGE_REQUEST_DRAFT": "true", "CI_MERGE_REQUEST_DESCRIPTION": strings.Repeat("ä", 2700),
			"CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED": "true", "CI_MERGE_REQUEST_ASSIGNEES": "anna", "CI_MERGE_REQUEST_MILESTONE": "v1",
			"CI_MERGE_REQUEST_LABELS": "a,b", "CI_MERGE_REQUEST_SQUASH_ON_MERGE": "true", "CI_MERGE_REQUEST_EVENT_TYPE": "detached", "CI_MERGE_REQUEST_DIFF_BASE_SHA": mr.Refs.Base,
		} {
			if got := h.variable(check, key); got != want {
				t.Errorf("%s is %.60q, want %.60q", key, got, want)
			}
		}
		if h.variable(check, "CI_MERGE_REQUEST_DIFF_ID") == "" {
			t.Error("the version has no number")
		}
		git := h.offer(check).GitInfo
		if want := fmt.Sprintf("+%s:refs/pipelines/%d", mr.SHA, first); git.Ref != "refs/merge-requests/7/head" || git.RefType != "branch" || fmt.Sprint(git.Refspecs) != "["+want+"]" {
			t.Errorf("it checks out %+v", git)
		}
		for _, name := range []string{"check", "classic"} {
			h.run(w.jobs(first)[name].ID)
			h.success(w.jobs(first)[name].ID)
		}
		review := w.jobs(first)["review"].ID
		h.run(review)
		h.success(review)
		w.settled()
		var bridges []struct {
			Down pipelineJSON `json:"downstream_pipeline"`
		}
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/bridges", w.project, first), nil, &bridges)
		if len(bridges) != 1 || bridges[0].Down.Ref != "refs/merge-requests/7/head" {
			t.Fatalf("its child is %+v", bridges)
		}
		child := bridges[0].Down.ID
		inner := w.jobs(child)["inner"].ID
		if got := h.variable(inner, "CI_MERGE_REQUEST_TITLE"); got != "Draft: one" {
			t.Errorf("a child's job sees the title %q", got)
		}
		h.must(200, inner, runnerproto.UpdateRequest{State: "success"})
		w.state(first, "success")

		w.eventually("a webhook hears of it", func() bool {
			return slices.ContainsFunc(heard.all("Pipeline Hook"), func(h told) bool {
				return at(h.body, "merge_request", "iid") == 7.0 && at(h.body, "object_attributes", "ref") == "feature/one" &&
					at(h.body, "object_attributes", "status") == "success"
			})
		})

		// The same branch again: one is open. The same version again: only when asked for.
		w.refused(409, "POST", requests, body, `{"message":["Another open merge request already exists for this source branch: !7"]}`)
		body["target_branch"] = "feature/one"
		w.refused(422, "POST", requests, body, `{"message":["You can't use same project/branch for source and target"]}`)
		w.refused(400, "POST", requests, map[string]any{"source_branch": "none", "target_branch": "main", "title": "x"}, `{"message":{"source_branch":["\"none\" does not exist"]}}`)
		var again pipelineJSON
		w.must(200, "POST", one+"/pipelines", nil, &again)
		if again.ID == first || again.Source != "merge_request_event" {
			t.Errorf("asked for, %+v", again)
		}

		// A push to the source is a new version with a pipeline of its own; the branch has none any more, by its rules.
		files["new.txt"] = "2"
		push("feature/one")
		w.must(200, "GET", one, nil, &mr)
		newest := w.of(w.newest())
		if newest.ID != mr.Pipeline.ID || newest.ID <= again.ID || newest.Source != "merge_request_event" {
			t.Errorf("after the push, the newest pipeline is %+v", newest)
		}
		var versions, listed []struct{ ID int64 }
		w.must(200, "GET", one+"/versions", nil, &versions)
		w.must(200, "GET", one+"/pipelines", nil, &listed)
		if len(versions) != 2 || len(listed) != 3 || listed[0].ID != newest.ID {
			t.Errorf("versions %v, pipelines %v", versions, listed)
		}
		w.must(200, "GET", "/projects/"+w.project+"/repository/commits/"+mr.SHA+"/merge_requests", nil, &listed)
		if len(listed) != 1 || listed[0].ID != mr.ID {
			t.Errorf("merge requests of the commit: %v", listed)
		}

		// What is pushed to the target is merged, and what was deployed for it is stopped.
		w.mergeHead("app", 7)
		w.settled()
		w.must(200, "GET", one, nil, &mr)
		if mr.State != "merged" || mr.MergeUser == nil || mr.MergeUser.Username != "root" {
			t.Errorf("after the merge it is %+v", mr)
		}
		var environments []struct{ Name, State string }
		w.must(200, "GET", "/projects/"+w.project+"/environments", nil, &environments)
		if fmt.Sprint(environments) != "[{review/7 stopped}]" {
			t.Errorf("environments %v", environments)
		}

		// Without a number one is chosen; without a source branch it is closed.
		push("two")
		files["two.txt"] = "2"
		push("two")
		w.must(201, "POST", requests, map[string]any{"source_branch": "two", "target_branch": "main", "title": "Two"}, &mr)
		if mr.IID != 8 || mr.Draft {
			t.Errorf("the second is %+v", mr)
		}
		w.settled()
		if out, err := w.pushTo("app", rootToken, ":refs/heads/two"); err != nil {
			t.Fatal(out)
		}
		w.settled()
		w.must(200, "GET", requests+"/8", nil, &mr)
		if mr.State != "closed" {
			t.Errorf("without its branch it is %s", mr.State)
		}
		var mine []mergeRequestJSON
		w.must(200, "GET", "/merge_requests?state=closed", nil, &mine)
		if len(mine) != 1 || mine[0].IID != 8 {
			t.Errorf("mine: %+v", mine)
		}
		w.must(204, "DELETE", requests+"/8", nil, nil)
		w.must(404, "GET", requests+"/8", nil, nil)
		if got := w.of(newest.ID); got.Ref != "refs/merge-requests/7/head" {
			t.Errorf("pipelines of others stay: %+v", got)
		}
	})
}

// TestMergeRequestRights: nobody runs more through a merge request than on its branch, and it sees nothing that is kept for
// protected branches.
func TestMergeRequestRights(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		files := map[string]string{".gitlab-ci.yml": "check: {script: echo, rules: [{if: $CI_MERGE_REQUEST_IID}]}"}
		w.push("app", files)
		files["x"] = "1"
		if out, err := w.tryPush("app", rootToken, "release", files); err != nil {
			t.Fatal(out)
		}
		w.must(201, "POST", "/projects/"+w.project+"/protected_branches", map[string]any{"name": "release", "push_access_level": 40, "merge_access_level": 40}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "SECRET", "value": "for main alone", "protected": true}, nil)
		dev, devToken := w.user("dev")
		guest, guestToken := w.user("guest")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": guest, "access_level": 20}, nil)

		requests := "/projects/" + w.project + "/merge_requests"
		body := map[string]any{"source_branch": "release", "target_branch": "main", "title": "Release"}
		if got := w.apiAs(guestToken, "POST", requests, body, nil); got != 403 {
			t.Errorf("a reporter opens one: %d", got)
		}
		var mr mergeRequestJSON
		if got := w.apiAs(devToken, "POST", requests, body, &mr); got != 201 {
			t.Fatalf("a developer opens one: %d", got)
		}
		w.settled()
		of := fmt.Sprintf("%s/%d", requests, mr.IID)
		w.must(200, "GET", of, nil, &mr)
		if mr.Pipeline != nil {
			t.Errorf("who may not run the branch ran %+v", mr.Pipeline)
		}
		if got := w.apiAs(devToken, "POST", of+"/pipelines", nil, nil); got != 400 {
			t.Errorf("a developer runs a protected source: %d", got)
		}
		if got := w.apiAs(devToken, "DELETE", of, nil, nil); got != 403 {
			t.Errorf("a developer deletes it: %d", got)
		}
		var p pipelineJSON
		w.must(200, "POST", of+"/pipelines", nil, &p)
		h := w.hand(false)
		check := w.jobs(p.ID)["check"].ID
		if got := h.variable(check, "SECRET"); got != "" {
			t.Error("what is kept for protected branches reaches a merge request")
		}
		if got := h.variable(check, "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED"); got != "true" {
			t.Errorf("the source is protected: %q", got)
		}

		// Its versions and pipelines follow what somebody changes by hand.
		w.must(200, "PUT", of, map[string]any{"state_event": "close"}, &mr)
		if mr.State != "closed" {
			t.Errorf("closed by hand it is %s", mr.State)
		}
		w.must(200, "PUT", of, map[string]any{"state_event": "reopen", "add_labels": "x,y", "title": "draft: again"}, &mr)
		if mr.State != "opened" || !mr.Draft || fmt.Sprint(mr.Labels) != "[x y]" {
			t.Errorf("reopened: %+v", mr)
		}
		w.refused(400, "PUT", of, map[string]any{}, `{"error":"title, description, labels, add_labels, remove_labels, assignee_id, assignee_ids, milestone, squash, target_branch, state_event are missing, at least one parameter must be provided"}`)

		w.refused(400, "PUT", of, map[string]any{"target_branch": "none"}, `{"message":{"target_branch":["\"none\" does not exist"]}}`)

		// With nothing to merge there is nothing to run.
		w.must(201, "POST", "/projects/"+w.project+"/repository/branches", map[string]any{"branch": "same", "ref": "main"}, nil)
		w.must(201, "POST", requests, map[string]any{"source_branch": "same", "target_branch": "main", "title": "Nothing"}, &mr)
		w.refused(405, "POST", fmt.Sprintf("%s/%d/pipelines", requests, mr.IID), nil, `{"error":"405 Method Not Allowed"}`)
	})
}

// mergeHead pushes the head of a merge request to main.
func (w *world) mergeHead(path string, iid int) {
	w.t.Helper()
	address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+rootToken+"@", 1) + "/root/" + path + ".git"
	script := `git clone -q "$1" "$2" && cd "$2" && git fetch -q origin "$3" && git push -q origin FETCH_HEAD:refs/heads/main`
	out, err := exec.Command("bash", "-c", script, "x", address, filepath.Join(w.t.TempDir(), "work"), fmt.Sprintf("refs/merge-requests/%d/head", iid)).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// TestMergeRequestsChange : a new target is run once more, and people who change different things at once lose nothing.
func TestMergeRequestsChange(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		files := map[string]string{".gitlab-ci.yml": "check: {script: echo, rules: [{if: $CI_MERGE_REQUEST_IID}]}"}
		w.push("app", files)
		w.must(201, "POST", "/projects/"+w.project+"/repository/branches", map[string]any{"branch": "next", "ref": "main"}, nil)
		files["x"] = "1"
		if out, err := w.tryPush("app", rootToken, "topic", files); err != nil {
			t.Fatal(out)
		}
		w.settled()
		requests := "/projects/" + w.project + "/merge_requests"
		var mr mergeRequestJSON
		w.must(201, "POST", requests, map[string]any{"source_branch": "topic", "target_branch": "main", "title": "Topic"}, &mr)
		of := fmt.Sprintf("%s/%d", requests, mr.IID)
		w.settled()
		first := w.newest()
		w.must(200, "PUT", of, map[string]any{"target_branch": "next"}, nil)
		w.settled()
		second := w.newest()
		if second == first {
			t.Fatal("the new target is not run")
		}
		h := w.hand(false)
		if got := h.variable(w.jobs(second)["check"].ID, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"); got != "next" {
			t.Errorf("its target is %q", got)
		}

		for i := range 15 {
			var both sync.WaitGroup
			for _, body := range []map[string]any{{"milestone": fmt.Sprint("m", i)}, {"labels": fmt.Sprint("l", i)}} {
				both.Go(func() { w.api("PUT", of, body, nil) })
			}
			both.Wait()
			var got struct {
				Labels    []string
				Milestone struct{ Title string }
			}
			w.must(200, "GET", of, nil, &got)
			if fmt.Sprintf("%v %s", got.Labels, got.Milestone.Title) != fmt.Sprintf("[l%d] m%d", i, i) {
				t.Fatalf("round %d: %+v", i, got)
			}
		}
	})
}
