package app

import (
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// ops is a project with both chats set up and a linked user, without a runner.
func ops(t *testing.T, o models.Options, config string, options ...option) *world {
	t.Helper()
	w := start(t, o, options...)
	w.newProject("ops")
	w.push("ops", map[string]string{".gitlab-ci.yml": config})
	w.integrate(chatSides[0], nil)
	w.connect(chatSides[0], "U1", "anna")
	return w
}

func TestABrokenConfiguration(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := ops(t, o, "job:\n  script: x\n  whenn: manual\n")
		var p pipelineJSON
		w.must(200, "GET", "/projects/"+w.project+"/pipelines/"+itoa(w.pipeline("failed").ID), nil, &p)
		if p.YAMLErrors == nil || !strings.Contains(*p.YAMLErrors, ".gitlab-ci.yml:3:3") || !strings.Contains(*p.YAMLErrors, "contains unknown keys: whenn") {
			t.Errorf("pushed: %+v", p)
		}
		_, a := w.say(chatSides[0], "U1", "run job")
		if !strings.Contains(a, "unknown keys: whenn") || !strings.Contains(a, "    3 |   whenn: manual") {
			t.Errorf("chat: %q", a)
		}
		if c := w.command("refused"); c.PipelineID != nil || len(w.pipelines()) != 1 {
			t.Errorf("chat stored a pipeline: %+v", c)
		}
	})
}

// TestANeededJobIsKeptOutByRules: the pipeline is refused in GitLab's words, unless the need is optional.
func TestANeededJobIsKeptOutByRules(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		config := func(need string) map[string]string {
			return map[string]string{".gitlab-ci.yml": "stages: [build, deploy]\nx: {stage: build, script: x, rules: [{when: never}]}\n" +
				"other: {stage: build, script: x}\ndeploy: {stage: deploy, script: x, needs: [" + need + "]}"}
		}
		const words = "'deploy' job needs 'x' job, but 'x' does not exist in the pipeline. This might be because of the only, except, or rules keywords. " +
			"To need a job that sometimes does not exist in the pipeline, use needs:optional."
		id := w.pushed("app", config("x"))
		if p := w.of(id); p.Status != "failed" || p.YAMLErrors == nil || *p.YAMLErrors != words || len(w.jobs(id)) != 0 {
			t.Errorf("pushed: %+v", p)
		}
		w.refused(400, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main"}, `{"message":{"base":["`+words+`"]}}`)
		id = w.pushed("optional", config("{job: x, optional: true}"))
		if got := statuses(w.jobs(id)); got != "deploy:pending other:pending" {
			t.Errorf("an optional need: %s", got)
		}
	})
}

func TestUnknownChatUsersProjectsAndTokens(t *testing.T) {
	w := ops(t, models.Options{}, pageConfig)
	s := chatSides[0]
	_, a := w.say(s, "U9", "run hello-world")
	link := linkIn(t, a)
	if c := w.command("refused"); c.Refusal == nil || !strings.Contains(*c.Refusal, "not linked") || strings.Contains(*c.Refusal, "token=") {
		t.Errorf("unlinked: %+v", c)
	}
	w.user("ben")
	w.link(link, "ben", "ben-password")
	if _, a := w.say(s, "U9", "run hello-world"); !strings.Contains(a, "may not run") {
		t.Errorf("linked, but no member: %q", a)
	}
	at, err := url.Parse(link)
	noError(t, err)
	w.user("mallory")
	for _, name := range []string{"ben", "mallory"} { // a page is good once, whoever comes
		v := w.visitor(name, name+"-password")
		if status, page, _ := v.get(at.RequestURI()); status != 404 || !strings.Contains(page, "used before") {
			t.Errorf("the page of a link that %s opens again: %d", name, status)
		}
		if status, _, _ := v.post(at.Path, url.Values{"token": {at.Query().Get("token")}, "decision": {"authorize"}}, at.RequestURI()); status != 404 {
			t.Errorf("a link that %s uses again: %d", name, status)
		}
	}
	var who auditJSON
	w.must(200, "GET", "/projects/"+w.project+"/chat/commands/"+itoa(w.commands()[0].ID), nil, &who)
	if who.User == nil || who.User.Username != "ben" {
		t.Errorf("it was given by %+v", who.User)
	}
	_, a = w.say(s, "U8", "run hello-world")
	at, err = url.Parse(linkIn(t, a))
	noError(t, err)
	w.clock.set(11 * time.Minute)
	if status, _, _ := w.visitor("mallory", "mallory-password").get(at.RequestURI()); status != 404 {
		t.Errorf("a link after eleven minutes: %d", status)
	}
	_, wrong := w.say(s, "U1", "run hello-world")
	if !strings.Contains(wrong, "was started") {
		t.Fatalf("%q", wrong)
	}
	f := w.form(s, "U1", "run hello-world")
	f.Set("token", "wrong")
	badStatus, badText := w.send(s, f, nil)
	good := w.project
	w.project = "99999"
	noStatus, noText := w.say(s, "U1", "run hello-world")
	w.project = good
	w.integrate(s, map[string]any{"active": false})
	offStatus, offText := w.say(s, "U1", "run hello-world")
	if badStatus != 404 || noStatus != 404 || offStatus != 404 || badText != noText || noText != offText || badText != "404 Integration Not Found" {
		t.Errorf("wrong token %d %q, no project %d %q, inactive %d %q", badStatus, badText, noStatus, noText, offStatus, offText)
	}
	if status, _ := w.send(s, url.Values{"text": {"run x"}}, nil); status != 400 {
		t.Errorf("no token: %d", status)
	}
}

