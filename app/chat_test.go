package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/chatops/slack"
	"signalbox/models"
	"signalbox/models/modelstest"
)

// chatSide is one of the two chats that a promise is checked through.
type chatSide struct {
	name string // slack or mattermost
	slug string
}

var chatSides = []chatSide{{"slack", "slack-slash-commands"}, {"mattermost", "mattermost-slash-commands"}}

const (
	chatToken = "chat-token-123"
	signing   = "signing-secret-456"
)

// eachChat checks a promise through both chats, with the built-in runner: one of them on SQLite and one on PostgreSQL, or with
// SIGNALBOX_TEST_ALL both on both. The web chat is on each.
func eachChat(t *testing.T, config string, f func(t *testing.T, w *world, s chatSide), options ...option) {
	t.Helper()
	onBoth(t, func(t *testing.T, o models.Options) {
		for i, s := range chatSides {
			if postgres := o.URL != ""; os.Getenv(allEnv) == "" && postgres != (i == 1) {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				if o.URL == "" {
					o.Dir = t.TempDir()
				} else {
					o = freshPostgres(t)
				}
				w := start(t, o, options...)
				w.newProject("ops")
				w.runner()
				w.push("ops", map[string]string{".gitlab-ci.yml": config, "scripts/hello.txt": "x"})
				w.integrate(s, nil)
				w.connect(s, "U1", "anna")
				f(t, w, s)
			})
		}
	})
}

// integrate sets a chat up for the project.
func (w *world) integrate(s chatSide, more map[string]any) {
	w.t.Helper()
	body := map[string]any{"token": chatToken, "reply_hosts": w.hosts}
	for k, v := range more {
		body[k] = v
	}
	w.must(200, "PUT", "/projects/"+w.project+"/integrations/"+s.slug, body, nil)
}

// connect makes a maintainer of the project and links a chat user to it.
func (w *world) connect(s chatSide, chatUser, name string) {
	w.t.Helper()
	id, _ := w.user(name)
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	_, answer := w.say(s, chatUser, "run anything")
	w.link(linkIn(w.t, answer), name, name+"-password")
}

var address = regexp.MustCompile(`https?://[^|)>\s]+/-/profile/chat_names/new\?token=[^|)>\s]+`)

func linkIn(t *testing.T, text string) string {
	t.Helper()
	l := address.FindString(text)
	if l == "" {
		t.Fatalf("no link in %q", text)
	}
	return l
}

func (w *world) form(s chatSide, user, text string) url.Values {
	w.sent++
	f := url.Values{
		"token": {chatToken}, "team_id": {"T1"}, "team_domain": {"team"}, "channel_id": {"C1"}, "channel_name": {"ops"}, "user_id": {user},
		"user_name": {"name-" + user}, "command": {"/ops"}, "text": {text}, "trigger_id": {fmt.Sprintf("trigger-%d", w.sent)},
		"response_url": {fmt.Sprintf("%s/hooks/%d", w.chat.URL, w.sent)},
	}
	return f
}

// say gives a command as the chat sends it, and returns the status and the text of the answer.
func (w *world) say(s chatSide, user, text string) (int, string) {
	w.t.Helper()
	return w.send(s, w.form(s, user, text), nil)
}

