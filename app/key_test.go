package app

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"signalbox/internal/secret"
	"signalbox/models"
)

// TestAnotherSecretKey keeps a node from starting, as does none beside a database in use; with the right one it starts.
func TestAnotherSecretKey(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		w.variable("SECRET", "value")
		file := w.s.SecretKeyFile
		if file == "" {
			file = filepath.Join(w.s.Data, "secret-key")
		}
		w.down()
		right, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what, want string) {
			t.Helper()
			n, err := Start(context.Background(), w.s, slog.New(slog.DiscardHandler))
			if err == nil {
				n.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "--secret-key-file") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const other = "b3tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
		write(other)
		version, restore := older(t, o, w.s.Data)
		refused("another key beside an older schema", "is not the one")
		if now := restore(); now != version {
			t.Errorf("a start with another key brought the schema from version %d to %d", version, now)
		}
		refused("another key", "is not the one")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		refused("no key", "is missing")
		if _, err := os.Stat(file); err == nil {
			t.Error("a new key was made")
		}
		write(string(right))
		w.up()
		// A database of an older version has no check.
		err = w.node.db.Write(t.Context(), func(tx *models.Tx) error { return tx.SetSetting(settingKeyCheck, "") })
		if err != nil {
			t.Fatal(err)
		}
		w.down()
		write(other)
		refused("another key beside an older database", "is not the one")
		write(string(right))
		w.up()
		w.down()
		write(other)
		refused("another key once the older database is checked", "is not the one")
		write(string(right))
		w.up()
	})
}

// older lets a database look like one whose last migration is still to come, and says its version; restore says it again and
// takes that back.
func older(t *testing.T, o models.Options, data string) (version int64, restore func() int64) {
	t.Helper()
	driver, address := "pgx", o.URL
	if address == "" {
		driver, address = "sqlite", "file:"+filepath.Join(data, "signalbox.db")
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	newest := func() (version int64) {
		t.Helper()
		if err := db.QueryRow("SELECT MAX(version_id) FROM goose_db_version").Scan(&version); err != nil {
			t.Fatal(err)
		}
		return version
	}
	run := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	last := newest()
	run("DELETE FROM goose_db_version WHERE version_id = $1", last)
	return newest(), func() int64 {
		defer db.Close()
		now := newest()
		if now != last {
			run("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, TRUE)", last)
		}
		return now
	}
}

// TestNodesThatStartAtOnce on a new database agree on one key.
func TestNodesThatStartAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		var wg sync.WaitGroup
		if err := w.node.db.Write(t.Context(), func(tx *models.Tx) error { return tx.SetSetting(settingKeyCheck, "") }); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		agreed := 0
		for i := range 4 {
			wg.Go(func() {
				file := filepath.Join(w.s.Data, "key-"+itoa(int64(i/2)))
				mu.Lock()
				text := strings.Repeat([]string{"a", "b"}[i/2], 42) + "A="
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
				mu.Unlock()
				var keys *secret.Keyring
				err := w.node.db.Read(t.Context(), func(tx *models.Tx) (err error) {
					keys, err = loadKeys(tx, file, false)
					return err
				})
				if err == nil {
					err = w.node.db.Write(t.Context(), func(tx *models.Tx) error { return keepKeyCheck(tx, keys, file) })
				}
				if err == nil {
					mu.Lock()
					agreed++
					mu.Unlock()
				}
			})
		}
		if wg.Wait(); agreed != 2 {
			t.Errorf("%d of 4 nodes with two keys start", agreed)
		}
	})
}
