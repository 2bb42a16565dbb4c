package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/runnerproto/shellrunner"
)

// ServeCommand is `signalbox serve`.
type ServeCommand struct{ Settings }

// Run serves until it is told to stop.
func (c *ServeCommand) Run(ctx context.Context) error {
	c.RootPassword, c.RootToken = os.Getenv("SIGNALBOX_ROOT_PASSWORD"), os.Getenv("SIGNALBOX_ROOT_TOKEN")
	log := c.Logger()
	n, err := Start(ctx, c.Settings, log)
	if err != nil {
		return err
	}
	if c.Runner {
		if err := n.StartRunner(runtime.NumCPU()); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	if n.RootPassword != "" {
		fmt.Printf("Created the administrator root with the password %s (shown once)\n", n.RootPassword)
	}
	fmt.Printf("signalbox is ready at %s\n", n.URL)
	failed := make(chan error, 1)
	go func() { failed <- n.Wait() }()
	select {
	case <-ctx.Done():
		return n.Close()
	case err := <-failed:
		return errors.Join(err, n.Close())
	}
}

// RunnerCommand is `signalbox runner`.
type RunnerCommand struct {
	URL        string `required:"" env:"SIGNALBOX_URL" help:"Address of the coordinator."`
	Token      string `required:"" env:"SIGNALBOX_RUNNER_TOKEN" help:"Runner authentication token (glrt-…)."`
	Builds     string `default:"./signalbox-builds" env:"SIGNALBOX_BUILDS" help:"Folder for checkouts; each is removed when its job has ended."`
	Concurrent int    `default:"1" env:"SIGNALBOX_CONCURRENT" help:"Jobs at once."`
	Once       bool   `env:"SIGNALBOX_ONCE" help:"End after one job."`
	RunnerUser string `env:"SIGNALBOX_RUNNER_USER" help:"User whom jobs run as. Required as root."`
}

// Run takes jobs until it is told to stop.
func (c *RunnerCommand) Run(ctx context.Context) error {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		return &SettingError{"--url", fmt.Sprintf("%q is not an address", c.URL)}
	}
	log := (&Settings{LogLevel: "info"}).Logger()
	r, err := shellrunner.New(shellrunner.Options{
		URL: strings.TrimRight(c.URL, "/"), Token: c.Token, Dir: c.Builds, Concurrent: c.Concurrent, Once: c.Once, User: c.RunnerUser, Log: log,
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// ChatCommand is `signalbox chat`.
type ChatCommand struct {
	URL     string        `required:"" env:"SIGNALBOX_URL" help:"Address of signalbox."`
	Token   string        `required:"" env:"SIGNALBOX_TOKEN" help:"Personal access token with the scope api."`
	Project string        `required:"" env:"SIGNALBOX_PROJECT" help:"Project, by id or path."`
	Channel string        `default:"console" env:"SIGNALBOX_CHANNEL" help:"Name of the channel that the job sees."`
	Wait    time.Duration `default:"30m" env:"SIGNALBOX_WAIT" help:"How long to wait for the reply."`
	Text    []string      `arg:"" passthrough:"" help:"The command, such as: run deploy production"`
}

type commandAnswer struct {
	ID              int64   `json:"id"`
	State           string  `json:"state"`
	Acknowledgement string  `json:"acknowledgement"`
	Refusal         *string `json:"refusal"`
	Reply           *string `json:"reply"`
	PrivateReply    *string `json:"private_reply"`
	Message         string  `json:"message"`
	Error           string  `json:"error"`
}

// Run gives the command and prints acknowledgement and reply as they come.
func (c *ChatCommand) Run(ctx context.Context) error { return c.talk(ctx, os.Stdout, os.Stderr) }

// talk writes replies to one place, and what is said beside them to another.
func (c *ChatCommand) talk(ctx context.Context, out, beside io.Writer) error {
	base := fmt.Sprintf("%s/api/v4/projects/%s/chat/commands", strings.TrimRight(c.URL, "/"), url.PathEscape(c.Project))
	body, err := json.Marshal(map[string]string{"text": strings.Join(c.Text, " "), "channel": c.Channel})
	if err != nil {
		return err
	}
	a, err := c.call(ctx, http.MethodPost, base, body)
	if err != nil {
		return err
	}
	stopped, began := ctx, time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	page := fmt.Sprintf("see command %d of the project", a.ID)
	if strings.Contains(c.Project, "/") {
		page = fmt.Sprintf("see %s/%s/-/chat/commands/%d", strings.TrimRight(c.URL, "/"), c.Project, a.ID)
	}
	said := false
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 3*time.Second) {
		if a.Acknowledgement != "" && !said {
			to := beside
			if a.Reply != nil && *a.Reply == a.Acknowledgement { // an answer is a reply, and goes where replies go
				to = out
			}
			fmt.Fprintln(to, a.Acknowledgement)
			said = true
		}
		switch a.State {
		case "refused":
			return errors.New(*a.Refusal)
		case "silent":
			return nil
		case "replied", "expired", "undeliverable":
			if a.Reply != nil && *a.Reply != "" && *a.Reply != a.Acknowledgement { // which is out already
				fmt.Fprintln(out, *a.Reply)
			}
			if a.PrivateReply != nil {
				fmt.Fprintln(beside, "Only you see this:")
				fmt.Fprintln(out, *a.PrivateReply)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			if stopped.Err() != nil {
				return fmt.Errorf("stopped after %s; the command goes on, %s", time.Since(began).Round(time.Second), page)
			}
			return fmt.Errorf("no reply within %s; the command goes on, %s", c.Wait, page)
		case <-time.After(pause):
		}
		next, err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s/%d", base, a.ID), nil)
		if ctx.Err() != nil {
			continue // said above
		}
		if err != nil {
			return err
		}
		a = next
	}
}

func (c *ChatCommand) call(ctx context.Context, method, address string, body []byte) (a commandAnswer, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	r.Header.Set("PRIVATE-TOKEN", c.Token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 8<<20)).Decode(&a); err != nil {
		return a, fmt.Errorf("the server answers %d", res.StatusCode)
	}
	if res.StatusCode >= 300 {
		return a, fmt.Errorf("the server answers %d: %s%s", res.StatusCode, a.Message, a.Error)
	}
	return a, nil
}

// VersionCommand is `signalbox version`.
type VersionCommand struct{}

// Run prints what this binary is.
func (VersionCommand) Run() error {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	fmt.Printf("signalbox %s, compatible with GitLab %s, commit %s, %s\n", shellrunner.Version, ci.Version, commit, runtime.Version())
	return nil
}
