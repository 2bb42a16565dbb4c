package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// DemoCommand is `signalbox demo`.
type DemoCommand struct {
	Once   bool   `env:"SIGNALBOX_DEMO_ONCE" help:"End after the replies, with status 0 if all came."`
	Listen string `default:"127.0.0.1:0" env:"SIGNALBOX_DEMO_LISTEN" help:"Address and port of the node; port 0 takes a free one."`
}

// demo is the node, the project and the chat of one demonstration.
type demo struct {
	node     *Node
	chat     *demoChat
	user     *models.User
	token    string
	password string
	project  *models.Project
	dir      string
	n        int
}

// demoJobs are the examples of GitLab's page about ChatOps, and a few that show what goes wrong.
const demoJobs = `stages:
  - chatops

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
    - echo -e "section_start:$( date +%s ):chat_reply\r\033[0K\n$( ls -la )\nsection_end:$( date +%s ):chat_reply\r\033[0K"

prepared:
  stage: chatops
  only: [chat]
  before_script:
    - echo "Preparing for $GITLAB_USER_LOGIN"
  script:
    - echo "Arguments are [$CHAT_INPUT] in $CHAT_CHANNEL"

deploy:
  stage: chatops
  only: [chat]
  when: manual
  script:
    - echo "Deploying to $CHAT_INPUT"

fail:
  stage: chatops
  only: [chat]
  script:
    - echo "Looking for a file"
    - cat no-such-file
`

type demoStep struct {
	text string
	want func(answer, reply string) bool
	play bool // the job waits to be started by hand
	none bool // no reply is to come
}

func demoSteps() []demoStep {
	return []demoStep{
		{text: "run hello-world", want: func(_, r string) bool { return strings.HasSuffix(r, ">: Hello World") }},
		{text: "run ls", want: func(_, r string) bool {
			return strings.Contains(r, ".gitlab-ci.yml") && !strings.Contains(r, "not be shown")
		}},
		{text: "run prepared some arguments", want: func(_, r string) bool {
			return strings.Contains(r, "$ echo") && strings.Contains(r, "Arguments are [some arguments] in ops")
		}},
		{text: "run deploy production", play: true, want: func(a, r string) bool {
			return strings.Contains(a, "waits to be started") && strings.HasSuffix(r, "Deploying to production")
		}},
		{text: "run fail", want: func(_, r string) bool { return strings.Contains(r, "failed") && strings.Contains(r, "no-such-file") }},
		{text: "run helo-world", none: true, want: func(a, _ string) bool { return strings.Contains(a, "did you mean `hello-world`") }},
		{text: "run nosuch", none: true, want: func(a, _ string) bool { return strings.Contains(a, "no job `nosuch`") }},
	}
}

// Run shows what chat commands do, on a node that is thrown away.
func (c *DemoCommand) Run(ctx context.Context) (err error) {
	d := &demo{password: secret.NewToken("")}
	if d.dir, err = os.MkdirTemp("", "signalbox-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	if err := os.Chmod(d.dir, 0o711); err != nil { // jobs run as somebody else and must get to their builds
		return err
	}
	if d.chat, err = newDemoChat(); err != nil {
		return err
	}
	defer d.chat.close()
	if err := d.start(ctx, c.Listen); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.node.Close()) }()
	fmt.Printf("A throw-away node runs at %s\n", d.node.URL)
	if err := d.pushProject(ctx); err != nil {
		return err
	}
	fmt.Printf("The sample project %s was pushed into it over git.\n\n", d.project.FullPath)
	for _, s := range demoSteps() {
		if err := d.step(ctx, s); err != nil {
			return err
		}
	}
	fmt.Printf("All replies came. The project's page: %s/%s\nSign in as %s with the password %s\n", d.node.URL, d.project.FullPath, d.user.Username, d.password)
	if c.Once {
		return nil
	}
	fmt.Println("The node stays up until you press Ctrl-C.")
	<-ctx.Done()
	return nil
}

func (d *demo) start(ctx context.Context, listen string) error {
	user, err := UnprivilegedUser()
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	d.node, err = Start(ctx, Settings{
		Listen: listen, Data: filepath.Join(d.dir, "data"), RunnerUser: user, RootPassword: secret.NewToken(""), PrivateHosts: []string{d.chat.host},
		HoldPolls: 50 * time.Second,
	}, log)
	if err != nil {
		return err
	}
	if err := d.node.StartRunner(2); err != nil {
		return errors.Join(err, d.node.Close())
	}
	return nil
}

