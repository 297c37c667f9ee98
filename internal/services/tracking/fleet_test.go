package tracking_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

// statusesIn lists the statuses that a room was told of a driver, in order.
func statusesIn(t testing.TB, emitted []servicetest.Emission, room roles.Room, driverID string) []tracking.Status {
	t.Helper()
	return statuses(t, slices.DeleteFunc(slices.Clone(emitted), func(e servicetest.Emission) bool {
		return !slices.Contains(e.To, room)
	}), driverID)
}

// TestTwoCompaniesAtOnce: a driver who streams with tokens of two companies is there for both, each sees what was sent
// with a token of its own, and nobody is told a status twice.
func TestTwoCompaniesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		emitted := &recorder{}
		service := newService(t, &memory{}, emitted, tracking.Options{Now: time.Now})
		defer run(service)()
		acme, umbra := driver("dora", "acme"), driver("dora", "umbra")
		var sent []servicetest.Emission
		told := func(what string, want map[roles.Room][]tracking.Status) {
			t.Helper()
			sent = emitted.take()
			for _, room := range []roles.Room{roles.FleetRoom("acme"), roles.FleetRoom("umbra"), roles.AllFleetsRoom()} {
				if got := statusesIn(t, sent, room, "dora"); !slices.Equal(got, want[room]) {
					t.Errorf("%s: %s was told %v, want %v", what, room, got, want[room])
				}
			}
		}
		visible := func(what string, want map[string]bool) {
			t.Helper()
			for company, sees := range want {
				views, _, err := service.Drivers(t.Context(), staff(company), tracking.DriverQuery{}, page.Request{})
				seen, fails := snapshotOf(t, service, staff(company))
				if (len(views) == 1) != sees || (len(seen.Positions) == 1) != sees || err != nil || fails != nil {
					t.Errorf("%s: %s sees %+v and %+v, %v, %v", what, company, views, seen, err, fails)
				}
			}
			if views, _, err := service.Drivers(t.Context(), admin(), tracking.DriverQuery{}, page.Request{}); len(views) != 1 || err != nil {
				t.Errorf("%s: admins are shown %+v, %v", what, views, err)
			}
		}
		online, stale, offline := tracking.Online, tracking.Stale, tracking.Offline

		service.CameOnline(t.Context(), acme)
		for i := range 5 {
			submit(t, service, acme, `{"lat":%d,"lng":0}`, i)
			submit(t, service, umbra, `{"lat":%d.5,"lng":0}`, i)
		}
		told("streaming for both", map[roles.Room][]tracking.Status{
			roles.FleetRoom("acme"): {online}, roles.FleetRoom("umbra"): {online}, roles.AllFleetsRoom(): {online},
		})
		for company, want := range map[string][]float64{"acme": {0, 1, 2, 3, 4}, "umbra": {0.5, 1.5, 2.5, 3.5, 4.5}} {
			events := positions(t, sent, roles.FleetRoom(company))
			if got := lats(events, "dora"); !slices.Equal(got, want) {
				t.Errorf("%s was shown %v", company, got)
			}
			seen, err := snapshotOf(t, service, staff(company))
			if len(seen.Positions) != 1 || seen.Positions[0].Lat != want[4] || len(seen.Statuses) != 1 || err != nil {
				t.Errorf("the snapshot of %s is %+v, %v", company, seen, err)
			}
			track, err := service.Driver(t.Context(), driver("dora", company), "dora")
			if err != nil || track.CompanyID != company || track.Position.Lat != want[4] {
				t.Errorf("with a token of %s the driver finds %+v, %v", company, track, err)
			}
		}
		if seen, err := snapshotOf(t, service, admin()); len(seen.Positions) != 2 || len(seen.Statuses) != 1 || err != nil {
			t.Errorf("the admins' snapshot is %+v, %v", seen, err)
		}
		visible("streaming for both", map[string]bool{"acme": true, "umbra": true})

		pass(2*time.Minute + 2*time.Second)
		told("silent", map[roles.Room][]tracking.Status{
			roles.FleetRoom("acme"): {stale}, roles.FleetRoom("umbra"): {stale}, roles.AllFleetsRoom(): {stale},
		})
		submit(t, service, acme, `{"lat":9,"lng":0}`)
		told("heard for one", map[roles.Room][]tracking.Status{roles.FleetRoom("acme"): {online}, roles.AllFleetsRoom(): {online}})
		service.WentOffline(t.Context(), acme)
		told("gone from that one", map[roles.Room][]tracking.Status{roles.FleetRoom("acme"): {offline}, roles.AllFleetsRoom(): {offline}})
		submit(t, service, umbra, `{"lat":9.5,"lng":0}`)
		told("heard for the other", map[roles.Room][]tracking.Status{roles.FleetRoom("umbra"): {online}, roles.AllFleetsRoom(): {online}})
		visible("gone from one", map[string]bool{"acme": false, "umbra": true})
	})
}

