package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ReadAll runs a prepared query on a reading connection and returns all its rows, at least an empty slice.
func ReadAll[T any](
	ctx context.Context, db *DB, query *sql.Stmt, scan func(Scanner) (T, error), args ...any,
) ([]T, error) {
	ctx, done, err := db.beginRead(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := query.QueryContext(ctx, args...)
	items, err := Collect(rows, err, scan)
	db.guard.noteError(ctx, err)
	return items, err
}

// ReadUntil is ReadAll up to and with the first row that is enough.
func ReadUntil[T any](
	ctx context.Context, db *DB, query *sql.Stmt, scan func(Scanner) (T, error), enough func(T) bool, args ...any,
) ([]T, error) {
	ctx, done, err := db.beginRead(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := query.QueryContext(ctx, args...)
	return collectUntil(rows, err, scan, enough)
}

// ReadOne runs a prepared query on a reading connection and returns its first row. It fails with sql.ErrNoRows where
// there is none.
func ReadOne[T any](
	ctx context.Context, db *DB, query *sql.Stmt, scan func(Scanner) (T, error), args ...any,
) (item T, err error) {
	ctx, done, err := db.beginRead(ctx)
	if err != nil {
		return item, err
	}
	defer done()
	item, err = scan(query.QueryRowContext(ctx, args...))
	db.guard.noteError(ctx, err)
	return item, err
}

// beginRead waits for one of the reading connections as long as ctx lasts. What is begun is finished, which takes as long
// as its LIMIT, or the size of the directory that it searches, makes it: the driver closes a connection on which a query
// was interrupted, and opening and preparing it again costs more than most queries, so that a crowd of clients who have
// left would slow down those who stay.
func (db *DB) beginRead(ctx context.Context) (begun context.Context, done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	select {
	case db.reading <- struct{}{}:
		return context.WithoutCancel(ctx), func() { <-db.reading }, nil
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for a reader: %w", ctx.Err())
	}
}

// Snapshot runs do in a transaction that reads, and sees the file as it is when it begins, whatever is written meanwhile. It is
// broken off when ctx ends.
func (db *DB) Snapshot(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) (err error) {
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer func() {
		if failed := tx.Rollback(); failed != nil && !errors.Is(failed, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("end reading: %w", failed))
		}
	}()
	return do(ctx, tx)
}

// Scanner is what *sql.Row and *sql.Rows have in common.
type Scanner interface {
	Scan(into ...any) error
}

// Collect reads all rows. The result is never nil, unless there is an error.
func Collect[T any](rows *sql.Rows, failed error, scan func(Scanner) (T, error)) (items []T, err error) {
	return collectUntil(rows, failed, scan, func(T) bool { return false })
}

func collectUntil[T any](
	rows *sql.Rows, failed error, scan func(Scanner) (T, error), enough func(T) bool,
) (items []T, err error) {
	if failed != nil {
		return nil, failed
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	items = []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if items = append(items, item); enough(item) {
			return items, nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return items, nil
}

// ScanOne reads the only column of a row.
func ScanOne[T any](row Scanner) (value T, err error) {
	return value, row.Scan(&value)
}
