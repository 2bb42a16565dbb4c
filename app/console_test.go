package app

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/testenv"
	"signalbox/models"
)

const consoleConfig = `
stages: [test, deploy]

# Says hello, in colours.
hello:
  only: [chat]
  script:
    - printf 'section_start:1:chat_reply\r\033[0K\n\033[32mHello\033[0m %s\nsection_end:2:chat_reply\r\033[0K\n' "$CHAT_INPUT"

# Tells how the shop is, with a picture.
report:
  only: [chat]
  artifacts: {paths: [shop.png]}
  script:
    - printf 'section_start:1:chat_reply\r\033[0K\nThe shop is open.\nsection_end:2:chat_reply\r\033[0K\n'
    - printf 'section_start:3:chat_reply_json\r\033[0K\n%s\nsection_end:4:chat_reply_json\r\033[0K\n' '[{"text":"All is well","fields":[{"title":"Orders","value":"128","short":true},{"title":"Version","value":"v2.4.1","short":true}],"links":[{"text":"Dashboard","url":"https://example.com/dashboard"}]},{"image":{"artifact":"shop.png","alt":"Orders of today"}}]'
    - printf 'section_start:5:chat_reply_private\r\033[0K\nYour own %s are 7.\nsection_end:6:chat_reply_private\r\033[0K\n' sales

# Brings a version to production.
deploy:
  stage: deploy
  only: [chat]
  when: manual
  script: echo "deployed $CHAT_INPUT"

slow:
  only: [chat]
  script: [echo half of it is done, 'until [ -e "$FLAG" ]; do sleep 0.05; done', echo all of it is done]

broken:
  only: [chat]
  script: [echo looking, cat /no/such/file]
`

