package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// probe opens a WebSocket for the session and has its probe answered.
func probe(t *testing.T, client *wiretest.Poller) *wiretest.WebSocket {
	t.Helper()
	webSocket := wiretest.Dial(t, client.WebSocketURL())
	webSocket.Send("2probe")
	webSocket.Expect("3probe")
	return webSocket
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	pending := f.waitingPoll(t, client)
	webSocket := probe(t, client)
	if got := wiretest.Receive(t, "the waiting poll", pending); got.Status != 200 || got.Body != "6" {
		t.Errorf("waiting poll: %+v, want a noop", got)
	}
	client.Expect("6") // polls are answered at once from here on
	client.MustPost(`421["over polling"]`)
	expectPoll(t, client, `431[[]]`)
	webSocket.Send("5")
	expectAlive(t, webSocket)
	f.root.expectEvent(t, "over polling")
	if err := socket.Emit("over", "WebSocket"); err != nil {
		t.Fatal(err)
	}
	webSocket.Expect(`42["over","WebSocket"]`)

	// Polling is over for the session, and further WebSockets are accepted and closed; none of them harms it.
	f.do(t, http.MethodGet, session(client), nil, "").expect(t, 400, badRequest)
	f.do(t, http.MethodPost, session(client), nil, `42["e"]`).expect(t, 400, badRequest)
	again := wiretest.Dial(t, client.WebSocketURL())
	expectClose(t, again, 1000)
	expectAlive(t, webSocket)
	if n := f.server.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if len(f.root.events) != 0 {
		t.Error("a refused POST was taken")
	}
	webSocket.Cut()
	f.root.expectGone(t, "transport close")
}

// TestUpgradeInOneBreath: a client may send the probe, the upgrade and messages without waiting for an answer.
func TestUpgradeInOneBreath(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	s := f.dialRaw(t)
	glued := append(append(text("2probe"), text("5")...), text(`421["e"]`)...)
	query := "?EIO=4&transport=websocket&sid=" + client.Open.SID
	if got := s.request(http.MethodGet, query, upgradeHeader(nil), glued); got.status != 101 {
		t.Fatalf("status %d", got.status)
	}
	s.expectFrame(ws.OpText, "3probe")
	s.expectFrame(ws.OpText, `431[[]]`)
}

// TestUpgradeBeforeConnect: CONNECT and its answer may be on their way when the transport changes.
func TestUpgradeBeforeConnect(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	answered := f.poll(t)
	answered.MustPost("40")
	webSocket := probe(t, answered)
	webSocket.Send("5")
	var got string
	// The answer goes to the transport that is in use when it comes.
	if status, body := answered.Get(); status == http.StatusOK && body != "6" {
		got = body
	} else {
		got = webSocket.Read()
	}
	if !strings.HasPrefix(got, `40{"sid":"`) {
		t.Errorf("answer to CONNECT: %q", got)
	}
	expectAlive(t, webSocket)

	fresh := probe(t, f.poll(t))
	fresh.Send("5")
	fresh.Send("40")
	expectPrefix(t, fresh, `40{"sid":"`)
	expectAlive(t, fresh)
}

// TestUpgradeMovesTheQueue: what waits for a poll when the transport changes is sent over the WebSocket, in order.
func TestUpgradeMovesTheQueue(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	webSocket := probe(t, client)
	for i := range 500 {
		if err := socket.Emit("n", i); err != nil {
			t.Fatal(err)
		}
	}
	webSocket.Send("5")
	for i := range 500 {
		webSocket.Expect(fmt.Sprintf(`42["n",%d]`, i))
	}
	expectAlive(t, webSocket)
}

