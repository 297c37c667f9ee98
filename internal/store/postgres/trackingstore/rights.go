package trackingstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/rights"
	"rolecall/internal/store/postgres"
)

var _ rights.Positions = (*Store)(nil)

const (
	// erasedPositions is how many positions one transaction takes away.
	erasedPositions = 5000
	// ahead is how far a position's time may lie ahead of when it came.
	ahead = time.Minute
)

const (
	selectNumber = `SELECT number FROM drivers WHERE driver_id = $1 FOR UPDATE`
	eraseTrack   = `DELETE FROM positions p USING (
			SELECT driver, ts, digest FROM positions WHERE driver = $1 AND ts <= $2 ORDER BY ts LIMIT $3) gone
		WHERE p.driver = gone.driver AND p.ts = gone.ts AND p.digest = gone.digest`
	eraseDriver = `DELETE FROM drivers d WHERE d.number = $1 AND NOT EXISTS (SELECT 1 FROM positions p WHERE p.driver = d.number)`
)

// rightsStatements is all that is run to delete somebody.
func rightsStatements() []string { return []string{selectNumber, eraseTrack, eraseDriver} }

// EraseTrack implements rights.Positions. What servers know of the driver they hold against the database.
func (s *Store) EraseTrack(ctx context.Context, deletion rights.Deletion) (more bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		more = false
		var number int64
		err := tx.QueryRow(ctx, selectNumber, deletion.UserID).Scan(&number)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, eraseTrack, number, deletion.At+ahead.Milliseconds(), int64(erasedPositions))
		if more = gone.RowsAffected() == erasedPositions; err != nil || more {
			return err
		}
		_, err = tx.Exec(ctx, eraseDriver, number)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete positions of a driver: %w", err)
	}
	return more, nil
}