// TestTheConsoleIsAConversation: what is said is shown with its colours, blocks and pictures, to each what is for them.
func TestTheConsoleIsAConversation(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		keeper, dev := w.keeperAndDev()
		picture, err := os.ReadFile("../web/static/bot-144.png")
		if err != nil {
			t.Fatal(err)
		}
		w.push("app", map[string]string{".gitlab-ci.yml": consoleConfig, "shop.png": string(picture)})
		at := "/root/app/-/chat/commands"
		_, page, _ := keeper.get(at)
		for _, want := range []string{`data-say="run hello"`, "Says hello, in colours.", `data-say="run deploy"`, `href="?say=run&#43;report"`} {
			if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#43;", "%20")) {
				t.Errorf("the console has no %q", want)
			}
		}
		if _, page, _ := keeper.get(at + "?say=run+hello"); !strings.Contains(page, `value="run hello"`) {
			t.Error("a job of the list does not come into the line")
		}
		keeper.sends(at, at, "run report", url.Values{"text": {"run report"}})
		keeper.sends(at, at, "<code>run hello</code>", url.Values{"text": {"jobs"}})
		w.eventually("the reply", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, "Your own sales are 7.")
		})
		for _, want := range []string{
			"The shop is open.", "<dt>Orders</dt><dd>128</dd>", `<a href="https://example.com/dashboard"`, "/artifacts/file/shop.png", `alt="Orders of today"`,
			"Only you see this.", ">Run again</button>", `value="retry #`, `data-put="run report"`, ">Run again with other arguments</a>", "<strong>Jobs on",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the conversation has no %q", want)
			}
		}
		if strings.Contains(page, "Orders: 128") {
			t.Error("a block is told twice")
		}
		_, page, _ = dev.get(at)
		if strings.Contains(page, "Your own sales") || !strings.Contains(page, "The shop is open.") {
			t.Error("what is for the asker alone is shown to somebody else, or the reply is not")
		}

		if page = keeper.sends(at, at, "run deploy v3", url.Values{"text": {"run deploy v3"}}); strings.Contains(page, "console #console") {
			t.Error("the web chat's own channel is named for nothing")
		}
		w.eventually("the job waits", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, ">Start</button>")
		})
		job := w.jobs(w.newest())["deploy"].ID
		keeper.sends(at, at, "was started by", url.Values{"text": {fmt.Sprintf("play #%d", job)}})
		w.eventually("it is deployed", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, "deployed v3")
		})

		keeper.sends(at, at, "it has 4 jobs.", url.Values{"text": {"run stage test"}})
		group := w.newest()
		_, page, _ = keeper.get(at)
		for _, want := range []string{fmt.Sprintf(`value="cancel pipeline #%d"`, group), `data-put="run stage test"`} {
			if !strings.Contains(page, want) {
				t.Errorf("the command about a stage has no %q", want)
			}
		}
		keeper.sends(at, at, "canceled", url.Values{"text": {fmt.Sprintf("cancel pipeline #%d", group)}})
		w.eventually("it can be tried again", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, fmt.Sprintf(`value="retry pipeline #%d"`, group)) && strings.Contains(page, `class="status canceled"`)
		})

		keeper.sends(at, at, "run stage deploy", url.Values{"text": {"run stage deploy"}})
		play := fmt.Sprintf("play #%d", w.jobs(w.newest())["deploy"].ID)
		w.eventually("its job waits to be started", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, `value="`+play+`"`) && strings.Contains(page, ">Start deploy</button>") && strings.Contains(page, `class="status manual"`)
		})
		keeper.sends(at, at, "run stage deploy", url.Values{"text": {play}})
		w.eventually("the stage can be run again", func() bool {
			_, page, _ = keeper.get(at)
			return strings.Contains(page, `<input type="hidden" name="text" value="run stage deploy"><input type="hidden" name="pressed" value="1"><button class="slim plain" aria-label="Run again: run stage deploy">Run again</button>`)
		})
		if strings.Contains(page, `value="`+play+`"`) {
			t.Error("a job that has run can be started still")
		}

		if _, page, _ := keeper.get(at + "?search=deploy"); strings.Contains(page, "The shop is open.") || !strings.Contains(page, "deployed v3") || !strings.Contains(page, "export?format=csv&amp;search=deploy") {
			t.Errorf("the filter: %s", page)
		}
		if status, body, _ := keeper.get(at + "/export?format=csv&search=deploy"); status != 200 || !strings.Contains(body, "run deploy v3") || strings.Contains(body, "run report") {
			t.Errorf("the export: %d %s", status, body)
		}
		// The same from a shell: replies go to one place, what is said beside them to another.
		var out, beside bytes.Buffer
		shell := func(token string, words ...string) error {
			out.Reset()
			beside.Reset()
			return (&ChatCommand{URL: w.node.Local + "/", Token: token, Project: "root/app", Channel: "ops", Wait: patience, Text: words}).talk(t.Context(), &out, &beside)
		}
		if err := shell(rootToken, "run", "hello", "there"); err != nil || out.String() != "\x1b[32mHello\x1b[0m there\n" || !strings.Contains(beside.String(), "was started") {
			t.Errorf("from a shell: %v %q %q", err, out.String(), beside.String())
		}
		if err := shell(rootToken, "run report"); err != nil || !strings.Contains(out.String(), "The shop is open.\nAll is well") || !strings.HasSuffix(out.String(), "Your own sales are 7.\n") {
			t.Errorf("from a shell: %v %q", err, out.String())
		}
		if err := shell(rootToken, "jobs"); err != nil || !strings.Contains(out.String(), "`run hello`") || beside.Len() != 0 {
			t.Errorf("from a shell: %v %q %q", err, out.String(), beside.String())
		}
		if err := shell(rootToken, "run", "helo"); err == nil || !strings.Contains(err.Error(), "did you mean `hello`") || out.Len() != 0 {
			t.Errorf("refused to a shell: %v %q", err, out.String())
		}
		if err := shell("wrong", "jobs"); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("a shell with a wrong token: %v", err)
		}

		evil := `help <img src=x onerror=1> [x](javascript:alert(1)) ` + "`<b>`"
		page = keeper.sends(at, at, "did you mean", url.Values{"text": {"help repotr"}})
		page = keeper.sends(at, at, "there is no job", url.Values{"text": {evil}})
		if strings.Contains(page, "<img src=x") || strings.Contains(page, `href="javascript`) || strings.Contains(page, "<b>") || !strings.Contains(html.UnescapeString(page), "<img src=x") {
			t.Error("what is said is not escaped")
		}
	})
}

