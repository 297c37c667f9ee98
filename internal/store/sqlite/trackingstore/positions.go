package trackingstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/resent"
	"rolecall/internal/store/sqlite"
)

// AppendPositions implements tracking.Store. A position sent again is not a new arrival: it does not move the newest.
func (s *Store) AppendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	if err := checkNumbers(positions); err != nil {
		return fmt.Errorf("append positions: %w", err)
	}
	s.drivers.appending.Lock() // what is remembered is then what was written last
	defer s.drivers.appending.Unlock()
	var saved savedDrivers
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		if saved, err = s.driverNumbers(ctx, tx, positions, drivers); err != nil {
			return err
		}
		return s.insertPositions(ctx, tx, positions, saved.numbers)
	})
	if err != nil {
		return fmt.Errorf("append positions: %w", err)
	}
	s.drivers.remember(saved)
	return nil
}

// checkNumbers refuses NaN, which SQLite would turn into NULL and so into "not measured".
func checkNumbers(positions []tracking.Position) error {
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

// driverNumbers saves the drivers, where they are not known to be saved already, and returns the key of each who sent
// one of the positions.
func (s *Store) driverNumbers(
	ctx context.Context, tx *sql.Tx, positions []tracking.Position, drivers []tracking.Driver,
) (savedDrivers, error) {
	named := make(map[string]tracking.Driver, len(drivers)) // the last word on a driver who sent several updates counts
	for i := range drivers {
		named[drivers[i].DriverID] = drivers[i]
	}
	unnamed := make(map[string]tracking.Driver)
	for i := range positions {
		p := &positions[i]
		if _, known := named[p.DriverID]; !known {
			unnamed[p.DriverID] = tracking.Driver{DriverID: p.DriverID, CompanyID: p.CompanyID}
		}
	}
	numbers := s.drivers.find(named)
	if len(unnamed) == 0 && len(numbers) == len(named) {
		return savedDrivers{numbers: numbers}, nil
	}
	numbers, err := s.saveDrivers(ctx, tx, named, unnamed)
	return savedDrivers{named: named, numbers: numbers}, err
}

// saveDrivers returns the drivers' keys. It writes the named ones where something about them has changed, so that the
// many updates of known drivers leave the table alone, and the unnamed ones where they have never been heard of.
func (s *Store) saveDrivers(
	ctx context.Context, tx *sql.Tx, named, unnamed map[string]tracking.Driver,
) (map[string]int64, error) {
	ids, err := sqlite.List(slices.AppendSeq(slices.Collect(maps.Keys(named)), maps.Keys(unnamed)))
	if err != nil {
		return nil, err
	}
	type saved struct {
		tracking.Driver
		number int64
	}
	rows, err := tx.StmtContext(ctx, s.sql.selectDriversByID).QueryContext(ctx, ids)
	known, err := sqlite.Collect(rows, err, func(row sqlite.Scanner) (d saved, err error) {
		return d, row.Scan(&d.number, &d.DriverID, &d.CompanyID, &d.Username)
	})
	if err != nil {
		return nil, fmt.Errorf("find drivers: %w", err)
	}
	numbers := make(map[string]int64, len(named)+len(unnamed))
	for i := range known {
		now, isNamed := named[known[i].DriverID]
		if !isNamed || now.CompanyID == known[i].CompanyID && now.Username == known[i].Username {
			numbers[known[i].DriverID] = known[i].number
		}
	}
	upsert := tx.StmtContext(ctx, s.sql.upsertDriver)
	for _, drivers := range []map[string]tracking.Driver{named, unnamed} {
		for id, driver := range drivers {
			if _, upToDate := numbers[id]; upToDate {
				continue
			}
			numbers[id], err = sqlite.ScanOne[int64](upsert.QueryRowContext(ctx, id, driver.CompanyID, driver.Username))
			if err != nil {
				return nil, fmt.Errorf("save driver: %w", err)
			}
		}
	}
	return numbers, nil
}

const (
	// positionsPerInsert is how many rows one statement inserts where there are that many.
	positionsPerInsert = 25
	positionColumns    = 12
)

func insertPositionsSQL(rows int) string {
	row := "(?" + strings.Repeat(",?", positionColumns-1) + ")"
	return `INSERT INTO positions
		(driver, company_id, ts, lat, lng, heading, speed, accuracy, altitude, battery, seq, digest)
		VALUES ` + row + strings.Repeat(","+row, rows-1) + `
		ON CONFLICT (driver, ts, digest) DO NOTHING`
}

// insertStampedSQL inserts a position without a time of its own, unless it has been sent before.
const insertStampedSQL = `INSERT INTO positions
	(driver, company_id, ts, lat, lng, heading, speed, accuracy, altitude, battery, seq, digest, stamped)
	SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1 WHERE NOT EXISTS (
		SELECT 1 FROM positions WHERE driver = ?1 AND digest = ?12 AND stamped = 1 AND ts > ?13)
	ON CONFLICT (driver, ts, digest) DO NOTHING`

func (s *Store) insertPositions(
	ctx context.Context, tx *sql.Tx, positions []tracking.Position, numbers map[string]int64,
) error {
	many, one := tx.StmtContext(ctx, s.sql.insertPositions), tx.StmtContext(ctx, s.sql.insertPosition)
	args := make([]any, 0, positionsPerInsert*positionColumns)
	for len(positions) > 0 {
		statement, rows := one, 1
		switch positionsUntilStamped(positions) {
		case 0:
			statement = tx.StmtContext(ctx, s.sql.insertStamped)
		case positionsPerInsert:
			statement, rows = many, positionsPerInsert
		}
		args = args[:0]
		for i := range positions[:rows] {
			p := &positions[i]
			args = append(args, numbers[p.DriverID], p.CompanyID, p.TS, p.Lat, p.Lng, p.Heading, p.Speed, p.Accuracy,
				p.Altitude, p.Battery, p.Seq, resent.Digest(p))
		}
		if positions[0].Stamped {
			args = append(args, positions[0].TS-tracking.RecognisedFor.Milliseconds())
		}
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("insert positions: %w", err)
		}
		positions = positions[rows:]
	}
	return nil
}