func (w *world) send(s chatSide, f url.Values, header http.Header) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest("POST", fmt.Sprintf("%s/api/v4/projects/%s/integrations/%s_slash_commands/trigger", w.node.Local, w.project, s.name), strings.NewReader(f.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	var a struct {
		Text    string `json:"text"`
		Message string `json:"message"`
	}
	json.Unmarshal(raw, &a)
	return res.StatusCode, a.Text + a.Message
}

// answer gives a command and waits for the reply that the chat gets.
func (w *world) answer(s chatSide, text string) string {
	w.t.Helper()
	f := w.form(s, "U1", text)
	path := strings.TrimPrefix(f.Get("response_url"), w.chat.URL)
	if status, a := w.send(s, f, nil); status != 200 || !strings.Contains(a, "was started") {
		w.t.Fatalf("%s: %d %s", text, status, a)
	}
	return w.posted(path)
}

func (w *world) posted(path string) string {
	w.t.Helper()
	w.eventually("a post to "+path, func() bool { return len(w.chat.all(path)) > 0 })
	return w.chat.all(path)[0].text()
}

// output is the job's own words in a post.
func output(s chatSide, text string) string {
	if s.name == "slack" {
		_, out, _ := strings.Cut(text, ">: ")
		return out
	}
	_, out, _ := strings.Cut(text, "Output=```shell\n")
	out, _, _ = strings.Cut(out, "\n```")
	return out
}

type commandJSON struct {
	ID              int64
	State           string
	Refusal         *string
	Reply           *string
	Acknowledgement string
	DeliveryError   *string `json:"delivery_error"`
	PipelineID      *int64  `json:"pipeline_id"`
	JobID           *int64  `json:"job_id"`
}

func (w *world) commands() []commandJSON {
	w.t.Helper()
	var out []commandJSON
	w.must(200, "GET", "/projects/"+w.project+"/chat/commands?per_page=100", nil, &out)
	return out
}

// command waits for the newest command to reach a state.
func (w *world) command(state string) commandJSON {
	w.t.Helper()
	var last commandJSON
	w.eventually("a command that is "+state, func() bool {
		all := w.commands()
		if len(all) == 0 {
			return false
		}
		last = all[0]
		return last.State == state
	})
	return last
}

func freshPostgres(t *testing.T) models.Options {
	t.Helper()
	return models.Options{URL: modelstest.Postgres(t)}
}

// pageConfig holds the jobs of GitLab's page, and what the promises need beside them.
const pageConfig = `
stages: [chatops]
hello-world:
  stage: chatops
  only: [chat]
  script:
    - echo "Hello World"
ls:
  stage: chatops
  only: [chat]
  script:
    - echo "This command will not be shown."
    - echo -e "section_start:$( date +%s ):chat_reply\r\033[0K\n$( ls scripts )\nsection_end:$( date +%s ):chat_reply\r\033[0K"
several:
  stage: chatops
  only: [chat]
  before_script:
    - echo before
  script:
    - echo main
vars:
  stage: chatops
  script:
    - echo "[$CHAT_INPUT] [$CHAT_CHANNEL] [$CHAT_CHANNEL_ID] [$CHAT_CHANNEL_NAME] [$CHAT_USER_ID] [$CHAT_USER_NAME] [$CI_PIPELINE_SOURCE]"
who:
  stage: chatops
  variables: {GITLAB_USER_NAME: nobody}
  script:
    - echo "$GITLAB_USER_LOGIN $GITLAB_USER_NAME"
deploy:
  stage: chatops
  only: [chat]
  when: manual
  script:
    - echo "deploying $CHAT_INPUT"
kept-out:
  stage: chatops
  except: [chat]
  script: echo pushed
fails:
  stage: chatops
  only: [chat]
  script:
    - echo first
    - cat missing-file
    - echo never
flaky:
  stage: chatops
  only: [chat]
  retry: 2
  artifacts: {paths: [made.txt]}
  script:
    - echo made > made.txt
    - test -z "$(true)" && echo "attempt" && false
silent:
  stage: chatops
  only: [chat]
  script:
    - printf 'section_start:1:chat_reply\r\033[0K\nsection_end:1:chat_reply\r\033[0K\n'
no-output:
  stage: chatops
  only: [chat]
  script: "true"
needy:
  stage: chatops
  only: [chat]
  needs: [hello-world]
  script: echo x
slow:
  stage: chatops
  only: [chat]
  script: sleep 60
`

func TestP1AJobRunsAndItsOutputReturnsToTheChannel(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run hello-world")); got != "Hello World" {
			t.Errorf("reply %q", got)
		}
		c := w.command("replied")
		if c.Reply == nil || *c.Reply != "Hello World" || c.PipelineID == nil {
			t.Errorf("command %+v", c)
		}
		if c := w.give(rootToken, "run hello-world", "replied"); deref(c.Reply) != "Hello World" || c.PipelineID == nil {
			t.Errorf("web chat: %+v", c)
		}
	})
}

func TestP2TheActionIsRunWithAJobAndArguments(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		for text, want := range map[string]string{
			"help": "Available commands", "start hello-world": "not valid", "run": "not valid", "runs hello-world": "not valid",
		} {
			if status, a := w.say(s, "U1", text); status != 200 || !strings.Contains(a, want) {
				t.Errorf("%q: %d %q", text, status, a)
			}
			state := map[bool]string{true: "replied", false: "refused"}[text == "help"]
			if c := w.give(rootToken, text, state); !strings.Contains(deref(c.Reply)+deref(c.Refusal), want) {
				t.Errorf("web chat, %q: %+v", text, c)
			}
		}
		if n := len(w.pipelines()); n != 1 {
			t.Errorf("%d pipelines, want the pushed one", n)
		}
	})
}

