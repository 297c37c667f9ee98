package town_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/simulation/town"
)

// metres is the distance between two near places, on a sphere.
func metres(lat1, lng1, lat2, lng2 float64) float64 {
	const degree = 111_195.0
	dy := (lat2 - lat1) * degree
	dx := (lng2 - lng1) * degree * math.Cos(lat1*math.Pi/180)
	return math.Hypot(dx, dy)
}

func newTown(t testing.TB) *town.Town {
	t.Helper()
	place, err := town.New()
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// Whoever drives: cars stay in the town, keep to what cars can do, and get somewhere.
func TestCarsDriveAsCarsDo(t *testing.T) {
	place := newTown(t)
	rapid.Check(t, func(t *rapid.T) {
		car := place.Drive(rapid.Uint64().Draw(t, "car"))
		bounds := place.Bounds() // west, south, east, north
		before := car.Advance(0)
		travelled, stood := 0.0, false
		for range 300 {
			now := car.Advance(time.Second)
			if now.Lng < bounds[0] || now.Lat < bounds[1] || now.Lng > bounds[2] || now.Lat > bounds[3] {
				t.Fatalf("the car has left the town: %+v", now)
			}
			if now.Heading < 0 || now.Heading >= 360 || now.Speed < 0 || now.Speed > 30 {
				t.Fatalf("no car drives like this: %+v", now)
			}
			step := metres(before.Lat, before.Lng, now.Lat, now.Lng)
			if step > 31 {
				t.Fatalf("the car has jumped %.0f m in a second", step)
			}
			travelled += step
			stood = stood || now.Speed == 0
			before = now
		}
		if travelled < 200 || !stood {
			t.Fatalf("in five minutes the car has gone %.0f m; stood at all: %t", travelled, stood)
		}
	})
}

func TestTheSameSeedIsTheSameDrive(t *testing.T) {
	place := newTown(t)
	drive, redrive, other := place.Drive(9), newTown(t).Drive(9), place.Drive(10)
	parted := false
	for range 100 {
		a, b := drive.Advance(time.Second), redrive.Advance(time.Second)
		if a != b {
			t.Fatalf("the same seed drove to %+v and %+v", a, b)
		}
		parted = parted || other.Advance(time.Second) != a
	}
	if !parted {
		t.Error("two seeds drive the same way")
	}
}

func TestStreetsAreLinesWithinTheBounds(t *testing.T) {
	bounds := newTown(t).Bounds()
	var streets struct {
		Type     string
		Features []struct {
			Type       string
			Properties struct{ Kind string }
			Geometry   struct {
				Type        string
				Coordinates [][2]float64
			}
		}
	}
	if err := json.Unmarshal([]byte(town.Streets()), &streets); err != nil {
		t.Fatal(err)
	}
	if streets.Type != "FeatureCollection" || len(streets.Features) < 100 {
		t.Fatalf("%s of %d streets", streets.Type, len(streets.Features))
	}
	kinds := make(map[string]int)
	for _, street := range streets.Features {
		kinds[street.Properties.Kind]++
		if street.Type != "Feature" || street.Geometry.Type != "LineString" || len(street.Geometry.Coordinates) < 2 {
			t.Errorf("a %s, %s of %d points", street.Type, street.Geometry.Type, len(street.Geometry.Coordinates))
		}
		for _, at := range street.Geometry.Coordinates {
			if at[0] < bounds[0]-1e-6 || at[1] < bounds[1]-1e-6 || at[0] > bounds[2]+1e-6 || at[1] > bounds[3]+1e-6 {
				t.Errorf("%v lies outside of the town", at)
			}
		}
	}
	if len(kinds) != 3 || kinds["ring"] == 0 || kinds["avenue"] == 0 || kinds["street"] == 0 {
		t.Errorf("streets by kind: %v", kinds)
	}
}

// One gets from everywhere to everywhere, and by no detour: no way over a third junction is quicker.
func TestRoutes(t *testing.T) {
	place := newTown(t)
	rapid.Check(t, func(t *rapid.T) {
		junction := rapid.IntRange(0, place.Junctions()-1)
		from, over, to := junction.Draw(t, "from"), junction.Draw(t, "over"), junction.Draw(t, "to")
		way, seconds := place.Route(from, to)
		if way[0] != from || way[len(way)-1] != to {
			t.Fatalf("the way from %d to %d is %v", from, to, way)
		}
		_, there := place.Route(from, over)
		_, onwards := place.Route(over, to)
		if there+onwards < seconds-1e-6 {
			t.Fatalf("from %d to %d takes %.1f s, over %d only %.1f s", from, to, seconds, over, there+onwards)
		}
	})
}

func BenchmarkDrive(b *testing.B) {
	car := newTown(b).Drive(1)
	b.ReportAllocs()
	for b.Loop() {
		car.Advance(time.Second)
	}
}
