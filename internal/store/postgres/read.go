package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxReadAttempts is how often a read is tried whose connection is lost: those that a server has closed, when it was started
// again, are not noticed before.
const maxReadAttempts = 3

// ReadAll runs a query and returns all its rows, at least an empty slice.
func ReadAll[T any](ctx context.Context, db *DB, query string, scan func(Scanner) (T, error), args ...any) ([]T, error) {
	return ReadUntil(ctx, db, query, scan, func(T) bool { return false }, args...)
}

// ReadUntil is ReadAll up to and with the first row that is enough. Scan may be called for a row again, from the first one on,
// where a connection was lost.
func ReadUntil[T any](
	ctx context.Context, db *DB, query string, scan func(Scanner) (T, error), enough func(T) bool, args ...any,
) (items []T, err error) {
	err = db.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, clean(args)...)
		items, err = collectUntil(rows, err, scan, enough)
		return err
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// ReadOne runs a query and returns its first row. It fails with pgx.ErrNoRows where there is none.
func ReadOne[T any](ctx context.Context, db *DB, query string, scan func(Scanner) (T, error), args ...any) (item T, err error) {
	err = db.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		item, err = scan(conn.QueryRow(ctx, query, clean(args)...))
		return err
	})
	return item, err
}

// read waits for a connection as long as ctx lasts, and runs do on it. What is begun is not broken off when ctx is cancelled,
// only when its time is over: a connection on which a query was broken off is closed, and a crowd of clients who have left
// would cost those who stay more than the answers do.
func (db *DB) read(ctx context.Context, do func(context.Context, *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case db.reading <- struct{}{}:
		defer func() { <-db.reading }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a reader: %w", ctx.Err())
	}
	for attempt := 1; ; attempt++ {
		err := db.readOnce(ctx, do)
		lost := db.health.note(ctx, err, false)
		if attempt == maxReadAttempts || !isLost(err) || isOver(ctx) {
			return lost
		}
	}
}

func (db *DB) readOnce(ctx context.Context, do func(context.Context, *pgxpool.Conn) error) error {
	begun, cancel := whole(ctx)
	defer cancel()
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return do(begun, conn)
}

// acquire waits for a connection, as long as ctx and an operation last.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a connection: %w", err)
	}
	return conn, nil
}

// whole is ctx for what is not to be broken off when it is cancelled, but ends at its deadline, or after operationTimeout.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(operationTimeout)
	if its, ok := ctx.Deadline(); ok && its.Before(deadline) {
		deadline = its
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// Scanner is what pgx.Row and pgx.Rows have in common.
type Scanner interface {
	Scan(into ...any) error
}

// Collect reads all rows. The result is never nil, unless there is an error.
func Collect[T any](rows pgx.Rows, failed error, scan func(Scanner) (T, error)) (items []T, err error) {
	return collectUntil(rows, failed, scan, func(T) bool { return false })
}

func collectUntil[T any](
	rows pgx.Rows, failed error, scan func(Scanner) (T, error), enough func(T) bool,
) (items []T, err error) {
	if failed != nil {
		return nil, failed
	}
	defer rows.Close()
	items = []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Err())
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
