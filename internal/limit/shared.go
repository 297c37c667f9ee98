package limit

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Central has the buckets that nodes share.
type Central interface {
	// Spend tells of tokens that were granted and asks for more, bucket by bucket, and answers in their order. It fails where
	// the buckets cannot be reached: then nothing is granted, and what was told may have been noted or not.
	Spend(ctx context.Context, all []Spending) ([]Spent, error)
}

// Spending is what becomes of one bucket.
type Spending struct {
	User string
	Kind Kind
	Rate Rate
	// Granted are tokens that are gone, whether there were so many or not; Wanted are asked for, all or none.
	Granted, Wanted int
}

// Spent is what has become of it.
type Spent struct {
	// OK says that those that were wanted are granted.
	OK bool
	// Left is how many tokens there are now; below zero where more are gone than there were.
	Left float64
}

const (
	// askPatience is how long a request waits for the shared bucket, and reportPatience how long a report of tokens that
	// were granted may take.
	askPatience    = 50 * time.Millisecond
	reportPatience = 500 * time.Millisecond
	// reportEvery is the least time between two reports, each of which has up to reportSize buckets.
	reportEvery = 10 * time.Millisecond
	reportSize  = 256
	// downFor is for how long nobody asks a Central that could not be reached.
	downFor = time.Second
)

// Credit is how many tokens of a bucket a node grants before it has told of them: a tenth of the burst, and one at least. So the
// nodes that share buckets grant, in any time, what one bucket would and up to so many more for each node.
func (r Rate) Credit() int { return max(1, r.Burst/10) }

// shared is what is known of the buckets that nodes share. It grants on credit what there is as far as it knows, and tells of
// that later, many buckets at a time. What is more than the credit waits for an answer.
type shared struct {
	central Central
	wake    chan struct{}

	mu     sync.Mutex
	shares map[request]*share
	told   []*share // of which there is something to tell
	// down: nobody asks until then, and every node goes by its own buckets alone.
	down time.Time
}

// share is what is known of one bucket.
type share struct {
	of      request
	rate    Rate
	left    float64 // at a time, at most
	at      time.Time
	granted int // of which nobody has been told
	queued  bool
	line    line
}

func newShared(central Central) *shared {
	return &shared{central: central, wake: make(chan struct{}, 1), shares: make(map[request]*share)}
}

// leftAt is how many tokens there are, as far as is known.
func (s *share) leftAt(now time.Time) float64 {
	return min(float64(s.rate.Burst), s.left+max(0, now.Sub(s.at).Seconds())*float64(s.rate.perSecond()))
}

// learn takes an answer into account, which can only show that others have taken some: what is known may be newer.
func (s *share) learn(left float64, now time.Time) {
	s.left = min(s.leftAt(now), left-float64(s.granted))
	s.at = now
}

func (s *share) spend(tokens int, now time.Time) {
	s.left, s.at = s.leftAt(now)-float64(tokens), now
}

// waitFor is how long until there are so many.
func (s *share) waitFor(tokens int, now time.Time) time.Duration {
	return s.rate.time(float64(tokens)-s.leftAt(now)) + time.Nanosecond
}

func (s *shared) shareLocked(of request, rate Rate, now time.Time) *share {
	known := s.shares[of]
	if known == nil {
		known = &share{of: of, rate: rate, left: float64(rate.Burst), at: now}
		s.shares[of] = known
	}
	return known
}

// isDownLocked says that nobody is to be asked now.
func (s *shared) isDownLocked(now time.Time) bool { return now.Before(s.down) }

// failLocked forgets what was known: it says nothing any more.
func (s *shared) failLocked(now time.Time) {
	s.down = now.Add(downFor)
	s.shares = make(map[request]*share)
	s.told = nil
}

