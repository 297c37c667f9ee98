// Package adminstore keeps, in a SQLite file, whose tokens were revoked, and what admins do.
package adminstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/services/administration"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
)

var _ administration.Store = (*Store)(nil)

// Store implements administration.Store.
type Store struct {
	db  *sqlite.DB
	log *auditlog.Log
	sql statements
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB, log *auditlog.Log) (*Store, error) {
	s := &Store{db: db, log: log}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("administration store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	upsertRevocation, deleteRevocations, raiseKept, deleteLines *sql.Stmt

	selectRevocations *sql.Stmt
	selectLines       [1 << lineFilters]*sql.Stmt
}

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.upsertRevocation: `INSERT INTO revocations (user_id, at) VALUES (?, ?)
			ON CONFLICT (user_id) DO UPDATE SET at = max(at, excluded.at)`,
		&s.deleteRevocations: `DELETE FROM revocations WHERE user_id IN (
			SELECT user_id FROM revocations WHERE at < ? ORDER BY at LIMIT ?)`,
		&s.raiseKept: `UPDATE audit_kept SET since = max(since, ?)`,
		&s.deleteLines: `DELETE FROM audit WHERE number IN (
			SELECT number FROM audit WHERE at < ? ORDER BY at, number LIMIT ?)`,
	}
}

// reads has the lines for every set of conditions, so that each can use its index.
func (s *statements) reads() sqlite.Statements {
	all := sqlite.Statements{
		&s.selectRevocations: `SELECT user_id, at FROM revocations WHERE at >= ? ORDER BY at`,
	}
	for filter := range s.selectLines {
		all[&s.selectLines[filter]] = lineFilter(filter).sql()
	}
	return all
}

// made is what has become of a deed.
type made struct {
	line     audit.Line
	replayed bool
	// refused is audit.ErrKeyReused where nothing was done: an error would undo what others do in the same transaction.
	refused error
}

// Record implements administration.Store.
func (s *Store) Record(ctx context.Context, line audit.Line, since int64) (audit.Line, bool, error) {
	return s.do(ctx, line, since, func(context.Context, *sql.Tx) error { return nil })
}

// Revoke implements administration.Store.
func (s *Store) Revoke(ctx context.Context, line audit.Line, since int64) (audit.Line, bool, error) {
	return s.do(ctx, line, since, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.sql.upsertRevocation).ExecContext(ctx, line.Target, int64(line.At))
		return err
	})
}

// do does something and writes it down, unless it was done before.
func (s *Store) do(
	ctx context.Context, line audit.Line, since int64, deed func(ctx context.Context, tx *sql.Tx) error,
) (audit.Line, bool, error) {
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (made, error) {
		first, replayed, err := s.log.Replayed(ctx, tx, line, since)
		switch {
		case errors.Is(err, audit.ErrKeyReused):
			return made{refused: err}, nil
		case err != nil || replayed:
			return made{line: first, replayed: replayed}, err
		}
		if err := deed(ctx, tx); err != nil {
			return made{}, err
		}
		written, err := s.log.Append(ctx, tx, line)
		return made{line: written}, err
	})
	if err != nil {
		return audit.Line{}, false, fmt.Errorf("%s: %w", line.Action, err)
	}
	return done.line, done.replayed, done.refused
}

// Revocations implements administration.Store.
func (s *Store) Revocations(ctx context.Context, since int64) ([]auth.Revocation, error) {
	all, err := sqlite.ReadAll(ctx, s.db, s.sql.selectRevocations, func(row sqlite.Scanner) (r auth.Revocation, err error) {
		return r, row.Scan(&r.UserID, &r.At)
	}, since)
	if err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	return all, nil
}

// DeleteRevocationsBefore implements administration.Store.
func (s *Store) DeleteRevocationsBefore(ctx context.Context, before int64) (int, error) {
	return s.db.DeleteChunk(ctx, s.sql.deleteRevocations, before)
}

// DeleteLinesBefore implements administration.Store.
func (s *Store) DeleteLinesBefore(ctx context.Context, before int64) (int, error) {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.sql.raiseKept).ExecContext(ctx, before)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("give up audit lines: %w", err)
	}
	return s.db.DeleteChunk(ctx, s.sql.deleteLines, before)
}
