package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/instant"
	"rolecall/internal/services/tracking"
)

func positionPromises() []promise {
	return []promise{
		{"every field comes back bit for bit", positionsComeBack},
		{"floats of any kind come back bit for bit", floatsComeBack},
		{"exact duplicates are stored once", duplicatesOnce},
		{"fixes that differ in one field are all kept", nearDuplicatesKept},
		{"what has no time of its own is recognised by all else", stampedRecognised},
		{"newest moves only forward", newestForward},
		{"drivers are remembered", driversRemembered},
		{"a track is in the order of ts, then of arrival", trackOrder},
		{"a track is bounded by from, to and company", trackBounds},
		{"a track is paged without gap or double", trackPages},
		{"deletion is bounded and complete", positionsDeleted},
		{"a large batch is stored whole", largeBatch},
	}
}

func driver(id string) tracking.Driver {
	return tracking.Driver{DriverID: id, CompanyID: "acme", Username: "name of " + id}
}

func fixAt(driverID string, ts int64) tracking.Position {
	return tracking.Position{DriverID: driverID, CompanyID: "acme", Lat: 52.5, Lng: 13.4, TS: ts}
}

func appendPositions(t tester, store Store, positions ...tracking.Position) {
	t.Helper()
	var drivers []tracking.Driver
	for i := range positions {
		d := driver(positions[i].DriverID)
		d.CompanyID = positions[i].CompanyID
		drivers = append(drivers, d)
	}
	check(t, "append positions", store.Tracking.AppendPositions(t.Context(), positions, drivers))
}

// track reads a driver's whole track.
func track(t tester, store Store, driverID string) []tracking.Position {
	t.Helper()
	return pages(t, store, tracking.TrackQuery{DriverID: driverID}, tracking.TrackStart(), 1000)
}

// pages reads a track from a place on, in pages of limit.
func pages(
	t tester, store Store, query tracking.TrackQuery, after tracking.Place, limit int,
) []tracking.Position {
	t.Helper()
	recorded := allPages(t, "track", limit, after, func(after tracking.Place) ([]tracking.Recorded, error) {
		return store.Tracking.Track(t.Context(), query, after, limit)
	}, placeOf)
	all := make([]tracking.Position, 0, len(recorded))
	for i := range recorded {
		all = append(all, recorded[i].Position)
	}
	return all
}

func placeOf(last tracking.Recorded) tracking.Place {
	return tracking.Place{TS: last.TS, Number: last.Number}
}

func newest(t tester, store Store, driverID string) *tracking.Position {
	t.Helper()
	drivers, err := store.Tracking.Drivers(t.Context())
	check(t, "drivers", err)
	i := slices.IndexFunc(drivers, func(d tracking.Driver) bool { return d.DriverID == driverID })
	if i < 0 {
		t.Fatalf("driver %s is not known", driverID)
	}
	return drivers[i].Newest
}

func positionsComeBack(t *testing.T, store Store) {
	full := tracking.Position{
		DriverID: "d1", CompanyID: "acme", Lat: -33.868820000000003, Lng: 151.20929699999999, TS: 1_700_000_000_123,
		Heading: ptr(359.99999999999994), Speed: ptr(13.9), Accuracy: ptr(4.7), Altitude: ptr(-12.25),
		Battery: ptr(0.1), Seq: ptr(int64(math.MaxInt64)),
	}
	zeros := tracking.Position{
		DriverID: "d1", CompanyID: "acme", TS: 1_700_000_000_124, Heading: ptr(0.0), Speed: ptr(0.0),
		Accuracy: ptr(0.0), Altitude: ptr(0.0), Battery: ptr(0.0), Seq: ptr(int64(0)),
	}
	bare := fixAt("d1", 1_700_000_000_125)
	appendPositions(t, store, full, zeros, bare)
	same(t, "track", []tracking.Position{full, zeros, bare}, track(t, store, "d1"))
	same(t, "newest", &bare, newest(t, store, "d1"))
	same(t, "track of nobody", []tracking.Position{}, track(t, store, "nobody"))
}

func floatsComeBack(t *testing.T, store Store) {
	special := []float64{0, math.Copysign(0, -1), 1, -1, 90, -180, 1 << 53, 0.1, math.Pi, 5e-324, -2.2250738585072014e-308}
	ts := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		float := rapid.OneOf(rapid.SampledFrom(special), rapid.Float64Range(-180, 180), rapid.Float64())
		maybe := rapid.Ptr(float, true)
		ts++
		p := tracking.Position{
			DriverID: fmt.Sprintf("d%d", ts), CompanyID: "acme", TS: ts,
			Lat: float.Draw(rt, "lat"), Lng: float.Draw(rt, "lng"), Heading: maybe.Draw(rt, "heading"),
			Speed: maybe.Draw(rt, "speed"), Accuracy: maybe.Draw(rt, "accuracy"), Altitude: maybe.Draw(rt, "altitude"),
			Battery: maybe.Draw(rt, "battery"), Seq: rapid.Ptr(rapid.Int64(), true).Draw(rt, "seq"),
		}
		appendPositions(t, store, p)
		same(rt, "track", []tracking.Position{p}, track(t, store, p.DriverID))
	})
}

