package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"

	"rolecall/internal/store/migrations"
)

// migrate brings the schema up to date, each migration in its own transaction.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	files, err := migrations.SQLite()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
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
