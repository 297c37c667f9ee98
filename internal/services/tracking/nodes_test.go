package tracking_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// network is several nodes in one process, each of which can be cut off.
type network struct {
	mu    sync.Mutex
	nodes map[string]*node
}

// node implements tracking.Nodes. What it is told comes by a queue of its own, as over a network.
type node struct {
	*network
	id       string
	service  *tracking.Service
	heard    recorder
	queue    chan bus.Message
	handlers map[string]func(context.Context, bus.Message)
	lost     func(context.Context)
	rooms    map[roles.Room]int
	received int
	cut      bool
	stop     context.CancelFunc
}

// start starts a node over a store that all share.
func (n *network) start(t *testing.T, id string, store tracking.Store) *node {
	t.Helper()
	made := &node{
		network: n, id: id, queue: make(chan bus.Message, 10_000), rooms: make(map[roles.Room]int),
		handlers: make(map[string]func(context.Context, bus.Message)),
	}
	n.mu.Lock()
	n.nodes[id] = made
	n.mu.Unlock()
	service, err := tracking.New(t.Context(), store, &made.heard, tracking.Options{
		Flush: 100 * time.Millisecond, Nodes: made, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	made.service = service
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { service.Run(ctx) })
	running.Go(func() { made.deliver(ctx) })
	var once sync.Once
	made.stop = func() { once.Do(func() { stop(); running.Wait() }) }
	t.Cleanup(func() {
		closeService(t, service)
		made.stop()
	})
	return made
}

func (n *node) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-n.queue:
			n.handlers[message.Kind](ctx, message)
		}
	}
}

func (n *node) Publish(_ context.Context, message bus.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	message.Node = n.id
	for _, other := range n.nodes {
		hears := len(message.Rooms) == 0 || slices.ContainsFunc(message.Rooms, func(room roles.Room) bool { return other.rooms[room] > 0 })
		if other != n && hears && !other.cut && !n.cut {
			if len(message.Rooms) > 0 {
				other.received++
			}
			other.queue <- message
		}
	}
}

func (n *node) Handle(kind string, handler func(context.Context, bus.Message)) {
	n.handlers[kind] = handler
}

func (n *node) Lost(f func(context.Context)) { n.lost = f }

func (n *node) Listen(_ context.Context, rooms ...roles.Room) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, room := range rooms {
		n.rooms[room]++
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, room := range rooms {
			n.rooms[room]--
		}
	}
}

func (n *node) Others() (others []string, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, other := range n.nodes {
		if other != n && !other.cut {
			others = append(others, id)
		}
	}
	return others, !n.cut
}

// die ends a node without a word.
func (n *node) die() {
	n.mu.Lock()
	delete(n.nodes, n.id)
	n.cut = true
	n.mu.Unlock()
	n.stop()
}

// heal ends a cut, and has both sides told that they may have missed something.
func (n *node) heal(ctx context.Context) {
	n.mu.Lock()
	n.cut = false
	nodes := make([]*node, 0, len(n.nodes))
	for _, other := range n.nodes {
		nodes = append(nodes, other)
	}
	n.mu.Unlock()
	for _, each := range nodes {
		each.lost(ctx)
	}
}

// kept is a store that several nodes share: of each driver it keeps the newest.
type kept struct {
	memory
	stored map[string]tracking.Driver
}

func (k *kept) AppendPositions(_ context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range drivers {
		known := k.stored[d.DriverID]
		d.Newest = known.Newest
		k.stored[d.DriverID] = d
	}
	for _, p := range positions {
		d := k.stored[p.DriverID]
		if d.Newest == nil || d.Newest.TS <= p.TS {
			d.Newest = &p
		}
		k.stored[p.DriverID] = d
	}
	return nil
}

func (k *kept) SentBefore(_ context.Context, driverID string, positions []tracking.Position, _ int64) ([]int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	times := make([]int64, len(positions))
	for i := range positions {
		if last := k.stored[driverID].Newest; last != nil && positions[i].Stamped && *last.Seq == *positions[i].Seq {
			times[i] = last.TS
		}
	}
	return times, nil
}

func (k *kept) Drivers(context.Context) ([]tracking.Driver, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]tracking.Driver, 0, len(k.stored))
	for _, d := range k.stored {
		all = append(all, d)
	}
	return all, nil
}

