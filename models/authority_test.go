package models_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// TestOnlyLockedRowsAreStored: no query stores a row that decides about rights but as a Lock function gave it, and none in
// another transaction than that which locked it.
func TestOnlyLockedRowsAreStored(t *testing.T) {
	guarded := map[reflect.Type]bool{}
	tx := reflect.TypeFor[*models.Tx]()
	for m := range tx.Methods() {
		if strings.HasPrefix(m.Name, "Lock") && m.Type.NumOut() == 2 && m.Type.Out(0).Kind() == reflect.Struct {
			guarded[m.Type.Out(0).Field(0).Type] = true // the row, such as *models.User
		}
	}
	if len(guarded) != 6 {
		t.Fatalf("guarded are %v", guarded)
	}
	for m := range tx.Methods() {
		if !slices.ContainsFunc([]string{"Update", "Rename", "Save", "Store", "Set", "Transfer"}, func(p string) bool { return strings.HasPrefix(m.Name, p) }) {
			continue
		}
		for i := 1; i < m.Type.NumIn(); i++ {
			if guarded[m.Type.In(i)] {
				t.Errorf("%s takes a %s that nobody need have locked", m.Name, m.Type.In(i))
			}
		}
	}
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		var kept models.LockedRunner
		err := db.Write(ctx, func(tx *models.Tx) (err error) {
			if kept, err = tx.LockRunner(f.runners[0]); err != nil {
				return err
			}
			kept.Description = "changed"
			return tx.UpdateRunner(kept)
		})
		must(t, err)
		for name, row := range map[string]models.LockedRunner{"of another transaction": kept, "that nobody locked": {Runner: kept.Runner}} {
			err := db.Write(ctx, func(tx *models.Tx) error { return tx.UpdateRunner(row) })
			if err == nil || !strings.Contains(err.Error(), "did not lock it") {
				t.Errorf("a row %s: %v", name, err)
			}
		}
	})
}

// filled is a group with a subgroup, a project in that, and runners of all of them.
type filled struct {
	user       *models.User
	group, sub *models.Namespace
	project    *models.Project
	other      *models.Project // of the user's own
	runners    []int64         // of the group, the subgroup, the project alone, both projects, a group in one without projects
}

func fill(t *testing.T, db *models.DB) (f filled) {
	t.Helper()
	must(t, db.Write(ctx, func(tx *models.Tx) error {
		f = filled{user: &models.User{Username: "anna", Name: "Anna", Email: "anna@example.com"}}
		f.group = &models.Namespace{Kind: "group", Path: "top", Name: "Top", Visibility: enum.Private}
		f.sub = &models.Namespace{Kind: "group", Path: "sub", Name: "Sub", Visibility: enum.Private}
		f.project = &models.Project{Path: "app", Name: "App", Visibility: enum.Private, DefaultBranch: "main", Storage: "s1"}
		f.other = &models.Project{Path: "own", Name: "Own", Visibility: enum.Private, DefaultBranch: "main", Storage: "s2"}
		if err := errors.Join(tx.CreateUser(f.user), tx.CreateNamespace(f.group, nil), tx.CreateNamespace(f.sub, f.group), tx.CreateProject(f.project, f.sub)); err != nil {
			return err
		}
		own, err := tx.NamespaceByPath("anna")
		if err != nil {
			return err
		}
		if err := tx.CreateProject(f.other, own); err != nil {
			return err
		}
		outer := &models.Namespace{Kind: "group", Path: "outer", Name: "Outer", Visibility: enum.Private}
		inner := &models.Namespace{Kind: "group", Path: "inner", Name: "Inner", Visibility: enum.Private}
		if err := errors.Join(tx.CreateNamespace(outer, nil), tx.CreateNamespace(inner, outer)); err != nil {
			return err
		}
		for i, r := range []struct {
			group    *int64
			projects []int64
		}{{&f.group.ID, nil}, {&f.sub.ID, nil}, {nil, []int64{f.project.ID}}, {nil, []int64{f.project.ID, f.other.ID}}, {&inner.ID, nil}} {
			row := &models.Runner{Type: enum.GroupRunner, TokenHash: fmt.Sprint("hash", i), NamespaceID: r.group, Active: true}
			if r.group == nil {
				row.Type = enum.ProjectRunner
			}
			if err := tx.CreateRunner(row, r.projects...); err != nil {
				return err
			}
			f.runners = append(f.runners, row.ID)
		}
		return nil
	}))
	return f
}

