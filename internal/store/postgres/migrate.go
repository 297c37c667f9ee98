package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"rolecall/internal/store/schema"
)

// migrations is the schema, in goose's SQL format.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	// migrationLock is the number of the advisory lock that is held while the schema is looked at and changed.
	migrationLock = 0x726f6c6563616c6c // rolecall
	// lockEvery is how often the lock is asked for. To wait for it within a statement would hold up those migrations that
	// wait for all other statements to end.
	lockEvery = 100 * time.Millisecond
)

// migrate brings the schema up to date. Of several servers that start at once one does, the others wait for it.
func migrate(ctx context.Context, to *pgx.ConnConfig, log *slog.Logger) error {
	return withMigrator(ctx, to, log, func(provider *goose.Provider) error { return up(ctx, provider, log) })
}

// withMigrator connects twice, to hold the lock and to migrate; neither connection has time-outs of statements.
func withMigrator(ctx context.Context, to *pgx.ConnConfig, log *slog.Logger, do func(*goose.Provider) error) (err error) {
	to = to.Copy()
	delete(to.RuntimeParams, "statement_timeout")
	delete(to.RuntimeParams, "idle_in_transaction_session_timeout")
	holder, err := connect(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, holder.Close(context.WithoutCancel(ctx))) }() // which gives back the lock
	if err := checkServer(ctx, holder); err != nil {
		return err
	}
	if err := lock(ctx, holder, log); err != nil {
		return err
	}
	db := stdlib.OpenDB(*to)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := migrator(db, log)
	if err != nil {
		return err
	}
	return do(provider)
}

// migrator applies the migrations, each in its own transaction.
func migrator(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// lock waits for the lock, as long as ctx lasts. It is the session's, and ends with it.
func lock(ctx context.Context, holder *pgx.Conn, log *slog.Logger) error {
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for waited := false; ; waited = true {
		held := false
		if err := holder.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationLock)).Scan(&held); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		if held {
			return nil
		}
		if !waited {
			log.InfoContext(ctx, "another server migrates the schema, waiting for it")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for another server that migrates the schema: %w", ctx.Err())
		}
	}
}

// up applies what is missing, and fails for a schema that is not one of those that this program has made.
func up(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > known {
		return fmt.Errorf("the schema has version %d, this program knows versions up to %d: use a newer program", current, known)
	}
	applied, err := provider.Up(ctx)
	for _, migration := range applied {
		log.InfoContext(ctx, "schema migrated", "version", migration.Source.Version, "took", migration.Duration)
	}
	const duplicateTable, duplicateColumn, undefinedTable, undefinedColumn = "42P07", "42701", "42P01", "42703"
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && (refused.Code == duplicateTable || refused.Code == duplicateColumn):
		return fmt.Errorf("the database holds what a migration would make: it belongs to another program, or was migrated in part; "+
			"use an empty database, or restore a backup: %w", err)
	case errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == undefinedColumn):
		return fmt.Errorf("the database lacks what its schema version %d has: it was migrated in part; restore a backup: %w", current, err)
	default:
		return fmt.Errorf("migrate: %w", err)
	}
}

// Migrations tells which migrations the database of a URL has. It changes nothing.
func Migrations(ctx context.Context, url string) (all []schema.Migration, err error) {
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the schema's version of %s: %w", describe(settings), err)
		}
	}()
	conn, err := connect(ctx, settings.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var made bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&made); err != nil {
		return nil, err
	}
	var applied []schema.Migration
	if made {
		rows, err := conn.Query(ctx, `SELECT version_id, max(tstamp) FROM goose_db_version
			WHERE is_applied AND version_id > 0 GROUP BY version_id`)
		applied, err = Collect(rows, err, func(row Scanner) (m schema.Migration, err error) {
			return m, row.Scan(&m.Version, &m.Applied)
		})
		if err != nil {
			return nil, err
		}
	}
	known, err := knownMigrations()
	return schema.Merge(known, applied), err
}

// Now is what time it is for the database of a URL.
func Now(ctx context.Context, url string) (now time.Time, err error) {
	settings, err := parse(url)
	if err != nil {
		return now, err
	}
	conn, err := connect(ctx, settings.ConnConfig)
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("ask %s for the time: %w", describe(settings), err)
	}
	return now, nil
}

func knownMigrations() ([]schema.Migration, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	return schema.Known(files)
}
