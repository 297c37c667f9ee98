package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/store/sqlite"
)

var _ closing.Store = (*Store)(nil)

// closed is what has become of a room.
type closed struct {
	at             int64
	changed, found bool
}

// SetClosed implements closing.Store.
func (s *Store) SetClosed(ctx context.Context, room roles.ChatRoom, isClosed bool, line audit.Line) (int64, bool, bool, error) {
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (c closed, err error) {
		err = tx.StmtContext(ctx, s.sql.selectClosed).QueryRowContext(ctx, room.String()).Scan(&c.at)
		if errors.Is(err, sql.ErrNoRows) {
			return closed{}, nil
		}
		c.found = true
		if err != nil || (c.at > 0) == isClosed {
			return c, err
		}
		if c.at, c.changed = 0, true; isClosed {
			c.at = int64(line.At)
		}
		_, err = tx.StmtContext(ctx, s.sql.updateClosed).ExecContext(ctx, c.at, room.String())
		if err == nil {
			_, err = s.log.Append(ctx, tx, line)
		}
		return c, err
	})
	if err != nil {
		return 0, false, false, fmt.Errorf("close room: %w", err)
	}
	return done.at, done.changed, done.found, nil
}
