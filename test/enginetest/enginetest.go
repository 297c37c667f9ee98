// Package enginetest is the suite that any implementation of realtime.Engine must pass: what the port promises, tried
// packet by packet.
package enginetest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/servicetest"
	"rolecall/test/wiretest"
)

// Engine is what is tested.
type Engine struct {
	New func(realtime.Options) realtime.Engine
	// Left is how many sockets and memberships of rooms an engine still knows.
	Left func(realtime.Engine) int
	// Exceptions are the tests that the engine cannot pass, with the reason of each.
	Exceptions map[string]string
}

// Run tests an engine. What it cannot pass is skipped with the reason.
func Run(t *testing.T, e Engine) {
	s := suite{Engine: e, seen: make(map[string]bool)}
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"HandshakeReachesTheHandler", s.testHandshakeReachesTheHandler},
		{"Refusals", s.testRefusals},
		{"UnknownNamespace", s.testUnknownNamespace},
		{"ProtocolViolationsCloseTheConnection", s.testProtocolViolationsCloseTheConnection},
		{"ConnectTimeout", s.testConnectTimeout},
		{"OtherPathsAreNotFound", s.testOtherPathsAreNotFound},
		{"FastConnects", s.testFastConnects},
		{"LeavingDuringConnect", s.testLeavingDuringConnect},
		{"NothingIsDeliveredBeforeTheAnswer", s.testNothingIsDeliveredBeforeTheAnswer},
		{"ClientLeavesDuringAuthentication", s.testClientLeavesDuringAuthentication},
		{"SlowAuthenticationDelaysNobody", s.testSlowAuthenticationDelaysNobody},
		{"ConnectingAnew", s.testConnectingAnew},
		{"EventsOnTheWayWhenTheServerDisconnects", s.testEventsOnTheWayWhenTheServerDisconnects},
		{"TooManyConnects", s.testTooManyConnects},
		{"EventArguments", s.testEventArguments},
		{"AckExactlyOnce", s.testAckExactlyOnce},
		{"Gather", s.testGather},
		{"GatheredInTime", s.testGatheredInTime},
		{"AckThatCannotBeEncoded", s.testAckThatCannotBeEncoded},
		{"Order", s.testOrder},
		{"PanicsAreLoggedAndSurvived", s.testPanicsAreLoggedAndSurvived},
		{"Backpressure", s.testBackpressure},
		{"DisconnectWhileReadingIsHeldBack", s.testDisconnectWhileReadingIsHeldBack},
		{"OpenSockets", s.testOpenSockets},
		{"Close", s.testClose},
		{"CloseWhileAuthenticating", s.testCloseWhileAuthenticating},
		{"Silent", s.testSilent},
		{"PingBeforeItsTime", s.testPingBeforeItsTime},
		{"RoomChanged", s.testRoomChanged},
		{"DisconnectedSeesTheRoomsLeft", s.testDisconnectedSeesTheRoomsLeft},
		{"DisconnectFromInsideTheHandler", s.testDisconnectFromInsideTheHandler},
		{"SlowReaderIsCutOff", s.testSlowReaderIsCutOff},
		{"SendAway", s.testSendAway},
		{"SendAwayWithinThePeriod", s.testSendAwayWithinThePeriod},
		{"DrainCutsTheSilent", s.testDrainCutsTheSilent},
		{"DrainWaitsForDisconnected", s.testDrainWaitsForDisconnected},
		{"Emitter", s.testEmitter},
		{"DisconnectRoom", s.testDisconnectRoom},
		{"Arguments", s.testArguments},
		{"Watch", s.testWatch},
		{"Traffic", s.testTraffic},
		{"ConnectionShowsNoSecret", s.testConnectionShowsNoSecret},
		{"SocketRooms", s.testSocketRooms},
		{"SocketsIn", s.testSocketsIn},
		{"ListedOnceAnswered", s.testListedOnceAnswered},
		{"RawArguments", s.testRawArguments},
		{"AnswerWithBinaryData", s.testAnswerWithBinaryData},
	}
	all := true // have been asked for
	for _, test := range tests {
		s.run(t, test.name, test.run)
		all = all && s.seen[test.name]
	}
	for name := range e.Exceptions {
		if all && !s.seen[name] {
			t.Errorf("an exception names %q, which is no test", name)
		}
	}
}

type suite struct {
	Engine
	seen map[string]bool // the tests that have begun
}

// run runs a test, unless the engine cannot pass it.
func (s suite) run(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		s.seen[name] = true
		if reason, ok := s.Exceptions[name]; ok {
			t.Skip(reason)
		}
		test(t)
	})
}