// inCluster runs a test with three nodes over one store, in a time of its own.
func inCluster(t *testing.T, test func(t *testing.T, store *kept, nodes []*node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		all, store := &network{nodes: make(map[string]*node)}, &kept{stored: make(map[string]tracking.Driver)}
		nodes := make([]*node, 3)
		for i := range nodes {
			nodes[i] = all.start(t, fmt.Sprintf("node-%d", i), store)
		}
		test(t, store, nodes)
	})
}

// watch greets a watcher, who stays.
func (n *node) watch(t *testing.T, who auth.Identity) snapshot {
	t.Helper()
	for _, room := range roles.Standing(who.UserID, who.Role, who.CompanyID) {
		n.Listen(t.Context(), room)
	}
	seen, err := snapshotOf(t, n.service, who)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// drivers lists what a caller is answered.
func (n *node) drivers(t *testing.T, who auth.Identity) map[string]tracking.DriverView {
	t.Helper()
	views, _, err := n.service.Drivers(t.Context(), who, tracking.DriverQuery{}, page.Request{})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]tracking.DriverView)
	for _, view := range views {
		found[view.DriverID] = view
	}
	return found
}

func at(lat float64) string { return fmt.Sprintf(`{"lat":%g,"lng":8}`, lat) }

func wantView(t *testing.T, views map[string]tracking.DriverView, driverID string, lat float64, status tracking.Status) {
	t.Helper()
	view, known := views[driverID]
	if !known || view.Position == nil || view.Position.Lat != lat || view.Status != status {
		t.Errorf("%s is seen as %+v at %+v, want %s at %g", driverID, view, view.Position, status, lat)
	}
}

func TestEveryNodeShowsTheDriversOfAll(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		publish(t, nodes[0].service, driver("d", "acme"), at(1))
		if seen := nodes[1].watch(t, staff("acme")); len(seen.Positions) != 1 || seen.Positions[0].Lat != 1 ||
			len(seen.Statuses) != 1 || seen.Statuses[0].Status != tracking.Online || seen.Statuses[0].Username == "" {
			t.Errorf("a watcher on another node is shown %+v", seen)
		}
		wantView(t, nodes[2].drivers(t, admin()), "d", 1, tracking.Online)
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()

		publish(t, nodes[0].service, driver("d", "acme"), at(2))
		publish(t, nodes[0].service, driver("stranger", "rival"), at(3))
		time.Sleep(time.Second)
		synctest.Wait()
		told := positions(t, nodes[1].heard.take(), roles.FleetRoom("acme"))
		if len(told) != 1 || len(told[0]) != 1 || told[0][0].Lat != 2 {
			t.Errorf("a watcher on another node hears %+v", told)
		}
		for _, n := range nodes {
			wantView(t, n.drivers(t, staff("acme")), "d", 2, tracking.Online)
			if len(n.drivers(t, staff("acme"))) != 1 {
				t.Error("another company's drivers are shown")
			}
		}
	})
}

func TestNodesWithoutWatchersHearNothing(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		nodes[1].watch(t, staff("acme"))
		for lat := range 10 {
			publish(t, nodes[0].service, driver("d", "acme"), at(float64(lat)))
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		if nodes[2].received != 0 || nodes[1].received == 0 {
			t.Errorf("%d messages for the node that watches, %d for the other", nodes[1].received, nodes[2].received)
		}
	})
}

func TestADriverMovesToAnotherNodeWithoutAWord(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		nodes[0].service.CameOnline(t.Context(), who)
		publish(t, nodes[0].service, who, at(1))
		for _, n := range nodes {
			n.watch(t, staff("acme"))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			n.heard.take()
		}
		nodes[0].service.WentElsewhere(t.Context(), who)
		time.Sleep(time.Second)
		nodes[1].service.CameOnline(t.Context(), who)
		publish(t, nodes[1].service, who, at(2))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, n := range nodes {
			heard := n.heard.take()
			if told := statuses(t, heard, "d"); len(told) != 0 {
				t.Errorf("%s is told %v of a driver who has moved", n.id, told)
			}
			if told := positions(t, heard, roles.FleetRoom("acme")); len(told) != 1 || told[0][0].Lat != 2 {
				t.Errorf("%s is told %v", n.id, told)
			}
			wantView(t, n.drivers(t, admin()), "d", 2, tracking.Online)
		}
		nodes[1].service.WentOffline(t.Context(), who)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			if told := statuses(t, n.heard.take(), "d"); !slices.Equal(told, []tracking.Status{tracking.Offline}) {
				t.Errorf("%s is told %v of a driver who has gone", n.id, told)
			}
		}
	})
}

