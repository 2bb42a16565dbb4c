package app

import (
	"fmt"
	"testing"
	"time"

	"signalbox/models"
)

// TestStaleEnvironments are stopped by hand all at once: those that nothing happened to for long, unless protected.
func TestStaleEnvironments(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": reviewConfig})
		h.success(w.jobs(id)["deploy"].ID)
		w.settled()
		made := map[string]int64{}
		path := "/projects/" + w.project + "/environments"
		for _, name := range []string{"old", "changed", "deployed", "kept", "guarded"} {
			var e environmentJSON
			w.must(201, "POST", path, map[string]any{"name": name, "auto_stop_setting": map[bool]string{true: "with_action", false: "always"}[name == "kept"]}, &e)
			made[name] = e.ID
		}
		w.must(201, "POST", "/projects/"+w.project+"/protected_environments", map[string]any{"name": "guarded", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
		clock.set(10 * 24 * time.Hour)
		w.must(200, "PUT", fmt.Sprintf("%s/%d", path, made["changed"]), map[string]any{"description": "new"}, nil)
		w.tell("deployed")

		at := func(back time.Duration) map[string]any {
			return map[string]any{"before": clock.now().Add(-back).UTC().Format(time.RFC3339)}
		}
		day := 24 * time.Hour
		w.refused(400, "POST", path+"/stop_stale", nil, `{"error":"before is missing"}`)
		w.refused(400, "POST", path+"/stop_stale", map[string]any{"before": "soon"}, `{"error":"before is invalid"}`)
		w.refused(400, "POST", path+"/stop_stale", at(6*day), `{"message":"400 Bad request - Invalid Date"}`)
		w.refused(400, "POST", path+"/stop_stale", at(4000*day), `{"message":"400 Bad request - Invalid Date"}`)
		reporter, token := w.user("reporter")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": reporter, "access_level": 20}, nil)
		if got := w.apiAs(token, "POST", path+"/stop_stale", at(8*day), nil); got != 403 {
			t.Errorf("stopped by a reporter: %d", got)
		}
		var said struct{ Message string }
		w.must(200, "POST", path+"/stop_stale", at(8*day), &said)
		if said.Message != "Successfully requested stop for all stale environments" {
			t.Errorf("message %q", said.Message)
		}
		w.eventually("the old one is stopped", func() bool { return w.environment("old").State == "stopped" })
		w.eventually("the review app is stopped by its job", func() bool { return w.environment("review/main").State == "stopping" })
		w.eventually("one that only its job stops is left alone", func() bool { return w.environment("kept").AutoStopAt == nil })
		for _, name := range []string{"changed", "deployed", "kept", "guarded"} {
			if e := w.environment(name); e.State != "available" || e.AutoStopAt != nil {
				t.Errorf("%s: %+v", name, e)
			}
		}
		h.success(w.jobs(id)["stop"].ID)
		if got := w.environment("review/main").State; got != "stopped" {
			t.Errorf("the review app is %s", got)
		}
	})
}

// TestReviewApps are deleted a week after they were named, if they are stopped then; without dry_run=false nothing happens.
func TestReviewApps(t *testing.T) {
	const none = `"message":"No environments found for scheduled deletion. Either your query did not match any environments ` +
		`(default parameters match environments that are 30 days or older), or you have insufficient permissions to delete matching environments."`
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("app")
		w.push("app", map[string]string{"README.md": "x"})
		path := "/projects/" + w.project + "/environments"
		stopped := func(name string) int64 {
			var e environmentJSON
			w.must(201, "POST", path, map[string]any{"name": name}, &e)
			w.must(200, "POST", fmt.Sprintf("%s/%d/stop", path, e.ID), map[string]any{"force": true}, nil)
			return e.ID
		}
		first, second, production := stopped("review/one"), stopped("review/two"), stopped("production")
		stopped("Review/other")
		clock.set(31 * 24 * time.Hour)
		stopped("review/young")
		w.must(201, "POST", path, map[string]any{"name": "review/alive"}, nil)

		type entries struct {
			Scheduled     []environmentJSON `json:"scheduled_entries"`
			Unprocessable []environmentJSON `json:"unprocessable_entries"`
		}
		remove := func(more string, want ...int64) {
			t.Helper()
			var got entries
			w.must(200, "DELETE", path+"/review_apps"+more, nil, &got)
			var ids []int64
			for _, e := range got.Scheduled {
				ids = append(ids, e.ID)
			}
			if fmt.Sprint(ids) != fmt.Sprint(want) || got.Unprocessable == nil || len(got.Unprocessable) > 0 {
				t.Errorf("%s: %+v, want %v", more, got, want)
			}
		}
		nothing := func(more string) {
			t.Helper()
			w.refused(400, "DELETE", path+"/review_apps"+more, nil, `{"message":{`+none+`,"scheduled_entries":[],"unprocessable_entries":[]}}`)
		}
		remove("", first, second)
		remove("?limit=1", first)
		w.refused(400, "DELETE", path+"/review_apps?limit=1001", nil, `{"error":"limit does not have a valid value"}`)
		nothing("?before=2001-01-01T00:00:00Z")
		reporter, token := w.user("reporter")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": reporter, "access_level": 20}, nil)
		var refused struct {
			Message struct {
				entries
				Message string
			}
		}
		if got := w.apiAs(token, "DELETE", path+"/review_apps", nil, &refused); got != 401 || refused.Message.Message != "You do not have permission to destroy environments in this project" {
			t.Errorf("a reporter: %d %+v", got, refused)
		}
		developer, token := w.user("developer")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": developer, "access_level": 30}, nil)
		w.must(201, "POST", "/projects/"+w.project+"/protected_environments", map[string]any{"name": "review/two", "deploy_access_levels": []any{map[string]any{"access_level": 40}}}, nil)
		refused.Message.entries = entries{}
		if got := w.apiAs(token, "DELETE", path+"/review_apps?dry_run=false", nil, &refused); got != 400 || len(refused.Message.Unprocessable) != 1 || refused.Message.Unprocessable[0].ID != second {
			t.Errorf("a developer with a protected one among them: %d %+v", got, refused)
		}
		remove("?dry_run=false", first, second)
		nothing("?dry_run=false")
		clock.set(37 * 24 * time.Hour)
		w.tell("review/two") // it is alive again
		w.must(200, "GET", fmt.Sprintf("%s/%d", path, first), nil, nil)
		clock.set(39 * 24 * time.Hour)
		w.eventually("it is deleted", func() bool { return w.api("GET", fmt.Sprintf("%s/%d", path, first), nil, nil) == 404 })
		w.must(200, "GET", fmt.Sprintf("%s/%d", path, second), nil, nil)
		w.must(200, "GET", fmt.Sprintf("%s/%d", path, production), nil, nil)
	})
}
