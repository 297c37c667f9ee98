package notices_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// node is a server of several over one store. What others tell it comes when the test says so.
type node struct {
	*notices.Service
	emitted *recorder
	others  *[]*node

	mu       sync.Mutex
	inbox    []bus.Message
	handlers map[string]func(context.Context, bus.Message)
	lost     func(context.Context)
}

func (n *node) Publish(_ context.Context, message bus.Message) {
	for _, other := range *n.others {
		if other != n {
			other.mu.Lock()
			other.inbox = append(other.inbox, message)
			other.mu.Unlock()
		}
	}
}

func (n *node) Handle(kind string, handler func(context.Context, bus.Message)) {
	n.handlers[kind] = handler
}

func (n *node) Lost(f func(context.Context)) { n.lost = f }

func (n *node) UsersIn(context.Context, int, ...roles.Room) ([]string, error) { return nil, nil }

// hear has what waits handled, in any order; where it is dropped, it is lost.
func (n *node) hear(drop bool) {
	n.mu.Lock()
	came := n.inbox
	n.inbox = nil
	n.mu.Unlock()
	if drop {
		return
	}
	rand.Shuffle(len(came), func(i, j int) { came[i], came[j] = came[j], came[i] })
	for _, message := range append(came, came...) {
		n.handlers[message.Kind](context.Background(), message)
	}
}

// newNodes starts servers over one store, which are closed by end.
func newNodes(t interface{ Fatalf(string, ...any) }, store notices.Store, count int) (nodes []*node, end func()) {
	for range count {
		n := &node{emitted: &recorder{}, others: &nodes, handlers: make(map[string]func(context.Context, bus.Message))}
		service, err := notices.New(context.Background(), store, n.emitted, notices.Options{Now: servicetest.AtNoon, Nodes: n, Online: n})
		if err != nil {
			t.Fatalf("new service: %v", err)
		}
		n.Service = service
		nodes = append(nodes, n)
	}
	return nodes, func() {
		for _, n := range nodes {
			if err := n.Close(context.Background()); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
	}
}

// changesTold is what an admin's sockets have heard of notices, in short.
func changesTold(t interface{ Fatalf(string, ...any) }, all []servicetest.Emission) (heard []string) {
	for _, each := range all {
		if !slices.ContainsFunc(each.To, func(room roles.Room) bool { return room == roles.RoleRoom(roles.Admin) }) ||
			each.Event == notices.EventUnread {
			continue
		}
		var one struct{ ID, Title string }
		if err := json.Unmarshal([]byte(each.Payload), &one); err != nil {
			t.Fatalf("%s: %v", each.Payload, err)
		}
		heard = append(heard, each.Event+" "+one.ID)
	}
	return heard
}

// TestNodesTellTheSame: notices and their ends are told by every node, once each and in the order of their numbers, however
// what nodes tell each other is mixed up, doubled and lost.
func TestNodesTellTheSame(t *testing.T) {
	t.Parallel()
	store := sqlitetest.Open(t).Notices
	rapid.Check(t, func(rt *rapid.T) {
		before, err := store.LastChange(context.Background())
		if err != nil {
			rt.Fatalf("last change: %v", err)
		}
		nodes, end := newNodes(rt, store, 3)
		defer end()
		var made []string
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			n := rapid.SampledFrom(nodes).Draw(rt, "node")
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				created, _, err := n.Create(context.Background(), admin(), toAll(fmt.Sprint("notice ", step)), "")
				if err != nil {
					rt.Fatalf("create: %v", err)
				}
				made = append(made, created.ID)
			case 2:
				if len(made) > 0 {
					_ = n.Retract(context.Background(), admin(), rapid.SampledFrom(made).Draw(rt, "id")) // or was retracted before
				}
			case 3:
				n.hear(rapid.Bool().Draw(rt, "lost"))
			case 4:
				n.lost(context.Background())
			}
		}
		changes, err := store.ChangesSince(context.Background(), before, 1000)
		if err != nil {
			rt.Fatalf("changes: %v", err)
		}
		var want []string
		for _, change := range changes {
			event := notices.EventNotice
			if change.Ended != 0 {
				event = notices.EventRetract
			}
			want = append(want, event+" "+change.Notice.ID)
		}
		for i, n := range nodes {
			n.hear(false)
			n.lost(context.Background())
			var heard []string
			for deadline := time.Now().Add(servicetest.Deadline); len(heard) < len(want) && time.Now().Before(deadline); {
				heard = append(heard, changesTold(rt, n.emitted.take())...)
				time.Sleep(100 * time.Microsecond)
			}
			if heard = append(heard, changesTold(rt, n.emitted.take())...); !slices.Equal(want, heard) {
				rt.Fatalf("node %d told\n%v, want\n%v", i, heard, want)
			}
		}
	})
}

