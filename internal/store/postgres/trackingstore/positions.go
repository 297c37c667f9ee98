package trackingstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/resent"
)

const (
	// maxPositions is how many are stored at once, so that the numbers of a batch stay apart from those of the next.
	maxPositions = 1<<20 - 1
	// maxPartitionMisses is how often a batch is begun anew as a partition for it was not there.
	maxPartitionMisses = 3
)

// AppendPositions implements tracking.Store. A position sent again is not a new arrival: it does not move the newest. Where
// nothing has changed about the drivers it takes one round trip.
func (s *Store) AppendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	if err := s.appendPositions(ctx, positions, drivers); err != nil {
		return fmt.Errorf("append positions: %w", err)
	}
	return nil
}

func (s *Store) appendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	if err := checkPositions(positions); err != nil {
		return err
	}
	wanted := wantedDrivers(positions, drivers)
	if len(wanted) == 0 {
		return ctx.Err()
	}
	s.partitions.keepAhead(ctx)
	for attempt := 1; ; attempt++ {
		err := s.appendOnce(ctx, positions, wanted)
		if !lacksPartition(err) || attempt == maxPartitionMisses {
			return err
		}
		if err := s.partitions.makeFor(ctx, positions); err != nil {
			return err
		}
	}
}

// appendOnce goes by what is known of the drivers, and where that is not so any more has a look at them.
func (s *Store) appendOnce(ctx context.Context, positions []tracking.Position, wanted map[string]wantedDriver) error {
	if known, all := s.drivers.find(wanted); all {
		if isSo, err := s.insertKnown(ctx, positions, known); isSo || err != nil {
			return err
		}
	}
	var saved map[string]knownDriver
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
		if saved, err = saveDrivers(ctx, tx, wanted); err != nil || len(positions) == 0 {
			return err
		}
		isSo, err := insert(ctx, tx.Conn(), positions, saved)
		if err == nil && !isSo {
			err = errors.New("a driver who was just saved is not there")
		}
		return err
	})
	if err == nil {
		s.drivers.remember(saved)
	}
	return err
}

// insertKnown inserts positions of drivers if they are as known.
func (s *Store) insertKnown(ctx context.Context, positions []tracking.Position, known map[string]knownDriver) (isSo bool, err error) {
	if len(positions) == 0 {
		return false, nil
	}
	err = s.db.Outside(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		isSo, err = insert(ctx, conn, positions, known)
		return err
	})
	return isSo, err
}

