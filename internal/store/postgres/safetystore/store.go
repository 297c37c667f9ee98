// Package safetystore keeps, in a PostgreSQL database, who has blocked whom, and what people report.
package safetystore

import (
	"context"
	"fmt"
	"slices"

	"rolecall/internal/instant"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ blocks.Store = (*Store)(nil)

// Store implements blocks.Store and reports.Store.
type Store struct{ db *postgres.DB }

// New returns the store of an open database.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("safety store: %w", err)
	}
	return &Store{db: db}, nil
}

const (
	insertBlock = `INSERT INTO blocks (user_id, blocked_id, blocked_at) SELECT $1, $2, $3
		WHERE $4::bigint > (SELECT count(*) FROM blocks WHERE user_id = $1) ON CONFLICT DO NOTHING`
	selectBlock    = `SELECT coalesce((SELECT blocked_at FROM blocks WHERE user_id = $1 AND blocked_id = $2), 0)`
	deleteBlock    = `DELETE FROM blocks WHERE user_id = $1 AND blocked_id = $2`
	selectBlocked  = `SELECT blocked_id, blocked_at FROM blocks WHERE user_id = $1 AND blocked_id > $2 ORDER BY blocked_id LIMIT $3`
	selectBetween  = `SELECT EXISTS (SELECT 1 FROM blocks WHERE user_id = $1 AND blocked_id = $2), EXISTS (SELECT 1 FROM blocks WHERE user_id = $2 AND blocked_id = $1)`
	selectBlocking = `SELECT user_id, blocked_id FROM blocks WHERE user_id = ANY($1::text[])`
	selectBlockers = `SELECT user_id, blocked_at FROM blocks WHERE blocked_id = $1`
)

// statements is everything that the store runs.
func statements() []string {
	all := []string{insertBlock, selectBlock, deleteBlock, selectBlocked, selectBetween, selectBlocking, selectBlockers}
	return slices.Concat(all, reportStatements(), deletionStatements(), auditlog.Statements())
}

// made is what has become of a block.
type made struct {
	at            int64
	isNew, isFull bool
}

// Block implements blocks.Store. Two that are made at once may be one more than most.
func (s *Store) Block(ctx context.Context, userID string, block blocks.Block, most int) (holds blocks.Block, isNew, full bool, err error) {
	done, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (m made, err error) {
		inserted, err := tx.Exec(ctx, insertBlock, userID, block.UserID, int64(block.At), int64(most))
		if err != nil {
			return m, err
		}
		err = tx.QueryRow(ctx, selectBlock, userID, block.UserID).Scan(&m.at)
		m.isNew, m.isFull = inserted.RowsAffected() > 0, m.at == 0
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
	was, err = postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (bool, error) {
		gone, err := tx.Exec(ctx, deleteBlock, userID, blockedID)
		return gone.RowsAffected() > 0, err
	})
	if err != nil {
		return false, fmt.Errorf("unblock: %w", err)
	}
	return was, nil
}

// Blocked implements blocks.Store.
func (s *Store) Blocked(ctx context.Context, userID, after string, limit int) ([]blocks.Block, error) {
	blocked, err := postgres.ReadAll(ctx, s.db, selectBlocked, func(row postgres.Scanner) (b blocks.Block, err error) {
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
	found, err := postgres.ReadOne(ctx, s.db, selectBetween, func(row postgres.Scanner) (b both, err error) {
		return b, row.Scan(&b.does, &b.is)
	}, userID, other)
	if err != nil {
		return false, false, fmt.Errorf("find who has blocked whom: %w", err)
	}
	return found.does, found.is, nil
}

// BlockedBy implements blocks.Store.
func (s *Store) BlockedBy(ctx context.Context, userIDs []string) (map[string][]string, error) {
	type pair struct{ userID, whom string }
	pairs, err := postgres.ReadAll(ctx, s.db, selectBlocking, func(row postgres.Scanner) (p pair, err error) {
		return p, row.Scan(&p.userID, &p.whom)
	}, userIDs)
	if err != nil {
		return nil, fmt.Errorf("find who is blocked: %w", err)
	}
	blocked := make(map[string][]string)
	for _, p := range pairs {
		blocked[p.userID] = append(blocked[p.userID], p.whom)
	}
	return blocked, nil
}

// BlockersOf implements blocks.Store.
func (s *Store) BlockersOf(ctx context.Context, userID string) (map[string]int64, error) {
	type blocker struct {
		userID string
		since  int64
	}
	all, err := postgres.ReadAll(ctx, s.db, selectBlockers, func(row postgres.Scanner) (b blocker, err error) {
		return b, row.Scan(&b.userID, &b.since)
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("find who has blocked somebody: %w", err)
	}
	blockers := make(map[string]int64, len(all))
	for _, b := range all {
		blockers[b.userID] = b.since
	}
	return blockers, nil
}
