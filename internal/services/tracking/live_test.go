package tracking_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// run runs the service's loop inside a synctest bubble; stop ends it and returns once it has ended.
func run(service *tracking.Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		service.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// pass lets the bubble's fake clock move on, and everything due by then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func submit(t testing.TB, service *tracking.Service, who auth.Identity, format string, args ...any) *tracking.Pending {
	t.Helper()
	pending, err := service.Submit(t.Context(), who, update(t, fmt.Sprintf(format, args...)))
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return pending
}

// lats lists the latitudes of one driver's positions over several events.
func lats(events [][]tracking.Position, driverID string) []float64 {
	found := []float64{}
	for _, event := range events {
		for _, p := range event {
			if p.DriverID == driverID {
				found = append(found, p.Lat)
			}
		}
	}
	return found
}

func TestFlushGathersNewestOfEachDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		emitted := &recorder{}
		service := newService(t, &memory{}, emitted, tracking.Options{Flush: 100 * time.Millisecond, Now: time.Now})
		stop := run(service)
		dora, dan, eve := driver("dora", "acme"), driver("dan", "acme"), driver("eve", "umbra")

		submit(t, service, dora, `{"lat":1,"lng":0}`)
		synctest.Wait()
		if got := lats(positions(t, emitted.take(), roles.AllFleetsRoom()), "dora"); !slices.Equal(got, []float64{1}) {
			t.Errorf("after silence the first position is sent at once, got %v", got)
		}
		for i := range 9 {
			pass(10 * time.Millisecond)
			for _, who := range []auth.Identity{dora, dan, eve} {
				submit(t, service, who, `{"lat":%d,"lng":0}`, 10+i)
			}
			synctest.Wait()
			if early := emitted.takeMoves(); len(early) > 0 {
				t.Fatalf("sent again within the flush interval: %v", early)
			}
		}
		pass(10 * time.Millisecond)
		sent := emitted.takeMoves()
		for room, want := range map[roles.Room][]string{
			roles.AllFleetsRoom():    {"dan", "dora", "eve"},
			roles.FleetRoom("acme"):  {"dan", "dora"},
			roles.FleetRoom("umbra"): {"eve"},
		} {
			events := positions(t, sent, room)
			if len(events) != 1 {
				t.Fatalf("%s heard %d events of one flush", room, len(events))
			}
			var ids []string
			for _, p := range events[0] {
				ids = append(ids, p.DriverID)
				if p.Lat != 18 {
					t.Errorf("%s heard %s at %v, not at the newest position", room, p.DriverID, p.Lat)
				}
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%s heard of %v, want %v", room, ids, want)
			}
		}
		if len(sent) != 3 {
			t.Errorf("%d events for 3 rooms: %v", len(sent), sent)
		}
		pass(time.Second)
		if idle := emitted.take(); len(idle) > 0 {
			t.Errorf("sent while there was nothing new: %v", idle)
		}

		submit(t, service, dora, `{"lat":30,"lng":0}`)
		synctest.Wait()
		emitted.take()
		submit(t, service, dora, `{"lat":31,"lng":0}`)
		stop()
		if got := lats(positions(t, emitted.take(), roles.AllFleetsRoom()), "dora"); !slices.Equal(got, []float64{31}) {
			t.Errorf("what was pending at the end was sent as %v", got)
		}
	})
}

// TestNoFlushInterval sends each update at once, an array as its newest, and needs no Run for it.
func TestNoFlushInterval(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, tracking.Options{})
	for i := range 3 {
		submit(t, service, driver("dora", "acme"), `{"lat":%d,"lng":0}`, i)
	}
	submit(t, service, driver("dora", "acme"), `[{"lat":7,"lng":0,"ts":%d},{"lat":8,"lng":0},{"lat":9,"lng":0,"ts":%d}]`, noon-9, noon-5)
	sent := emitted.takeMoves()
	for _, room := range []roles.Room{roles.AllFleetsRoom(), roles.FleetRoom("acme")} {
		if got := lats(positions(t, sent, room), "dora"); !slices.Equal(got, []float64{0, 1, 2, 8}) {
			t.Errorf("%s heard %v", room, got)
		}
	}
	for _, e := range sent {
		if len(e.To) != 1 || e.To[0] != roles.AllFleetsRoom() && e.To[0] != roles.FleetRoom("acme") {
			t.Errorf("%s was sent to %v", e.Event, e.To)
		}
	}
}

