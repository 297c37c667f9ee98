// Package waves does many things evenly over a time, so that what each of them sets off does not come all at once.
package waves

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// interval is the time from one wave to the next.
const interval = 50 * time.Millisecond

// Spread calls do once with each of the items, in a random order and one at a time: with none before its turn in the
// period, and with the last before the period is over. Where ctx ends first it returns at once, and those left are not
// called with.
func Spread[T any](ctx context.Context, items []T, period time.Duration, do func(T)) {
	items = append([]T(nil), items...)
	rand.Shuffle(len(items), func(i, k int) { items[i], items[k] = items[k], items[i] })
	begun, done := time.Now(), 0
	if len(items) == 0 {
		return
	}
	wave := time.NewTicker(interval)
	defer wave.Stop()
	for {
		for due := dueBy(time.Since(begun), period, len(items)); done < due; done++ {
			if ctx.Err() != nil {
				return
			}
			do(items[done])
		}
		if done == len(items) {
			return
		}
		select {
		case <-wave.C:
		case <-ctx.Done():
			return
		}
	}
}

// dueBy is with how many of so many items it is time after a part of the period. A wave takes those that are due before
// the next one.
func dueBy(passed, period time.Duration, items int) int {
	if passed >= period {
		return items
	}
	return min(items, int(math.Ceil(float64(items)*float64(passed+interval)/float64(period))))
}