// stub is a Handler made of functions, any of which may be nil. It checks what
// every Handler is promised.
type stub struct {
	t            *testing.T
	authenticate func(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error
	connected    func(socket realtime.Socket)
	event        func(socket realtime.Socket, ev realtime.Event)
	disconnected func(socket realtime.Socket, reason string)

	conns       chan realtime.Socket
	connects    atomic.Int64
	disconnects atomic.Int64

	mu    sync.Mutex
	seen  map[realtime.Socket]string // the last call that began
	calls map[realtime.Socket]bool   // one is running
}

func newStub(t *testing.T) *stub {
	return &stub{t: t, conns: make(chan realtime.Socket, 10_000), seen: map[realtime.Socket]string{}, calls: map[realtime.Socket]bool{}}
}

// enter checks that calls for one socket neither overlap nor come out of turn.
func (h *stub) enter(socket realtime.Socket, call string, after ...string) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[socket] {
		h.t.Errorf("%s while another call runs", call)
	}
	if !strings.Contains(strings.Join(after, ","), h.seen[socket]) {
		h.t.Errorf("%s after %q", call, h.seen[socket])
	}
	h.seen[socket], h.calls[socket] = call, true
	return func() {
		h.mu.Lock()
		h.calls[socket] = false
		h.mu.Unlock()
	}
}

func (h *stub) Authenticate(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	if h.authenticate != nil {
		return h.authenticate(ctx, socket, hs)
	}
	return nil
}

func (h *stub) Connected(socket realtime.Socket) {
	defer h.enter(socket, "Connected", "")()
	h.connects.Add(1)
	if h.connected != nil {
		h.connected(socket)
	}
	h.conns <- socket
}

func (h *stub) Event(socket realtime.Socket, ev realtime.Event) {
	defer h.enter(socket, "Event", "Connected", "Event")()
	if h.event != nil {
		h.event(socket, ev)
	}
}

func (h *stub) Disconnected(socket realtime.Socket, reason string) {
	defer h.enter(socket, "Disconnected", "Connected", "Event")()
	h.disconnects.Add(1)
	if h.disconnected != nil {
		h.disconnected(socket, reason)
	}
}

// fixture is a server whose namespaces have stubs for handlers.
type fixture struct {
	t        *testing.T
	server   realtime.Engine
	http     *httptest.Server
	endpoint string
	log      *servicetest.Lines
}

func (s suite) start(t *testing.T, options realtime.Options, handlers map[string]realtime.Handler) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &servicetest.Lines{}}
	options.Logger = slog.New(slog.NewTextHandler(f.log, nil))
	f.server = s.New(options)
	for name, h := range handlers {
		f.server.Namespace(name, h)
	}
	f.http = httptest.NewServer(f.server)
	f.endpoint = f.http.URL + "/socket.io/"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
		defer cancel()
		if err := f.server.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		f.http.Close()
		for name, h := range handlers {
			h, ok := h.(*stub)
			if ok && h.connects.Load() != h.disconnects.Load() {
				t.Errorf("%s: %d times Connected, %d times Disconnected", name, h.connects.Load(), h.disconnects.Load())
			}
		}
		wiretest.Eventually(t, "every socket is forgotten", func() bool { return s.Left(f.server) == 0 })
	})
	return f
}

// dial opens a connection and reads the open packet.
func (f *fixture) dial() *wiretest.WebSocket {
	f.t.Helper()
	client := wiretest.Dial(f.t, f.endpoint+"?EIO=4&transport=websocket")
	if open := client.Read(); !strings.HasPrefix(open, "0{") {
		f.t.Fatalf("open packet: %q", open)
	}
	return client
}

// connect opens a connection and connects to "/".
func (f *fixture) connect(h *stub) (*wiretest.WebSocket, realtime.Socket) {
	f.t.Helper()
	client := f.dial()
	client.Send("40")
	expectPrefix(f.t, client, `40{"sid":"`)
	return client, wiretest.Receive(f.t, "Connected", h.conns)
}

func expectPrefix(t *testing.T, client *wiretest.WebSocket, want string) string {
	t.Helper()
	got := client.Read()
	if !strings.HasPrefix(got, want) {
		t.Fatalf("read %q, want %s…", got, want)
	}
	return got
}

// echo acks each event with its arguments.
func echo(_ realtime.Socket, ev realtime.Event) {
	if ev.Ack != nil {
		ev.Ack(ev.Args)
	}
}

// joins makes an Authenticate that joins rooms.
func joins(rooms ...string) func(context.Context, realtime.Socket, realtime.Handshake) error {
	return func(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
		socket.Join(rooms...)
		return nil
	}
}

func rawJSON(v string) json.RawMessage { return json.RawMessage(v) }

func waitFor(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(wiretest.Timeout):
		t.Fatalf("in vain: %s", what)
	}
}
