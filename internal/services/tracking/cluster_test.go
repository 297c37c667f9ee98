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
