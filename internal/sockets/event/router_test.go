package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
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

func TestRetryMillis(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int64{0: 0, -time.Second: 0, 1: 1, time.Millisecond: 2, 1500 * time.Microsecond: 2, time.Second: 1001} {
		if got := event.RetryMillis(&fault.Error{RetryAfter: wait}); got != want || wait > 0 && time.Duration(got)*time.Millisecond < wait {
			t.Errorf("%s: %d ms, want %d", wait, got, want)
		}
	}
}