// runnersOf is what each runner works for; nil if it is gone.
func runnersOf(t *testing.T, db *models.DB, ids []int64) map[int64][]int64 {
	t.Helper()
	out := map[int64][]int64{}
	must(t, db.Read(ctx, func(tx *models.Tx) error {
		rows, err := tx.Runners(ids)
		for id := range rows {
			projects, err := tx.RunnerProjects(id)
			if err != nil {
				return err
			}
			out[id] = append([]int64{}, projects...)
		}
		return err
	}))
	return out
}

// TestWhateverTakesARunnerAwayIsTold: every query that deletes something tells of the runners that go with it, or lose a project, so
// that their held requests are answered and their jobs end. A project runner goes with its last project, as in GitLab.
func TestWhateverTakesARunnerAwayIsTold(t *testing.T) {
	var deletes []string
	for m := range reflect.TypeFor[*models.Tx]().Methods() {
		oneID := m.Type.NumIn() == 2 && m.Type.In(1).Kind() == reflect.Int64
		if (strings.HasPrefix(m.Name, "Delete") || strings.HasPrefix(m.Name, "Remove")) && oneID && m.Type.NumOut() == 1 {
			deletes = append(deletes, m.Name)
		}
	}
	gone := map[string]int{}
	for _, name := range deletes {
		dir := t.TempDir()
		modelstest.SQLite(t, dir)
		db := modelstest.Open(t, models.Options{Dir: dir})
		told := map[int64]bool{}
		db.OnAuthorityChange(func(changes []models.AuthorityChange) {
			for _, c := range changes {
				if c.Kind == models.RunnerAuthority {
					told[c.ID] = true
				}
			}
		})
		f := fill(t, db)
		for id := range int64(7) {
			clear(told)
			before := runnersOf(t, db, f.runners)
			err := db.Write(ctx, func(tx *models.Tx) error {
				out := reflect.ValueOf(tx).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(id)})
				err, _ := out[0].Interface().(error)
				return err
			})
			now := runnersOf(t, db, f.runners)
			for id, projects := range before {
				if !reflect.DeepEqual(projects, now[id]) {
					gone[name]++
					if !told[id] {
						t.Errorf("%s: runner %d worked for %v and now for %v, and nobody was told", name, id, projects, now[id])
					}
				}
			}
			if err != nil && len(before) != len(now) {
				t.Errorf("%s fails, and runners are gone: %v", name, err)
			}
		}
	}
	if gone["DeleteRunner"] == 0 || gone["DeleteProject"] == 0 || gone["DeleteNamespace"] == 0 {
		t.Errorf("nothing was taken away by %v", gone)
	}
}

// TestRunnersThatGo: a project takes those runners along that work for it alone, a group its own.
func TestRunnersThatGo(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		left := func(want ...int64) {
			t.Helper()
			now := runnersOf(t, db, f.runners)
			for _, id := range f.runners {
				if _, there := now[id]; there != slices.Contains(want, id) {
					t.Errorf("runner %d: %v", id, there)
				}
			}
		}
		must(t, db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteProject(f.project.ID) }))
		left(f.runners[0], f.runners[1], f.runners[3], f.runners[4])
		must(t, db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteNamespace(f.sub.ID) }))
		left(f.runners[0], f.runners[3], f.runners[4])
	})
}

// TestASecondApproval of somebody changes nothing, and ends no transaction.
func TestASecondApproval(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		f := fill(t, db)
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			c := &models.ChatCommand{ProjectID: f.project.ID, Chat: enum.Console, DeliveryKey: "k", ChatUserID: "u", Text: "run x", State: enum.CommandWaiting}
			if err := errors.Join(tx.CreateCommand(c), tx.ApproveCommand(c.ID, f.user.ID), tx.ApproveCommand(c.ID, f.user.ID)); err != nil {
				return err
			}
			rows, err := tx.ChatApprovals(c.ID)
			if err == nil && len(rows) != 1 {
				t.Errorf("%d approvals", len(rows))
			}
			return err
		}))
	})
}
