package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/order"
	"rolecall/test/servicetest"
)

var _ chat.Order = (*order.Cluster)(nil)

var errStore = errors.New("the store does not answer")

// shared is a store of several nodes: of each room, its changes. It is their Log.
type shared struct {
	mu      sync.Mutex
	changes map[roles.ChatRoom][]order.Past
	failing int // how many of the next questions fail
}

func newShared() *shared { return &shared{changes: make(map[roles.ChatRoom][]order.Past)} }

// write adds a change to a room and returns what is told of it.
func (s *shared) write(room roles.ChatRoom, at time.Time, to ...roles.Room) []order.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	revision := int64(len(s.changes[room]) + 1)
	told := []order.Delivery{{Room: room, Revision: revision, Event: "changed", Payload: revision, To: to}}
	s.changes[room] = append(s.changes[room], order.Past{Revision: revision, At: at.UnixMilli(), Deliveries: told})
	return told
}

func (s *shared) head(room roles.ChatRoom) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.changes[room]))
}

func (s *shared) fail(questions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = questions
}

func (s *shared) asked() error {
	if s.failing > 0 {
		s.failing--
		return errStore
	}
	return nil
}

func (s *shared) Heads(_ context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := make(map[roles.ChatRoom]int64)
	for _, room := range rooms {
		if changes := s.changes[room]; len(changes) > 0 {
			heads[room] = int64(len(changes))
		}
	}
	return heads, s.asked()
}

func (s *shared) Before(_ context.Context, room roles.ChatRoom, at int64) (revision int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, past := range s.changes[room] {
		if past.At < at {
			revision = past.Revision
		}
	}
	return revision, s.asked()
}

func (s *shared) Since(_ context.Context, room roles.ChatRoom, after, upTo int64) (changes []order.Past, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, past := range s.changes[room] {
		if past.Revision > after && past.Revision <= upTo {
			if len(changes) == 3 {
				return changes, true, s.asked()
			}
			changes = append(changes, past)
		}
	}
	return changes, false, s.asked()
}

func (s *shared) Changed(_ context.Context, userIDs []string, since int64) (rooms []roles.ChatRoom, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room, changes := range s.changes {
		isTheirs := slices.ContainsFunc(room.People(), func(userID string) bool { return slices.Contains(userIDs, userID) })
		if isTheirs && changes[len(changes)-1].At >= since {
			rooms = append(rooms, room)
		}
	}
	return rooms, s.asked()
}

// wires are a bus over which messages come in any order, twice or not at all; the latter is told of afterwards.
type wires struct {
	mu    sync.Mutex
	nodes []*node
}

// node is a server: its bus, its sockets, and its order.
type node struct {
	*order.Cluster
	wires   *wires
	inbox   []bus.Message
	handler func(context.Context, bus.Message)
	lost    func(context.Context)

	mu        sync.Mutex
	listeners []*ear
	since     map[string]time.Time
}

// ear is a socket that stands in a room: of somebody, or one that it has joined.
type ear struct {
	room  roles.Room
	chat  roles.ChatRoom
	read  int64
	heard []int64
}

func newNode(t interface{ Cleanup(func()) }, w *wires, log order.Log, o order.Options) *node {
	n := &node{wires: w, since: make(map[string]time.Time)}
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	n.Cluster = order.NewCluster(order.Parts{Here: n, Bus: n, Log: log, Listeners: n}, o)
	t.Cleanup(n.Close)
	return n
}

func (n *node) Publish(_ context.Context, message bus.Message) {
	n.wires.mu.Lock()
	defer n.wires.mu.Unlock()
	for _, other := range n.wires.nodes {
		if other != n {
			other.inbox = append(other.inbox, message)
		}
	}
}

func (n *node) Handle(_ string, handler func(context.Context, bus.Message)) { n.handler = handler }
func (n *node) Lost(f func(context.Context))                                { n.lost = f }
func (n *node) Listen(context.Context, ...roles.Room) func()                { return func() {} }

// take takes what waits for the node, at most so many.
func (n *node) take(most int) []bus.Message {
	n.wires.mu.Lock()
	defer n.wires.mu.Unlock()
	most = min(most, len(n.inbox))
	taken := slices.Clone(n.inbox[:most])
	n.inbox = n.inbox[most:]
	return taken
}

// hear has messages come.
func (n *node) hear(messages ...bus.Message) {
	for _, message := range messages {
		n.handler(context.Background(), message)
	}
}

func (n *node) Emit(_ context.Context, _ string, payload any, to []roles.Room, _ ...roles.Room) {
	var revision int64
	if err := json.Unmarshal([]byte(servicetest.Encode(payload)), &revision); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if slices.Contains(to, l.room) {
			l.heard = append(l.heard, revision)
		}
	}
}

func (n *node) Joined(room roles.Room) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.listeners, func(l *ear) bool { return l.room == room })
}

func (n *node) Since(userID string) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	since, here := n.since[userID]
	return since, here
}

func (n *node) Users() (users []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for userID := range n.since {
		users = append(users, userID)
	}
	return users
}

func (n *node) add(l *ear) *ear {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners = append(n.listeners, l)
	return l
}

