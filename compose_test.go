package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"signalbox/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestComposeStarts runs the command and the environment of docker-compose.yml as they stand, with the names of
// the other services and the folders of the image put where this machine has them, and then the very lines by
// which its runner registers.
func TestComposeStarts(t *testing.T) {
	raw, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), 0o444); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "signalbox")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	db, err := url.Parse(testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := url.Parse(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	const token = "glpat-compose-root-token-1"
	here := strings.NewReplacer(
		"${SIGNALBOX_EXTERNAL_URL:?}", "http://"+address, "${POSTGRES_PASSWORD:?}", "unused", "${SIGNALBOX_ROOT_PASSWORD:?}", "compose-password",
		"${SIGNALBOX_ROOT_TOKEN:?}", token, "@postgres:5432/signalbox", "@"+db.Host+db.Path, "redis:6379/0", cache.Host+"/9",
		"0.0.0.0:8080", address, "/var/lib/signalbox", filepath.Join(dir, "data"), "/run/secrets/signalbox_key", key,
	)
	service := file.Services["signalbox"]
	cmd := exec.Command(binary, service.Command...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	for k, v := range service.Environment {
		cmd.Env = append(cmd.Env, k+"="+here.Replace(v))
	}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("the node ended with %v\n%s", err, log.String())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		res, err := http.Get("http://" + address + "/-/readiness?all=1")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it does not get ready: %v\n%s", err, log.String())
		case <-tick.C:
		}
	}
	script := strings.Join(file.Services["runner"].Command, "\n")
	from, to := strings.Index(script, "token="), strings.Index(script, "gitlab-runner register")
	if from < 0 || to < from {
		t.Fatalf("the runner's command is another one: %s", script)
	}
	lines := strings.NewReplacer("$$", "$", "signalbox:8080", address).Replace(script[from:to])
	runner := exec.Command("bash", "-ec", lines+`echo "got $token"`)
	runner.Env = []string{"PATH=" + os.Getenv("PATH"), "SIGNALBOX_ROOT_TOKEN=" + token}
	out, err := runner.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "got glrt-") {
		t.Errorf("the runner's registration: %v: %s", err, out)
	}
	if t.Failed() {
		fmt.Println(log.String())
	}
}
