package administration_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shared is the store of all nodes of a test.
type shared struct {
	mu          sync.Mutex
	revocations map[string]int64
	lines       []audit.Line
	broken      bool
}

var errBroken = errors.New("disk full")

func (s *shared) Record(_ context.Context, line audit.Line, _ int64) (audit.Line, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return audit.Line{}, false, errBroken
	}
	s.lines = append(s.lines, line)
	return line, false, nil
}

func (s *shared) Revoke(ctx context.Context, line audit.Line, since int64) (audit.Line, bool, error) {
	written, replayed, err := s.Record(ctx, line, since)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.revocations[line.Target] = int64(line.At)
	}
	return written, replayed, err
}

func (s *shared) Revocations(context.Context, int64) ([]auth.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, errBroken
	}
	var all []auth.Revocation
	for userID, at := range s.revocations {
		all = append(all, auth.Revocation{UserID: userID, At: at})
	}
	return all, nil
}

func (s *shared) DeleteRevocationsBefore(context.Context, int64) (int, error) { return 0, nil }

func (s *shared) Lines(context.Context, audit.Query) ([]audit.Line, error) { return s.lines, nil }

func (s *shared) DeleteLinesBefore(context.Context, int64) (int, error) { return 0, nil }

// network is the buses of several nodes: what is published is handled at once, unless it is cut.
type network struct {
	nodes []*node
	cut   bool
}

// node is a service with what it stands upon: it is its own bus, its clients and its sockets.
type node struct {
	*network
	service *administration.Service
	known   *auth.Revocations
	handler func(context.Context, bus.Message)
	lost    func(context.Context)

	mu           sync.Mutex
	ended        []string
	disconnected []roles.Room
}

func (n *node) Publish(ctx context.Context, message bus.Message) {
	for _, other := range n.nodes {
		if other != n && !n.cut {
			other.handler(ctx, message)
		}
	}
}

func (n *node) Handle(_ string, handler func(context.Context, bus.Message)) { n.handler = handler }

func (n *node) Lost(f func(context.Context)) { n.lost = f }

func (n *node) Ask(context.Context, bus.Message, func(bus.Message) bool) (missing int, err error) {
	return 0, nil
}

func (n *node) Answer(string, func(context.Context, bus.Message) ([]byte, error)) {}

func (n *node) Others() (nodes []string, known bool) { return nil, true }

func (n *node) Disconnect(_ context.Context, room roles.Room) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.disconnected = append(n.disconnected, room)
	return nil
}

func (n *node) Of(string) []administration.Socket { return nil }

func (n *node) Count() administration.Crowd { return administration.Crowd{} }

func (n *node) EndRevoked(userID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = append(n.ended, userID)
}

// hasEnded reports whether the node has ended these users' sockets, and nobody else's, and forgets it.
func (n *node) hasEnded(users ...string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	ended := n.ended
	n.ended = nil
	slices.Sort(ended)
	return slices.Equal(ended, users)
}

func cluster(t *testing.T, store *shared, size int, options administration.Options) []*node {
	t.Helper()
	net := &network{}
	options.Logger, options.Now = slog.New(slog.DiscardHandler), servicetest.AtNoon
	for range size {
		n := &node{network: net, known: auth.NewRevocations()}
		service, err := administration.New(t.Context(), administration.Parts{
			Store: store, Revocations: n.known, Clients: n, Nodes: n,
		}, options)
		if err != nil {
			t.Fatal(err)
		}
		n.service = service
		net.nodes = append(net.nodes, n)
	}
	for _, n := range net.nodes {
		n.service.Attach(n, administration.Sources{Counts: func() administration.Counts { return administration.Counts{} }})
	}
	return net.nodes
}

func newStore() *shared { return &shared{revocations: map[string]int64{}} }

func revoke(t *testing.T, on *node, userID string) {
	t.Helper()
	if _, err := on.service.Revoke(t.Context(), servicetest.Person("root", roles.Admin), administration.Order{UserID: userID}); err != nil {
		t.Fatal(err)
	}
}

// A revocation stands on every node and ends the user's sockets there, once.
func TestRevocationStandsEverywhere(t *testing.T) {
	nodes := cluster(t, newStore(), 3, administration.Options{})
	revoke(t, nodes[0], "u1")
	for i, n := range nodes {
		if n.known.Len() != 1 || !n.hasEnded("u1") {
			t.Errorf("node %d: %d stand, ended %v", i, n.known.Len(), n.ended)
		}
	}
}

