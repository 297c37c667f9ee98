package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
	"rolecall/test/servicetest"
)

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