func TestP3ChatInputHoldsTheArguments(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run vars one  'two' $HOME $(id)")); !strings.HasPrefix(got, "[one  'two' $HOME $(id)] ") {
			t.Errorf("with arguments: %q", got)
		}
		if got := output(s, w.answer(s, "run vars")); !strings.HasPrefix(got, "[] ") {
			t.Errorf("without arguments: %q", got)
		}
		for text, want := range map[string]string{"run vars one  'two' $HOME $(id)": "[one  'two' $HOME $(id)] ", "run vars": "[] "} {
			if c := w.give(rootToken, text, "replied"); !strings.HasPrefix(deref(c.Reply), want) {
				t.Errorf("web chat, %q: %q", text, deref(c.Reply))
			}
		}
	})
}

func TestP4ChatChannelNamesTheChannel(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run vars")); got != "[] [ops] [C1] [ops] [U1] [name-U1] [chat]" {
			t.Errorf("%q", got)
		}
		f := w.form(s, "U1", "run vars")
		f.Set("channel_name", "directmessage")
		w.send(s, f, nil)
		if got := output(s, w.posted(strings.TrimPrefix(f.Get("response_url"), w.chat.URL))); !strings.HasPrefix(got, "[] [C1] [C1] [directmessage]") {
			t.Errorf("direct message: %q", got)
		}
		w.integrate(s, map[string]any{"channel_variable": "id"})
		if got := output(s, w.answer(s, "run vars")); !strings.HasPrefix(got, "[] [C1] [C1] [ops]") {
			t.Errorf("by id: %q", got)
		}
		if c := w.give(rootToken, "run vars", "replied"); deref(c.Reply) != "[] [ops] [ops] [ops] [root] [root] [chat]" {
			t.Errorf("web chat: %q", deref(c.Reply))
		}
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run vars"}, nil)
		if c := w.command("replied"); deref(c.Reply) != "[] [console] [console] [console] [root] [root] [chat]" {
			t.Errorf("web chat, without a channel: %q", deref(c.Reply))
		}
	})
}

func TestP5TheJobIsLookedUpOnTheDefaultBranch(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if out, err := w.tryPush("ops", rootToken, "other", map[string]string{".gitlab-ci.yml": "elsewhere: {script: echo x}"}); err != nil {
			t.Fatal(err, out)
		}
		const want = "no job `elsewhere` on the default branch `main`"
		if _, a := w.say(s, "U1", "run elsewhere"); !strings.Contains(a, want) {
			t.Errorf("%q", a)
		}
		if c := w.give(rootToken, "run elsewhere", "refused"); !strings.Contains(deref(c.Refusal), want) {
			t.Errorf("web chat: %q", deref(c.Refusal))
		}
	})
}

func TestP6ThePipelineHoldsOnlyThatJob(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		w.answer(s, "run hello-world")
		if jobs := w.jobs(w.pipelines()[0].ID); len(jobs) != 1 || jobs["hello-world"].Status == "" {
			t.Errorf("jobs %v", jobs)
		}
		if _, a := w.say(s, "U1", "run needy"); !strings.Contains(a, "needs") || !strings.Contains(a, "hello-world") {
			t.Errorf("required need: %q", a)
		}
		if c := w.give(rootToken, "run hello-world", "replied"); len(w.jobs(*c.PipelineID)) != 1 {
			t.Errorf("web chat: jobs %v", w.jobs(*c.PipelineID))
		}
		if c := w.give(rootToken, "run needy", "refused"); !strings.Contains(deref(c.Refusal), "needs 'hello-world' job") {
			t.Errorf("web chat, required need: %q", deref(c.Refusal))
		}
	})
}

func TestP7TheOutputOfAShortJobIsSent(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		w.answer(s, "run hello-world")
		w.command("replied")
		if c := w.give(rootToken, "run hello-world", "replied"); deref(c.Reply) != "Hello World" || c.DeliveryError != nil {
			t.Errorf("web chat: %+v", c)
		}
		w.settled()
		if n := len(w.chat.all("/hooks/")); n != 1 {
			t.Errorf("%d posts, want one", n)
		}
	})
}

