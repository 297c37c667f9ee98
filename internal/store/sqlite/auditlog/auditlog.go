// Package auditlog writes down what admins do, within the transactions of what they do, in a SQLite file.
package auditlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/store/sqlite"
)

// Columns are those of a line, as Scan reads them.
const Columns = `number, at, actor, username, action, target, detail, coalesce(key, '')`

// Log writes lines.
type Log struct {
	insert, selectByKey *sql.Stmt
}

// New returns the log of an open file.
func New(ctx context.Context, db *sqlite.DB) (*Log, error) {
	l := &Log{}
	if err := db.Prepare(ctx, l.writes(), nil); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return l, nil
}

func (l *Log) writes() sqlite.Statements {
	return sqlite.Statements{
		&l.insert: `INSERT INTO audit (at, actor, username, action, target, detail, key)
			VALUES (?, ?, ?, ?, ?, ?, nullif(?, '')) RETURNING number`,
		&l.selectByKey: `SELECT ` + Columns + ` FROM audit WHERE actor = ? AND key = ? AND at >= ?
			ORDER BY at DESC, number DESC LIMIT 1`,
	}
}

// Append writes a line and returns it with its number.
func (l *Log) Append(ctx context.Context, tx *sql.Tx, line audit.Line) (audit.Line, error) {
	err := tx.StmtContext(ctx, l.insert).QueryRowContext(ctx, int64(line.At), line.Actor.UserID, line.Actor.Username,
		string(line.Action), line.Target, line.Detail, line.Key).Scan(&line.Number)
	if err != nil {
		return audit.Line{}, fmt.Errorf("write audit line: %w", err)
	}
	return line, nil
}

// Replayed returns the line of the same request, if it was made before and no longer ago than since, in Unix milliseconds.
// It fails with audit.ErrKeyReused where the key was used for another request.
func (l *Log) Replayed(ctx context.Context, tx *sql.Tx, line audit.Line, since int64) (first audit.Line, replayed bool, err error) {
	if line.Key == "" {
		return audit.Line{}, false, nil
	}
	first, err = Scan(tx.StmtContext(ctx, l.selectByKey).QueryRowContext(ctx, line.Actor.UserID, line.Key, since))
	switch {
	case errors.Is(err, sql.ErrNoRows):
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
func Scan(row sqlite.Scanner) (line audit.Line, err error) {
	return line, row.Scan(&line.Number, &line.At, &line.Actor.UserID, &line.Actor.Username, &line.Action, &line.Target,
		&line.Detail, &line.Key)
}
