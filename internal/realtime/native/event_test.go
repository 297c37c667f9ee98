package native

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

func TestEventArguments(t *testing.T) {
	h := newStub(t)
	events := make(chan realtime.Event, 3)
	h.event = func(_ realtime.Socket, ev realtime.Event) { events <- ev }
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, _ := f.connect(h)
	client.Send(`42["plain",{"a" : "<&>"},null]`)
	client.Send(`452-9["file",{"f":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]`)
	client.SendBinary([]byte{1})
	client.SendBinary([]byte{2, 3})
	got := wiretest.Receive(t, "an event", events)
	if got.Ack != nil || got.Name != "plain" || got.Binary != nil ||
		len(got.Args) != 2 || string(got.Args[0]) != `{"a" : "<&>"}` || string(got.Args[1]) != "null" {
		t.Errorf("plain event: %+v", got)
	}
	got = wiretest.Receive(t, "an event", events)
	if diff := cmp.Diff([][]byte{{1}, {2, 3}}, got.Binary); diff != "" || got.Ack == nil || got.Name != "file" ||
		string(got.Args[0]) != `{"f":{"_placeholder":true,"num":0}}` {
		t.Errorf("binary event: %+v %s", got, diff)
	}
	got.Ack(map[string]int{"bytes": 3})
	client.Expect(`439[{"bytes":3}]`)
}