func TestTheSameDeliveryTwiceAtTheSameMoment(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := ops(t, o, pageConfig)
		before := len(w.pipelines())
		f := w.form(chatSides[0], "U1", "run hello-world")
		var wg sync.WaitGroup
		answers := make([]string, 8)
		for i := range answers {
			wg.Go(func() { _, answers[i] = w.send(chatSides[0], f, nil) })
		}
		wg.Wait()
		for _, a := range answers {
			if a != answers[0] || !strings.Contains(a, "was started") {
				t.Errorf("answers differ: %q, %q", a, answers[0])
			}
		}
		if n := len(w.pipelines()) - before; n != 1 {
			t.Errorf("%d pipelines", n)
		}
	})
}

func TestReplyAddresses(t *testing.T) {
	beside(t)
	for name, c := range map[string]struct {
		answer func(n int) int
		state  string
		reason string
		posts  int
	}{
		"answers 500 first":   {func(n int) int { return map[bool]int{true: 500, false: 200}[n == 1] }, "replied", "", 2},
		"never answers first": {func(n int) int { return map[bool]int{true: hang, false: 200}[n == 1] }, "replied", "", 2},
		"redirects inward":    {func(int) int { return 302 }, "undeliverable", "redirects", 1},
		"is gone":             {func(int) int { return 404 }, "undeliverable", "404", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := ops(t, models.Options{}, pageConfig, func(s *Settings) { s.PostTimeout = 300 * time.Millisecond })
			w.chat.answer = c.answer
			w.runner()
			w.say(chatSides[0], "U1", "run hello-world")
			got := w.command(c.state)
			if got.Reply == nil || *got.Reply != "Hello World" {
				t.Errorf("the reply is not kept: %+v", got)
			}
			if c.reason != "" && (got.DeliveryError == nil || !strings.Contains(*got.DeliveryError, c.reason)) {
				t.Errorf("reason %v", got.DeliveryError)
			}
			if n := len(w.chat.all("/hooks/")); n != c.posts {
				t.Errorf("%d posts, want %d", n, c.posts)
			}
		})
	}
}

func TestRepliesGoOnlyWhereTheIntegrationAllows(t *testing.T) {
	beside(t)
	w := ops(t, models.Options{}, pageConfig)
	w.runner()
	w.integrate(chatSides[0], map[string]any{"reply_hosts": []string{}})
	_, a := w.say(chatSides[0], "U1", "run hello-world")
	if !strings.Contains(a, "does not allow replies to") {
		t.Errorf("%q", a)
	}
	c := w.command("undeliverable")
	if c.DeliveryError == nil || !strings.Contains(*c.DeliveryError, "does not allow") || len(w.chat.all("/")) != 0 {
		t.Errorf("%+v", c)
	}
	inward := start(t, models.Options{}, func(s *Settings) { s.PrivateHosts = nil })
	inward.newProject("ops")
	inward.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
	inward.integrate(chatSides[0], nil)
	inward.connect(chatSides[0], "U1", "anna")
	inward.runner()
	inward.say(chatSides[0], "U1", "run hello-world")
	if c := inward.command("undeliverable"); !strings.Contains(*c.DeliveryError, "private network") || len(inward.chat.all("/")) != 0 {
		t.Errorf("into a private network: %+v", c)
	}
}

