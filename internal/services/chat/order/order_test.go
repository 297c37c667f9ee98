package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/order"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ chat.Order = (*order.Local)(nil)

// house is a disk with rooms, and those who listen in them. It is an Emitter.
type house struct {
	mu        sync.Mutex
	revisions map[roles.ChatRoom]int64
	listeners map[roles.Room][]*listener
}

// listener is somebody who has read a room up to a revision and then heard of others.
type listener struct {
	room roles.ChatRoom
	read int64
	told []int64
}

func newHouse() *house {
	return &house{revisions: make(map[roles.ChatRoom]int64), listeners: make(map[roles.Room][]*listener)}
}

func (h *house) Emit(_ context.Context, _ string, payload any, to []roles.Room, _ ...roles.Room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, room := range to {
		for _, l := range h.listeners[room] {
			l.told = append(l.told, payload.(int64))
		}
	}
}

// change writes one change of each room and returns what is to be told of them.
func (h *house) change(rooms []roles.ChatRoom) []order.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	deliveries := make([]order.Delivery, 0, len(rooms))
	for _, room := range rooms {
		h.revisions[room]++
		deliveries = append(deliveries, order.Delivery{
			Room: room, Revision: h.revisions[room], Event: "changed", Payload: h.revisions[room], To: []roles.Room{room.Room()},
		})
	}
	return deliveries
}

func (h *house) revision(room roles.ChatRoom) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.revisions[room]
}

func (h *house) listen(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners[l.room.Room()] = append(h.listeners[l.room.Room()], l)
}

// TestNewcomersMissNothing changes rooms from many sides, several at once, while others come: what each has read and what
// it is told is every revision once, in order.
func TestNewcomersMissNothing(t *testing.T) {
	t.Parallel()
	const writers, commits, newcomers, visits = 4, 300, 4, 100
	h := newHouse()
	rooms := make([]roles.ChatRoom, 3)
	for i := range rooms {
		rooms[i] = servicetest.Room(fmt.Sprintf("room-%d", i))
	}
	local := order.NewLocal(h)
	var together sync.WaitGroup
	for w := range writers {
		together.Go(func() {
			for n := range commits {
				batch := []roles.ChatRoom{rooms[n%3], rooms[(n+w)%3], rooms[n%3]}
				if err := local.Commit(context.Background(), batch, func() ([]order.Delivery, error) {
					return h.change(batch), nil
				}); err != nil {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	arrived := make([][]*listener, newcomers)
	for i := range newcomers {
		together.Go(func() {
			for n := range visits {
				l := &listener{room: rooms[(n+i)%3]}
				err := local.Enter(context.Background(), l.room,
					func() (int64, error) { l.read = h.revision(l.room); return l.read, nil },
					func() error { h.listen(l); return nil })
				if err != nil {
					t.Errorf("enter: %v", err)
				}
				arrived[i] = append(arrived[i], l)
			}
		})
	}
	together.Wait()
	for _, l := range slices.Concat(arrived...) {
		want := []int64{}
		for revision := l.read + 1; revision <= h.revision(l.room); revision++ {
			want = append(want, revision)
		}
		if !slices.Equal(want, append([]int64{}, l.told...)) {
			t.Fatalf("%s: read up to %d and told of %v, the last is %d", l.room, l.read, l.told, h.revision(l.room))
		}
	}
}

// TestFailures: what is not written is not told, and who cannot read does not enter. Neither holds the room.
func TestFailures(t *testing.T) {
	t.Parallel()
	h, broken := newHouse(), errors.New("disk broken")
	local, room := order.NewLocal(h), servicetest.Room("lobby")
	l := &listener{room: room}
	h.listen(l)
	err := local.Commit(t.Context(), []roles.ChatRoom{room}, func() ([]order.Delivery, error) {
		return h.change([]roles.ChatRoom{room}), broken
	})
	if !errors.Is(err, broken) || len(l.told) > 0 {
		t.Errorf("a write that fails: %v, told %v", err, l.told)
	}
	entered := false
	enter := func() error { entered = true; return broken }
	err = local.Enter(t.Context(), room, func() (int64, error) { return 0, broken }, enter)
	if !errors.Is(err, broken) || entered {
		t.Errorf("a read that fails: %v, entered %t", err, entered)
	}
	err = local.Enter(t.Context(), room, func() (int64, error) { return 0, nil }, enter)
	if !errors.Is(err, broken) || !entered {
		t.Errorf("entering that fails: %v, entered %t", err, entered)
	}
	if err := local.Commit(t.Context(), []roles.ChatRoom{room}, func() ([]order.Delivery, error) {
		return h.change([]roles.ChatRoom{room}), nil
	}); err != nil || !slices.Equal(l.told, []int64{2}) {
		t.Errorf("after the failures: %v, told %v", err, l.told)
	}
}