func TestP8ALongJobIsSentByTheBotOrMarkedExpired(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		f := w.form(s, "U1", "run deploy production")
		_, a := w.send(s, f, nil)
		if !strings.Contains(a, "waits to be started") || !strings.Contains(a, "30 minutes") {
			t.Errorf("acknowledgement %q", a)
		}
		first := w.command("running")
		w.clock.set(31 * time.Minute)
		w.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, *first.JobID), nil, nil)
		c := w.command("expired")
		if c.Reply == nil || *c.Reply != "deploying production" || c.DeliveryError == nil {
			t.Errorf("late reply: %+v", c)
		}
		if n := len(w.chat.all("/hooks/")); n != 0 {
			t.Errorf("%d posts to a closed address", n)
		}
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot", "quiet": true})
		if _, a := w.say(s, "U1", "run deploy again"); strings.Contains(a, "30 minutes") {
			t.Errorf("acknowledgement with a bot token %q", a)
		}
		second := w.command("running")
		w.clock.set(62 * time.Minute)
		w.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, *second.JobID), nil, nil)
		w.command("replied")
		posts := w.chat.all("/api/")
		if len(posts) != 1 || posts[0].Auth != "Bearer xoxb-bot" {
			t.Errorf("posts of the bot: %v", posts)
		}
		third := w.give(rootToken, "run deploy at last", "running")
		if strings.Contains(third.Acknowledgement, "30 minutes") {
			t.Errorf("web chat, acknowledgement %q", third.Acknowledgement)
		}
		w.clock.set(93 * time.Minute)
		w.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, *third.JobID), nil, nil)
		if c := w.command("replied"); c.ID != third.ID || deref(c.Reply) != "deploying at last" {
			t.Errorf("web chat, late reply: %+v", c)
		}
	})
}

func TestP9RunNeedsDeveloperAndTheBranch(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		id, token := w.user("ben")
		typed := func(status int) {
			t.Helper()
			if got := w.apiAs(token, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run hello-world"}, nil); got != status {
				t.Errorf("web chat: %d, want %d", got, status)
			}
		}
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 20}, nil)
		_, a := w.say(s, "U2", "run hello-world")
		w.link(linkIn(t, a), "ben", "ben-password")
		if _, a := w.say(s, "U2", "run hello-world"); !strings.Contains(a, "may not run jobs") {
			t.Errorf("a reporter: %q", a)
		}
		typed(403)
		w.must(200, "PUT", fmt.Sprintf("/projects/%s/members/%d", w.project, id), map[string]any{"access_level": 30}, nil)
		if _, a := w.say(s, "U2", "run hello-world"); !strings.Contains(a, "on `main`: it is protected, and your role is Developer") {
			t.Errorf("a developer on a protected branch: %q", a)
		}
		if c := w.give(token, "run hello-world", "refused"); !strings.Contains(deref(c.Refusal), "on `main`: it is protected, and your role is Developer") {
			t.Errorf("web chat, a developer on a protected branch: %q", deref(c.Refusal))
		}
		w.must(200, "PUT", fmt.Sprintf("/projects/%s/members/%d", w.project, id), map[string]any{"access_level": 40}, nil)
		if _, a := w.say(s, "U2", "run hello-world"); !strings.Contains(a, "was started") {
			t.Errorf("a maintainer: %q", a)
		}
		w.give(token, "run hello-world", "replied")
		w.must(201, "POST", fmt.Sprintf("/users/%d/block", id), nil, nil)
		if _, a := w.say(s, "U2", "run hello-world"); !strings.Contains(a, "blocked") {
			t.Errorf("a blocked user: %q", a)
		}
		typed(403)
	})
}

func TestP10ExceptChatKeepsAJobOut(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if _, a := w.say(s, "U1", "run kept-out"); !strings.Contains(a, "except: [chat]") {
			t.Errorf("%q", a)
		}
		if c := w.command("refused"); c.Refusal == nil || c.PipelineID != nil {
			t.Errorf("%+v", c)
		}
		if c := w.give(rootToken, "run kept-out", "refused"); !strings.Contains(deref(c.Refusal), "except: [chat]") || c.PipelineID != nil {
			t.Errorf("web chat: %+v", c)
		}
	})
}

