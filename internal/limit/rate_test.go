package limit_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/limit"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]limit.Rate{
		"10/10s:20":    {Requests: 10, Period: 10 * time.Second, Burst: 20},
		"10/10s":       {Requests: 10, Period: 10 * time.Second, Burst: 10},
		"1/100ms:1":    {Requests: 1, Period: 100 * time.Millisecond, Burst: 1},
		"3/1m30s:4":    {Requests: 3, Period: 90 * time.Second, Burst: 4},
		"7/24h0m0s:9":  {Requests: 7, Period: 24 * time.Hour, Burst: 9},
		"5/1.5s:2":     {Requests: 5, Period: 1500 * time.Millisecond, Burst: 2},
		"1000000/1ns":  {Requests: 1_000_000, Period: 1, Burst: 1_000_000},
		"1/2562047h:1": {Requests: 1, Period: 2562047 * time.Hour, Burst: 1},
	} {
		if got, err := limit.ParseRate(text); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "10", "10/", "/10s", "10/10", "10/s", "10/10s:", "10/10s:x", "10/10s:1:1", "10/10s/1", ":", "/", "/:",
		"0/10s", "-1/10s", "10/0s", "10/-1s", "10/10s:0", "10/10s:-5", "1.5/1s", "1e3/1s", "0x10/1s", "ten/1s",
		" 10/10s", "10/10s ", "10 / 10s", "10/10s: 5", "off", "99999999999999999999/1s", "1/9999999999h",
		"1/1s:99999999999999999999", "10/10s:20\n",
	} {
		if got, err := limit.ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %+v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "10/10s:20") || got != (limit.Rate{}) {
			t.Errorf("ParseRate(%q) = %+v, %q: want no rate, and an error that shows the form", text, got, err)
		}
	}
}

func TestRateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := limit.Rate{
			Requests: rapid.IntMin(1).Draw(t, "requests"),
			Period:   time.Duration(rapid.Int64Min(1).Draw(t, "period")),
			Burst:    rapid.IntMin(1).Draw(t, "burst"),
		}
		if got, err := limit.ParseRate(want.String()); err != nil || got != want {
			t.Fatalf("ParseRate(%q) = %+v, %v; want %+v", want, got, err, want)
		}
	})
}

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"10/10s:20", "10/10s", "", "1/1ns:1", "-1/1s", "1/1h1m1s1ms:2", "9223372036854775807/1ns"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, err := limit.ParseRate(text)
		if err != nil {
			return
		}
		if rate.Requests <= 0 || rate.Period <= 0 || rate.Burst <= 0 {
			t.Fatalf("ParseRate(%q) = %+v", text, rate)
		}
		if again, err := limit.ParseRate(rate.String()); err != nil || again != rate {
			t.Fatalf("%q became %q became %+v, %v", text, rate, again, err)
		}
		b := limit.NewBuckets(map[limit.Kind]limit.Rate{limit.Other: rate}, newClock().Now)
		if ok, _ := b.Take("u", limit.Other); !ok {
			t.Fatalf("a new bucket of %s refuses the first take", rate)
		}
		const countable = 1 << 53 // beyond it tokens are not told apart: the bucket is as full as before
		if b.Evict(); b.Len() != 1 && rate.Burst < countable {
			t.Fatalf("a bucket of %s is forgotten in the moment of its use", rate)
		}
	})
}
