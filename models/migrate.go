package models

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to this binary's version, on PostgreSQL under a session lock so that nodes
// may start at once. A database of a newer version is refused rather than damaged.
func (d *DB) migrate(ctx context.Context) error {
	dialect, folder := goose.DialectSQLite3, "sqlite"
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d.postgres {
		dialect, folder = goose.DialectPostgres, "postgres"
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	sqlDB, err := d.writer.DB()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, sqlDB, files, options...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have > want {
		return fmt.Errorf("the database has schema version %d, this signalbox knows %d: start a newer signalbox", have, want)
	}
	if have == want {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
