package fleet

import (
	"time"

	"rolecall/internal/simulation/town"
	"rolecall/internal/simulation/traces"
)

// Position is a position as it is sent; what is not known is left out.
type Position struct {
	Lat      *float64 `json:"lat,omitempty"`
	Lng      *float64 `json:"lng,omitempty"`
	TS       *int64   `json:"ts,omitempty"`
	Speed    *float64 `json:"speed,omitempty"`
	Heading  *float64 `json:"heading,omitempty"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	Altitude *float64 `json:"altitude,omitempty"`
}

// source is a route: positions with the time after the start when each is to be sent.
type source interface {
	// due returns when the next position is to be sent; false at the end of the route.
	due() (time.Duration, bool)
	// take returns the next position and moves on; begin is when the drive began.
	take(begin time.Time) Position
}

// trip is a recorded trace, in the order of the file, whatever its time stamps say.
type trip struct {
	points   []traces.Point
	schedule []time.Duration
	newest   int64 // the latest time stamp, Unix milliseconds
	keepTime bool
	next     int
}

func newTrip(trace traces.Trace, c Config) *trip {
	t := &trip{points: trace.Points, keepTime: c.KeepTime, schedule: make([]time.Duration, len(trace.Points))}
	var due time.Duration
	timed := false
	for i, point := range trace.Points {
		// A point without a time, or one that lies behind another, goes out with the one before it.
		if point.TS != nil {
			if timed && *point.TS > t.newest {
				pause := time.Duration(float64(*point.TS-t.newest) * float64(time.Millisecond) / c.Speed)
				due += min(pause, c.LongestWait)
			}
			if !timed || *point.TS > t.newest {
				t.newest = *point.TS
			}
			timed = true
		}
		t.schedule[i] = due
	}
	return t
}

func (t *trip) due() (time.Duration, bool) {
	if t.next == len(t.points) {
		return 0, false
	}
	return t.schedule[t.next], true
}

func (t *trip) take(begin time.Time) Position {
	point := t.points[t.next]
	t.next++
	return Position{
		Lat: point.Lat, Lng: point.Lng, TS: t.shifted(point.TS, begin), Speed: point.Speed, Heading: point.Heading,
		Accuracy: point.Accuracy, Altitude: point.Altitude,
	}
}

// shifted moves a time stamp so that the latest of the trip falls on the moment when the last point is sent.
func (t *trip) shifted(ts *int64, begin time.Time) *int64 {
	if ts == nil || t.keepTime {
		return ts
	}
	end := begin.Add(t.schedule[len(t.schedule)-1]).UnixMilli()
	moved := *ts - t.newest + end
	return &moved
}

// madeUp is a car in the town. It never arrives.
type madeUp struct {
	drive *town.Drive
	every time.Duration
	at    time.Duration // when the next position is due
}

func (m *madeUp) due() (time.Duration, bool) { return m.at, true }

func (m *madeUp) take(begin time.Time) Position {
	fix := m.drive.Advance(m.every)
	ts := begin.Add(m.at).UnixMilli()
	m.at += m.every
	return Position{Lat: &fix.Lat, Lng: &fix.Lng, TS: &ts, Speed: &fix.Speed, Heading: &fix.Heading}
}
