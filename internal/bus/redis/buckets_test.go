package redis_test

import (
	"context"
	"math"
	"testing"
	"time"

	"rolecall/internal/limit"
	"rolecall/test/servers"
)

// TestBuckets: a bucket in Redis grants what there is, all or none; what was granted without it is lacking, below zero as well;
// tokens come back, and a bucket that is full is forgotten.
func TestBuckets(t *testing.T) {
	server := servers.StartRedis(t)
	a := start(t, quick(server.URL))
	rate := limit.Rate{Requests: 1, Period: time.Hour, Burst: 10}
	spend := func(kind limit.Kind, rate limit.Rate, granted, wanted int) limit.Spent {
		t.Helper()
		spent, err := a.Spend(t.Context(), []limit.Spending{
			{User: "bob", Kind: "bystander", Rate: rate}, {User: "amy", Kind: kind, Rate: rate, Granted: granted, Wanted: wanted},
		})
		if err != nil || len(spent) != 2 {
			t.Fatalf("%+v, %v", spent, err)
		}
		if spent[0].OK || spent[0].Left != float64(rate.Burst) {
			t.Errorf("who has taken nothing: %+v", spent[0])
		}
		return spent[1]
	}
	eventually(t, "Redis is reached", func() bool {
		_, err := a.Spend(t.Context(), nil)
		return err == nil
	})
	for i, step := range []struct {
		granted, wanted int
		ok              bool
		left            float64
	}{{0, 0, false, 10}, {0, 4, true, 6}, {0, 7, false, 6}, {3, 3, true, 0}, {0, 1, false, 0}, {5, 1, false, -5}} {
		spent := spend("chat", rate, step.granted, step.wanted)
		if spent.OK != step.ok || math.Abs(spent.Left-step.left) > 0.1 {
			t.Errorf("step %d: %+v, want %t, %g", i, spent, step.ok, step.left)
		}
	}
	quickRate := limit.Rate{Requests: 100, Period: time.Second, Burst: 2}
	spend("typing", quickRate, 0, 2)
	eventually(t, "tokens come back", func() bool { return spend("typing", quickRate, 0, 1).OK })
	eventually(t, "a full bucket is forgotten", func() bool { return server.Ask("EXISTS rolecall:{0}:rate:typing:amy") == ":0" })

	never := limit.Rate{Requests: 1, Period: math.MaxInt64, Burst: math.MaxInt32}
	if spent := spend("slow", never, 1, 1); !spent.OK {
		t.Errorf("the slowest: %+v", spent)
	}
	server.Kill()
	eventually(t, "without Redis nothing is granted", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Spend(ctx, []limit.Spending{{User: "amy", Kind: "chat", Rate: rate, Wanted: 1}})
		return err != nil
	})
}

// What it costs to tell of what a hundred users have been granted.
func BenchmarkSpend(b *testing.B) {
	server := servers.StartRedis(b)
	a := start(b, quick(server.URL))
	eventually(b, "Redis is reached", func() bool {
		_, err := a.Spend(b.Context(), nil)
		return err == nil
	})
	all := make([]limit.Spending, 100)
	for i := range all {
		all[i] = limit.Spending{User: string(rune('a' + i)), Kind: limit.Location, Rate: limit.Defaults()[limit.Location], Granted: 1}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Spend(b.Context(), all); err != nil {
			b.Fatal(err)
		}
	}
}