// connect has somebody listen who has joined nothing.
func (n *node) connect(userID string, chat roles.ChatRoom, at time.Time) *ear {
	n.mu.Lock()
	n.since[userID] = at
	n.mu.Unlock()
	return n.add(&ear{room: roles.UserRoom(userID), chat: chat})
}

// enter has somebody join a room.
func (n *node) enter(t interface{ Fatalf(string, ...any) }, s *shared, room roles.ChatRoom) *ear {
	l := &ear{room: room.Room(), chat: room}
	for range 10 { // the store may fail
		err := n.Enter(context.Background(), room,
			func() (int64, error) { l.read = s.head(room); return l.read, nil },
			func() error { n.add(l); return nil })
		if err == nil {
			return l
		}
		if !errors.Is(err, errStore) {
			t.Fatalf("enter: %v", err)
		}
	}
	t.Fatalf("nobody can enter")
	return nil
}

func (n *node) heardBy(l *ear) []int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(l.heard)
}

// quick are times of a test's choice.
func quick() order.Options {
	return order.Options{Gap: time.Millisecond, Retry: time.Millisecond}
}

func commit(t interface{ Fatalf(string, ...any) }, n *node, s *shared, room roles.ChatRoom, to ...roles.Room) {
	if len(to) == 0 {
		to = []roles.Room{room.Room()}
	}
	err := n.Commit(context.Background(), []roles.ChatRoom{room}, func() ([]order.Delivery, error) {
		return s.write(room, time.Now(), to...), nil
	})
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func upTo(after, last int64) []int64 {
	all := []int64{}
	for revision := after + 1; revision <= last; revision++ {
		all = append(all, revision)
	}
	return all
}

// eventually waits until somebody has heard exactly this.
func eventually(t interface{ Fatalf(string, ...any) }, n *node, l *ear, want []int64) {
	deadline := time.Now().Add(servicetest.Deadline)
	for heard := n.heardBy(l); !slices.Equal(heard, want); heard = n.heardBy(l) {
		if len(heard) > len(want) || time.Now().After(deadline) {
			t.Fatalf("%s has read up to %d and heard %v, want %v", l.chat, l.read, heard, want)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// TestClusterProperty: however messages between nodes are mixed up, doubled and lost, whoever listens anywhere hears of every
// change beyond what was read, once and in order, when the nodes have been told that something was lost.
func TestClusterProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, w := newShared(), &wires{}
		var ends []func()
		defer func() {
			for _, end := range ends {
				end()
			}
		}()
		nodes := make([]*node, 3)
		for i := range nodes {
			nodes[i] = newNode(cleanups{&ends}, w, s, quick())
		}
		rooms := []roles.ChatRoom{servicetest.Room("one"), servicetest.Room("two")}
		type place struct {
			*node
			*ear
		}
		var all []place
		pick := rapid.SampledFrom(nodes)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n, room := pick.Draw(t, "node"), rapid.SampledFrom(rooms).Draw(t, "room")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				commit(t, n, s, room)
			case 4, 5:
				all = append(all, place{n, n.enter(t, s, room)})
			case 6, 7:
				came := n.take(rapid.IntRange(1, 5).Draw(t, "messages"))
				came = rapid.Permutation(came).Draw(t, "mixed up")
				n.hear(came...)
				if rapid.Bool().Draw(t, "doubled") {
					n.hear(came...)
				}
			case 8: // what is lost is told of at once, or in the end
				n.take(rapid.IntRange(1, 5).Draw(t, "lost"))
				if rapid.Bool().Draw(t, "told of") {
					n.lost(context.Background())
				}
			case 9:
				s.fail(rapid.IntRange(1, 3).Draw(t, "failing"))
			}
		}
		s.fail(0)
		for _, n := range nodes {
			n.hear(n.take(1000)...)
			n.lost(context.Background())
		}
		for _, each := range all {
			eventually(t, each.node, each.ear, upTo(each.read, s.head(each.chat)))
		}
	})
}

type cleanups struct{ all *[]func() }

func (c cleanups) Cleanup(f func()) { *c.all = append(*c.all, f) }

// TestClusterTogether: nodes commit, and people enter, all at once, over a bus that mixes up and doubles.
func TestClusterTogether(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	nodes := []*node{newNode(t, w, s, quick()), newNode(t, w, s, quick()), newNode(t, w, s, quick())}
	room := servicetest.Room("lobby")
	var working, carrying sync.WaitGroup
	done := make(chan struct{})
	arrived := make([][]*ear, len(nodes))
	for i, n := range nodes {
		working.Go(func() {
			for range 200 {
				commit(t, n, s, room)
			}
		})
		working.Go(func() {
			for range 50 {
				arrived[i] = append(arrived[i], n.enter(t, s, room))
			}
		})
		carrying.Go(func() {
			for {
				came := n.take(1 + rand.IntN(4))
				rand.Shuffle(len(came), func(a, b int) { came[a], came[b] = came[b], came[a] })
				n.hear(came...)
				n.hear(came...)
				if len(came) == 0 {
					select {
					case <-done:
						return
					default:
						time.Sleep(50 * time.Microsecond)
					}
				}
			}
		})
	}
	working.Wait()
	close(done)
	carrying.Wait()
	for i, n := range nodes {
		for _, l := range arrived[i] {
			eventually(t, n, l, upTo(l.read, 600))
		}
	}
}

