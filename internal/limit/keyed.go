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
	buckets map[K]*bucket
	swept   time.Time
}

// bucket is the bucket of one key.
type bucket struct {
	*rate.Limiter
	line line // of those who wait by Admit
}

// longestLine is how far ahead somebody is told to come back because of others who wait.
const longestLine = time.Minute

const maxWait = time.Duration(math.MaxInt64)

// NewKeyed returns buckets of the sizes that rateOf tells, at most so many; 0 for any number. A nil now is the clock. Run
// must be called for it to forget idle ones.
func NewKeyed[K comparable](rateOf func(K) Rate, most int, now func() time.Time) *Keyed[K] {
	if now == nil {
		now = time.Now
	}
	return &Keyed[K]{rateOf: rateOf, most: most, now: now, buckets: make(map[K]*bucket)}
}

// Now is the time by the buckets' clock.
func (b *Keyed[K]) Now() time.Time { return b.now() }

// Take takes one token. Where none is left it returns false and how long until there is one.
func (b *Keyed[K]) Take(key K) (ok bool, retryAfter time.Duration) {
	// The lock is held to the end. A reservation between another's making and cancelling would keep that one's token
	// from coming back, and a clock read outside could be older than the bucket's last use and count time twice.
	b.mu.Lock()
	defer b.mu.Unlock()
	_, wait := b.takeLocked(key, 1, b.now())
	return wait == 0, wait
}

// Admit takes so many tokens at once, all or none; what is more than fits into the bucket costs a full one. Where too few
// are left it returns false and when to come back. Those of one key who are refused are sent to the end of a line, of a
// minute at most, so that not all of them come back for the same token; and as the same thing befalls many keys at once
// (a restart), everybody is told up to half as long again by chance.
func (b *Keyed[K]) Admit(key K, tokens int) (ok bool, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	held, wait := b.takeLocked(key, tokens, now)
	if wait == 0 {
		return true, 0
	}
	if held != nil {
		costs := time.Duration(float64(min(tokens, held.Burst())) / float64(held.Limit()) * float64(time.Second))
		wait = held.line.join(now, wait, costs)
	}
	return false, scatter(wait)
}

// takeLocked takes tokens and returns no wait, or how long until there are so many, and the key's bucket. There is none
// where the rate grants nothing.
func (b *Keyed[K]) takeLocked(key K, tokens int, now time.Time) (held *bucket, wait time.Duration) {
	held = b.buckets[key]
	if held == nil {
		r := b.rateOf(key)
		if r.Burst <= 0 {
			return nil, time.Second
		}
		b.makeRoomLocked(now)
		held = &bucket{Limiter: rate.NewLimiter(r.perSecond(), r.Burst)}
		b.buckets[key] = held
	}
	reservation := held.ReserveN(now, min(tokens, held.Burst()))
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return held, min(wait, math.MaxInt64-1) + time.Nanosecond // the limiter rounds down
	}
	return held, 0
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
