package noticestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// CreateNotice implements notices.Store.
func (s *Store) CreateNotice(
	ctx context.Context, notice notices.Addressed, once notices.Idempotency,
) (stored notices.Notice, replayed bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if once.Key != "" {
			if stored, replayed, err = s.replayNotice(ctx, tx, once); err != nil || replayed {
				return err
			}
		}
		seq, err := s.insertNotice(ctx, tx, notice)
		if err != nil {
			return err
		}
		stored = notice.Notice
		return s.rememberKey(ctx, tx, once, seq, notice.CreatedAt)
	})
	if err != nil {
		return notices.Notice{}, false, fmt.Errorf("create notice: %w", err)
	}
	return stored, replayed, nil
}

// ReplayNotice implements notices.Store.
func (s *Store) ReplayNotice(ctx context.Context, once notices.Idempotency) (first notices.Notice, found bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		first, found, err = s.replayNotice(ctx, tx, once)
		return err
	})
	if err != nil {
		return notices.Notice{}, false, fmt.Errorf("replay notice: %w", err)
	}
	return first, found, nil
}

// replayNotice returns what was first asked for under a key, retracted since or not.
func (s *Store) replayNotice(
	ctx context.Context, tx *sql.Tx, once notices.Idempotency,
) (first notices.Notice, found bool, err error) {
	var digest string
	var seq int64
	err = tx.StmtContext(ctx, s.sql.selectKey).QueryRowContext(ctx, once.UserID, once.Key, once.Since).Scan(&digest, &seq)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.Notice{}, false, nil
	case err != nil:
		return notices.Notice{}, false, fmt.Errorf("find idempotency key: %w", err)
	case digest != once.Digest:
		return notices.Notice{}, false, notices.ErrKeyReused
	}
	stored, err := scanNotice(tx.StmtContext(ctx, s.sql.selectNotice).QueryRowContext(ctx, seq))
	if err != nil {
		return notices.Notice{}, false, fmt.Errorf("find first notice: %w", err)
	}
	return stored.Notice, true, nil
}

func (s *Store) insertNotice(ctx context.Context, tx *sql.Tx, n notices.Addressed) (seq int64, err error) {
	audience, err := json.Marshal(n.Audience)
	if err != nil {
		return 0, fmt.Errorf("encode audience: %w", err)
	}
	rooms, err := sqlite.List(n.Rooms)
	if err != nil {
		return 0, err
	}
	var data any // NULL where there is none
	if len(n.Data) > 0 {
		data = []byte(n.Data)
	}
	err = tx.StmtContext(ctx, s.sql.insertNotice).QueryRowContext(ctx,
		n.ID, n.Title, n.Body, string(n.Severity), string(audience), data, n.CreatedAt, n.ExpiresAt, n.RequireAck,
		n.From.UserID, n.From.Username).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("insert notice: %w", err)
	}
	if _, err := tx.StmtContext(ctx, s.sql.insertNoticeRooms).ExecContext(ctx, seq, rooms); err != nil {
		return 0, fmt.Errorf("insert audience: %w", err)
	}
	return seq, nil
}

// rememberKey ties a key to a notice and forgets some of those that no longer count.
func (s *Store) rememberKey(
	ctx context.Context, tx *sql.Tx, once notices.Idempotency, seq, createdAt int64,
) error {
	if once.Key == "" {
		return nil
	}
	if _, err := tx.StmtContext(ctx, s.sql.deleteKeys).ExecContext(ctx, once.Since); err != nil {
		return fmt.Errorf("forget old idempotency keys: %w", err)
	}
	_, err := tx.StmtContext(ctx, s.sql.upsertKey).
		ExecContext(ctx, once.UserID, once.Key, once.Digest, seq, createdAt)
	if err != nil {
		return fmt.Errorf("remember idempotency key: %w", err)
	}
	return nil
}

// Notices implements notices.Store.
func (s *Store) Notices(ctx context.Context, before int64, limit int) ([]notices.Stored, error) {
	found, err := sqlite.ReadAll(ctx, s.db, s.sql.selectNotices, scanStored, before, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return found, nil
}

// NoticeByID implements notices.Store. The rooms are in the order of their names.
func (s *Store) NoticeByID(ctx context.Context, id string) (notices.Addressed, bool, error) {
	stored, err := sqlite.ReadOne(ctx, s.db, s.sql.selectNoticeByID, scanStored, id)
	if errors.Is(err, sql.ErrNoRows) {
		return notices.Addressed{}, false, nil
	}
	found := notices.Addressed{Notice: stored.Notice}
	if err == nil {
		found.Rooms, err = sqlite.ReadAll(ctx, s.db, s.sql.selectNoticeRooms, sqlite.ScanOne[roles.Room], stored.Seq)
	}
	if err != nil {
		return notices.Addressed{}, false, fmt.Errorf("find notice: %w", err)
	}
	return found, true, nil
}

// RetractNotice implements notices.Store.
func (s *Store) RetractNotice(ctx context.Context, id string, at int64) (done bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := sqlite.Affected(tx.StmtContext(ctx, s.sql.retractNotice).ExecContext(ctx, at, id))
		done = rows > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("retract notice: %w", err)
	}
	return done, nil
}

// scanNotice reads noticeColumns, and what stands behind them into further.
func scanNotice(row sqlite.Scanner, further ...any) (n notices.Stored, err error) {
	var audience string
	var data []byte
	err = row.Scan(append([]any{&n.Seq, &n.ID, &n.Title, &n.Body, &n.Severity, &audience, &data, &n.CreatedAt,
		&n.ExpiresAt, &n.RequireAck, &n.From.UserID, &n.From.Username}, further...)...)
	if err != nil {
		return notices.Stored{}, err
	}
	n.Data = data
	if err := json.Unmarshal([]byte(audience), &n.Audience); err != nil {
		return notices.Stored{}, fmt.Errorf("decode audience of notice %s: %w", n.ID, err)
	}
	return n, nil
}

func scanStored(row sqlite.Scanner) (notices.Stored, error) { return scanNotice(row) }
