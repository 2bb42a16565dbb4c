package app

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// fixture is a payload with every key that GitLab's builders write for the event.
func fixture(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "hooks", name+".json"))
	noError(t, err)
	var out map[string]any
	noError(t, json.Unmarshal(raw, &out))
	return out
}

var hookTimes = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]`)

var digits = regexp.MustCompile(`\d+`)

// sameShape compares keys and types of JSON, and the forms of times. The elements of a list are like the fixture's first one.
func sameShape(at string, want, got any) (wrong []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", at, got)}
		}
		for key, value := range object {
			if _, known := want[key]; known {
				wrong = append(wrong, sameShape(at+"."+key, want[key], value)...)
			} else {
				wrong = append(wrong, at+"."+key+" is too much")
			}
		}
		for key := range want {
			if _, there := object[key]; !there {
				wrong = append(wrong, at+"."+key+" is missing")
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(want) == 0 && len(list) > 0 {
			return []string{fmt.Sprintf("%s is %v, want a list like %v", at, got, want)}
		}
		for i, value := range list {
			wrong = append(wrong, sameShape(fmt.Sprintf("%s[%d]", at, i), want[0], value)...)
		}
	case string:
		text, ok := got.(string)
		if !ok || hookTimes.MatchString(want) && digits.ReplaceAllString(want, "0") != digits.ReplaceAllString(text, "0") {
			return []string{fmt.Sprintf("%s is %v, want something like %q", at, got, want)}
		}
	default:
		if reflect.TypeOf(want) != reflect.TypeOf(got) {
			return []string{fmt.Sprintf("%s is %v, want something like %v", at, got, want)}
		}
	}
	return wrong
}

// script runs git commands in a clone of a project, whose address is $url.
func (w *world) script(text string) string {
	w.t.Helper()
	address := strings.Replace(w.node.Local, "http://", "http://oauth2:"+rootToken+"@", 1) + "/root/app.git"
	cmd := exec.Command("bash", "-c", "set -e\n"+text)
	cmd.Dir, cmd.Env = w.t.TempDir(), append(gitEnv(w.t.TempDir()), "url="+address)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s\n%v: %s", text, err, out)
	}
	return string(out)
}

// TestHookPayloads holds the payload of every event against GitLab's keys and types.
func TestHookPayloads(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		l := listen(t)
		w := start(t, o, func(s *Settings) {
			s.Now, s.PrivateHosts = clock.now, append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://"))
		})
		h := w.hand(false)
		w.newProject("app")
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"description": "An example"}, nil)
		hook := map[string]any{"url": l.URL}
		for _, e := range []string{"push", "tag_push", "pipeline", "job", "deployment", "releases", "merge_requests"} {
			hook[e+"_events"] = true
		}
		w.must(201, "POST", "/projects/"+w.project+"/hooks", hook, nil)
		covered := map[string]bool{}
		compare := func(event, name string, pick func(map[string]any) bool) map[string]any {
			t.Helper()
			var found map[string]any
			w.eventually("a payload for "+name, func() bool {
				for _, one := range l.all(event) {
					if pick(one.body) {
						found = one.body
					}
				}
				return found != nil
			})
			covered[name] = true
			for _, wrong := range sameShape(name, any(fixture(t, name)), found) {
				t.Error(wrong)
			}
			return found
		}
		is := func(value any, path ...string) func(map[string]any) bool {
			return func(b map[string]any) bool { return at(b, path...) == value }
		}
		both := func(a, b func(map[string]any) bool) func(map[string]any) bool {
			return func(body map[string]any) bool { return a(body) && b(body) }
		}

		w.script(`git init -q -b main .; printf 'workflow: {name: Named}
deploy:
  stage: deploy
  script: x
  tags: [linux]
  environment: {name: production, url: "https://production.example.com"}
  artifacts: {paths: [x]}
  rules: [if: $KEY]
trigger:
  trigger: {include: child.yml}
  rules: [if: $CHILD]
review:
  script: x
  rules: [if: $CI_MERGE_REQUEST_IID]' > .gitlab-ci.yml
echo 'inner: {script: x}' > child.yml
for f in keep remove rename; do seq 20 > $f; echo $f >> $f; done; git add .; git commit -qm First; git push -q $url main`)
		w.script(`git clone -q $url c; cd c; echo x > add; echo 1 >> keep; git rm -q remove; git mv rename 'ü new'; git add .; git commit -qm "Change"; git commit -q --allow-empty -m Empty
