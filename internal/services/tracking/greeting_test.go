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
