package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// maxJobsPerCommit and maxPendingJobs bound the small writes that share a transaction.
	maxJobsPerCommit = 256
	maxPendingJobs   = 8192
	// gatherJobs is how long a stream of small writes gathers for a commit. Nobody notices it, and a flush of the disk
	// costs as much as thousands of rows.
	gatherJobs = 5 * time.Millisecond
	// deleteChunkSize bounds the rows deleted in one transaction, so that retention never holds up other writes for long.
	deleteChunkSize = 5000
)

// Write runs do in one transaction. It waits for its turn as long as ctx lasts; once begun, the transaction is either
// committed or rolled back before Write returns, whatever becomes of ctx.
func (db *DB) Write(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) (err error) {
	return db.write(ctx, "", do)
}

// WriteOver is Write that leaves nothing in the file of what do overwrites or deletes, nor do later ones
// (https://www.sqlite.org/pragma.html#pragma_secure_delete).
func (db *DB) WriteOver(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	return db.write(ctx, "PRAGMA secure_delete = ON", do)
}

func (db *DB) write(ctx context.Context, setting string, do func(ctx context.Context, tx *sql.Tx) error) (err error) {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for the writer: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	begun := context.WithoutCancel(ctx)
	if err := db.guard.usable(); err != nil {
		return err
	}
	if err := db.guard.inspect(begun); err != nil {
		return err
	}
	defer func() { // what is not safe is not called written
		db.guard.noteError(begun, err)
		err = errors.Join(err, db.guard.wrote(begun))
	}()
	if setting != "" {
		if _, err := conn.ExecContext(begun, setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	tx, err := conn.BeginTx(begun, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { // also where do panics: the connection must not stay in a transaction
		if failed := tx.Rollback(); failed != nil && !errors.Is(failed, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", failed))
		}
	}()
	if err := do(begun, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// job is a part of a shared transaction, and returns what its caller gets. It does not look at a context: what has
// begun is finished.
type job func(ctx context.Context, tx *sql.Tx) (any, error)

// Share runs do in a transaction shared with other small writes of the moment, so that a thousand people who connect
// at once cost a few flushes of the disk and not a thousand. An error of do fails all of them: do returns none for
// what a caller got wrong. Where ctx ends first Share returns at once, and do may still run, later: it sets nothing
// outside itself, what it has found out is its result.
func Share[T any](ctx context.Context, db *DB, do func(ctx context.Context, tx *sql.Tx) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	ticket, err := db.shared.Submit(ctx, func(ctx context.Context, tx *sql.Tx) (any, error) { return do(ctx, tx) })
	if err != nil {
		return none, err
	}
	result, err := ticket.Wait(ctx)
	if err != nil {
		return none, err
	}
	value, _ := result.(T) // it is one, unless T is an interface and the result nil
	return value, nil
}

func (db *DB) runJobs(ctx context.Context, jobs []job) ([]any, error) {
	results := make([]any, len(jobs))
	err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		for i, do := range jobs {
			if results[i], err = do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return results, err
}

// DeleteChunk runs a statement that deletes up to so many rows (its second parameter) older than before (its first),
// and returns how many went.
func (db *DB) DeleteChunk(ctx context.Context, statement *sql.Stmt, before int64) (gone int, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gone, err = Affected(tx.StmtContext(ctx, statement).ExecContext(ctx, before, deleteChunkSize))
		return err
	})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// Affected returns how many rows a statement has changed.
func Affected(result sql.Result, failed error) (int, error) {
	if failed != nil {
		return 0, failed
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return int(rows), nil
}

// List encodes values for json_each, which lets one prepared statement take any number of them.
func List[T ~string | ~int64](values []T) (string, error) {
	if len(values) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("encode list: %w", err)
	}
	return string(encoded), nil
}
