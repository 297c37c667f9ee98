package limit_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rolecall/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func one(kind limit.Kind, rate limit.Rate) map[limit.Kind]limit.Rate {
	return map[limit.Kind]limit.Rate{kind: rate}
}

// drain takes tokens until refused, at most the given number.
func drain(b *limit.Buckets, user string, kind limit.Kind, most int) (granted int, retryAfter time.Duration) {
	for granted <= most {
		ok, wait := b.Take(user, kind)
		if !ok {
			return granted, wait
		}
		granted++
	}
	return granted, 0
}

// The limits of section 3 of the wire contract, written out a second time.
func TestDefaults(t *testing.T) {
	want := map[limit.Kind]string{
		limit.Chat: "10/10s:10", limit.Typing: "5/1s:5", limit.Join: "20/10s:100", limit.Location: "10/1s:50",
		limit.Backlog: "50/1s:4000", limit.Read: "20/1s:20", limit.Search: "20/10s:10", limit.Other: "20/1s:20", limit.Failure: "10/1s:200",
		limit.Shed: "100/1s:30000", limit.Connect: "20/10s:100", limit.Upload: "100/1m0s:1000",
	}
	got := make(map[limit.Kind]string)
	for kind, rate := range limit.Defaults() {
		got[kind] = rate.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	limit.Defaults()[limit.Chat] = limit.Rate{}
	if limit.Defaults()[limit.Chat].Burst != 10 {
		t.Error("one caller's change reaches the next")
	}
}

func TestTakeBurstAndRefill(t *testing.T) {
	now := newClock()
	b := limit.NewBuckets(one(limit.Chat, limit.Rate{Requests: 2, Period: time.Second, Burst: 5}), now.Now)

	granted, retryAfter := drain(b, "u", limit.Chat, 5)
	if granted != 5 || retryAfter.Round(time.Microsecond) != 500*time.Millisecond {
		t.Fatalf("a new bucket granted %d, then asked to wait %s; want 5 and 500ms", granted, retryAfter)
	}
	if _, again := b.Take("u", limit.Chat); again != retryAfter {
		t.Errorf("a refused take changed the wait from %s to %s", retryAfter, again)
	}
	now.Advance(retryAfter - time.Microsecond)
	if ok, _ := b.Take("u", limit.Chat); ok {
		t.Error("granted before the time to wait was over")
	}
	now.Advance(time.Microsecond)
	if ok, _ := b.Take("u", limit.Chat); !ok {
		t.Error("refused after the time to wait was over")
	}
	now.Advance(time.Second)
	if granted, _ := drain(b, "u", limit.Chat, 5); granted != 2 {
		t.Errorf("one period gave %d back, want 2", granted)
	}
	now.Advance(time.Hour)
	if granted, _ := drain(b, "u", limit.Chat, 10); granted != 5 {
		t.Errorf("an hour gave %d back, want no more than the burst of 5", granted)
	}
}

func TestUsersAndKindsAreApart(t *testing.T) {
	now := newClock()
	b := limit.NewBuckets(map[limit.Kind]limit.Rate{
		limit.Chat:   {Requests: 1, Period: time.Second, Burst: 1},
		limit.Typing: {Requests: 1, Period: time.Second, Burst: 2},
	}, now.Now)
	for _, tc := range []struct {
		user string
		kind limit.Kind
		want bool
	}{
		{"a", limit.Chat, true},
		{"a", limit.Chat, false},
		{"a", limit.Typing, true},
		{"b", limit.Chat, true},
		{"a", limit.Typing, true},
		{"a", limit.Typing, false},
		{"b", limit.Chat, false},
		{"b", limit.Typing, true},
	} {
		if ok, _ := b.Take(tc.user, tc.kind); ok != tc.want {
			t.Errorf("Take(%s, %s) = %t, want %t", tc.user, tc.kind, ok, tc.want)
		}
	}
	if b.Len() != 4 {
		t.Errorf("%d buckets are kept, want 4", b.Len())
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	b := limit.NewBuckets(map[limit.Kind]limit.Rate{limit.Chat: {}}, newClock().Now)
	for _, kind := range []limit.Kind{limit.Chat, "no-such"} {
		if ok, retryAfter := b.Take("u", kind); ok || retryAfter <= 0 {
			t.Errorf("Take(%s) = %t, %s; want a refusal with a time to wait", kind, ok, retryAfter)
		}
	}
	if b.Len() != 0 {
		t.Error("a refusal of an unknown kind left a bucket behind")
	}
}

func TestEvictForgetsOnlyFullBuckets(t *testing.T) {
	now := newClock()
	b := limit.NewBuckets(one(limit.Chat, limit.Rate{Requests: 1, Period: time.Second, Burst: 3}), now.Now)
	drain(b, "u", limit.Chat, 3)
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Second} { // 3 s in all: full, and not a moment longer
		now.Advance(wait)
		if b.Evict(); b.Len() != 1 {
			t.Fatalf("forgotten %s after a take", wait)
		}
	}
	now.Advance(time.Nanosecond)
	if b.Evict(); b.Len() != 0 {
		t.Error("a bucket that has been full for a while is kept")
	}
}

// A period of centuries must not overflow into a bucket that is forgotten, and thereby refilled, at once.
func TestEvictOfAnEndlessRefill(t *testing.T) {
	for name, rate := range map[string]limit.Rate{
		"product above an int64": {Requests: 1, Period: math.MaxInt64, Burst: 1000},
		"no refill at all":       {Requests: 0, Period: time.Second, Burst: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			now := newClock()
			b := limit.NewBuckets(one(limit.Chat, rate), now.Now)
			drain(b, "u", limit.Chat, rate.Burst)
			now.Advance(time.Hour)
			b.Evict()
			if ok, _ := b.Take("u", limit.Chat); ok {
				t.Error("eviction filled an empty bucket")
			}
		})
	}
}

