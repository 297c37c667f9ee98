package noticestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
)

// LastChange implements notices.Store.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	seq, err := postgres.ReadOne(ctx, s.db, selectLastSeq, postgres.ScanOne[int64])
	if err != nil {
		return 0, fmt.Errorf("find last change of notices: %w", err)
	}
	return seq, nil
}

// LiveRooms implements notices.Store.
func (s *Store) LiveRooms(ctx context.Context, each func(room roles.Room, newest int64)) error {
	type live struct {
		room   roles.Room
		newest int64
	}
	rooms, err := postgres.ReadAll(ctx, s.db, selectLiveRooms, func(row postgres.Scanner) (l live, err error) {
		return l, row.Scan(&l.room, &l.newest)
	})
	if err != nil {
		return fmt.Errorf("find rooms with notices: %w", err)
	}
	for _, l := range rooms {
		each(l.room, l.newest)
	}
	return nil
}

// Expiring implements notices.Store.
func (s *Store) Expiring(ctx context.Context, now int64, limit int) (due []string, next int64, err error) {
	due, err = postgres.ReadAll(ctx, s.db, selectDue, postgres.ScanOne[string], now, max(limit, 0))
	if err == nil {
		next, err = postgres.ReadOne(ctx, s.db, selectNextExpiry, postgres.ScanOne[int64], now)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("find expiring notices: %w", err)
	}
	return due, next, nil
}

// ReplayNotice implements notices.Store.
func (s *Store) ReplayNotice(ctx context.Context, once notices.Idempotency) (first notices.Notice, found bool, err error) {
	_, err = postgres.ReadOne(ctx, s.db, selectReplayed, func(row postgres.Scanner) (none struct{}, err error) {
		first, found, err = scanReplayed(row, once)
		return none, err
	}, once.UserID, postgres.Text(once.Key), once.Since)
	if err != nil {
		return notices.Notice{}, false, fmt.Errorf("replay notice: %w", err)
	}
	return first, found, nil
}

// scanReplayed reads what was first asked for under a key, retracted since or not.
func scanReplayed(row postgres.Scanner, once notices.Idempotency) (first notices.Notice, found bool, err error) {
	var digest string
	stored, err := scanNotice(row, &digest)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return notices.Notice{}, false, nil
	case err != nil:
		return notices.Notice{}, false, fmt.Errorf("find first notice: %w", err)
	case digest != once.Digest:
		return notices.Notice{}, false, notices.ErrKeyReused
	}
	return stored.Notice, true, nil
}

// Notices implements notices.Store.
func (s *Store) Notices(ctx context.Context, before int64, limit int) ([]notices.Stored, error) {
	found, err := postgres.ReadAll(ctx, s.db, selectNotices, scanStored, before, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return found, nil
}

// NoticeByID implements notices.Store.
func (s *Store) NoticeByID(ctx context.Context, id string) (notices.Notice, bool, error) {
	stored, err := postgres.ReadOne(ctx, s.db, selectNoticeByID, scanStored, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return notices.Notice{}, false, nil
	case err != nil:
		return notices.Notice{}, false, fmt.Errorf("find notice: %w", err)
	}
	return stored.Notice, true, nil
}

// scanNotice reads noticeColumns, and what stands behind them into further.
func scanNotice(row postgres.Scanner, further ...any) (n notices.Stored, err error) {
	var audience, data []byte
	err = row.Scan(append([]any{
		&n.Seq, &n.ID, (*postgres.Text)(&n.Title), (*postgres.Text)(&n.Body), &n.Severity, &audience, &data, &n.CreatedAt,
		&n.ExpiresAt, &n.RequireAck, &n.From.UserID, (*postgres.Text)(&n.From.Username),
	}, further...)...)
	if err != nil {
		return notices.Stored{}, err
	}
	n.Data = data
	if err := json.Unmarshal(audience, &n.Audience); err != nil {
		return notices.Stored{}, fmt.Errorf("decode audience of notice %s: %w", n.ID, err)
	}
	return n, nil
}

func scanStored(row postgres.Scanner) (notices.Stored, error) { return scanNotice(row) }
