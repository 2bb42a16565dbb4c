// Package modelstest opens databases for tests: every test of a database runs on SQLite and on PostgreSQL.
package modelstest

import (
	"context"
	"testing"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// Each runs f once on SQLite and once on PostgreSQL, each with an empty database of its own.
func Each(t *testing.T, f func(t *testing.T, o models.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		f(t, models.Options{Dir: t.TempDir()})
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, models.Options{URL: testenv.Postgres(t)})
	})
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