func rates() *rapid.Generator[limit.Rate] {
	return rapid.Custom(func(t *rapid.T) limit.Rate {
		return limit.Rate{
			Requests: rapid.IntRange(1, 50).Draw(t, "requests"),
			Period:   time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "period")),
			Burst:    rapid.IntRange(1, 50).Draw(t, "burst"),
		}
	})
}

// Whoever waits as long as told is served, and whoever waits clearly less is not.
func TestRetryAfterIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rates().Draw(t, "rate")
		now := newClock()
		b := limit.NewBuckets(one(limit.Chat, rate), now.Now)
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			granted, retryAfter := drain(b, "u", limit.Chat, 10*rate.Burst)
			if retryAfter <= 0 {
				// A token comes back every nanosecond or faster, which no refusal can be about.
				if rate.Period >= time.Duration(2*rate.Requests) {
					t.Fatalf("%s: %d were granted and nothing refused", rate, granted)
				}
				return
			}
			if early := retryAfter - time.Microsecond; early > 0 {
				now.Advance(early)
				if ok, _ := b.Take("u", limit.Chat); ok {
					t.Fatalf("%s: granted 1µs before the %s were over", rate, retryAfter)
				}
				retryAfter = time.Microsecond
			}
			now.Advance(retryAfter)
			if ok, more := b.Take("u", limit.Chat); !ok {
				t.Fatalf("%s: refused after the wait, %s more", rate, more)
			}
			now.Advance(time.Duration(rapid.Int64Range(0, int64(rate.Period)).Draw(t, "pause")))
		}
	})
}

// In no window of time is more granted than the burst and what comes back within it.
func TestGrantsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rates().Draw(t, "rate")
		now := newClock()
		b := limit.NewBuckets(one(limit.Chat, rate), now.Now)
		granted, elapsed := 0, time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "wait") {
				pause := time.Duration(rapid.Int64Range(0, int64(rate.Period)).Draw(t, "pause"))
				now.Advance(pause)
				elapsed += pause
			}
			if ok, _ := b.Take("u", limit.Chat); ok {
				granted++
			}
			refilled := float64(elapsed) * float64(rate.Requests) / float64(rate.Period)
			if most := float64(rate.Burst) + refilled + 1e-6 + float64(rate.Requests)/float64(rate.Period); float64(granted) > most {
				t.Fatalf("%s: %d granted in %s, at most %.3f are right", rate, granted, elapsed, most)
			}
		}
	})
}

