package trackingstore

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// span is the times of a partition: from one up to, and without, another, Unix milliseconds. The first one has no beginning.
type span struct{ from, to int64 }

const (
	dayMillis = int64(24 * time.Hour / time.Millisecond)
	// recentDays is how many days back a position gets a partition for its day. Older ones, which are few and come late, share
	// one a year, and those from before the year firstYear a single one: nobody can have any number of partitions made.
	recentDays = 400
	firstYear  = 2000
	// aheadDays is for how many days to come there are partitions. A position further in the future is refused.
	aheadDays = 2
)

func dayOf(ts int64) span {
	from := ts - (ts%dayMillis+dayMillis)%dayMillis
	return span{from, from + dayMillis}
}

// isDay reports whether all positions of the span were recorded within a day.
func (s span) isDay() bool { return s.from != math.MinInt64 && s.to-s.from <= dayMillis }

func (s span) holds(ts int64) bool { return s.from <= ts && ts < s.to }

// spanFor is the partition to be made for a position, beside those that there are; needed is false where one of them holds it.
// It fails for a time that is too far ahead.
func spanFor(ts int64, now time.Time, existing []span) (wanted span, needed bool, err error) {
	if slices.ContainsFunc(existing, func(s span) bool { return s.holds(ts) }) {
		return span{}, false, nil
	}
	today := dayOf(now.UnixMilli())
	recent := today.from - recentDays*dayMillis
	switch year := time.UnixMilli(ts).UTC().Year(); {
	case ts >= today.to+aheadDays*dayMillis:
		return span{}, false, fmt.Errorf("a position of %s lies too far in the future, now it is %s",
			time.UnixMilli(ts).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case ts >= recent:
		wanted = dayOf(ts)
	case ts < yearBegins(firstYear):
		wanted = span{math.MinInt64, yearBegins(firstYear)}
	default:
		wanted = span{yearBegins(year), min(yearBegins(year+1), recent)}
	}
	for _, other := range existing {
		if other.to <= ts {
			wanted.from = max(wanted.from, other.to)
		} else {
			wanted.to = min(wanted.to, other.from)
		}
	}
	return wanted, true, nil
}

func yearBegins(year int) int64 {
	return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}
