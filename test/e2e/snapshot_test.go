package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/test/harness"
)

// seedDrivers puts drivers of a company into a server's data folder, each with a position.
func seedDrivers(t *testing.T, dataDir, company string, count int) {
	t.Helper()
	opened := harness.OpenStore(t, dataDir)
	positions, drivers := make([]tracking.Position, count), make([]tracking.Driver, count)
	for i := range count {
		id := fmt.Sprintf("%s-driver-%05d", company, i)
		drivers[i] = tracking.Driver{DriverID: id, CompanyID: company, Username: "name of " + id}
		positions[i] = tracking.Position{DriverID: id, CompanyID: company, Lat: 41, Lng: float64(i) / 1000, TS: time.Now().UnixMilli()}
	}
	if err := opened.Tracking.AppendPositions(t.Context(), positions, drivers); err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
}

// A snapshot of many drivers comes in parts, no faster than it is read, and is whole: nobody is sent away for its length:
// no driver is missing or told twice.
func TestLongSnapshotsComeInParts(t *testing.T) {
	t.Parallel()
	const count, watchers = 20_000, 2
	server := harness.Start(t, func(c *config.Config) { seedDrivers(t, c.DataDir, "acme", count) })
	for i := range watchers {
		who := harness.Person("root", roles.Admin, "")
		if i%2 == 1 {
			who = harness.Person("staff", roles.Company, "acme")
		}
		socket := server.Dial(who, "/tracking")
		positions, statuses := make(map[string]bool), make(map[string]string)
		for more := true; more; {
			ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
			raw, err := socket.Wait(ctx, tracking.EventSnapshot)
			cancel()
			if err != nil {
				t.Fatalf("watcher %d, after %d drivers: %v", i, len(positions), err)
			}
			if len(raw) > whole {
				t.Fatalf("a part has %d bytes", len(raw))
			}
			part := harness.Decode[struct {
				Positions []struct{ DriverID string }
				Statuses  []struct{ DriverID, Username, Status string }
				More      *bool
			}](t, raw)
			for _, p := range part.Positions {
				positions[p.DriverID] = true
			}
			for _, s := range part.Statuses {
				if s.Username != "name of "+s.DriverID {
					t.Fatalf("%s is called %q", s.DriverID, s.Username)
				}
				statuses[s.DriverID] = s.Status
			}
			more = part.More != nil
			if more && !*part.More {
				t.Fatalf("more is there and false: %s", raw[len(raw)-40:])
			}
		}
		if len(positions) != count || len(statuses) != count || statuses["acme-driver-00000"] != "offline" {
			t.Errorf("watcher %d was told of %d positions and %d statuses", i, len(positions), len(statuses))
		}
	}
}
