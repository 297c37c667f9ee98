package tracking_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// TestWhoSeesWhom holds every role against every way to see drivers.
func TestWhoSeesWhom(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &recorder{}, tracking.Options{})
	for _, who := range []auth.Identity{driver("dan", "acme"), driver("dora", "acme"), driver("eve", "umbra")} {
		publish(t, service, who, `{"lat":1,"lng":2}`)
	}
	for _, test := range []struct {
		who      auth.Identity
		fleet    []string // nil where watching is forbidden
		visible  []string // whose track may be read
		forbids  bool     // tracks are forbidden, not just unknown
		publishs bool
	}{
		{who: admin(), fleet: []string{"dan", "dora", "eve"}, visible: []string{"dan", "dora", "eve"}},
		{who: staff("acme"), fleet: []string{"dan", "dora"}, visible: []string{"dan", "dora"}},
		{who: staff("umbra"), fleet: []string{"eve"}, visible: []string{"eve"}},
		{who: staff("empty"), fleet: []string{}, visible: nil},
		{who: driver("dora", "acme"), visible: []string{"dora"}, publishs: true},
		{who: driver("fay", "acme"), visible: nil, publishs: true},
		{who: person("pia", roles.Provider, ""), forbids: true},
		{who: person("vic", roles.Vendor, ""), forbids: true},
	} {
		t.Run(string(test.who.Role)+" "+test.who.UserID, func(t *testing.T) {
			snapshot, err := snapshotOf(t, service, test.who)
			checkFleet(t, "snapshot", test.fleet, ids(snapshot.Positions, func(p tracking.Position) string { return p.DriverID }), err)
			views, _, err := service.Drivers(t.Context(), test.who, tracking.DriverQuery{}, page.Request{})
			checkFleet(t, "drivers", test.fleet, ids(views, func(v tracking.DriverView) string { return v.DriverID }), err)
			for _, id := range []string{"dan", "dora", "eve", "nobody"} {
				want := fault.Code("")
				switch {
				case test.forbids:
					want = fault.Forbidden
				case !slices.Contains(test.visible, id):
					want = fault.NotFound
				}
				if _, err := service.Driver(t.Context(), test.who, id); code(err) != want {
					t.Errorf("driver %s: %v, want %q", id, err, want)
				}
				track, _, err := service.Track(t.Context(), test.who, tracking.TrackQuery{DriverID: id, CompanyID: "acme"}, page.Request{})
				if code(err) != want || want == "" && len(track) != 1 {
					t.Errorf("track of %s: %d positions, %v, want %q", id, len(track), err, want)
				}
			}
			if test.publishs {
				return
			}
			if _, err := service.Submit(t.Context(), test.who, update(t, `{"lat":1,"lng":2}`)); !fault.Is(err, fault.Forbidden) {
				t.Errorf("sending positions: %v, want forbidden", err)
			}
		})
	}
}

func ids[T any](items []T, id func(T) string) []string {
	found := []string{}
	for _, item := range items {
		found = append(found, id(item))
	}
	return found
}

func checkFleet(t *testing.T, what string, want, got []string, err error) {
	t.Helper()
	if want == nil {
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v, want forbidden", what, err)
		}
		return
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %v, %v; want %v", what, got, err, want)
	}
}

func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

func TestDriversFindThemselvesBeforeTheyAreHeardOf(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	got, err := service.Driver(t.Context(), driver("dora", "acme"), "dora")
	if err != nil || got.DriverID != "dora" || got.CompanyID != "acme" || got.Status != tracking.Offline || got.Position != nil {
		t.Errorf("asked for oneself: %+v, %v", got, err)
	}
	for name, who := range map[string]auth.Identity{"admin": admin(), "staff": staff("acme"), "colleague": driver("dave", "acme")} {
		if _, err := service.Driver(t.Context(), who, "dora"); !fault.Is(err, fault.NotFound) {
			t.Errorf("asked for by %s: %v, want not_found", name, err)
		}
	}
}

func TestDriversPage(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	var all []string
	for i := range 7 {
		id := fmt.Sprintf("d%d", i)
		all = append(all, id)
		service.CameOnline(t.Context(), driver(id, "acme"))
		service.CameOnline(t.Context(), driver(fmt.Sprintf("d%d-x", i), "umbra"))
	}
	for _, limit := range []int{1, 2, 3, 6, 7, 8} {
		var seen []string
		cursor := ""
		for pages := 0; pages == 0 || cursor != ""; pages++ {
			views, next, err := service.Drivers(t.Context(), staff("acme"), tracking.DriverQuery{}, page.Request{Cursor: cursor, Limit: limit})
			if err != nil || len(views) > limit || len(views) == 0 {
				t.Fatalf("limit %d after %q: %d drivers, %v", limit, cursor, len(views), err)
			}
			seen = append(seen, ids(views, func(v tracking.DriverView) string { return v.DriverID })...)
			cursor = next
		}
		if !slices.Equal(seen, all) {
			t.Errorf("pages of %d: %v", limit, seen)
		}
	}
	for _, test := range []struct{ limit, want int }{{0, tracking.DefaultPage}, {-1, tracking.DefaultPage}, {tracking.MaxPage + 1, tracking.MaxPage}} {
		big := newService(t, &memory{}, &recorder{}, tracking.Options{})
		for i := range tracking.MaxPage + 5 {
			big.CameOnline(t.Context(), driver(fmt.Sprint(i), "acme"))
		}
		views, next, err := big.Drivers(t.Context(), admin(), tracking.DriverQuery{}, page.Request{Limit: test.limit})
		if err != nil || len(views) != test.want || next != page.Drivers.Text(views[len(views)-1].DriverID) {
			t.Errorf("limit %d: %d drivers, cursor %q, %v", test.limit, len(views), next, err)
		}
	}
}