git push -q -o ci.skip -o ci.variable="A=1" -o other.thing $url main; git tag -a -m First v1; git push -q $url v1; git push -q $url :v1; git push -q $url main:new; git push -q $url :new
git tag light; git push -q $url light`)
		first := compare("Push Hook", "push_new_branch", both(is("refs/heads/new", "ref"), func(b map[string]any) bool { return at(b, "checkout_sha") != nil }))
		if n := len(at(first, "commits").([]any)); n != 0 {
			t.Errorf("a new branch without commits has %d", n)
		}
		compare("Push Hook", "push_deleted", both(is("refs/heads/new", "ref"), is(nil, "checkout_sha")))
		pushed := fixture(t, "push")
		pushed["push_options"].(map[string]any)["ci"].(map[string]any)["variable"] = map[string]any{"A=1": 1.0}
		var push map[string]any
		w.eventually("the second push", func() bool {
			for _, one := range l.all("Push Hook") {
				if at(one.body, "total_commits_count") == 2.0 {
					push = one.body
				}
			}
			return push != nil
		})
		covered["push"] = true
		for _, wrong := range sameShape("push", any(pushed), any(push)) {
			t.Error(wrong)
		}
		commits := at(push, "commits").([]any)
		if len(commits) != 2 || fmt.Sprint(at(commits[0], "added"), at(commits[0], "modified"), at(commits[0], "removed")) != "[add ü new] [keep] [remove]" ||
			at(commits[1], "title") != "Empty" || at(push, "ref_protected") != true {
			t.Errorf("push %v", push)
		}
		tag := compare("Tag Push Hook", "tag_push", both(is("refs/tags/v1", "ref"), func(b map[string]any) bool { return at(b, "checkout_sha") != nil }))
		if at(tag, "message") != "First" || at(tag, "total_commits_count") != 1.0 || at(tag, "checkout_sha") != at(commits[1], "id") || at(tag, "after") == at(tag, "checkout_sha") {
			t.Errorf("tag %v", tag)
		}
		compare("Tag Push Hook", "tag_deleted", both(is("refs/tags/v1", "ref"), is(nil, "checkout_sha")))
		if light := compare("Tag Push Hook", "tag_push", is("refs/tags/light", "ref")); at(light, "message") != "" {
			t.Errorf("light tag %v", light)
		}

		w.must(200, "PUT", fmt.Sprintf("/runners/%d", w.runnerOf()), map[string]any{"tag_list": []string{"linux"}, "run_untagged": true}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/environments", map[string]any{"name": "production", "external_url": "https://production.example.com"}, nil)
		var p pipelineJSON
		w.must(201, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main", "variables": []any{map[string]string{"key": "KEY", "value": "value"}}}, &p)
		job := w.jobs(p.ID)["deploy"].ID
		clock.set(5 * time.Second)
		h.run(job)
		h.upload(job, "archive", "zip", "artifacts.zip", bytes.NewBuffer(zipOf(t, "x", "content")))
		clock.set(10 * time.Second)
		h.success(job)
		compare("Pipeline Hook", "pipeline", both(is(float64(p.ID), "object_attributes", "id"), is("success", "object_attributes", "status")))
		compare("Job Hook", "job", both(is(float64(job), "build_id"), is("success", "build_status")))
		compare("Deployment Hook", "deployment", is("success", "status"))

		w.must(201, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main", "variables": []any{map[string]string{"key": "CHILD", "value": "1"}}}, &p)
		child := compare("Pipeline Hook", "pipeline_child", both(is("parent_pipeline", "object_attributes", "source"), is("pending", "object_attributes", "status")))
		compare("Job Hook", "job_child", both(is(at(child, "object_attributes", "id"), "pipeline_id"), is("pending", "build_status")))

		release := map[string]any{"tag_name": "r1", "ref": "main", "name": "First", "description": "The first one", "assets": map[string]any{"links": []any{map[string]string{"name": "Notes", "url": "https://example.com/notes"}}}}
		w.must(201, "POST", "/projects/"+w.project+"/releases", release, nil)
		w.must(200, "PUT", "/projects/"+w.project+"/releases/r1", map[string]any{"name": "Second"}, nil)
		w.must(200, "DELETE", "/projects/"+w.project+"/releases/r1", nil, nil)
		for _, action := range []string{"create", "update", "delete"} {
			compare("Release Hook", "release", is(action, "action"))
		}

		w.script(`git clone -q $url c; cd c; git checkout -qb feature; git commit -q --allow-empty -m One; git push -q $url feature`)
		var me struct{ ID int64 }
		w.must(200, "GET", "/user", nil, &me)
		var mr mergeRequestJSON
		base := "/projects/" + w.project + "/merge_requests"
		w.must(201, "POST", base, map[string]any{"source_branch": "feature", "target_branch": "main", "title": "Feature", "description": "Text", "labels": "ops", "assignee_id": me.ID}, &mr)
		opened := compare("Merge Request Hook", "merge_request", is("open", "object_attributes", "action"))
		compare("Pipeline Hook", "pipeline_merge_request", both(is("merge_request_event", "object_attributes", "source"), is("pending", "object_attributes", "status")))
		w.script(`git clone -q -b feature $url c; cd c; git commit -q --allow-empty -m Two; git push -q $url feature`)
		moved := compare("Merge Request Hook", "merge_request_pushed", func(b map[string]any) bool { return at(b, "object_attributes", "oldrev") != nil })
		if at(moved, "object_attributes", "oldrev") != at(opened, "object_attributes", "last_commit", "id") || at(moved, "object_attributes", "last_commit", "title") != "Two" {
			t.Errorf("a new head: %v", moved)
		}
		one := fmt.Sprintf("%s/%d", base, mr.IID)
		w.must(200, "PUT", one, map[string]any{"title": "Draft: Feature", "remove_labels": "ops"}, nil)
		compare("Merge Request Hook", "merge_request_changed", func(b map[string]any) bool { return at(b, "changes", "title") != nil })
		for _, step := range []struct{ event, action string }{{"close", "close"}, {"reopen", "reopen"}} {
			w.must(200, "PUT", one, map[string]any{"state_event": step.event}, nil)
			w.eventually(step.action, func() bool {
				return slices.ContainsFunc(l.all("Merge Request Hook"), func(o told) bool { return at(o.body, "object_attributes", "action") == step.action })
			})
		}
		w.script(`git clone -q -b feature $url c; cd c; git push -q $url feature:main`)
		w.eventually("merge", func() bool {
			return slices.ContainsFunc(l.all("Merge Request Hook"), func(o told) bool {
				return at(o.body, "object_attributes", "action") == "merge" && at(o.body, "object_attributes", "state") == "merged"
			})
		})
		files, err := filepath.Glob("testdata/hooks/*.json")
		noError(t, err)
		for _, f := range files {
			if !covered[strings.TrimSuffix(filepath.Base(f), ".json")] {
				t.Errorf("no payload was held against %s", f)
			}
		}
	})
}

// TestHooksOfPushes: what git refused is not told; a push of many refs is not told at all.
func TestHooksOfPushes(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		l := listen(t)
		w := start(t, o, func(s *Settings) { s.PrivateHosts = append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://")) })
		w.newProject("app")
		w.must(201, "POST", "/projects/"+w.project+"/hooks", map[string]any{"url": l.URL, "push_events": true, "tag_push_events": true}, nil)
		w.script(`git init -q -b main .; git commit -q --allow-empty -m First; for n in $(seq 30); do git commit -q --allow-empty -m "Number $n"; done; git push -q $url main
