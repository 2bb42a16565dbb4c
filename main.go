// Command signalbox is a GitLab-compatible CI coordinator with chat as a pipeline source.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"signalbox/app"
)

type commands struct {
	Serve   app.ServeCommand   `cmd:"" help:"Run a node."`
	Demo    app.DemoCommand    `cmd:"" help:"Run a throw-away node with a sample project, send it chat commands, and show each reply."`
	Runner  app.RunnerCommand  `cmd:"" help:"Run the built-in shell runner against any coordinator. It runs jobs with bash on this machine: no containers, no services, no caches; for anything but trusted jobs use the official gitlab-runner."`
	Chat    app.ChatCommand    `cmd:"" help:"Give a chat command to a project as the token's owner and print the reply."`
	Lint    app.LintCommand    `cmd:"" help:"Check a configuration in a working tree, without a server. Exit status 0: valid, 1: not valid, 2: it could not be checked."`
	Version app.VersionCommand `cmd:"" help:"Print the version."`
}

func main() {
	var c commands
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k := kong.Parse(&c, kong.Name("signalbox"), kong.Description("A GitLab-compatible CI coordinator with chat as a pipeline source."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	err := k.Run()
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	stop()
	code := 1
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	if err.Error() != "" {
		fmt.Fprintln(os.Stderr, "signalbox:", err)
	}
	os.Exit(code)
}