func TestTrackPages(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &recorder{}, tracking.Options{})
	dora := driver("dora", "acme")
	for i := range 10 {
		publish(t, service, dora, fmt.Sprintf(`{"lat":%d,"lng":0,"ts":%d}`, i, noon-1000+int64(i/2))) // pairs at one instant
	}
	var got []float64
	at := page.Request{Limit: 3}
	for {
		part, next, err := service.Track(t.Context(), dora, tracking.TrackQuery{DriverID: "dora"}, at)
		if err != nil || len(part) > 3 {
			t.Fatalf("%d positions, %v", len(part), err)
		}
		got = append(got, lats([][]tracking.Position{part}, "dora")...)
		if at.Cursor = next; next == "" {
			break
		}
	}
	if want := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("the pages hold %v", got)
	}
	bounds := tracking.TrackQuery{DriverID: "dora", From: instant.At(noon - 999), To: instant.At(noon - 998)}
	part, _, err := service.Track(t.Context(), dora, bounds, page.Request{})
	if got := lats([][]tracking.Position{part}, "dora"); err != nil || !slices.Equal(got, []float64{2, 3, 4, 5}) {
		t.Errorf("both bounds belong to the range: %v, %v", got, err)
	}
	for _, cursor := range []string{"nonsense", page.Drivers.Text("dora"), page.Track.Numbers(noon)} {
		_, _, err := service.Track(t.Context(), dora, tracking.TrackQuery{DriverID: "dora"}, page.Request{Cursor: cursor})
		if !fault.Is(err, fault.InvalidPayload) || fault.From(err).Field != "cursor" {
			t.Errorf("a made-up cursor: %v", err)
		}
		if _, _, err = service.Drivers(t.Context(), staff("acme"), tracking.DriverQuery{}, page.Request{Cursor: cursor + "!"}); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("a made-up cursor of drivers: %v", err)
		}
	}
}

// TestShownIsNewest: for any sequence of updates the position shown is, of those accepted, the one with the greatest
// ts, and among equals the last to arrive.
func TestShownIsNewest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		service := newService(t, &memory{}, &recorder{}, tracking.Options{})
		var newest *tracking.Position
		number := 0
		for range rapid.IntRange(1, 8).Draw(r, "updates") {
			payload := "["
			accepted := 0
			for i := range rapid.IntRange(1, 6).Draw(r, "positions") {
				number++
				p := tracking.Position{
					DriverID: "dora", CompanyID: "acme", Lat: 1, Lng: float64(number) / 1000,
					TS: noon - rapid.Int64Range(0, 4).Draw(r, "age"),
				}
				if i > 0 {
					payload += ","
				}
				if rapid.IntRange(0, 4).Draw(r, "bad") == 0 {
					payload += fmt.Sprintf(`{"lat":91,"lng":%g,"ts":%d}`, p.Lng, noon)
					continue
				}
				payload += fmt.Sprintf(`{"lat":1,"lng":%g,"ts":%d}`, p.Lng, p.TS)
				accepted++
				if newest == nil || p.TS >= newest.TS {
					newest = &p
				}
			}
			if verdict := publish(t, service, driver("dora", "acme"), payload+"]"); verdict.Accepted != accepted {
				r.Fatalf("%s: %d accepted, want %d", payload, verdict.Accepted, accepted)
			}
		}
		if newest == nil {
			return
		}
		view, err := service.Driver(t.Context(), admin(), "dora")
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(newest, view.Position); diff != "" {
			r.Fatalf("shown (-want +got):\n%s", diff)
		}
	})
}

// TestManyDriversAtOnce sends from many goroutines: each driver ends at its last position, and what watchers heard
// never goes back in time.
func TestManyDriversAtOnce(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, tracking.Options{})
	const drivers, updates = 8, 50
	var senders sync.WaitGroup
	for d := range drivers {
		senders.Go(func() {
			who := driver(fmt.Sprintf("d%d", d), fmt.Sprintf("company-%d", d%2))
			for i := range updates {
				submit(t, service, who, `{"lat":%d,"lng":0,"ts":%d}`, i, noon-updates+int64(i))
			}
		})
	}
	senders.Wait()
	sent := emitted.take()
	for room, want := range map[roles.Room]int{roles.AllFleetsRoom(): drivers, roles.FleetRoom("company-0"): drivers / 2} {
		last := make(map[string]float64)
		for _, event := range positions(t, sent, room) {
			for _, p := range event {
				if before, heard := last[p.DriverID]; heard && p.Lat <= before {
					t.Fatalf("%s heard %s at %v after %v", room, p.DriverID, p.Lat, before)
				}
				last[p.DriverID] = p.Lat
			}
		}
		for id, lat := range last {
			if lat != updates-1 {
				t.Errorf("%s last heard %s at %v", room, id, lat)
			}
		}
		if len(last) != want {
			t.Errorf("%s heard of %d drivers, want %d", room, len(last), want)
		}
	}
}