func TestAckExactlyOnce(t *testing.T) {
	h := newStub(t)
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { ev.Ack("once") })
		}
		all.Wait()
		ev.Ack("more")
	}
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, conn := f.connect(h)
	for i := range 100 {
		client.Send(fmt.Sprintf(`42%d["e"]`, i))
		client.Expect(fmt.Sprintf(`43%d["once"]`, i))
	}
	if err := conn.Emit("last", nil); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["last",null]`) // and no ack between
}

func TestAckThatCannotBeEncoded(t *testing.T) {
	h := newStub(t)
	h.event = func(_ realtime.Socket, ev realtime.Event) { ev.Ack(func() {}) }
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, _ := f.connect(h)
	client.Send(`421["odd"]`)
	client.Expect("431[null]")
	if !strings.Contains(f.log.String(), "odd") {
		t.Errorf("log: %s", f.log)
	}
}

// TestOrder sends by every way there is from one goroutine.
func TestOrder(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	emitter := f.server.Emitter("/")
	h.event = func(conn realtime.Socket, ev realtime.Event) {
		for i := range 100 {
			if err := conn.Emit("direct", i); err != nil {
				t.Error(err)
			}
			emitter.Emit("room", i, []string{"room"}, nil)
		}
		ev.Ack("done")
	}
	client, _ := f.connect(h)
	client.Send(`421["go"]`)
	for i := range 100 {
		client.Expect(fmt.Sprintf(`42["direct",%d]`, i))
		client.Expect(fmt.Sprintf(`42["room",%d]`, i))
	}
	client.Expect(`431["done"]`)
}

func TestPanicsAreLoggedAndSurvived(t *testing.T) {
	h := newStub(t)
	h.connected = func(realtime.Socket) { panic("in connected") }
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		if ev.Name == "bad" {
			panic("in event")
		}
		echo(nil, ev)
	}
	h.disconnected = func(realtime.Socket, string) { panic("in disconnected") }
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Send(`421["bad"]`)
	client.Send(`422["good"]`)
	client.Expect("432[[]]")
	client.Send("41")
	wiretest.Eventually(t, "all is logged", func() bool {
		log := f.log.String()
		return strings.Contains(log, "in connected") && strings.Contains(log, "in event") &&
			strings.Contains(log, "event=bad") && strings.Contains(log, "in disconnected")
	})
}

// TestBackpressure has a handler that is stuck. Reading from its client must stop
// at the bound, and nobody else may notice.
// TestBackpressure: nothing is read from a client whose event is not finished, and
// nobody else notices.
func TestBackpressure(t *testing.T) {
	const events = 5000
	h, other := newStub(t), newStub(t)
	release := make(chan struct{})
	var entered atomic.Int64
	var handled []string
	done := make(chan struct{})
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		entered.Add(1)
		<-release
		handled = append(handled, string(ev.Args[0]))
		if len(handled) == events {
			close(done)
		}
	}
	other.event = echo
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/other": other})
	client, _ := f.connect(h)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range events {
			client.Send(fmt.Sprintf(`42["e",%d]`, i))
		}
	}()
	wiretest.Eventually(t, "the first event", func() bool { return entered.Load() == 1 })
	bystander := f.dial()
	bystander.Send("40/other,")
	expectPrefix(t, bystander, "40/other,{")
	for i := range 100 {
		bystander.Send(fmt.Sprintf(`42/other,%d["e"]`, i))
		bystander.Expect(fmt.Sprintf(`43/other,%d[[]]`, i))
	}
	if n := entered.Load(); n != 1 {
		t.Errorf("%d events were begun", n)
	}
	close(release)
	waitFor(t, "every event is handled", done)
	waitFor(t, "every event is sent", sent)
	for i, got := range handled {
		if got != fmt.Sprint(i) {
			t.Fatalf("event %d came as number %d", i, slices.Index(handled, fmt.Sprint(i)))
		}
	}
}

// TestDisconnectWhileReadingIsHeldBack ends a connection whose reader waits for a
// handler.
func TestDisconnectWhileReadingIsHeldBack(t *testing.T) {
	h := newStub(t)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	h.event = func(realtime.Socket, realtime.Event) {
		entered <- struct{}{}
		<-release
	}
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, conn := f.connect(h)
	client.Send(`42["e"]`)
	wiretest.Receive(t, "the event", entered)
	conn.Disconnect(true)
	waitFor(t, "the context's end", conn.Context().Done())
	if h.disconnects.Load() != 0 {
		t.Error("Disconnected was called while Event runs")
	}
	close(release)
	wiretest.Eventually(t, "Disconnected", func() bool { return h.disconnects.Load() == 1 })
}

// TestDisconnectedComesBehindTheRooms also where somebody else ends the socket and has not taken it out of its rooms yet.
func TestDisconnectedComesBehindTheRooms(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("a")
	inEvent, goOn, counted := make(chan *Socket), make(chan struct{}), make(chan int, 1)
	var f *fixture
	h.event = func(socket realtime.Socket, _ realtime.Event) {
		inEvent <- socket.(*Socket)
		<-goOn
	}
	h.disconnected = func(realtime.Socket, string) { counted <- f.server.SocketCount("a") }
	f = start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	for range 20 {
		client, _ := f.connect(h)
		client.Send(`42["x"]`)
		conn := wiretest.Receive(t, "Event", inEvent)
		conn.roomsMu.Lock() // holds up whoever ends the socket
		go conn.Disconnect(false)
		wiretest.Eventually(t, "the end", conn.hasEnded)
		goOn <- struct{}{}
		wiretest.Eventually(t, "the end of Event", func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return !conn.busy
		})
		conn.roomsMu.Unlock()
		if n := wiretest.Receive(t, "Disconnected", counted); n != 0 {
			t.Fatalf("Disconnected was called while %d sockets stood in the room", n)
		}
	}
}

// TestOpenSockets: a socket counts from the answer to CONNECT to its end, though it stands in its rooms for longer.
func TestOpenSockets(t *testing.T) {
	h := newStub(t)
	var f *fixture
	during := make(chan bool, 1)
	hasOpen := func(room string) bool {
		for range f.server.OpenSockets(room) {
			return true
		}
		return false
	}
	h.authenticate = func(_ context.Context, conn realtime.Socket, _ realtime.Handshake) error {
		conn.Join("a")
		during <- hasOpen("a") || f.server.SocketCount("a") != 1
		return nil
	}
	h.connected = func(realtime.Socket) { during <- !hasOpen("a") || hasOpen("b") }
	h.disconnected = func(realtime.Socket, string) { during <- hasOpen("a") }
	f = start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
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

func TestDisconnectedSeesTheRoomsLeft(t *testing.T) {
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
	h.disconnected = func(conn realtime.Socket, reason string) {
		rooms := conn.Rooms()
		slices.Sort(rooms)
		ends <- seen{rooms, f.server.SocketCount("a"), reason, conn.Data()}
	}
	f = start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	for reason, leave := range map[string]func(*wiretest.WebSocket, realtime.Socket){
		"transport close":             func(s *wiretest.WebSocket, _ realtime.Socket) { s.Cut() },
		"client namespace disconnect": func(s *wiretest.WebSocket, _ realtime.Socket) { s.Send("41") },
		"server namespace disconnect": func(_ *wiretest.WebSocket, c realtime.Socket) { c.Disconnect(false) },
		"parse error":                 func(s *wiretest.WebSocket, _ realtime.Socket) { s.Send("4x") },
	} {
		client, conn := f.connect(h)
		conn.SetData(reason)
		conn.Join("c")
		conn.Leave("b")
		if !conn.InRoom("c") || conn.InRoom("b") {
			t.Errorf("rooms: %v", conn.Rooms())
		}
		leave(client, conn)
		got := wiretest.Receive(t, "Disconnected", ends)
		if diff := cmp.Diff([]string{"a", "c"}, got.rooms); diff != "" || got.count != 0 || got.reason != reason || got.data != reason {
			t.Errorf("%s: %+v %s", reason, got, diff)
		}
		if err := conn.Emit("x", 1); err == nil {
			t.Error("emitted to a socket that has gone")
		}
	}
}

func TestDisconnectFromInsideTheHandler(t *testing.T) {
	for name, hook := range map[string]func(*stub){
		"connected": func(h *stub) { h.connected = func(conn realtime.Socket) { conn.Disconnect(true) } },
		"event":     func(h *stub) { h.event = func(conn realtime.Socket, _ realtime.Event) { conn.Disconnect(true) } },
	} {
		t.Run(name, func(t *testing.T) {
			h := newStub(t)
			hook(h)
			f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
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

func TestSlowReaderIsCutOff(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	reasons := make(chan string, 1)
	h.disconnected = func(_ realtime.Socket, reason string) {
		select {
		case reasons <- reason:
		default:
		}
	}
	f := start(t, realtime.Options{MaxQueuedBytes: 300_000}, map[string]realtime.Handler{"/": h})
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
	if reason := <-reasons; reason != string(engineio.ReasonSlowReader) {
		t.Errorf("reason %q", reason)
	}
	if n := f.server.SocketCount("room"); n != 1 {
		t.Errorf("%d sockets are left in the room", n)
	}
}

// TestDrainCutsTheSilent in time: whoever does not say goodbye is no failure of the server's.
func TestDrainCutsTheSilent(t *testing.T) {
	h := newStub(t)
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
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

func TestDrainWaitsForDisconnected(t *testing.T) {
	h := newStub(t)
	release := make(chan struct{})
	h.disconnected = func(realtime.Socket, string) { <-release }
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, conn := f.connect(h)
	drained := make(chan error, 1)
	go func() { drained <- f.server.Drain(context.WithoutCancel(t.Context())) }()
	client.ReadClose()
	waitFor(t, "the context's end", conn.Context().Done())
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