// insert inserts the positions if the drivers are as known.
func insert(ctx context.Context, conn *pgx.Conn, positions []tracking.Position, known map[string]knownDriver) (isSo bool, err error) {
	digests := resent.Digests(positions)
	statement, since := insertPlain, int64(math.MaxInt64)
	if slices.ContainsFunc(positions, func(p tracking.Position) bool { return p.Stamped }) {
		statement = insertStamped
		positions, digests, since = withoutRepeats(positions, digests)
	}
	drivers := slices.Collect(maps.Values(known))
	p := encode(positions, digests, drivers, known)
	if statement == insertStamped {
		p.int(tracking.RecognisedFor.Milliseconds())
		p.int(since)
	}
	prepared, err := conn.Prepare(ctx, statement, statement)
	if err != nil {
		return false, fmt.Errorf("prepare: %w", err)
	}
	binaryFormat := []int16{pgx.BinaryFormatCode}
	result := conn.PgConn().ExecPrepared(ctx, prepared.Name, p.values, binaryFormat, binaryFormat).Read()
	if result.Err != nil {
		return false, fmt.Errorf("insert positions: %w", result.Err)
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 || len(result.Rows[0][0]) != 8 {
		return false, fmt.Errorf("insert positions: the server answered with %d rows", len(result.Rows))
	}
	return binary.BigEndian.Uint64(result.Rows[0][0]) == uint64(len(drivers)), nil
}

// encode encodes the parameters of insertPlain.
func encode(positions []tracking.Position, digests []int64, drivers []knownDriver, known map[string]knownDriver) *parameters {
	const perPosition, perDriver, columns = 13*12 + 40, 2 * 12, 18
	n := len(positions)
	p := &parameters{
		values: make([][]byte, 0, columns),
		memory: make([]byte, 0, columns*arrayHeader+n*perPosition+len(drivers)*perDriver),
	}
	p.ints(len(drivers), func(i int) int64 { return drivers[i].number })
	p.ints(len(drivers), func(i int) int64 { return drivers[i].digest })
	p.ints(n, func(i int) int64 { return known[positions[i].DriverID].number })
	p.ints(n, func(i int) int64 { return positions[i].TS })
	p.ints(n, func(i int) int64 { return digests[i] })
	p.floats(n, func(i int) float64 { return positions[i].Lat })
	p.floats(n, func(i int) float64 { return positions[i].Lng })
	p.optionalFloats(n, func(i int) *float64 { return positions[i].Heading })
	p.optionalFloats(n, func(i int) *float64 { return positions[i].Speed })
	p.optionalFloats(n, func(i int) *float64 { return positions[i].Accuracy })
	p.optionalFloats(n, func(i int) *float64 { return positions[i].Altitude })
	p.optionalFloats(n, func(i int) *float64 { return positions[i].Battery })
	p.optionalInts(n, func(i int) *int64 { return positions[i].Seq })
	p.bools(n, func(i int) bool { return positions[i].Stamped })
	p.texts(n, func(i int) string { return positions[i].CompanyID })
	p.int(int64(len(drivers)))
	return p
}

// withoutRepeats leaves out those positions without a time of their own that repeat one before them: a statement does not see
// what it inserts itself. Since is where the search for earlier ones begins.
func withoutRepeats(positions []tracking.Position, digests []int64) (left []tracking.Position, leftDigests []int64, since int64) {
	type likeness struct {
		driverID string
		digest   int64
	}
	recognised := tracking.RecognisedFor.Milliseconds()
	latest := make(map[likeness]int64)
	since = math.MaxInt64
	for i := range positions {
		p := &positions[i]
		if p.Stamped {
			like := likeness{p.DriverID, digests[i]}
			before, repeated := latest[like]
			if repeated && before > p.TS-recognised {
				continue
			}
			latest[like] = max(before, p.TS)
			since = min(since, p.TS-recognised)
		}
		left, leftDigests = append(left, *p), append(leftDigests, digests[i])
	}
	return left, leftDigests, since
}

// lacksPartition reports whether a statement has failed as there is no partition for a position.
func lacksPartition(err error) bool {
	const checkViolation = "23514"
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == checkViolation
}

// checkPositions refuses what is not a number, and more positions than one batch holds.
func checkPositions(positions []tracking.Position) error {
	if len(positions) > maxPositions {
		return fmt.Errorf("%d positions are too many at once, at most %d are stored", len(positions), maxPositions)
	}
	for i := range positions {
		p := &positions[i]
		for _, value := range []*float64{&p.Lat, &p.Lng, p.Heading, p.Speed, p.Accuracy, p.Altitude, p.Battery} {
			if value != nil && math.IsNaN(*value) {
				return fmt.Errorf("position %d of driver %s holds a value that is not a number", i, p.DriverID)
			}
		}
	}
	return nil
}

// SentBefore implements tracking.Store.
func (s *Store) SentBefore(ctx context.Context, driverID string, positions []tracking.Position, since int64) ([]int64, error) {
	digests := resent.Digests(positions)
	found, err := postgres.ReadAll(ctx, s.db, selectStamped, func(row postgres.Scanner) (one resent.Stored, err error) {
		return one, row.Scan(&one.Digest, &one.TS)
	}, digests, driverID, since)
	if err != nil {
		return nil, fmt.Errorf("find positions sent before: %w", err)
	}
	return resent.Times(positions, digests, found), nil
}

// Track implements tracking.Store.
func (s *Store) Track(
	ctx context.Context, query tracking.TrackQuery, after tracking.Place, limit int,
) ([]tracking.Recorded, error) {
	from, to := after.TS, int64(math.MaxInt64)
	if query.From.Set {
		from = max(from, query.From.Millis)
	}
	if query.To.Set {
		to = query.To.Millis
	}
	found, err := postgres.ReadAll(ctx, s.db, selectTrack, func(row postgres.Scanner) (p tracking.Recorded, err error) {
		p.DriverID = query.DriverID
		return p, row.Scan(&p.Number, &p.CompanyID, &p.TS, &p.Lat, &p.Lng,
			&p.Heading, &p.Speed, &p.Accuracy, &p.Altitude, &p.Battery, &p.Seq)
	}, query.DriverID, from, to, query.CompanyID, after.TS, after.Number, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read track: %w", err)
	}
	return found, nil
}
