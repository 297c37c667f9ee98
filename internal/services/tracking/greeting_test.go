package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

// held is a recorder that holds back the first flush that a room hears.
type held struct {
	recorder
	room             roles.Room
	before           atomic.Bool
	entered, release chan struct{}
}

func hold(room roles.Room) *held {
	return &held{room: room, entered: make(chan struct{}), release: make(chan struct{})}
}

func (h *held) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	if slices.Contains(to, h.room) && !h.before.Swap(true) {
		close(h.entered)
		<-h.release
	}
	h.recorder.EmitNewest(ctx, event, newest, to...)
}

// TestGreetingBesideAFlush: while a flush is on its way to the watchers nobody is kept from asking for a snapshot, which
// holds what is on its way and nothing newer of the same drivers, as it may be sent first. Other companies do not notice.
func TestGreetingBesideAFlush(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]roles.Room{"to the company": roles.FleetRoom("acme"), "to the admins": roles.AllFleetsRoom()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emitted := hold(room)
			service := newService(t, &memory{}, emitted, tracking.Options{})
			dora, dan := driver("dora", "acme"), driver("dan", "acme")
			var sending sync.WaitGroup
			sending.Go(func() { submit(t, service, dora, `{"lat":1,"lng":0}`) })
			<-emitted.entered
			sending.Go(func() { submit(t, service, dora, `{"lat":2,"lng":0}`) })
			sending.Go(func() { submit(t, service, dan, `{"lat":3,"lng":0}`) })
			for service.Pending("acme") < 2 {
				runtime.Gosched()
			}
			submit(t, service, driver("eve", "umbra"), `{"lat":4,"lng":0}`)
			for _, who := range []struct {
				id   string
				want []float64
			}{{"dora", []float64{1}}, {"dan", []float64{3}}} {
				seen, err := snapshotOf(t, service, staff("acme"))
				if got := lats([][]tracking.Position{seen.Positions}, who.id); err != nil || !slices.Equal(got, who.want) {
					t.Errorf("of %s the company was shown %v, %v; want %v", who.id, got, err, who.want)
				}
				if seen, err = snapshotOf(t, service, admin()); err != nil || !slices.Equal(lats([][]tracking.Position{seen.Positions}, who.id), who.want) {
					t.Errorf("of %s an admin was shown %v, %v; want %v", who.id, seen.Positions, err, who.want)
				}
			}
			if got := lats(positions(t, emitted.take(), roles.FleetRoom("umbra")), "eve"); !slices.Equal(got, []float64{4}) {
				t.Errorf("another company heard %v meanwhile", got)
			}
			close(emitted.release)
			sending.Wait()
			if seen, err := snapshotOf(t, service, staff("acme")); err != nil || !slices.Equal(lats([][]tracking.Position{seen.Positions}, "dora"), []float64{2}) {
				t.Errorf("after the flush the snapshot is %+v, %v", seen, err)
			}
		})
	}
}

// crowd is an Emitter with sockets: each keeps what it is sent, in order.
type crowd struct {
	t       testing.TB
	mu      sync.Mutex
	sockets map[*socket]roles.Room
}

type socket struct{ heard []sending }

type sending struct {
	snapshot  bool
	greeted   bool // nothing is sent: the greeting is over
	positions []tracking.Position
}

func (c *crowd) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}

func (c *crowd) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	var told recorder
	told.EmitNewest(ctx, event, newest, to...)
	events := positions(c.t, told.take(), to[0])
	c.mu.Lock()
	var listeners []*socket
	for s, room := range c.sockets {
		if room == to[0] {
			listeners = append(listeners, s)
		}
	}
	c.mu.Unlock()
	for _, s := range listeners { // one after the other, as the engine sends
		runtime.Gosched()
		c.send(s, sending{positions: events[0]})
	}
}

func (c *crowd) send(s *socket, what sending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.heard = append(s.heard, what)
}

// enter puts a new socket into a room and greets it.
func (c *crowd) enter(service *tracking.Service, room roles.Room) *socket {
	s := &socket{}
	c.mu.Lock()
	c.sockets[s] = room
	c.mu.Unlock()
	who := admin()
	if room != roles.AllFleetsRoom() {
		who = staff("acme")
	}
	err := service.Greet(c.t.Context(), who, listener(func(event string, payload any) error {
		seen := heardPositions(c.t, payload)
		runtime.Gosched()
		c.send(s, sending{snapshot: event == tracking.EventSnapshot, positions: seen})
		return nil
	}))
	if err != nil {
		c.t.Error(err)
	}
	c.send(s, sending{greeted: true})
	return s
}

// heardPositions are the positions in the payload of an event that is sent to one socket.
func heardPositions(t testing.TB, payload any) []tracking.Position {
	t.Helper()
	encoded, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return servicetest.Decode[snapshot](t, string(encoded)).Positions
}

// check holds what a socket has heard to the promises: nothing older comes behind the snapshot, and who takes the snapshot
// for all there is knows, once greeted, of every driver the newest that it has ever heard, and in the end where it is.
func (s *socket) check(t *testing.T, drivers int) {
	t.Helper()
	ever, shown := make(map[string]int64), make(map[string]int64)
	behind := false
	for _, event := range s.heard {
		if event.snapshot {
			clear(shown)
			behind = true
		}
		for _, p := range event.positions {
			if behind && p.TS < shown[p.DriverID] {
				t.Fatalf("saw %s at %d after %d", p.DriverID, p.TS, shown[p.DriverID])
			}
			shown[p.DriverID], ever[p.DriverID] = p.TS, max(ever[p.DriverID], p.TS)
		}
		if event.greeted {
			if diff := cmp.Diff(ever, shown); diff != "" {
				t.Fatalf("the greeting took away (-heard +shown):\n%s", diff)
			}
		}
	}
	for id, ts := range shown {
		if ts != noon-1 {
			t.Errorf("last saw %s at %d", id, ts)
		}
	}
	if len(shown) != drivers || !behind {
		t.Errorf("saw %d drivers; a snapshot: %t", len(shown), behind)
	}
}

