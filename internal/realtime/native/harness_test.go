package native

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a Handler made of functions, any of which may be nil. It checks what
// every Handler is promised.
type stub struct {
	t            *testing.T
	authenticate func(ctx context.Context, conn realtime.Socket, hs realtime.Handshake) error
	connected    func(conn realtime.Socket)
	event        func(conn realtime.Socket, ev realtime.Event)
	disconnected func(conn realtime.Socket, reason string)

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
func (h *stub) enter(conn realtime.Socket, call string, after ...string) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[conn] {
		h.t.Errorf("%s while another call runs", call)
	}
	if !strings.Contains(strings.Join(after, ","), h.seen[conn]) {
		h.t.Errorf("%s after %q", call, h.seen[conn])
	}
	h.seen[conn], h.calls[conn] = call, true
	return func() {
		h.mu.Lock()
		h.calls[conn] = false
		h.mu.Unlock()
	}
}

func (h *stub) Authenticate(ctx context.Context, conn realtime.Socket, hs realtime.Handshake) error {
	if h.authenticate != nil {
		return h.authenticate(ctx, conn, hs)
	}
	return nil
}

func (h *stub) Connected(conn realtime.Socket) {
	defer h.enter(conn, "Connected", "")()
	h.connects.Add(1)
	if h.connected != nil {
		h.connected(conn)
	}
	h.conns <- conn
}

func (h *stub) Event(conn realtime.Socket, ev realtime.Event) {
	defer h.enter(conn, "Event", "Connected", "Event")()
	if h.event != nil {
		h.event(conn, ev)
	}
}

func (h *stub) Disconnected(conn realtime.Socket, reason string) {
	defer h.enter(conn, "Disconnected", "Connected", "Event")()
	h.disconnects.Add(1)
	if h.disconnected != nil {
		h.disconnected(conn, reason)
	}
}

// fixture is a server whose namespaces have stubs for handlers.
type fixture struct {
	t        *testing.T
	server   *Server
	http     *httptest.Server
	endpoint string
	log      *logBuffer
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func start(t *testing.T, options realtime.Options, handlers map[string]realtime.Handler) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &logBuffer{}}
	options.Logger = slog.New(slog.NewTextHandler(f.log, nil))
	f.server = New(options)
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
			n := f.server.namespace(name)
			wiretest.Eventually(t, "every socket is forgotten", func() bool {
				rooms, memberships := n.rooms.Size()
				return rooms == 0 && memberships == 0 && n.counters.sockets.Load() == 0
			})
		}
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
	return func(_ context.Context, conn realtime.Socket, _ realtime.Handshake) error {
		conn.Join(rooms...)
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
