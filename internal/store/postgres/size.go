package postgres

import (
	"context"
	"fmt"
)

// Size is how much the database takes on its server's disk, in bytes.
func (db *DB) Size(ctx context.Context) (bytes int64, err error) {
	bytes, err = ReadOne(ctx, db, `SELECT pg_database_size(current_database())`, ScanOne[int64])
	if err != nil {
		return 0, fmt.Errorf("size of the PostgreSQL database: %w", err)
	}
	return bytes, nil
}