// positionsUntilStamped counts the positions before the first without a time of its own, as far as one statement goes.
func positionsUntilStamped(positions []tracking.Position) int {
	next := positions[:min(len(positions), positionsPerInsert)]
	if at := slices.IndexFunc(next, func(p tracking.Position) bool { return p.Stamped }); at >= 0 {
		return at
	}
	return len(next)
}

// SentBefore implements tracking.Store.
func (s *Store) SentBefore(ctx context.Context, driverID string, positions []tracking.Position, since int64) ([]int64, error) {
	digests := resent.Digests(positions)
	wanted, err := sqlite.List(digests)
	if err != nil {
		return nil, err
	}
	found, err := sqlite.ReadAll(ctx, s.db, s.sql.selectStamped, func(row sqlite.Scanner) (one resent.Stored, err error) {
		return one, row.Scan(&one.Digest, &one.TS)
	}, wanted, driverID, since)
	if err != nil {
		return nil, fmt.Errorf("find positions sent before: %w", err)
	}
	return resent.Times(positions, digests, found), nil
}

// Drivers implements tracking.Store.
func (s *Store) Drivers(ctx context.Context) ([]tracking.Driver, error) {
	drivers, err := sqlite.ReadAll(ctx, s.db, s.sql.selectDrivers, scanDriver)
	if err != nil {
		return nil, fmt.Errorf("list drivers: %w", err)
	}
	return drivers, nil
}

// DriversOf implements tracking.Store.
func (s *Store) DriversOf(ctx context.Context, companyID string) ([]tracking.Driver, error) {
	drivers, err := sqlite.ReadAll(ctx, s.db, s.sql.selectDriversOf, scanDriver, companyID)
	if err != nil {
		return nil, fmt.Errorf("list drivers of a company: %w", err)
	}
	return drivers, nil
}

func scanDriver(row sqlite.Scanner) (tracking.Driver, error) {
	var (
		driver    tracking.Driver
		p         tracking.Position
		companyID sql.NullString // all NULL for a driver without positions
		ts        sql.NullInt64
		lat, lng  sql.NullFloat64
	)
	err := row.Scan(&driver.DriverID, &driver.CompanyID, &driver.Username, &companyID, &ts, &lat, &lng,
		&p.Heading, &p.Speed, &p.Accuracy, &p.Altitude, &p.Battery, &p.Seq)
	if err != nil || !ts.Valid {
		return driver, err
	}
	p.DriverID, p.CompanyID, p.TS, p.Lat, p.Lng = driver.DriverID, companyID.String, ts.Int64, lat.Float64, lng.Float64
	driver.Newest = &p
	return driver, nil
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
	found, err := sqlite.ReadAll(ctx, s.db, s.sql.selectTrack, func(row sqlite.Scanner) (p tracking.Recorded, err error) {
		p.DriverID = query.DriverID
		return p, row.Scan(&p.Number, &p.CompanyID, &p.TS, &p.Lat, &p.Lng,
			&p.Heading, &p.Speed, &p.Accuracy, &p.Altitude, &p.Battery, &p.Seq)
	}, query.DriverID, from, to, query.CompanyID, after.TS, after.Number, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read track: %w", err)
	}
	return found, nil
}

// DeletePositionsBefore implements tracking.Store.
func (s *Store) DeletePositionsBefore(ctx context.Context, ts int64) (int, error) {
	gone, err := s.db.DeleteChunk(ctx, s.sql.deletePositions, ts)
	if err != nil {
		return 0, fmt.Errorf("delete positions: %w", err)
	}
	return gone, nil
}
