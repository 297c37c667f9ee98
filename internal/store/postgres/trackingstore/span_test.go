package trackingstore

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSpans: whatever times come in whatever order, while the clock goes on or is put back, each has a partition that holds
// it, no two overlap, and what is recent is parted by day.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.UTC)
		day := dayMillis
		var existing []span
		for range rapid.IntRange(1, 60).Draw(t, "positions") {
			now = now.Add(time.Duration(rapid.Int64Range(-30*day, 200*day).Draw(t, "clock")) * time.Millisecond)
			at := now.UnixMilli()
			ts := rapid.OneOf(
				rapid.Int64Range(at-3*day, at+day), rapid.Int64Range(at-2000*day, at), rapid.Int64Range(at-100_000*day, at),
				rapid.Int64Range(math.MinInt64/2, at), rapid.Int64Range(at, at+10*day),
			).Draw(t, "ts")
			wanted, needed, err := spanFor(ts, now, existing)
			if ahead := ts >= dayOf(at).to+aheadDays*day; err != nil {
				if !ahead {
					t.Fatalf("%d at %s: %v", ts, now, err)
				}
				continue
			}
			if !needed {
				continue
			}
			if !wanted.holds(ts) {
				t.Fatalf("%d is not in %+v", ts, wanted)
			}
			if recent := ts >= dayOf(at).from-recentDays*day; recent && !wanted.isDay() {
				t.Fatalf("a recent position is in %+v", wanted)
			}
			for _, other := range existing {
				if wanted.from < other.to && other.from < wanted.to {
					t.Fatalf("%+v overlaps %+v", wanted, other)
				}
			}
			again, err := parseBounds("FOR VALUES FROM (" + quoted(wanted.from) + ") TO (" + quoted(wanted.to) + ")")
			if err != nil || again != wanted {
				t.Fatalf("%+v is read as %+v, %v", wanted, again, err)
			}
			existing = append(existing, wanted)
		}
	})
}

// quoted is a bound as the database writes it.
func quoted(ts int64) string {
	if ts == math.MinInt64 {
		return bound(ts)
	}
	return "'" + bound(ts) + "'"
}
