package trackingstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres"
)

// driverCache remembers what drivers are in the database as, so that the stream of their positions does not look each of them
// up. What it says is held against the database by whoever goes by it, as another server may have changed it. It holds one
// entry a driver. The zero value is empty.
type driverCache struct {
	mu    sync.Mutex
	known map[string]knownDriver
}

// knownDriver is a driver as in the database.
type knownDriver struct {
	companyID, username string
	number, digest      int64
}

// find returns what is known of drivers who are as they should be; all is whether that is everybody.
func (c *driverCache) find(wanted map[string]wantedDriver) (found map[string]knownDriver, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found = make(map[string]knownDriver, len(wanted))
	for id, driver := range wanted {
		known, cached := c.known[id]
		if !cached || driver.isNamed && (known.companyID != driver.CompanyID || known.username != driver.Username) {
			return nil, false
		}
		found[id] = known
	}
	return found, true
}

func (c *driverCache) remember(found map[string]knownDriver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]knownDriver)
	}
	maps.Copy(c.known, found)
}

// wantedDriver is a driver who is to be in the database: just so, where the driver is named, or in whatever way.
type wantedDriver struct {
	tracking.Driver
	isNamed bool
}

// wantedDrivers are those who are named, of whom the last word counts, and those who sent one of the positions.
func wantedDrivers(positions []tracking.Position, drivers []tracking.Driver) map[string]wantedDriver {
	wanted := make(map[string]wantedDriver, len(drivers))
	for i := range drivers {
		wanted[drivers[i].DriverID] = wantedDriver{drivers[i], true}
	}
	for i := range positions {
		p := &positions[i]
		if _, known := wanted[p.DriverID]; !known {
			wanted[p.DriverID] = wantedDriver{Driver: tracking.Driver{DriverID: p.DriverID, CompanyID: p.CompanyID}}
		}
	}
	return wanted
}

// digest is a hash of what is kept of the driver, never 0; 0 where the driver is not named.
func (w wantedDriver) digest() int64 {
	if !w.isNamed {
		return 0
	}
	var encoded []byte
	for _, part := range []string{w.DriverID, w.CompanyID, w.Username} {
		encoded = append(binary.BigEndian.AppendUint64(encoded, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(encoded)
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1)
}

// saveDrivers has the drivers be as they should be, and returns them as they are. Until the transaction ends nobody changes
// them. They are locked in the order of their ids, so that two who save the same ones never wait for each other.
func saveDrivers(ctx context.Context, tx *postgres.Tx, wanted map[string]wantedDriver) (map[string]knownDriver, error) {
	ids := slices.Sorted(maps.Keys(wanted))
	companies, names, digests := make([]string, len(ids)), make([]postgres.Text, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		driver := wanted[id]
		companies[i], names[i], digests[i] = driver.CompanyID, postgres.Text(driver.Username), driver.digest()
	}
	if _, err := tx.Exec(ctx, upsertDrivers, ids, companies, names, digests); err != nil {
		return nil, fmt.Errorf("save drivers: %w", err)
	}
	rows, err := tx.Query(ctx, selectNumbers, ids)
	if err != nil {
		return nil, fmt.Errorf("find drivers: %w", err)
	}
	found := make(map[string]knownDriver, len(ids))
	var id string
	var number, digest int64
	_, err = pgx.ForEachRow(rows, []any{&id, &number, &digest}, func() error {
		driver := wanted[id]
		found[id] = knownDriver{driver.CompanyID, driver.Username, number, digest}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find drivers: %w", err)
	}
	return found, nil
}

// Drivers implements tracking.Store.
func (s *Store) Drivers(ctx context.Context) ([]tracking.Driver, error) {
	drivers, err := postgres.ReadAll(ctx, s.db, selectDrivers, scanDriver)
	if err != nil {
		return nil, fmt.Errorf("list drivers: %w", err)
	}
	return drivers, nil
}

// DriversOf implements tracking.Store.
func (s *Store) DriversOf(ctx context.Context, companyID string) ([]tracking.Driver, error) {
	drivers, err := postgres.ReadAll(ctx, s.db, selectDriversOf, scanDriver, companyID)
	if err != nil {
		return nil, fmt.Errorf("list drivers of a company: %w", err)
	}
	return drivers, nil
}

func scanDriver(row postgres.Scanner) (tracking.Driver, error) {
	var (
		driver    tracking.Driver
		p         tracking.Position
		companyID *string // all NULL for a driver without positions
		ts        *int64
		lat, lng  *float64
	)
	err := row.Scan(&driver.DriverID, &driver.CompanyID, (*postgres.Text)(&driver.Username), &companyID, &ts, &lat, &lng,
		&p.Heading, &p.Speed, &p.Accuracy, &p.Altitude, &p.Battery, &p.Seq)
	if err != nil || ts == nil {
		return driver, err
	}
	p.DriverID, p.CompanyID, p.TS, p.Lat, p.Lng = driver.DriverID, *companyID, *ts, *lat, *lng
	driver.Newest = &p
	return driver, nil
}