// TestUnknownRoom: who has joined nothing hears of a direct room that this node does not know: of what was lost before the
// change that comes, and after a loss without one; not of what was before they came.
func TestUnknownRoom(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	here, elsewhere := newNode(t, w, s, quick()), newNode(t, w, s, quick())
	direct, err := roles.DirectRoom("amy", "bob")
	if err != nil {
		t.Fatal(err)
	}
	to := []roles.Room{roles.UserRoom("amy"), roles.UserRoom("bob")}
	old := time.Now().Add(-time.Hour)
	s.write(direct, old, to...)
	amy := here.connect("amy", direct, time.Now().Add(-time.Minute))
	s.write(direct, time.Now(), to...) // by a node whose message is lost
	commit(t, elsewhere, s, direct, to...)
	bob := here.connect("bob", direct, time.Now().Add(time.Minute))
	here.hear(here.take(1)...)
	eventually(t, here, amy, upTo(1, 3))
	if heard := here.heardBy(bob); !slices.Equal(heard, []int64{3}) {
		t.Errorf("who has just come heard %v", heard)
	}
	// Another room, of which nothing comes at all.
	other, err := roles.DirectRoom("amy", "cem")
	if err != nil {
		t.Fatal(err)
	}
	s.write(other, old, to...)
	commit(t, elsewhere, s, other, to...)
	here.take(1)
	here.lost(t.Context())
	eventually(t, here, amy, []int64{2, 3, 2})
}

// TestNotKeptAnyMore: changes that the store has no more hold up nobody.
func TestNotKeptAnyMore(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	here, elsewhere := newNode(t, w, s, quick()), newNode(t, w, s, quick())
	room := servicetest.Room("lobby")
	l := here.enter(t, s, room)
	for range 5 {
		commit(t, elsewhere, s, room)
	}
	s.mu.Lock()
	s.changes[room] = s.changes[room][3:]
	s.mu.Unlock()
	here.hear(here.take(5)[4])
	eventually(t, here, l, []int64{4, 5})
}

// TestWrittenAllTheSame: a write that has failed may have been done. Then it is told, here and elsewhere; and where that is
// found out by who sends it again.
func TestWrittenAllTheSame(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	here, elsewhere := newNode(t, w, s, quick()), newNode(t, w, s, quick())
	room := servicetest.Room("lobby")
	l, m := here.enter(t, s, room), elsewhere.enter(t, s, room)
	err := here.Commit(t.Context(), []roles.ChatRoom{room}, func() ([]order.Delivery, error) {
		s.write(room, time.Now(), room.Room())
		return nil, errStore
	})
	if !errors.Is(err, errStore) {
		t.Errorf("a write that fails: %v", err)
	}
	eventually(t, here, l, []int64{1})
	elsewhere.hear(elsewhere.take(1)...)
	eventually(t, elsewhere, m, []int64{1})

	s.write(room, time.Now(), room.Room())
	if err := here.Commit(t.Context(), []roles.ChatRoom{room}, func() ([]order.Delivery, error) {
		return []order.Delivery{{Room: room, Revision: 2}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, here, l, []int64{1, 2})
	elsewhere.hear(elsewhere.take(1)...)
	eventually(t, elsewhere, m, []int64{1, 2})
}

// TestGarbageFromNodes: what is no change is told to nobody and keeps nothing from being told.
func TestGarbageFromNodes(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	here := newNode(t, w, s, quick())
	room := servicetest.Room("lobby")
	l := here.enter(t, s, room)
	for _, body := range []string{
		``, `{`, `null`, `[]`, `{"room":"lobby"}`, `{"room":"lobby","revision":-1}`, `{"room":"role:admin","revision":1}`,
		`{"room":"lobby","revision":1,"told":[{"event":"x","to":["chat:lobby"]}]}`,
		`{"room":"lobby","revision":1,"told":[{"payload":1,"to":["chat:lobby"]}]}`,
	} {
		here.hear(bus.Message{Kind: "chat", Body: []byte(body)})
	}
	commit(t, here, s, room)
	eventually(t, here, l, []int64{1})
}

// TestMemory: rooms in which nothing happens are forgotten, where there are many; those that somebody has joined are not.
func TestMemory(t *testing.T) {
	t.Parallel()
	s, w := newShared(), &wires{}
	o := quick()
	o.MaxRooms = 10
	here := newNode(t, w, s, o)
	joined := servicetest.Room("joined")
	l := here.enter(t, s, joined)
	for i := range 200 {
		commit(t, here, s, servicetest.Room(fmt.Sprintf("room-%d", i)), roles.UserRoom("amy"))
		here.connect("amy", joined, time.Now())
	}
	if known := here.Known(); known > 12 {
		t.Errorf("%d rooms are known", known)
	}
	commit(t, here, s, joined)
	eventually(t, here, l, []int64{1})
}
