package chatops

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/models"
	"signalbox/models/enum"
)

const onceConfig = `
later: {script: x, when: manual, allow_failure: true}
build: {script: x}
ship: {script: x, environment: production}
`

// TestACommandIsDoneAndToldAtOnce: a command whose try ends between doing and telling is done once all the same, and tells what it
// did when it is tried again.
func TestACommandIsDoneAndToldAtOnce(t *testing.T) {
	cases := map[string]struct {
		text string
		ends []string // jobs that are canceled before
		want string
		done func(b *bench, jobs map[string]*models.Job) string // what is wrong with the jobs after that
	}{
		"play":            {text: "play #{later}", want: "#{later}](http://ci.example.com/root/ops/-/jobs/{later}) was started by Administrator.", done: is("later", enum.Pending, 1)},
		"cancel a job":    {text: "cancel #{build}", want: "#{build}](http://ci.example.com/root/ops/-/jobs/{build}) is canceled.", done: is("build", enum.Canceled, 1)},
		"cancel pipeline": {text: "cancel pipeline {pipeline}", want: "Pipeline [#{pipeline}](http://ci.example.com/root/ops/-/pipelines/{pipeline}) is canceled.", done: is("build", enum.Canceled, 1)},
		"retry a job":     {text: "retry #{build}", ends: []string{"build"}, want: " runs again.", done: is("build", enum.Pending, 2)},
		"retry pipeline":  {text: "retry pipeline {pipeline}", ends: []string{"build"}, want: "Pipeline [#{pipeline}](http://ci.example.com/root/ops/-/pipelines/{pipeline}) runs again.", done: is("build", enum.Pending, 2)},
		"approve":         {text: "approve #{ship}", want: " was approved by Administrator.", done: is("ship", enum.Pending, 1)},
		"reject":          {text: "reject #{ship}", want: " was rejected by Administrator.", done: is("ship", enum.Failed, 1)},
		"play an ended":   {text: "play #{later}", ends: []string{"later"}, want: " was started by Administrator.", done: is("later", enum.Pending, 2)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, onceConfig, nil)
			b.write(func(tx *models.Tx) error {
				anyone := []models.Grant{{ID: 1, AccessLevel: enum.Maintainer}}
				return tx.CreateProtectedEnvironment(&models.ProtectedEnvironment{ProjectID: b.project.ID, Name: "production", Deployers: anyone, Approvers: anyone, RequiredApprovals: 1})
			})
			pipeline, jobs := b.pipeline()
			for _, j := range c.ends {
				if jobs[j].Status == enum.Manual {
					_, err := b.ci.PlayJob(t.Context(), access.Actor{User: b.root}, jobs[j].ID, ci.Given{})
					b.must(err)
				}
				_, err := b.ci.CancelJob(t.Context(), access.Actor{User: b.root}, jobs[j].ID, false)
				b.must(err)
			}
			named := func(text string) string {
				for _, j := range jobs {
					text = strings.ReplaceAll(text, "{"+j.Name+"}", fmt.Sprint(j.ID))
				}
				return strings.ReplaceAll(text, "{pipeline}", fmt.Sprint(pipeline))
			}
			id := b.give(named(c.text), nil)
			restore := b.without(fmt.Sprintf("UPDATE ON chat_commands WHEN NEW.id = %d AND NEW.state <> OLD.state", id))
			if err := b.try(id, 1); err == nil {
				t.Fatal("the first try did not end")
			}
			restore()
			for attempt := range 3 {
				b.must(b.try(id, 2+attempt))
			}
			got := b.command(id)
			if got.Refusal != "" || !strings.Contains(got.Acknowledgement, named(c.want)) {
				t.Errorf("%s: %q, want %q", got.State, got.Refusal+got.Acknowledgement, named(c.want))
			}
			if wrong := c.done(b, b.jobs(pipeline)); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// is wants a job in a state after so many attempts.
func is(name string, status enum.Status, attempts int) func(b *bench, jobs map[string]*models.Job) string {
	return func(b *bench, jobs map[string]*models.Job) string {
		n := 0
		b.read(func(tx *models.Tx) error {
			all, err := tx.PipelineJobs(jobs[name].PipelineID, true)
			for _, j := range all {
				if j.Name == name {
					n++
				}
			}
			return err
		})
		if jobs[name].Status != status || n != attempts {
			return fmt.Sprintf("%s is %s after %d attempts, want %s after %d", name, jobs[name].Status, n, status, attempts)
		}
		return ""
	}
}

// TestACommandIsJudgedAndToldAtOnce: the same for what approves and rejects commands.
func TestACommandIsJudgedAndToldAtOnce(t *testing.T) {
	for verb, want := range map[Verb]enum.CommandState{Approve: enum.CommandAccepted, Reject: enum.CommandRefused} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, onceConfig, nil)
			waits := b.give("run build", func(c *models.ChatCommand) { c.State, c.UserID = enum.CommandWaiting, &b.anna.ID })
			id := b.give(fmt.Sprintf("%s command %d", verb, waits), nil)
			restore := b.without(fmt.Sprintf("UPDATE ON chat_commands WHEN NEW.id = %d AND NEW.state <> OLD.state", id))
			if err := b.try(id, 1); err == nil {
				t.Fatal("the first try did not end")
			}
			restore()
			for attempt := range 3 {
				b.must(b.try(id, 2+attempt))
			}
			if got := b.command(id); !strings.HasPrefix(got.Acknowledgement, fmt.Sprintf("Administrator %s", strings.TrimSuffix(string(verb), "e"))) || !strings.HasSuffix(got.Acknowledgement, "`run build` of Anna.") {
				t.Errorf("%s: %q", got.State, got.Refusal+got.Acknowledgement)
			}
			if got := b.command(waits); got.State != want {
				t.Errorf("the command that waited is %s, want %s", got.State, want)
			}
			if again := b.give(fmt.Sprintf("%s command %d", verb, waits), nil); b.try(again, 1) != nil || b.command(again).State != enum.CommandRefused {
				t.Errorf("judged once more: %+v", b.command(again))
			}
		})
	}
}

// TestActionsAreToldWithin: whatever the engine does for a command is done by a transaction that also stores what came of it.
func TestActionsAreToldWithin(t *testing.T) {
	fixed := map[string]int{} // how many arguments an action has before what is stored within it
	for m := range reflect.TypeFor[*ci.Coordinator]().Methods() {
		if n := m.Type.NumIn(); m.Type.IsVariadic() && strings.HasPrefix(m.Type.In(n-1).Elem().Name(), "Within[") {
			fixed[m.Name] = n - 2
		}
	}
	if len(fixed) < 6 {
		t.Fatalf("actions are %v", fixed)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			before, known := fixed[sel.Sel.Name]
			if engine, isField := sel.X.(*ast.SelectorExpr); !known || !isField || engine.Sel.Name != "ci" {
				return true
			}
			if calls++; len(call.Args) <= before {
				t.Errorf("%s: %s stores nothing of what it did", set.Position(call.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
	if calls < 6 {
		t.Errorf("%d calls", calls)
	}
}