// TestDriverQuery: each condition leaves out who does not meet it, names being compared as readers do, and pages of what is
// left neither skip nor repeat.
func TestDriverQuery(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	named := func(id, company, name string) auth.Identity {
		who := driver(id, company)
		who.Username = name
		return who
	}
	submit(t, service, named("d1", "acme", "Jos\u00e9"), `{"lat":10,"lng":20}`)
	submit(t, service, named("d2", "acme", "JOSE\u0301 Luis"), `{"lat":10,"lng":-179}`)
	service.CameOnline(t.Context(), named("d3", "acme", "Ada"))
	service.WentOffline(t.Context(), named("d3", "acme", "Ada"))
	submit(t, service, named("e1", "umbra", "Ada"), `{"lat":-10,"lng":179}`)
	bounds := func(west, south, east, north float64) *tracking.Bounds {
		return &tracking.Bounds{West: west, South: south, East: east, North: north}
	}
	for name, test := range map[string]struct {
		who   auth.Identity
		query tracking.DriverQuery
		want  []string
	}{
		"all":                            {admin(), tracking.DriverQuery{}, []string{"d1", "d2", "d3", "e1"}},
		"a company":                      {admin(), tracking.DriverQuery{CompanyID: "umbra"}, []string{"e1"}},
		"no company":                     {admin(), tracking.DriverQuery{CompanyID: "none"}, nil},
		"one's own":                      {staff("acme"), tracking.DriverQuery{CompanyID: "acme"}, []string{"d1", "d2", "d3"}},
		"another's":                      {staff("acme"), tracking.DriverQuery{CompanyID: "umbra"}, nil},
		"online":                         {admin(), tracking.DriverQuery{Status: tracking.Online}, []string{"d1", "d2", "e1"}},
		"offline":                        {admin(), tracking.DriverQuery{Status: tracking.Offline}, []string{"d3"}},
		"a name, however it is composed": {admin(), tracking.DriverQuery{Text: " jos\u00c9"}, []string{"d1", "d2"}},
		"an id":                          {admin(), tracking.DriverQuery{Text: "E1"}, []string{"e1"}},
		"blank":                          {staff("umbra"), tracking.DriverQuery{Text: " \u3000"}, []string{"e1"}},
		"name and company":               {admin(), tracking.DriverQuery{Text: "ada", CompanyID: "acme"}, []string{"d3"}},
		"a place":                        {admin(), tracking.DriverQuery{Bounds: bounds(19, 9, 21, 11)}, []string{"d1"}},
		"its edge":                       {admin(), tracking.DriverQuery{Bounds: bounds(20, 10, 20, 10)}, []string{"d1"}},
		"beside it":                      {admin(), tracking.DriverQuery{Bounds: bounds(20.1, 9, 21, 11)}, nil},
		"across the 180th meridian":      {admin(), tracking.DriverQuery{Bounds: bounds(178, -11, -178, 11)}, []string{"d2", "e1"}},
	} {
		for _, limit := range []int{1, 100} {
			var found []string
			for cursor, more := "", true; more; more = cursor != "" {
				views, next, err := service.Drivers(t.Context(), test.who, test.query, page.Request{Cursor: cursor, Limit: limit})
				if err != nil || len(views) > limit {
					t.Fatalf("%s: %d drivers, %v", name, len(views), err)
				}
				found, cursor = append(found, ids(views, func(v tracking.DriverView) string { return v.DriverID })...), next
			}
			if !slices.Equal(found, test.want) {
				t.Errorf("%s, pages of %d: %v, want %v", name, limit, found, test.want)
			}
		}
	}
	if _, _, err := service.Drivers(t.Context(), driver("d1", "acme"), tracking.DriverQuery{}, page.Request{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a driver: %v", err)
	}
}

// TestDriverQueryOfMany: who is found late in a long list is found all the same.
func TestDriverQueryOfMany(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	for i := range 2000 {
		service.CameOnline(t.Context(), driver(fmt.Sprintf("d%04d", i), "acme"))
	}
	for _, id := range []string{"d0000", "d0499", "d0500", "d0501", "d1001", "d1999"} {
		for _, who := range []auth.Identity{admin(), staff("acme")} {
			views, next, err := service.Drivers(t.Context(), who, tracking.DriverQuery{Text: id}, page.Request{Limit: 1})
			if err != nil || len(views) != 1 || views[0].DriverID != id || next != "" {
				t.Errorf("%s: %+v, %q, %v", id, views, next, err)
			}
		}
	}
}
