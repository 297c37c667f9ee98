package chatstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ closing.Store = (*Store)(nil)

const (
	selectClosed = `SELECT closed_at FROM rooms WHERE room_id = $1 FOR NO KEY UPDATE`
	updateClosed = `UPDATE rooms SET closed_at = $1 WHERE room_id = $2`
)

// closed is what has become of a room.
type closed struct {
	at             int64
	changed, found bool
}

// SetClosed implements closing.Store.
func (s *Store) SetClosed(ctx context.Context, room roles.ChatRoom, isClosed bool, line audit.Line) (int64, bool, bool, error) {
	done, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (c closed, err error) {
		err = tx.QueryRow(ctx, selectClosed, room.String()).Scan(&c.at)
		if errors.Is(err, pgx.ErrNoRows) {
			return closed{}, nil
		}
		c.found = true
		if err != nil || (c.at > 0) == isClosed {
			return c, err
		}
		if c.at, c.changed = 0, true; isClosed {
			c.at = int64(line.At)
		}
		_, err = tx.Exec(ctx, updateClosed, c.at, room.String())
		if err == nil {
			_, err = auditlog.Append(ctx, tx, line)
		}
		return c, err
	})
	if err != nil {
		return 0, false, false, fmt.Errorf("close room: %w", err)
	}
	return done.at, done.changed, done.found, nil
}
