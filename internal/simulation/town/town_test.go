package town_test

import (
	"math"
	"reflect"
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

// Whatever the town: its cars stay in it, keep to what cars can do, and get somewhere.
func TestCarsDriveAsCarsDo(t *testing.T) {
	var towns []*town.Town
	for seed := range uint64(8) {
		towns = append(towns, town.New(seed))
	}
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.SampledFrom(towns).Draw(t, "town")
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

func TestTheSameSeedIsTheSameTown(t *testing.T) {
	one, again, other := town.New(3), town.New(3), town.New(4)
	if !reflect.DeepEqual(one.Streets(), again.Streets()) {
		t.Error("the same seed gave two towns")
	}
	if reflect.DeepEqual(one.Streets(), other.Streets()) {
		t.Error("two seeds gave the same town")
	}
	drive, redrive := one.Drive(9), again.Drive(9)
	for range 100 {
		if a, b := drive.Advance(time.Second), redrive.Advance(time.Second); a != b {
			t.Fatalf("the same seed drove to %+v and %+v", a, b)
		}
	}
}

func TestStreetsAreLinesWithinTheBounds(t *testing.T) {
	place := town.New(7)
	bounds := place.Bounds()
	streets := place.Streets()
	if streets.Type != "FeatureCollection" || len(streets.Features) < 100 {
		t.Fatalf("%s of %d streets", streets.Type, len(streets.Features))
	}
	for _, street := range streets.Features {
		if len(street.Geometry.Coordinates) < 2 {
			t.Errorf("a street of %d points", len(street.Geometry.Coordinates))
		}
		for _, at := range street.Geometry.Coordinates {
			if at[0] < bounds[0]-1e-6 || at[1] < bounds[1]-1e-6 || at[0] > bounds[2]+1e-6 || at[1] > bounds[3]+1e-6 {
				t.Errorf("%v lies outside of the town", at)
			}
		}
	}
}

func BenchmarkDrive(b *testing.B) {
	car := town.New(1).Drive(1)
	b.ReportAllocs()
	for b.Loop() {
		car.Advance(time.Second)
	}
}
