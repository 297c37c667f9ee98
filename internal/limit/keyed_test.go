package limit_test

import (
	"math"
	"testing"
	"time"

	"rolecall/internal/limit"
)

// However many keys there are, memory stays bounded: those that are full again go first, then any other.
func TestKeysAreBounded(t *testing.T) {
	const most = 100
	now := newClock()
	b := limit.NewKeyed(func(int) limit.Rate { return limit.Rate{Requests: 1, Period: time.Minute, Burst: 1} }, most, now.Now)
	for key := range 3 * most {
		if ok, _ := b.Take(key); !ok {
			t.Fatalf("key %d is refused though it is new", key)
		}
		if want := min(key+1, most); b.Len() != want {
			t.Fatalf("%d keys are remembered after %d, want %d", b.Len(), key+1, want)
		}
	}
	now.Advance(2 * time.Minute) // all are full again
	b.Take(-1)
	if b.Len() != 1 {
		t.Errorf("%d keys are remembered, want the one that is not full", b.Len())
	}
	if ok, _ := b.Take(-1); ok {
		t.Error("the one that is not full has been forgotten")
	}
}

// A wait of centuries is no wait of nothing, which rounding made of it.
func TestEndlessWaits(t *testing.T) {
	for _, rate := range []limit.Rate{
		{Requests: 1, Period: math.MaxInt64, Burst: 1},
		{Requests: 1, Period: math.MaxInt64 - 1, Burst: 2},
		{Requests: 0, Period: time.Second, Burst: 1},
	} {
		b := limit.NewKeyed(func(string) limit.Rate { return rate }, 0, newClock().Now)
		for range rate.Burst {
			b.Take("k")
		}
		if ok, wait := b.Take("k"); ok || wait < 24*time.Hour {
			t.Errorf("%s: granted %t beyond the burst, wait %s", rate, ok, wait)
		}
	}
}
