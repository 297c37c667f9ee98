package safetystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ rights.Store = (*Store)(nil)

const (
	upsertDeletion = `INSERT INTO deletions (user_id, at) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET at = greatest(deletions.at, excluded.at), done = false`
	revoke = `INSERT INTO revocations (user_id, at) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET at = greatest(revocations.at, excluded.at)`
	finish            = `UPDATE deletions SET done = true WHERE user_id = $1 AND at = $2`
	selectName        = `SELECT username FROM users WHERE user_id = $1 AND said_at <= $2 FOR UPDATE`
	deleteKeys        = `DELETE FROM user_keys WHERE user_id = $1 AND key = ANY($2::bytea[])`
	deleteUser        = `DELETE FROM users WHERE user_id = $1`
	deleteBlocks      = `DELETE FROM blocks WHERE user_id = $1 AND blocked_at <= $2`
	deleteMarks       = `DELETE FROM notice_reads WHERE user_id = $1`
	deleteIdempotency = `DELETE FROM idempotency_keys WHERE user_id = $1 AND created_at <= $2`
	deleteFromInbox   = `DELETE FROM notice_rooms x USING notices n WHERE x.room = $1 AND n.seq = x.notice AND n.created_at <= $2`
	renameReporter    = `UPDATE reports SET username = $1 WHERE user_id = $2 AND created_at <= $3`
	renameSubject     = `UPDATE reports SET subject_name = $1 WHERE subject_id = $2 AND created_at <= $3`
	renameSender      = `UPDATE notices SET from_username = $1 WHERE from_user_id = $2 AND created_at <= $3 AND from_username <> $1`
	selectUnfinished  = `SELECT user_id, at FROM deletions WHERE NOT done ORDER BY at LIMIT $1`
	selectReportsBy   = `SELECT ` + reportColumns + ` FROM reports WHERE user_id = $1 AND number > $2 ORDER BY number LIMIT $3`
)

// deletionStatements is everything by which people are deleted.
func deletionStatements() []string {
	return []string{
		upsertDeletion, revoke, finish, selectName, deleteKeys, deleteUser, deleteBlocks, deleteMarks, deleteIdempotency, deleteFromInbox,
		renameReporter, renameSubject, renameSender, selectUnfinished, selectReportsBy,
	}
}

// BeginDeletion implements rights.Store.
func (s *Store) BeginDeletion(ctx context.Context, deletion rights.Deletion, line audit.Line) error {
	_, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (none struct{}, err error) {
		for _, statement := range []string{upsertDeletion, revoke} {
			if _, err := tx.Exec(ctx, statement, deletion.UserID, deletion.At); err != nil {
				return none, err
			}
		}
		_, err = auditlog.Append(ctx, tx, line)
		return none, err
	})
	if err != nil {
		return fmt.Errorf("begin to delete a person: %w", err)
	}
	return nil
}

// Unfinished implements rights.Store.
func (s *Store) Unfinished(ctx context.Context, limit int) ([]rights.Deletion, error) {
	all, err := postgres.ReadAll(ctx, s.db, selectUnfinished, func(row postgres.Scanner) (d rights.Deletion, err error) {
		return d, row.Scan(&d.UserID, &d.At)
	}, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("list deletions: %w", err)
	}
	return all, nil
}

// FinishDeletion implements rights.Store.
func (s *Store) FinishDeletion(ctx context.Context, deletion rights.Deletion) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, finish, deletion.UserID, deletion.At)
		return err
	})
	if err != nil {
		return fmt.Errorf("finish deletion: %w", err)
	}
	return nil
}

// Erase implements rights.Store. Of each part a person has few rows.
func (s *Store) Erase(ctx context.Context, deletion rights.Deletion, part rights.Erasable) (more bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		run := func(statement string, args ...any) error {
			_, err := tx.Exec(ctx, statement, args...)
			return err
		}
		d, name := deletion, postgres.Text(rights.DeletedName)
		switch part {
		case rights.InDirectory:
			return eraseUser(ctx, tx, deletion)
		case rights.InInbox:
			return errors.Join(run(deleteMarks, d.UserID), run(deleteIdempotency, d.UserID, d.At),
				run(deleteFromInbox, string(roles.UserRoom(d.UserID)), d.At))
		case rights.InBlocks:
			return run(deleteBlocks, d.UserID, d.At)
		case rights.InReports:
			return errors.Join(run(renameReporter, name, d.UserID, d.At), run(renameSubject, name, d.UserID, d.At))
		case rights.InNotices:
			return run(renameSender, name, d.UserID, d.At)
		default:
			return fmt.Errorf("nothing is kept as %q", part)
		}
	})
	if err != nil {
		return false, fmt.Errorf("delete what is kept of a person: %w", err)
	}
	return false, nil
}

// eraseUser takes somebody out of the directory, unless it was said again since who they are.
func eraseUser(ctx context.Context, tx *postgres.Tx, deletion rights.Deletion) error {
	var name postgres.Text
	err := tx.QueryRow(ctx, selectName, deletion.UserID, deletion.At).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var keys []postgres.Text
	for _, key := range people.SearchKeys(deletion.UserID, string(name)) {
		keys = append(keys, postgres.Text(key))
	}
	if _, err := tx.Exec(ctx, deleteKeys, deletion.UserID, keys); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, deleteUser, deletion.UserID)
	return err
}

// ReportsBy implements rights.Store.
func (s *Store) ReportsBy(ctx context.Context, userID string, after int64, limit int) ([]reports.Report, error) {
	all, err := postgres.ReadAll(ctx, s.db, selectReportsBy, scanReport, userID, after, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("list reports of a person: %w", err)
	}
	return all, nil
}
