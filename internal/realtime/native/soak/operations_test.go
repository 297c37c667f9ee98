package soak_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/realtime"
)

const (
	workerCount    = 8
	slotsPerWorker = 3
	// scriptLength is how many operations each worker performs in one batch.
	scriptLength = 24
)

// world is a server, its clients and the model of both.
type world struct {
	*fixture
	t       *rapid.T
	emitter realtime.Emitter
	clock   atomic.Int64
	readers sync.WaitGroup
	workers [workerCount]*worker
	nextID  int // of broadcasts

	mu    sync.Mutex
	lives map[int]*life // that may still present themselves to Authenticate, or are connected
	born  int
}

// TestMillionOperations holds the server against the model: joins, leaves, comings, goings and broadcasts from many
// goroutines at once. Every broadcast reaches every socket that stood in its rooms during the whole of it, and none
// that stood out during the whole of it, once, in the order in which its goroutine sent it. Whenever all is quiet,
// rooms and broadcasts are exactly as the model has them.
//
// SOAK_OPERATIONS in the environment says how many operations, if not the usual number.
func TestMillionOperations(t *testing.T) {
	target := scaled(100_000, 1_000_000)
	if text := os.Getenv("SOAK_OPERATIONS"); text != "" {
		var err error
		if target, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var performed, batches int
	failed := false
	for performed < target && !failed {
		rapid.Check(t, func(t *rapid.T) {
			if performed >= target && !failed { // but a failure is tried again and again, to make it small
				return
			}
			w := newWorld(t)
			defer func() {
				failed = failed || t.Failed()
				for _, k := range w.workers {
					performed += k.performed
				}
			}()
			t.Repeat(map[string]func(*rapid.T){
				"together":          func(t *rapid.T) { batches++; w.batch(w.draw(t, workerCount)) },
				"one after another": func(t *rapid.T) { batches++; w.batch(w.draw(t, 1)) },
				"":                  func(t *rapid.T) { w.checkRooms(t) },
			})
		})
		failed = failed || t.Failed()
	}
	t.Logf("%d operations in %d batches", performed, batches)
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, lives: make(map[int]*life)}
	w.fixture = serve(t, realtime.Options{}, w, nil)
	w.emitter = w.server.Emitter("/")
	for i := range w.workers {
		k := &worker{world: w, index: i}
		for range slotsPerWorker {
			k.slots = append(k.slots, &slot{})
		}
		w.workers[i] = k
	}
	t.Cleanup(func() { // before the server stops
		for _, s := range w.slots() {
			if s.session != nil {
				s.session.cut()
			}
		}
		w.readers.Wait()
	})
	return w
}

// draw draws what so many workers do in the next batch.
func (w *world) draw(t *rapid.T, workers int) [][]operation {
	scripts := make([][]operation, workers)
	for i := range scripts {
		script := rapid.SliceOfN(operations(slotsPerWorker), scriptLength, scriptLength)
		scripts[i] = script.Draw(t, "worker "+strconv.Itoa(i))
	}
	return scripts
}

func (w *world) newLife(rooms roomSet) *life {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.born++
	l := newLife(w.born, rooms, w.clock.Add(1))
	w.lives[l.id] = l
	return l
}

func (w *world) slots() []*slot {
	var slots []*slot
	for _, k := range w.workers {
		slots = append(slots, k.slots...)
	}
	return slots
}

// Authenticate is part of realtime.Handler.
func (w *world) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	var auth struct{ Life int }
	if err := json.Unmarshal(hs.Auth, &auth); err != nil {
		return err
	}
	w.mu.Lock()
	l := w.lives[auth.Life]
	w.mu.Unlock()
	socket.SetData(l)
	l.setSocket(socket)
	socket.Join(l.rooms.names()...)
	if l.refused {
		return &realtime.Refusal{Message: "No", Code: "no"}
	}
	return nil
}

// Connected is part of realtime.Handler.
func (w *world) Connected(realtime.Socket) {}

// Event is part of realtime.Handler.
func (w *world) Event(socket realtime.Socket, ev realtime.Event) {
	var room string
	if err := json.Unmarshal(ev.Args[0], &room); err != nil {
		w.t.Errorf("the argument of %s: %v", ev.Name, err)
	}
	if ev.Name == "join" {
		socket.Join(room)
	} else {
		socket.Leave(room)
	}
	ev.Ack(nil)
}

// Disconnected is part of realtime.Handler.
func (w *world) Disconnected(socket realtime.Socket, _ string) {
	l, ok := socket.Data().(*life)
	if !ok {
		w.t.Errorf("a socket disconnected that was never authenticated")
		return
	}
	w.mu.Lock()
	delete(w.lives, l.id)
	w.mu.Unlock()
	l.endedAt = w.clock.Add(1)
	close(l.ended) // a second call would panic, which the server logs
}

// checkRooms compares rooms and connections with the model. Visitors may be in a room for a moment after they left.
func (w *world) checkRooms(t *rapid.T) {
	var members [roomCount]int
	connections := 0
	for _, s := range w.slots() {
		if s.life == nil {
			continue
		}
		connections++
		for _, room := range s.life.standsIn().list() {
			members[room]++
		}
		got, want := s.life.socket().Rooms(), s.life.standsIn().names()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("a socket stands in %v, want %v", got, want)
		}
	}
	eventually(t, "each room has as many members as the model", func() bool {
		for room, want := range members {
			if w.server.SocketCount((roomSet(1) << room).names()...) != want {
				return false
			}
		}
		return true
	})
	eventually(t, "as many connections and sockets as the model, and nothing that waits", func() bool {
		m := w.server.Metrics()
		return m.Connections == connections && m.QueuedBytes == 0 && m.Namespaces["/"].QueuedBytes == 0 &&
			m.Namespaces["/"].Sockets == int64(connections)
	})
}

// waitFor waits for what the server or a reader is to do.
func (w *world) waitFor(done <-chan struct{}, what string) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-done:
	case <-deadline.C:
		w.t.Fatalf("in vain: %s", what)
	}
}
