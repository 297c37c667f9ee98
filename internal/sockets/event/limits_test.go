package event_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Unix(1_767_268_800, 0)
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	slow := rates()
	slow[limit.Chat] = limit.Rate{Requests: 2, Period: 10 * time.Second, Burst: 2}
	buckets := limit.NewBuckets(slow, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	d := newDoor(t, buckets, func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Chat), answer(nil, nil))
		event.On(r, "other", access.Anyone(limit.Other), answer(nil, nil))
	})
	tab, phone := d.dial(person("amy", roles.Vendor)), d.dial(person("amy", roles.Vendor))
	for i, c := range []*client{tab, phone} {
		if got := parse(t, c.ask("e")); got.Status != "ok" {
			t.Fatalf("event %d: %+v", i, got)
		}
	}
	for i, c := range []*client{tab, phone} { // in the order in which tokens come back, up to half as long again
		least := int64(5000 * (i + 1))
		if got := parse(t, c.ask("e")); got.Code != fault.RateLimited || got.RetryAfterMs < least || got.RetryAfterMs > least*3/2+1 {
			t.Errorf("refusal %d: %+v, want rate_limited for %d ms or somewhat more", i, got, least)
		}
	}
	tab.tell("e")
	if got := parse(t, tab.hears("error:event")); got.Code != fault.RateLimited || got.RetryAfterMs < 15_000 || got.Event != "e" {
		t.Errorf("without an ack: %+v", got)
	}
	if got := parse(t, tab.ask("other")); got.Status != "ok" {
		t.Errorf("another kind: %+v", got)
	}
	if got := parse(t, d.dial(person("bob", roles.Vendor)).ask("e")); got.Status != "ok" {
		t.Errorf("another user: %+v", got)
	}
	pass(5001 * time.Millisecond)
	if got := parse(t, tab.ask("e")); got.Status != "ok" {
		t.Errorf("after waiting as long as was said: %+v", got)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{}, 10)
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Other), func(context.Context, auth.Identity, anything) (call.Nothing, error) {
			ran <- struct{}{}
			return call.Nothing{}, nil
		})
		event.On(r, "small", access.Anyone(limit.Other).WithMaxBytes(10), answer(nil, nil))
	})
	c := d.dial(person("amy", roles.Vendor))
	payload := func(bytes int) json.RawMessage {
		return json.RawMessage(`{"x":"` + strings.Repeat("x", bytes-len(`{"x":""}`)) + `"}`)
	}
	if got := parse(t, c.ask("e", payload(access.DefaultMaxBytes))); got.Status != "ok" {
		t.Errorf("as large as may be: %+v", got)
	}
	for name, args := range map[string][]any{
		"one byte more":        {payload(access.DefaultMaxBytes + 1)},
		"in a second argument": {json.RawMessage(`{}`), payload(access.DefaultMaxBytes)},
	} {
		if got := parse(t, c.ask("e", args...)); got.Code != fault.TooLarge {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if len(ran) != 1 {
		t.Errorf("the handler has run %d times", len(ran))
	}
	for bytes, want := range map[int]fault.Code{10: "", 11: fault.TooLarge} {
		if got := parse(t, c.ask("small", payload(bytes))); got.Code != want {
			t.Errorf("%d bytes where 10 are allowed: %+v", bytes, got)
		}
	}
}

// TestAbuse: bad events are answered and close nothing, unless they go on and on; then the connection ends with a word
// about it, and nobody else's does.
func TestAbuse(t *testing.T) {
	t.Parallel()
	strict := rates()
	strict[limit.Failure] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 3}
	d := newDoor(t, limit.NewBuckets(strict, nil), answering(nil, nil))
	bad, neighbour := d.dial(person("amy", roles.Vendor)), d.dial(person("bob", roles.Vendor))
	for i := range 3 {
		if got := parse(t, bad.ask("no:such")); got.Code != fault.NotFound {
			t.Fatalf("bad event %d: %+v", i, got)
		}
		if got := parse(t, bad.ask("e")); got.Status != "ok" {
			t.Fatalf("a good event between the bad ones: %+v", got)
		}
	}
	bad.tell("no:such")
	if got := parse(t, bad.hears("error:event")); got.Code != fault.NotFound {
		t.Errorf("the last bad event was answered with %+v", got)
	}
	if got := parse(t, bad.hears("error:event")); got.Code != fault.Abuse || got.Error == "" {
		t.Errorf("the farewell is %+v", got)
	}
	bad.ended()
	if got := parse(t, neighbour.ask("e")); got.Status != "ok" {
		t.Errorf("the neighbour: %+v", got)
	}
}

