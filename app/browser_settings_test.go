package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// at opens an address of the node.
func (b *browser) at(w *world, path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(w.node.Local+path), chromedp.WaitVisible(`main h1`))
}

// signIn signs in by the form, and whoever was signed in out by theirs.
func (b *browser) signIn(w *world, name string) {
	b.t.Helper()
	b.do(chromedp.Navigate(w.node.Local + "/"))
	b.says("Sign ")
	if strings.Contains(b.text(), "Sign out") {
		b.do(chromedp.Click(`form[action="/users/sign_out"] button`), chromedp.WaitVisible(`input[name="login"]`))
	}
	b.do(chromedp.Navigate(w.node.Local+"/users/sign_in"), chromedp.WaitVisible(`input[name="login"]`),
		chromedp.SendKeys(`input[name="login"]`, name), chromedp.SendKeys(`input[name="password"]`, name+"-password"), chromedp.Click(`main button`))
	b.says("Sign out")
}

// views shows pages in light, dark and on a phone, where each must fit, and takes pictures.
func (b *browser) views(w *world, pages map[string]string) {
	b.t.Helper()
	for _, view := range []struct {
		scheme        string
		width, height int64
		suffix        string
	}{{"dark", 1280, 900, "-dark"}, {"light", 390, 800, "-phone"}, {"light", 1280, 900, ""}} {
		b.look(view.scheme, view.width, view.height)
		for name, path := range pages {
			b.at(w, path)
			b.fits(name + view.suffix)
			b.shot(name + view.suffix)
		}
	}
}