// TestLateAndDuplicate: both are acknowledged, neither is shown; the late one is stored, the duplicate once.
func TestLateAndDuplicate(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, openStore(t), emitted, tracking.Options{})
	dora := driver("dora", "acme")
	const newest = `{"lat":5,"lng":0,"ts":1767268799000,"speed":3,"heading":4,"accuracy":5,"altitude":6,"battery":0.5,"seq":8}`
	publish(t, service, dora, newest)
	emitted.take()
	for _, payload := range []string{newest, `{"lat":4,"lng":0,"ts":1767268798000}`, "[" + newest + "," + newest + "]"} {
		if verdict := publish(t, service, dora, payload); verdict.Accepted == 0 {
			t.Errorf("%s was not accepted", payload)
		}
		if sent := emitted.take(); len(sent) > 0 {
			t.Errorf("%s was shown: %v", payload, sent)
		}
	}
	// At the same instant the later arrival wins, and any difference makes it another position.
	publish(t, service, dora, `{"lat":5,"lng":0,"ts":1767268799000,"speed":3,"heading":4,"accuracy":5,"altitude":6,"battery":0.5,"seq":9}`)
	if got := positions(t, emitted.take(), roles.FleetRoom("acme")); len(got) != 1 {
		t.Errorf("a position that differs in seq alone was shown %d times", len(got))
	}
	track, next, err := service.Track(t.Context(), dora, tracking.TrackQuery{DriverID: "dora"}, page.Request{})
	if err != nil || next != "" {
		t.Fatalf("track: %v, cursor %q", err, next)
	}
	if got := lats([][]tracking.Position{track}, "dora"); !slices.Equal(got, []float64{4, 5, 5}) {
		t.Errorf("the history is %v, want the late one, the first and the one of another seq", got)
	}
}

// TestFanOutDoesNotWaitForTheStore holds the store and sees positions shown, and no ack before the store has returned.
func TestFanOutDoesNotWaitForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		emitted := &recorder{}
		store := newGated(&memory{})
		service := newService(t, store, emitted, tracking.Options{})
		verdicts := make(chan tracking.Verdict, 2)
		for i := range 2 {
			pending := submit(t, service, driver("dora", "acme"), `{"lat":%d,"lng":0}`, i+1)
			go func() {
				verdict, err := pending.Wait(context.Background())
				if err != nil {
					t.Errorf("wait: %v", err)
				}
				verdicts <- verdict
			}()
		}
		synctest.Wait()
		if got := lats(positions(t, emitted.take(), roles.FleetRoom("acme")), "dora"); !slices.Equal(got, []float64{1, 2}) {
			t.Errorf("while the store was busy watchers heard %v", got)
		}
		if len(verdicts) != 0 {
			t.Error("acknowledged before the store had returned")
		}
		store.answers <- nil    // one commit each, or both in one
		time.Sleep(time.Second) // of the bubble's clock: a second commit gathers for a while
		synctest.Wait()
		if len(store.entered) == 2 {
			store.answers <- nil
		}
		synctest.Wait()
		if len(verdicts) != 2 {
			t.Errorf("%d of 2 updates were acknowledged", len(verdicts))
		}
	})
}

func TestStoreFailureIsAnswered(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	store := newGated(&memory{})
	service := newService(t, store, emitted, tracking.Options{})
	pending := submit(t, service, driver("dora", "acme"), `{"lat":1,"lng":0}`)
	broken := errors.New("disk full")
	store.answers <- broken
	_, err := pending.Wait(t.Context())
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, broken) || !fault.Unexpected(err) {
		t.Errorf("Wait returned %v, want unavailable with the cause kept for the log", err)
	}
	if got := positions(t, emitted.take(), roles.FleetRoom("acme")); len(got) != 1 {
		t.Errorf("live positions do not keep flowing while the store fails: %v", got)
	}
	pending = submit(t, service, driver("dora", "acme"), `{"lat":2,"lng":0}`)
	store.answers <- nil
	if _, err := pending.Wait(t.Context()); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	store := newGated(&memory{})
	service := newService(t, store, &recorder{}, tracking.Options{})
	pending := submit(t, service, driver("dora", "acme"), `{"lat":1,"lng":0}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pending.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returned %v", err)
	}
	store.answers <- nil
}

// TestOverload fills the writer's queue: one more update is shown and yet refused, and all that were taken are answered.
func TestOverload(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	store := newGated(&memory{})
	service := newService(t, store, emitted, tracking.Options{})
	who := driver("dora", "acme")
	taken := []*tracking.Pending{submit(t, service, who, `{"lat":0,"lng":0}`)}
	<-store.entered
	var refused error
	for refused == nil && len(taken) < 20_000 {
		emitted.take()
		pending, err := service.Submit(t.Context(), who, update(t, fmt.Sprintf(`{"lat":1,"lng":%g}`, float64(len(taken))/1000)))
		if refused = err; err == nil {
			taken = append(taken, pending)
		}
	}
	if !fault.Is(refused, fault.Unavailable) || fault.From(refused).RetryAfter <= 0 {
		t.Fatalf("after %d updates: %v, want unavailable and when to try again", len(taken), refused)
	}
	if sent := emitted.take(); len(sent) == 0 {
		t.Error("watchers lose sight of the driver while the disk is busy")
	}
	close(store.answers) // every commit succeeds from here on
	for i, pending := range taken {
		if _, err := pending.Wait(t.Context()); err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
}
