package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rolecall/internal/config"
	"rolecall/internal/store/sqlite"
)

// Backup copies the database of a data folder to a file, also while a server uses it, and returns the copy's size in bytes.
// It replaces a file that is there only where that is asked for; else it fails with fs.ErrExist.
func Backup(ctx context.Context, dataDir, to string, replace bool) (int64, error) {
	return sqlite.Backup(ctx, filepath.Join(dataDir, databaseFile), to, replace)
}

// Restore puts a backup in the place of the database of a data folder, made where there is none. It fails where a server
// uses the folder, and where the backup is not whole. What was there is kept under the name aside, empty where there was
// nothing.
func Restore(ctx context.Context, dataDir, from string) (aside string, err error) {
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return "", fmt.Errorf("%s (--data-dir): %w", config.Variable("data-dir"), err)
	}
	lock, err := lockFolder(dataDir)
	if err != nil {
		return "", err
	}
	if lock != nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	return sqlite.Restore(ctx, filepath.Join(dataDir, databaseFile), from)
}

// Compact makes the database of a data folder anew, without the space of what was deleted, and returns its sizes before and
// after in bytes. It fails where a server uses the folder, and leaves the database as it is where anything goes wrong.
func Compact(ctx context.Context, dataDir string) (before, after int64, err error) {
	if _, err := os.Stat(dataDir); err != nil {
		return 0, 0, fmt.Errorf("%s (--data-dir): %w", config.Variable("data-dir"), err)
	}
	lock, err := lockFolder(dataDir)
	if err != nil {
		return 0, 0, err
	}
	if lock != nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	return sqlite.Compact(ctx, filepath.Join(dataDir, databaseFile))
}
