package app

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

const delayedFailuresConfig = `
one: {script: x}
two: {script: x}
allowed: {script: x, allow_failure: true}
late: {script: x, when: delayed, start_in: 1 hour}
`

// TestPagesShowFailedJobs: the lists of pipelines and the page of one say how many jobs failed, whatever the pipeline's status says.
// Jobs that were allowed to fail and attempts that were tried again do not count.
func TestPagesShowFailedJobs(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	h := w.hand(true)
	id := w.pushed("app", map[string]string{".gitlab-ci.yml": delayedFailuresConfig})
	var pipeline struct{ SHA string }
	w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, id), nil, &pipeline)
	v := w.visitor("root", "root-password")
	pages := []string{"/", "/root/app", "/root/app/-/pipelines", fmt.Sprintf("/root/app/-/pipelines/%d", id), "/root/app/-/commit/" + pipeline.SHA}
	shows := func(want string) {
		t.Helper()
		for _, path := range pages {
			status, page, _ := v.get(path)
			got := strings.Join(regexp.MustCompile(`class="status failed">\d+ failed<`).FindAllString(page, -1), " ")
			if status != 200 || !strings.Contains(page, fmt.Sprintf("/root/app/-/pipelines/%d", id)) || want == "" && got != "" || want != "" && got != `class="status failed">`+want+`<` {
				t.Errorf("%s: %d, %q, want %q", path, status, got, want)
			}
		}
	}
	shows("")
	jobs := w.jobs(id)
	for _, name := range []string{"one", "two", "allowed"} {
		h.run(jobs[name].ID)
		h.fail(jobs[name].ID)
	}
	w.state(id, "scheduled")
	shows("2 failed")
	if c := w.give(rootToken, fmt.Sprintf("status pipeline %d", id), "replied"); !strings.Contains(deref(c.Reply)+c.Acknowledgement, "is scheduled, 2 failed.") {
		t.Errorf("the state of the pipeline in a chat: %+v", c)
	}
	t.Run("in a browser", func(t *testing.T) {
		b := browse(t, testenv.Browser(t))
		b.look("light", 1280, 900)
		b.do(chromedp.Navigate(w.node.Local+"/"), chromedp.WaitVisible(`input[name="login"]`))
		b.submit(`form`, "login", "root", "password", "root-password")
		b.says("2 failed")
		for _, view := range views {
			b.look(view.scheme, view.width, view.height)
			for i, path := range pages {
				b.do(chromedp.Navigate(w.node.Local+path), chromedp.WaitVisible(`main .status.failed`))
				b.says("2 failed")
				b.fits(path + view.suffix)
				b.shot(fmt.Sprintf("failures-%d%s", i, view.suffix))
			}
		}
	})
	w.act(jobs["one"].ID, "retry")
	shows("1 failed")
}
