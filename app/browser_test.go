package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// TestAChatAccountIsLinkedInABrowser is what a person does: give a command, follow the link, sign in, agree,
// give the command again, look at its page.
func TestAChatAccountIsLinkedInABrowser(t *testing.T) {
	beside(t)
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

	b := browse(t, program)
	do, page, shot := b.do, b.says, b.shot
	do(chromedp.Navigate(linkIn(t, answer)), chromedp.WaitVisible(`input[name="login"]`))
	shot("sign-in")
	do(chromedp.SendKeys(`input[name="login"]`, "anna"), chromedp.SendKeys(`input[name="password"]`, "anna-password"),
		chromedp.Click(`main button`), chromedp.WaitVisible(`button[value="authorize"]`))
	shot("link")
	do(chromedp.Click(`button[value="authorize"]`), chromedp.WaitVisible(`main a[href="/"]`))
	page("acts as anna now")
	w.answer(s, "run several")
	c := w.command("replied")
	do(chromedp.Navigate(w.node.Local+"/root/ops"), chromedp.WaitVisible(`.list`))
	page("run several")
	shot("project")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/chat/commands/"+itoa(c.ID)), chromedp.WaitVisible(`pre.log span.f2`))
	page("$ echo before")
	shot("command")
	do(chromedp.Navigate(w.node.Local+"/root/ops/-/jobs/"+itoa(*c.JobID)), chromedp.WaitVisible(`.log`))
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

// browser is one tab of Chromium.
type browser struct {
	t   *testing.T
	tab context.Context
}

func browse(t *testing.T, program string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true), chromedp.WindowSize(1280, 900))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	tab, cancel = context.WithTimeout(tab, 5*time.Minute)
	t.Cleanup(cancel)
	return &browser{t, tab}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.tab, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) text() string {
	b.t.Helper()
	text, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil && b.tab.Err() != nil {
		b.t.Fatal(err)
	}
	return text // empty while a page is loading
}

func (b *browser) says(want string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(b.text(), want) {
		if time.Now().After(deadline) {
			b.t.Fatalf("the page does not say %q: %s", want, b.text())
		}
		<-tick.C
	}
}

// submit fills a form and sends it by its first button. Fields are names and values in turn.
func (b *browser) submit(form string, fields ...string) {
	b.t.Helper()
	raw, err := json.Marshal(append([]string{}, fields...))
	if err != nil {
		b.t.Fatal(err)
	}
	script := `(() => { const f = document.querySelector(` + strconv.Quote(form) + `); if (!f) return "no form"; const v = ` + string(raw) + `;
		for (let i = 0; i < v.length; i += 2) {
			const all = [...f.elements].filter((e) => e.name === v[i]);
			const choice = all.find((e) => (e.type === "radio" || e.type === "checkbox") && e.value === v[i + 1]);
			if (choice) choice.checked = true; else if (all.length) all[0].value = v[i + 1]; else return "no field " + v[i];
		}
		f.requestSubmit(f.querySelector("button")); return ""; })()`
	if problem, err := chromedp.Run(b.tab, chromedp.Evaluate[string](script)); err != nil || problem != "" {
		b.t.Fatalf("form %s: %s %v", form, problem, err)
	}
}

// shot writes a picture if SIGNALBOX_SCREENSHOTS names a folder.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("SIGNALBOX_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.tab, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// look shows the pages in a palette and a width.
func (b *browser) look(scheme string, width, height int64) {
	b.t.Helper()
	media := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
	b.do(media, chromedp.EmulateViewport(width, height))
}