func TestOfADeadNodesDriversTheEndIsToldOnce(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		stays, goes := driver("stays", "acme"), driver("goes", "acme")
		for _, who := range []auth.Identity{stays, goes} {
			nodes[0].service.CameOnline(t.Context(), who)
			publish(t, nodes[0].service, who, at(1))
		}
		nodes[1].watch(t, staff("acme"))
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()
		nodes[0].die()
		nodes[2].service.CameOnline(t.Context(), stays)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		heard := nodes[1].heard.take()
		if told := statuses(t, heard, "goes"); !slices.Equal(told, []tracking.Status{tracking.Offline}) {
			t.Errorf("of who was on the dead node is told %v", told)
		}
		if told := statuses(t, heard, "stays"); len(told) != 0 {
			t.Errorf("of who has come to another node is told %v", told)
		}
		wantView(t, nodes[2].drivers(t, admin()), "goes", 1, tracking.Offline)
		wantView(t, nodes[2].drivers(t, admin()), "stays", 1, tracking.Online)
	})
}

func TestWatchersAreCaughtUpAfterACut(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		nodes[0].service.CameOnline(t.Context(), who)
		publish(t, nodes[0].service, who, at(1))
		nodes[1].watch(t, staff("acme"))
		time.Sleep(time.Second)
		synctest.Wait()
		nodes[1].heard.take()
		nodes[1].mu.Lock()
		nodes[1].cut = true
		nodes[1].mu.Unlock()
		publish(t, nodes[0].service, who, at(2))
		nodes[0].service.CameOnline(t.Context(), driver("new", "acme"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if heard := nodes[1].heard.take(); len(heard) != 0 {
			t.Errorf("a node that is cut off tells %v", heard)
		}
		nodes[1].heal(t.Context())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		heard := nodes[1].heard.take()
		if told := positions(t, heard, roles.FleetRoom("acme")); len(told) != 1 || len(told[0]) != 1 || told[0][0].Lat != 2 {
			t.Errorf("watchers are told %v after the cut", told)
		}
		if told := statuses(t, heard, "new"); !slices.Equal(told, []tracking.Status{tracking.Online}) {
			t.Errorf("watchers are told %v of who has come meanwhile", told)
		}
		wantView(t, nodes[1].drivers(t, admin()), "d", 2, tracking.Online)
	})
}

func TestWhatIsSentAgainToAnotherNodeIsNotNewer(t *testing.T) {
	t.Parallel()
	inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
		who := driver("d", "acme")
		publish(t, nodes[0].service, who, `{"lat":1,"lng":8,"seq":7}`)
		first := nodes[2].watch(t, staff("acme")).Positions[0].TS
		time.Sleep(time.Minute)
		publish(t, nodes[1].service, who, `{"lat":1,"lng":8,"seq":7}`)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			if view := n.drivers(t, admin())["d"]; view.Position == nil || view.Position.TS != first {
				t.Errorf("%s shows %+v, which was sent at %d", n.id, view.Position, first)
			}
		}
	})
}

func TestADriverWhoReportsForAnotherCompanyElsewhereLeavesTheFormer(t *testing.T) {
	t.Parallel()
	for name, isWatched := range map[string]bool{"watched there": true, "unknown there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCluster(t, func(t *testing.T, _ *kept, nodes []*node) {
				publish(t, nodes[0].service, driver("d", "acme"), at(1))
				if isWatched {
					nodes[1].watch(t, admin())
				}
				time.Sleep(10 * time.Minute) // long enough not to count as there for both
				publish(t, nodes[1].service, driver("d", "rival"), at(2))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				for _, n := range nodes {
					if seen := n.drivers(t, staff("acme")); len(seen) != 0 {
						t.Errorf("%s shows the former company %v", n.id, seen)
					}
					if _, err := n.service.Driver(t.Context(), staff("acme"), "d"); !fault.Is(err, fault.NotFound) {
						t.Errorf("%s tells the former company of the driver: %v", n.id, err)
					}
				}
				for _, n := range nodes {
					wantView(t, n.drivers(t, staff("rival")), "d", 2, tracking.Online)
				}
			})
		})
	}
}
