package trackingstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rolecall/internal/services/rights"
	"rolecall/internal/store/sqlite"
)

var _ rights.Positions = (*Store)(nil)

const (
	// erasedPositions is how many positions one transaction takes away.
	erasedPositions = 5000
	// ahead is how far a position's time may lie ahead of when it came.
	ahead = time.Minute
)

// EraseTrack implements rights.Positions. Nothing is appended meanwhile, and the driver is looked up anew by whoever comes next.
func (s *Store) EraseTrack(ctx context.Context, deletion rights.Deletion) (more bool, err error) {
	s.drivers.appending.Lock()
	defer s.drivers.appending.Unlock()
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var number int64
		err := tx.StmtContext(ctx, s.sql.selectDriver).QueryRowContext(ctx, deletion.UserID).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		gone, err := sqlite.Affected(tx.StmtContext(ctx, s.sql.eraseTrack).ExecContext(ctx, number, deletion.At+ahead.Milliseconds(), erasedPositions))
		if more = gone == erasedPositions; err != nil || more {
			return err
		}
		_, err = tx.StmtContext(ctx, s.sql.eraseDriver).ExecContext(ctx, number)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete positions of a driver: %w", err)
	}
	s.drivers.forget(deletion.UserID)
	return more, nil
}
