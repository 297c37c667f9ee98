package tracking_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

func statusOf(t *testing.T, service *tracking.Service, id string) tracking.Status {
	t.Helper()
	view, err := service.Driver(t.Context(), admin(), id)
	if err != nil {
		t.Fatal(err)
	}
	return view.Status
}

func TestStatusOverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		emitted := &recorder{}
		service := newService(t, &memory{}, emitted, tracking.Options{Now: time.Now})
		defer run(service)()
		dora := driver("dora", "acme")
		expect := func(what string, want ...tracking.Status) {
			t.Helper()
			sent := emitted.take()
			if got := statuses(t, sent, "dora"); !slices.Equal(got, want) {
				t.Errorf("%s: told %v, want %v", what, got, want)
			}
			for _, e := range sent {
				if e.Event == tracking.EventStatus && !slices.Equal(e.To, []roles.Room{roles.FleetRoom("acme"), roles.AllFleetsRoom()}) {
					t.Errorf("%s: told to %v", what, e.To)
				}
			}
		}

		submit(t, service, dora, `{"lat":1,"lng":0}`)
		expect("not connected, and reporting", tracking.Online)
		pass(2 * time.Minute)
		expect("silent for exactly two minutes, without a socket")
		pass(3 * time.Minute)
		expect("silent for longer, without a socket", tracking.Stale)
		submit(t, service, dora, `{"lat":1,"lng":0}`)
		expect("reporting again", tracking.Online)
		pass(10 * time.Minute)
		expect("silent for exactly ten minutes, without a socket", tracking.Stale)
		pass(2 * time.Second)
		expect("silent for longer than a driver without a socket may be", tracking.Offline)
		service.CameOnline(t.Context(), dora)
		expect("connected", tracking.Online)
		pass(2 * time.Minute)
		expect("silent for exactly two minutes")
		pass(2 * time.Second)
		expect("silent for longer", tracking.Stale)
		pass(10 * time.Minute)
		expect("told once")
		submit(t, service, dora, `{"lat":1,"lng":0}`)
		expect("the same position again is a sign of life", tracking.Online)
		submit(t, service, dora, `{"lat":2,"lng":0,"ts":%d}`, time.Now().Add(-time.Hour).UnixMilli())
		pass(2 * time.Minute)
		expect("a late position keeps a driver alive")
		pass(2 * time.Second)
		expect("silent again", tracking.Stale)
		service.WentOffline(t.Context(), dora)
		expect("disconnected", tracking.Offline)
		pass(10 * time.Minute)
		expect("an offline driver does not become stale")
		service.CameOnline(t.Context(), dora)
		service.CameOnline(t.Context(), dora)
		expect("connected again, told once", tracking.Online)
		service.WentOffline(t.Context(), dora)
		expect("the last socket is gone, whatever was sent by it before", tracking.Offline)
		submit(t, service, dora, `{"lat":1,"lng":0}`)
		expect("reporting without a socket", tracking.Online)
		service.CameOnline(t.Context(), dora)
		expect("and with one: the same")
		pass(2*time.Minute + 2*time.Second)
		expect("silent", tracking.Stale)
		pass(time.Hour)
		expect("a driver who is connected does not become offline by silence")
		service.WentOffline(t.Context(), driver("nobody", "acme"))
		expect("somebody unknown went")
	})
}

// meddler is a recorder that lets something happen, once, while a driver is being told stale.
type meddler struct {
	recorder
	once   sync.Once
	meddle func()
}

func (m *meddler) Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	var told recorder
	told.Emit(ctx, event, payload, to, except...)
	if strings.Contains(told.take()[0].Payload, `"status":"stale"`) {
		m.once.Do(m.meddle)
	}
	m.recorder.Emit(ctx, event, payload, to, except...)
}

