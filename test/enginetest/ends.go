package enginetest

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// testOpenSockets: a socket counts from the answer to CONNECT to its end, though it stands in its rooms for longer.
func (s suite) testOpenSockets(t *testing.T) {
	h := newStub(t)
	var f *fixture
	during := make(chan bool, 1)
	hasOpen := func(room string) bool {
		for range f.server.OpenSockets(room) {
			return true
		}
		return false
	}
	h.authenticate = func(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
		socket.Join("a")
		during <- hasOpen("a") || f.server.SocketCount("a") != 1
		return nil
	}
	h.connected = func(realtime.Socket) { during <- !hasOpen("a") || hasOpen("b") }
	h.disconnected = func(realtime.Socket, string) { during <- hasOpen("a") }
	f = s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	for _, moment := range []string{"authenticated", "connected"} {
		if wiretest.Receive(t, moment, during) {
			t.Errorf("wrong while being %s", moment)
		}
	}
	client.Cut()
	if wiretest.Receive(t, "disconnected", during) {
		t.Error("open at its end")
	}
}

// Of each room that gets its first socket or loses its last it is told, when that is true.
func (s suite) testRoomChanged(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("a", "b")
	told := make(chan string, 1000)
	f := s.start(t, realtime.Options{RoomChanged: func(room string) { told <- room }}, map[string]realtime.Handler{"/": h})
	await := func(count int, rooms ...string) {
		t.Helper()
		for len(rooms) > 0 {
			room := wiretest.Receive(t, "a room", told)
			at := slices.Index(rooms, room)
			if at < 0 {
				continue
			}
			if got := f.server.SocketCount(room); got != count {
				t.Errorf("%d sockets in %s when it was told, want %d", got, room, count)
			}
			rooms = slices.Delete(rooms, at, at+1)
		}
	}
	client, socket := f.connect(h)
	await(1, "a", "b")
	socket.Join("c")
	await(1, "c")
	socket.Leave("b")
	await(0, "b")
	client.Cut()
	await(0, "a", "c")
}

func (s suite) testDisconnectedSeesTheRoomsLeft(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("a", "b")
	type seen struct {
		rooms  []string
		count  int
		reason string
		data   any
	}
	ends := make(chan seen, 10)
	var f *fixture
	h.disconnected = func(socket realtime.Socket, reason string) {
		rooms := socket.Rooms()
		slices.Sort(rooms)
		ends <- seen{rooms, f.server.SocketCount("a"), reason, socket.Data()}
	}
	f = s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	for reason, leave := range map[string]func(*wiretest.WebSocket, realtime.Socket){
		"transport close":             func(s *wiretest.WebSocket, _ realtime.Socket) { s.Cut() },
		"client namespace disconnect": func(s *wiretest.WebSocket, _ realtime.Socket) { s.Send("41") },
		"server namespace disconnect": func(_ *wiretest.WebSocket, c realtime.Socket) { c.Disconnect(false) },
		"parse error":                 func(s *wiretest.WebSocket, _ realtime.Socket) { s.Send("4x") },
	} {
		s.run(t, reason, func(t *testing.T) {
			client, socket := f.connect(h)
			socket.SetData(reason)
			socket.Join("c")
			socket.Leave("b")
			if !socket.InRoom("c") || socket.InRoom("b") {
				t.Errorf("rooms: %v", socket.Rooms())
			}
			leave(client, socket)
			got := wiretest.Receive(t, "Disconnected", ends)
			if diff := cmp.Diff([]string{"a", "c"}, got.rooms); diff != "" || got.count != 0 || got.reason != reason || got.data != reason {
				t.Errorf("%s: %+v %s", reason, got, diff)
			}
			if err := socket.Emit("x", 1); err == nil {
				t.Error("emitted to a socket that has gone")
			}
		})
	}
}

func (s suite) testDisconnectFromInsideTheHandler(t *testing.T) {
	for name, hook := range map[string]func(*stub){
		"connected": func(h *stub) { h.connected = func(socket realtime.Socket) { socket.Disconnect(true) } },
		"event":     func(h *stub) { h.event = func(socket realtime.Socket, _ realtime.Event) { socket.Disconnect(true) } },
	} {
		s.run(t, name, func(t *testing.T) {
			h := newStub(t)
			hook(h)
			f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
			client := f.dial()
			client.Send("40")
			client.Send("6")
			expectPrefix(t, client, "40{")
			if name == "event" {
				client.Send(`42["e"]`)
			}
			client.Expect("41") // the client learns that it was put out
			client.ReadClose()
			wiretest.Eventually(t, "Disconnected", func() bool { return h.disconnects.Load() == 1 })
		})
	}
}

func (s suite) testSlowReaderIsCutOff(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	reasons := make(chan string, 1)
	h.disconnected = func(_ realtime.Socket, reason string) {
		select {
		case reasons <- reason:
		default:
		}
	}
	f := s.start(t, realtime.Options{MaxQueuedBytes: 300_000}, map[string]realtime.Handler{"/": h})
	_, _ = f.connect(h) // reads no more
	reader, _ := f.connect(h)
	payload := strings.Repeat("x", 10_000)
	emitter := f.server.Emitter("/")
	for i := 0; len(reasons) == 0; i++ {
		if i > 10_000 {
			t.Fatal("100 MB were queued")
		}
		emitter.Emit("e", payload, []string{"room"}, nil)
		expectPrefix(t, reader, `42["e",`)
	}
	if reason := <-reasons; reason != "slow reader" {
		t.Errorf("reason %q", reason)
	}
	if n := f.server.SocketCount("room"); n != 1 {
		t.Errorf("%d sockets are left in the room", n)
	}
}

// testDrainCutsTheSilent in time: whoever does not say goodbye is no failure of the server's.
func (s suite) testDrainCutsTheSilent(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, _ := f.connect(h) // does not answer the Close frame
	defer runtime.KeepAlive(client)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := f.server.Drain(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("drained with %v, the context with %v", err, ctx.Err())
	}
	if n := h.disconnects.Load(); n != 1 {
		t.Errorf("%d times Disconnected", n)
	}
}

func (s suite) testDrainWaitsForDisconnected(t *testing.T) {
	h := newStub(t)
	release := make(chan struct{})
	h.disconnected = func(realtime.Socket, string) { <-release }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	drained := make(chan error, 1)
	go func() { drained <- f.server.Drain(context.WithoutCancel(t.Context())) }()
	client.ReadClose()
	waitFor(t, "the context's end", socket.Context().Done())
	select {
	case err := <-drained:
		t.Errorf("Drain returned %v before Disconnected", err)
	default:
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.server.Drain(ctx); err == nil {
		t.Error("Drain with an ended context says all is done")
	}
	close(release)
	if err := wiretest.Receive(t, "Drain", drained); err != nil {
		t.Error(err)
	}
}