func TestP11AChatJobDoesWhatAnyJobCan(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		got := w.answer(s, "run flaky")
		w.command("replied")
		if !strings.Contains(got, "failed") || !strings.Contains(got, "attempt") {
			t.Errorf("%q", got)
		}
		if n := len(w.chat.all("/hooks/")); n != 1 {
			t.Errorf("%d posts after three attempts, want one", n)
		}
		attempts := func(pipeline int64) int {
			var all []jobJSON
			w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true", w.project, pipeline), nil, &all)
			return len(all)
		}
		if n := attempts(w.pipelines()[0].ID); n != 3 {
			t.Errorf("%d attempts", n)
		}
		if c := w.give(rootToken, "run flaky", "replied"); !strings.Contains(deref(c.Reply), "failed") || attempts(*c.PipelineID) != 3 {
			t.Errorf("web chat: %d attempts, %q", attempts(*c.PipelineID), deref(c.Reply))
		}
	})
}

func TestP12OnlyChatKeepsAJobOutOfOtherPipelines(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		w.eventually("the pushed pipeline", func() bool { return len(w.pipelines()) == 1 })
		jobs := w.jobs(w.pipelines()[0].ID)
		if _, there := jobs["hello-world"]; there || jobs["kept-out"].Name == "" {
			t.Errorf("pushed pipeline has %v", jobs)
		}
		before := len(w.pipelines())
		w.push("ops", map[string]string{".gitlab-ci.yml": "stages: [chatops]\na: {stage: chatops, only: [chat], script: echo only}"})
		if got := output(s, w.answer(s, "run a")); got != "only" {
			t.Errorf("%q", got)
		}
		if n := len(w.pipelines()); n != before+1 {
			t.Errorf("%d pipelines, want %d: the push makes none", n, before+1)
		}
		if c := w.give(rootToken, "run a", "replied"); deref(c.Reply) != "only" {
			t.Errorf("web chat: %q", deref(c.Reply))
		}
	})
}

func TestP13AManualJobWaitsToBeStarted(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		f := w.form(s, "U1", "run deploy production")
		_, a := w.send(s, f, nil)
		c := w.command("running")
		if !strings.Contains(a, "waits to be started") || !strings.Contains(a, fmt.Sprintf("/-/jobs/%d", *c.JobID)) {
			t.Errorf("%q", a)
		}
		if st := w.jobs(*c.PipelineID)["deploy"].Status; st != "manual" {
			t.Errorf("the job is %s", st)
		}
		w.must(200, "POST", fmt.Sprintf("/projects/%s/jobs/%d/play", w.project, *c.JobID), nil, nil)
		if got := output(s, w.posted(strings.TrimPrefix(f.Get("response_url"), w.chat.URL))); got != "deploying production" {
			t.Errorf("%q", got)
		}
		c = w.give(rootToken, "run deploy staging", "running")
		if st := w.jobs(*c.PipelineID)["deploy"].Status; st != "manual" || !strings.Contains(c.Acknowledgement, "waits to be started") {
			t.Errorf("web chat: the job is %s, %q", st, c.Acknowledgement)
		}
		w.give(rootToken, fmt.Sprintf("play #%d", *c.JobID), "replied")
		w.eventually("the reply in the web chat", func() bool {
			w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, c.ID), nil, &c)
			return c.State == "replied" && deref(c.Reply) == "deploying staging"
		})
	})
}

func TestP14TheJobKnowsItsUser(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run who")); got != "anna Anna" {
			t.Errorf("%q: the linked user, whom YAML variables do not override", got)
		}
		w.variable("GITLAB_USER_NAME", "from the project")
		if got := output(s, w.answer(s, "run who")); got != "anna from the project" {
			t.Errorf("%q: project variables override", got)
		}
		c := w.command("replied")
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/retry", w.project, *c.JobID), nil, nil)
		w.eventually("the reply of the retried job", func() bool {
			c := w.commands()[0]
			return c.State == "replied" && c.Reply != nil && *c.Reply == "root from the project"
		})
		if c := w.give(w.tokenOf("anna"), "run who", "replied"); deref(c.Reply) != "anna from the project" {
			t.Errorf("web chat: %q", deref(c.Reply))
		}
	})
}

