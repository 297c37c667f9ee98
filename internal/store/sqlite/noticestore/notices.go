package noticestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// Apply implements notices.Store.
func (s *Store) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	changed := make([]notices.Changed, len(changes))
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		for i := range changes {
			switch each := &changes[i]; {
			case each.Create != nil:
				changed[i], err = s.create(ctx, tx, *each.Create, each.Once)
			case each.Expire != "":
				changed[i], err = s.expire(ctx, tx, each.Expire)
			default:
				changed[i], err = s.retract(ctx, tx, each.Retract, each.At)
			}
			if err == nil && changes[i].Line.Action != "" && changed[i].Err == nil && !changed[i].Replayed {
				_, err = s.log.Append(ctx, tx, changes[i].Line)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change notices: %w", err)
	}
	return changed, nil
}

func (s *Store) create(
	ctx context.Context, tx *sql.Tx, notice notices.Addressed, once notices.Idempotency,
) (notices.Changed, error) {
	if once.Key != "" {
		row := tx.StmtContext(ctx, s.sql.selectReplayed).QueryRowContext(ctx, once.UserID, once.Key, once.Since)
		first, replayed, err := scanReplayed(row, once)
		switch {
		case errors.Is(err, notices.ErrKeyReused):
			return notices.Changed{Err: notices.ErrKeyReused}, nil // an error would undo the others' changes
		case err != nil || replayed:
			return notices.Changed{Notice: first, Replayed: replayed}, err
		}
	}
	seq, err := s.insertNotice(ctx, tx, notice)
	if err != nil {
		return notices.Changed{}, err
	}
	return notices.Changed{Seq: seq, Notice: notice.Notice}, s.rememberKey(ctx, tx, once, seq, int64(notice.CreatedAt))
}

// scanReplayed reads what was first asked for under a key, retracted since or not.
func scanReplayed(row sqlite.Scanner, once notices.Idempotency) (first notices.Notice, found bool, err error) {
	var digest string
	stored, err := scanNotice(row, &digest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.Notice{}, false, nil
	case err != nil:
		return notices.Notice{}, false, fmt.Errorf("find first notice: %w", err)
	case digest != once.Digest:
		return notices.Notice{}, false, notices.ErrKeyReused
	}
	return stored.Notice, true, nil
}

// LastChange implements notices.Store.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	seq, err := sqlite.ReadOne(ctx, s.db, s.sql.selectLastSeq, sqlite.ScanOne[int64])
	if err != nil {
		return 0, fmt.Errorf("find last change of notices: %w", err)
	}
	return seq, nil
}

// ReplayNotice implements notices.Store.
func (s *Store) ReplayNotice(ctx context.Context, once notices.Idempotency) (first notices.Notice, found bool, err error) {
	_, err = sqlite.ReadOne(ctx, s.db, s.sql.selectReplayedBeside, func(row sqlite.Scanner) (none struct{}, err error) {
		first, found, err = scanReplayed(row, once)
		return none, err
	}, once.UserID, once.Key, once.Since)
	if err != nil {
		return notices.Notice{}, false, fmt.Errorf("replay notice: %w", err)
	}
	return first, found, nil
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

// NoticeByID implements notices.Store.
func (s *Store) NoticeByID(ctx context.Context, id string) (notices.Notice, bool, error) {
	stored, err := sqlite.ReadOne(ctx, s.db, s.sql.selectNoticeByID, scanStored, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.Notice{}, false, nil
	case err != nil:
		return notices.Notice{}, false, fmt.Errorf("find notice: %w", err)
	}
	return stored.Notice, true, nil
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
