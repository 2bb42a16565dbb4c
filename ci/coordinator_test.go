package ci

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/ci/trace"
	"signalbox/internal/blob"
	"signalbox/internal/events"
	"signalbox/internal/gitrepo"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/modelstest"
)

// newCoordinator makes an engine with an administrator on an empty SQLite database. Nobody works on its tasks.
func newCoordinator(t *testing.T) (c *Coordinator, root access.Actor) {
	t.Helper()
	dir := t.TempDir()
	modelstest.SQLite(t, dir)
	return coordinatorOn(t, models.Options{Dir: dir})
}

// coordinatorOn makes one on an empty database.
func coordinatorOn(t *testing.T, o models.Options) (c *Coordinator, root access.Actor) {
	t.Helper()
	dir := t.TempDir()
	db := modelstest.Open(t, o)
	keys, err := secret.NewKeyring([]byte(strings.Repeat("k", 32)))
	noError(t, err)
	repos, err := gitrepo.New(gitrepo.Options{Root: filepath.Join(dir, "repositories"), Home: filepath.Join(dir, "home")})
	noError(t, err)
	blobs, err := blob.Open(t.Context(), "file://"+dir+"/objects")
	noError(t, err)
	traces, err := trace.NewFiles(filepath.Join(dir, "traces"), blobs)
	noError(t, err)
	log := slog.New(slog.DiscardHandler)
	c = New(Parts{DB: db, Keys: keys, Repos: repos, Traces: traces, Blobs: blobs, Hub: events.NewHub(), Tasks: tasks.NewRunner(db, log), Log: log, Settings: Settings{URL: "http://ci.example.com"}})
	_, err = c.Bootstrap(t.Context(), "root-password", "")
	noError(t, err)
	noError(t, db.Read(t.Context(), func(tx *models.Tx) error {
		root.User, err = tx.UserByName("root")
		return err
	}))
	return c, root
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
