package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

// TestSnapshotEndsWithItsContext: who has left is gathered no snapshot.
func TestSnapshotEndsWithItsContext(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	submit(t, service, driver("dora", "acme"), `{"lat":1,"lng":0}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := service.Greet(ctx, staff("acme"), listener(func(event string, payload any) error {
		t.Errorf("somebody who has left was sent %s %s", event, payload)
		return nil
	}))
	if err == nil {
		t.Error("somebody who has left was greeted")
	}
}

// slow is a socket that counts what it has been sent since it was last drained.
type slow struct {
	t      testing.TB
	undone int
	parts  []snapshot
	moved  func() // called when the first part is read
	behind []tracking.Position
}

func (s *slow) Emit(event string, payload any) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	if event == tracking.EventSnapshot {
		if s.undone++; s.undone > 1 {
			s.t.Error("the next part is sent before the last is read")
		}
		if len(raw) > page.MaxBytes+100 {
			s.t.Errorf("a part has %d bytes", len(raw))
		}
		s.parts = append(s.parts, servicetest.Decode[snapshot](s.t, string(raw)))
		return nil
	}
	s.behind = append(s.behind, heardPositions(s.t, payload)...)
	return nil
}

func (s *slow) AwaitRoom(context.Context) error {
	s.undone = 0
	if len(s.parts) == 1 && s.moved != nil {
		s.moved()
		s.moved = nil
	}
	return nil
}

// TestLongSnapshot: it is told in parts as they are read. What changes meanwhile comes as further parts where it is much,
// and behind the last one where it is little.
func TestLongSnapshot(t *testing.T) {
	t.Parallel()
	const drivers = 4000
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	move := func(count, lat int) {
		for i := range count {
			who, moved := driver(fmt.Sprintf("d%d", i), fmt.Sprintf("c%d", i%3)), update(t, fmt.Sprintf(`{"lat":%d,"lng":0}`, lat))
			for {
				if _, err := service.Submit(t.Context(), who, moved); err == nil {
					break
				}
				runtime.Gosched() // the writer has a bound
			}
		}
	}
	move(drivers, 1)
	lat := 2
	for name, test := range map[string]struct{ moving, behind int }{"all move": {drivers, 0}, "some move": {30, 30}} {
		reader := &slow{t: t}
		reader.moved = func() { move(test.moving, lat) }
		if err := service.Greet(t.Context(), admin(), reader); err != nil {
			t.Fatal(err)
		}
		newest := make(map[string]float64)
		for i, part := range reader.parts {
			if part.More != (i < len(reader.parts)-1) {
				t.Errorf("%s: part %d of %d says more: %t", name, i, len(reader.parts), part.More)
			}
			for _, p := range part.Positions {
				newest[p.DriverID] = p.Lat
			}
		}
		for _, p := range reader.behind {
			newest[p.DriverID] = p.Lat
		}
		for i := range test.moving {
			if at := newest[fmt.Sprintf("d%d", i)]; at != float64(lat) {
				t.Fatalf("%s: d%d was last seen at %v, is at %d", name, i, at, lat)
			}
		}
		if len(newest) != drivers || len(reader.behind) != test.behind || len(reader.parts) < 3 {
			t.Errorf("%s: %d drivers in %d parts, %d behind", name, len(newest), len(reader.parts), len(reader.behind))
		}
		lat++
	}
}

// TestSnapshotsAreShared: for as long as nothing changes all who ask are sent the same, encoded once; what has changed is in
// the next.
func TestSnapshotsAreShared(t *testing.T) {
	service := newService(t, &memory{}, &recorder{}, tracking.Options{Flush: time.Hour})
	for i := range 2000 {
		submit(t, service, driver(fmt.Sprint("d", i), "acme"), `{"lat":1,"lng":0}`)
	}
	for name, who := range map[string]auth.Identity{"company": staff("acme"), "admin": admin()} {
		var first any
		again := 0
		for i := range 3 {
			err := service.Greet(t.Context(), who, listener(func(_ string, payload any) error {
				if first == nil {
					first = payload
				} else if i > 0 && first == payload {
					again++
				}
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
		if again != 2 {
			t.Errorf("%s: %d of 2 were sent what the first was sent", name, again)
		}
		allocated := testing.AllocsPerRun(10, func() {
			_ = service.Greet(t.Context(), who, listener(func(string, any) error { return nil }))
		})
		submit(t, service, driver("d0", "acme"), `{"lat":2,"lng":%d}`, len(name))
		if seen, err := snapshotOf(t, service, who); err != nil || !slices.Contains(lats([][]tracking.Position{seen.Positions}, "d0"), 2) {
			t.Errorf("%s: d0 stands at %v, %v", name, lats([][]tracking.Position{seen.Positions}, "d0"), err)
		}
		if allocated > 100 {
			t.Errorf("%s: %v allocations for one more who is greeted with 2,000 drivers", name, allocated)
		}
	}
}

// TestGreetingsHoldUpOneFleet: while somebody of one company is told what they have missed, others' flushes go on.
func TestGreetingsHoldUpOneFleet(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, tracking.Options{Flush: time.Millisecond})
	defer run(service)()
	submit(t, service, driver("dora", "acme"), `{"lat":1,"lng":0}`)
	var told []servicetest.Emission
	var telling sync.Mutex
	seen := func(company string, lat float64) func() bool {
		return func() bool {
			telling.Lock()
			defer telling.Unlock()
			told = append(told, emitted.take()...)
			for _, p := range slices.Concat(positions(t, told, roles.FleetRoom(company))...) {
				if p.Lat == lat {
					return true
				}
			}
			return false
		}
	}
	wait := func(what string, holds func() bool) {
		t.Helper()
		for until := time.Now().Add(deadline); !holds(); runtime.Gosched() {
			if time.Now().After(until) {
				t.Fatalf("did not come about: %s", what)
			}
		}
	}
	wait("the first position", seen("acme", 1))
	reached, release := make(chan struct{}), make(chan struct{})
	var greeting sync.WaitGroup
	greeting.Go(func() {
		err := service.Greet(t.Context(), staff("acme"), listener(func(event string, _ any) error {
			switch event {
			case tracking.EventSnapshot:
				submit(t, service, driver("dora", "acme"), `{"lat":2,"lng":0}`)
				wait("a second position", seen("acme", 2))
			case tracking.EventPositions:
				close(reached)
				<-release
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	})
	<-reached
	submit(t, service, driver("dora", "acme"), `{"lat":3,"lng":0}`)
	for i := range 5 {
		submit(t, service, driver("eve", "umbra"), `{"lat":%d,"lng":0}`, 10+i)
		wait("another company's position", seen("umbra", float64(10+i)))
	}
	if seen("acme", 3)() {
		t.Error("a flush overtook what somebody is just being told")
	}
	close(release)
	greeting.Wait()
	wait("the third position", seen("acme", 3))
}
