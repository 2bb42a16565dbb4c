// Package models is the schema: the rows that signalbox keeps, the migrations that make their tables on
// SQLite and PostgreSQL, and the named queries on them. It decides nothing about CI. No other package
// sees the object mapper behind it.
package models

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "github.com/glebarez/go-sqlite" // lifts the SQLite engine below the dialector
	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"signalbox/internal/fault"
)

// ErrNotFound says that no row answers the query.
var ErrNotFound = errors.New("not found")

// ErrDuplicate says that a unique value is taken.
var ErrDuplicate = errors.New("already exists")

// DB is the database of one node. On SQLite there is one writer, whose commits are grouped, and a pool of
// readers that cannot write; on PostgreSQL both are one pool.
type DB struct {
	reader   *gorm.DB
	writer   *gorm.DB
	grouped  *group
	postgres bool
	now      func() time.Time
	writes   atomic.Int64
	queries  atomic.Int64
	// authority is told of the changes of rights that a commit made; nil if nobody wants to know.
	authority func([]AuthorityChange)
}

// Queries counts the statements that read since the start, for tests and measurements.
func (d *DB) Queries() int64 { return d.queries.Load() }

// Writes counts the write transactions since the start, for tests and measurements.
func (d *DB) Writes() int64 { return d.writes.Load() }

// Options say how to open a database.
type Options struct {
	// URL is postgres://… or empty for SQLite under Dir. Its parameter pool_max_conns bounds the connections that are opened.
	URL string
	// Dir is the data directory; it holds signalbox.db.
	Dir string
	// Now is the clock of created_at and the like; time.Now if nil.
	Now func() time.Time
	// Before is asked before the schema is changed, and only reads; tables may be missing or old. Its error keeps the database
	// as it is. It may be nil.
	Before func(*Tx) error
}

// Open connects, and migrates the schema under a lock. It fails with what to do when the database cannot
// be reached or was written by a newer signalbox.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	now := func() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }
	d := &DB{now: now, postgres: o.URL != ""}
	open := d.openSQLite
	if d.postgres {
		open = d.openPostgres
	}
	if err := open(o, d.config()); err != nil {
		return nil, err
	}
	err := d.count(d.reader)
	if err == nil && o.Before != nil {
		err = d.Read(ctx, o.Before)
	}
	if err == nil {
		err = d.migrate(ctx)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	if !d.postgres {
		d.grouped = newGroup(d.writer)
	}
	return d, nil
}

// count notes each statement that reads through g.
func (d *DB) count(g *gorm.DB) error {
	note := func(*gorm.DB) { d.queries.Add(1) }
	return errors.Join(g.Callback().Query().Before("gorm:query").Register("count", note), g.Callback().Row().Before("gorm:row").Register("count", note))
}

func (d *DB) config() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		NowFunc:                d.now,
		Logger:                 logger.Discard,
	}
}

func (d *DB) openSQLite(o Options, cfg *gorm.Config) error {
	path, err := filepath.Abs(filepath.Join(o.Dir, "signalbox.db"))
	if err != nil {
		return err
	}
	// The driver reports a directory that cannot be written as "out of memory"; this says what is wrong.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("database: %w (is the data directory writable?)", err)
	}
	f.Close()
	dsn := func(extra string) string {
		u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
		return u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)" + extra
	}
	if d.writer, err = gorm.Open(sqlite.Open(dsn("&_pragma=synchronous(FULL)&_txlock=immediate")), cfg); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if d.reader, err = gorm.Open(sqlite.Open(dsn("&_pragma=query_only(1)")), cfg); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	w, _ := d.writer.DB()
	w.SetMaxOpenConns(1)
	r, _ := d.reader.DB()
	r.SetMaxOpenConns(4)
	r.SetMaxIdleConns(4)
	return nil
}

func (d *DB) openPostgres(o Options, cfg *gorm.Config) error {
	address, most, err := poolOf(o.URL)
	if err != nil {
		return err
	}
	db, err := gorm.Open(postgres.Open(address.String()), cfg)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL at %s: %w", address.Redacted(), err)
	}
	d.reader, d.writer = db, db
	pool, _ := db.DB()
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most)
	pool.SetConnMaxLifetime(time.Hour)
	return nil
}

// poolParameter is how pgx's own pool calls the most connections that it opens.
const poolParameter = "pool_max_conns"

