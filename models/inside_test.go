package models_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// TestNothingIsPutIntoAGroupThatIsBeingDeleted: each table whose rows lie in a group or a project refuses new ones in one that is
// being deleted, and in one below it; what is there can be changed.
func TestNothingIsPutIntoAGroupThatIsBeingDeleted(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		in := func(n *models.Namespace) map[string]func(tx *models.Tx) error {
			return map[string]func(tx *models.Tx) error{
				"projects": func(tx *models.Tx) error {
					return tx.CreateProject(&models.Project{Path: "new", Name: "New", Visibility: enum.Private, DefaultBranch: "main", Storage: "new"}, n)
				},
				"namespaces": func(tx *models.Tx) error {
					return tx.CreateNamespace(&models.Namespace{Kind: "group", Path: "new", Name: "New", Visibility: enum.Private}, n)
				},
				"members": func(tx *models.Tx) error {
					return tx.SetMember(&models.Member{UserID: f.user.ID, NamespaceID: &n.ID, AccessLevel: enum.Developer})
				},
				"runners": func(tx *models.Tx) error {
					return tx.CreateRunner(&models.Runner{Type: enum.GroupRunner, TokenHash: "new", NamespaceID: &n.ID})
				},
				"personal_access_tokens": func(tx *models.Tx) error {
					return tx.CreateToken(&models.PersonalAccessToken{UserID: f.user.ID, TokenHash: "new", Scopes: []string{"api"}, NamespaceID: &n.ID})
				},
				"variables": func(tx *models.Tx) error {
					return tx.CreateVariable(&models.Variable{Scope: "group", ScopeID: n.ID, Key: "NEW", EnvironmentScope: "*", Type: "env_var"})
				},
			}
		}
		columns, err := db.Columns(ctx)
		must(t, err)
		makers := in(f.sub)
		for _, c := range columns {
			table, column, _ := strings.Cut(strings.TrimSuffix(c, " null"), ".")
			if column != "namespace_id" && column != "parent_id" && column != "scope_id" || table == "redirects" {
				continue // a redirect is made by who renames, of what is there
			}
			if makers[table] == nil {
				t.Errorf("nobody tries to put a row of %s into a group that is being deleted", table)
			}
		}
		inProject := map[string]func(tx *models.Tx) error{
			"member of a project": func(tx *models.Tx) error {
				return tx.SetMember(&models.Member{UserID: f.user.ID, ProjectID: &f.project.ID, AccessLevel: enum.Developer})
			},
			"runner of a project": func(tx *models.Tx) error {
				return tx.CreateRunner(&models.Runner{Type: enum.ProjectRunner, TokenHash: "new"}, f.project.ID)
			},
			"runner for a further project": func(tx *models.Tx) error { return tx.AddRunnerProject(f.runners[0], f.project.ID) },
			"token of a project": func(tx *models.Tx) error {
				return tx.CreateToken(&models.PersonalAccessToken{UserID: f.user.ID, TokenHash: "new", Scopes: []string{"api"}, ProjectID: &f.project.ID})
			},
			"variable of a project": func(tx *models.Tx) error {
				return tx.SetVariable(&models.Variable{Scope: "project", ScopeID: f.project.ID, Key: "NEW"})
			},
		}
		undone := errorString("undone")
		refused := func(what string, make func(tx *models.Tx) error, want bool) {
			t.Helper()
			err := db.Write(ctx, func(tx *models.Tx) error {
				if err := make(tx); err != nil {
					return err
				}
				return undone
			})
			if !want && err != undone {
				t.Errorf("%s: %v", what, err)
			}
			if want && (fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "being deleted")) {
				t.Errorf("%s is taken: %v", what, err)
			}
		}
		all := func(want bool) {
			for what, make := range in(f.group) {
				refused(what+" of the group", make, want)
			}
			for what, make := range in(f.sub) {
				refused(what+" of the group below", make, want)
			}
			for what, make := range inProject {
				refused(what, make, want)
			}
		}
		all(false)
		m := models.Member{UserID: f.user.ID, NamespaceID: &f.group.ID, AccessLevel: enum.Owner}
		must(t, db.Write(ctx, func(tx *models.Tx) error { return tx.SetMember(&m) }))
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			g, err := tx.LockNamespace(f.group.ID)
			if err != nil {
				return err
			}
			g.Deleting = true
			return tx.UpdateNamespace(g)
		}))
		must(t, db.Write(ctx, func(tx *models.Tx) error { // a role that is there is changed and taken away
			m.AccessLevel = enum.Guest
			return errors.Join(tx.SetMember(&m), tx.DeleteMember(m.ID))
		}))
		all(true)
	})
}

type errorString string

func (e errorString) Error() string { return string(e) }

// TestWhoeverDeletesAGroupComesFirstOrLast: what is put into a group while its deletion is stored waits for that, and is refused.
func TestWhoeverDeletesAGroupComesFirstOrLast(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		created := make(chan error, 1)
		once := sync.OnceFunc(func() {
			go func() {
				created <- db.Write(ctx, func(tx *models.Tx) error {
					return tx.CreateProject(&models.Project{Path: "new", Name: "New", Visibility: enum.Private, DefaultBranch: "main", Storage: "new"}, f.sub)
				})
			}()
		})
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			g, err := tx.LockNamespace(f.group.ID)
			if err != nil {
				return err
			}
			once()
			select {
			case err := <-created:
				t.Errorf("a project is put into a group whose deletion is being stored: %v", err)
			case <-time.After(300 * time.Millisecond): // time to do so, for who does not wait
			}
			g.Deleting = true
			return tx.UpdateNamespace(g)
		}))
		if t.Failed() {
			return
		}
		if err := <-created; fault.KindOf(err) != fault.Conflict {
			t.Errorf("a project is put into a group that is being deleted: %v", err)
		}
	})
}

// TestRenamingAGroupWaitsForNobodyWhoWaitsForIt: what is put into a project while its group is renamed waits for that. Were each to
// hold what the other needs, PostgreSQL would undo one of them after a second.
func TestRenamingAGroupWaitsForNobodyWhoWaitsForIt(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		var tries atomic.Int32
		stored := make(chan error, 1)
		once := sync.OnceFunc(func() {
			go func() {
				stored <- db.Write(ctx, func(tx *models.Tx) error {
					tries.Add(1)
					return tx.CreateVariable(&models.Variable{Scope: "project", ScopeID: f.project.ID, Key: "NEW", EnvironmentScope: "*", Type: "env_var"})
				})
			}()
		})
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			tries.Add(1)
			g, err := tx.LockNamespace(f.group.ID)
			if err != nil {
				return err
			}
			once()
			select {
			case err := <-stored:
				t.Errorf("a variable is put into a group that is being renamed: %v", err)
				stored <- err
			case <-time.After(300 * time.Millisecond): // time to take what it can have
			}
			return tx.RenameNamespace(g, "renamed")
		}))
		must(t, <-stored)
		if n := tries.Load(); n != 2 {
			t.Errorf("the two transactions were tried %d times", n)
		}
	})
}
