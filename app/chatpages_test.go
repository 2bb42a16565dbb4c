package app

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signalbox/chatops"
	"signalbox/internal/testenv"
	"signalbox/models"
)

// reads says what keeps people from reading a text on the page: it is not there, not shown, beyond the screen, or too close to the colour
// behind it. "" is nothing.
func (b *browser) reads(text string) string {
	b.t.Helper()
	problem, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`((want) => {
		const parts = (c) => (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
		const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const behind = (e) => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		let problem = "is not on the page";
		while (walk.nextNode()) {
			const n = walk.currentNode, at = n.data.indexOf(want);
			if (at < 0) continue;
			const e = n.parentElement, range = document.createRange();
			range.setStart(n, at); range.setEnd(n, at + want.length);
			const box = range.getBoundingClientRect();
			const a = light(parts(getComputedStyle(e).color).slice(0, 3)), z = light(behind(e).slice(0, 3)), contrast = (Math.max(a, z) + 0.05) / (Math.min(a, z) + 0.05);
			if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || box.width === 0) problem = "is hidden";
			else if (box.left < 0 || box.right > document.documentElement.clientWidth) problem = "stands beyond the screen";
			else if (contrast < 4.5) problem = "has a contrast of " + contrast.toFixed(1);
			else return "";
		}
		return problem;
	})(`+strconv.Quote(text)+`)`))
	if err != nil {
		b.t.Fatal(err)
	}
	return problem
}

// TestChatPages draws what each chat shows of commands that wait, run, end well and badly, are refused, and answer in private
// and with blocks: in light, dark and on a phone everything can be read. SIGNALBOX_SCREENSHOTS names the folder that gets pictures.
func TestChatPages(t *testing.T) {
	beside(t)
	program := testenv.Browser(t)
	for _, k := range chatKinds {
		t.Run(k.name, func(t *testing.T) {
			r := enter(t, k, models.Options{Dir: t.TempDir()}, withBot)
			r.say(r.anna, "run biuld")
			r.say(r.anna, "jobs")
			r.run("start")
			r.living("Start")
			id, _ := r.run("build")
			r.until("it waits", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
			r.h.run(id)
			r.artifacts(id, map[string][]byte{"graph.png": picture})
			r.log(id, section("chat_reply", "Deployed *1.2* to production, <all> went_well & so on\nsecond line")+section("chat_reply_private", "The password is hunter2")+
				section("chat_reply_json", `{"text": "Deployed to production", "fields": [{"title": "Version", "value": "1.2.0", "short": true}, {"title": "Took", "value": "3 min", "short": true}, {"title": "Notes", "value": "Two migrations ran."}],
				"links": [{"text": "Dashboard", "url": "https://grafana.example.com/d"}], "image": {"artifact": "graph.png", "alt": "Load after the deploy"}}`))
			r.h.success(id)
			r.once(r.eve, "second line")
			id, _ = r.run("other")
			r.until("it waits", func() bool { return len(r.saying(r.eve, "pending")) == 1 }) // its reply takes the place of this message
			r.h.run(id)
			r.log(id, section("step_script", "\x1b[32;1m$ make deploy\x1b[0;m\nmake: *** No rule to make target 'deploy'.  Stop."))
			r.h.fail(id)
			r.once(r.eve, "exit status 1")
			id, _ = r.run("third")
			r.h.run(id)
			for i := range 8 {
				r.log(id, fmt.Sprintf("compiling part %d of 20\n", i+1))
			}
			r.until("it runs", func() bool { r.pass(time.Second); return len(r.saying(r.eve, "compiling part 8")) == 1 })
			b := browse(t, program)
			for _, view := range views {
				b.look(view.scheme, view.width, view.height)
				b.do(chromedp.Navigate(r.Page(r.channel, r.anna)), chromedp.WaitVisible(`main .m`))
				for _, text := range []string{
					"did you mean", "Start", "second line", "hunter2", "Dashboard", "Two migrations ran.", "exit status 1", "compiling part 8", "Cancel", "Retry",
				} {
					if problem := b.reads(text); problem != "" {
						t.Errorf("%s%s: %q %s", k.name, view.suffix, text, problem)
					}
				}
				b.fits("the page of " + k.name + view.suffix)
				b.shot("chat-" + k.name + view.suffix)
			}
			b.do(chromedp.Navigate(r.Page(r.channel, r.eve)), chromedp.WaitVisible(`main .m`))
			if problem := b.reads("hunter2"); problem != "is not on the page" {
				t.Errorf("somebody else reads what is for the asker alone: %q", problem)
			}
		})
	}
}

// TestChatFormPages draws the forms of each chat, with what is wrong in them, in light, dark and on a phone.
func TestChatFormPages(t *testing.T) {
	beside(t)
	program := testenv.Browser(t)
	for _, k := range chatKinds {
		t.Run(k.name, func(t *testing.T) {
			r := enter(t, k, models.Options{Dir: t.TempDir()}, withBot)
			r.configure(formsConfig)
			r.say(r.anna, "run deploy replicas=many")
			id, _ := r.run("deploy production")
			r.ask(r.anna, r.livingOf(id, chatops.AgainLabel), chatops.AgainLabel)
			if k.name != "discord" {
				r.Submit(r.anna, map[string]string{"note": "NOT SO"})
			}
			b := browse(t, program)
			for _, view := range views {
				b.look(view.scheme, view.width, view.height)
				b.do(chromedp.Navigate(r.Page(r.channel, r.anna)), chromedp.WaitVisible(`main .m`))
				for _, text := range []string{"Fill in a form", "what for"} {
					if problem := b.reads(text); problem != "" {
						t.Errorf("%s%s: %q %s", k.name, view.suffix, text, problem)
					}
				}
				for _, filled := range []string{`option[selected]`, `[value="1"]`} {
					b.do(chromedp.WaitReady(filled))
				}
				b.fits("the form of " + k.name + view.suffix)
				b.shot("form-" + k.name + view.suffix)
			}
		})
	}
}
