package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Size is how much the file and its write-ahead log take on the disk, in bytes.
func (db *DB) Size(context.Context) (bytes int64, err error) {
	for _, name := range []string{db.path, db.path + logSuffix} {
		file, err := os.Stat(name)
		if err != nil && (name == db.path || !errors.Is(err, fs.ErrNotExist)) {
			return 0, fmt.Errorf("size of the SQLite file: %w", err)
		}
		if err == nil {
			bytes += file.Size()
		}
	}
	return bytes, nil
}
