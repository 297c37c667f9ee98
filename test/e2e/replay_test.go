package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/fleet"
	"rolecall/internal/simulation/traces"
	"rolecall/test/harness"
)

// recordedTrips reads the trips of TEST_DATA, or makes up a few with the defects that recorded ones have.
func recordedTrips(t *testing.T) []traces.Trace {
	t.Helper()
	if folder, ok := harness.Data(t, "traces"); ok {
		trips, err := traces.Read(os.DirFS(folder))
		if err != nil {
			t.Fatal(err)
		}
		return trips
	}
	p := func(ts int64, lat, lng, speed, heading float64) traces.Point {
		return traces.Point{TS: &ts, Lat: &lat, Lng: &lng, Speed: &speed, Heading: &heading}
	}
	lng := -3.0
	untimed := p(0, 4, 4, 1, 1)
	untimed.TS = nil
	return []traces.Trace{
		{Name: "plain", Points: []traces.Point{p(1000, 1, 1, 5, 90), p(2000, 1.001, 1, 5, 90), p(3000, 1.002, 1, 5, 359.9)}},
		{Name: "newest-first", Points: []traces.Point{p(3000, 2, 2, 5, 0), p(2000, 2.1, 2, 5, 0), p(1000, 2.2, 2, 5, 0)}},
		{Name: "repeats", Points: []traces.Point{p(1000, 3, 3, 0, 0), p(1000, 3, 3, 0, 0), p(1000, 3.1, 3, 0, 0), p(1000, 3, 3, 0, 0)}},
		{Name: "sentinels", Points: []traces.Point{p(1000, 5, 5, -1, -1), p(2000, 5, 5, 1, 492.6), p(3000, 0, 0, 0, 0), p(4000, 5, 5, 1, 1)}},
		{Name: "holes", Points: []traces.Point{{TS: p(1000, 0, 0, 0, 0).TS, Lng: &lng}, p(2000, 6, 6, 1, 1), p(2_000_000, 6.1, 6, 1, 1)}},
		{Name: "no-time-yet", Points: []traces.Point{untimed, p(5000, 4.1, 4, 1, 1)}},
	}
}

// fix is a position without its driver, comparable: absent values are NaN turned into a rare number.
type fix struct {
	TS                                           int64
	Lat, Lng, Speed, Heading, Accuracy, Altitude float64
}

func value(v *float64) float64 {
	if v == nil {
		return math.MaxFloat64
	}
	return *v
}

// kept is what the server keeps of an optional member: nothing where it lies out of its range.
func kept(v *float64, low, high float64) *float64 {
	if v != nil && (*v < low || *v > high) {
		return nil
	}
	return v
}

// ledgerOfTrips notes what the server has accepted of each driver.
type ledgerOfTrips struct {
	mu       sync.Mutex
	accepted map[string][]fix
	untimed  map[string]int // accepted points without a time stamp, which the server gives its own
	rejected int
}

func (l *ledgerOfTrips) note(driver string, _ int, sent fleet.Position, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case code != "":
		l.rejected++
	case sent.TS == nil:
		l.untimed[driver]++
	default:
		l.accepted[driver] = append(l.accepted[driver], fix{*sent.TS, value(sent.Lat), value(sent.Lng), value(kept(sent.Speed, 0, 1e5)),
			value(kept(sent.Heading, 0, math.Nextafter(360, 0))), value(kept(sent.Accuracy, 0, 1e8)), value(kept(sent.Altitude, -1e5, 1e8))})
	}
}

// wirePosition is a position as the server gives it.
type wirePosition struct {
	DriverID                                     string
	TS                                           int64
	Lat, Lng, Speed, Heading, Accuracy, Altitude *float64
}

func (p wirePosition) fix() fix {
	return fix{p.TS, value(p.Lat), value(p.Lng), value(p.Speed), value(p.Heading), value(p.Accuracy), value(p.Altitude)}
}

