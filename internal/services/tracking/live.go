package tracking

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/retention"
	"rolecall/internal/roles"
)

// show makes the newest of the accepted positions the driver's own, if it is newer than what is shown, and has it
// sent with the next flush. Late positions stay in the history alone.
func (s *Service) show(ctx context.Context, who auth.Identity, accepted []Position) {
	newest := &accepted[0]
	for i := range accepted {
		if accepted[i].TS >= newest.TS {
			newest = &accepted[i]
		}
	}
	s.mu.Lock()
	driver := s.liveLocked(who)
	driver.heard = s.options.Now()
	if driver.status == Stale {
		driver.status = Online
	}
	changed := driver.status != driver.told
	fresh := driver.Newest == nil || newest.TS >= driver.Newest.TS && !newest.equal(driver.Newest)
	if fresh {
		position := *newest
		driver.Newest = &position
		s.pending[who.UserID] = struct{}{}
	}
	s.mu.Unlock()

	if changed {
		s.announce(ctx, who.UserID)
	}
	switch {
	case !fresh:
	case s.options.Flush == 0:
		s.flush(ctx)
	default:
		select {
		case s.wake <- struct{}{}:
		default: // a flush is due already
		}
	}
}

// liveLocked returns the driver's entry, made on first sight, with the name and company of the newest token.
func (s *Service) liveLocked(who auth.Identity) *live {
	driver, known := s.drivers[who.UserID]
	if !known {
		driver = &live{status: Offline, told: Offline}
		s.drivers[who.UserID] = driver
	}
	if driver.CompanyID != who.CompanyID {
		// What a former company has seen is not the new one's to see.
		driver.Newest, driver.told = nil, Offline
		delete(s.pending, who.UserID)
	}
	driver.DriverID, driver.CompanyID, driver.Username = who.UserID, who.CompanyID, who.Username
	return driver
}

