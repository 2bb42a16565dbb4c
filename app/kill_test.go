package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/runnerproto/shellrunner"
)

// serveEnv makes this test's own binary run `signalbox serve` instead of tests.
const serveEnv = "SIGNALBOX_TEST_SERVE"

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

func spawn(t *testing.T, o models.Options) *process {
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
	if o.URL != "" {
		p.env = append(p.env, "SIGNALBOX_DATABASE_URL="+o.URL, "SIGNALBOX_REPOSITORIES="+filepath.Join(dir, "repositories"), "SIGNALBOX_SECRET_KEY_FILE="+key(t))
	}
	p.run()
	t.Cleanup(p.kill)
	return p
}

func (p *process) run() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = p.env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
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
	each(t, func(t *testing.T, o models.Options) {
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