func duplicatesOnce(t *testing.T, store Store) {
	a, b := fixAt("d1", 10), fixAt("d1", 10)
	b.Lat = 1
	appendPositions(t, store, a, a, b)
	appendPositions(t, store, a)
	appendPositions(t, store, b, a)
	same(t, "track", []tracking.Position{a, b}, track(t, store, "d1"))
	// What is sent again has arrived before: it does not become the newest.
	same(t, "newest", &b, newest(t, store, "d1"))
	other := fixAt("d2", 10)
	appendPositions(t, store, other)
	same(t, "the same fix of another driver", []tracking.Position{other}, track(t, store, "d2"))
}

func nearDuplicatesKept(t *testing.T, store Store) {
	base := fixAt("d1", 10)
	fixes := []tracking.Position{base}
	for _, change := range []func(p *tracking.Position){
		func(p *tracking.Position) { p.CompanyID = "other" },
		func(p *tracking.Position) { p.Lat = math.Nextafter(p.Lat, 90) },
		func(p *tracking.Position) { p.Lng = math.Nextafter(p.Lng, 90) },
		func(p *tracking.Position) { p.Lat, p.Lng = p.Lng, p.Lat },
		func(p *tracking.Position) { p.Heading = ptr(0.0) },
		func(p *tracking.Position) { p.Speed = ptr(0.0) },
		func(p *tracking.Position) { p.Accuracy = ptr(0.0) },
		func(p *tracking.Position) { p.Altitude = ptr(0.0) },
		func(p *tracking.Position) { p.Battery = ptr(0.0) },
		func(p *tracking.Position) { p.Seq = ptr(int64(0)) },
		func(p *tracking.Position) { p.Seq = ptr(int64(1)) },
	} {
		fix := base
		change(&fix)
		fixes = append(fixes, fix)
	}
	appendPositions(t, store, fixes...)
	same(t, "track", fixes, track(t, store, "d1"))
}

func newestForward(t *testing.T, store Store) {
	at := func(ts int64, lat float64) tracking.Position {
		p := fixAt("d1", ts)
		p.Lat = lat
		return p
	}
	for _, step := range []struct {
		name string
		sent []tracking.Position
		want tracking.Position
	}{
		{"first", []tracking.Position{at(100, 1)}, at(100, 1)},
		{"later", []tracking.Position{at(200, 2)}, at(200, 2)},
		{"earlier", []tracking.Position{at(150, 3)}, at(200, 2)},
		{"equal ts, later arrival", []tracking.Position{at(200, 4)}, at(200, 4)},
		{"a buffer in disorder", []tracking.Position{at(190, 5), at(400, 6), at(300, 7)}, at(400, 6)},
		{"equal ts within a batch", []tracking.Position{at(500, 8), at(500, 9)}, at(500, 9)},
	} {
		appendPositions(t, store, step.sent...)
		same(t, step.name, &step.want, newest(t, store, "d1"))
	}
}

