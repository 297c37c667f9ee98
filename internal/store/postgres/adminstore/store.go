// Package adminstore keeps, in a PostgreSQL database, whose tokens were revoked, and what admins do.
package adminstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/services/administration"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ administration.Store = (*Store)(nil)

// Store implements administration.Store.
type Store struct{ db *postgres.DB }

// New returns the store of an open database.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("administration store: %w", err)
	}
	return &Store{db: db}, nil
}

const (
	upsertRevocation = `INSERT INTO revocations (user_id, at) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET at = greatest(revocations.at, excluded.at)`
	deleteRevocations = `DELETE FROM revocations WHERE user_id IN (
		SELECT user_id FROM revocations WHERE at < $1 ORDER BY at LIMIT $2)`
	raiseKept   = `UPDATE audit_kept SET since = greatest(since, $1)`
	deleteLines = `DELETE FROM audit WHERE number IN (
		SELECT number FROM audit WHERE at < $1 ORDER BY at, number LIMIT $2)`
	selectRevocations = `SELECT user_id, at FROM revocations WHERE at >= $1 ORDER BY at`
)

// statements is everything that the store runs.
func statements() []string {
	all := []string{upsertRevocation, deleteRevocations, raiseKept, deleteLines, selectRevocations}
	for _, query := range []audit.Query{{}, {Actor: "a", Action: "b", Target: "c"}} {
		text, _ := linesQuery(query)
		all = append(all, text)
	}
	return slices.Concat(all, auditlog.Statements())
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
	return s.do(ctx, line, since, func(context.Context, *postgres.Tx) error { return nil })
}

// Revoke implements administration.Store.
func (s *Store) Revoke(ctx context.Context, line audit.Line, since int64) (audit.Line, bool, error) {
	return s.do(ctx, line, since, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, upsertRevocation, line.Target, int64(line.At))
		return err
	})
}

// do does something and writes it down, unless it was done before.
func (s *Store) do(
	ctx context.Context, line audit.Line, since int64, deed func(ctx context.Context, tx *postgres.Tx) error,
) (audit.Line, bool, error) {
	done, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (made, error) {
		first, replayed, err := auditlog.Replayed(ctx, tx, line, since)
		switch {
		case errors.Is(err, audit.ErrKeyReused):
			return made{refused: err}, nil
		case err != nil || replayed:
			return made{line: first, replayed: replayed}, err
		}
		if err := deed(ctx, tx); err != nil {
			return made{}, err
		}
		written, err := auditlog.Append(ctx, tx, line)
		return made{line: written}, err
	})
	if err != nil {
		return audit.Line{}, false, fmt.Errorf("%s: %w", line.Action, err)
	}
	return done.line, done.replayed, done.refused
}

// Revocations implements administration.Store.
func (s *Store) Revocations(ctx context.Context, since int64) ([]auth.Revocation, error) {
	all, err := postgres.ReadAll(ctx, s.db, selectRevocations, func(row postgres.Scanner) (r auth.Revocation, err error) {
		return r, row.Scan(&r.UserID, &r.At)
	}, since)
	if err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	return all, nil
}

// DeleteRevocationsBefore implements administration.Store.
func (s *Store) DeleteRevocationsBefore(ctx context.Context, before int64) (int, error) {
	return s.db.DeleteChunk(ctx, deleteRevocations, before)
}

// Lines implements administration.Store.
func (s *Store) Lines(ctx context.Context, query audit.Query) ([]audit.Line, error) {
	text, args := linesQuery(query)
	lines, err := postgres.ReadAll(ctx, s.db, text, auditlog.Scan, args...)
	if err != nil {
		return nil, fmt.Errorf("list audit lines: %w", err)
	}
	return lines, nil
}

// linesQuery has only the conditions that are asked for, so that each can use its index.
func linesQuery(query audit.Query) (text string, args []any) {
	text = `SELECT ` + auditlog.Columns + ` FROM audit WHERE (at, number) < ($1, $2) AND at >= $3 AND at < $4`
	args = []any{query.Before.At, query.Before.Number, query.From, cmp.Or(query.To, math.MaxInt64)}
	where := func(condition string, arg any) {
		args = append(args, arg)
		text += fmt.Sprintf(condition, len(args))
	}
	if query.Actor != "" {
		where(` AND actor = $%d`, query.Actor)
	}
	if query.Action != "" {
		where(` AND action = $%d`, string(query.Action))
	}
	if query.Target != "" {
		where(` AND target = $%d`, query.Target)
	}
	where(` ORDER BY at DESC, number DESC LIMIT $%d`, max(query.Limit, 0))
	return text, args
}

// DeleteLinesBefore implements administration.Store.
func (s *Store) DeleteLinesBefore(ctx context.Context, before int64) (int, error) {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, raiseKept, before)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("give up audit lines: %w", err)
	}
	return s.db.DeleteChunk(ctx, deleteLines, before)
}