// Eviction is a matter of memory alone: the same calls get the same answers with and without it.
func TestEvictIsUnobservable(t *testing.T) {
	kinds := []limit.Kind{limit.Chat, limit.Typing}
	users := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		table := make(map[limit.Kind]limit.Rate)
		for _, kind := range kinds {
			table[kind] = limit.Rate{
				Requests: rapid.IntRange(1, 20).Draw(t, "requests"),
				Period:   time.Duration(rapid.IntRange(1, 30_000).Draw(t, "milliseconds")) * time.Millisecond,
				Burst:    rapid.IntRange(1, 10).Draw(t, "burst"),
			}
		}
		now := newClock()
		kept, evicted := limit.NewBuckets(table, now.Now), limit.NewBuckets(table, now.Now)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				now.Advance(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
			case 1:
				evicted.Evict()
			default:
				user, kind := rapid.SampledFrom(users).Draw(t, "user"), rapid.SampledFrom(kinds).Draw(t, "kind")
				wantOK, wantWait := kept.Take(user, kind)
				ok, wait := evicted.Take(user, kind)
				// Tokens are fractions: the two may round a nanosecond apart.
				if ok != wantOK || (wait-wantWait).Abs() > time.Nanosecond {
					t.Fatalf("Take(%s, %s) = %t, %s with evictions; %t, %s without", user, kind, ok, wait, wantOK, wantWait)
				}
			}
		}
	})
}

// Many at once get exactly the burst, and those refused neither pay for it nor are told to wait in a queue.
func TestConcurrentTakes(t *testing.T) {
	const callers, takes, burst = 16, 200, 100
	const token = 100 * time.Millisecond
	now := newClock()
	b := limit.NewBuckets(one(limit.Location, limit.Rate{Requests: 10, Period: time.Second, Burst: burst}), now.Now)
	for round := range 3 {
		var granted, longest atomic.Int64
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range takes {
					ok, retryAfter := b.Take("u", limit.Location)
					if ok {
						granted.Add(1)
						continue
					}
					for seen := longest.Load(); int64(retryAfter) > seen; seen = longest.Load() {
						if longest.CompareAndSwap(seen, int64(retryAfter)) {
							break
						}
					}
					b.Evict()
				}
			})
		}
		all.Wait()
		if granted.Load() != burst {
			t.Fatalf("round %d: %d callers were granted %d, want the burst of %d", round, callers, granted.Load(), burst)
		}
		if wait := time.Duration(longest.Load()); wait.Round(time.Microsecond) > token {
			t.Fatalf("round %d: a refused caller was told to wait %s, a token comes back every %s", round, wait, token)
		}
		now.Advance(burst * token) // exactly full again
	}
}

// A clock read before another caller's and used after it must not count the time between twice.
func TestClockIsReadInOrder(t *testing.T) {
	now := newClock()
	held, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	slow := func() time.Time {
		read := now.Now()
		if calls.Add(1) == 2 {
			close(held)
			<-release
		}
		return read
	}
	b := limit.NewBuckets(one(limit.Chat, limit.Rate{Requests: 1, Period: time.Second, Burst: 2}), slow)
	b.Take("u", limit.Chat)

	var both sync.WaitGroup
	var granted atomic.Int64
	take := func() {
		if ok, _ := b.Take("u", limit.Chat); ok {
			granted.Add(1)
		}
	}
	both.Go(take)
	<-held
	now.Advance(time.Second)
	started := make(chan struct{})
	both.Go(func() { close(started); take() })
	<-started
	close(release)
	both.Wait()
	for range 5 {
		take()
	}
	if granted.Load() != 2 { // 1 left of the burst, 1 back after a second
		t.Errorf("%d were granted, want 2", granted.Load())
	}
}

func TestRunEvictsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := limit.NewBuckets(one(limit.Chat, limit.Rate{Requests: 1, Period: time.Second, Burst: 1}), nil)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			b.Run(ctx, time.Minute)
		}()
		b.Take("u", limit.Chat)
		time.Sleep(time.Minute - time.Nanosecond) // the bubble's clock: no real time passes
		synctest.Wait()
		if b.Len() != 1 {
			t.Error("evicted ahead of the first tick")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if b.Len() != 0 {
			t.Error("an idle bucket outlived the tick")
		}
		cancel()
		<-stopped
	})
}
