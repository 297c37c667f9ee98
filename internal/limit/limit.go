// Package limit holds token buckets: one for each user and kind of request, shared by all of the user's sockets and
// REST calls on this node, and forgotten once idle.
package limit

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Kind is a class of requests that share a bucket.
type Kind string

// The kinds.
const (
	Chat     Kind = "chat"
	Typing   Kind = "typing"
	Join     Kind = "join"
	Location Kind = "location"
	Read     Kind = "read"
	Other    Kind = "other"
	// Failure counts bad events; whoever empties this bucket is disconnected for abuse.
	Failure Kind = "failure"
)

// Rate is so many requests in a period, and so many at once. The zero Rate refuses everything.
type Rate struct {
	Requests int
	Period   time.Duration
	Burst    int
}

// Defaults returns the rates of the wire contract.
func Defaults() map[Kind]Rate {
	return map[Kind]Rate{
		Chat:     {Requests: 10, Period: 10 * time.Second, Burst: 10},
		Typing:   {Requests: 5, Period: time.Second, Burst: 5},
		Join:     {Requests: 20, Period: 10 * time.Second, Burst: 20},
		Location: {Requests: 10, Period: time.Second, Burst: 50},
		Read:     {Requests: 20, Period: time.Second, Burst: 20},
		Other:    {Requests: 20, Period: time.Second, Burst: 20},
		Failure:  {Requests: 10, Period: time.Second, Burst: 200},
	}
}

// ParseRate reads "10/10s:20": 10 requests in 10 seconds, 20 at once. Without ":20" the burst is the 10.
func ParseRate(text string) (Rate, error) {
	wrong := fmt.Errorf("%q is not of the form 10/10s:20 (requests/period:burst)", text)
	spec, burst, hasBurst := strings.Cut(text, ":")
	requests, period, ok := strings.Cut(spec, "/")
	if !ok {
		return Rate{}, wrong
	}
	var r Rate
	var err error
	if r.Requests, err = strconv.Atoi(requests); err != nil || r.Requests <= 0 {
		return Rate{}, wrong
	}
	if r.Period, err = time.ParseDuration(period); err != nil || r.Period <= 0 {
		return Rate{}, wrong
	}
	r.Burst = r.Requests
	if hasBurst {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst <= 0 {
			return Rate{}, wrong
		}
	}
	return r, nil
}

// String is the form ParseRate reads.
func (r Rate) String() string { return fmt.Sprintf("%d/%s:%d", r.Requests, r.Period, r.Burst) }

func (r Rate) perSecond() rate.Limit { return rate.Limit(float64(r.Requests) / r.Period.Seconds()) }

// refill is how long an empty bucket takes to fill up, the longest duration where it is longer than that.
func (r Rate) refill() time.Duration {
	nanoseconds := float64(r.Period) * float64(r.Burst) / float64(r.Requests)
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

type key struct {
	user string
	kind Kind
}

type bucket struct {
	tokens *rate.Limiter
	used   time.Time
}

// Buckets holds the buckets of all users. It is safe for use by many goroutines.
type Buckets struct {
	rates map[Kind]Rate
	now   func() time.Time

	mu      sync.Mutex
	buckets map[key]*bucket
}

// NewBuckets returns Buckets with these rates, which must name every kind in use; a nil now is the clock.
func NewBuckets(rates map[Kind]Rate, now func() time.Time) *Buckets {
	if now == nil {
		now = time.Now
	}
	return &Buckets{rates: rates, now: now, buckets: make(map[key]*bucket)}
}

// Take takes one token. Where none is left it returns false and how long until there is one.
func (b *Buckets) Take(user string, kind Kind) (ok bool, retryAfter time.Duration) {
	// The lock is held to the end. A reservation between another's making and cancelling would keep that one's token
	// from coming back, and a clock read outside could be older than the bucket's last use and count time twice.
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	k := key{user, kind}
	entry := b.buckets[k]
	if entry == nil {
		r := b.rates[kind]
		if r.Burst <= 0 {
			return false, time.Second
		}
		entry = &bucket{tokens: rate.NewLimiter(r.perSecond(), r.Burst)}
		b.buckets[k] = entry
	}
	entry.used = now

	reservation := entry.tokens.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return false, wait + time.Nanosecond // the limiter rounds down
	}
	return true, 0
}

// Evict forgets buckets idle for so long that they are full again, which changes nothing for their users.
func (b *Buckets) Evict() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for k, entry := range b.buckets {
		if now.Sub(entry.used) > b.rates[k.kind].refill() {
			delete(b.buckets, k)
		}
	}
}

// Run evicts idle buckets until ctx ends.
func (b *Buckets) Run(ctx context.Context, every time.Duration) {
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
