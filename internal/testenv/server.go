package testenv

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a server that a test run started and ends.
type Server struct {
	URL  string
	cmd  *exec.Cmd
	done chan error
}

// PID is the process of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
}

// Restart stops the server, runs f without it, and starts it again at the same address.
func (s *Server) Restart(t testing.TB, f func()) {
	t.Helper()
	s.Stop()
	f()
	again := exec.Command(s.cmd.Path, s.cmd.Args[1:]...)
	again.SysProcAttr, again.Dir = s.cmd.SysProcAttr, s.cmd.Dir
	next, err := launch(again, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd, s.done = next.cmd, next.done
}

const startTimeout = 30 * time.Second

// StartPostgres makes a cluster below dir and starts it on a free port of the loopback. Its URL has no
// database. Without durable it does not wait for the disk, which only tests may want.
func StartPostgres(dir string, durable bool) (*Server, error) {
	const debian = "/usr/lib/postgresql/*/bin"
	initdb, err := program("initdb", debian)
	if err != nil {
		return nil, err
	}
	postgres, err := program("postgres", debian)
	if err != nil {
		return nil, err
	}
	attr, uid, gid, err := unprivileged()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "postgres")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	if attr != nil {
		if err := os.Chown(home, uid, gid); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	data := filepath.Join(home, "data")
	init := exec.CommandContext(ctx, initdb, "-D", data, "-U", "signalbox", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	init.SysProcAttr, init.Dir = attr, home
	if err := run(ctx, init); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	sync := "off"
	if durable {
		sync = "on"
	}
	cmd := exec.Command(postgres, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", home,
		"-c", "fsync="+sync, "-c", "full_page_writes="+sync, "-c", "max_connections=300", "-c", "log_min_messages=fatal", "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	cmd.SysProcAttr, cmd.Dir = attr, home
	s, err := launch(cmd, fmt.Sprintf("postgres://signalbox@127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", s.URL+"/postgres?sslmode=disable")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return s, s.ready(ctx, db.PingContext)
}

// StartRedis starts a Redis without persistence on a free port of the loopback.
func StartRedis(dir string, _ bool) (*Server, error) {
	redis, err := program("redis-server")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.Command(redis, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	s, err := launch(cmd, fmt.Sprintf("redis://127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	return s, s.ready(ctx, func(ctx context.Context) error { return pingRedis(ctx, port) })
}

func pingRedis(ctx context.Context, port int) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 16)
	n, err := conn.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "+PONG") {
		err = fmt.Errorf("redis answers %q", answer[:n])
	}
	return err
}

func launch(cmd *exec.Cmd, url string) (*Server, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := *cmd.SysProcAttr
	attr.Pdeathsig = syscall.SIGQUIT // a killed test run leaves nothing behind
	cmd.SysProcAttr = &attr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{URL: url, cmd: cmd, done: make(chan error, 1)}
	go func() { s.done <- cmd.Wait() }()
	return s, nil
}

// ready waits until the server answers, or has ended.
func (s *Server) ready(ctx context.Context, ping func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ping(ctx) == nil {
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("server ended: %w", errors.Join(err))
		case <-ctx.Done():
			s.cmd.Process.Kill()
			return errors.New("server does not answer")
		case <-tick.C:
		}
	}
}

// unprivileged is who runs PostgreSQL, which refuses root.
func unprivileged() (*syscall.SysProcAttr, int, int, error) {
	if os.Getuid() != 0 {
		return nil, 0, 0, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("no unprivileged user for PostgreSQL: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cred := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return &syscall.SysProcAttr{Credential: cred}, uid, gid, nil
}