// fits says whether a page is not wider than the screen.
func (b *browser) fits(what string) {
	b.t.Helper()
	wide, err := chromedp.Run(b.tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || wide > 0 {
		b.t.Errorf("%s is %d px wider than the screen: %v", what, wide, err)
	}
}

const walkConfig = `build:
  stage: build
  script:
    - for i in 1 2 3 4 5; do echo "compiling part $i"; done
    - 'printf "\\033[32mall parts are built\\033[0m\\n"'
    - mkdir -p out/docs && echo page > out/docs/index.html && echo bytes > out/app
  artifacts: {paths: [out], expire_in: 1 week}
unit:
  stage: test
  script: [echo all tests pass]
broken:
  stage: test
  script: [echo looking, cat no-such-file]
  allow_failure: true
release:
  stage: deploy
  when: manual
  script: [echo released]
`

// TestFirstSteps walks in a browser alone from the first sign-in to the first green pipeline, through the pages
// of daily work, in light and dark and on a phone.
func TestFirstSteps(t *testing.T) {
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.runner()
	at := func(path string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(w.node.Local + path) }
	submit := func(path, form string, fields ...string) {
		t.Helper()
		if path != "" {
			b.do(at(path), chromedp.WaitVisible(`main h1`))
		}
		b.submit(form, fields...)
	}
	b.look("light", 1280, 900)
	submit("/", `form`, "login", "root", "password", "root-password")
	b.says("No projects yet")
	submit("/projects/new", `form[action="/projects"]`, "path", "app", "description", "The shop", "readme", "1")
	b.says("The project is there")
	b.says(w.node.Local + "/root/app.git")
	w.project = "root%2Fapp"
	w.push("app", map[string]string{".gitlab-ci.yml": walkConfig})
	w.pipeline("success")
	submit("/root/app/-/pipelines/new", `main form`, "key", "WHO", "val", "me")
	b.says("Pipeline #")
	b.says("Start") // it comes by itself
	w.eventually("two pipelines to pass", func() bool {
		all := w.pipelines()
		return all[0].Status == "success" && all[1].Status == "success"
	})
	submit("/root/app/-/pipelines/"+itoa(w.pipelines()[0].ID), `form[action$="/play"]`)
	b.says("released")
	w.pipeline("success")
	b.says("success")
	pl := w.pipelines()[0].ID
	jobs := w.jobs(pl)
	b.do(at("/root/app/-/jobs/" + itoa(jobs["broken"].ID)))
	b.says("cat: no-such-file: No such file or directory")
	b.says("It failed: ")

	w.user("mira")
	submit("/root/app/-/project_members", `main form`, "username", "mira")
	b.says("Mira is Developer now")
	submit("/root/app/-/settings/ci_cd", `main form`, "key", "TOKEN", "value", "very-secret-1", "visibility", "masked")
	b.says("TOKEN was added")
	submit("", `main form`, "key", "SHORT", "value", "x", "visibility", "masked")
	b.says("A masked value has at least 8 characters")
	submit("/root/app/-/settings/repository", `main form`, "name", "release/*")
	b.says("release/* is protected")
	submit("/root/app/-/settings/integrations/slack", `main form`, "token", "chat-token")
	b.says("Saved")
	submit("", `form[action$="/test"]`)
	b.says("This chat can run: build")
	submit("/-/profile", `form[action="/-/profile/tokens"]`, "name", "laptop", "scopes", "api")
	b.says("glpat-")
	submit("/admin/runners", `main form`, "description", "big machine", "tags", "gpu")
	b.says("glrt-")
	b.do(at("/admin/runners"), chromedp.WaitVisible(`main h1`))
	if strings.Contains(b.text(), "glrt-") {
		t.Error("a runner's token is shown twice")
	}
	submit("/projects/new", `form[action="/groups"]`, "name", "Team", "path", "team")
	b.says("The group is there")
	submit("/groups/team/-/group_members", `main form`, "username", "mira")
	b.says("Mira is Developer now")
	submit("/root/app/edit", `main form`, "description", "The shop and its tools")
	b.says("The settings were saved")
	submit("/root/app/-/runners", `main form`, "description", "only here")
	b.says("glrt-")
	submit("/admin/settings", `main form`)
	b.says("The settings were saved")
	w.must(201, "POST", "/projects/"+w.project+"/releases", map[string]any{
		"tag_name": "v1.0", "ref": "main", "name": "The first one", "milestones": []string{"autumn"},
		"description": "# 1.0\n\n### Features\n\n* the shop **opens** ([a1b2c3](https://example.com/a1b2c3))\n* prices in `EUR`\n\n| size | price |\n|---|---|\n| small | 1 |\n\n> Thanks to all.",
		"assets":      map[string]any{"links": []any{map[string]any{"name": "shop.tar.gz", "url": "https://example.com/shop.tar.gz", "link_type": "package"}}},
	}, nil)

	pages := map[string]string{
		"home": "/", "new-project": "/projects/new", "project": "/root/app", "pipelines": "/root/app/-/pipelines", "pipeline": "/root/app/-/pipelines/" + itoa(pl),
		"job": "/root/app/-/jobs/" + itoa(jobs["broken"].ID), "run": "/root/app/-/pipelines/new", "members": "/root/app/-/project_members",
		"variables": "/root/app/-/settings/ci_cd", "protected": "/root/app/-/settings/repository", "chat": "/root/app/-/settings/integrations/slack",
		"edit": "/root/app/edit", "project-runners": "/root/app/-/runners", "commit": "/root/app/-/commit/main", "group": "/groups/team", "group-members": "/groups/team/-/group_members", "user": "/root",
		"releases": "/root/app/-/releases", "release": "/root/app/-/releases/v1.0", "file": "/root/app/-/blob/main/.gitlab-ci.yml",
		"artifacts": "/root/app/-/jobs/" + itoa(jobs["build"].ID) + "/artifacts/browse", "found": "/root/app/-/jobs/" + itoa(jobs["broken"].ID) + "?q=no-such",
		"commands": "/root/app/-/chat/commands", "profile": "/-/profile", "users": "/admin/users", "runners": "/admin/runners", "jobs": "/admin/jobs", "tasks": "/admin/tasks", "settings": "/admin/settings",
	}
	for _, view := range []struct {
		scheme        string
		width, height int64
		suffix        string
	}{{"light", 1280, 900, ""}, {"dark", 1280, 900, "-dark"}, {"light", 390, 800, "-phone"}} {
		b.look(view.scheme, view.width, view.height)
		for name, path := range pages {
			b.do(at(path), chromedp.WaitVisible(`main h1`))
			b.fits(name + view.suffix)
			b.shot(name + view.suffix)
		}
	}
}

// TestALogIsFollowedInABrowser: lines come while the job runs, sections close with their time, and at the end the
// page is what it would be if it were opened then.
func TestALogIsFollowedInABrowser(t *testing.T) {
	beside(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	flag := w.flag(t)
	w.push("app", map[string]string{".gitlab-ci.yml": `
talk:
  script:
    - printf 'section_start:100:first\r\033[0KThe first part\n\nwithin\n'
    - for i in $(seq 1 400); do printf "part of line $i "; sleep 0.05; echo "and its end"; [ -e "$FLAG" ] && break; done
    - printf 'section_end:165:first\r\033[0K\n'
    - echo the end
`})
	w.pipeline("running")
	job := w.jobs(w.pipelines()[0].ID)["talk"].ID
	b.do(chromedp.Navigate(w.node.Local+"/users/sign_in"), chromedp.WaitVisible(`main h1`))
	b.submit("form", "login", "root", "password", "root-password")
	b.says("Projects")
	b.do(chromedp.Navigate(w.node.Local+"/root/app/-/jobs/"+itoa(job)), chromedp.WaitVisible(`.log`))
	b.says("part of line 3 and its end")
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.says("the end")
	b.says("Job succeeded")
	b.says("Retry") // the head followed too
	lines := `[...document.querySelectorAll(".log .l, .log summary")].map((e) => e.innerText.replace(/\s+/g, " ").trim()).join("\n")`
	followed, err := chromedp.Run(b.tab, chromedp.Evaluate[string](lines))
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(w.node.Local+"/root/app/-/jobs/"+itoa(job)), chromedp.WaitVisible(`.log`))
	again, err := chromedp.Run(b.tab, chromedp.Evaluate[string](lines))
	if err != nil {
		t.Fatal(err)
	}
	if followed != again || strings.Contains(followed, "undefined") || !strings.Contains(followed, "The first part 01:05") {
		t.Errorf("followed:\n%s\nopened afterwards:\n%s", followed, again)
	}
}
