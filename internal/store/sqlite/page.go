package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// deleteChunkSize bounds the rows deleted in one transaction, so that retention never holds up other writes for long.
const deleteChunkSize = 5000

// deleteChunk runs a statement that deletes up to deleteChunkSize rows older than before.
func (s *Store) deleteChunk(ctx context.Context, statement *sql.Stmt, before int64) (gone int, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.StmtContext(ctx, statement).ExecContext(ctx, before, deleteChunkSize)
		if err != nil {
			return err
		}
		gone, err = affected(result)
		return err
	})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

func affected(result sql.Result) (int, error) {
	rows, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return int(rows), nil
}

// overfetch is the LIMIT that shows whether a page of limit items is the last: one more. No page is without bound.
func overfetch(limit int) int {
	if limit <= 0 {
		return 0
	}
	return min(limit, math.MaxInt-1) + 1
}

// cutPage drops the item that overfetch has asked for beyond the page; more tells that it was there.
func cutPage[T any](items []T, limit int) (page []T, more bool) {
	if len(items) > limit {
		return items[:max(limit, 0)], len(items) > 0 && limit > 0
	}
	return items, false
}

// lowest and highest turn an absent bound, zero, into one that leaves nothing out.
func lowest(bound int64) int64 {
	if bound == 0 {
		return math.MinInt64
	}
	return bound
}

func highest(bound int64) int64 {
	if bound == 0 {
		return math.MaxInt64
	}
	return bound
}
