package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/config"
	"rolecall/internal/store"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/schema"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/transfer"
)

// openDatabase opens the database that is configured.
func openDatabase(ctx context.Context, c config.Config, log *slog.Logger) (*store.Store, error) {
	if c.DatabaseURL == "" {
		return store.OpenSQLiteWith(ctx, DatabasePath(c), c.TextKeys, log)
	}
	opened, err := store.OpenPostgresWith(ctx, c.DatabaseURL, c.TextKeys, log)
	if err != nil {
		return nil, fmt.Errorf("%s (--database-url): %w", config.Variable("database-url"), err)
	}
	return opened, nil
}

// Migrate brings the schema of the configured database up to date, as a server does when it starts.
func Migrate(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	if c.DatabaseURL == "" { // no server is to find its file changed
		unlock, err := claimFolder(c.DataDir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	opened, err := openDatabase(ctx, c, log)
	if err != nil {
		return err
	}
	return opened.Close()
}

// Migrations tells which migrations the configured database has. It changes nothing.
func Migrations(ctx context.Context, c config.Config) ([]schema.Migration, error) {
	if c.DatabaseURL == "" {
		return sqlite.Migrations(ctx, DatabasePath(c))
	}
	all, err := postgres.Migrations(ctx, c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("%s (--database-url): %w", config.Variable("database-url"), err)
	}
	return all, nil
}

// Move carries a SQLite file (sqlite:///path/of/rolecall.db, or of the folder that it is in) over to an empty PostgreSQL
// database (postgres://…), and tells what was in each table. No server may use either.
func Move(ctx context.Context, from, to string, log *slog.Logger) (carried []transfer.Table, err error) {
	path, isFile := strings.CutPrefix(from, "sqlite://")
	if !isFile || path == "" {
		return nil, errors.New("--from: must be of the form sqlite:///path/of/" + databaseFile)
	}
	if !strings.HasPrefix(to, "postgres://") && !strings.HasPrefix(to, "postgresql://") {
		return nil, errors.New("--to: must be of the form postgres://user:password@host:5432/name")
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, databaseFile)
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	unlock, err := claimFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return transfer.Run(ctx, path, to, log)
}

// claimFolder keeps servers off a data folder until unlock is called.
func claimFolder(folder string) (unlock func() error, err error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	if lock == nil { // there is no lock where files cannot be locked
		return func() error { return nil }, nil
	}
	return lock.Close, nil
}
