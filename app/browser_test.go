package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// TestAChatAccountIsLinkedInABrowser is what a person does: give a command, follow the link, sign in, agree,
// give the command again, look at its page.
func TestAChatAccountIsLinkedInABrowser(t *testing.T) {
	program := testenv.Browser(t)
	w := start(t, models.Options{})
	w.newProject("ops")
	w.runner()
	w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
	s := chatSides[0]
	w.integrate(s, nil)
	id, _ := w.user("anna")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	_, answer := w.say(s, "U1", "run several")

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	tab, cancel := chromedp.NewContext(alloc)
	defer cancel()
	tab, cancel = context.WithTimeout(tab, 90*time.Second)
	defer cancel()
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	page := func(want string) {
		t.Helper()
		text, err := chromedp.Run(tab, chromedp.Text("body"))
		if err != nil || !strings.Contains(text, want) {
			t.Fatalf("the page does not say %q: %s %v", want, text, err)
		}
	}
	shot := func(name string) {
		t.Helper()
		dir := os.Getenv("SIGNALBOX_SCREENSHOTS")
		if dir == "" {
			return
		}
		png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do(chromedp.Navigate(linkIn(t, answer)), chromedp.WaitVisible(`input[name="login"]`))
	shot("sign-in")
	do(chromedp.SendKeys(`input[name="login"]`, "anna"), chromedp.SendKeys(`input[name="password"]`, "anna-password"),
		chromedp.Click(`main button`), chromedp.WaitVisible(`button[value="authorize"]`))
	shot("link")
	do(chromedp.Click(`button[value="authorize"]`), chromedp.WaitVisible(`main a[href="/"]`))
	page("acts as anna now")
	w.answer(s, "run several")
	c := w.command("replied")
	do(chromedp.Navigate(w.node.Local+"/root/ops"), chromedp.WaitVisible(`table`))
	page("run several")
	shot("project")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/chat/commands/"+itoa(c.ID)), chromedp.WaitVisible(`pre.log span.f2`))
	page("$ echo before")
	shot("command")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/jobs/"+itoa(*c.JobID)), chromedp.WaitVisible(`pre.log`))
	page("Job succeeded")
	shot("job")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/pipelines/"+itoa(*c.PipelineID)), chromedp.WaitVisible(`.stages`))
	page("several")
	shot("pipeline")
	w.say(s, "U1", "run deploy production")
	manual := w.command("running")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/jobs/"+itoa(*manual.JobID)), chromedp.WaitVisible(`main form button`), chromedp.Click(`main form button`))
	if got := w.command("replied"); got.Reply == nil || *got.Reply != "deploying production" {
		t.Errorf("the job that was started in the browser replied %+v", got)
	}
}
