// Package shellrunner is the built-in runner: it runs jobs with bash on its own machine. It is for trying
// signalbox, for small teams who trust their jobs, and for tests. It knows no containers, services or
// caches and keeps jobs apart only by folders, an emptied environment and, as root, another user; the
// official gitlab-runner is for everything else.
package shellrunner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

// Options say where jobs come from and how they run.
type Options struct {
	URL        string
	Token      string
	Dir        string // builds; made if needed
	Concurrent int    // jobs at once; 0 means 1
	Once       bool   // ends after one job
	User       string // whom jobs run as; required as root
	Log        *slog.Logger
	// PollPause is the wait between requests that found nothing; 0 means a second. Requests are held by the
	// coordinator, so it is no delay for jobs.
	PollPause time.Duration
}

// Runner takes jobs and runs them.
type Runner struct {
	options Options
	info    runnerproto.Info
	uid     uint32
	gid     uint32
	drop    bool // jobs run as another user
}

// Version is what the runner says of itself.
const Version = "1.0.0"

// New checks the options. As root it insists on a user for the jobs.
func New(o Options) (*Runner, error) {
	if o.Concurrent <= 0 {
		o.Concurrent = 1
	}
	if o.PollPause == 0 {
		o.PollPause = time.Second
	}
	for _, program := range []string{"bash", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("the built-in runner needs %s: %w", program, err)
		}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	r := &Runner{options: o, info: runnerproto.Info{
		Name: "signalbox-runner", Version: Version, Platform: runtime.GOOS, Architecture: runtime.GOARCH, Executor: "shell", Shell: "bash",
		Features: runnerproto.Features{
			"variables": true, "artifacts": true, "shared": true, "upload_multiple_artifacts": true, "upload_raw_artifacts": true,
			"refspecs": true, "masking": true, "raw_variables": true, "artifacts_exclude": true, "trace_reset": true, "trace_checksum": true,
			"trace_size": true, "cancelable": true, "cancel_gracefully": true, "return_exit_code": true, "two_phase_job_commit": true,
			"fallback_cache_keys": true, "job_inputs": true,
		},
	}}
	if err := r.chooseUser(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("builds: %w", err)
	}
	return r, nil
}

func (r *Runner) chooseUser() error {
	if os.Getuid() != 0 {
		if r.options.User != "" {
			return errors.New("the built-in runner can change to another user only as root")
		}
		return nil
	}
	if r.options.User == "" {
		return errors.New("the built-in runner does not run jobs as root: name an unprivileged user with --runner-user")
	}
	u, err := user.Lookup(r.options.User)
	if err != nil {
		return fmt.Errorf("user for jobs: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if uid == 0 {
		return errors.New("the built-in runner does not run jobs as root: name an unprivileged user with --runner-user")
	}
	r.uid, r.gid, r.drop = uint32(uid), uint32(gid), true
	return nil
}

// Run takes jobs until the context ends; jobs under way are then stopped and reported. With Once it ends
// after the first job.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, r.options.Concurrent)
	for n := range r.options.Concurrent {
		wg.Go(func() {
			errs <- r.work(ctx, n)
			if r.options.Once {
				cancel()
			}
		})
	}
	wg.Wait()
	close(errs)
	var all error
	for err := range errs {
		if !errors.Is(err, context.Canceled) {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (r *Runner) work(ctx context.Context, slot int) error {
	host, _ := os.Hostname()
	c := &client.Client{URL: r.options.URL, Token: r.options.Token, SystemID: "s_" + host[:min(len(host), 40)] + "_" + strconv.Itoa(slot), Info: r.info}
	for {
		known := c.LastUpdate()
		job, err := c.Request(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.options.Log.WarnContext(ctx, "no job can be requested", "error", err)
		case job != nil:
			r.execute(ctx, c, job)
			if r.options.Once {
				return nil
			}
			continue
		case c.LastUpdate() != known:
			continue // the next request will be held until there is something
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.options.PollPause):
		}
	}
}

// process prepares a command that runs as the jobs' user, in a process group of its own.
func (r *Runner) process(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if r.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: r.uid, Gid: r.gid, Groups: []uint32{}}
	}
	return cmd
}

// own gives a file or folder to the jobs' user.
func (r *Runner) own(path string) error {
	if !r.drop {
		return nil
	}
	return os.Lchown(path, int(r.uid), int(r.gid))
}