// TestLastStatusToldHolds: while a silent driver is being told stale it sends a sign of life, or disconnects. The newer
// status used to overtake the older one, which then stood on every screen.
func TestLastStatusToldHolds(t *testing.T) {
	t.Parallel()
	dora := driver("dora", "acme")
	for name, meddle := range map[string]func(t *testing.T, service *tracking.Service){
		"sign of life": func(t *testing.T, service *tracking.Service) { submit(t, service, dora, `{"lat":1,"lng":0}`) },
		"disconnect":   func(t *testing.T, service *tracking.Service) { service.WentOffline(t.Context(), dora) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var service *tracking.Service
				emitted := &meddler{meddle: func() {
					go meddle(t, service)
					for statusOf(t, service, "dora") == tracking.Stale {
						runtime.Gosched()
					}
					for range 1000 { // time enough to tell the newer status, were it not held back
						runtime.Gosched()
					}
				}}
				service = newService(t, &memory{}, emitted, tracking.Options{Now: time.Now})
				defer run(service)()
				service.CameOnline(t.Context(), dora)
				pass(2*time.Minute + 2*time.Second)
				told := statuses(t, emitted.take(), "dora")
				if is := statusOf(t, service, "dora"); len(told) != 3 || told[1] != tracking.Stale || told[2] != is {
					t.Errorf("told %v, the driver is %s", told, is)
				}
			})
		})
	}
}

// TestCompanyChange: a driver who comes back for another company is that one's alone, and starts with no position.
func TestCompanyChange(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	store := openStore(t)
	service := newService(t, store, emitted, tracking.Options{})
	before, after := driver("dora", "acme"), driver("dora", "umbra")
	service.CameOnline(t.Context(), before)
	publish(t, service, before, `{"lat":1,"lng":0,"ts":1767268799000}`)
	service.WentOffline(t.Context(), before)
	emitted.take()

	service.CameOnline(t.Context(), after)
	if snapshot, err := snapshotOf(t, service, staff("umbra")); err != nil || len(snapshot.Positions) != 0 {
		t.Errorf("the new company sees what the former one's driver did: %+v, %v", snapshot, err)
	}
	// Older than what the former company saw, and still the newest the new one has.
	publish(t, service, after, `{"lat":2,"lng":0,"ts":1767268798000}`)
	for _, e := range emitted.take() {
		if slices.Contains(e.To, roles.FleetRoom("acme")) {
			t.Errorf("the former company heard %s", e.Event)
		}
	}
	if snapshot, err := snapshotOf(t, service, staff("umbra")); err != nil || len(snapshot.Positions) != 1 || snapshot.Positions[0].Lat != 2 {
		t.Errorf("the new company's snapshot: %+v, %v", snapshot, err)
	}
	if snapshot, err := snapshotOf(t, service, staff("acme")); err != nil || len(snapshot.Positions) != 0 {
		t.Errorf("the former company's snapshot: %+v, %v", snapshot, err)
	}
	track, _, err := service.Track(t.Context(), staff("umbra"), tracking.TrackQuery{DriverID: "dora"}, page.Request{})
	if got := lats([][]tracking.Position{track}, "dora"); err != nil || !slices.Equal(got, []float64{2}) {
		t.Errorf("the new company reads the track %v, %v", got, err)
	}
	track, _, err = service.Track(t.Context(), admin(), tracking.TrackQuery{DriverID: "dora"}, page.Request{})
	if err != nil || len(track) != 2 {
		t.Errorf("an admin reads %d of 2 positions, %v", len(track), err)
	}
	again := newService(t, store, &recorder{}, tracking.Options{})
	for _, company := range []string{"acme", "umbra"} {
		snapshot, err := snapshotOf(t, again, staff(company))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range snapshot.Positions {
			if p.CompanyID != company {
				t.Errorf("after a restart %s sees a position of %s", company, p.CompanyID)
			}
		}
	}
}

// TestNewCompanyHearsOfConnectedDriver: a driver may have sockets for two companies while it moves from one to the
// other; who sees its positions is told that it is online.
func TestNewCompanyHearsOfConnectedDriver(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, tracking.Options{})
	service.CameOnline(t.Context(), driver("dora", "acme"))
	emitted.take()
	submit(t, service, driver("dora", "umbra"), `{"lat":1,"lng":0}`)
	told := 0
	for _, e := range emitted.take() {
		if e.Event == tracking.EventStatus && slices.Contains(e.To, roles.FleetRoom("umbra")) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the new company was told %d times that its driver is online", told)
	}
}

// TestReportedWhileHereBriefly: who has reported and whose socket is gone before it was told that they had come is offline.
func TestReportedWhileHereBriefly(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	dora := driver("dora", "acme")
	submit(t, service, dora, `{"lat":1,"lng":0}`)
	service.WentOffline(t.Context(), dora)
	if got := statusOf(t, service, "dora"); got != tracking.Offline {
		t.Errorf("is %s", got)
	}
}