func driversRemembered(t *testing.T, store Store) {
	all := func() []tracking.Driver {
		drivers, err := store.Tracking.Drivers(t.Context())
		check(t, "drivers", err)
		slices.SortFunc(drivers, func(a, b tracking.Driver) int { return int(a.DriverID[1]) - int(b.DriverID[1]) })
		for _, company := range []string{"acme", "other", "late", "nobody"} {
			of, err := store.Tracking.DriversOf(t.Context(), company)
			check(t, "drivers of a company", err)
			its := slices.Clone(drivers)
			its = slices.DeleteFunc(its, func(d tracking.Driver) bool { return d.CompanyID != company })
			slices.SortFunc(of, func(a, b tracking.Driver) int { return int(a.DriverID[1]) - int(b.DriverID[1]) })
			if len(of)+len(its) > 0 {
				same(t, "drivers of "+company, its, of)
			}
		}
		return drivers
	}
	if found := all(); len(found) != 0 {
		t.Fatalf("an empty store knows %d drivers", len(found))
	}
	d1 := driver("d1")
	check(t, "save driver", store.Tracking.AppendPositions(t.Context(), nil, []tracking.Driver{d1}))
	same(t, "saved", []tracking.Driver{d1}, all())

	position := fixAt("d1", 5)
	appendPositions(t, store, position)
	d1.Newest = &position
	same(t, "with a position", []tracking.Driver{d1}, all())

	renamed := tracking.Driver{DriverID: "d1", CompanyID: "other", Username: "Renamed\x00 🚚"}
	check(t, "save driver again", store.Tracking.AppendPositions(t.Context(), nil, []tracking.Driver{renamed}))
	renamed.Newest = &position
	same(t, "renamed, newest left as it is", []tracking.Driver{renamed}, all())

	p2, d2 := fixAt("d2", 7), driver("d2")
	again := tracking.Driver{DriverID: "d2", CompanyID: "late", Username: "later in the batch"}
	check(t, "append", store.Tracking.AppendPositions(t.Context(), []tracking.Position{p2}, []tracking.Driver{d2, again}))
	again.Newest = &p2
	same(t, "from an update", []tracking.Driver{renamed, again}, all())

	p3 := fixAt("d3", 8)
	check(t, "append of drivers not named", store.Tracking.AppendPositions(t.Context(), []tracking.Position{p2, p3}, nil))
	d3 := tracking.Driver{DriverID: "d3", CompanyID: p3.CompanyID, Newest: &p3}
	same(t, "known ones are left as they are", []tracking.Driver{renamed, again, d3}, all())

	check(t, "append nothing", store.Tracking.AppendPositions(t.Context(), nil, nil))
}

func trackOrder(t *testing.T, store Store) {
	var sent []tracking.Position
	for i := range 200 {
		p := fixAt("d1", int64((i*7)%10)) // every ts twenty times, in disorder
		p.Seq = ptr(int64(i))
		sent = append(sent, p)
	}
	for chunk := range slices.Chunk(sent, 33) {
		appendPositions(t, store, chunk...)
	}
	want := slices.Clone(sent)
	slices.SortStableFunc(want, func(a, b tracking.Position) int { return int(a.TS - b.TS) })
	for _, limit := range []int{1, 7, 20, 199, 200, 201} {
		same(t, fmt.Sprintf("pages of %d", limit), want, pages(t, store, tracking.TrackQuery{DriverID: "d1"}, tracking.TrackStart(), limit))
	}
}

func trackBounds(t *testing.T, store Store) {
	old := fixAt("d1", -5)
	old.CompanyID = "former"
	fixes := []tracking.Position{old, fixAt("d1", 10), fixAt("d1", 20), fixAt("d1", 30)}
	appendPositions(t, store, fixes...)
	appendPositions(t, store, fixAt("d2", 20))
	for _, test := range []struct {
		name  string
		query tracking.TrackQuery
		want  []tracking.Position
	}{
		{"unbounded", tracking.TrackQuery{}, fixes},
		{"from is inclusive", tracking.TrackQuery{From: instant.At(20)}, fixes[2:]},
		{"to is inclusive", tracking.TrackQuery{To: instant.At(20)}, fixes[:3]},
		{"both", tracking.TrackQuery{From: instant.At(10), To: instant.At(20)}, fixes[1:3]},
		{"one instant", tracking.TrackQuery{From: instant.At(20), To: instant.At(20)}, fixes[2:3]},
		{"nothing between", tracking.TrackQuery{From: instant.At(21), To: instant.At(29)}, fixes[:0]},
		{"upside down", tracking.TrackQuery{From: instant.At(30), To: instant.At(10)}, fixes[:0]},
		{"to the beginning of Unix time", tracking.TrackQuery{To: instant.At(0)}, fixes[:1]},
		{"from the beginning of Unix time", tracking.TrackQuery{From: instant.At(0)}, fixes[1:]},
		{"present company", tracking.TrackQuery{CompanyID: "acme"}, fixes[1:]},
		{"former company", tracking.TrackQuery{CompanyID: "former"}, fixes[:1]},
		{"foreign company", tracking.TrackQuery{CompanyID: "foreign"}, fixes[:0]},
		{"company and to", tracking.TrackQuery{CompanyID: "acme", To: instant.At(10)}, fixes[1:2]},
	} {
		for _, limit := range []int{1, 100} {
			query := test.query
			query.DriverID = "d1"
			same(t, fmt.Sprintf("%s, pages of %d", test.name, limit), slices.Clone(test.want),
				pages(t, store, query, tracking.TrackStart(), limit))
		}
	}
}

