package shellrunner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"signalbox/runnerproto"
	"signalbox/runnerproto/client"
)

// run is one job under way.
type run struct {
	r       *Runner
	client  *client.Client
	job     *runnerproto.Job
	log     *jobLog
	root    string // of this job alone; removed at the end
	dir     string // the checkout
	tmp     string // scripts and file variables
	env     []string
	vars    map[string]string
	once    sync.Once
	soft    chan struct{} // closed: stop the script, then clean up
	hard    chan struct{} // closed: stop everything
	hardOne sync.Once
}

// failure is why a job failed, as the coordinator wants to know it.
type failure struct {
	reason string
	code   int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

const (
	finishTimeout = 10 * time.Minute
	killAfter     = 10 * time.Second
)

// execute runs a job to its end and reports it.
func (r *Runner) execute(ctx context.Context, c *client.Client, job *runnerproto.Job) {
	// The job's last words must get through although the runner shuts down.
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	j := &run{r: r, client: c, job: job, soft: make(chan struct{}), hard: make(chan struct{})}
	a, err := c.Update(live, job, runnerproto.UpdateRequest{State: "running", Output: &runnerproto.Output{}})
	if err == nil && (a.Code == http.StatusForbidden || a.Code == http.StatusNotFound || a.JobStatus == "canceled" || a.JobStatus == "failed") {
		return // it was given to somebody else, or canceled, meanwhile
	}
	j.log = newLog(c, job, secrets(job), j.stop)
	go j.log.pump(live)
	go func() {
		select {
		case <-ctx.Done():
			j.stop(true)
		case <-live.Done():
		}
	}()
	u := runnerproto.UpdateRequest{State: "success"}
	if err := j.all(live); err != nil {
		u.State, u.FailureReason = "failed", "runner_system_failure"
		var f *failure
		if ctx.Err() != nil { // not the script's fault, and worth another try
			err = errors.New("the runner was stopped")
		} else if errors.As(err, &f) {
			u.FailureReason = f.reason
			if f.code != 0 {
				u.ExitCode = &f.code
			}
		}
		fmt.Fprintf(j.log, "\x1b[31;1mERROR: Job failed: %v\x1b[0;m\n", err)
	} else {
		fmt.Fprint(j.log, "\x1b[32;1mJob succeeded\x1b[0;m\n")
	}
	cancel()
	<-j.log.done
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer stop()
	if ctx.Err() != nil {
		end, stop = context.WithTimeout(context.WithoutCancel(ctx), killAfter)
		defer stop()
	}
	if err := j.log.finish(end, u); err != nil {
		r.options.Log.ErrorContext(ctx, "the end of a job cannot be reported", "job", job.ID, "error", err)
	}
	if j.root != "" {
		if err := os.RemoveAll(j.root); err != nil {
			r.options.Log.WarnContext(ctx, "a build cannot be removed", "path", j.root, "error", err)
		}
	}
}

// stop ends the script, and with hard everything.
func (j *run) stop(hard bool) {
	j.once.Do(func() { close(j.soft) })
	if hard {
		j.hardOne.Do(func() { close(j.hard) })
	}
}

// secrets lists the masked values of a job, the longest first, line by line.
func secrets(job *runnerproto.Job) []string {
	var out []string
	for _, v := range job.Variables {
		if v.Masked && strings.TrimSpace(v.Value) != "" {
			out = append(out, v.Value)
		}
	}
	sort.Slice(out, func(a, b int) bool { return len(out[a]) > len(out[b]) })
	return out
}

func (j *run) all(ctx context.Context) error {
	timeout := time.Duration(j.job.RunnerInfo.Timeout) * time.Second
	if timeout <= 0 {
		timeout = 2 * time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	fmt.Fprintf(j.log, "\x1b[0KRunning with signalbox-runner %s (built in)\x1b[0;m\n", Version)
	if err := j.section("prepare_script", "Preparing environment", func() error { return j.prepare() }); err != nil {
		return err
	}
	if err := j.section("get_sources", "Getting source from Git repository", func() error { return j.sources(ctx) }); err != nil {
		return j.timed(ctx, err, timeout)
	}
	if err := j.section("download_artifacts", "Downloading artifacts", func() error { return j.download(ctx) }); err != nil {
		return j.timed(ctx, err, timeout)
	}
	if len(j.job.Cache) > 0 {
		fmt.Fprint(j.log, "\x1b[33mThe built-in runner keeps no caches; `cache` is skipped.\x1b[0;m\n")
	}
	err := j.timed(ctx, j.step(ctx, "script", j.soft), timeout)
	j.after(err)
	if canceled(j.hard) {
		return err
	}
	if uploadErr := j.upload(ctx, err == nil); uploadErr != nil && err == nil {
		err = &failure{reason: "script_failure", err: uploadErr}
	}
	return err
}

// timed says that the job ran out of time, if it did.
func (j *run) timed(ctx context.Context, err error, timeout time.Duration) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &failure{reason: "job_execution_timeout", err: fmt.Errorf("execution took longer than %s", timeout)}
	}
	return err
}

