// Package bench measures what design goals promise, on loopback, with the load generator in a process of its
// own, and prints target and result side by side. `make bench` runs it.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/app"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/models/enum"
)

const fleetEnv = "SIGNALBOX_BENCH_FLEET"

func TestMain(m *testing.M) {
	if os.Getenv(fleetEnv) != "" {
		os.Exit(fleet())
	}
	testenv.Main(m)
}

func report(what, target, result string) {
	fmt.Printf("RESULT %-42s target %-22s measured %s\n", what, target, result)
}

// node is a node with a project, ready for jobs.
type node struct {
	*app.Node
	project *models.Project
	root    access.Actor
	token   string
	data    string
}

func start(b *testing.B, o models.Options, privateHosts ...string) *node {
	b.Helper()
	s := app.Settings{Listen: "127.0.0.1:0", Data: b.TempDir(), DatabaseURL: o.URL, RootPassword: "bench-password", HoldPolls: 50 * time.Second, PrivateHosts: privateHosts}
	if o.URL != "" {
		s.Repositories, s.SecretKeyFile = b.TempDir(), b.TempDir()+"/key"
		if err := os.WriteFile(s.SecretKeyFile, []byte("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	n, err := app.Start(b.Context(), s, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Close(); err != nil {
			b.Error(err)
		}
	})
	out := &node{Node: n, data: s.Data}
	err = n.CI.DB().Read(b.Context(), func(tx *models.Tx) error {
		u, err := tx.UserByName("root")
		out.root = access.Actor{User: u}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	if out.project, err = n.CI.CreateProject(b.Context(), out.root, ci.NewProject{Path: "bench"}); err != nil {
		b.Fatal(err)
	}
	if _, out.token, err = n.CI.CreateRunner(b.Context(), enum.InstanceRunner, 0, 0, out.root.User, ci.RunnerSettings{RunUntagged: true}); err != nil {
		b.Fatal(err)
	}
	return out
}

// push puts a configuration of n jobs into the project.
func (n *node) push(b *testing.B, jobs int) {
	b.Helper()
	var text strings.Builder
	for i := range jobs {
		fmt.Fprintf(&text, "job%d: {script: [make], only: [api]}\n", i)
	}
	n.pushText(b, text.String())
}

// pushText puts a configuration into the project.
func (n *node) pushText(b *testing.B, text string) {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(dir+"/.gitlab-ci.yml", []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	address := strings.Replace(n.Local, "://", "://root:bench-password@", 1) + "/root/bench.git"
	cmd := exec.Command("bash", "-c", `cd "$1"; git init -q -b main; git add .; git -c user.name=B -c user.email=b@example.com commit -qm x; git push -q -f "$2" main`, "x", dir, address)
	cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// create makes a pipeline of all jobs.
func (n *node) create(ctx context.Context) error {
	_, err := n.CI.CreatePipeline(ctx, ci.PipelineRequest{Project: n.project, Actor: n.root, Source: enum.SourceAPI, Ref: "main"})
	return err
}

// fleetRun runs fake runners in a process of their own and returns what they print, by name.
func (n *node) fleetRun(b *testing.B, mode string, runners, jobs int, during func()) map[string]float64 {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetEnv+"="+mode, "FLEET_URL="+n.Local, "FLEET_TOKEN="+n.token, "FLEET_RUNNERS="+strconv.Itoa(runners), "FLEET_JOBS="+strconv.Itoa(jobs))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if during != nil {
		during()
	}
	if err := cmd.Wait(); err != nil {
		b.Fatalf("fleet: %v", err)
	}
	values := map[string]float64{}
	for _, line := range strings.Split(out.String(), "\n") {
		name, value, ok := strings.Cut(line, "=")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = v
		}
	}
	return values
}

func databases(b *testing.B, f func(b *testing.B, name string, o models.Options)) {
	b.Run("sqlite", func(b *testing.B) { f(b, "SQLite", models.Options{}) })
	b.Run("postgres", func(b *testing.B) { f(b, "PostgreSQL", models.Options{URL: testenv.Postgres(b)}) })
}

// fresh is another empty database of the same kind.
func fresh(b *testing.B, o models.Options) models.Options {
	if o.URL == "" {
		return models.Options{}
	}
	return models.Options{URL: testenv.Postgres(b)}
}

func BenchmarkJobLives(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		n := start(b, o)
		const jobs, each = 2000, 20
		n.push(b, each)
		for range jobs / each {
			if err := n.create(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			v := n.fleetRun(b, "lives", 32, jobs, nil)
			target := map[string]string{"SQLite": ">= 500/s", "PostgreSQL": ">= 300/s"}[name]
			report("job lives, pipelines of 20 jobs, "+name, target, fmt.Sprintf("%.0f/s", v["per_second"]))
			b.ReportMetric(v["per_second"], "lives/s")
		}
	})
}

func BenchmarkJobReadyToHeldRequest(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		n := start(b, o)
		n.push(b, 1)
		const jobs = 200
		for b.Loop() {
			v := n.fleetRun(b, "held", 16, jobs, func() {
				for range jobs {
					time.Sleep(15 * time.Millisecond)
					if err := n.create(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
			report("job ready to held request, p50, "+name, "<= 5 ms", fmt.Sprintf("%.1f ms", v["p50_ms"]))
			report("job ready to held request, p99, "+name, "<= 25 ms", fmt.Sprintf("%.1f ms", v["p99_ms"]))
			b.ReportMetric(v["p50_ms"], "p50-ms")
			b.ReportMetric(v["p99_ms"], "p99-ms")
		}
	})
}

func BenchmarkTraceIngest(b *testing.B) {
	n := start(b, models.Options{})
	n.push(b, 8)
	if err := n.create(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v := n.fleetRun(b, "trace", 8, 8, nil)
		report("log bytes taken", ">= 200 MB/s", fmt.Sprintf("%.0f MB/s", v["mb_per_second"]))
		b.ReportMetric(v["mb_per_second"], "MB/s")
	}
}

// BenchmarkIdle starts the real program and measures how soon it answers and what it then holds in memory,
// alone and with 10,000 held requests.
func BenchmarkIdle(b *testing.B) {
	dir := b.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/signalbox", "signalbox")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		measureIdle(b, dir)
	}
}

func measureIdle(b *testing.B, dir string) {
	b.Helper()
	data := b.TempDir()
	run := func() (*exec.Cmd, string, time.Duration) {
		address := freeAddress(b)
		cmd := exec.Command(dir+"/signalbox", "serve", "--listen", address, "--data", data, "--log-level", "error")
		cmd.Env = append(os.Environ(), "SIGNALBOX_ROOT_PASSWORD=bench-password", "SIGNALBOX_ROOT_TOKEN=glpat-bench")
		from := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		waitReady(b, "http://"+address)
		return cmd, "http://" + address, time.Since(from)
	}
	end := func(cmd *exec.Cmd) {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	cmd, _, first := run()
	end(cmd)
	cmd, url, again := run()
	defer end(cmd)
	report("start to ready, empty data folder", "<= 300 ms", fmt.Sprintf("%d ms", first.Milliseconds()))
	report("start to ready, again", "<= 300 ms", fmt.Sprintf("%d ms", again.Milliseconds()))
	report("idle memory", "<= 40 MB", fmt.Sprintf("%.0f MB", resident(b, cmd.Process.Pid)))
	var r struct{ Token string }
	post(b, url+"/api/v4/user/runners", `{"runner_type":"instance_type"}`, &r)
	fleet := exec.Command(os.Args[0])
	fleet.Env = append(os.Environ(), fleetEnv+"=hold", "FLEET_URL="+url, "FLEET_TOKEN="+r.Token, "FLEET_RUNNERS=10000", "FLEET_JOBS=0")
	stdin, err := fleet.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := fleet.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	fleet.Stderr = os.Stderr
	if err := fleet.Start(); err != nil {
		b.Fatal(err)
	}
	line := make([]byte, 64)
	k, _ := stdout.Read(line)
	report("memory with 10,000 held requests", "<= 300 MB", fmt.Sprintf("%.0f MB (%s)", resident(b, cmd.Process.Pid), strings.TrimSpace(string(line[:k]))))
	stdin.Close()
	fleet.Wait()
}