// What was missed is read when the bus says that something may have been.
func TestRevocationsMissedAreRead(t *testing.T) {
	store := newStore()
	nodes := cluster(t, store, 2, administration.Options{})
	nodes[0].cut = true
	revoke(t, nodes[0], "u1")
	revoke(t, nodes[0], "u2")
	if nodes[1].known.Len() != 0 {
		t.Fatal("the bus of this test is not cut")
	}
	store.broken = true
	nodes[1].lost(t.Context())
	if nodes[1].known.Len() != 0 || !nodes[1].hasEnded() {
		t.Error("something stands that could not be read")
	}
	store.broken = false
	nodes[1].lost(t.Context())
	if nodes[1].known.Len() != 2 || !nodes[1].hasEnded("u1", "u2") {
		t.Errorf("%d stand, ended %v", nodes[1].known.Len(), nodes[1].ended)
	}
	nodes[1].lost(t.Context())
	if !nodes[1].hasEnded() {
		t.Error("the sockets of what was known are ended again")
	}
}

// Garbage, and messages of another version, are no revocations, and have the store read.
func TestForeignMessages(t *testing.T) {
	store := newStore()
	nodes := cluster(t, store, 2, administration.Options{})
	nodes[0].cut = true
	running, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { nodes[1].service.Run(running) })
	defer ended.Wait()
	defer stop()
	for i, body := range []string{
		"", "x", "{", `{"v":2,"userId":"u1","at":1}`, `{"v":1,"userId":"a:b","at":1}`, `{"v":1,"userId":"u1","at":"now"}`, `{"v":1}`, "null", "\xff",
	} {
		userID := string(rune('a' + i))
		revoke(t, nodes[0], userID)
		nodes[1].handler(t.Context(), bus.Message{Kind: "revocation", Node: "other", Body: []byte(body)})
		waitUntil(t, func() bool { return nodes[1].known.Len() == i+1 })
	}
	at, err := json.Marshal(map[string]any{"v": 1, "userId": "u1", "at": servicetest.Noon, "later": true})
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].handler(t.Context(), bus.Message{Kind: "revocation", Body: at})
	if nodes[1].known.Len() != 10 {
		t.Error("a message with a member more is not understood")
	}
}

// A node that is told nothing looks for itself.
func TestRevocationsAreLookedFor(t *testing.T) {
	nodes := cluster(t, newStore(), 2, administration.Options{Look: time.Millisecond})
	nodes[0].cut = true
	running, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { nodes[1].service.Run(running) })
	defer ended.Wait()
	defer stop()
	revoke(t, nodes[0], "u1")
	waitUntil(t, func() bool { return nodes[1].known.Len() == 1 && nodes[1].hasEnded("u1") })
}

// What is not written down is not done.
func TestNoDeedWithoutItsLine(t *testing.T) {
	store := newStore()
	nodes := cluster(t, store, 1, administration.Options{})
	store.broken = true
	root, order := servicetest.Person("root", roles.Admin), administration.Order{UserID: "u1"}
	if _, err := nodes[0].service.Revoke(t.Context(), root, order); !errors.Is(err, errBroken) || nodes[0].known.Len() != 0 || !nodes[0].hasEnded() {
		t.Errorf("revoked without a line: %v", err)
	}
	if _, err := nodes[0].service.Disconnect(t.Context(), root, order); !errors.Is(err, errBroken) || len(nodes[0].disconnected) != 0 {
		t.Errorf("disconnected without a line: %v", err)
	}
	store.broken = false
	if _, err := nodes[0].service.Disconnect(t.Context(), root, order); err != nil || !slices.Equal(nodes[0].disconnected, []roles.Room{"user:u1"}) {
		t.Errorf("disconnected %v, %v", nodes[0].disconnected, err)
	}
}

// Whatever door lets them through, others than admins are refused.
func TestOnlyAdmins(t *testing.T) {
	store := newStore()
	service := cluster(t, store, 1, administration.Options{})[0].service
	order := administration.Order{UserID: "u1"}
	for _, role := range roles.All() {
		who := servicetest.Person("p", role)
		_, disconnected := service.Disconnect(t.Context(), who, order)
		_, revoked := service.Revoke(t.Context(), who, order)
		_, listed := service.SocketsOf(t.Context(), who, "u1")
		for what, err := range map[string]error{"disconnect": disconnected, "revoke": revoked, "sockets": listed} {
			if (servicetest.Code(err) == "forbidden") == (role == roles.Admin) {
				t.Errorf("%s by %s: %v", what, role, err)
			}
		}
	}
	if len(store.lines) != 2 {
		t.Errorf("written down: %+v", store.lines)
	}
}

func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-late:
			t.Fatal("did not come about")
		case <-time.After(time.Millisecond):
		}
	}
}
