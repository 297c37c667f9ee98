package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// job is a part of a write transaction. It does not look at a context: what has begun is finished.
type job func(ctx context.Context, tx *sql.Tx) error

// write runs do in one transaction. It waits for its turn as long as ctx lasts; once begun, the transaction is either
// committed or rolled back before write returns, whatever becomes of ctx.
func (s *Store) write(ctx context.Context, do job) (err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for the writer: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	begun := context.WithoutCancel(ctx)
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

// share runs do in a transaction shared with other small writes of the moment, so that a thousand people who connect
// at once cost a few flushes of the disk and not a thousand. An error of do fails all of them: do returns none for
// what a caller got wrong. Where ctx ends first the write may still take place, later: what do sets is read only after
// share has returned nil.
func (s *Store) share(ctx context.Context, do job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ticket, err := s.jobs.Submit(do)
	if err != nil {
		return err
	}
	_, err = ticket.Wait(ctx)
	return err
}

func (s *Store) runJobs(ctx context.Context, jobs []job) ([]struct{}, error) {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, do := range jobs {
			if err := do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return make([]struct{}, len(jobs)), err
}

// list encodes values for json_each, which lets one prepared statement take any number of them.
func list[T ~string | ~int64](values []T) (string, error) {
	if len(values) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("encode list: %w", err)
	}
	return string(encoded), nil
}