// TestWhoComesFindsWhatWasToldElsewhere: somebody has heard a notice on one node, and comes to another that has not heard of it.
func TestWhoComesFindsWhatWasToldElsewhere(t *testing.T) {
	t.Parallel()
	nodes, end := newNodes(t, sqlitetest.Open(t).Notices, 2)
	defer end()
	for round := range 3 {
		if _, _, err := nodes[0].Create(t.Context(), admin(), toAll("news"), fmt.Sprint(round)); err != nil {
			t.Fatal(err)
		}
		var comers sync.WaitGroup
		for i := range 20 {
			comers.Go(func() {
				var inbox notices.Inbox
				err := nodes[1].Greet(t.Context(), person(fmt.Sprint("amy-", i), roles.Vendor), func(sent notices.Inbox) error { inbox = sent; return nil })
				if err != nil || inbox.Unread != round+1 {
					t.Errorf("of %d notices %d are in the inbox, %v", round+1, inbox.Unread, err)
				}
			})
		}
		comers.Wait()
	}
}

// TestReadElsewhere: who reads a notice on one node is told on another how many are left; an inbox there knows of it.
func TestReadElsewhere(t *testing.T) {
	t.Parallel()
	nodes, end := newNodes(t, sqlitetest.Open(t).Notices, 2)
	defer end()
	here, elsewhere := nodes[0], nodes[1]
	amy := person("amy", roles.Vendor)
	greet := func(n *node) (inbox notices.Inbox) {
		t.Helper()
		if err := n.Greet(t.Context(), amy, func(sent notices.Inbox) error { inbox = sent; return nil }); err != nil {
			t.Fatal(err)
		}
		return inbox
	}
	greet(here)
	greet(elsewhere)
	created, _, err := here.Create(t.Context(), admin(), toAll("news"), "a key")
	if err != nil {
		t.Fatal(err)
	}
	if again, replayed, err := elsewhere.Create(t.Context(), admin(), toAll("news"), "a key"); err != nil || !replayed || again.ID != created.ID {
		t.Errorf("the same request elsewhere: %s, replayed %t, %v", again.ID, replayed, err)
	}
	elsewhere.hear(false)
	for deadline := time.Now().Add(servicetest.Deadline); greet(elsewhere).Unread != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the other node does not hear of the notice")
		}
		time.Sleep(time.Millisecond)
	}
	elsewhere.emitted.take()
	if _, err := here.MarkRead(t.Context(), amy, notices.Reading{ID: created.ID}); err != nil {
		t.Fatal(err)
	}
	elsewhere.hear(false)
	var heard []servicetest.Emission
	for deadline := time.Now().Add(servicetest.Deadline); len(heard) == 0; heard = append(heard, elsewhere.emitted.take()...) {
		if time.Now().After(deadline) {
			t.Fatal("the other node tells nobody")
		}
		time.Sleep(time.Millisecond)
	}
	if heard[0].Event != notices.EventUnread || heard[0].Payload != `{"unread":0}` {
		t.Errorf("told: %+v", heard)
	}
	if inbox := greet(elsewhere); inbox.Unread != 0 {
		t.Errorf("the inbox elsewhere: %+v", inbox)
	}
	for _, body := range []string{"", "{", "null", "[]", "{}"} {
		elsewhere.handlers["notices.read"](t.Context(), bus.Message{Kind: "notices.read", Body: []byte(body)})
	}
}
