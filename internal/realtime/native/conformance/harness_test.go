package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/test/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a Handler that notes what it is told. It acknowledges each event with the list of the event's arguments.
type recorder struct {
	// authenticate, when set, decides on each CONNECT.
	authenticate func(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error
	// onConnected, when set, runs before the socket is put into connected.
	onConnected func(socket realtime.Socket)
	// onEvent, when set, is called instead of noting the event.
	onEvent func(socket realtime.Socket, ev realtime.Event)

	handshakes chan realtime.Handshake
	connected  chan realtime.Socket
	events     chan realtime.Event
	gone       chan string // why sockets were disconnected

	connects    atomic.Int64
	disconnects atomic.Int64
}

// noted is how much a recorder can note that no test asks for.
const noted = 10_000

func newRecorder() *recorder {
	return &recorder{
		handshakes: make(chan realtime.Handshake, noted),
		connected:  make(chan realtime.Socket, noted),
		events:     make(chan realtime.Event, noted),
		gone:       make(chan string, noted),
	}
}

func (h *recorder) Authenticate(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	h.handshakes <- hs
	if h.authenticate != nil {
		return h.authenticate(ctx, socket, hs)
	}
	return nil
}

func (h *recorder) Connected(socket realtime.Socket) {
	h.connects.Add(1)
	if h.onConnected != nil {
		h.onConnected(socket)
	}
	h.connected <- socket
}

func (h *recorder) Event(socket realtime.Socket, ev realtime.Event) {
	if h.onEvent != nil {
		h.onEvent(socket, ev)
		return
	}
	if ev.Name != areYouThere {
		h.events <- ev
	}
	if ev.Ack != nil {
		ev.Ack(ev.Args)
	}
}

func (h *recorder) Disconnected(_ realtime.Socket, reason string) {
	h.disconnects.Add(1)
	h.gone <- reason
}

// expectEvent fails the test if the next event is another. The arguments are compared as they stood on the wire.
func (h *recorder) expectEvent(t *testing.T, name string, args ...string) realtime.Event {
	t.Helper()
	ev := wiretest.Receive(t, "event "+name, h.events)
	if got := joined(ev.Args); ev.Name != name || got != strings.Join(args, " ") {
		t.Fatalf("event %q with %s, want %q with %s", ev.Name, got, name, strings.Join(args, " "))
	}
	return ev
}

func joined(args []json.RawMessage) string {
	texts := make([]string, len(args))
	for i, arg := range args {
		texts[i] = string(arg)
	}
	return strings.Join(texts, " ")
}

// expectGone fails the test if the next socket to go goes for another reason.
func (h *recorder) expectGone(t *testing.T, reason string) {
	t.Helper()
	if got := wiretest.Receive(t, "the socket's end", h.gone); got != reason {
		t.Fatalf("disconnected because of %q, want %q", got, reason)
	}
}

// fixture is a server with handlers for "/" and "/chat".
type fixture struct {
	server   *native.Server
	http     *httptest.Server
	endpoint string // URL, without a query
	root     *recorder
	chat     *recorder
	polls    pollWatch
}

func start(t *testing.T, options realtime.Options) *fixture {
	t.Helper()
	return startServer(t, options, (*httptest.Server).Start)
}

func startServer(t *testing.T, options realtime.Options, serve func(*httptest.Server)) *fixture {
	t.Helper()
	if options.Packets.Burst == 0 { // tests are in a hurry
		options.Packets = limit.Rate{Requests: 1e9, Period: time.Second, Burst: 1e9}
	}
	f := &fixture{server: native.New(options), root: newRecorder(), chat: newRecorder()}
	f.polls.waiting = make(map[string]int)
	f.server.Namespace("/", f.root)
	f.server.Namespace("/chat", f.chat)
	f.http = httptest.NewUnstartedServer(f.polls.watch(f.server))
	serve(f.http)
	f.endpoint = f.http.URL + "/socket.io/"
	t.Cleanup(func() { f.stop(t) })
	return f
}

// stop drains the server and checks that nothing of any client is left.
func (f *fixture) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
	defer cancel()
	if err := f.server.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
	f.http.Close()
	wiretest.Eventually(t, "no connection is counted", func() bool { return f.server.Connections() == 0 })
	if n := f.server.SocketCount(); n != 0 {
		t.Errorf("%d sockets are left after Drain", n)
	}
	for name, h := range map[string]*recorder{"/": f.root, "/chat": f.chat} {
		if c, d := h.connects.Load(), h.disconnects.Load(); c != d {
			t.Errorf("%s: %d times Connected, %d times Disconnected", name, c, d)
		}
	}
}