// takeShared takes tokens from the shared bucket and from that of this node, whatever its state. Lined has who is refused wait in line.
func (b *Buckets) takeShared(of request, rate Rate, tokens int, lined bool) (ok bool, retryAfter time.Duration) {
	s, tokens := b.shared, min(tokens, rate.Burst)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := b.now()
	if s.isDownLocked(now) || rate.Burst <= 0 {
		return b.takeOwn(of, tokens, lined)
	}
	known := s.shareLocked(of, rate, now)
	if known.leftAt(now) >= float64(tokens) && known.granted+tokens > rate.Credit() {
		var err error
		if ok, err = s.ask(known, tokens, b.now); err != nil {
			return b.takeOwn(of, tokens, lined)
		}
		if now = b.now(); ok {
			_, _ = b.Keyed.Admit(of, tokens) // it follows
			return true, 0
		}
	}
	if wait := known.waitFor(tokens, now); known.leftAt(now) < float64(tokens) {
		if lined {
			return false, scatter(known.line.join(now, wait, rate.time(float64(tokens))))
		}
		return false, wait
	}
	if ok, retryAfter = b.takeOwn(of, tokens, lined); ok {
		known.spend(tokens, now)
		s.noteLocked(known, tokens)
	}
	return ok, retryAfter
}

// noteLocked has it told that tokens were granted.
func (s *shared) noteLocked(known *share, tokens int) {
	known.granted += tokens
	if known.queued {
		return
	}
	known.queued = true
	s.told = append(s.told, known)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ask asks for tokens, with what is still to be told. The lock is held before and after, not meanwhile.
func (s *shared) ask(known *share, tokens int, clock func() time.Time) (ok bool, err error) {
	spending := Spending{User: known.of.user, Kind: known.of.kind, Rate: known.rate, Granted: known.granted, Wanted: tokens}
	known.granted = 0
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	spent, err := s.central.Spend(ctx, []Spending{spending})
	cancel()
	s.mu.Lock()
	now := clock()
	if err != nil {
		s.failLocked(now)
		return false, err
	}
	known.learn(spent[0].Left, now)
	if !spent[0].OK && known.leftAt(now) >= float64(tokens) {
		known.left = float64(tokens) - 1 // the clocks or roundings differ by a little: it is refused
	}
	return spent[0].OK, nil
}

// report tells what was granted on credit until ctx ends.
func (s *shared) report(ctx context.Context, clock func() time.Time) {
	pause := time.NewTicker(reportEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for s.reportSome(ctx, clock) {
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// reportSome tells of some buckets, and reports whether there are more.
func (s *shared) reportSome(ctx context.Context, clock func() time.Time) (more bool) {
	s.mu.Lock()
	some := s.told[:min(len(s.told), reportSize)]
	s.told = s.told[len(some):]
	more = len(s.told) > 0
	all := make([]Spending, len(some))
	for i, known := range some {
		all[i] = Spending{User: known.of.user, Kind: known.of.kind, Rate: known.rate, Granted: known.granted}
		known.granted, known.queued = 0, false
	}
	s.mu.Unlock()
	if len(all) == 0 {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	spent, err := s.central.Spend(limited, all)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	if err != nil {
		s.failLocked(now)
		return false
	}
	for i, known := range some {
		known.learn(spent[i].Left, now)
	}
	return more
}

// evict forgets buckets that are full.
func (s *shared) evict(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for of, known := range s.shares {
		if !known.queued && known.granted == 0 && known.leftAt(now) >= float64(known.rate.Burst) {
			delete(s.shares, of)
		}
	}
}

// line is those who were told when to come back.
type line struct{ end time.Time }

// join sends somebody who would have to wait for so long to the end of the line, a minute from now at most, and returns how long
// that is; costs is how much longer the next one waits.
func (l *line) join(now time.Time, wait, costs time.Duration) time.Duration {
	if wait >= longestLine {
		return wait
	}
	ready := now.Add(wait)
	if l.end.After(ready) {
		ready = l.end
	}
	l.end = ready.Add(min(costs, longestLine))
	if latest := now.Add(longestLine); l.end.After(latest) {
		l.end = latest
	}
	return min(ready.Sub(now), longestLine)
}

// scatter is a wait, up to half as long again by chance.
func scatter(wait time.Duration) time.Duration {
	return min(wait, maxWait-longestLine) + rand.N(min(wait, longestLine)/2+1)
}
