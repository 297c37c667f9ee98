package event_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets/event"
	"rolecall/test/servicetest"
	"rolecall/test/socketstest"
)

// TestNothingWithoutRule: an event without a rule, or with a handler already, is a defect that shows when the program
// starts.
func TestNothingWithoutRule(t *testing.T) {
	t.Parallel()
	for name, register := range map[string]func(r *event.Router){
		"no rule":   func(r *event.Router) { event.On(r, "e", access.Rule{}, answer(nil, nil)) },
		"half one":  func(r *event.Router) { event.On(r, "e", access.Rule{}.WithMaxBytes(1), answer(nil, nil)) },
		"two rules": func(r *event.Router) { answering(nil, nil)(r); answering(nil, nil)(r) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			register(event.NewRouter(event.Options{Decoder: socketstest.Decoder(t), Buckets: limit.NewBuckets(rates(), nil)}))
		})
	}
}

// numbers is a payload that is a list.
type numbers []int

func TestList(t *testing.T) {
	t.Parallel()
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		type sum struct {
			Count int `json:"count"`
			Sum   int `json:"sum"`
		}
		event.On(r, "sum", access.Anyone(limit.Other), func(_ context.Context, _ auth.Identity, in numbers) (sum, error) {
			total := sum{Count: len(in)}
			for _, n := range in {
				total.Sum += n
			}
			return total, nil
		}, event.AsList())
	})
	c := d.dial(person("amy", roles.Vendor))
	for name, test := range map[string]struct {
		args []any
		want string
	}{
		"an array":                  {[]any{[]int{1, 2, 3}}, `{"status":"ok","count":3,"sum":6}`},
		"an array of one":           {[]any{[]int{4}}, `{"status":"ok","count":1,"sum":4}`},
		"an array of none":          {[]any{[]int{}}, `{"status":"ok","count":0,"sum":0}`},
		"spread over the arguments": {[]any{1, 2, 3}, `{"status":"ok","count":3,"sum":6}`},
	} {
		if got := c.ask("sum", test.args...); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for name, args := range map[string][]any{"one of them no number": {1, "2"}, "two arrays": {[]int{1}, []int{2}}} {
		if got := parse(t, c.ask("sum", args...)); got.Code != fault.InvalidPayload {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// album is a payload with binary data.
type album struct {
	Title string          `json:"title" validate:"required"`
	Cover call.Attachment `json:"cover" validate:"required"`
	Back  call.Attachment `json:"back"`
}

func (a *album) Attachments() []*call.Attachment { return []*call.Attachment{&a.Cover, &a.Back} }

func TestAttachments(t *testing.T) {
	t.Parallel()
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		type seen struct {
			Cover string `json:"cover"`
			Back  string `json:"back"`
		}
		event.On(r, "album", access.Anyone(limit.Other).WithMaxBytes(1000), func(_ context.Context, _ auth.Identity, in album) (seen, error) {
			return seen{Cover: string(in.Cover.Bytes), Back: string(in.Back.Bytes)}, nil
		})
	})
	c := d.dial(person("amy", roles.Vendor))
	type object = map[string]any
	place := sioclient.Placeholder
	for name, test := range map[string]struct {
		payload object
		data    []string
		want    string
		code    fault.Code
	}{
		"one":                 {object{"title": "t", "cover": place(0)}, []string{"front"}, `{"status":"ok","cover":"front","back":""}`, ""},
		"two":                 {object{"title": "t", "back": place(0), "cover": place(1)}, []string{"rear", "front"}, `{"status":"ok","cover":"front","back":"rear"}`, ""},
		"an empty one":        {object{"title": "t", "cover": place(0)}, []string{""}, `{"status":"ok","cover":"","back":""}`, ""},
		"another fault":       {object{"cover": place(0)}, []string{"front"}, "", fault.InvalidPayload},
		"none":                {object{"title": "t"}, nil, "", fault.InvalidPayload},
		"text in its place":   {object{"title": "t", "cover": "front"}, nil, "", fault.InvalidPayload},
		"text beside it":      {object{"title": place(1), "cover": place(0)}, []string{"front", "t"}, "", fault.InvalidPayload},
		"made up":             {object{"title": "t", "cover": place(0)}, nil, "", fault.InvalidPayload},
		"nobody asked for":    {object{"title": "t", "cover": place(0), "x": place(1)}, []string{"front", "x"}, "", fault.InvalidPayload},
		"as large as allowed": {object{"title": "t", "cover": place(0)}, []string{strings.Repeat("x", 900)}, `{"status":"ok","cover":"` + strings.Repeat("x", 900) + `","back":""}`, ""},
		"too large":           {object{"title": "t", "cover": place(0)}, []string{strings.Repeat("x", 1000)}, "", fault.TooLarge},
	} {
		var got string
		if test.data == nil {
			got = c.ask("album", test.payload)
		} else {
			data := make([][]byte, len(test.data))
			for i, text := range test.data {
				data[i] = []byte(text)
			}
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			raw, err := c.CallBinary(ctx, "album", test.payload, data...)
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = string(raw)
		}
		if test.code != "" && parse(t, got).Code != test.code || test.code == "" && got != test.want {
			t.Errorf("%s: %s, want %s %s", name, got, test.want, test.code)
		}
	}
}

// TestTimeout: an operation's context ends when its time is up, which is answered like an outage and harms nothing; it
// ends also with the operation, and an outcome that comes later is waited for.
func TestTimeout(t *testing.T) {
	t.Parallel()
	const short, long = 20 * time.Millisecond, time.Hour
	ended := make(chan error, 10)
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		wait := func(ctx context.Context, _ auth.Identity, _ anything) (call.Nothing, error) {
			<-ctx.Done()
			return call.Nothing{}, ctx.Err()
		}
		event.On(r, "short", access.Anyone(limit.Other).WithTimeout(short), wait)
		event.On(r, "long", access.Anyone(limit.Other).WithTimeout(long), func(ctx context.Context, _ auth.Identity, _ anything) (call.Nothing, error) {
			context.AfterFunc(ctx, func() { ended <- ctx.Err() })
			if at, ok := ctx.Deadline(); !ok || time.Until(at) > long || time.Until(at) < long-deadline {
				t.Errorf("the deadline is %s", at)
			}
			return call.Nothing{}, ctx.Err()
		})
		event.On(r, "later", access.Anyone(limit.Other).WithTimeout(short), call.Later(func(ctx context.Context, _ auth.Identity, _ anything) (outcome[call.Nothing], error) {
			return func(done func(call.Nothing, error)) {
				go func() {
					<-ctx.Done()
					ended <- ctx.Err()
					done(call.Nothing{}, nil)
				}()
			}, nil
		}))
	})
	c := d.dial(person("amy", roles.Vendor))
	if got := parse(t, c.ask("short")); got.Code != fault.Unavailable || got.RetryAfterMs <= 0 {
		t.Errorf("an operation that takes too long: %+v", got)
	}
	if got := parse(t, c.ask("long")); got.Status != "ok" {
		t.Errorf("one that does not: %+v", got)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("after the operation its context says %v", err)
	}
	if got := parse(t, c.ask("later")); got.Status != "ok" {
		t.Errorf("an outcome behind the deadline: %+v", got)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context of an outcome that has come late says %v", err)
	}
}