func TestP15ASingleCommandRepliesWithItsOutput(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		got := w.answer(s, "run hello-world")
		if strings.Contains(got, "echo") || output(s, got) != "Hello World" {
			t.Errorf("%q", got)
		}
		if got := w.answer(s, "run no-output"); !strings.Contains(got, "finished, no output") {
			t.Errorf("no output: %q", got)
		}
		for job, want := range map[string]string{"hello-world": "Hello World", "no-output": "`no-output` finished, no output"} {
			if c := w.give(rootToken, "run "+job, "replied"); deref(c.Reply) != want {
				t.Errorf("web chat, %s: %q", job, deref(c.Reply))
			}
		}
	})
}

func TestP16SeveralCommandsAreReturnedWithTheirOutputs(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run several")); got != "$ echo before\nbefore\n$ echo main\nmain" {
			t.Errorf("%q", got)
		}
		c := w.command("replied")
		if !strings.Contains(*c.Reply, "\x1b[32;1m$ echo before\x1b[0;m") {
			t.Errorf("kept reply %q", *c.Reply)
		}
		w.integrate(s, map[string]any{"keep_ansi": true})
		kept := strings.Contains(w.answer(s, "run several"), "\x1b[32;1m")
		if kept != (s.name == "slack") {
			t.Errorf("colours kept: %v", kept)
		}
		if got := deref(w.give(rootToken, "run several", "replied").Reply); got != *c.Reply {
			t.Errorf("web chat: %q", got)
		}
	})
}

func TestP17AChatReplySectionIsTheWholeReply(t *testing.T) {
	eachChat(t, pageConfig, func(t *testing.T, w *world, s chatSide) {
		if got := output(s, w.answer(s, "run ls")); got != "hello.txt" {
			t.Errorf("%q", got)
		}
		before := len(w.chat.all("/hooks/"))
		w.say(s, "U1", "run silent")
		w.command("silent")
		if n := len(w.chat.all("/hooks/")); n != before {
			t.Errorf("an empty chat_reply was posted")
		}
		if c := w.give(rootToken, "run ls", "replied"); deref(c.Reply) != "hello.txt" {
			t.Errorf("web chat: %q", deref(c.Reply))
		}
		w.give(rootToken, "run silent", "silent")
	})
}

// Programs that the examples of the documentation call, and what is run of them, by job: a command, and a part of its reply.
var (
	programsOfExamples = map[string]string{
		"deploy":  "#!/bin/sh\nprintf 'section_start:1:chat_reply\\r\\033[0K\\nbrought to %s\\nsection_end:2:chat_reply\\r\\033[0K\\n' \"$*\"\n",
		"measure": "#!/bin/sh\necho measured > \"$2\"\n",
		"release": "#!/bin/sh\necho released \"$@\"\n",
	}
	runOfExamples = map[string][2]string{
		"deploy": {"run deploy production replicas=3", "brought to production 3"}, "bring": {"run pipeline production", "brought to production 1"},
		"ls": {"run ls", ".gitlab-ci.yml"}, "report": {"run report", "All quiet"}, "release": {"run release v1.2", "released v1.2"},
		"hello-world": {"run hello-world", "Hello World"},
	}
)

// TestP18ExamplesArePointedTo, and those of the documentation are right, and do what they say.
func TestP18ExamplesArePointedTo(t *testing.T) {
	beside(t)
	w := start(t, models.Options{Dir: t.TempDir()})
	w.newProject("ops")
	w.runner()
	w.variable("RELEASE_MANAGERS", "anna root")
	ran := 0
	for _, name := range []string{"../docs/chatops.md", "../README.md"} {
		page, err := os.ReadFile(name)
		if err != nil || name == "../docs/chatops.md" && !strings.Contains(string(page), "https://gitlab.com/gitlab-com/chatops") {
			t.Fatalf("the page for those who write chat jobs points to no examples: %v", err)
		}
		for _, e := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
			header, content, specified := strings.Cut(e[1], "---\n")
			if !specified {
				header, content = "", e[1]
			} else {
				header += "---\n"
			}
			if !strings.Contains(content, "stages:") {
				content = "stages: [chatops]\n" + content
			}
			files := map[string]string{".gitlab-ci.yml": header + content}
			for program, text := range programsOfExamples {
				files[program] = text
			}
			w.push("ops", files)
			var got struct {
				Valid  bool
				Errors []string
			}
			w.must(200, "GET", "/projects/"+w.project+"/ci/lint", nil, &got)
			if !got.Valid {
				t.Errorf("%s\n%v", e[1], got.Errors)
				continue
			}
			for job, run := range runOfExamples {
				if !strings.Contains("\n"+content, "\n"+job+":\n") {
					continue
				}
				ran++
				if c := w.give(rootToken, run[0], "replied"); !strings.Contains(deref(c.Reply), run[1]) {
					t.Errorf("%s: %q, want %q", run[0], deref(c.Reply), run[1])
				}
			}
		}
	}
	if ran != len(runOfExamples) {
		t.Errorf("%d examples were run", ran)
	}
}

