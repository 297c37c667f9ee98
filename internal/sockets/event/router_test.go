package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets/event"
)

type anything struct{}

type text struct {
	Text string `json:"text" validate:"required,max=3"`
	N    int    `json:"n"`
}

// answering registers an event "e" that answers with a result or an error.
func answering(result any, err error) func(r *event.Router) {
	return func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Other), answer(result, err))
		event.On(r, "p", access.Anyone(limit.Other), call.Later(func(context.Context, auth.Identity, anything) (outcome[any], error) {
			return func(done func(any, error)) { done(result, err) }, nil
		}))
	}
}

// answer is an operation that has one answer for everybody.
func answer(out any, err error) func(context.Context, auth.Identity, anything) (any, error) {
	return func(context.Context, auth.Identity, anything) (any, error) { return out, err }
}

// outcome tells a result through the function it is given.
type outcome[Out any] func(done func(Out, error))

func (o outcome[Out]) Then(done func(Out, error)) { o(done) }

const unavailable = `"error":"The service is unavailable, try again later","code":"unavailable","retryAfterMs":1001`

// TestAnswers looks at both ways to answer: the ack, and error:event for who wants none. The failing part of a pipelined
// event is answered alike.
func TestAnswers(t *testing.T) {
	t.Parallel()
	type result struct {
		A string `json:"a"`
		B *int   `json:"b,omitempty"`
	}
	field := fault.Invalid("a.b[0]", "a.b[0] is missing")
	for name, test := range map[string]struct {
		result any
		err    error
		ack    string
		event  string // the payload of error:event but for the event's name, "" for none
	}{
		"nothing to add":   {nil, nil, `{"status":"ok"}`, ""},
		"an empty result":  {anything{}, nil, `{"status":"ok"}`, ""},
		"fields":           {result{A: "<&>\u2028"}, nil, `{"status":"ok","a":"<&>\u2028"}`, ""},
		"a pointer":        {&result{A: "x"}, nil, `{"status":"ok","a":"x"}`, ""},
		"a map":            {map[string]int{"n": 1}, nil, `{"status":"ok","n":1}`, ""},
		"a plain fault":    {nil, fault.New(fault.NotFound, "Not there"), `{"status":"error","error":"Not there","code":"not_found"}`, `"error":"Not there","code":"not_found"`},
		"a field":          {nil, field, `{"status":"error","error":"a.b[0] is missing","code":"invalid_payload","field":"a.b[0]"}`, `"error":"a.b[0] is missing","code":"invalid_payload","field":"a.b[0]"`},
		"a wrapped fault":  {nil, fmt.Errorf("deep inside: %w", field), `{"status":"error","error":"a.b[0] is missing","code":"invalid_payload","field":"a.b[0]"}`, `"error":"a.b[0] is missing","code":"invalid_payload","field":"a.b[0]"`},
		"an outage":        {nil, errors.New("secret detail"), `{"status":"error",` + unavailable + `}`, unavailable},
		"a result no ack":  {[]int{1}, nil, `{"status":"error",` + unavailable + `}`, ""},
		"a null result":    {(*result)(nil), nil, `{"status":"error",` + unavailable + `}`, ""},
		"not to be coded":  {map[string]any{"f": func() {}}, nil, `{"status":"error",` + unavailable + `}`, ""},
		"result and error": {result{A: "x"}, fault.New(fault.Conflict, "No"), `{"status":"error","error":"No","code":"conflict"}`, `"error":"No","code":"conflict"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, limit.NewBuckets(rates(), nil), answering(test.result, test.err))
			c := d.dial(person("amy", roles.Vendor))
			for _, event := range []string{"e", "p"} {
				if diff := cmp.Diff(canonical(t, test.ack), canonical(t, c.ask(event))); diff != "" {
					t.Errorf("ack of %s (-want +got):\n%s", event, diff)
				}
				c.heardNothing() // one answer, not two
				c.tell(event)
				if test.event != "" {
					want := fmt.Sprintf(`{"event":%q,%s}`, event, test.event)
					if diff := cmp.Diff(canonical(t, want), canonical(t, c.hears("error:event"))); diff != "" {
						t.Errorf("error:event of %s (-want +got):\n%s", event, diff)
					}
				}
				c.heardNothing()
			}
			if logged := strings.Contains(d.log.String(), "secret detail"); logged != (name == "an outage") {
				t.Errorf("the log has the cause: %v\n%s", logged, d.log)
			}
		})
	}
}

// canonical makes JSON comparable; how long to wait for an outage's end, a second or two, counts as a second.
func canonical(t *testing.T, raw string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	if answer, ok := value.(map[string]any); ok && answer["code"] == "unavailable" {
		if wait, _ := answer["retryAfterMs"].(float64); wait >= 1001 && wait <= 2001 {
			answer["retryAfterMs"] = 1001.0
		}
	}
	return value
}

type ack struct {
	Status       string     `json:"status"`
	Error        string     `json:"error"`
	Code         fault.Code `json:"code"`
	Field        string     `json:"field"`
	RetryAfterMs int64      `json:"retryAfterMs"`
	Event        string     `json:"event"`
}

func parse(t *testing.T, raw string) ack {
	t.Helper()
	var a ack
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return a
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Other), func(_ context.Context, _ auth.Identity, in text) (text, error) {
			return in, nil
		})
	})
	c := d.dial(person("amy", roles.Vendor))
	for name, test := range map[string]struct {
		args  []any
		code  fault.Code
		field string
	}{
		"right":                   {[]any{map[string]any{"text": "abc", "n": 1}}, "", ""},
		"further arguments":       {[]any{map[string]any{"text": "abc"}, 7, "x"}, fault.InvalidPayload, ""},
		"one that says nothing":   {[]any{map[string]any{"text": "abc"}, nil}, fault.InvalidPayload, ""},
		"no argument, as if {}":   {nil, fault.InvalidPayload, "text"},
		"null, as if {}":          {[]any{nil}, fault.InvalidPayload, "text"},
		"a string":                {[]any{"abc"}, fault.InvalidPayload, ""},
		"a number":                {[]any{7}, fault.InvalidPayload, ""},
		"an array":                {[]any{[]int{1}}, fault.InvalidPayload, ""},
		"member of a wrong type":  {[]any{map[string]any{"text": 7}}, fault.InvalidPayload, "text"},
		"another of a wrong type": {[]any{map[string]any{"text": "a", "n": "1"}}, fault.InvalidPayload, "n"},
		"too long":                {[]any{map[string]any{"text": "abcd"}}, fault.TooLarge, "text"},
		"code points, not bytes":  {[]any{map[string]any{"text": "𝄞𝄞𝄞"}}, "", ""},
	} {
		got := parse(t, c.ask("e", test.args...))
		if got.Code != test.code || got.Field != test.field || (got.Status == "ok") != (test.code == "") {
			t.Errorf("%s: %+v, want %q at %q", name, got, test.code, test.field)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for name, in := range map[string]any{
		"bytes where text belongs": map[string]any{"text": sioclient.Placeholder(0)},
		"bytes nobody asked for":   map[string]any{"text": "abc", "x": sioclient.Placeholder(0)},
	} {
		raw, err := c.CallBinary(ctx, "e", in, []byte("abc"))
		if got := parse(t, string(raw)); err != nil || got.Code != fault.InvalidPayload {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestUnknownEvent(t *testing.T) {
	t.Parallel()
	d := newDoor(t, limit.NewBuckets(rates(), nil), answering(nil, nil))
	c := d.dial(person("amy", roles.Vendor))
	if got := parse(t, c.ask("no:such", 1)); got.Code != fault.NotFound {
		t.Errorf("ack %+v", got)
	}
	c.tell("no:such")
	if got := parse(t, c.hears("error:event")); got.Code != fault.NotFound || got.Event != "no:such" {
		t.Errorf("error:event %+v", got)
	}
	c.tell(strings.Repeat("é", 5000))
	if got := parse(t, c.hears("error:event")); got.Code != fault.NotFound || len(got.Event) > 130 {
		t.Errorf("an endless name is sent back with %d bytes, %s", len(got.Event), got.Code)
	}
}

func TestPermission(t *testing.T) {
	t.Parallel()
	ran := make(chan roles.Role, 10)
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		event.On(r, "e", access.Needs(limit.Other, roles.Broadcast), func(_ context.Context, who auth.Identity, _ anything) (call.Nothing, error) {
			ran <- who.Role
			return call.Nothing{}, nil
		})
	})
	for _, role := range roles.All() {
		got := parse(t, d.dial(person("u-"+string(role), role)).ask("e"))
		if allowed := role == roles.Admin; allowed != (got.Status == "ok") || !allowed && got.Code != fault.Forbidden {
			t.Errorf("%s: %+v", role, got)
		}
	}
	if len(ran) != 1 || <-ran != roles.Admin {
		t.Error("the handler has run for somebody else")
	}
	if rules := d.Rules(); len(rules) != 1 || !reflect.DeepEqual(rules["e"], access.Needs(limit.Other, roles.Broadcast)) {
		t.Errorf("rules %+v", rules)
	}
}

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

func TestRetryMillis(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int64{0: 0, -time.Second: 0, 1: 1, time.Millisecond: 2, 1500 * time.Microsecond: 2, time.Second: 1001} {
		if got := event.RetryMillis(&fault.Error{RetryAfter: wait}); got != want || wait > 0 && time.Duration(got)*time.Millisecond < wait {
			t.Errorf("%s: %d ms, want %d", wait, got, want)
		}
	}
}
