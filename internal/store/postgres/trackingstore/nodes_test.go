//go:build unix

package trackingstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres/trackingstore"
	"rolecall/test/servers"
)

func driver(id, name string) tracking.Driver {
	return tracking.Driver{DriverID: id, CompanyID: "acme", Username: name}
}

func fix(driverID string, ts int64) tracking.Position {
	return tracking.Position{DriverID: driverID, CompanyID: "acme", Lat: 52.5, Lng: 13.4, TS: ts}
}

func stamped(driverID string, ts, seq int64) tracking.Position {
	p := fix(driverID, ts)
	p.Seq, p.Stamped = &seq, true
	return p
}

func add(t testing.TB, store *trackingstore.Store, from tracking.Driver, positions ...tracking.Position) {
	t.Helper()
	if err := store.AppendPositions(t.Context(), positions, []tracking.Driver{from}); err != nil {
		t.Fatal(err)
	}
}

func track(t testing.TB, store *trackingstore.Store, driverID string) []tracking.Recorded {
	t.Helper()
	all, err := store.Track(t.Context(), tracking.TrackQuery{DriverID: driverID}, tracking.TrackStart(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestSentToSeveralServers: what a phone sends again to another server, while the first one still writes it, is stored once,
// with a time of its own or without one.
func TestSentToSeveralServers(t *testing.T) {
	const positions, writers = 60, 6
	url := servers.Database(t)
	nodes := []*trackingstore.Store{newStore(t, url), newStore(t, url)}
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour).UnixMilli()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range int64(positions) {
				batch := []tracking.Position{fix("d1", noon+n), stamped("d2", noon+int64(w)+n, n), stamped("d2", noon+int64(w)+n+1, n)}
				err := nodes[w%2].AppendPositions(t.Context(), batch, []tracking.Driver{driver("d1", "Ann"), driver("d2", "Bob")})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, id := range []string{"d1", "d2"} {
		if n := len(track(t, nodes[0], id)); n != positions {
			t.Errorf("%d positions of %s are stored, want %d", n, id, positions)
		}
	}
}

// TestDriverChangedElsewhere: a driver's name is the one that was said last, on whichever server, and a number that is another
// driver's by now, as after a backup was restored, is not used for this one.
func TestDriverChangedElsewhere(t *testing.T) {
	url := servers.Database(t)
	here, there := newStore(t, url), newStore(t, url)
	now := time.Now().UnixMilli()
	nameOf := func(id string) string {
		t.Helper()
		drivers, err := here.Drivers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range drivers {
			if d.DriverID == id {
				return d.Username
			}
		}
		return ""
	}
	for i, step := range []struct {
		on   *trackingstore.Store
		name string
	}{{here, "Ann"}, {there, "Bea"}, {here, "Ann"}, {here, "Ann"}, {there, "Bea"}, {there, "Bea"}} {
		add(t, step.on, driver("d1", step.name), fix("d1", now+int64(i)))
		if got := nameOf("d1"); got != step.name {
			t.Errorf("step %d: the driver is called %q, want %q", i, got, step.name)
		}
	}
	if n := len(track(t, here, "d1")); n != 6 {
		t.Errorf("%d positions, want 6", n)
	}
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), `UPDATE drivers SET driver_id = 'd2', digest = digest + 2 WHERE driver_id = 'd1'`); err != nil {
		t.Fatal(err)
	}
	add(t, there, driver("d1", "Bea"), fix("d1", now+100))
	if n, others := len(track(t, here, "d1")), len(track(t, here, "d2")); n != 1 || others != 6 {
		t.Errorf("%d positions went to the driver, and the other one has %d", n, others)
	}
}

func TestPlans(t *testing.T) {
	url := servers.Database(t)
	store := newStore(t, url)
	add(t, store, driver("d1", "Ann"), fix("d1", time.Now().UnixMilli()))
	servers.CheckPlans(t, connect(t, url), trackingstore.Statements())
}

// TestTracksAreReadInOrder: a page of a track, and a driver's newest, are read in the order of an index, and no further than
// they go, however long the track is.
func TestTracksAreReadInOrder(t *testing.T) {
	const drivers, each, limit = 2, 20_000, 1001
	url := servers.Database(t)
	store := newStore(t, url)
	now := time.Now().UnixMilli()
	from := now - each*10_000
	var batch []tracking.Position
	for i := range int64(each) {
		batch = append(batch, fix("d1", now-i*10_000), fix("d2", now-i*10_000))
	}
	add(t, store, driver("d1", "Ann"), batch...)
	conn := connect(t, url)
	for _, statement := range []string{
		"ANALYZE positions", "ANALYZE drivers", "SET plan_cache_mode = force_generic_plan",
		"PREPARE track AS " + trackingstore.SelectTrack, "PREPARE drivers AS " + trackingstore.SelectDrivers,
		"PREPARE fleet AS " + trackingstore.SelectDriversOf,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for query, most := range map[string]int{
		"drivers":       2 * drivers, // and one more for each, with which the time changes
		"fleet('acme')": 2 * drivers,
		fmt.Sprintf("track('d1', %d, %d, '', %d, 0, %d)", from, now, from, limit):            limit + 50,
		fmt.Sprintf("track('d2', %d, %d, 'acme', %d, 0, %d)", now-500_000, now, from, limit): 60,
	} {
		rows, err := conn.Query(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "+query)
		if err != nil {
			t.Fatal(err)
		}
		explained, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]struct{ Plan step }])
		if err != nil {
			t.Fatal(err)
		}
		if read := explained[0].Plan.readOf("positions_"); read == 0 || read > most {
			t.Errorf("%s reads %d positions, want at most %d", query, read, most)
		}
	}
}

// step is a step of a plan that was run.
type step struct {
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []step
}

// readOf counts the rows that were read of tables whose names begin so.
func (s step) readOf(table string) (rows int) {
	if strings.HasPrefix(s.Relation, table) {
		rows = int((s.Rows + s.Removed) * s.Loops)
	}
	for _, inner := range s.Plans {
		rows += inner.readOf(table)
	}
	return rows
}