// TestNothingOlderBehindASnapshot: whenever a watcher comes, nothing older comes behind its snapshot, nothing is lost by it,
// and in the end it has seen where every driver is.
func TestNothingOlderBehindASnapshot(t *testing.T) {
	t.Parallel()
	const drivers, updates, watchers = 6, 150, 60
	for _, flush := range []time.Duration{0, time.Millisecond} {
		t.Run(fmt.Sprint("flush ", flush), func(t *testing.T) {
			t.Parallel()
			rooms := &crowd{t: t, sockets: make(map[*socket]roles.Room)}
			service := newService(t, &memory{}, rooms, tracking.Options{Flush: flush})
			stop := run(service)
			entered := make([]*socket, watchers)
			var busy sync.WaitGroup
			for d := range drivers {
				busy.Go(func() {
					for i := range updates {
						submit(t, service, driver(fmt.Sprint("d", d), "acme"), `{"lat":0,"lng":0,"ts":%d}`, noon-updates+int64(i))
						runtime.Gosched()
					}
				})
			}
			for w := range watchers {
				busy.Go(func() {
					for range w {
						runtime.Gosched()
					}
					entered[w] = rooms.enter(service, []roles.Room{roles.FleetRoom("acme"), roles.AllFleetsRoom()}[w%2])
				})
			}
			busy.Wait()
			stop()
			for _, s := range entered {
				s.check(t, drivers)
			}
		})
	}
}

// TestGreetingCatchesUp: what happens while a snapshot is made and sent is told again behind it, and nothing else is.
func TestGreetingCatchesUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		who       auth.Identity
		positions []float64 // of whoever moves while the snapshot is sent
		statuses  []string
	}{
		"an admin":          {admin(), []float64{2, 5}, []string{"dan offline", "eve online"}},
		"a company's staff": {staff("acme"), []float64{2}, []string{"dan offline"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(t, &memory{}, &recorder{}, tracking.Options{})
			dora, dan := driver("dora", "acme"), driver("dan", "acme")
			submit(t, service, dora, `{"lat":1,"lng":0}`)
			submit(t, service, dan, `{"lat":3,"lng":0}`)
			submit(t, service, driver("ed", "acme"), `{"lat":4,"lng":0}`)
			var shown []float64
			var told []string
			err := service.Greet(t.Context(), test.who, listener(func(event string, payload any) error {
				switch event {
				case tracking.EventSnapshot:
					submit(t, service, dora, `{"lat":2,"lng":0}`)
					service.WentOffline(t.Context(), dan)
					submit(t, service, driver("eve", "umbra"), `{"lat":5,"lng":0}`)
				case tracking.EventPositions:
					for _, p := range heardPositions(t, payload) {
						shown = append(shown, p.Lat)
					}
				case tracking.EventStatus:
					change := servicetest.Decode[status](t, string(payload.(json.RawMessage)))
					told = append(told, change.DriverID+" "+string(change.Status))
				}
				return nil
			}))
			if err != nil || !slices.Equal(shown, test.positions) || !slices.Equal(told, test.statuses) {
				t.Errorf("behind the snapshot came %v and %v, %v; want %v and %v", shown, told, err, test.positions, test.statuses)
			}
		})
	}
}

// statusLog is an Emitter that writes down each tracking:status that is told.
type statusLog struct {
	recorder
	mu   sync.Mutex
	told []tracking.Status
}

func (l *statusLog) Emit(_ context.Context, _ string, payload any, _ []roles.Room, _ ...roles.Room) {
	var told status
	_ = json.Unmarshal(payload.(json.RawMessage), &told) // a test that hears no status fails
	l.write(told.Status)
}

func (l *statusLog) write(told tracking.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, told)
}

func (l *statusLog) read() []tracking.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// TestGreetingTellsNoOlderStatusLast: a driver comes back while a newcomer is told that it has gone.
func TestGreetingTellsNoOlderStatusLast(t *testing.T) {
	t.Parallel()
	heard := &statusLog{}
	service := newService(t, &memory{}, heard, tracking.Options{})
	dan := driver("dan", "acme")
	service.CameOnline(t.Context(), dan)
	var back sync.WaitGroup
	err := service.Greet(t.Context(), staff("acme"), listener(func(event string, payload any) error {
		switch event {
		case tracking.EventSnapshot:
			service.WentOffline(t.Context(), dan)
		case tracking.EventStatus:
			back.Go(func() { service.CameOnline(t.Context(), dan) })
			for statusOf(t, service, "dan") == tracking.Offline {
				runtime.Gosched()
			}
			for range 1000 { // time enough to tell the newer status, were it not held back
				runtime.Gosched()
			}
			heard.write(servicetest.Decode[status](t, string(payload.(json.RawMessage))).Status)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	back.Wait()
	want := []tracking.Status{tracking.Online, tracking.Offline, tracking.Offline, tracking.Online}
	if got := heard.read(); !slices.Equal(got, want) {
		t.Errorf("a newcomer heard %v, want %v", got, want)
	}
}

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
