package fleet

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/simulation/town"
	"rolecall/internal/simulation/traces"
)

// Whatever the recorded times: the points go out in the order of the file, none with a time that has not come yet, and
// the latest time falls on the moment when the last point goes out.
func TestTripShiftsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recorded := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) traces.Point {
			if rapid.IntRange(0, 9).Draw(t, "untimed") == 0 {
				return traces.Point{}
			}
			ts := rapid.Int64Range(1_300_000_000_000, 1_300_000_600_000).Draw(t, "ts")
			return traces.Point{TS: &ts}
		}), 1, 40).Draw(t, "recorded")
		config := Config{
			Speed:       rapid.Float64Range(1, 100).Draw(t, "speed"),
			LongestWait: time.Duration(rapid.IntRange(1, 60_000).Draw(t, "longest wait")) * time.Millisecond,
		}
		begin := time.UnixMilli(1_800_000_000_000)
		drive := newTrip(traces.Trace{Points: recorded}, config)
		end := begin.Add(drive.schedule[len(drive.schedule)-1])

		var last time.Duration
		latest := int64(0)
		for i, point := range recorded {
			due, more := drive.due()
			if !more {
				t.Fatalf("the trip ends after %d of %d points", i, len(recorded))
			}
			if due < last || due-last > config.LongestWait {
				t.Fatalf("point %d is due %s after the start, the one before it %s", i, due, last)
			}
			last = due
			sent := drive.take(begin)
			if (sent.TS == nil) != (point.TS == nil) {
				t.Fatalf("point %d: time %v became %v", i, point.TS, sent.TS)
			}
			if sent.TS == nil {
				continue
			}
			if *sent.TS > begin.Add(due).UnixMilli()+1 {
				t.Fatalf("point %d is sent before its time", i)
			}
			latest = max(latest, *sent.TS)
		}
		if _, more := drive.due(); more {
			t.Fatal("the trip goes on after its last point")
		}
		if latest != 0 && latest != end.UnixMilli() {
			t.Fatalf("the latest time is %d, the last point goes out at %d", latest, end.UnixMilli())
		}
	})
}

func TestTripKeepsTime(t *testing.T) {
	ts := int64(1_300_000_000_000)
	drive := newTrip(traces.Trace{Points: []traces.Point{{TS: &ts}}}, Config{Speed: 1, KeepTime: true})
	if sent := drive.take(time.Now()); *sent.TS != ts {
		t.Errorf("time %d became %d", ts, *sent.TS)
	}
}

func TestMadeUpCarSendsAtItsRate(t *testing.T) {
	begin := time.UnixMilli(1_800_000_000_000)
	place, err := town.New()
	if err != nil {
		t.Fatal(err)
	}
	car := &madeUp{drive: place.Drive(1), every: 250 * time.Millisecond, at: 100 * time.Millisecond}
	for i := range 200 {
		due, more := car.due()
		want := 100*time.Millisecond + time.Duration(i)*250*time.Millisecond
		if !more || due != want {
			t.Fatalf("position %d is due at %s, want %s", i, due, want)
		}
		sent := car.take(begin)
		if *sent.TS != begin.Add(want).UnixMilli() {
			t.Errorf("position %d has time %d", i, *sent.TS)
		}
		if *sent.Heading < 0 || *sent.Heading >= 360 || *sent.Speed < 0 || *sent.Speed > 40 {
			t.Errorf("position %d: heading %v, speed %v", i, *sent.Heading, *sent.Speed)
		}
	}
}
