// Package trackingstore keeps drivers and their positions in a PostgreSQL database, the positions in one partition a day.
// Several servers may write to it at once.
package trackingstore

import (
	"context"
	"fmt"
	"time"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres"
)

var _ tracking.Store = (*Store)(nil)

// Store implements tracking.Store.
type Store struct {
	db         *postgres.DB
	now        func() time.Time
	drivers    driverCache
	partitions partitions
}

// New returns the store of an open database. It fails where its statements do not fit the schema.
func New(ctx context.Context, db *postgres.DB) (*Store, error) { return newAt(ctx, db, time.Now) }

// newAt is New with another clock.
func newAt(ctx context.Context, db *postgres.DB, now func() time.Time) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("tracking store: %w", err)
	}
	s := &Store{db: db, now: now, partitions: partitions{db: db, now: now}}
	if err := s.partitions.makeAhead(ctx); err != nil {
		return nil, fmt.Errorf("tracking store: %w", err)
	}
	return s, nil
}

// statements are all that the store runs, but for those on partitions.
func statements() []string {
	return append(rightsStatements(),
		upsertDrivers, selectNumbers, insertPlain, insertStamped, selectDrivers, selectDriversOf, selectTrack, selectStamped, selectPartitions,
	)
}

const (
	upsertDrivers = `INSERT INTO drivers (driver_id, company_id, username, digest)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])
		ON CONFLICT (driver_id) DO UPDATE
			SET company_id = excluded.company_id, username = excluded.username, digest = excluded.digest
			WHERE excluded.digest <> 0 AND excluded.digest <> drivers.digest`
	selectNumbers = `SELECT driver_id, number, digest FROM drivers WHERE driver_id = ANY($1::text[])`

	columns = `p.company_id, p.ts, p.lat, p.lng, p.heading, p.speed, p.accuracy, p.altitude, p.battery, p.seq`
	// The newest of a driver is the first one that the indexes of the partitions lead to, from the last day on.
	driversFrom = `SELECT d.driver_id, d.company_id, d.username, ` + columns + ` FROM drivers d LEFT JOIN LATERAL (
			SELECT * FROM positions WHERE driver = d.number ORDER BY ts DESC, number DESC LIMIT 1) p ON true`
	selectDrivers   = driversFrom + ` ORDER BY d.driver_id`
	selectDriversOf = driversFrom + ` WHERE d.company_id = $1 ORDER BY d.driver_id`
	selectTrack     = `SELECT p.number, ` + columns + ` FROM positions p
		WHERE p.driver = (SELECT number FROM drivers WHERE driver_id = $1) AND p.ts >= $2 AND p.ts <= $3
			AND ($4 = '' OR p.company_id = $4) AND (p.ts > $5 OR p.number > $6)
		ORDER BY p.ts, p.number LIMIT $7`
	selectStamped = `SELECT p.digest, max(p.ts) FROM positions p
		WHERE p.driver = (SELECT number FROM drivers WHERE driver_id = $2) AND p.digest = ANY($1::bigint[]) AND p.stamped AND p.ts > $3
		GROUP BY p.digest`
)

// Both insert positions that are not there yet, if the drivers ($1) are still those that they were ($2): a number may be another
// driver's since a backup was restored, or a driver have another company. They return how many are: where it is not all
// ($16), nothing was inserted. The second one looks whether what has no time of its own was sent before.
const (
	insertPlain   = insertPositions + onceEach
	insertStamped = insertPositions + ` AND NOT (p.stamped AND EXISTS (SELECT 1 FROM positions before
		WHERE before.driver = p.driver AND before.digest = p.digest AND before.stamped AND before.ts > p.ts - $17 AND before.ts > $18))` + onceEach

	insertPositions = `WITH known AS MATERIALIZED (
			SELECT count(*) AS n FROM unnest($1::bigint[], $2::bigint[]) k (number, digest) JOIN drivers d USING (number, digest)),
		added AS (
			INSERT INTO positions
				(driver, ts, digest, lat, lng, heading, speed, accuracy, altitude, battery, seq, stamped, company_id, number)
			SELECT p.driver, p.ts, p.digest, p.lat, p.lng, p.heading, p.speed, p.accuracy, p.altitude, p.battery, p.seq, p.stamped,
				p.company_id, batch.number + p.place
			FROM (SELECT nextval('position_batches') << 20 AS number) batch, unnest($3::bigint[], $4::bigint[], $5::bigint[],
				$6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[],
				$13::bigint[], $14::boolean[], $15::text[]) WITH ORDINALITY p
				(driver, ts, digest, lat, lng, heading, speed, accuracy, altitude, battery, seq, stamped, company_id, place)
			WHERE (SELECT n FROM known) = $16::bigint`
	onceEach = ` ON CONFLICT DO NOTHING) SELECT n FROM known`
)
