package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/runnerproto/shellrunner"
)

const (
	// serveEnv makes this test's own binary run `signalbox serve` instead of tests.
	serveEnv = "SIGNALBOX_TEST_SERVE"
	// dieEnv makes it kill itself when it asks for the time once more than so often, which it does between all that it
	// reads and writes.
	dieEnv = "SIGNALBOX_TEST_DIE"
	// laterEnv sets its clock on; the others say where chats are.
	laterEnv   = "SIGNALBOX_TEST_LATER"
	slackEnv   = "SIGNALBOX_TEST_SLACK"
	discordEnv = "SIGNALBOX_TEST_DISCORD"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(serveEnv); address != "" {
		serveForTest(address)
		return
	}
	testenv.Main(m)
}

func serveForTest(address string) {
	c := ServeCommand{Settings{
		Listen: address, Data: os.Getenv("SIGNALBOX_DATA"), PrivateHosts: []string{os.Getenv("SIGNALBOX_PRIVATE_HOSTS")}, LogLevel: "info",
		DatabaseURL: os.Getenv("SIGNALBOX_DATABASE_URL"), Repositories: os.Getenv("SIGNALBOX_REPOSITORIES"), SecretKeyFile: os.Getenv("SIGNALBOX_SECRET_KEY_FILE"),
		AcceptWithin: 2 * time.Second, HoldPolls: 2 * time.Second,
	}}
	c.SlackAPI, c.DiscordAPI, c.PostTimeout = os.Getenv(slackEnv), os.Getenv(discordEnv), 10*time.Second
	if later, _ := time.ParseDuration(os.Getenv(laterEnv)); later > 0 {
		c.Now = func() time.Time { return time.Now().Add(later) }
	}
	if most, _ := strconv.ParseInt(os.Getenv(dieEnv), 10, 64); most > 0 {
		var asked atomic.Int64
		c.Now = func() time.Time {
			if asked.Add(1) > most {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return time.Now()
		}
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a node in a process of its own, which can be killed.
type process struct {
	*world
	cmd     *exec.Cmd
	address string
	env     []string
}

func spawn(t *testing.T, o models.Options, env ...string) *process {
	t.Helper()
	dir := t.TempDir()
	open(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	chat := newFakeChat(t)
	host := strings.TrimPrefix(chat.URL, "http://")
	p := &process{address: address, world: &world{t: t, chat: chat, hosts: []string{host}, node: &Node{Local: "http://" + address}}}
	p.env = append(os.Environ(), serveEnv+"="+address, "SIGNALBOX_DATA="+filepath.Join(dir, "data"), "SIGNALBOX_PRIVATE_HOSTS="+host,
		"SIGNALBOX_ROOT_TOKEN="+rootToken, "SIGNALBOX_ROOT_PASSWORD=root-password")
	p.env = append(p.env, env...)
	if o.URL != "" {
		p.env = append(p.env, "SIGNALBOX_DATABASE_URL="+o.URL, "SIGNALBOX_REPOSITORIES="+filepath.Join(dir, "repositories"), "SIGNALBOX_SECRET_KEY_FILE="+key(t))
	}
	p.run()
	t.Cleanup(p.kill)
	return p
}

// start brings the process up without waiting until it answers.
func (p *process) start(env ...string) {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(slices.Clone(p.env), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) run(env ...string) {
	p.t.Helper()
	p.start(env...)
	p.eventually("the node to answer", func() bool {
		res, err := http.Get(p.node.Local + "/-/readiness")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// work runs a built-in runner that outlives the node.
func (p *process) work() {
	p.t.Helper()
	var r struct{ Token string }
	p.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
	user, err := UnprivilegedUser()
	if err != nil {
		p.t.Fatal(err)
	}
	dir := p.t.TempDir()
	open(p.t, dir)
	runner, err := shellrunner.New(shellrunner.Options{
		URL: p.node.Local, Token: r.Token, Dir: filepath.Join(dir, "builds"), User: user, Log: slog.New(slog.DiscardHandler), PollPause: 50 * time.Millisecond,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); runner.Run(ctx) }()
	p.t.Cleanup(func() { stop(); <-done })
}

// killConfig has a job that goes on while a file is there, so that a test decides when it ends.
const killConfig = `
job:
  only: [chat]
  script:
    - for i in 1 2 3; do echo "line $i"; done
    - while [ -e %s ]; do sleep 0.05; done
    - echo "section_start:1:chat_reply"$'\r\033[0K'; echo whole; echo "section_end:1:chat_reply"$'\r\033[0K'
`

// TestKillingTheNode ends the node without warning at each step of a chat command. After a restart the job
// goes on or is handed out again, its log is whole, and its reply comes.
func TestKillingTheNode(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		for _, step := range []string{"after the acknowledgement", "while the job is offered", "while the job runs", "while the log is sent", "before the reply", "while the reply is sent"} {
			t.Run(step, func(t *testing.T) {
				if o.URL != "" {
					o = freshPostgres(t)
				}
				p := spawn(t, o)
				dir := t.TempDir()
				open(t, dir)
				gate := filepath.Join(dir, "gate")
				p.newProject("ops")
				p.push("ops", map[string]string{".gitlab-ci.yml": fmt.Sprintf(killConfig, gate)})
				s := chatSides[0]
				p.integrate(s, nil)
				p.connect(s, "U1", "anna")
				p.killAt(step, s, gate)
				p.eventually("the command to be answered", func() bool {
					all := p.tryCommands()
					return len(all) > 0 && all[0].State == "replied"
				})
				c := p.commands()[0]
				if c.Reply == nil || *c.Reply != "whole" {
					t.Errorf("%+v", c)
				}
				log := p.trace(*c.JobID)
				for _, want := range []string{"\nline 1\n", "\nline 2\n", "\nline 3\n", "\nwhole\n", "Job succeeded"} {
					if strings.Count(log, want) != 1 {
						t.Errorf("log has %q %d times:\n%s", want, strings.Count(log, want), log)
					}
				}
				if len(p.chat.all("/hooks/")) == 0 {
					t.Error("no reply was posted")
				}
				if n := len(p.jobs(*c.PipelineID)); n != 1 || len(p.pipelines()) != 1 {
					t.Errorf("%d jobs, %d pipelines", n, len(p.pipelines()))
				}
			})
		}
	})
}

func (p *process) tryCommands() []commandJSON {
	var out []commandJSON
	p.api("GET", "/projects/"+p.project+"/chat/commands", nil, &out)
	return out
}

func (p *process) restart() { p.kill(); p.run() }

func (p *process) killAt(step string, s chatSide, gate string) {
	t := p.t
	t.Helper()
	hold := func() {
		if err := os.WriteFile(gate, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	release := func() { os.Remove(gate) }
	hold()
	say := func() { p.say(s, "U1", "run job") }
	running := func() {
		p.eventually("the job's first lines", func() bool {
			all := p.tryCommands()
			return len(all) > 0 && all[0].JobID != nil && strings.Contains(p.trace(*all[0].JobID), "line 3")
		})
	}
	switch step {
	case "after the acknowledgement":
		say()
		p.restart()
		p.work()
		release()
	case "while the job is offered":
		say()
		var r struct{ Token string }
		p.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
		p.take(r.Token, "v19.4-02") // this runner is never heard of again
		p.restart()
		p.work()
		release()
	case "while the job runs":
		p.work()
		say()
		running()
		p.restart()
		release()
	case "while the log is sent":
		p.work()
		say()
		running()
		p.kill()
		release() // the job ends, and its runner speaks to nobody for a while
		p.run()
	case "before the reply":
		p.chat.answer = func(int) int { return 500 }
		p.work()
		say()
		release()
		p.eventually("a post", func() bool { return len(p.chat.all("/hooks/")) > 0 })
		p.kill()
		p.chat.mu.Lock()
		p.chat.answer = nil
		p.chat.mu.Unlock()
		p.run()
	case "while the reply is sent":
		p.chat.answer = func(n int) int { return map[bool]int{true: hang, false: 200}[n == 1] }
		p.work()
		say()
		release()
		p.eventually("a post", func() bool { return len(p.chat.all("/hooks/")) > 0 })
		p.restart()
	}
}

const familyConfig = `
variables: {GIT_STRATEGY: none} # nobody can clone from a dead node
stages: [build, down, deploy]
flaky: {stage: build, script: exit 1, retry: {max: 1, when: script_failure}, allow_failure: true}
child: {stage: down, trigger: {include: child.yml, strategy: depend}}
other: {stage: down, trigger: {project: root/lib, strategy: depend}}
deploy: {stage: deploy, script: echo, environment: production, resource_group: production}
`

// TestDyingBetweenWrites lets a node die again and again, each time a little later in what it does, while pipelines start
// others, retry and deploy in turn. In the end all of it was done, and nothing twice.
func TestDyingBetweenWrites(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		p := spawn(t, o)
		p.newProject("lib")
		lib := p.project
		p.push("lib", map[string]string{".gitlab-ci.yml": "variables: {GIT_STRATEGY: none}\ncheck: {script: echo, rules: [{if: $CI_PIPELINE_SOURCE == \"pipeline\"}]}"})
		ids := []int64{p.pushed("app", map[string]string{".gitlab-ci.yml": familyConfig, "child.yml": "variables: {GIT_STRATEGY: none}\nunit: {script: echo}"})}
		for range 2 {
			ids = append(ids, p.create("main", nil).ID)
		}
		p.work()
		p.kill()
		deaths := 0
		for ; p.dies(50+7*deaths, ids); deaths++ {
			p.forgotten(o)
		}
		if deaths < 5 {
			t.Errorf("it died only %d times", deaths)
		}
		p.run()
		p.settles(ids, lib)
	})
}

// dies runs the node until it has asked for the time so often; false if its pipelines succeeded before.
func (p *process) dies(asked int, ids []int64) bool {
	p.t.Helper()
	p.start(dieEnv + "=" + strconv.Itoa(asked))
	dead := make(chan struct{})
	go func() { p.cmd.Wait(); close(dead) }()
	for deadline := time.After(patience); ; {
		select {
		case <-dead:
			return true
		case <-deadline:
			p.t.Fatal("the node does nothing any more")
		case <-time.After(50 * time.Millisecond):
		}
		if p.succeeded(ids) {
			p.cmd.Process.Kill()
			<-dead
			return false
		}
	}
}

// succeeded asks a node that may die meanwhile whether pipelines succeeded.
func (p *process) succeeded(ids []int64) bool {
	for _, id := range ids {
		req, _ := http.NewRequest("GET", fmt.Sprintf("%s/api/v4/projects/%s/pipelines/%d", p.node.Local, p.project, id), nil)
		req.Header.Set("PRIVATE-TOKEN", rootToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		var pl pipelineJSON
		err = json.NewDecoder(res.Body).Decode(&pl)
		res.Body.Close()
		if err != nil || pl.Status != "success" {
			return false
		}
	}
	return true
}

// forgotten does what time would do: what a dead node had claimed on PostgreSQL is free.
func (p *process) forgotten(o models.Options) {
	p.t.Helper()
	if o.URL == "" {
		return
	}
	address, _, _ := strings.Cut(o.URL, "&pool_max_conns") // which is for the node alone
	db, err := pgx.Connect(context.Background(), address)
	noError(p.t, err)
	defer db.Close(context.Background())
	_, err = db.Exec(context.Background(), "UPDATE tasks SET locked_until = '1970-01-01' WHERE locked_until IS NOT NULL; DELETE FROM leases")
	noError(p.t, err)
}

// settles checks what the pipelines of TestDyingBetweenWrites leave.
func (p *process) settles(ids []int64, lib string) {
	t := p.t
	t.Helper()
	for _, id := range ids {
		var all []jobJSON
		p.must(200, "GET", fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true", p.project, id), nil, &all)
		attempts := map[string]int{}
		for _, j := range all {
			attempts[j.Name]++
		}
		if fmt.Sprint(attempts) != "map[deploy:1 flaky:2]" {
			t.Errorf("attempts in pipeline %d: %v", id, attempts)
		}
		for name, b := range p.bridges(id) {
			if b.Status != "success" || b.Downstream == nil || b.Downstream.Status != "success" {
				t.Errorf("bridge %s of %d: %+v", name, id, b)
			}
		}
	}
	for path, most := range map[string]int{p.project + "/pipelines?source=parent_pipeline": 3, lib + "/pipelines?source=pipeline": 3, p.project + "/deployments?status=success": 3, p.project + "/deployments": 3} {
		var rows []struct{ ID int64 }
		p.must(200, "GET", "/projects/"+path, nil, &rows)
		if len(rows) != most {
			t.Errorf("%s: %+v", path, rows)
		}
	}
	p.eventually("nobody holds the resource", func() bool { return p.holder("/projects/"+p.project+"/resource_groups/production") == 0 })
}
