package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// maxJobsPerCommit and maxPendingJobs bound the small writes that share a transaction.
	maxJobsPerCommit = 256
	maxPendingJobs   = 8192
	// gatherJobs is how long a stream of small writes gathers for a commit. Nobody notices it, and a commit costs as much as
	// many rows.
	gatherJobs = 5 * time.Millisecond
	// maxWriteAttempts is how often a transaction is tried that has left nothing: it met another one that wanted the same rows
	// in another order, or its connection was lost before the commit was asked for.
	maxWriteAttempts = 5
	// maxStepAside is how long at most, times the number of attempts made, such a transaction waits for the next.
	maxStepAside = 20 * time.Millisecond
	// DeleteChunkSize bounds the rows deleted in one transaction, so that retention never holds up other writes for long.
	DeleteChunkSize = 5000
)

// Tx is a transaction. Its parameters of type text take any string, as those of reads.
type Tx struct{ tx pgx.Tx }

// Exec runs a statement.
func (t *Tx) Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error) {
	return t.tx.Exec(ctx, statement, clean(args)...)
}

// Query runs a query. Its rows must be closed, as Collect does, before anything else is run.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	return t.tx.Query(ctx, query, clean(args)...)
}

// QueryRow runs a query for one row.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	return t.tx.QueryRow(ctx, query, clean(args)...)
}

// SendBatch sends statements together, which costs one round trip. The results must be closed before anything else is run.
func (t *Tx) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	for _, queued := range batch.QueuedQueries {
		queued.Arguments = clean(queued.Arguments)
	}
	return t.tx.SendBatch(ctx, batch)
}

// CopyFrom writes rows by COPY.
func (t *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return t.tx.CopyFrom(ctx, table, columns, rows)
}

// Write runs do in one transaction, which sees what was committed before each of its statements (READ COMMITTED): what it
// decides on, it locks. It waits for a connection as long as ctx lasts; once begun, the transaction is either committed or
// rolled back before Write returns, whatever becomes of ctx. Only where the connection is lost while it is being committed
// nobody knows, and Write fails.
//
// Do may run several times, each time after the one before has left nothing: it sets whatever it sets outside itself anew.
func (db *DB) Write(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := db.writeOnce(ctx, do)
		failed := db.health.note(ctx, err, true)
		if attempt == maxWriteAttempts || !leftNothing(err) || isOver(ctx) {
			return failed
		}
		stepAside(ctx, attempt)
	}
}

// stepAside waits for a while that differs from one who waits to another, so that those who have met do not meet again, and
// longer after each attempt.
func stepAside(ctx context.Context, attempt int) {
	wait := time.NewTimer(rand.N(time.Duration(attempt) * maxStepAside))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

func (db *DB) writeOnce(ctx context.Context, do func(ctx context.Context, tx *Tx) error) (err error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
	defer cancel()
	tx, err := conn.Begin(begun)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { // also where do panics: the connection must not stay in a transaction
		if failed := tx.Rollback(begun); failed != nil && !errors.Is(failed, pgx.ErrTxClosed) && err == nil {
			err = fmt.Errorf("roll back: %w", failed)
		}
	}()
	if err := do(begun, &Tx{tx}); err != nil {
		return err
	}
	if err := tx.Commit(begun); err != nil {
		return &commitError{err}
	}
	return nil
}

// commitError is the failure of a commit, after which it is not known whether it was made, unless the server says so.
type commitError struct{ cause error }

// Error implements error.
func (c *commitError) Error() string { return "commit: " + c.cause.Error() }

// Unwrap returns the cause.
func (c *commitError) Unwrap() error { return c.cause }

// leftNothing reports whether a transaction has failed for sure, and may succeed when it is tried again.
func leftNothing(err error) bool {
	const serializationFailure, deadlockDetected = "40001", "40P01"
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == serializationFailure || refused.Code == deadlockDetected) {
		return true
	}
	var committing *commitError
	return isLost(err) && !errors.As(err, &committing)
}

// Bulk runs do once, in one transaction that may take as long as ctx lasts: none of the time-outs holds for it. It is broken
// off, and leaves nothing, when ctx ends.
func (db *DB) Bulk(ctx context.Context, do func(ctx context.Context, tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return fmt.Errorf("take off the time-outs: %w", err)
		}
		return do(ctx, tx)
	})
}

// Analyze has the planner know what the tables hold. The server does so by itself after a while.
func (db *DB) Analyze(ctx context.Context) error {
	return db.Bulk(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `ANALYZE`); err != nil {
			return fmt.Errorf("analyze: %w", err)
		}
		return nil
	})
}

// job is a part of a shared transaction, and returns what its caller gets. It does not look at a context: what has
// begun is finished.
type job func(ctx context.Context, tx *Tx) (any, error)

// Share runs do in a transaction shared with other small writes of the moment, so that a thousand people who connect
// at once cost a few commits and not a thousand. An error of do fails all of them: do returns none for what a caller got
// wrong. Where ctx ends first Share returns at once, and do may still run, later, and several times: it sets nothing outside
// itself, what it has found out is its result.
func Share[T any](ctx context.Context, db *DB, do func(ctx context.Context, tx *Tx) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	ticket, err := db.shared.Submit(ctx, func(ctx context.Context, tx *Tx) (any, error) { return do(ctx, tx) })
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
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) (err error) {
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
func (db *DB) DeleteChunk(ctx context.Context, statement string, before int64) (gone int, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		gone, err = Affected(tx.Exec(ctx, statement, before, DeleteChunkSize))
		return err
	})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// Affected returns how many rows a statement has changed.
func Affected(result pgconn.CommandTag, failed error) (int, error) {
	if failed != nil {
		return 0, failed
	}
	return int(result.RowsAffected()), nil
}

// Array is a slice as a parameter of a statement: never nil, which the database would take for no array at all, and not for
// an empty one.
func Array[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}