// poolOf takes the most connections out of a database URL, which the server would not know. Without the parameter there are
// four for each core, from 8 to 24: each new one begins slowly, so that few that are warm serve sooner than many.
func poolOf(address string) (*url.URL, int, error) {
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return nil, 0, errors.New("database URL: want postgres://user:password@host:port/name")
	}
	query := u.Query()
	if !query.Has(poolParameter) {
		return u, min(24, max(8, 4*runtime.GOMAXPROCS(0))), nil
	}
	most, err := strconv.Atoi(query.Get(poolParameter))
	if err != nil || most < 2 || most > 1000 {
		return nil, 0, fmt.Errorf("database URL: %s=%s is not a number from 2 to 1000", poolParameter, query.Get(poolParameter))
	}
	query.Del(poolParameter)
	u.RawQuery = query.Encode()
	return u, most, nil
}

// Postgres says which of the two databases this is.
func (d *DB) Postgres() bool { return d.postgres }

// Now is the clock that rows are stamped with: UTC, in microseconds, as both databases keep it.
func (d *DB) Now() time.Time { return d.now() }

// Ping says whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	sqlDB, err := d.reader.DB()
	if err != nil {
		return err
	}
	return sqlDB.PingContext(ctx)
}

// Close ends all connections. Writes under way are finished first.
func (d *DB) Close() error {
	if d.grouped != nil {
		d.grouped.stop()
	}
	var errs []error
	for _, g := range []*gorm.DB{d.reader, d.writer} {
		if g == nil {
			continue
		}
		if sqlDB, err := g.DB(); err == nil {
			errs = append(errs, sqlDB.Close())
		}
	}
	return errors.Join(errs...)
}

// Tx is a transaction. It is valid only inside the function that it was given to.
type Tx struct {
	db       *gorm.DB
	now      func() time.Time
	postgres bool
	after    *[]func()
	changed  *[]AuthorityChange // of rights, by this transaction
}

// Now is the clock of the rows written in this transaction.
func (tx *Tx) Now() time.Time { return tx.now() }

// AfterCommit calls f once the transaction is durable; never if it is rolled back.
func (tx *Tx) AfterCommit(f func()) {
	if tx.after != nil {
		*tx.after = append(*tx.after, f)
	}
}

// Read runs f on committed rows, each query on its own. Writes in it fail on SQLite and must not be tried.
func (d *DB) Read(ctx context.Context, f func(*Tx) error) error {
	return translate(f(&Tx{db: d.reader.WithContext(ctx), now: d.now, postgres: d.postgres}))
}

// Write runs f in a transaction: all of it is durable when Write returns nil, nothing otherwise. f may run
// again after a conflict with another node, so it must not keep effects outside the database; AfterCommit
// is for those. On SQLite no f may take long: there is one writer.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	d.writes.Add(1)
	var after []func()
	var changed []AuthorityChange
	run := func(db *gorm.DB) error {
		after, changed = after[:0], changed[:0]
		return f(&Tx{db: db.WithContext(ctx), now: d.now, postgres: d.postgres, after: &after, changed: &changed})
	}
	var err error
	if d.grouped != nil {
		err = d.grouped.do(ctx, run)
	} else {
		err = d.writePostgres(ctx, run)
	}
	if err != nil {
		return translate(err)
	}
	for _, f := range after {
		f()
	}
	if len(changed) > 0 && d.authority != nil {
		d.authority(changed)
	}
	return nil
}

// writePostgres repeats what PostgreSQL asks to repeat: deadlocks and serialization failures.
func (d *DB) writePostgres(ctx context.Context, run func(*gorm.DB) error) error {
	for attempt := 0; ; attempt++ {
		err := d.writer.WithContext(ctx).Transaction(run)
		if !retryable(err) || attempt == 4 {
			return err
		}
		slog.DebugContext(ctx, "transaction repeated", "error", err)
	}
}

func retryable(err error) bool {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) {
		return false
	}
	return state.SQLState() == "40001" || state.SQLState() == "40P01"
}

func translate(err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return ErrNotFound
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return ErrDuplicate
	case errors.As(err, &known), fault.KindOf(err) == fault.OutOfSpace:
		return err
	case lost(err):
		return fault.Refused(fault.Unavailable, "the database cannot be reached; try again").Because(err)
	}
	return err
}

// lost says whether the database is away, rather than unhappy with a query.
func lost(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		code := state.SQLState()
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || strings.HasPrefix(code, "53")
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errClosed) {
		return !errors.Is(err, context.Canceled)
	}
	text := err.Error()
	return strings.Contains(text, "readonly database") ||
		strings.Contains(text, "disk I/O error") || strings.Contains(text, "unexpected EOF")
}
