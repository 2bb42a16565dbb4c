package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"signalbox/internal/secret"
	"signalbox/models"
)

// TestAPushThatNoPipelineCanBeMadeOf ends with a failed pipeline and a task that administrators see, retry and drop.
func TestAPushThatNoPipelineCanBeMadeOf(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.variable("BROKEN", "value")
		var stored *models.Variable
		change := func(value secret.Sealed) {
			t.Helper()
			err := w.node.db.Write(t.Context(), func(tx *models.Tx) error {
				project, err := tx.ProjectByPath("root/app")
				if err != nil {
					return err
				}
				rows, err := tx.VariablesByKey("project", project.ID, "BROKEN")
				if err != nil || len(rows) != 1 {
					return fmt.Errorf("%d variables, %w", len(rows), err)
				}
				stored = rows[0]
				changed := *stored
				changed.Value = value
				return tx.UpdateVariable(&changed)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		other, err := secret.NewKeyring([]byte(strings.Repeat("k", 32)))
		if err != nil {
			t.Fatal(err)
		}
		change(other.Seal("elsewhere", "value"))
		right := stored.Value
		w.push("app", map[string]string{".gitlab-ci.yml": "a: {script: x}"})
		var id int64
		w.eventually("the task given up", func() bool {
			rows, _, err := w.node.CI.TroubledTasks(t.Context())
			if err != nil || len(rows) != 1 {
				return false
			}
			if id = rows[0].ID; rows[0].GaveUpAt == nil { // its pauses need not be waited for
				if err := w.node.db.Write(t.Context(), func(tx *models.Tx) error { return tx.DueNow(*rows[0].Key) }); err != nil {
					t.Fatal(err)
				}
				w.node.tasks.Wake()
			}
			return rows[0].GaveUpAt != nil && rows[0].Kind == "push" && strings.Contains(rows[0].LastError, "cannot be opened")
		})
		p := w.of(w.pipeline("failed").ID)
		if p.YAMLErrors == nil || !strings.Contains(*p.YAMLErrors, "could not be created") {
			t.Errorf("the pipeline of a push that was given up: %+v", p)
		}
		b := w.visitor("root", "root-password")
		if _, page, _ := b.get("/admin/tasks"); !strings.Contains(page, "given up") || !strings.Contains(page, "push") {
			t.Errorf("the page of tasks:\n%s", page)
		}
		change(right)
		b.post("/admin/tasks/"+itoa(id), url.Values{"action": {"retry"}}, "/admin/tasks")
		w.eventually("the pipeline after all", func() bool { return len(w.pipelines()) == 2 })
		if _, page, _ := b.get("/admin/tasks"); !strings.Contains(page, "No task fails") {
			t.Errorf("the page of tasks:\n%s", page)
		}
	})
}

// TestAVisitOfNobodyStoresNoSession: it is led to sign in and, after that, to the page that was wanted.
func TestAVisitOfNobodyStoresNoSession(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		sessions := func() (n int64) {
			t.Helper()
			err := w.node.db.Read(t.Context(), func(tx *models.Tx) (err error) {
				n, err = tx.CountSessions()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		nobody := w.visitor("", "")
		for _, page := range []string{"/", "/root/app", "/admin/users", "/root/app/-/jobs/1/live", "/unknown", "/root/app/-/pipelines?page=2"} {
			nobody.get(page)
		}
		if n := sessions(); n != 0 {
			t.Errorf("%d sessions of nobody", n)
		}
		_, _, at := nobody.post("/users/sign_in", url.Values{"login": {"root"}, "password": {"root-password"}}, "")
		if at.RequestURI() != "/root/app/-/pipelines?page=2" {
			t.Errorf("after signing in: %s", at)
		}
		if n := sessions(); n != 1 {
			t.Errorf("%d sessions of one", n)
		}
	})
}
