package models_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/testenv"
	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ctx = context.Background()

func TestSchemasAreEqual(t *testing.T) {
	lite := modelstest.Open(t, models.Options{Dir: t.TempDir()})
	pg := modelstest.Open(t, models.Options{URL: testenv.Postgres(t)})
	a, err := lite.Columns(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pg.Columns(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) < 200 {
		t.Fatalf("only %d columns", len(a))
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("SQLite and PostgreSQL differ (-sqlite +postgres):\n%s", d)
	}
}

func TestOpenTwiceAndRefusesUnwritable(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		modelstest.Open(t, o).Close()
		db := modelstest.Open(t, o)
		if err := db.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	})
	_, err := models.Open(ctx, models.Options{Dir: "/proc/nowhere"})
	if err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Fatalf("unwritable directory: %v", err)
	}
	_, err = models.Open(ctx, models.Options{URL: "postgres://u:secret@127.0.0.1:1/x"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Fatalf("unreachable database: %v", err)
	}
}

func TestWriteRollsBackAloneAndRunsHooksAfterCommit(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		var wg sync.WaitGroup
		fail := errors.New("no")
		var mu sync.Mutex
		committed := 0
		for i := range 40 {
			wg.Go(func() {
				err := db.Write(ctx, func(tx *models.Tx) error {
					tx.AfterCommit(func() { mu.Lock(); committed++; mu.Unlock() })
					if err := tx.SetSetting(fmt.Sprint("k", i), "v"); err != nil {
						return err
					}
					if i%4 == 0 {
						return fail
					}
					return nil
				})
				if (i%4 == 0) != errors.Is(err, fail) {
					t.Errorf("write %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if committed != 30 {
			t.Errorf("%d hooks ran, want 30", committed)
		}
		err := db.Read(ctx, func(tx *models.Tx) error {
			for i := range 40 {
				v, err := tx.Setting(fmt.Sprint("k", i))
				if err != nil || (v == "v") == (i%4 == 0) {
					t.Errorf("k%d = %q, %v", i, v, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestUsersNamespacesAndRoles(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		err := db.Write(ctx, func(tx *models.Tx) error {
			a := &models.User{Username: "Anna", Name: "Anna", Email: "anna@example.com"}
			b := &models.User{Username: "ben", Name: "Ben", Email: "ben@example.com"}
			if err := errors.Join(tx.CreateUser(a), tx.CreateUser(b)); err != nil {
				return err
			}
			top := &models.Namespace{Kind: "group", Path: "top", Name: "Top", Visibility: enum.Private}
			sub := &models.Namespace{Kind: "group", Path: "sub", Name: "Sub", Visibility: enum.Private}
			if err := errors.Join(tx.CreateNamespace(top, nil), tx.CreateNamespace(sub, top)); err != nil {
				return err
			}
			p := &models.Project{Path: "app", Name: "App", Visibility: enum.Private, DefaultBranch: "main", Storage: "s1"}
			if err := tx.CreateProject(p, sub); err != nil {
				return err
			}
			if p.FullPath != "top/sub/app" {
				t.Errorf("full path %q", p.FullPath)
			}
			past := tx.Now().Add(-time.Hour)
			set := func(m models.Member) { must(t, tx.SetMember(&m)) }
			level := func(u *models.User, want enum.AccessLevel) {
				t.Helper()
				got, err := tx.AccessLevel(u.ID, p)
				if err != nil || got != want {
					t.Errorf("level of %s = %v, %v; want %v", u.Username, got, err, want)
				}
			}
			level(a, enum.NoAccess)
			set(models.Member{UserID: a.ID, NamespaceID: &top.ID, AccessLevel: enum.Developer})
			level(a, enum.Developer)
			set(models.Member{UserID: a.ID, ProjectID: &p.ID, AccessLevel: enum.Reporter})
			level(a, enum.Developer)
			set(models.Member{UserID: a.ID, NamespaceID: &top.ID, AccessLevel: enum.Owner, ExpiresAt: &past})
			level(a, enum.Reporter)
			level(b, enum.NoAccess)
			found, err := tx.UserByLogin("ANNA@example.com")
			if err != nil || found.ID != a.ID {
				t.Errorf("by e-mail: %v, %v", found, err)
			}
			return nil
		})
		must(t, err)
		err = db.Write(ctx, func(tx *models.Tx) error {
			return tx.CreateUser(&models.User{Username: "ANNA", Name: "x", Email: "x@example.com"})
		})
		if !errors.Is(err, models.ErrDuplicate) {
			t.Errorf("same name in capitals: %v", err)
		}
	})
}

func TestTasksAndLeases(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		key := "once"
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			return errors.Join(tx.AddTask(&models.Task{Kind: "a", Key: &key}), tx.AddTask(&models.Task{Kind: "a", Key: &key}),
				tx.AddTask(&models.Task{Kind: "later", RunAt: tx.Now().Add(time.Hour)}))
		}))
		var claimed sync.Map
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				must(t, db.Write(ctx, func(tx *models.Tx) error {
					rows, err := tx.ClaimTasks(models.LaneInner, []models.KindShare{{Kind: "a", AtMost: 100, EachAtMost: 100}, {Kind: "later", AtMost: 100, EachAtMost: 100}}, 10, true, time.Minute)
					for _, r := range rows {
						if _, twice := claimed.LoadOrStore(r.ID, true); twice {
							t.Error("claimed twice")
						}
					}
					return err
				}))
			})
		}
		wg.Wait()
		n := 0
		claimed.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("claimed %d tasks, want 1", n)
		}
		must(t, db.Write(ctx, func(tx *models.Tx) error {
			got1, err1 := tx.TakeLease("sweep", "n1", time.Minute)
			got2, err2 := tx.TakeLease("sweep", "n2", time.Minute)
			got3, err3 := tx.TakeLease("sweep", "n1", -time.Minute)
			got4, err4 := tx.TakeLease("sweep", "n2", time.Minute)
			if !got1 || got2 || !got3 || !got4 {
				t.Errorf("leases: %v %v %v %v", got1, got2, got3, got4)
			}
			return errors.Join(err1, err2, err3, err4)
		}))
	})
}

func TestReaderCannotWriteOnSQLite(t *testing.T) {
	db := modelstest.Open(t, models.Options{Dir: t.TempDir()})
	err := db.Read(ctx, func(tx *models.Tx) error { return tx.SetSetting("a", "b") })
	if err == nil {
		t.Fatal("a read wrote")
	}
	if _, err := os.Stat("signalbox.db"); err == nil {
		t.Fatal("database in the wrong place")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