func (p *Position) equal(q *Position) bool {
	return p.DriverID == q.DriverID && p.CompanyID == q.CompanyID && p.Lat == q.Lat && p.Lng == q.Lng && p.TS == q.TS &&
		same(p.Heading, q.Heading) && same(p.Speed, q.Speed) && same(p.Accuracy, q.Accuracy) &&
		same(p.Altitude, q.Altitude) && same(p.Battery, q.Battery) && same(p.Seq, q.Seq)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// flush sends what is pending: to each company its own drivers, to the watchers of all fleets every one.
func (s *Service) flush(ctx context.Context) {
	s.flushing.Lock() // an older flush is sent whole before a newer one begins
	defer s.flushing.Unlock()
	s.mu.Lock()
	newest := make([]*Position, 0, len(s.pending))
	for id := range s.pending {
		newest = append(newest, s.drivers[id].Newest)
	}
	clear(s.pending)
	s.mu.Unlock()
	if len(newest) == 0 {
		return
	}
	var everyone []bus.Value
	fleets := make(map[string][]bus.Value)
	for _, position := range newest {
		encoded, err := json.Marshal(position)
		if err != nil {
			s.log.ErrorContext(ctx, "position not encoded", "driver", position.DriverID, "error", err)
			continue
		}
		value := bus.Value{Key: position.DriverID, JSON: encoded}
		fleets[position.CompanyID] = append(fleets[position.CompanyID], value)
		everyone = append(everyone, value)
	}
	at := s.options.Now().UnixMilli()
	for company, fleet := range fleets {
		s.emitPositions(ctx, at, fleet, roles.FleetRoom(company))
	}
	s.emitPositions(ctx, at, everyone, roles.AllFleetsRoom())
}

// emitPositions sends tracking:positions. Each position is encoded once, however many rooms hear of it.
func (s *Service) emitPositions(ctx context.Context, at int64, positions []bus.Value, room roles.Room) {
	fields := strconv.AppendInt([]byte(`{"at":`), at, 10)
	s.emit.EmitNewest(ctx, EventPositions, bus.Newest{Fields: append(fields, '}'), Member: "positions", Values: positions}, room)
}

// sweepInterval is how often silent drivers are looked for.
const sweepInterval = time.Second

// Run flushes positions and looks for silent drivers until ctx ends; what is pending then is still sent.
func (s *Service) Run(ctx context.Context) {
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	wake := (<-chan struct{})(nil) // nil while a flush was sent less than Flush ago
	for {
		select {
		case <-ctx.Done():
			s.flush(ctx)
			return
		case <-pause.C:
			wake = s.wake
		case <-wake:
			s.flush(ctx)
			wake = nil
			pause.Reset(s.options.Flush)
		case <-sweep.C:
			s.sweep(ctx)
		}
	}
}

// sweep tells of drivers who have gone silent and forgets those of whom nothing is kept any more.
func (s *Service) sweep(ctx context.Context) {
	now := s.options.Now()
	var silent []string
	s.mu.Lock()
	for id, driver := range s.drivers {
		switch {
		case driver.status == Online && now.Sub(driver.heard) > s.options.StaleAfter:
			driver.status = Stale
			silent = append(silent, id)
		case driver.status == Offline && driver.told == Offline && s.expired(driver, now):
			delete(s.drivers, id)
			delete(s.pending, id)
		}
	}
	s.mu.Unlock()
	for _, id := range silent {
		s.announce(ctx, id)
	}
}

// expired reports whether a driver's newest position, if there is one, is past the retention.
func (s *Service) expired(driver *live, now time.Time) bool {
	return s.options.Retention > 0 && driver.Newest != nil &&
		driver.Newest.TS < now.Add(-s.options.Retention).UnixMilli()
}

// CameOnline notes that a driver has connected.
func (s *Service) CameOnline(ctx context.Context, who auth.Identity) {
	s.mu.Lock()
	driver := s.liveLocked(who)
	driver.heard = s.options.Now()
	driver.status = Online
	saved := driver.Driver
	s.mu.Unlock()
	if err := s.store.SaveDriver(ctx, saved); err != nil {
		s.log.ErrorContext(ctx, "driver not saved", "driver", who.UserID, "error", err)
	}
	s.announce(ctx, who.UserID)
}

// WentOffline notes that a driver's last socket is gone.
func (s *Service) WentOffline(ctx context.Context, who auth.Identity) {
	s.mu.Lock()
	if driver, known := s.drivers[who.UserID]; known {
		driver.status = Offline
	}
	s.mu.Unlock()
	s.announce(ctx, who.UserID)
}

type statusEvent struct {
	DriverID string `json:"driverId"`
	Status   Status `json:"status"`
	At       int64  `json:"at"`
}

// announce tells a driver's present status, unless it has been told. Changes told from several goroutines cannot
// overtake each other: each tells what holds at its turn.
func (s *Service) announce(ctx context.Context, driverID string) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	driver, known := s.drivers[driverID]
	if !known || driver.status == driver.told {
		s.mu.Unlock()
		return
	}
	driver.told = driver.status
	status, companyID := driver.status, driver.CompanyID
	s.mu.Unlock()
	s.emit.Emit(ctx, EventStatus, statusEvent{DriverID: driverID, Status: status, At: s.options.Now().UnixMilli()},
		[]roles.Room{roles.FleetRoom(companyID), roles.AllFleetsRoom()})
}

// Greet hands a watcher's snapshot to send. No older position is shown behind what send emits.
func (s *Service) Greet(who auth.Identity, send func(Snapshot) error) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	snapshot, err := s.Snapshot(who)
	if err != nil {
		return err
	}
	return send(snapshot)
}

// Snapshot is the newest position of every driver a watcher may see.
type Snapshot struct {
	Positions []Position `json:"positions"`
}

// Snapshot returns what the caller's watchers are shown first. It fails with forbidden for who may watch no fleet.
func (s *Service) Snapshot(who auth.Identity) (Snapshot, error) {
	visible, err := fleetScope(who)
	if err != nil {
		return Snapshot{}, err
	}
	snapshot := Snapshot{Positions: []Position{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.drivers)) {
		if driver := s.drivers[id]; driver.Newest != nil && visible(driver.CompanyID) {
			snapshot.Positions = append(snapshot.Positions, *driver.Newest)
		}
	}
	return snapshot, nil
}

// Retention is the policy by which positions are deleted.
func (s *Service) Retention() retention.Policy {
	return retention.Policy{
		What: "positions", Keep: s.options.Retention, Delete: s.store.DeletePositionsBefore,
		Now: s.options.Now, Logger: s.log,
	}
}
