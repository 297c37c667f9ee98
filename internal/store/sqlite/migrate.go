package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"rolecall/internal/store/schema"
)

// migrations is the schema, in goose's SQL format.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrator applies the migrations, each in its own transaction.
func migrator(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	provider, err := migrator(db, log)
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > known {
		return fmt.Errorf("the schema has version %d, this program knows versions up to %d: use a newer program", current, known)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, migration := range applied {
		log.InfoContext(ctx, "schema migrated", "version", migration.Source.Version, "took", migration.Duration)
	}
	return nil
}

// Migrations tells which migrations the file at path has. It changes nothing.
func Migrations(ctx context.Context, path string) (all []schema.Migration, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the schema's version of %s: %w", path, err)
		}
	}()
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path, url.Values{"mode": {"ro"}, "_pragma": {busyTimeout}}))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	made, err := ScanOne[bool](db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`))
	if err != nil {
		return nil, err
	}
	var applied []schema.Migration
	if made {
		rows, err := db.QueryContext(ctx, `SELECT version_id, unixepoch(max(tstamp)) FROM goose_db_version
			WHERE is_applied AND version_id > 0 GROUP BY version_id`)
		applied, err = Collect(rows, err, scanMigration)
		if err != nil {
			return nil, err
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	known, err := schema.Known(files)
	return schema.Merge(known, applied), err
}

func scanMigration(row Scanner) (m schema.Migration, err error) {
	var applied int64
	err = row.Scan(&m.Version, &applied)
	m.Applied = time.Unix(applied, 0).UTC()
	return m, err
}
