package chatops

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// TestUnable walks every verb over every status: what cannot be done is told in one sentence that says how the job is, and what
// can be done instead.
func TestUnable(t *testing.T) {
	ended := []enum.Status{enum.Success, enum.Failed, enum.Canceled, enum.Skipped}
	before := []enum.Status{enum.Created, enum.WaitingForResource, enum.Preparing, enum.WaitingForCallback, enum.Pending}
	able := map[Verb][]enum.Status{
		Cancel: append(slices.Clone(before), enum.Running, enum.Manual, enum.Scheduled),
		Retry:  {enum.Success, enum.Failed, enum.Canceled, enum.Canceling},
		Start:  {enum.Manual, enum.Scheduled},
		Status: enum.Statuses, Watch: enum.Statuses, Logs: enum.Statuses,
	}
	hint := map[Verb]map[enum.Status]string{
		Cancel: {enum.Success: "is over: success; `retry #5` runs it again", enum.Skipped: "`retry pipeline 7`", enum.Canceling: "being canceled already"},
		Retry: {
			enum.Running: "is running: it can be tried again when it has ended; `cancel #5` stops it", enum.Manual: "`play #5` starts it",
			enum.Skipped: "`retry pipeline 7`", enum.Created: "waits for jobs before it",
		},
		Start: {enum.Success: "is over: success; `retry #5` runs it again", enum.Running: "was started already", enum.Pending: "starts by itself", enum.Created: "waits for jobs before it"},
	}
	for _, v := range []Verb{Cancel, Retry, Start, Approve, Reject, Status, Watch, Logs} {
		for _, st := range enum.Statuses {
			now := models.Job{}.CreatedAt
			u := subject{pipeline: &models.Pipeline{ID: 7}, job: &models.Job{ID: 5, PipelineID: 7, Name: "build", Status: st, StartedAt: &now, When: enum.OnSuccess}}
			got := u.unable(v, false, "Job #5", word(st))
			if want := slices.Contains(able[v], st); (got == "") != want {
				t.Errorf("%s of a job that is %s: %q", v, st, got)
			}
			if got == "" {
				continue
			}
			if !strings.HasPrefix(got, "Job #5 ") || !strings.HasSuffix(got, ".") || strings.Contains(got, "  ") || strings.Contains(got, "40") {
				t.Errorf("%s of a job that is %s: %q is no sentence", v, st, got)
			}
			if !strings.Contains(got, hint[v][st]) {
				t.Errorf("%s of a job that is %s: %q lacks %q", v, st, got, hint[v][st])
			}
			if slices.Contains(ended, st) && v == Cancel && !strings.Contains(got, "is over: "+word(st)) {
				t.Errorf("%s of a job that is %s: %q", v, st, got)
			}
		}
	}
}

func TestUnableMore(t *testing.T) {
	u := subject{pipeline: &models.Pipeline{ID: 7, Status: enum.Success}, job: &models.Job{ID: 5, Status: enum.Failed, Retried: true}, next: &models.Job{ID: 6, Status: enum.Running}}
	for _, v := range []Verb{Cancel, Retry, Start, Approve, Reject, Watch} {
		if got := u.unable(v, false, "Job #5", "failed"); got != fmt.Sprintf("Job #5 was tried again already, as #6, which is running; `%s #6` is about that.", v) {
			t.Errorf("%s of an attempt that was tried again: %q", v, got)
		}
	}
	u.job = nil
	for v, want := range map[Verb]string{Cancel: "Pipeline #7 is over: success.", Retry: "nothing to try again", Logs: "by number", Start: "by number", Status: "", Watch: ""} {
		if got := u.unable(v, false, "Pipeline #7", ""); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s of a pipeline: %q", v, got)
		}
	}
	blocked := subject{pipeline: &models.Pipeline{ID: 7}, job: &models.Job{ID: 5, Status: enum.Manual}, blocked: true}
	if got := blocked.unable(Start, false, "Job #5", "manual"); !strings.Contains(got, "`approve #5`") {
		t.Errorf("play of what waits for approval: %q", got)
	}
	if got := blocked.unable(Approve, false, "Job #5", "manual"); got != "" {
		t.Errorf("approve: %q", got)
	}
	by := subject{pipeline: &models.Pipeline{ID: 7}, job: &models.Job{ID: 5, Status: enum.Success, When: enum.WhenManual}}
	if got := by.unable(Start, false, "Job #5", "success"); got != "" {
		t.Errorf("play of a manual job that ended: %q", got)
	}
	if got := by.unable(Start, true, "Job #5", "success"); !strings.Contains(got, "does not wait to be started any more") {
		t.Errorf("Start of a manual job that ended: %q", got)
	}
}

// constants are the names of the constants of a type in a file.
func constants(t *testing.T, file, kind string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		of := ""
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); ok {
				of = id.Name
			}
			if of == kind {
				for _, n := range v.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

// cases are the constants of another package that the switches of a function name.
func cases(t *testing.T, file, function, pkg string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != function {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if sel, ok := e.(*ast.SelectorExpr); ok && sel.X.(*ast.Ident).Name == pkg {
						names = append(names, sel.Sel.Name)
					}
				}
			}
			return true
		})
	}
	return names
}

// TestEveryKindOfFaultIsJudged: a kind that is added to internal/fault says here whether it passes.
func TestEveryKindOfFaultIsJudged(t *testing.T) {
	want, got := constants(t, "../internal/fault/fault.go", "Kind"), cases(t, "refusal.go", "passing", "fault")
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 10 || !slices.Equal(want, got) {
		t.Errorf("passing names %v\nof the kinds    %v", got, want)
	}
}

// TestRefusalsOfEveryKind: what is said of a command is final at once; what may pass, and what nobody expected, after its tries.
func TestRefusalsOfEveryKind(t *testing.T) {
	s := &Service{}
	g := func(tries int) *given {
		return &given{command: &models.ChatCommand{ID: 9}, user: &models.User{State: "active"}, tries: tries}
	}
	mayPass := []fault.Kind{fault.Internal, fault.Unavailable, fault.Conflict, fault.OutOfSpace, fault.TooSlow}
	for k := fault.Internal; k <= fault.OutOfSpace; k++ {
		if k == fault.Forbidden { // asks for the role
			continue
		}
		err := fault.New(k, "The job is stuck.")
		first, last := s.refusal(t.Context(), err, g(1)), s.refusal(t.Context(), err, g(mostTries))
		if slices.Contains(mayPass, k) != (first == "") || last == "" {
			t.Errorf("kind %d: %q, at last %q", k, first, last)
		}
		if k != fault.Internal && k != fault.OutOfSpace && !strings.Contains(last, "The job is stuck.") || strings.Contains(last, "..") {
			t.Errorf("kind %d: %q", k, last)
		}
	}
	if got := s.refusal(t.Context(), fmt.Errorf("boom"), g(mostTries)); !strings.Contains(got, "command 9") || strings.Contains(got, "boom") {
		t.Errorf("an unexpected error: %q", got)
	}
}
