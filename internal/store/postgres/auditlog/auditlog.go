// Package auditlog writes down what admins do, within the transactions of what they do, in a PostgreSQL database.
package auditlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/store/postgres"
)

// Columns are those of a line, as Scan reads them.
const Columns = `number, at, actor, username, action, target, detail, coalesce(key, '')`

const (
	insert = `INSERT INTO audit (at, actor, username, action, target, detail, key)
		VALUES ($1, $2, $3, $4, $5, $6, nullif($7::bytea, '')) RETURNING number`
	selectByKey = `SELECT ` + Columns + ` FROM audit WHERE actor = $1 AND key = $2 AND at >= $3
		ORDER BY at DESC, number DESC LIMIT 1`
	// lockKey has those wait who were sent the same request: the servers that share the database, too.
	lockKey = `SELECT pg_advisory_xact_lock(hashtextextended($1, 0) # hashtextextended(encode($2::bytea, 'hex'), 1))`
)

// Statements is everything that is run here.
func Statements() []string { return []string{insert, selectByKey, lockKey} }

func columnsOf(line audit.Line) []any {
	return []any{
		int64(line.At), line.Actor.UserID, postgres.Text(line.Actor.Username), string(line.Action), line.Target,
		postgres.Text(line.Detail), postgres.Text(line.Key),
	}
}

// Append writes a line and returns it with its number.
func Append(ctx context.Context, tx *postgres.Tx, line audit.Line) (audit.Line, error) {
	if err := tx.QueryRow(ctx, insert, columnsOf(line)...).Scan(&line.Number); err != nil {
		return audit.Line{}, fmt.Errorf("write audit line: %w", err)
	}
	return line, nil
}

// Queue has a batch write a line.
func Queue(batch *pgx.Batch, line audit.Line) { batch.Queue(insert, columnsOf(line)...) }

// Replayed returns the line of the same request, if it was made before and no longer ago than since, in Unix milliseconds.
// It fails with audit.ErrKeyReused where the key was used for another request. Nobody else uses the key until the transaction
// has ended.
func Replayed(ctx context.Context, tx *postgres.Tx, line audit.Line, since int64) (first audit.Line, replayed bool, err error) {
	if line.Key == "" {
		return audit.Line{}, false, nil
	}
	actor, key := line.Actor.UserID, postgres.Text(line.Key)
	if _, err := tx.Exec(ctx, lockKey, actor, key); err != nil {
		return audit.Line{}, false, fmt.Errorf("lock key of audit line: %w", err)
	}
	first, err = Scan(tx.QueryRow(ctx, selectByKey, actor, key, since))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return audit.Line{}, false, nil
	case err != nil:
		return audit.Line{}, false, fmt.Errorf("find audit line: %w", err)
	case first.Action != line.Action || first.Target != line.Target || first.Detail != line.Detail:
		return audit.Line{}, false, audit.ErrKeyReused
	default:
		return first, true, nil
	}
}

// Scan reads Columns.
func Scan(row postgres.Scanner) (line audit.Line, err error) {
	return line, row.Scan(&line.Number, &line.At, &line.Actor.UserID, (*postgres.Text)(&line.Actor.Username), &line.Action,
		&line.Target, (*postgres.Text)(&line.Detail), (*postgres.Text)(&line.Key))
}
