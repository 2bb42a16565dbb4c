// Package testenv starts what tests run against: a private PostgreSQL cluster, a private Redis, a browser.
// It never uses a server that happens to run. What a machine lacks is reported loudly, and is a failure
// when CI=true.
package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that creates databases
)

// Environment variables by which one test run hands its servers to the tests of all packages. They are set
// by the program in testrun and by nothing else.
const (
	PostgresEnv = "SIGNALBOX_TESTRUN_POSTGRES"
	RedisEnv    = "SIGNALBOX_TESTRUN_REDIS"
	MissingEnv  = "SIGNALBOX_TESTRUN_MISSING"
)

var own struct {
	sync.Mutex
	servers []*Server
	dir     string
	urls    map[string]string
}

// Main runs the tests of a package and ends the servers that they started. TestMain of every package that
// uses Postgres or Redis calls it.
func Main(m *testing.M) {
	code := m.Run()
	own.Lock()
	for _, s := range own.servers {
		s.Stop()
	}
	if own.dir != "" {
		os.RemoveAll(own.dir)
	}
	own.Unlock()
	os.Exit(code)
}

var databases atomic.Int64

// Postgres makes an empty database for one test and returns its URL. The database goes with the test.
func Postgres(t testing.TB) string { return PostgresLike(t, "template1") }

// PostgresLike makes a database for one test that holds what another holds, to which nobody may be connected, and returns its
// URL. The database goes with the test.
func PostgresLike(t testing.TB, template string) string {
	t.Helper()
	url, drop := NewPostgres(t, template)
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return url
}

// NewPostgres makes a database like another one that is there until it is dropped, or the server ends with the tests.
func NewPostgres(t testing.TB, template string) (url string, drop func() error) {
	t.Helper()
	server := shared(t, PostgresEnv, "PostgreSQL", StartPostgres)
	name := fmt.Sprintf("t%d_%d", os.Getpid(), databases.Add(1))
	admin, err := sql.Open("pgx", server+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	var version int
	if err := admin.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	create := "CREATE DATABASE " + name + " TEMPLATE " + template
	if version >= 150000 {
		create += " STRATEGY file_copy" // a third of the work of writing each page to the log, which is how it is by default
	}
	if _, err := admin.Exec(create); err != nil {
		t.Fatal(err)
	}
	return server + "/" + name + "?sslmode=disable", func() error {
		defer admin.Close()
		_, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		return err
	}
}

// Redis returns the URL of the private Redis.
func Redis(t testing.TB) string {
	t.Helper()
	return shared(t, RedisEnv, "Redis", StartRedis)
}

// Browser returns the path of Chromium.
func Browser(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, "Chromium (Debian package chromium)")
	return ""
}

// Python returns the path of Debian's Python, with the package python3-gitlab.
func Python(t testing.TB) string {
	t.Helper()
	const path = "/usr/bin/python3"
	if exec.Command(path, "-c", "import gitlab").Run() == nil {
		return path
	}
	Missing(t, "python-gitlab (Debian package python3-gitlab)")
	return ""
}

// Missing skips a test for the lack of something, and says so at the end of the run; with CI=true it fails.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs %s, which this machine lacks; `make deps` installs it", what)
	}
	if path := os.Getenv(MissingEnv); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			fmt.Fprintf(f, "%s: needs %s\n", t.Name(), what)
			f.Close()
		}
	}
	t.Skipf("NOT TESTED: needs %s; `make deps` installs it", what)
}

// shared returns the URL of the run's server of this kind, or of one that this package starts for itself.
func shared(t testing.TB, env, what string, start func(dir string, durable bool) (*Server, error)) string {
	t.Helper()
	if url := os.Getenv(env); url != "" {
		return url
	}
	own.Lock()
	defer own.Unlock()
	if url := own.urls[env]; url != "" {
		return url
	}
	if own.dir == "" {
		dir, err := os.MkdirTemp("", "signalbox-test-")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		own.dir, own.urls = dir, map[string]string{}
	}
	s, err := start(own.dir, false)
	if IsMissing(err) {
		Missing(t, what)
	}
	if err != nil {
		t.Fatalf("start %s: %v", what, err)
	}
	own.servers = append(own.servers, s)
	own.urls[env] = s.URL
	return s.URL
}

// freePort finds a TCP port of the loopback that nobody uses.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// program finds a program in the PATH or in one of Debian's folders outside it.
func program(name string, folders ...string) (string, error) {
	for _, pattern := range folders {
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", missingError{name}
	}
	return path, nil
}

type missingError struct{ name string }

func (e missingError) Error() string { return e.name + " is not installed" }

// IsMissing says whether an error of a Start function means that a program is not installed.
func IsMissing(err error) bool {
	_, ok := err.(missingError)
	return ok
}

func run(ctx context.Context, cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(string(out)))
	}
	return ctx.Err()
}