func TestPushesAreAskedRefByRef(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	files := map[string]string{".gitlab-ci.yml": "job: {script: x}"}
	w.push("app", files)
	id, token := w.user("dev")
	if out, err := w.tryPush("app", token, "feature", map[string]string{"a": "b"}); err == nil || !strings.Contains(out, "could not be found") {
		t.Errorf("a stranger: %v %s", err, out)
	}
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
	if out, err := w.tryPush("app", token, "main", map[string]string{"a": "b"}); err == nil || !strings.Contains(out, "protected ref main") {
		t.Errorf("a developer on main: %v %s", err, out)
	}
	if out, err := w.tryPush("app", token, "feature", map[string]string{"a": "b"}); err != nil {
		t.Errorf("a developer on a branch: %v %s", err, out)
	}
	before := len(w.pipelines())
	if out, err := w.tryPush("app", rootToken, "main", files, "--force"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	for _, ref := range []string{"refs/pipelines/1", "refs/merge-requests/1/head", "refs/keep-around/x"} {
		if out, err := w.pushTo("app", rootToken, "HEAD:"+ref); err == nil || !strings.Contains(out, "cannot be pushed") {
			t.Errorf("%s: %v %s", ref, err, out)
		}
	}
	if out, err := w.pushTo("app", rootToken, ":refs/heads/main"); err == nil || !strings.Contains(out, "cannot be deleted") {
		t.Errorf("deleting main: %v %s", err, out)
	}
	if out, err := w.pushTo("app", "glpat-wrong", "HEAD:refs/heads/x"); err == nil || !strings.Contains(out, "Authentication failed") && !strings.Contains(out, "Access denied") {
		t.Errorf("a wrong token: %v %s", err, out)
	}
	w.eventually("the pipeline of the last push", func() bool { return len(w.pipelines()) > before })
}

func TestTheDatabaseGoesAwayAndComesBack(t *testing.T) {
	beside(t)
	dir := t.TempDir()
	open(t, dir)
	server, err := testenv.StartPostgres(dir, false)
	if testenv.IsMissing(err) {
		testenv.Missing(t, "PostgreSQL")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	w := ops(t, models.Options{URL: server.URL + "/postgres?sslmode=disable"}, pageConfig)
	if err := syscall.Kill(server.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resumed := make(chan struct{})
	go func() { // what is asked meanwhile waits, and is answered once the database is back
		defer close(resumed)
		if _, a := w.say(chatSides[0], "U1", "run hello-world"); !strings.Contains(a, "was started") && !strings.Contains(a, "Working on it") {
			t.Errorf("%q", a)
		}
	}()
	syscall.Kill(server.PID(), syscall.SIGCONT)
	<-resumed
	server.Restart(t, func() {
		var body struct{ Message string }
		if status := w.api("GET", "/projects/"+w.project, nil, &body); status != 503 || !strings.Contains(body.Message, "database") {
			t.Errorf("without a database: %d %q", status, body.Message)
		}
		if status, _ := w.say(chatSides[0], "U1", "run hello-world"); status != 503 {
			t.Errorf("a command without a database: %d", status)
		}
	})
	w.eventually("the node to recover", func() bool { return w.api("GET", "/projects/"+w.project, nil, nil) == 200 })
	w.runner()
	w.answer(chatSides[0], "run hello-world")
}

func TestAnUnwritableDataDirectoryIsSaid(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/proc/nowhere", file} {
		_, err := Start(t.Context(), Settings{Listen: "127.0.0.1:0", Data: dir}, (&Settings{LogLevel: "error"}).Logger())
		if err == nil || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	_, err := Start(t.Context(), Settings{
		Listen: "127.0.0.1:0", Data: t.TempDir(), DatabaseURL: "postgres://u:geheim@127.0.0.1:1/x", Repositories: t.TempDir(), SecretKeyFile: key(t),
	}, (&Settings{LogLevel: "error"}).Logger())
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("no database: %v", err)
	}
}

func key(t *testing.T) string {
	path := t.TempDir() + "/key"
	if err := os.WriteFile(path, []byte("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
