// Package modelstest opens databases for tests: every test of a database runs on SQLite and on PostgreSQL.
package modelstest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// Each runs f once on SQLite and once on PostgreSQL, each with a database of its own without rows.
func Each(t *testing.T, f func(t *testing.T, o models.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		SQLite(t, dir)
		f(t, models.Options{Dir: dir})
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, models.Options{URL: Postgres(t)})
	})
}

// migrated are databases that have all tables, which tests get copies of: to make the tables takes longer than most tests.
var migrated struct {
	sync.Mutex
	postgres string // its name
	sqlite   []byte
}

// Postgres makes a database with all tables for one test, and returns its URL. A node of a test opens few connections to it: to
// begin one costs as much as a small test.
func Postgres(t testing.TB) string {
	t.Helper()
	return testenv.PostgresLike(t, template(t)) + "&pool_max_conns=4"
}

// template is the name of the database that Postgres copies.
func template(t testing.TB) string {
	t.Helper()
	migrated.Lock()
	defer migrated.Unlock()
	if migrated.postgres != "" {
		return migrated.postgres
	}
	address, _ := testenv.NewPostgres(t, "template1")
	migrate(t, models.Options{URL: address})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	migrated.postgres = strings.TrimPrefix(u.Path, "/")
	return migrated.postgres
}

// SQLite puts a database with all tables into a data directory that has none.
func SQLite(t testing.TB, dir string) {
	t.Helper()
	const name = "signalbox.db"
	migrated.Lock()
	defer migrated.Unlock()
	if migrated.sqlite == nil {
		first := t.TempDir()
		migrate(t, models.Options{Dir: first})
		var err error
		if migrated.sqlite, err = os.ReadFile(filepath.Join(first, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, name), migrated.sqlite, 0o600); err != nil {
		t.Fatal(err)
	}
}

func migrate(t testing.TB, o models.Options) {
	t.Helper()
	db, err := models.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Open opens a database for the length of a test.
func Open(t testing.TB, o models.Options) *models.DB {
	t.Helper()
	db, err := models.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