// fullSocket is a socket whose client has read nothing for so long that the wait for it ends.
type fullSocket struct {
	deskSocket
	awaited *int
}

func (fullSocket) Charge(int) {}

func (s fullSocket) AwaitRoom(ctx context.Context) error {
	*s.awaited++
	if _, limited := ctx.Deadline(); !limited {
		return errors.New("waits for ever")
	}
	return context.DeadlineExceeded
}

// TestLong: an event with a long answer is not begun for a client that does not read; any other is.
func TestLong(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	router := event.NewRouter(event.Options{
		Decoder: socketstest.Decoder(t), Buckets: limit.NewBuckets(rates(), nil), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	begun := 0
	handle := func(context.Context, auth.Identity, struct{}) (call.Nothing, error) {
		begun++
		return call.Nothing{}, nil
	}
	event.On(router, "short", access.Anyone(limit.Other), handle)
	event.On(router, "long", access.Anyone(limit.Other), handle, event.Long())
	awaited := 0
	caller := &event.Caller{Socket: fullSocket{deskSocket{ctx: t.Context()}, &awaited}, Who: person("amy", roles.Vendor)}
	ask := func(name string) (answer string) {
		router.Route(caller, realtime.Event{Name: name, Ack: func(ack any) { answer = servicetest.Encode(ack) }})
		return answer
	}
	if got := ask("short"); got != `{"status":"ok"}` || awaited != 0 {
		t.Errorf("short: %s, waited %d times", got, awaited)
	}
	if got := parse(t, ask("long")); got.Code != fault.Unavailable || awaited != 1 || begun != 1 || log.Len() > 0 {
		t.Errorf("long: %+v, waited %d times, begun %d times, logged %q", got, awaited, begun, log)
	}
}