git branch a; git branch b; git branch c; git branch d; git push -q $url a b c d; git push -q $url a:e
git commit -q --amend --allow-empty -m Other; git push -q -f $url main 2>/dev/null || true; git checkout -q a; git commit -q --allow-empty -m "$(printf 'word %.0s' $(seq 30))"; git push -q $url a:f`)
		w.settled()
		w.eventually("the last push", func() bool {
			return slices.ContainsFunc(l.all("Push Hook"), func(o told) bool { return at(o.body, "ref") == "refs/heads/f" })
		})
		var refs []string
		for _, one := range l.all("Push Hook") {
			refs = append(refs, fmt.Sprintln(at(one.body, "ref"), at(one.body, "total_commits_count"), len(at(one.body, "commits").([]any))))
			if at(one.body, "ref") == "refs/heads/f" {
				title := fmt.Sprint(at(at(one.body, "commits").([]any)[0], "title"))
				if title != strings.TrimSpace(strings.Repeat("word ", 16))+"…" {
					t.Errorf("a long title: %q", title)
				}
			}
			if at(one.body, "ref") == "refs/heads/main" && at(at(one.body, "commits").([]any)[19], "title") != "Number 30" {
				t.Errorf("the newest commit is not the last one: %v", one.body)
			}
		}
		slices.Sort(refs)
		if strings.Join(refs, "") != "refs/heads/e 0 0\nrefs/heads/f 1 1\nrefs/heads/main 31 20\n" {
			t.Errorf("told of %v", refs)
		}
	})
}

// runnerOf is the id of the only runner there is.
func (w *world) runnerOf() int64 {
	w.t.Helper()
	var all []struct{ ID int64 }
	w.must(200, "GET", "/runners/all", nil, &all)
	if len(all) != 1 {
		w.t.Fatalf("%d runners", len(all))
	}
	return all[0].ID
}

func zipOf(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	noError(t, err)
	_, err = f.Write([]byte(text))
	noError(t, err)
	noError(t, z.Close())
	return b.Bytes()
}
