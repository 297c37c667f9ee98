// Package migrations holds the schemas of the stores, one folder a database, in goose's SQL format.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed sqlite/*.sql
var files embed.FS

// SQLite returns the migrations of the SQLite store, at the root of the returned file system.
func SQLite() (fs.FS, error) {
	dir, err := fs.Sub(files, "sqlite")
	if err != nil {
		return nil, fmt.Errorf("open SQLite migrations: %w", err)
	}
	return dir, nil
}
