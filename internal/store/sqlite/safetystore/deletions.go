package safetystore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/store/sqlite"
)

var _ rights.Store = (*Store)(nil)

// deletionStatements are those by which people are deleted.
type deletionStatements struct {
	upsertDeletion, revoke, finish, selectName, deleteKeys, deleteUser, deleteBlocks *sql.Stmt
	deleteMarks, deleteIdempotency, deleteFromInbox                                  *sql.Stmt
	renameReporter, renameSubject, renameSender                                      *sql.Stmt

	selectUnfinished, selectReportsBy *sql.Stmt
}

func (s *deletionStatements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.upsertDeletion: `INSERT INTO deletions (user_id, at) VALUES (?, ?)
			ON CONFLICT (user_id) DO UPDATE SET at = max(at, excluded.at), done = 0`,
		&s.revoke: `INSERT INTO revocations (user_id, at) VALUES (?, ?)
			ON CONFLICT (user_id) DO UPDATE SET at = max(at, excluded.at)`,
		&s.finish:            `UPDATE deletions SET done = 1 WHERE user_id = ? AND at = ?`,
		&s.selectName:        `SELECT username FROM users WHERE user_id = ? AND said_at <= ?`,
		&s.deleteKeys:        `DELETE FROM user_keys WHERE user_id = ?1 AND key IN (SELECT value FROM json_each(?2))`,
		&s.deleteUser:        `DELETE FROM users WHERE user_id = ?`,
		&s.deleteBlocks:      `DELETE FROM blocks WHERE user_id = ? AND blocked_at <= ?`,
		&s.deleteMarks:       `DELETE FROM notice_reads WHERE user_id = ?`,
		&s.deleteIdempotency: `DELETE FROM idempotency_keys WHERE user_id = ? AND created_at <= ?`,
		&s.deleteFromInbox: `DELETE FROM notice_rooms WHERE room = ?1
			AND (SELECT n.created_at FROM notices n WHERE n.seq = notice_rooms.notice) <= ?2`,
		&s.renameReporter: `UPDATE reports SET username = ?1 WHERE user_id = ?2 AND created_at <= ?3`,
		&s.renameSubject:  `UPDATE reports SET subject_name = ?1 WHERE subject_id = ?2 AND created_at <= ?3`,
		&s.renameSender:   `UPDATE notices SET from_username = ?1 WHERE from_user_id = ?2 AND created_at <= ?3 AND from_username <> ?1`,
	}
}

func (s *deletionStatements) reads() sqlite.Statements {
	return sqlite.Statements{
		&s.selectUnfinished: `SELECT user_id, at FROM deletions WHERE done = 0 ORDER BY at LIMIT ?`,
		&s.selectReportsBy: `SELECT ` + reportColumns + ` FROM reports INDEXED BY reports_by_user WHERE user_id = ? AND number > ?
			ORDER BY number LIMIT ?`,
	}
}

// BeginDeletion implements rights.Store.
func (s *Store) BeginDeletion(ctx context.Context, deletion rights.Deletion, line audit.Line) error {
	_, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (none struct{}, err error) {
		for _, statement := range []*sql.Stmt{s.deletions.upsertDeletion, s.deletions.revoke} {
			if _, err := tx.StmtContext(ctx, statement).ExecContext(ctx, deletion.UserID, deletion.At); err != nil {
				return none, err
			}
		}
		_, err = s.log.Append(ctx, tx, line)
		return none, err
	})
	if err != nil {
		return fmt.Errorf("begin to delete a person: %w", err)
	}
	return nil
}

// Unfinished implements rights.Store.
func (s *Store) Unfinished(ctx context.Context, limit int) ([]rights.Deletion, error) {
	all, err := sqlite.ReadAll(ctx, s.db, s.deletions.selectUnfinished, func(row sqlite.Scanner) (d rights.Deletion, err error) {
		return d, row.Scan(&d.UserID, &d.At)
	}, limit)
	if err != nil {
		return nil, fmt.Errorf("list deletions: %w", err)
	}
	return all, nil
}

// FinishDeletion implements rights.Store.
func (s *Store) FinishDeletion(ctx context.Context, deletion rights.Deletion) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.deletions.finish).ExecContext(ctx, deletion.UserID, deletion.At)
		return err
	})
	if err != nil {
		return fmt.Errorf("finish deletion: %w", err)
	}
	return nil
}

// Erase implements rights.Store. Of each part a person has few rows.
func (s *Store) Erase(ctx context.Context, deletion rights.Deletion, part rights.Erasable) (more bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		run := func(statement *sql.Stmt, args ...any) error {
			_, err := tx.StmtContext(ctx, statement).ExecContext(ctx, args...)
			return err
		}
		of, d := &s.deletions, deletion
		switch part {
		case rights.InDirectory:
			return s.eraseUser(ctx, tx, deletion)
		case rights.InInbox:
			return errors.Join(run(of.deleteMarks, d.UserID), run(of.deleteIdempotency, d.UserID, d.At),
				run(of.deleteFromInbox, string(roles.UserRoom(d.UserID)), d.At))
		case rights.InBlocks:
			return run(of.deleteBlocks, d.UserID, d.At)
		case rights.InReports:
			return errors.Join(run(of.renameReporter, rights.DeletedName, d.UserID, d.At), run(of.renameSubject, rights.DeletedName, d.UserID, d.At))
		case rights.InNotices:
			return run(of.renameSender, rights.DeletedName, d.UserID, d.At)
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
func (s *Store) eraseUser(ctx context.Context, tx *sql.Tx, deletion rights.Deletion) error {
	var name string
	err := tx.StmtContext(ctx, s.deletions.selectName).QueryRowContext(ctx, deletion.UserID, deletion.At).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	keys, err := json.Marshal(people.SearchKeys(deletion.UserID, name))
	if err != nil {
		return err
	}
	if _, err := tx.StmtContext(ctx, s.deletions.deleteKeys).ExecContext(ctx, deletion.UserID, string(keys)); err != nil {
		return err
	}
	_, err = tx.StmtContext(ctx, s.deletions.deleteUser).ExecContext(ctx, deletion.UserID)
	return err
}

// ReportsBy implements rights.Store.
func (s *Store) ReportsBy(ctx context.Context, userID string, after int64, limit int) ([]reports.Report, error) {
	all, err := sqlite.ReadAll(ctx, s.db, s.deletions.selectReportsBy, scanReport, userID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list reports of a person: %w", err)
	}
	return all, nil
}