// TestTheConsoleInABrowser is lived in: history, completion, answers that come by themselves, buttons.
func TestTheConsoleInABrowser(t *testing.T) {
	beside(t)
	b := browse(t, testenv.Browser(t))
	w := start(t, models.Options{})
	w.runner()
	w.newProject("app")
	flag := w.flag(t)
	picture, err := os.ReadFile("../web/static/bot-144.png")
	if err != nil {
		t.Fatal(err)
	}
	w.push("app", map[string]string{".gitlab-ci.yml": consoleConfig, "shop.png": string(picture)})
	at := w.node.Local + "/root/app/-/chat/commands"
	b.do(chromedp.Navigate(w.node.Local+"/users/sign_in"), chromedp.WaitVisible(`main h1`))
	b.submit("form", "login", "root", "password", "root-password")
	b.says("Projects")
	b.do(chromedp.Navigate(at), chromedp.WaitVisible(`#say`))
	type key struct{ press, want string }
	line := func() string {
		t.Helper()
		text, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`document.querySelector("#say").value`))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	b.do(chromedp.SendKeys(`#say`, "hel"), chromedp.SendKeys(`#say`, "\t"))
	if got := line(); got != "run hello" {
		t.Errorf("completed to %q", got)
	}
	b.do(chromedp.SendKeys(`#say`, " world\r"))
	b.says("Hello world") // it comes by itself
	w.give(rootToken, "run report", "replied")
	b.says("The shop is open.") // so does what others say
	b.says("Your own sales are 7.")
	b.submit(`form.say`, "text", "run broken")
	b.says("/no/such/file")
	b.submit(`form.say`, "text", "run deploy v3")
	b.says("Start")
	b.submit(`li form:has(input[value^="play"])`)
	b.says("deployed v3")
	b.submit(`form.say`, "text", "run slow")
	b.says("half of it is done") // while it runs
	b.says("Cancel")
	b.shot("console-running")
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.says("all of it is done")
	b.submit(`form.say`, "text", "run helo")
	b.says("did you mean")
	b.submit(`form.say`, "text", "jobs")
	b.says("Jobs on main")
	for _, k := range []key{{"ArrowUp", "jobs"}, {"ArrowUp", "run helo"}, {"ArrowDown", "jobs"}} {
		_, err := chromedp.Run(b.tab, chromedp.Evaluate[bool](`document.querySelector("#say").dispatchEvent(new KeyboardEvent("keydown", {key: "`+k.press+`", bubbles: true, cancelable: true}))`))
		if got := line(); err != nil || got != k.want {
			t.Errorf("%s: %q %v", k.press, got, err)
		}
	}
	// A job of the list, and a command that was given, come into the line to be changed, also in what came while the page was open.
	b.do(chromedp.Click(`a[data-say="run report"]`))
	if got := line(); got != "run report" {
		t.Errorf("a job of the list: %q", got)
	}
	b.do(chromedp.Click(`a[data-put="run hello world"]`))
	if got := line(); got != "run hello world" {
		t.Errorf("run again with other arguments: %q", got)
	}
	b.shot("console-again")
	b.do(chromedp.SendKeys(`#say`, " and moon\r"))
	b.says("Hello world and moon")
	b.submit(`form.say`, "text", "run stage deploy")
	b.do(chromedp.WaitVisible(`a[data-put="run stage deploy"]`))
	b.says("1 job, to be started by hand: deploy (`play #")
	if _, err := chromedp.Run(b.tab, chromedp.Evaluate[bool](`document.querySelector('a[data-put="run stage deploy"]').click() || true`)); err != nil {
		t.Fatal(err) // a node may be renewed between two steps
	}
	if got := line(); got != "run stage deploy" {
		t.Errorf("a stage with other arguments: %q", got)
	}
	for _, view := range views {
		b.look(view.scheme, view.width, view.height)
		b.do(chromedp.Navigate(at), chromedp.WaitVisible(`#say`))
		b.fits("the console" + view.suffix)
		b.shot("console" + view.suffix)
		b.do(chromedp.Navigate(at+"?state=refused"), chromedp.WaitVisible(`#say`))
		b.fits("the filtered console" + view.suffix)
		b.shot("filter" + view.suffix)
		b.do(chromedp.Navigate(fmt.Sprintf("%s/%d", at, w.commands()[6].ID)), chromedp.WaitVisible(`main h1`))
		b.fits("a command" + view.suffix)
		b.shot("command" + view.suffix)
	}
}
