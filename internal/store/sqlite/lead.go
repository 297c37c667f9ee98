package sqlite

import "context"

// Lead runs work until ctx ends: no other server shares the file.
func (db *DB) Lead(ctx context.Context, work func(ctx context.Context)) { work(ctx) }
