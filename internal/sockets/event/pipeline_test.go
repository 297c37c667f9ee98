package event_test

import (
	"context"
	"errors"
	"fmt"
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
	"rolecall/internal/sockets/event"
)

// TestPipelinedEvents keep the order in which they were sent, and none waits for the one before to be finished.
func TestPipelinedEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var submitted []int
	finish := make(map[int]chan struct{})
	for i := range 10 {
		finish[i] = make(chan struct{})
	}
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		type in struct {
			N int `json:"n"`
		}
		event.On(r, "p", access.Anyone(limit.Other), call.Later(func(_ context.Context, _ auth.Identity, v in) (outcome[in], error) {
			mu.Lock()
			submitted = append(submitted, v.N)
			mu.Unlock()
			return func(done func(in, error)) {
				go func() {
					<-finish[v.N]
					done(v, nil)
				}()
			}, nil
		}))
		event.On(r, "e", access.Anyone(limit.Other), answer(nil, nil))
	})
	c := d.dial(person("amy", roles.Vendor))
	acks := make(chan string, 10)
	var asking sync.WaitGroup
	for i := range 10 {
		sent := make(chan struct{})
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			close(sent)
			raw, err := c.Call(ctx, "p", map[string]int{"n": i})
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
			acks <- string(raw)
		})
		<-sent
		for { // until the server has it, so that the order of sending is known
			c.ask("e")
			mu.Lock()
			got := len(submitted)
			mu.Unlock()
			if got > i {
				break
			}
		}
	}
	mu.Lock()
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, submitted); diff != "" {
		t.Errorf("submitted (-want +got):\n%s", diff)
	}
	mu.Unlock()
	if len(acks) > 0 {
		t.Errorf("acknowledged before it was finished: %s", <-acks)
	}
	for _, i := range []int{9, 0, 5} { // in any order
		close(finish[i])
		if got, want := <-acks, fmt.Sprintf(`{"status":"ok","n":%d}`, i); got != want {
			t.Errorf("ack %s, want %s", got, want)
		}
	}
	for i, ready := range finish {
		if i != 9 && i != 0 && i != 5 {
			close(ready)
		}
	}
	asking.Wait()
}

// TestGoneBeforeTheEnd: an outcome that comes when its socket has gone reaches nobody, and is logged as no failure.
func TestGoneBeforeTheEnd(t *testing.T) {
	t.Parallel()
	begun := make(chan func(call.Nothing, error), 1)
	gone := make(chan struct{})
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		event.On(r, "p", access.Anyone(limit.Other), call.Later(func(ctx context.Context, _ auth.Identity, _ anything) (outcome[call.Nothing], error) {
			context.AfterFunc(ctx, func() { close(gone) })
			return func(done func(call.Nothing, error)) { begun <- done }, nil
		}))
	})
	c := d.dial(person("amy", roles.Vendor))
	c.tell("p")
	done := <-begun
	c.Abort()
	select {
	case <-gone:
	case <-time.After(deadline):
		t.Fatal("the socket lives on")
	}
	done(call.Nothing{}, errors.New("too late"))
	if strings.Contains(d.log.String(), "event failed") {
		t.Errorf("logged as a failure:\n%s", d.log)
	}
}

// TestPanic: a defect in a handler is answered like an outage, logged, and closes nothing.
func TestPanic(t *testing.T) {
	t.Parallel()
	d := newDoor(t, limit.NewBuckets(rates(), nil), func(r *event.Router) {
		event.On(r, "e", access.Anyone(limit.Other), func(context.Context, auth.Identity, anything) (any, error) {
			panic("defect one")
		})
		event.On(r, "p", access.Anyone(limit.Other), call.Later(func(context.Context, auth.Identity, anything) (outcome[any], error) {
			return func(func(any, error)) { panic("defect two") }, nil
		}))
	})
	c := d.dial(person("amy", roles.Vendor))
	for _, name := range []string{"e", "p", "e"} {
		if got := parse(t, c.ask(name)); got.Code != fault.Unavailable {
			t.Errorf("%s: %+v", name, got)
		}
		c.tell(name)
		if got := parse(t, c.hears("error:event")); got.Code != fault.Unavailable || got.Event != name {
			t.Errorf("%s without an ack: %+v", name, got)
		}
	}
	for _, defect := range []string{"defect one", "defect two"} {
		if !strings.Contains(d.log.String(), defect) {
			t.Errorf("%s is not in the log", defect)
		}
	}
}
