package chatops

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/ci/trace"
	"signalbox/internal/blob"
	"signalbox/internal/events"
	"signalbox/internal/gitrepo"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// bench is a service on an empty SQLite database, with a project and its administrator. Nobody works on its tasks.
type bench struct {
	*Service
	t       *testing.T
	dir     string
	root    *models.User
	anna    *models.User // a maintainer of the project
	project *models.Project
	in      *models.ChatIntegration // nil: commands come from our own endpoint
	given   int
	later   atomic.Int64 // how far the clock is ahead, in nanoseconds
}

// newBench makes one. chat, if not nil, is the project's Slack, with a bot.
func newBench(t *testing.T, config string, chat Chat) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	modelstest.SQLite(t, b.dir)
	db := modelstest.Open(t, models.Options{Dir: b.dir, Now: func() time.Time { return time.Now().Add(time.Duration(b.later.Load())) }})
	keys, err := secret.NewKeyring([]byte(strings.Repeat("k", 32)))
	b.must(err)
	repos, err := gitrepo.New(gitrepo.Options{Root: filepath.Join(b.dir, "repositories"), Home: filepath.Join(b.dir, "home")})
	b.must(err)
	blobs, err := blob.Open(t.Context(), "file://"+b.dir+"/objects")
	b.must(err)
	traces, err := trace.NewFiles(filepath.Join(b.dir, "traces"), blobs)
	b.must(err)
	log := slog.New(slog.DiscardHandler)
	runner := tasks.NewRunner(db, log)
	c := ci.New(ci.Parts{DB: db, Keys: keys, Repos: repos, Traces: traces, Blobs: blobs, Hub: events.NewHub(), Tasks: runner, Log: log, Settings: ci.Settings{URL: "http://ci.example.com"}})
	chats := map[enum.Chat]Chat{}
	if chat != nil {
		chats[enum.Slack] = chat
	}
	b.Service = New(c, runner, log, Options{Chats: chats})
	_, err = c.Bootstrap(t.Context(), "root-password", "")
	b.must(err)
	b.read(func(tx *models.Tx) (err error) { b.root, err = tx.UserByName("root"); return err })
	actor := access.Actor{User: b.root}
	b.project, err = c.CreateProject(t.Context(), actor, ci.NewProject{Path: "ops"})
	b.must(err)
	_, err = c.Commit(t.Context(), actor, b.project, ci.NewCommit{Branch: "main", Message: "Add jobs", Changes: []gitrepo.Change{{Action: "create", Path: ".gitlab-ci.yml", Content: []byte(config)}}})
	b.must(err)
	b.anna = &models.User{Username: "anna", Name: "Anna", Email: "anna@example.com"}
	b.write(func(tx *models.Tx) error {
		if err := tx.CreateUser(b.anna); err != nil {
			return err
		}
		return tx.SetMember(&models.Member{UserID: b.anna.ID, ProjectID: &b.project.ID, AccessLevel: enum.Maintainer})
	})
	if chat != nil {
		b.in = &models.ChatIntegration{ProjectID: b.project.ID, Chat: enum.Slack, Active: true, TokenHash: "x", ChannelVariable: "name"}
		b.in.BotToken = keys.Seal(b.in.Place("bot_token"), "xoxb-1")
		b.write(func(tx *models.Tx) error { return tx.SaveIntegration(b.in) })
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(f func(tx *models.Tx) error) {
	b.t.Helper()
	b.must(b.db.Read(b.t.Context(), f))
}

func (b *bench) write(f func(tx *models.Tx) error) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), f))
}

// pipeline makes one of the project's configuration, of Anna's.
func (b *bench) pipeline() (id int64, jobs map[string]*models.Job) {
	b.t.Helper()
	p, err := b.ci.CreatePipeline(b.t.Context(), ci.PipelineRequest{Project: b.project, Actor: access.Actor{User: b.anna}, Source: enum.SourceAPI, Ref: "main"})
	b.must(err)
	return p.ID, b.jobs(p.ID)
}

// jobs are the latest attempts of a pipeline.
func (b *bench) jobs(pipeline int64) map[string]*models.Job {
	b.t.Helper()
	out := map[string]*models.Job{}
	b.read(func(tx *models.Tx) error {
		rows, err := tx.PipelineJobs(pipeline, false)
		for _, j := range rows {
			out[j.Name] = j
		}
		return err
	})
	return out
}

// give stores a command of the administrator.
func (b *bench) give(text string, change func(c *models.ChatCommand)) int64 {
	b.t.Helper()
	b.given++
	c := &models.ChatCommand{
		ProjectID: b.project.ID, Chat: enum.Console, DeliveryKey: fmt.Sprint("key ", b.given), ChannelID: "C1", ChannelName: "ops", ChatUserID: "U1", ChatUserName: "root",
		UserID: &b.root.ID, Text: text, State: enum.CommandAccepted,
	}
	if b.in != nil {
		c.Chat, c.IntegrationID = enum.Slack, &b.in.ID
	}
	if change != nil {
		change(c)
	}
	b.write(func(tx *models.Tx) error { return tx.CreateCommand(c) })
	return c.ID
}

// command is a command as it stands.
func (b *bench) command(id int64) (c *models.ChatCommand) {
	b.t.Helper()
	b.read(func(tx *models.Tx) (err error) { c, err = tx.Command(id); return err })
	return c
}

// try runs the task of a command once.
func (b *bench) try(id int64, attempt int) error {
	return b.run(b.t.Context(), &models.Task{Kind: taskRun, Payload: payload(id), Attempts: attempt})
}

// without lets a statement on the database fail until restore is called, as if the node ended before it.
func (b *bench) without(trigger string) (restore func()) {
	b.t.Helper()
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(b.dir, "signalbox.db")+"?_pragma=busy_timeout(10000)")
	b.must(err)
	_, err = raw.ExecContext(b.t.Context(), "CREATE TRIGGER ended BEFORE "+trigger+" BEGIN SELECT RAISE(ABORT, 'the node ended'); END")
	b.must(err)
	return func() {
		b.t.Helper()
		_, err := raw.ExecContext(context.WithoutCancel(b.t.Context()), "DROP TRIGGER ended")
		b.must(err)
		b.must(raw.Close())
	}
}

// shortly is a deadline of tests that wait for a task.
const shortly = 30 * time.Second