// Recorded trips with all their defects are replayed, one driver a trip. Afterwards every accepted point of every driver
// is stored, once and with its values; the company's watcher has seen each driver's newest; another company's nothing.
func TestReplayOfRecordedTrips(t *testing.T) {
	server := harness.Start(t, nil)
	trips := recordedTrips(t)
	staff := harness.Person("staff", roles.Company, "acme")
	watcher := watch(t, server.Dial(staff, "/"))
	stranger := server.Dial(harness.Person("stranger", roles.Company, "globex"), "/")

	ledger := &ledgerOfTrips{accepted: map[string][]fix{}, untimed: map[string]int{}}
	summary, err := fleet.Run(t.Context(), fleet.Config{
		URL: server.URL, Traces: trips, Speed: replaySpeed(t), Companies: []string{"acme"}, OnVerdict: ledger.note,
		Token: func(driverID, companyID string) (string, error) {
			return harness.Token(t, harness.Person(driverID, roles.Driver, companyID)), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", summary)
	points := 0
	for _, trip := range trips {
		points += len(trip.Points)
	}
	if summary.Sent != int64(points) || summary.Accepted+int64(ledger.rejected) != summary.Sent {
		t.Errorf("of %d points %d were sent, %d accepted and %d rejected", points, summary.Sent, summary.Accepted, ledger.rejected)
	}
	stored := 0
	for _, trip := range trips {
		stored += checkTrack(t, server, staff, trip.Name, ledger, watcher)
	}
	stranger.HeardNothing("tracking:positions")
	stranger.HeardNothing("tracking:status")
	t.Logf("%d trips, %d points sent, %d accepted, %d stored (exact repeats once), %d rejected",
		len(trips), summary.Sent, summary.Accepted, stored, ledger.rejected)
}

// replaySpeed is how many times faster than recorded the trips are driven; REPLAY_SPEED chooses another.
func replaySpeed(t *testing.T) float64 {
	t.Helper()
	text := os.Getenv("REPLAY_SPEED")
	if text == "" {
		return 600
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("REPLAY_SPEED: %v", err)
	}
	return speed
}

// watched is the last position a watcher has been shown of each driver.
type watched struct {
	mu     sync.Mutex
	newest map[string]fix
}

func watch(t *testing.T, socket *harness.Socket) *watched {
	w := &watched{newest: make(map[string]fix)}
	socket.On("tracking:positions", func(raw json.RawMessage) {
		var event struct{ Positions []wirePosition }
		if err := json.Unmarshal(raw, &event); err != nil {
			t.Errorf("tracking:positions: %v", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range event.Positions {
			if before, seen := w.newest[p.DriverID]; seen && p.TS < before.TS {
				t.Errorf("%s was shown going back in time", p.DriverID)
			}
			w.newest[p.DriverID] = p.fix()
		}
	})
	return w
}

func (w *watched) of(driver string) (fix, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest, seen := w.newest[driver]
	return newest, seen
}

// checkTrack compares what is stored of a driver with what was accepted, and returns how much that is.
func checkTrack(t *testing.T, server *harness.Server, staff auth.Identity, driver string, ledger *ledgerOfTrips, watcher *watched) int {
	t.Helper()
	var track []fix
	for _, p := range get[wirePosition](context.Background(), t, server.URL, staff, "/api/v1/drivers/"+driver+"/positions?limit=1000") {
		track = append(track, p.fix())
	}
	want := ledger.accepted[driver]
	if len(want) == 0 && len(track) == 0 {
		return 0 // nothing of this trip is acceptable
	}
	if !slices.IsSortedFunc(track, func(a, b fix) int { return int(a.TS - b.TS) }) {
		t.Errorf("%s: the track is not in the order of time", driver)
	}
	if len(track) > 0 {
		last := track[len(track)-1]
		harness.Eventually(t, fmt.Sprintf("the watcher has seen the newest point of %s", driver), func() bool {
			seen, ok := watcher.of(driver)
			return ok && seen.TS == last.TS
		})
	}
	once := make(map[fix]bool)
	for _, f := range want {
		once[f] = true
	}
	if ledger.untimed[driver] > 0 {
		return checkUntimed(t, driver, track, once, ledger.untimed[driver])
	}
	if len(track) != len(once) {
		t.Errorf("%s: %d points are stored, %d were accepted", driver, len(track), len(once))
	}
	for _, f := range track {
		if !once[f] {
			t.Errorf("%s: stored, yet never sent: %+v", driver, f)
		}
	}
	// The watcher's last is the newest by time, and of those the one that arrived last.
	newest := want[0]
	for _, f := range want {
		if f.TS >= newest.TS {
			newest = f
		}
	}
	if seen, _ := watcher.of(driver); !once[seen] || seen.TS != newest.TS {
		t.Errorf("%s: the watcher's last is no newest point: %s", driver, cmp.Diff(newest, seen))
	}
	return len(track)
}

// checkUntimed is the comparison for a driver some of whose points were given the server's time.
func checkUntimed(t *testing.T, driver string, track []fix, once map[fix]bool, untimed int) int {
	t.Helper()
	found := 0
	for _, f := range track {
		if once[f] {
			found++
		}
	}
	if found != len(once) || len(track)-found > untimed || len(track) == found {
		t.Errorf("%s: of %d timed points %d are stored, and %d others for %d without a time",
			driver, len(once), found, len(track)-found, untimed)
	}
	return len(track)
}
