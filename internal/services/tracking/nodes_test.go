package tracking_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

func at(lat float64) string { return fmt.Sprintf(`{"lat":%g,"lng":8}`, lat) }

func wantView(t *testing.T, views map[string]tracking.DriverView, driverID string, lat float64, status tracking.Status) {
	t.Helper()
	view, known := views[driverID]
	if !known || view.Position == nil || view.Position.Lat != lat || view.Status != status {
		t.Errorf("%s is seen as %+v at %+v, want %s at %g", driverID, view, view.Position, status, lat)
	}
}

func TestEveryNodeShowsTheDriversOfAll(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		publish(t, nodes[0].service, driver("d", "acme"), at(1))
		if seen := nodes[1].watch(t, staff("acme")); len(seen.Positions) != 1 || seen.Positions[0].Lat != 1 ||
			len(seen.Statuses) != 1 || seen.Statuses[0].Status != tracking.Online || seen.Statuses[0].Username == "" {
			t.Errorf("a watcher on another node is shown %+v", seen)
		}
		wantView(t, nodes[2].drivers(t, admin()), "d", 1, tracking.Online)
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()

		publish(t, nodes[0].service, driver("d", "acme"), at(2))
		publish(t, nodes[0].service, driver("stranger", "rival"), at(3))
		time.Sleep(time.Second)
		synctest.Wait()
		told := positions(t, nodes[1].heard.take(), roles.FleetRoom("acme"))
		if len(told) != 1 || len(told[0]) != 1 || told[0][0].Lat != 2 {
			t.Errorf("a watcher on another node hears %+v", told)
		}
		for _, n := range nodes {
			wantView(t, n.drivers(t, staff("acme")), "d", 2, tracking.Online)
			if len(n.drivers(t, staff("acme"))) != 1 {
				t.Error("another company's drivers are shown")
			}
		}
	})
}

func TestNodesWithoutWatchersHearNothing(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		nodes[1].watch(t, staff("acme"))
		for lat := range 10 {
			publish(t, nodes[0].service, driver("d", "acme"), at(float64(lat)))
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		if nodes[2].received != 0 || nodes[1].received == 0 {
			t.Errorf("%d messages for the node that watches, %d for the other", nodes[1].received, nodes[2].received)
		}
	})
}

func TestADriverMovesToAnotherNodeWithoutAWord(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		nodes[0].service.CameOnline(t.Context(), who)
		publish(t, nodes[0].service, who, at(1))
		for _, n := range nodes {
			n.watch(t, staff("acme"))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			n.heard.take()
		}
		nodes[0].service.WentElsewhere(t.Context(), who)
		time.Sleep(time.Second)
		nodes[1].service.CameOnline(t.Context(), who)
		publish(t, nodes[1].service, who, at(2))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, n := range nodes {
			heard := n.heard.take()
			if told := statuses(t, heard, "d"); len(told) != 0 {
				t.Errorf("%s is told %v of a driver who has moved", n.id, told)
			}
			if told := positions(t, heard, roles.FleetRoom("acme")); len(told) != 1 || told[0][0].Lat != 2 {
				t.Errorf("%s is told %v", n.id, told)
			}
			wantView(t, n.drivers(t, admin()), "d", 2, tracking.Online)
		}
		nodes[1].service.WentOffline(t.Context(), who)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			if told := statuses(t, n.heard.take(), "d"); !slices.Equal(told, []tracking.Status{tracking.Offline}) {
				t.Errorf("%s is told %v of a driver who has gone", n.id, told)
			}
		}
	})
}

func TestOfADeadNodesDriversTheEndIsToldOnce(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		stays, goes := driver("stays", "acme"), driver("goes", "acme")
		for _, who := range []auth.Identity{stays, goes} {
			nodes[0].service.CameOnline(t.Context(), who)
			publish(t, nodes[0].service, who, at(1))
		}
		nodes[1].watch(t, staff("acme"))
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()
		nodes[0].die()
		nodes[2].service.CameOnline(t.Context(), stays)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		heard := nodes[1].heard.take()
		if told := statuses(t, heard, "goes"); !slices.Equal(told, []tracking.Status{tracking.Offline}) {
			t.Errorf("of who was on the dead node is told %v", told)
		}
		if told := statuses(t, heard, "stays"); len(told) != 0 {
			t.Errorf("of who has come to another node is told %v", told)
		}
		wantView(t, nodes[2].drivers(t, admin()), "goes", 1, tracking.Offline)
		wantView(t, nodes[2].drivers(t, admin()), "stays", 1, tracking.Online)
	})
}

func TestWatchersAreCaughtUpAfterACut(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		nodes[0].service.CameOnline(t.Context(), who)
		publish(t, nodes[0].service, who, at(1))
		nodes[1].watch(t, staff("acme"))
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()
		nodes[1].mu.Lock()
		nodes[1].cut = true
		nodes[1].mu.Unlock()
		publish(t, nodes[0].service, who, at(2))
		nodes[0].service.CameOnline(t.Context(), driver("new", "acme"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if heard := nodes[1].heard.take(); len(heard) != 0 {
			t.Errorf("a node that is cut off tells %v", heard)
		}
		nodes[1].heal(t.Context())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		heard := nodes[1].heard.take()
		if told := positions(t, heard, roles.FleetRoom("acme")); len(told) != 1 || len(told[0]) != 1 || told[0][0].Lat != 2 {
			t.Errorf("watchers are told %v after the cut", told)
		}
		if told := statuses(t, heard, "new"); !slices.Equal(told, []tracking.Status{tracking.Online}) {
			t.Errorf("watchers are told %v of who has come meanwhile", told)
		}
		wantView(t, nodes[1].drivers(t, admin()), "d", 2, tracking.Online)
	})
}

func TestWhatIsSentAgainToAnotherNodeIsNotNewer(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		publish(t, nodes[0].service, who, `{"lat":1,"lng":8,"seq":7}`)
		first := nodes[2].watch(t, staff("acme")).Positions[0].TS
		time.Sleep(time.Minute)
		publish(t, nodes[1].service, who, `{"lat":1,"lng":8,"seq":7}`)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			if view := n.drivers(t, admin())["d"]; view.Position == nil || view.Position.TS != first {
				t.Errorf("%s shows %+v, which was sent at %d", n.id, view.Position, first)
			}
		}
	})
}

func TestADriverWhoReportsForAnotherCompanyElsewhereLeavesTheFormer(t *testing.T) {
	t.Parallel()
	for name, isWatched := range map[string]bool{"watched there": true, "unknown there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
				publish(t, nodes[0].service, driver("d", "acme"), at(1))
				if isWatched {
					nodes[1].watch(t, admin())
				}
				time.Sleep(10 * time.Minute) // long enough not to count as there for both
				publish(t, nodes[1].service, driver("d", "rival"), at(2))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				for _, n := range nodes {
					if seen := n.drivers(t, staff("acme")); len(seen) != 0 {
						t.Errorf("%s shows the former company %v", n.id, seen)
					}
					if _, err := n.service.Driver(t.Context(), staff("acme"), "d"); !fault.Is(err, fault.NotFound) {
						t.Errorf("%s tells the former company of the driver: %v", n.id, err)
					}
				}
				for _, n := range nodes {
					wantView(t, n.drivers(t, staff("rival")), "d", 2, tracking.Online)
				}
			})
		})
	}
}