// TestStatusOfHomeIsToldToAdmins: where a driver is heard for one company while another's socket has ended, admins hear of
// it though no company's status has changed.
func TestStatusOfHomeIsToldToAdmins(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, tracking.Options{})
	acme, umbra := driver("dora", "acme"), driver("dora", "umbra")
	service.CameOnline(t.Context(), umbra)
	submit(t, service, acme, `{"lat":1,"lng":0}`)
	submit(t, service, umbra, `{"lat":1.5,"lng":0}`)
	service.WentOffline(t.Context(), umbra)
	submit(t, service, acme, `{"lat":2,"lng":0}`)
	sent := emitted.take()
	online, offline := tracking.Online, tracking.Offline
	for room, want := range map[roles.Room][]tracking.Status{
		roles.FleetRoom("acme"): {online}, roles.FleetRoom("umbra"): {online, offline}, roles.AllFleetsRoom(): {online, offline, online},
	} {
		if got := statusesIn(t, sent, room, "dora"); !slices.Equal(got, want) {
			t.Errorf("%s was told %v, want %v", room, got, want)
		}
	}
}

// TestDriverMovesByReports: a driver without a socket who reports for another company is the former one's no more, at once,
// and admins hear of no change. Who comes back soon is there for both from then on.
func TestDriverMovesByReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		emitted := &recorder{}
		service := newService(t, &memory{}, emitted, tracking.Options{Now: time.Now})
		defer run(service)()
		check := func(what string, visible map[string]bool, told map[roles.Room][]tracking.Status) {
			t.Helper()
			sent := emitted.take()
			for company, sees := range visible {
				views, _, err := service.Drivers(t.Context(), staff(company), tracking.DriverQuery{}, page.Request{})
				seen, fails := snapshotOf(t, service, staff(company))
				_, unknown := service.Driver(t.Context(), staff(company), "dora")
				if (len(views) == 1) != sees || (len(seen.Positions) == 1) != sees || err != nil || fails != nil || (unknown == nil) != sees {
					t.Errorf("%s: %s sees %+v, %+v and %v", what, company, views, seen, unknown)
				}
				if got := statusesIn(t, sent, roles.FleetRoom(company), "dora"); !slices.Equal(got, told[roles.FleetRoom(company)]) {
					t.Errorf("%s: %s was told %v", what, company, got)
				}
			}
			if got := statusesIn(t, sent, roles.AllFleetsRoom(), "dora"); !slices.Equal(got, told[roles.AllFleetsRoom()]) {
				t.Errorf("%s: admins were told %v", what, got)
			}
		}
		acme, umbra, all := roles.FleetRoom("acme"), roles.FleetRoom("umbra"), roles.AllFleetsRoom()
		online, stale, offline := tracking.Online, tracking.Stale, tracking.Offline
		report := func(company string) { submit(t, service, driver("dora", company), `{"lat":1,"lng":0}`) }

		report("acme")
		report("umbra")
		check("moved", map[string]bool{"acme": false, "umbra": true},
			map[roles.Room][]tracking.Status{acme: {online, offline}, umbra: {online}, all: {online}})
		if view, err := service.Driver(t.Context(), admin(), "dora"); err != nil || view.CompanyID != "umbra" {
			t.Errorf("admins find %+v, %v", view, err)
		}
		pass(time.Minute)
		for range 5 {
			report("acme")
			report("umbra")
			pass(time.Second)
		}
		check("back soon", map[string]bool{"acme": true, "umbra": true}, map[roles.Room][]tracking.Status{acme: {online}})
		pass(5 * time.Minute)
		emitted.take()
		report("umbra")
		pass(6 * time.Minute)
		check("silent for one", map[string]bool{"acme": false, "umbra": true},
			map[roles.Room][]tracking.Status{acme: {offline}, umbra: {online, stale}, all: {online, stale}})
		report("acme")
		check("moved back", map[string]bool{"acme": true, "umbra": false},
			map[roles.Room][]tracking.Status{acme: {online}, umbra: {offline}, all: {online}})
	})
}

// TestClockThatRunsAhead: a phone whose clock is put right is seen at once, and not when time has caught up with what it
// sent before.
func TestClockThatRunsAhead(t *testing.T) {
	t.Parallel()
	now := atNoon()
	emitted := &recorder{}
	store := openStore(t)
	options := tracking.Options{Now: func() time.Time { return now }}
	service := newService(t, store, emitted, options)
	dora := driver("dora", "acme")
	for i, ahead := range []time.Duration{50 * time.Second, 50 * time.Second, 20 * time.Second, 0, -time.Millisecond} {
		now = atNoon().Add(time.Duration(i) * time.Second)
		publish(t, service, dora, fmt.Sprintf(`{"lat":%d,"lng":0,"ts":%d}`, i, now.Add(ahead).UnixMilli()))
	}
	publish(t, service, dora, fmt.Sprintf(`{"lat":9,"lng":0,"ts":%d}`, now.Add(-2*time.Second).UnixMilli()))
	if got := lats(positions(t, emitted.take(), roles.FleetRoom("acme")), "dora"); !slices.Equal(got, []float64{0, 1, 2, 3, 4}) {
		t.Errorf("shown were %v", got)
	}
	track, _, err := service.Track(t.Context(), dora, tracking.TrackQuery{DriverID: "dora"}, page.Request{})
	if got := lats([][]tracking.Position{track}, "dora"); err != nil || !slices.Equal(got, []float64{9, 3, 4, 2, 0, 1}) {
		t.Errorf("the history, by ts, is %v, %v", got, err)
	}
	again := newService(t, store, emitted, options) // which finds a position of the future
	publish(t, again, dora, fmt.Sprintf(`{"lat":10,"lng":0,"ts":%d}`, now.UnixMilli()))
	if got := lats(positions(t, emitted.take(), roles.FleetRoom("acme")), "dora"); !slices.Equal(got, []float64{10}) {
		t.Errorf("after a restart %v was shown", got)
	}
}