// pushProject makes a user, a project with a chat, and pushes the sample into it as a user would.
func (d *demo) pushProject(ctx context.Context) error {
	d.user = &models.User{Username: "demo", Name: "Demo", Email: "demo@example.com", PasswordHash: secret.HashPassword(d.password)}
	d.token = secret.NewToken("")
	err := d.node.db.Write(ctx, func(tx *models.Tx) error { return tx.CreateUser(d.user) })
	if err != nil {
		return err
	}
	d.project, err = d.node.CI.CreateProject(ctx, access.Actor{User: d.user}, ci.NewProject{Path: "chatops"})
	if err != nil {
		return err
	}
	in := &models.ChatIntegration{ProjectID: d.project.ID, Chat: enum.Slack, Active: true, TokenHash: secret.Hash(d.token), ChannelVariable: "name", ReplyHosts: []string{d.chat.host}}
	err = d.node.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.SaveIntegration(in); err != nil {
			return err
		}
		return tx.SaveIdentity(&models.ChatIdentity{UserID: d.user.ID, IntegrationID: in.ID, Chat: enum.Slack, TeamID: "T0DEMO", ChatUserID: "U0DEMO", ChatUserName: "demo"})
	})
	if err != nil {
		return err
	}
	return d.git(ctx)
}

func (d *demo) git(ctx context.Context) error {
	work := filepath.Join(d.dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{".gitlab-ci.yml": demoJobs, "README.md": "A project of chat jobs.\n"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	address := strings.Replace(d.node.Local, "://", "://"+d.user.Username+":"+d.password+"@", 1) + "/" + d.project.FullPath + ".git"
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "."},
		{"-c", "user.name=Demo", "-c", "user.email=demo@example.com", "commit", "-q", "-m", "Chat jobs"},
		{"push", "-q", address, "main"},
	} {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "HOME="+d.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, strings.ReplaceAll(string(out), d.password, secret.Masked))
		}
	}
	return nil
}

// step gives one command and shows what the chat would.
func (d *demo) step(ctx context.Context, s demoStep) error {
	d.n++
	fmt.Printf("#ops  @demo   /ops %s\n", s.text)
	path := fmt.Sprintf("/reply/%d", d.n)
	answer, err := d.give(ctx, s.text, path)
	if err != nil {
		return err
	}
	show("answer", answer)
	reply := ""
	if s.play {
		if err := d.startJob(ctx); err != nil {
			return err
		}
		fmt.Println("      (started by hand, as its page would)")
	}
	if !s.none {
		if reply, err = d.chat.wait(ctx, path); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
		show("reply ", reply)
	}
	if !s.want(answer, reply) {
		return fmt.Errorf("%s: this is not the answer that was to come", s.text)
	}
	fmt.Println()
	return nil
}

func show(what, text string) {
	fmt.Printf("      %s  %s\n", what, strings.ReplaceAll(text, "\n", "\n              "))
}

// give sends a command in the form in which Slack sends it.
func (d *demo) give(ctx context.Context, text, path string) (string, error) {
	form := url.Values{
		"token": {d.token}, "team_id": {"T0DEMO"}, "team_domain": {"demo"}, "channel_id": {"C0DEMO"}, "channel_name": {"ops"}, "user_id": {"U0DEMO"},
		"user_name": {"demo"}, "command": {"/ops"}, "text": {text}, "response_url": {"http://" + d.chat.host + path}, "trigger_id": {fmt.Sprint(d.n)},
	}
	address := fmt.Sprintf("%s/api/v4/projects/%d/integrations/slack_slash_commands/trigger", d.node.Local, d.project.ID)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var a struct{ Text string }
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the command was answered with %d", res.StatusCode)
	}
	return a.Text, nil
}

func (d *demo) startJob(ctx context.Context) error {
	var c []*models.ChatCommand
	err := d.node.db.Read(ctx, func(tx *models.Tx) (err error) {
		c, _, err = tx.ListCommands(d.project.ID, models.Page{PerPage: 1})
		return err
	})
	if err != nil {
		return err
	}
	if len(c) == 0 || c[0].JobID == nil {
		return errors.New("the command made no job")
	}
	_, err = d.node.CI.PlayJob(ctx, access.Actor{User: d.user}, *c[0].JobID, ci.Given{})
	return err
}

// demoChat takes replies as Slack's response addresses do.
type demoChat struct {
	host   string
	server *http.Server
	mu     sync.Mutex
	texts  map[string]string
	came   chan struct{}
}

func newDemoChat() (*demoChat, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &demoChat{host: l.Addr().String(), texts: map[string]string{}, came: make(chan struct{}, 1)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	go c.server.Serve(l) // it ends with close
	return c, nil
}

func (c *demoChat) close() { c.server.Close() }

func (c *demoChat) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct{ Text string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil {
		return
	}
	c.mu.Lock()
	c.texts[r.URL.Path] = body.Text
	c.mu.Unlock()
	select {
	case c.came <- struct{}{}:
	default:
	}
}

const replyWithin = time.Minute

func (c *demoChat) wait(ctx context.Context, path string) (string, error) {
	timeout := time.NewTimer(replyWithin)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		text, ok := c.texts[path]
		c.mu.Unlock()
		if ok {
			return text, nil
		}
		select {
		case <-c.came:
		case <-ctx.Done():
			return "", ctx.Err()
		case <-timeout.C:
			return "", fmt.Errorf("no reply came within %s", replyWithin)
		}
	}
}