// TestP19ABotIconCanBeDownloaded from fixed addresses, that the set-up pages name.
func TestP19ABotIconCanBeDownloaded(t *testing.T) {
	w := start(t, models.Options{Dir: t.TempDir()})
	for address, kind := range map[string]string{"bot.svg": "image/svg+xml", "bot-144.png": "image/png", "bot-512.png": "image/png"} {
		res, err := http.Get(w.node.Local + "/assets/" + address)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", address, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
}

func TestSlackSignature(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("ops")
	w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
	s := chatSides[0]
	w.integrate(s, map[string]any{"signing_secret": signing})
	f := w.form(s, "U1", "run hello-world")
	sign := func(secret string, at time.Time, body string) http.Header {
		stamp := fmt.Sprint(at.Unix())
		return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {slack.Signature(secret, stamp, []byte(body))}}
	}
	now := time.Now()
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"none":          {nil, 404},
		"forged":        {sign("other", now, f.Encode()), 404},
		"of other body": {sign(signing, now, "text=x"), 404},
		"old":           {sign(signing, now.Add(-6*time.Minute), f.Encode()), 404},
		"from tomorrow": {sign(signing, now.Add(6*time.Minute), f.Encode()), 404},
		"good":          {sign(signing, now, f.Encode()), 200},
	} {
		if status, text := w.send(s, f, c.header); status != c.status {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _ := w.send(s, url.Values{"ssl_check": {"1"}}, nil); status != 200 {
		t.Errorf("ssl_check: %d", status)
	}
}

// TestAChatJobIsAJobLikeAnyOther: with services, artifacts, an environment and another attempt it replies once, from the last.
func TestAChatJobIsAJobLikeAnyOther(t *testing.T) {
	config := `
deploy:
  services: [postgres:16]
  environment: {name: production, url: https://prod.example.com}
  artifacts: {paths: [built.txt]}
  retry: 1
  resource_group: production
  script:
    - echo built > built.txt
    - 'if [ ! -e "$MARKS/$CI_PIPELINE_ID" ]; then touch "$MARKS/$CI_PIPELINE_ID"; echo first attempt; exit 1; fi'
    - printf 'section_start:1:chat_reply\r\033[0K\n%s\nsection_end:2:chat_reply\r\033[0K\n' "deployed $CHAT_INPUT to $CI_ENVIRONMENT_NAME"
`
	eachChat(t, config, func(t *testing.T, w *world, s chatSide) {
		mark := t.TempDir()
		open(t, mark)
		if err := os.Chmod(mark, 0o777); err != nil {
			t.Fatal(err)
		}
		w.variable("MARKS", mark)
		f := w.form(s, "U1", "run deploy v1.2")
		if status, text := w.send(s, f, nil); status != 200 || !strings.Contains(text, "was started") {
			t.Fatalf("%d %s", status, text)
		}
		path := strings.TrimPrefix(f.Get("response_url"), w.chat.URL)
		if got := w.posted(path); !strings.Contains(got, "deployed v1.2 to production") || strings.Contains(got, "first attempt") {
			t.Errorf("reply %q", got)
		}
		w.command("replied")
		w.settled()
		if posts := w.chat.all(path); len(posts) != 1 {
			t.Errorf("%d replies", len(posts))
		}
		id := w.newest()
		var all []jobJSON
		w.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true", w.project, id), nil, &all)
		if len(all) != 2 || w.jobs(id)["deploy"].Status != "success" {
			t.Errorf("attempts %+v", all)
		}
		if e := w.environment("production"); e.LastDeployment == nil || e.LastDeployment.Deployable.ID != w.jobs(id)["deploy"].ID || e.ExternalURL == nil {
			t.Errorf("environment %+v", e)
		}
		if got := w.api("GET", fmt.Sprintf("/projects/%s/jobs/%d/artifacts/tree", w.project, w.jobs(id)["deploy"].ID), nil, nil); got != 200 {
			t.Errorf("artifacts: %d", got)
		}
	})
}
