// Package safetystore keeps, in a SQLite file, who has blocked whom, and what people report.
package safetystore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"rolecall/internal/instant"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
)

var _ blocks.Store = (*Store)(nil)

// Store implements blocks.Store and reports.Store.
type Store struct {
	db  *sqlite.DB
	log *auditlog.Log
	sql statements

	deletions deletionStatements
}

// New returns the store of an open file. What admins do is written to the log.
func New(ctx context.Context, db *sqlite.DB, log *auditlog.Log) (*Store, error) {
	s := &Store{db: db, log: log}
	writes, reads := s.sql.writes(), s.sql.reads()
	maps.Copy(writes, s.deletions.writes())
	maps.Copy(reads, s.deletions.reads())
	if err := db.Prepare(ctx, writes, reads); err != nil {
		return nil, fmt.Errorf("safety store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	insertBlock, selectBlock, deleteBlock *sql.Stmt

	insertReport, selectSent, selectReport, updateReport *sql.Stmt

	selectBlocked, selectBetween, selectBlockedBy, selectBlockers *sql.Stmt
	countReports, selectReports, selectOpen, selectResolved       *sql.Stmt
}

func (s *statements) writes() sqlite.Statements {
	all := s.reportWrites()
	maps.Copy(all, sqlite.Statements{
		&s.insertBlock: `INSERT INTO blocks (user_id, blocked_id, blocked_at) SELECT ?1, ?2, ?3
			WHERE ?4 > (SELECT count(*) FROM blocks WHERE user_id = ?1) ON CONFLICT DO NOTHING`,
		&s.selectBlock: `SELECT coalesce((SELECT blocked_at FROM blocks WHERE user_id = ? AND blocked_id = ?), 0)`,
		&s.deleteBlock: `DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?`,
	})
	return all
}

func (s *statements) reads() sqlite.Statements {
	all := s.reportReads()
	maps.Copy(all, sqlite.Statements{
		&s.selectBlocked: `SELECT blocked_id, blocked_at FROM blocks WHERE user_id = ? AND blocked_id > ? ORDER BY blocked_id LIMIT ?`,
		&s.selectBetween: `SELECT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?1 AND blocked_id = ?2),
			EXISTS (SELECT 1 FROM blocks WHERE user_id = ?2 AND blocked_id = ?1)`,
		&s.selectBlockedBy: `SELECT b.user_id, b.blocked_id FROM json_each(?) asked CROSS JOIN blocks b ON b.user_id = asked.value`,
		&s.selectBlockers:  `SELECT user_id, blocked_at FROM blocks WHERE blocked_id = ?`,
	})
	return all
}

// made is what has become of a block.
type made struct {
	at            int64
	isNew, isFull bool
}

// Block implements blocks.Store.
func (s *Store) Block(ctx context.Context, userID string, block blocks.Block, most int) (holds blocks.Block, isNew, full bool, err error) {
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (m made, err error) {
		inserted, err := sqlite.Affected(tx.StmtContext(ctx, s.sql.insertBlock).ExecContext(ctx, userID, block.UserID, block.At, most))
		if err != nil {
			return m, err
		}
		err = tx.StmtContext(ctx, s.sql.selectBlock).QueryRowContext(ctx, userID, block.UserID).Scan(&m.at)
		m.isNew, m.isFull = inserted > 0, m.at == 0
		return m, err
	})
	if err != nil {
		return blocks.Block{}, false, false, fmt.Errorf("block: %w", err)
	}
	if done.isFull {
		return blocks.Block{}, false, true, nil
	}
	return blocks.Block{UserID: block.UserID, At: instant.Stamp(done.at)}, done.isNew, false, nil
}

// Unblock implements blocks.Store.
func (s *Store) Unblock(ctx context.Context, userID, blockedID string) (was bool, err error) {
	gone, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (int, error) {
		return sqlite.Affected(tx.StmtContext(ctx, s.sql.deleteBlock).ExecContext(ctx, userID, blockedID))
	})
	if err != nil {
		return false, fmt.Errorf("unblock: %w", err)
	}
	return gone > 0, nil
}

// Blocked implements blocks.Store.
func (s *Store) Blocked(ctx context.Context, userID, after string, limit int) ([]blocks.Block, error) {
	blocked, err := sqlite.ReadAll(ctx, s.db, s.sql.selectBlocked, func(row sqlite.Scanner) (b blocks.Block, err error) {
		return b, row.Scan(&b.UserID, &b.At)
	}, userID, after, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list who is blocked: %w", err)
	}
	return blocked, nil
}

// Between implements blocks.Store.
func (s *Store) Between(ctx context.Context, userID, other string) (does, isBlocked bool, err error) {
	type both struct{ does, is bool }
	found, err := sqlite.ReadOne(ctx, s.db, s.sql.selectBetween, func(row sqlite.Scanner) (b both, err error) {
		return b, row.Scan(&b.does, &b.is)
	}, userID, other)
	if err != nil {
		return false, false, fmt.Errorf("find who has blocked whom: %w", err)
	}
	return found.does, found.is, nil
}

// BlockedBy implements blocks.Store.
func (s *Store) BlockedBy(ctx context.Context, userIDs []string) (map[string][]string, error) {
	list, err := sqlite.List(userIDs)
	if err != nil {
		return nil, fmt.Errorf("find who is blocked: %w", err)
	}
	blocked := make(map[string][]string)
	_, err = sqlite.ReadAll(ctx, s.db, s.sql.selectBlockedBy, func(row sqlite.Scanner) (none struct{}, err error) {
		var userID, whom string
		err = row.Scan(&userID, &whom)
		blocked[userID] = append(blocked[userID], whom)
		return none, err
	}, list)
	if err != nil {
		return nil, fmt.Errorf("find who is blocked: %w", err)
	}
	return blocked, nil
}

// BlockersOf implements blocks.Store.
func (s *Store) BlockersOf(ctx context.Context, userID string) (map[string]int64, error) {
	blockers := make(map[string]int64)
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectBlockers, func(row sqlite.Scanner) (none struct{}, err error) {
		var by string
		var since int64
		err = row.Scan(&by, &since)
		blockers[by] = since
		return none, err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("find who has blocked somebody: %w", err)
	}
	return blockers, nil
}
