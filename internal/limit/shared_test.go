package limit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/limit"
)

// center is a Central in this process.
type center struct {
	mu      sync.Mutex
	now     func() time.Time
	full    map[string]time.Time // when the bucket is full again
	asked   int
	broken  bool
	granted int
}

var errBroken = errors.New("broken")

func (c *center) Spend(_ context.Context, all []limit.Spending) ([]limit.Spent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.broken {
		return nil, errBroken
	}
	spent := make([]limit.Spent, len(all))
	for i, one := range all {
		each := one.Rate.Period / time.Duration(one.Rate.Requests)
		now, key := c.now(), string(one.Kind)+one.User
		full := c.full[key]
		if full.Before(now) {
			full = now
		}
		full = full.Add(time.Duration(one.Granted) * each)
		spent[i].Left = float64(one.Rate.Burst) - float64(full.Sub(now))/float64(each)
		if one.Wanted > 0 && spent[i].Left >= float64(one.Wanted) {
			full = full.Add(time.Duration(one.Wanted) * each)
			spent[i].OK, spent[i].Left = true, spent[i].Left-float64(one.Wanted)
		}
		c.full[key] = full
		c.granted += one.Granted
	}
	return spent, nil
}

// However nodes are asked, and whether they come to tell of what they grant or not, all of them together grant what one bucket
// would and a credit more for each, and not much less.
func TestSharedBucketsGrantNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := limit.Rate{
			Requests: rapid.IntRange(1, 20).Draw(t, "requests"), Period: time.Second, Burst: rapid.IntRange(1, 60).Draw(t, "burst"),
		}
		number := rapid.IntRange(1, 4).Draw(t, "nodes")
		watch := newClock()
		began := watch.Now()
		all := &center{now: watch.Now, full: make(map[string]time.Time)}
		nodes := make([]*limit.Buckets, number)
		for i := range nodes {
			nodes[i] = limit.NewBuckets(map[limit.Kind]limit.Rate{limit.Chat: rate}, watch.Now)
			nodes[i].Share(all)
		}
		granted := 0
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			node := nodes[rapid.IntRange(0, number-1).Draw(t, "node")]
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				watch.Advance(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			case 1:
				node.Report(t.Context())
			case 2:
				tokens := rapid.IntRange(1, rate.Burst).Draw(t, "tokens")
				if ok, _ := node.Admit("amy", limit.Chat, tokens); ok {
					granted += tokens
				}
			default:
				if ok, retry := node.Take("amy", limit.Chat); ok {
					granted++
				} else if retry <= 0 {
					t.Fatalf("refused, to come back in %s", retry)
				}
			}
			one := float64(rate.Burst) + watch.Now().Sub(began).Seconds()*float64(rate.Requests)
			if most := one + float64(number*rate.Credit()); float64(granted) > most+0.01 {
				t.Fatalf("%d granted, one bucket would have %.2f, so %.2f at most", granted, one, most)
			}
		}
		for _, node := range nodes {
			node.Report(t.Context())
		}
		watch.Advance(time.Duration(rate.Burst*(number+2)) * rate.Period) // all debts are paid
		for i := range rate.Burst {
			if ok, _ := nodes[0].Take("amy", limit.Chat); !ok {
				t.Fatalf("%d of %d are granted after a long time", i, rate.Burst)
			}
		}
	})
}

// Without the others each node goes by its own bucket, asks no more for a while, and does again afterwards.
func TestSharedBucketsAlone(t *testing.T) {
	watch := newClock()
	all := &center{now: watch.Now, full: make(map[string]time.Time), broken: true}
	rate := limit.Rate{Requests: 1, Period: time.Hour, Burst: 30}
	buckets := limit.NewBuckets(map[limit.Kind]limit.Rate{limit.Chat: rate}, watch.Now)
	buckets.Share(all)
	for i := range rate.Burst {
		if ok, _ := buckets.Take("amy", limit.Chat); !ok {
			t.Fatalf("token %d was refused", i)
		}
	}
	if ok, _ := buckets.Take("amy", limit.Chat); ok {
		t.Error("one too many")
	}
	if all.asked != 1 {
		t.Errorf("asked %d times", all.asked)
	}
	watch.Advance(time.Minute)
	all.broken = false
	for range rate.Credit() + 1 {
		buckets.Take("bob", limit.Chat)
	}
	if all.asked != 2 {
		t.Errorf("not asked again: %d times", all.asked)
	}
}

// What is granted on credit is told soon, of many at a time.
func TestSharedBucketsReport(t *testing.T) {
	all := &center{now: time.Now, full: make(map[string]time.Time)}
	buckets := limit.NewBuckets(limit.Defaults(), nil)
	buckets.Share(all)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); buckets.Run(ctx, time.Millisecond) }()
	for i := range 1000 {
		if ok, _ := buckets.Take(string(rune('a'+i)), limit.Chat); !ok {
			t.Errorf("user %d was refused", i)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(time.Millisecond) {
		all.mu.Lock()
		told, asked := all.granted, all.asked
		all.mu.Unlock()
		if told == 1000 {
			if asked > 200 {
				t.Errorf("told in %d parts", asked)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d were told of", told)
		}
	}
	stop()
	<-done
}

// BenchmarkTake is the way of nearly every event: a token of a node's own bucket, and one that is shared, of the credit; and one
// that has to be asked for.
func BenchmarkTake(b *testing.B) {
	lavish := map[limit.Kind]limit.Rate{limit.Chat: {Requests: 1_000_000_000, Period: time.Second, Burst: 1_000_000_000}}
	scarce := map[limit.Kind]limit.Rate{limit.Chat: {Requests: 1_000_000_000, Period: time.Second, Burst: 9}}
	for name, rates := range map[string]map[limit.Kind]limit.Rate{"own": lavish, "credit": lavish, "asked": scarce} {
		b.Run(name, func(b *testing.B) {
			buckets := limit.NewBuckets(rates, nil)
			if name != "own" {
				buckets.Share(&center{now: time.Now, full: make(map[string]time.Time)})
			}
			b.ReportAllocs()
			for b.Loop() {
				buckets.Take("amy", limit.Chat)
			}
		})
	}
}
