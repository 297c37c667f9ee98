package tracking_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/internal/shared"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

const (
	deadline = servicetest.Deadline
	noon     = servicetest.Noon
)

func atNoon() time.Time { return servicetest.AtNoon() }

func person(id string, role roles.Role, company string) auth.Identity {
	return servicetest.PersonOf(id, role, company)
}

func driver(id, company string) auth.Identity { return person(id, roles.Driver, company) }

func admin() auth.Identity { return person("root", roles.Admin, "") }

func staff(company string) auth.Identity { return person("staff-of-"+company, roles.Company, company) }

type recorder struct{ servicetest.Recorder }

func (r *recorder) take() []servicetest.Emission { return r.Take() }

// positions decodes the tracking:positions of one room, one slice an event.
func positions(t testing.TB, emitted []servicetest.Emission, room roles.Room) [][]tracking.Position {
	t.Helper()
	var events [][]tracking.Position
	for _, e := range emitted {
		if e.Event != tracking.EventPositions || !slices.Contains(e.To, room) {
			continue
		}
		var event struct {
			At        int64               `json:"at"`
			Positions []tracking.Position `json:"positions"`
		}
		if err := json.Unmarshal([]byte(e.Payload), &event); err != nil {
			t.Fatalf("%s: %v", e.Payload, err)
		}
		if event.At == 0 {
			t.Errorf("%s says no time", e.Payload)
		}
		slices.SortFunc(event.Positions, func(a, b tracking.Position) int { return cmp.Compare(a.DriverID, b.DriverID) })
		events = append(events, event.Positions)
	}
	return events
}

// takeMoves returns the tracking:positions that were emitted since the last call, in order, without what else was.
func (r *recorder) takeMoves() []servicetest.Emission {
	return slices.DeleteFunc(r.Take(), func(e servicetest.Emission) bool { return e.Event != tracking.EventPositions })
}

// statuses lists the statuses told of a driver, in order.
func statuses(t testing.TB, emitted []servicetest.Emission, driverID string) []tracking.Status {
	t.Helper()
	told := []tracking.Status{}
	for _, e := range emitted {
		if e.Event != tracking.EventStatus {
			continue
		}
		var event status
		if err := json.Unmarshal([]byte(e.Payload), &event); err != nil || event.At == 0 {
			t.Fatalf("%s: %v", e.Payload, err)
		}
		if event.DriverID == driverID {
			told = append(told, event.Status)
		}
	}
	return told
}

// memory is a Store for tests that look at the live side alone. It keeps who the drivers are and nothing else.
type memory struct {
	mu      sync.Mutex
	drivers map[string]tracking.Driver
}

func (m *memory) AppendPositions(_ context.Context, _ []tracking.Position, drivers []tracking.Driver) error {
	for _, d := range drivers {
		m.save(d)
	}
	return nil
}

func (m *memory) save(d tracking.Driver) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.drivers == nil {
		m.drivers = make(map[string]tracking.Driver)
	}
	m.drivers[d.DriverID] = d
}

func (m *memory) Drivers(context.Context) ([]tracking.Driver, error) { return nil, nil }

func (m *memory) DriversOf(context.Context, string) ([]tracking.Driver, error) { return nil, nil }

func (m *memory) Track(context.Context, tracking.TrackQuery, tracking.Place, int) ([]tracking.Recorded, error) {
	return nil, nil
}

func (m *memory) SentBefore(_ context.Context, _ string, positions []tracking.Position, _ int64) ([]int64, error) {
	return make([]int64, len(positions)), nil
}

func (m *memory) DeletePositionsBefore(context.Context, int64) (int, error) { return 0, nil }

// gated holds AppendPositions back until the test lets it through, with the error the test chooses.
type gated struct {
	tracking.Store
	entered chan struct{}
	answers chan error
}

func newGated(store tracking.Store) *gated {
	return &gated{Store: store, entered: make(chan struct{}, 10_000), answers: make(chan error)}
}

func (g *gated) AppendPositions(ctx context.Context, p []tracking.Position, d []tracking.Driver) error {
	g.entered <- struct{}{}
	if err := <-g.answers; err != nil {
		return err
	}
	return g.Store.AppendPositions(ctx, p, d)
}

func openStore(t testing.TB) tracking.Store { return sqlitetest.Open(t).Tracking }

// newService starts a service that is closed at the test's end. The clock stands at noon where options name none.
func newService(t testing.TB, store tracking.Store, emit tracking.Emitter, options tracking.Options) *tracking.Service {
	t.Helper()
	if options.Now == nil {
		options.Now = atNoon
	}
	options.Logger = slog.New(slog.DiscardHandler)
	service, err := tracking.New(context.Background(), store, emit, options)
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	t.Cleanup(func() { closeService(t, service) })
	return service
}

func closeService(t testing.TB, service *tracking.Service) {
	t.Helper()
	servicetest.Close(t, service)
}

// update decodes a payload the way both doors do.
func newDecoder(t testing.TB) *payload.Decoder {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

func update(t testing.TB, payload string) tracking.Update {
	t.Helper()
	return servicetest.Decode[tracking.Update](t, payload)
}

// publish sends an update that has to be taken.
func publish(t testing.TB, service *tracking.Service, who auth.Identity, payload string) tracking.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	verdict, err := service.Publish(ctx, who, update(t, payload))
	if err != nil {
		t.Fatalf("publish %s: %v", payload, err)
	}
	return verdict
}

// snapshot is tracking:snapshot as a watcher decodes it.
type snapshot struct {
	Positions []tracking.Position `json:"positions"`
	Statuses  []status            `json:"statuses"`
	More      bool                `json:"more"`
}

// status is tracking:status as a watcher decodes it.
type status struct {
	DriverID  string          `json:"driverId"`
	Username  string          `json:"username"`
	CompanyID string          `json:"companyId"`
	Status    tracking.Status `json:"status"`
	At        int64           `json:"at"`
}

// listener is a socket that reads at once whatever it is sent.
type listener func(event string, payload any) error

func (l listener) Emit(event string, payload any) error { return l(event, payload) }

func (listener) AwaitRoom(ctx context.Context) error { return ctx.Err() }

// snapshotOf is the snapshot that a watcher is greeted with. What would be sent behind it is not asked for, as that waits
// for a flush that is under way.
func snapshotOf(t testing.TB, service *tracking.Service, who auth.Identity) (seen snapshot, err error) {
	t.Helper()
	gone := errors.New("the socket is gone")
	err = service.Greet(t.Context(), who, listener(func(event string, payload any) error {
		if event != tracking.EventSnapshot {
			t.Errorf("%s comes before the snapshot", event)
		}
		seen = servicetest.Decode[snapshot](t, string(payload.(*shared.Payload).JSON))
		return gone
	}))
	if errors.Is(err, gone) {
		err = nil
	}
	return seen, err
}
