package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"signalbox/ci"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/runnerproto/shellrunner"
)

// builtinRunner is the description of the runner that --runner starts.
const builtinRunner = "built-in runner"

// StartRunner starts the built-in runner beside the node. It stops with the node.
func (n *Node) StartRunner(concurrent int) error {
	dir := n.settings.BuildsDir
	if dir == "" {
		dir = filepath.Join(n.settings.Data, "builds")
	}
	token, err := n.runnerToken(context.Background())
	if err != nil {
		return fmt.Errorf("built-in runner: %w", err)
	}
	r, err := shellrunner.New(shellrunner.Options{
		URL: n.Local, Token: token, Dir: dir, Concurrent: concurrent, User: n.settings.RunnerUser, Log: n.log,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	previous := n.stopRunner
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			n.log.Error("the built-in runner ended", "error", err)
		}
	}()
	n.stopRunner = func() {
		stop()
		<-done
		if previous != nil {
			previous()
		}
	}
	return nil
}

// runnerToken is the built-in runner's own, kept in the data folder; made anew if it is not good any more.
func (n *Node) runnerToken(ctx context.Context) (string, error) {
	path := filepath.Join(n.settings.Data, "runner-token")
	raw, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(raw))
		if _, err := n.CI.VerifyRunner(ctx, token, ci.RunnerInfo{}); err == nil {
			return token, nil
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var root *models.User
	err = n.db.Read(ctx, func(tx *models.Tx) (err error) {
		root, err = tx.UserByName("root")
		return err
	})
	if err != nil {
		return "", err
	}
	_, token, err := n.CI.CreateRunner(ctx, enum.InstanceRunner, 0, 0, root, ci.RunnerSettings{Description: builtinRunner, RunUntagged: true})
	if err != nil {
		return "", err
	}
	return token, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

// UnprivilegedUser names somebody whom jobs may run as on this machine: "" unless we are root.
func UnprivilegedUser() (string, error) {
	if os.Getuid() != 0 {
		return "", nil
	}
	return findUser("nobody", "daemon")
}

func findUser(names ...string) (string, error) {
	for _, name := range names {
		if u, err := user.Lookup(name); err == nil && u.Uid != "0" {
			return name, nil
		}
	}
	return "", errors.New("no unprivileged user found for jobs; name one with --runner-user")
}
