package order_test

import (
	"context"
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
