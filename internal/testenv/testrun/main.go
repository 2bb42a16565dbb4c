// Command testrun runs a command, such as `go test ./...`, with a private PostgreSQL and a private Redis
// that all its tests share, and ends with a list of what could not be tested.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"signalbox/internal/testenv"
)

func main() {
	runtime.LockOSThread() // the servers end with this thread
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		code = 2
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	durable := len(args) > 0 && args[0] == "--durable"
	if durable {
		args = args[1:]
	}
	if len(args) == 0 {
		return 2, fmt.Errorf("usage: testrun [--durable] COMMAND [ARG ...]")
	}
	dir, err := os.MkdirTemp("", "signalbox-testrun-")
	if err != nil {
		return 2, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return 2, err
	}
	missing := filepath.Join(dir, "missing")
	if err := os.WriteFile(missing, nil, 0o600); err != nil {
		return 2, err
	}
	env := append(os.Environ(), testenv.MissingEnv+"="+missing)
	for name, start := range map[string]func(string, bool) (*testenv.Server, error){
		testenv.PostgresEnv: testenv.StartPostgres,
		testenv.RedisEnv:    testenv.StartRedis,
	} {
		s, err := start(dir, durable)
		if testenv.IsMissing(err) {
			continue // the tests that need it say so
		}
		if err != nil {
			return 2, err
		}
		defer s.Stop()
		env = append(env, name+"="+s.URL)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	report(missing)
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func report(missing string) {
	raw, err := os.ReadFile(missing)
	if err != nil || len(raw) == 0 {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	fmt.Printf("\n==== NOT TESTED (%d): this machine lacks what these tests need; `make deps` installs it ====\n", len(lines))
	for _, l := range lines {
		fmt.Println("  " + l)
	}
}
