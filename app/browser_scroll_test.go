package app

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// scrolled reads a truth about where the page is scrolled to.
func (b *browser) scrolled(what, script string) {
	b.t.Helper()
	if ok, err := chromedp.Run(b.tab, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(patience))); err != nil || !ok {
		b.t.Errorf("%s: %v", what, err)
	}
}

// TestALogIsOpenedWhereItIsRead: a running job's page follows at the end of its log, however often it is opened, and an
// address with lines shows those lines.
func TestALogIsOpenedWhereItIsRead(t *testing.T) {
	beside(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	flag := w.flag(t)
	w.push("app", map[string]string{".gitlab-ci.yml": `
talk:
  script:
    - seq 1 300
    - echo all is written
    - until [ -e "$FLAG" ]; do sleep 0.1; done
`})
	w.pipeline("running")
	job := w.jobs(w.pipelines()[0].ID)["talk"].ID
	b.signIn(w, "root")
	page := w.node.Local + "/root/app/-/jobs/" + itoa(job)
	w.eventually("the log", func() bool { return len(w.trace(job)) > 1000 })
	for range 3 {
		b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(page), chromedp.WaitVisible(`.log #L200`))
		b.scrolled("a running log is followed", `innerHeight + scrollY >= document.body.scrollHeight - 60 && document.body.scrollHeight > 2 * innerHeight`)
	}
	lines := `(() => { const r = (n) => document.getElementById("L" + n).getBoundingClientRect(); return r(95).top >= 0 && r(99).bottom <= innerHeight && document.querySelectorAll(".log .marked").length === 5; })()`
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(page+"#L95-L99"), chromedp.WaitVisible(`.log #L200`))
	b.scrolled("the lines of the address, while it runs", lines)
	noError(t, os.WriteFile(flag, nil, 0o644))
	w.pipeline("success")
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(page+"#L95-L99"), chromedp.WaitVisible(`.log #L200`))
	b.scrolled("the lines of the address, afterwards", lines)
}
