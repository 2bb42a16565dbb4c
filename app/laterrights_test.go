package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestADelayedJobAsksForRightsWhenItsTimeComes : whoever has lost the right to start it starts nothing any more.
func TestADelayedJobAsksForRightsWhenItsTimeComes(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.pushed("app", map[string]string{".gitlab-ci.yml": "late: {script: x, when: delayed, start_in: 10 minutes, retry: 1}\n"})
		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		made := map[string]int64{}
		for _, branch := range []string{"stays", "goes"} {
			if out, err := w.tryPush("app", token, branch, map[string]string{branch: "x"}); err != nil {
				t.Fatal(out)
			}
			w.settled()
			made[branch] = w.newest()
		}
		w.must(201, "POST", "/projects/"+w.project+"/protected_branches", map[string]any{"name": "goes", "push_access_level": 40, "merge_access_level": 40}, nil)
		clock.set(11 * time.Minute)
		w.eventually("the delayed jobs", func() bool {
			return w.jobs(made["stays"])["late"].Status == "pending" && w.jobs(made["goes"])["late"].Status == "failed"
		})
		j := w.jobs(made["goes"])["late"]
		if j.FailureReason != "stale_schedule" {
			t.Errorf("reason %s", j.FailureReason)
		}
		if _, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", j.ID)); !strings.Contains(page, "may not start it any more") {
			t.Errorf("the page does not say why: %s", page)
		}
	})
}

// TestMaintainersEndACancelingJob at once, by API and page; others wait for its runner.
func TestMaintainersEndACancelingJob(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		h.client.Info.Features["cancel_gracefully"] = true
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "one: {script: x}\ntwo: {script: x}\n"})
		dev, token := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": dev, "access_level": 30}, nil)
		w.must(204, "DELETE", "/projects/"+w.project+"/protected_branches/main", nil, nil)
		for _, name := range []string{"one", "two"} {
			h.run(w.jobs(id)[name].ID)
			w.act(w.jobs(id)[name].ID, "cancel")
			if st := w.jobs(id)[name].Status; st != "canceling" {
				t.Fatalf("%s is %s", name, st)
			}
		}
		one, two := w.jobs(id)["one"].ID, w.jobs(id)["two"].ID
		if got := w.apiAs(token, "POST", fmt.Sprintf("/projects/%s/jobs/%d/cancel", w.project, one), map[string]any{"force": true}, nil); got != 403 {
			t.Errorf("a developer forces it: %d", got)
		}
		page := fmt.Sprintf("/root/app/-/jobs/%d", two)
		if _, text, _ := w.visitor("dev", "dev-password").get(page); strings.Contains(text, "Cancel at once") {
			t.Error("a developer is shown the button")
		}
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/cancel", w.project, one), map[string]any{"force": true}, nil)
		v := w.visitor("root", "root-password")
		if _, text, _ := v.get(page); !strings.Contains(text, "Cancel at once") {
			t.Errorf("the page: %s", text)
		}
		v.post(page+"/force", nil, page)
		w.state(id, "canceled")
	})
}