// TestFailedUpgrades leave the session polling, and do not bar a later attempt.
func TestFailedUpgrades(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		attempt func(*wiretest.WebSocket)
	}{
		{"wrong probe", func(s *wiretest.WebSocket) { s.Send("2prob") }},
		{"probe of another kind", func(s *wiretest.WebSocket) { s.Send("3probe") }},
		{"ping without probe", func(s *wiretest.WebSocket) { s.Send("2") }},
		{"binary probe", func(s *wiretest.WebSocket) { s.SendBinary([]byte("2probe")) }},
		{"upgrade without probe", func(s *wiretest.WebSocket) { s.Send("5") }},
		{"message without probe", func(s *wiretest.WebSocket) { s.Send(`42["e"]`) }},
		{"close without probe", func(s *wiretest.WebSocket) { s.Send("1") }},
		{"broken frame", func(s *wiretest.WebSocket) { s.SendRaw([]byte{0x83, 0x80, 0, 0, 0, 0}) }},
		{"Close frame", func(s *wiretest.WebSocket) { s.SendFrame(ws.NewCloseFrame(nil)) }},
		{"cut at once", func(s *wiretest.WebSocket) { s.Cut() }},
		{"message behind the probe", func(s *wiretest.WebSocket) { s.Send("2probe"); s.Expect("3probe"); s.Send(`42["e"]`) }},
		{"second probe", func(s *wiretest.WebSocket) { s.Send("2probe"); s.Expect("3probe"); s.Send("2probe") }},
		{"upgrade with content", func(s *wiretest.WebSocket) { s.Send("2probe"); s.Expect("3probe"); s.Send("5x") }},
		{"close behind the probe", func(s *wiretest.WebSocket) { s.Send("2probe"); s.Expect("3probe"); s.Send("1") }},
		{"cut behind the probe", func(s *wiretest.WebSocket) { s.Send("2probe"); s.Expect("3probe"); s.Cut() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client, socket := f.connectPolling(t)
			webSocket := wiretest.Dial(t, client.WebSocketURL())
			tt.attempt(webSocket)
			webSocket.ReadClose()
			f.expectStillPolling(t, client, socket)
			if len(f.root.events) != 0 {
				t.Error("an event came through a failed upgrade")
			}
		})
	}
}

// expectStillPolling checks both directions over polling, and that an upgrade is possible.
func (f *fixture) expectStillPolling(t *testing.T, client *wiretest.Poller, socket realtime.Socket) {
	t.Helper()
	if err := socket.Emit("still", "here"); err != nil {
		t.Fatal(err)
	}
	expectPoll(t, client, `42["still","here"]`)
	client.MustPost(`427["` + areYouThere + `"]`)
	expectPoll(t, client, `437[[]]`)
	var webSocket *wiretest.WebSocket
	wiretest.Eventually(t, "another upgrade is let in", func() bool { // once the server has noticed the failure
		var err error
		if webSocket, err = wiretest.TryDial(t, client.WebSocketURL()); err != nil {
			return false
		}
		webSocket.Send("2probe")
		answer, _, err := webSocket.TryRead()
		return err == nil && answer == "3probe" // else it was taken and sent away
	})
	webSocket.Send("5")
	expectAlive(t, webSocket)
}

// TestUpgradeTimeout gives up WebSockets that never finish.
func TestUpgradeTimeout(t *testing.T) {
	t.Parallel()
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{UpgradeTimeout: 50 * time.Millisecond})
		client, _ := f.connectPolling(t)
		wiretest.Dial(t, client.WebSocketURL()).ReadClose()
		client.MustPost(`427["e"]`)
		expectPoll(t, client, `437[[]]`)
	})
	t.Run("silence behind the probe", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{UpgradeTimeout: time.Second})
		client, socket := f.connectPolling(t)
		webSocket := probe(t, client)
		webSocket.ReadClose()
		pending := f.waitingPoll(t, client) // polls wait again
		if err := socket.Emit("still", "here"); err != nil {
			t.Fatal(err)
		}
		if got := wiretest.Receive(t, "the poll", pending); got.Body != `42["still","here"]` {
			t.Errorf("poll: %+v", got)
		}
		f.expectStillPolling(t, client, socket)
	})
	t.Run("upgrade in time lasts", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{UpgradeTimeout: time.Second, PingInterval: 100 * time.Millisecond, PingTimeout: 5 * time.Second})
		client, _ := f.connectPolling(t)
		webSocket := probe(t, client)
		webSocket.Send("5")
		for began := time.Now(); time.Since(began) < 1200*time.Millisecond; {
			if data, _, err := webSocket.TryRead(); data != "2" || err != nil {
				t.Fatalf("read %q, %v; want a ping", data, err)
			}
			webSocket.Send("3")
		}
		expectAlive(t, webSocket)
	})
}