// dial opens a connection over WebSocket and reads the open packet.
func (f *fixture) dial(t *testing.T) *wiretest.WebSocket {
	t.Helper()
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	expectPrefix(t, client, `0{"sid":"`)
	return client
}

// connect opens a connection over WebSocket and connects to "/".
func (f *fixture) connect(t *testing.T) (*wiretest.WebSocket, realtime.Socket) {
	t.Helper()
	client := f.dial(t)
	client.Send("40")
	expectPrefix(t, client, `40{"sid":"`)
	return client, wiretest.Receive(t, "Connected", f.root.connected)
}

// poll opens a connection over polling. The test's end closes it, so that the server does not wait for a last poll.
func (f *fixture) poll(t *testing.T) *wiretest.Poller {
	t.Helper()
	client := wiretest.OpenPolling(t, f.endpoint)
	t.Cleanup(func() {
		f.do(t, http.MethodPost, "?EIO=4&transport=polling&sid="+client.Open.SID, nil, "1")
	})
	return client
}

// connectPolling opens a connection over polling and connects to "/". It answers pings.
func (f *fixture) connectPolling(t *testing.T) (*wiretest.Poller, realtime.Socket) {
	t.Helper()
	client := f.poll(t)
	client.MustPost("40")
	for {
		status, body := client.Get()
		packets := strings.Split(body, "\x1e")
		answered := slices.ContainsFunc(packets, func(p string) bool { return strings.HasPrefix(p, `40{"sid":"`) })
		if pinged := slices.Contains(packets, "2"); pinged {
			client.MustPost("3")
		} else if status != http.StatusOK || !answered {
			t.Fatalf("answer to CONNECT: %d %q", status, body)
		}
		if answered {
			return client, wiretest.Receive(t, "Connected", f.root.connected)
		}
	}
}

// waitingPoll polls in the background and returns when the server has the request and waits for something to send.
func (f *fixture) waitingPoll(t *testing.T, client *wiretest.Poller) <-chan wiretest.Answer {
	t.Helper()
	before := f.polls.count(client.Open.SID)
	answer := client.GetLater()
	wiretest.Eventually(t, "the poll waits", func() bool { return f.polls.count(client.Open.SID) > before })
	return answer
}

// pollWatch learns which polls wait: a handler that waits for something to send also waits for the end of the
// request's context, which is how it learns that the client has given up.
type pollWatch struct {
	mu      sync.Mutex
	waiting map[string]int // how many polls of a session have begun to wait
}

func (p *pollWatch) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Method == http.MethodGet && query.Get("transport") == "polling" {
			note := func() {
				p.mu.Lock()
				p.waiting[query.Get("sid")]++
				p.mu.Unlock()
			}
			r = r.WithContext(&watchedContext{Context: r.Context(), note: sync.OnceFunc(note)})
		}
		next.ServeHTTP(w, r)
	})
}

func (p *pollWatch) count(sid string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting[sid]
}

// watchedContext notes when somebody begins to wait for its end.
type watchedContext struct {
	context.Context
	note func()
}

func (c *watchedContext) Done() <-chan struct{} {
	c.note()
	return c.Context.Done()
}

func expectPrefix(t *testing.T, client *wiretest.WebSocket, want string) string {
	t.Helper()
	got := client.Read()
	if !strings.HasPrefix(got, want) {
		t.Fatalf("read %q, want %s…", got, want)
	}
	return got
}

// areYouThere is an event that recorders acknowledge and do not note.
const areYouThere = "are you there"

// expectAlive fails the test if the client is not connected to "/".
func expectAlive(t *testing.T, client *wiretest.WebSocket) {
	t.Helper()
	client.Send(`42999["` + areYouThere + `"]`)
	client.Expect(`43999[[]]`)
}

// expectClose fails the test unless the server closes the WebSocket with this code; 0 is a connection that just ends.
func expectClose(t *testing.T, client *wiretest.WebSocket, want int) {
	t.Helper()
	if got := client.ReadClose(); int(got) != want {
		t.Errorf("close code %d, want %d", got, want)
	}
}

// expectForgotten fails the test unless the server soon says that it does not know the session.
func (f *fixture) expectForgotten(t *testing.T, sid string) {
	t.Helper()
	wiretest.Eventually(t, "the session is forgotten", func() bool {
		got := f.do(t, http.MethodPost, "?EIO=4&transport=polling&sid="+sid, nil, "6")
		return got.status == http.StatusBadRequest && got.body == unknownSession
	})
}

// quick is how often tests of the heartbeat ping.
const quick = 20 * time.Millisecond
