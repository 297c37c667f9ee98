// Package trackingstore keeps drivers and their positions in a SQLite file.
package trackingstore

import (
	"context"
	"database/sql"
	"fmt"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/sqlite"
)

var _ tracking.Store = (*Store)(nil)

// Store implements tracking.Store.
type Store struct {
	db      *sqlite.DB
	sql     statements
	drivers driverCache
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB) (*Store, error) {
	s := &Store{db: db}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("tracking store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	// Writes, and the reads that belong to a write.
	selectDriversByID, upsertDriver, insertPosition, insertPositions, insertStamped, deletePositions *sql.Stmt
	selectDriver, eraseTrack, eraseDriver                                                            *sql.Stmt

	// Reads.
	selectDrivers, selectDriversOf, selectTrack, selectStamped *sql.Stmt
}

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.selectDriversByID: `SELECT d.number, d.driver_id, d.company_id, d.username
			FROM json_each(?) wanted CROSS JOIN drivers d ON d.driver_id = wanted.value`,
		&s.upsertDriver: `INSERT INTO drivers (driver_id, company_id, username) VALUES (?, ?, ?)
			ON CONFLICT (driver_id) DO UPDATE SET company_id = excluded.company_id, username = excluded.username
			RETURNING number`,
		&s.insertPosition:  insertPositionsSQL(1),
		&s.insertPositions: insertPositionsSQL(positionsPerInsert),
		&s.insertStamped:   insertStampedSQL,
		&s.selectDriver:    `SELECT number FROM drivers WHERE driver_id = ?`,
		&s.eraseTrack: `DELETE FROM positions WHERE number IN (
			SELECT number FROM positions WHERE driver = ? AND ts <= ? ORDER BY ts LIMIT ?)`,
		&s.eraseDriver: `DELETE FROM drivers WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM positions WHERE driver = ?1)`,
		// CROSS JOIN keeps the order: a seek for each driver, and no index on ts alone to keep up.
		&s.deletePositions: `DELETE FROM positions WHERE number IN (
			SELECT p.number FROM drivers d CROSS JOIN positions p ON p.driver = d.number AND p.ts < ? LIMIT ?)`,
	}
}

func (s *statements) reads() sqlite.Statements {
	const columns = `p.company_id, p.ts, p.lat, p.lng, p.heading, p.speed, p.accuracy, p.altitude, p.battery, p.seq`
	const drivers = `SELECT d.driver_id, d.company_id, d.username, ` + columns + `
			FROM drivers d LEFT JOIN positions p ON p.number = (
				SELECT number FROM positions WHERE driver = d.number ORDER BY ts DESC, number DESC LIMIT 1)`
	return sqlite.Statements{
		&s.selectDrivers:   drivers + ` ORDER BY d.driver_id`,
		&s.selectDriversOf: drivers + ` WHERE d.company_id = ? ORDER BY d.driver_id`,
		&s.selectTrack: `SELECT p.number, ` + columns + `
			FROM drivers d CROSS JOIN positions p ON p.driver = d.number
			WHERE d.driver_id = ?1 AND p.ts >= ?2 AND p.ts <= ?3 AND (?4 = '' OR p.company_id = ?4)
				AND (p.ts > ?5 OR p.number > ?6)
			ORDER BY p.ts, p.number LIMIT ?7`,
		&s.selectStamped: `SELECT p.digest, p.ts FROM json_each(?1) wanted CROSS JOIN drivers d ON d.driver_id = ?2
			CROSS JOIN positions p ON p.driver = d.number AND p.digest = wanted.value AND p.stamped = 1 AND p.ts > ?3`,
	}
}