// TestTooMuchAtOnceIsNoAbuse: what official clients send at once after they were away is refused where it is too much, and
// closes nothing; going on and on beyond it does.
func TestTooMuchAtOnceIsNoAbuse(t *testing.T) {
	t.Parallel()
	strict := rates()
	strict[limit.Chat] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 1}
	strict[limit.Failure] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 1}
	strict[limit.Shed] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 50}
	d := newDoor(t, limit.NewBuckets(strict, nil), func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Chat), answer(nil, nil))
	})
	back := d.dial(person("amy", roles.Vendor))
	back.ask("e")
	for i := range 50 {
		if got := parse(t, back.ask("e")); got.Code != fault.RateLimited || got.RetryAfterMs <= 0 {
			t.Fatalf("event %d: %+v", i, got)
		}
	}
	if got := parse(t, back.ask("no:such")); got.Code != fault.NotFound {
		t.Errorf("a bad event after those that were too many: %+v", got)
	}
	back.tell("e")
	for got := parse(t, back.hears("error:event")); got.Code != fault.Abuse; got = parse(t, back.hears("error:event")) {
		if got.Code != fault.RateLimited {
			t.Fatalf("the last one: %+v", got)
		}
	}
	back.ended()
}

// items is a payload of several things.
type items struct {
	N int `json:"n" validate:"max=100"`
}

// Cost implements access.Itemized.
func (i items) Cost(time.Time) (limit.Kind, int) { return limit.Backlog, i.N }

// TestEachItemCounts: a payload of many things costs a token for each, all or none, and one that cannot be read costs one.
func TestEachItemCounts(t *testing.T) {
	t.Parallel()
	count := func(n any) map[string]any { return map[string]any{"n": n} }
	strict := rates()
	strict[limit.Location] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 1}
	strict[limit.Backlog] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 10}
	d := newDoor(t, limit.NewBuckets(strict, nil), func(r *event.Router) {
		event.On(r, "many", access.Needs(limit.Location, roles.PublishPosition).ByItem(),
			func(_ context.Context, _ auth.Identity, in items) (items, error) { return in, nil })
	})
	for user, steps := range map[string][]struct {
		payload map[string]any
		want    fault.Code
	}{
		"in-parts":       {{count(7), ""}, {count(4), fault.RateLimited}, {count(3), ""}, {count(1), fault.RateLimited}},
		"more-than-fits": {{count(99), ""}, {count(1), fault.RateLimited}},
		"cannot-be-read": {{count(101), fault.InvalidPayload}, {count("x"), fault.RateLimited}, {count(1), ""}},
	} {
		driver := d.dial(person(user, roles.Driver))
		for i, step := range steps {
			if got := parse(t, driver.ask("many", step.payload)); got.Code != step.want {
				t.Errorf("%s, step %d: %+v, want %q", user, i, got, step.want)
			}
		}
	}
	vendor := d.dial(person("vendor", roles.Vendor))
	for i, want := range []fault.Code{fault.Forbidden, fault.RateLimited} {
		if got := parse(t, vendor.ask("many", count(1))); got.Code != want {
			t.Errorf("a vendor, step %d: %+v, want %q", i, got, want)
		}
	}
}

// TestOutageIsNobodysAbuse: events the server cannot serve are answered and close nothing, however many there are.
func TestOutageIsNobodysAbuse(t *testing.T) {
	t.Parallel()
	strict := rates()
	strict[limit.Failure] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 3}
	d := newDoor(t, limit.NewBuckets(strict, nil), func(r *event.Router) {
		event.On(r, "down", access.Anyone(limit.Other), answer(nil, fault.Busy()))
	})
	patient := d.dial(person("amy", roles.Vendor))
	for i := range 20 {
		if got := parse(t, patient.ask("down")); got.Code != fault.Unavailable || got.RetryAfterMs <= 0 {
			t.Fatalf("event %d: %+v", i, got)
		}
	}
}