// TestTwoUpgradesAtOnce: one WebSocket may try, a second is closed meanwhile and does not disturb the first.
func TestTwoUpgradesAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for name, probed := range map[string]bool{"before the probe": false, "behind the probe": true} {
		t.Run(name, func(t *testing.T) {
			client, _ := f.connectPolling(t)
			first := wiretest.Dial(t, client.WebSocketURL())
			if probed {
				first.Send("2probe")
				first.Expect("3probe")
			}
			expectClose(t, wiretest.Dial(t, client.WebSocketURL()), 1000)
			if !probed {
				first.Send("2probe")
				first.Expect("3probe")
			}
			first.Send("5")
			expectAlive(t, first)
		})
	}
}

func TestUpgradeOfAClosedSession(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	socket.Disconnect(true) // the session waits for one poll to say so
	query := "?EIO=4&transport=websocket&sid=" + client.Open.SID
	f.dialRaw(t).request(http.MethodGet, query, upgradeHeader(nil), nil).expect(t, 400, badRequest)
	client.Expect("41\x1e1")
	f.expectForgotten(t, client.Open.SID)
	f.dialRaw(t).request(http.MethodGet, query, upgradeHeader(nil), nil).expect(t, 400, unknownSession)
}

// TestUpgradeUnderTraffic changes the transport while both sides send, and looks for messages that are lost, doubled
// or out of order. The client behaves as the documents ask: it polls until the probe is answered and its last poll
// has returned, then says that it upgrades.
func TestUpgradeUnderTraffic(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for _, tt := range []struct {
		name  string
		ahead int
	}{
		{"in step", step}, // traffic lasts as long as the client's
		{"all at once", traffic},
	} {
		for run := range 4 {
			t.Run(fmt.Sprint(tt.name, " ", run), func(t *testing.T) {
				poller, socket := f.connectPolling(t)
				exchanged := make(chan error, 1)
				go func() { exchanged <- f.root.exchange(socket, tt.ahead) }()
				(&movingClient{t: t, poller: poller}).run()
				if err := wiretest.Receive(t, "the server's side", exchanged); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// How many events each side sends in TestUpgradeUnderTraffic, and how many the client puts into one POST.
const (
	traffic = 1200
	step    = 20
)

// exchange sends numbered events, so many ahead of those that it receives.
func (h *recorder) exchange(socket realtime.Socket, ahead int) error {
	for i := range traffic {
		if err := socket.Emit("n", i); err != nil {
			return err
		}
		for j := i - ahead + 1; i%ahead == ahead-1 && j <= i; j++ {
			select {
			case ev := <-h.events:
				if got := joined(ev.Args); ev.Name != "n" || got != fmt.Sprint(j) {
					return fmt.Errorf("event %s %s, want number %d", ev.Name, got, j)
				}
			case <-time.After(wiretest.Timeout):
				return fmt.Errorf("in vain: event %d", j)
			}
		}
	}
	return nil
}

// movingClient sends numbered events and expects as many, over polling and then over a WebSocket.
type movingClient struct {
	t      *testing.T
	poller *wiretest.Poller
	sent   int
	got    int
}

func (c *movingClient) run() {
	c.t.Helper()
	webSocket := wiretest.Dial(c.t, c.poller.WebSocketURL())
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		webSocket.Send("2probe")
		webSocket.Expect("3probe")
	}()
	for paused := false; !paused; {
		select {
		case <-probed:
			paused = true
		default:
		}
		c.post(min(step, traffic-c.sent))
		_, body := c.poller.Get()
		c.take(strings.Split(body, "\x1e"))
	}
	webSocket.Send("5")
	for c.sent < traffic {
		webSocket.Send(c.next())
	}
	for c.got < traffic {
		c.take([]string{webSocket.Read()})
	}
}

func (c *movingClient) next() string {
	packet := fmt.Sprintf(`42["n",%d]`, c.sent)
	c.sent++
	return packet
}

func (c *movingClient) post(count int) {
	c.t.Helper()
	if count == 0 {
		return
	}
	body := make([]string, count)
	for i := range body {
		body[i] = c.next()
	}
	c.poller.MustPost(strings.Join(body, "\x1e"))
}

func (c *movingClient) take(packets []string) {
	c.t.Helper()
	for _, packet := range packets {
		if packet == "6" {
			continue
		}
		if want := fmt.Sprintf(`42["n",%d]`, c.got); packet != want {
			c.t.Fatalf("received %q, want %q", packet, want)
		}
		c.got++
	}
}