func canceled(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// section wraps output in the markers that pages and chat replies read.
func (j *run) section(name, title string, f func() error) error {
	fmt.Fprintf(j.log, "section_start:%d:%s\r\x1b[0K\x1b[0K\x1b[36;1m%s\x1b[0;m\n", time.Now().Unix(), name, title)
	err := f()
	fmt.Fprintf(j.log, "section_end:%d:%s\r\x1b[0K", time.Now().Unix(), name)
	return err
}

func (j *run) prepare() error {
	root, err := os.MkdirTemp(j.r.options.Dir, fmt.Sprintf("job-%d-", j.job.ID))
	if err != nil {
		return err
	}
	j.root = root
	name := filepath.Base(j.job.JobInfo.ProjectName)
	if name == "." || name == "/" || name == ".." {
		name = "project"
	}
	j.dir, j.tmp = filepath.Join(root, name), filepath.Join(root, name+".tmp")
	for _, d := range []string{root, j.dir, j.tmp} {
		if err := errors.Join(os.MkdirAll(d, 0o700), j.r.own(d)); err != nil {
			return err
		}
	}
	fmt.Fprintf(j.log, "Running on %s...\n", hostname())
	return j.environment()
}

func hostname() string {
	h, _ := os.Hostname()
	return h
}

// environment is all that the job sees: nothing of the runner's own but PATH.
func (j *run) environment() error {
	j.vars = map[string]string{
		"CI_PROJECT_DIR": j.dir, "CI_BUILDS_DIR": j.r.options.Dir, "CI_SERVER": "yes", "CI_SHARED_ENVIRONMENT": "true",
		"CI_RUNNER_VERSION": Version, "CI_RUNNER_REVISION": Revision(), "CI_RUNNER_EXECUTABLE_ARCH": runtime.GOOS + "/" + runtime.GOARCH,
		"CI_RUNNER_SHORT_TOKEN": shortToken(j.r.options.Token), "CI_CONCURRENT_ID": "0", "CI_CONCURRENT_PROJECT_ID": "0",
		"CI_JOB_TIMEOUT": strconv.Itoa(j.job.RunnerInfo.Timeout), "RUNNER_TEMP_PROJECT_DIR": j.tmp,
	}
	if i := j.job.Image; i != nil && i.Name != "" {
		j.vars["CI_JOB_IMAGE"] = i.Name // what the job asks for, though it does not run in it
	}
	for _, v := range j.job.Variables {
		if !v.File {
			j.vars[v.Key] = v.Value
			continue
		}
		path := filepath.Join(j.tmp, filepath.Base(v.Key))
		if err := errors.Join(os.WriteFile(path, []byte(v.Value), 0o600), j.r.own(path)); err != nil {
			return err
		}
		j.vars[v.Key] = path
	}
	raw := map[string]string{}
	for k, v := range j.vars {
		raw[k] = v
	}
	for _, v := range j.job.Variables {
		if !v.Raw && !v.File {
			j.vars[v.Key] = os.Expand(v.Value, func(key string) string {
				if key == "$" {
					return "$"
				}
				return raw[key]
			})
		}
	}
	base := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": j.tmp, "USER": j.r.options.User, "LANG": "C.UTF-8", "SHELL": "/bin/bash", "TMPDIR": j.tmp,
	}
	if base["PATH"] == "" {
		base["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	for k, v := range base {
		if _, set := j.vars[k]; !set {
			j.vars[k] = v
		}
	}
	for k, v := range j.vars {
		if !strings.ContainsAny(k, "=\x00") && !strings.Contains(v, "\x00") {
			j.env = append(j.env, k+"="+v)
		}
	}
	return nil
}

// sources checks out the commit, with the job's own token.
func (j *run) sources(ctx context.Context) error {
	if s := j.vars["GIT_STRATEGY"]; s == "none" || s == "empty" {
		fmt.Fprintln(j.log, "Skipping Git repository setup")
		return nil
	}
	g := j.job.GitInfo
	fetch := []string{"fetch", "--quiet", "--prune", "origin"}
	if g.Depth > 0 {
		fetch = append(fetch, "--depth", strconv.Itoa(g.Depth))
	}
	for _, args := range [][]string{
		{"init", "--quiet", "."},
		{"remote", "add", "origin", g.RepoURL},
		append(fetch, g.Refspecs...),
		{"checkout", "--quiet", "--force", "--detach", g.SHA},
	} {
		if err := j.git(ctx, args...); err != nil {
			return err
		}
	}
	if s := j.vars["GIT_SUBMODULE_STRATEGY"]; s == "normal" || s == "recursive" {
		args := []string{"submodule", "update", "--init", "--depth", "50"}
		if s == "recursive" {
			args = append(args, "--recursive")
		}
		if err := j.git(ctx, args...); err != nil {
			return err
		}
	}
	fmt.Fprintf(j.log, "Checking out %.8s as %s...\n", g.SHA, g.Ref)
	return nil
}

func (j *run) git(ctx context.Context, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Env = append(append([]string{}, j.env...), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
	if err := j.wait(ctx, cmd, j.hard); err != nil {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	return nil
}

// step runs the script of a step.
func (j *run) step(ctx context.Context, name string, stop chan struct{}) error {
	for _, s := range j.job.Steps {
		if s.Name != name {
			continue
		}
		section := "step_script"
		if name == "after_script" {
			section = name
		}
		return j.section(section, fmt.Sprintf("Executing %q stage of the job script", section), func() error {
			return j.script(ctx, section, fill(s.Script, j.job.Inputs), stop)
		})
	}
	return nil
}

// after runs after_script, whose end changes nothing; not if everything is to stop.
func (j *run) after(result error) {
	if canceled(j.hard) {
		return
	}
	status := "success"
	switch {
	case canceled(j.soft):
		status = "canceled"
	case result != nil:
		status = "failed"
	}
	j.env = append(j.env, "CI_JOB_STATUS="+status)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := j.step(ctx, "after_script", j.hard); err != nil { // a canceled job still cleans up
		fmt.Fprintf(j.log, "\x1b[33mafter_script failed, but the job continues: %v\x1b[0;m\n", err)
	}
}

// script echoes each command in green and runs it, all in one bash.
func (j *run) script(ctx context.Context, name string, lines []string, stop chan struct{}) error {
	var b strings.Builder
	b.WriteString("set -eo pipefail\nset +o noclobber\n")
	for _, line := range lines {
		echo, rest, more := strings.Cut(line, "\n")
		if more && strings.TrimSpace(rest) != "" {
			echo += " # collapsed multi-line command"
		}
		fmt.Fprintf(&b, "printf '%%s\\n' %s\n%s\n", quote("\x1b[32;1m$ "+echo+"\x1b[0;m"), line)
	}
	path := filepath.Join(j.tmp, name+".sh")
	if err := errors.Join(os.WriteFile(path, []byte(b.String()), 0o600), j.r.own(path)); err != nil {
		return err
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", path)
	cmd.Env = j.env
	err := j.wait(ctx, cmd, stop)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code := exit.ExitCode()
		if code < 0 {
			code = 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
		}
		return &failure{reason: "script_failure", code: code, err: fmt.Errorf("exit status %d", code)}
	}
	return err
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// wait runs a command to its end. When stop closes or the time is over, its processes are asked to end, and
// soon made to.
func (j *run) wait(ctx context.Context, cmd *exec.Cmd, stop chan struct{}) error {
	cmd.Dir, cmd.Stdout, cmd.Stderr = j.dir, j.log, j.log
	cmd.WaitDelay = killAfter
	j.r.process(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-stop:
	case <-j.hard:
	}
	group := -cmd.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(killAfter):
	case <-j.hard:
	}
	syscall.Kill(group, syscall.SIGKILL)
	return &failure{reason: "script_failure", err: errors.New("the job was stopped")}
}
