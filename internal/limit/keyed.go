package limit

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepPause is the least time between two sweeps that want of room has called for.
const sweepPause = time.Second

// Keyed is a token bucket for each key. It is safe for use by many goroutines.
//
// A bucket that is full again is forgotten, which changes nothing for whose it is. Where that does not make room, any
// other is dropped: its key starts anew with a full bucket. Refusing whoever is new instead would let somebody with many
// keys lock everybody else out.
type Keyed[K comparable] struct {
	rateOf func(K) Rate
	most   int
	now    func() time.Time

	mu      sync.Mutex
	buckets map[K]*rate.Limiter
	swept   time.Time
}

// NewKeyed returns buckets of the sizes that rateOf tells, at most so many; 0 for any number. A nil now is the clock. Run
// must be called for it to forget idle ones.
func NewKeyed[K comparable](rateOf func(K) Rate, most int, now func() time.Time) *Keyed[K] {
	if now == nil {
		now = time.Now
	}
	return &Keyed[K]{rateOf: rateOf, most: most, now: now, buckets: make(map[K]*rate.Limiter)}
}

// Take takes one token. Where none is left it returns false and how long until there is one.
func (b *Keyed[K]) Take(key K) (ok bool, retryAfter time.Duration) {
	// The lock is held to the end. A reservation between another's making and cancelling would keep that one's token
	// from coming back, and a clock read outside could be older than the bucket's last use and count time twice.
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	bucket := b.buckets[key]
	if bucket == nil {
		r := b.rateOf(key)
		if r.Burst <= 0 {
			return false, time.Second
		}
		b.makeRoomLocked(now)
		bucket = rate.NewLimiter(r.perSecond(), r.Burst)
		b.buckets[key] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return false, min(wait, math.MaxInt64-1) + time.Nanosecond // the limiter rounds down
	}
	return true, 0
}

// makeRoomLocked sees to it that one more key can be remembered.
func (b *Keyed[K]) makeRoomLocked(now time.Time) {
	if b.most <= 0 || len(b.buckets) < b.most {
		return
	}
	if now.Sub(b.swept) >= sweepPause {
		b.sweepLocked(now)
	}
	for key := range b.buckets {
		if len(b.buckets) < b.most {
			return
		}
		delete(b.buckets, key)
	}
}

// Evict forgets buckets that are full.
func (b *Keyed[K]) Evict() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweepLocked(b.now())
}

func (b *Keyed[K]) sweepLocked(now time.Time) {
	b.swept = now
	for key, bucket := range b.buckets {
		// Full a nanosecond ago: the limiter rounds.
		if bucket.TokensAt(now.Add(-time.Nanosecond)) >= float64(bucket.Burst()) {
			delete(b.buckets, key)
		}
	}
}

// Len is how many keys are remembered.
func (b *Keyed[K]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buckets)
}

// Run evicts idle buckets until ctx ends.
func (b *Keyed[K]) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.Evict()
		}
	}
}
