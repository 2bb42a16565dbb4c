package app

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/chatops"
	"signalbox/models"
)

// TestChatPages draws what each chat shows of commands that wait, run, end well and badly, are refused, and answer in private
// and with blocks, for looking at: SIGNALBOX_SCREENSHOTS names the
// folder that gets the pages.
func TestChatPages(t *testing.T) {
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
			res, err := http.Get(r.Page(r.channel, r.anna))
			noError(t, err)
			defer res.Body.Close()
			page, err := io.ReadAll(res.Body)
			noError(t, err)
			for _, want := range []string{"did you mean", "Start</button>", "second line", "hunter2", "Dashboard", "exit status 1", "compiling part 8", "Cancel</button>"} {
				if !strings.Contains(string(page), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if dir := os.Getenv("SIGNALBOX_SCREENSHOTS"); dir != "" {
				noError(t, os.WriteFile(filepath.Join(dir, "chat-"+k.name+".html"), page, 0o644))
			}
		})
	}
}

// TestChatFormPages draws the forms of each chat, with what is wrong in them, for looking at.
func TestChatFormPages(t *testing.T) {
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
			res, err := http.Get(r.Page(r.channel, r.anna))
			noError(t, err)
			defer res.Body.Close()
			page, err := io.ReadAll(res.Body)
			noError(t, err)
			for _, want := range []string{"Fill in a form</button>", "<option selected>production</option>", "what for", `value="1"`} {
				if !strings.Contains(string(page), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if dir := os.Getenv("SIGNALBOX_SCREENSHOTS"); dir != "" {
				noError(t, os.WriteFile(filepath.Join(dir, "form-"+k.name+".html"), page, 0o644))
			}
		})
	}
}
