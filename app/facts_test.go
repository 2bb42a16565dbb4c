package app

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"signalbox/models"
)

// TestWhatIsSetComesBack: programs that declare a project, a webhook or the settings set an attribute and find it so, by
// the answer and by the next reading. What is no value is refused.
func TestWhatIsSetComesBack(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		var hook struct{ ID int64 }
		w.must(201, "POST", "/projects/"+w.project+"/hooks", map[string]any{"url": "https://example.com/", "note_events": true}, &hook)
		for at, sets := range map[string][]map[string]any{
			"/projects/" + w.project: {
				{"issues_enabled": true, "issues_access_level": "enabled"},
				{"issues_enabled": false, "issues_access_level": "disabled"},
				{"merge_method": "ff"},
				{"squash_option": "always"},
				{"remove_source_branch_after_merge": true},
				{"request_access_enabled": true},
				{"wiki_access_level": "private", "wiki_enabled": true},
				{"pages_access_level": "public"},
				{"lfs_enabled": true},
				{"emails_enabled": false},
				{"only_allow_merge_if_all_discussions_are_resolved": true},
				{"auto_devops_enabled": true},
				{"merge_commit_template": "%{title}"},
				{"releases_access_level": "private"},
				{"snippets_enabled": true},
				{"container_registry_access_level": "private"},
			},
			fmt.Sprintf("/projects/%s/hooks/%d", w.project, hook.ID): {
				{"note_events": true}, {"issues_events": true, "push_events": true}, {"note_events": false, "merge_requests_events": true}, {"wiki_page_events": true},
			},
			"/application/settings": {
				{"default_projects_limit": 7.0},
				{"throttle_authenticated_api_enabled": true, "throttle_authenticated_api_requests_per_period": 9.0},
				{"default_project_visibility": "internal"},
			},
		} {
			for _, set := range sets {
				for _, method := range []string{"PUT", "GET"} {
					var got map[string]any
					body := any(nil)
					if method == "PUT" {
						body = set
					}
					w.must(200, method, at, body, &got)
					for name, want := range set {
						if got[name] != want {
							t.Errorf("%s %s after %v: %s is %v", method, at, set, name, got[name])
						}
					}
				}
			}
		}
		for _, wrong := range []map[string]any{{"merge_method": "x"}, {"issues_access_level": "public"}, {"issues_enabled": "perhaps"}, {}} {
			if got := w.api("PUT", "/projects/"+w.project, wrong, nil); got != http.StatusBadRequest {
				t.Errorf("%v: %d", wrong, got)
			}
		}
		for _, gone := range []string{"/events", "/projects/" + w.project + "/deploy_tokens", "/projects/" + w.project + "/events"} {
			if got := w.api("GET", gone, nil, nil); got != http.StatusNotFound {
				t.Errorf("%s: %d", gone, got)
			}
		}
	})
}

// TestPollsAreHeldAsLongAsSet: without holding, a runner that has seen the newest version is answered at once.
func TestPollsAreHeldAsLongAsSet(t *testing.T) {
	w := start(t, models.Options{}, func(s *Settings) { s.HoldPolls = 0 })
	runner := w.ready(t)
	c := readCapture(t, "v19.4-04-jobs-request-204-with-last-update")
	res, _ := w.replay(c, runner, "", 0)
	newest := res.Header.Get("X-GitLab-Last-Update")
	c.body = `{"token": "", "last_update": "` + newest + `"}`
	asked := time.Now()
	res, _ = w.replay(c, runner, "", 0)
	if res.StatusCode != http.StatusNoContent || newest == "" || res.Header.Get("X-GitLab-Last-Update") != newest {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if d := time.Since(asked); d > 30*time.Second { // held, it takes 50
		t.Errorf("answered after %s", d)
	}
	if _, err := (&Settings{Listen: "127.0.0.1:0", HoldPolls: -1}).check(); err == nil {
		t.Error("a time below zero is taken")
	}
}