func trackPages(t *testing.T, store Store) {
	for ts := range int64(10) {
		appendPositions(t, store, fixAt("d1", ts))
	}
	d1 := tracking.TrackQuery{DriverID: "d1"}
	first, err := store.Tracking.Track(t.Context(), d1, tracking.TrackStart(), 4)
	check(t, "first page", err)
	same(t, "positions of the first page", 4, len(first))
	// What arrives between two pages beyond the last place is in the next one; what lies before it is not.
	late := fixAt("d1", 2)
	late.Lat = 1
	appendPositions(t, store, late, fixAt("d1", 10))
	rest := pages(t, store, d1, placeOf(first[3]), 4)
	want := []tracking.Position{}
	for ts := int64(4); ts <= 10; ts++ {
		want = append(want, fixAt("d1", ts))
	}
	same(t, "the rest", want, rest)
	for _, limit := range []int{0, -1} {
		none, err := store.Tracking.Track(t.Context(), d1, tracking.TrackStart(), limit)
		check(t, "a page of none", err)
		same(t, "a page of none", []tracking.Recorded{}, none)
	}
}

func positionsDeleted(t *testing.T, store Store) {
	const each = 3000
	for _, id := range []string{"d1", "d2", "d3"} {
		batch := make([]tracking.Position, 0, each)
		for ts := range int64(each) {
			batch = append(batch, fixAt(id, ts))
		}
		appendPositions(t, store, batch...)
	}
	check(t, "driver without positions", store.Tracking.AppendPositions(t.Context(), nil, []tracking.Driver{driver("d0")}))
	total, calls := 0, 0
	for {
		gone, err := store.Tracking.DeletePositionsBefore(t.Context(), each-1)
		check(t, "delete", err)
		if gone == 0 {
			break
		}
		total, calls = total+gone, calls+1
	}
	if want := 3 * (each - 1); total != want || calls < 2 {
		t.Fatalf("%d positions deleted in %d calls, want %d in several", total, calls, want)
	}
	for _, id := range []string{"d1", "d2", "d3"} {
		last := fixAt(id, each-1)
		same(t, "what is left of "+id, []tracking.Position{last}, track(t, store, id))
		same(t, "newest of "+id, &last, newest(t, store, id))
	}
	_, err := store.Tracking.DeletePositionsBefore(t.Context(), each)
	check(t, "delete the last", err)
	if left := newest(t, store, "d1"); left != nil {
		t.Fatalf("a deleted position is still the newest: %+v", left)
	}
}

func largeBatch(t *testing.T, store Store) {
	const size = 5*tracking.MaxBatch + 7
	batch := make([]tracking.Position, 0, size)
	for i := range int64(size) {
		p := fixAt(fmt.Sprintf("d%d", i%3), i)
		p.Seq = &i
		batch = append(batch, p)
	}
	appendPositions(t, store, batch...)
	total := 0
	for _, id := range []string{"d0", "d1", "d2"} {
		total += len(track(t, store, id))
	}
	if total != size {
		t.Fatalf("%d of %d positions stored", total, size)
	}
}

func stampedRecognised(t *testing.T, store Store) {
	const day = int64(24 * 60 * 60 * 1000)
	stamped := func(ts, seq int64) tracking.Position {
		p := fixAt("d1", ts)
		p.Seq, p.Stamped = &seq, true
		return p
	}
	elsewhere, foreign, timed := stamped(1500, 1), stamped(1500, 1), stamped(1500, 1)
	elsewhere.Lat++
	foreign.CompanyID = "foreign"
	timed.Stamped = false
	appendPositions(t, store, stamped(1000, 1), stamped(1000, 2), stamped(1000, 1))
	appendPositions(t, store, stamped(2000, 1), stamped(2000, 3)) // the first sent again
	appendPositions(t, store, elsewhere, foreign, timed)          // is something else
	appendPositions(t, store, stamped(1000+day, 2), stamped(1000+day-1, 1))
	other := stamped(2000, 1)
	other.DriverID = "d2"
	appendPositions(t, store, other)
	var got [][2]int64
	for _, p := range track(t, store, "d1") {
		got = append(got, [2]int64{p.TS, *p.Seq})
	}
	want := [][2]int64{{1000, 1}, {1000, 2}, {1500, 1}, {1500, 1}, {1500, 1}, {2000, 3}, {1000 + day, 2}}
	if !slices.Equal(got, want) || len(track(t, store, "d2")) != 1 {
		t.Errorf("stored are %v, want %v", got, want)
	}
	unknown := stamped(9, 1)
	unknown.Lat--
	for _, test := range []struct{ since, want1, want2 int64 }{{0, 1000, 1000 + day}, {999, 1000, 1000 + day}, {1000, 0, 1000 + day}, {2 * day, 0, 0}} {
		times, err := store.Tracking.SentBefore(t.Context(), "d1", []tracking.Position{stamped(9, 1), stamped(9, 2), unknown, timed}, test.since)
		if want := []int64{test.want1, test.want2, 0, 0}; err != nil || !slices.Equal(times, want) {
			t.Errorf("sent before, since %d: %v, %v; want %v", test.since, times, err, want)
		}
	}
}