// TestADeploymentIsApprovedInABrowser: one person protects an environment, what they deploy waits, another one approves.
func TestADeploymentIsApprovedInABrowser(t *testing.T) {
	beside(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	tokens := map[string]string{}
	for _, name := range []string{"keeper", "other"} {
		id, token := w.user(name)
		tokens[name] = token
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	}
	b.look("light", 1280, 900)
	b.signIn(w, "keeper")
	b.at(w, "/root/app")
	b.do(chromedp.Click(`.tabs a[href="/root/app/edit"]`), chromedp.WaitVisible(`a[href="/root/app/-/protected_environments"]`),
		chromedp.Click(`a[href="/root/app/-/protected_environments"]`), chromedp.WaitVisible(`input[name="name"]`),
		chromedp.SendKeys(`input[name="name"]`, "production"), chromedp.SetValue(`input[name="approvals"]`, "1"), chromedp.SendKeys(`input[name="approve_users"]`, "other"),
		chromedp.Click(`main form.card > .row button`))
	b.says("production is protected")
	b.says("1, from other")

	if out, err := w.tryPush("app", tokens["keeper"], "main", map[string]string{".gitlab-ci.yml": "deploy: {script: echo shipped, environment: production}"}); err != nil {
		t.Fatal(out)
	}
	w.pipeline("manual")
	place := fmt.Sprintf("/root/app/-/environments/%d", w.environment("production").ID)
	b.at(w, place)
	b.says("0 of 1 approvals")
	if strings.Contains(b.text(), "Approve") {
		t.Error("people may approve what they deploy themselves")
	}
	b.signIn(w, "other")
	b.at(w, "/root/app")
	b.do(chromedp.Click(`.tabs a[href="/root/app/-/environments"]`), chromedp.WaitVisible(`main a[href="`+place+`"]`), chromedp.Click(`main a[href="`+place+`"]`),
		chromedp.WaitVisible(`form[action$="/approve"] button`))
	b.views(w, map[string]string{
		"environment-blocked": place, "environments": "/root/app/-/environments", "protections": "/root/app/-/protected_environments", "protection": "/root/app/-/protected_environments?edit=1",
	})
	b.at(w, fmt.Sprintf("/root/app/-/jobs/%d", w.jobs(w.newest())["deploy"].ID))
	b.says("Waits for 1 approval before it deploys to production.")
	if strings.Contains(b.text(), "Start") {
		t.Error("the job's page offers what is refused")
	}
	b.shot("job-held")
	b.at(w, place)
	b.do(chromedp.Click(`main td details.confirm summary`), chromedp.WaitVisible(`form[action$="/reject"] button`))
	b.fits("environment-reject")
	b.shot("environment-reject")
	b.do(chromedp.Click(`form[action$="/approve"] button`))
	b.says("You approved deployment #1")
	w.pipeline("success")
	b.at(w, place)
	b.says("current")
	b.shot("environment-approved")
	if log := w.trace(w.jobs(w.newest())["deploy"].ID); !strings.Contains(log, "shipped") {
		t.Errorf("the log: %s", log)
	}
}

// TestWebhooksAndTriggerTokensInABrowser are made, tried and looked at.
func TestWebhooksAndTriggerTokensInABrowser(t *testing.T) {
	beside(t)
	l := listen(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{}, func(s *Settings) { s.PrivateHosts = append(s.PrivateHosts, strings.TrimPrefix(l.URL, "http://")) })
	w.runner()
	w.newProject("app")
	w.push("app", map[string]string{".gitlab-ci.yml": "build: {script: echo built}"})
	w.pipeline("success")
	b.look("light", 1280, 900)
	b.signIn(w, "root")
	b.at(w, "/root/app/edit")
	b.do(chromedp.Click(`a[href="/root/app/-/hooks"]`), chromedp.WaitVisible(`input[name="url"]`),
		chromedp.SendKeys(`input[name="url"]`, l.URL+"/hook"), chromedp.SendKeys(`input[name="name"]`, "Deploy bot"), chromedp.SendKeys(`input[name="token"]`, "s3cret-token"),
		chromedp.Click(`input[name="pipeline_events"]`), chromedp.Click(`main form.card > div:last-child button`))
	b.says("The webhook was saved")
	b.do(chromedp.SendKeys(`input[name="key"]`, "X-Team"), chromedp.SendKeys(`input[name="value"]`, "red"), chromedp.Click(`form[action$="/keys"].fields button`))
	b.says("X-Team was set")
	b.do(chromedp.SetValue(`select[name="trigger"]`, "pipeline_events"), chromedp.Click(`form[action$="/test"] button`))
	b.says("It arrived: the address answered 200")
	if got := l.all("Pipeline Hook"); len(got) != 1 || got[0].header.Get("X-Gitlab-Token") != "s3cret-token" || got[0].header.Get("X-Team") != "red" {
		t.Errorf("told %+v", got)
	}
	l.say(500)
	b.do(chromedp.Click(`form[action$="/retry"] button`))
	b.says("It did not arrive: 500")
	l.say(0)
	b.at(w, "/root/app/-/hooks/1/edit")
	b.do(chromedp.SetValue(`select[name="trigger"]`, "job_events"), chromedp.Click(`form[action$="/test"] button`))
	b.says("It arrived")
	w.must(201, "POST", "/projects/"+w.project+"/hooks", map[string]any{"url": "https://hooks.example.com/services/T0123456789/B0123456789/abcdefghijklmnopqrstuvwxyz0123456789", "enable_ssl_verification": false, "job_events": true, "deployment_events": true}, nil)

	b.do(chromedp.Click(`a[href="/root/app/-/triggers"]`), chromedp.WaitVisible(`input[name="description"]`),
		chromedp.SendKeys(`input[name="description"]`, "Nightly"), chromedp.Click(`main form.card button`))
	b.says("it is shown this once")
	b.shot("trigger-once")
	token := triggerToken.FindString(b.text())
	if got := w.apiAs("", "POST", fmt.Sprintf("/projects/%s/trigger/pipeline?token=%s&ref=main", w.project, token), nil, nil); got != 201 {
		t.Errorf("the token %q: %d", token, got)
	}
	b.at(w, "/root/app/-/triggers")
	if strings.Contains(b.text(), token) {
		t.Error("the token is shown twice")
	}
	b.views(w, map[string]string{
		"hooks": "/root/app/-/hooks", "hook": "/root/app/-/hooks/1/edit", "delivery": "/root/app/-/hooks/1/hook_logs/1", "triggers": "/root/app/-/triggers", "trigger": "/root/app/-/triggers?edit=1",
	})
	b.at(w, "/root/app/-/triggers")
	b.do(chromedp.Click(`main details.confirm summary`), chromedp.WaitVisible(`main details.confirm button`), chromedp.Click(`main details.confirm button`))
	b.says("No tokens yet")
}
