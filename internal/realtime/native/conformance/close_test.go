package conformance_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func TestClosePacket(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		s := f.webSocket(t)
		s.write(text("1"))
		s.expectClose(1000)
		f.root.expectGone(t, "transport close")
		s.expectEnd()
	})
	t.Run("websocket, with packets behind it", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connect(t)
		client.Send("1")
		client.Send(`42["late"]`)
		expectClose(t, client, 1000)
		f.root.expectGone(t, "transport close")
		if len(f.root.events) != 0 {
			t.Error("an event came through after the end")
		}
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connectPolling(t)
		client.MustPost("1")
		f.root.expectGone(t, "transport close")
		status, body := client.Get()
		answer{status: status, body: body}.expect(t, 400, unknownSession)
	})
	t.Run("polling, in the middle of a payload", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connectPolling(t)
		client.MustPost("42[\"first\"]\x1e1\x1e42[\"late\"]")
		// The socket's end overtakes events that are still queued for it; none may come from behind the packet.
		f.root.expectGone(t, "transport close")
		for len(f.root.events) > 0 {
			if ev := <-f.root.events; ev.Name != "first" {
				t.Errorf("event %q came through after the end", ev.Name)
			}
		}
	})
	t.Run("waiting poll", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connectPolling(t)
		pending := f.waitingPoll(t, client)
		client.MustPost("1")
		got := wiretest.Receive(t, "the waiting poll", pending)
		// The documents name no packet that ends it, but the suite of their authors does.
		if got.Status != http.StatusOK || got.Body != "6" {
			t.Errorf("waiting poll: %+v", got)
		}
		f.root.expectGone(t, "transport close")
		status, body := client.Get()
		answer{status: status, body: body}.expect(t, 400, unknownSession)
	})
}

// TestCloseFrames: whatever its code, a Close frame ends the session, and is answered with one (RFC 6455, section 5.5.1).
func TestCloseFrames(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	bodies := map[string]string{"no body": "", "reason": closeFrame(1000, "see you"), "longest": closeFrame(4000, strings.Repeat("x", 123))}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999} {
		bodies[fmt.Sprint(code)] = closeFrame(code, "")
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			s := f.webSocket(t)
			s.write(closeWith(body))
			frame := s.frame()
			if frame.Header.OpCode != ws.OpClose || frame.Header.Masked {
				t.Fatalf("frame %+v", frame.Header)
			}
			// Sections 7.1.5 and 7.4.1: the same code or another that may stand on the wire.
			code, _ := ws.ParseCloseFrameData(frame.Payload)
			if want, _ := ws.ParseCloseFrameData([]byte(body)); len(frame.Payload) > 0 && code != 1000 && code != want {
				t.Errorf("answered with code %d", code)
			}
			s.expectEnd() // the server ends the connection first, section 7.1.1
			f.root.expectGone(t, "transport close")
		})
	}
}

// malformedCloseFrames are bodies of Close frames, and the codes with which they are to be refused.
func malformedCloseFrames() map[string]struct {
	body string
	code int
} {
	return map[string]struct {
		body string
		code int
	}{
		"one byte": {"\x03", 1002}, "code 0": {closeFrame(0, ""), 1002}, "code 999": {closeFrame(999, ""), 1002},
		"code 1004": {closeFrame(1004, ""), 1002}, "code 1005": {closeFrame(1005, ""), 1002},
		"code 1006": {closeFrame(1006, ""), 1002}, "code 1015": {closeFrame(1015, ""), 1002},
		"code 65535": {closeFrame(65535, ""), 1002}, "reason that is not UTF-8": {closeFrame(1000, "\xff"), 1007},
	}
}

// closeWith is a Close frame with any body.
func closeWith(body string) []byte { return masked(ws.NewCloseFrame([]byte(body))) }

// TestMalformedCloseFrames end the session as well.
func TestMalformedCloseFrames(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for name, tt := range malformedCloseFrames() {
		t.Run(name, func(t *testing.T) {
			s := f.webSocket(t)
			s.write(closeWith(tt.body))
			if frame := s.frame(); frame.Header.OpCode != ws.OpClose {
				t.Fatalf("frame %+v %q", frame.Header, frame.Payload)
			}
			s.expectEnd()
			wiretest.Receive(t, "the socket's end", f.root.gone)
		})
	}
}

func TestCutConnections(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	t.Run("end of stream", func(t *testing.T) {
		client, _ := f.connect(t)
		client.Cut()
		f.root.expectGone(t, "transport close")
	})
	t.Run("only the client's direction", func(t *testing.T) {
		client, _ := f.connect(t)
		if err := client.Conn().(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		f.root.expectGone(t, "transport close")
		client.ReadClose()
	})
	t.Run("reset", func(t *testing.T) {
		client, _ := f.connect(t)
		if err := client.Conn().(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		client.Cut()
		f.root.expectGone(t, "transport error")
	})
	t.Run("poll given up", func(t *testing.T) {
		client, _ := f.connectPolling(t)
		s := f.dialRaw(t)
		before := f.polls.count(client.Open.SID)
		s.write([]byte("GET /socket.io/?EIO=4&transport=polling&sid=" + client.Open.SID + " HTTP/1.1\r\nHost: x\r\n\r\n"))
		wiretest.Eventually(t, "the poll waits", func() bool { return f.polls.count(client.Open.SID) > before })
		_ = s.conn.Close()
		f.root.expectGone(t, "transport close")
		f.expectForgotten(t, client.Open.SID)
	})
	t.Run("post cut in the middle", func(t *testing.T) {
		client, _ := f.connectPolling(t)
		s := f.dialRaw(t)
		s.write([]byte("POST /socket.io/?EIO=4&transport=polling&sid=" + client.Open.SID +
			" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42[\"half"))
		_ = s.conn.Close()
		f.root.expectGone(t, "transport error")
		if len(f.root.events) != 0 {
			t.Error("half a POST was taken for an event")
		}
	})
}

func TestServerDisconnectsTheNamespace(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, socket := f.connect(t)
		client.Send("40/chat,")
		expectPrefix(t, client, `40/chat,{"sid":"`)
		socket.Disconnect(false)
		client.Expect("41")
		f.root.expectGone(t, "server namespace disconnect")
		client.Send(`42/chat,1["e"]`) // the other namespace and the connection live on
		client.Expect(`43/chat,1[[]]`)
		client.Send("40")
		expectPrefix(t, client, `40{"sid":"`)
		expectAlive(t, client)
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, socket := f.connectPolling(t)
		pending := f.waitingPoll(t, client)
		socket.Disconnect(false)
		if got := wiretest.Receive(t, "the waiting poll", pending); got.Body != "41" {
			t.Errorf("waiting poll: %+v", got)
		}
		f.root.expectGone(t, "server namespace disconnect")
		client.MustPost("40")
		if _, body := client.Get(); !strings.HasPrefix(body, `40{"sid":"`) {
			t.Errorf("poll: %q", body)
		}
	})
}

func TestServerClosesTheConnection(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		s := f.webSocket(t)
		socket := wiretest.Receive(t, "Connected", f.root.connected)
		for i := range 300 {
			if err := socket.Emit("n", i); err != nil {
				t.Fatal(err)
			}
		}
		socket.Disconnect(true)
		for i := range 300 { // what was sent before arrives before
			s.expectFrame(ws.OpText, fmt.Sprintf(`42["n",%d]`, i))
		}
		s.expectFrame(ws.OpText, "41")
		s.expectClose(1000)
		s.expectEnd()
		f.root.expectGone(t, "server namespace disconnect")
	})
	t.Run("waiting poll", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, socket := f.connectPolling(t)
		pending := f.waitingPoll(t, client)
		socket.Disconnect(true)
		// The poll may leave with the first packet; the second is then in the next.
		got := wiretest.Receive(t, "the waiting poll", pending)
		if got.Body == "41" {
			_, got.Body = client.Get()
			got.Body = "41\x1e" + got.Body
		}
		if got.Status != http.StatusOK || got.Body != "41\x1e1" {
			t.Errorf("polls: %+v", got)
		}
		f.expectForgotten(t, client.Open.SID)
	})
	t.Run("next poll", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, socket := f.connectPolling(t)
		if err := socket.Emit("last", "words"); err != nil {
			t.Fatal(err)
		}
		socket.Disconnect(true)
		client.Expect("42[\"last\",\"words\"]\x1e41\x1e1")
		f.expectForgotten(t, client.Open.SID)
	})
}

// Who is to stay away is told so by one poll, and that the connection is over by another: official clients take both at once
// for a loss, and come back.
func TestSentAwayWhilePolling(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	socket.Join("user:1")
	pending := f.waitingPoll(t, client)
	f.server.DisconnectRoom("user:1")
	if got := wiretest.Receive(t, "the waiting poll", pending); got.Status != http.StatusOK || got.Body != "41" {
		t.Errorf("the waiting poll: %+v", got)
	}
	client.Expect("1")
	f.expectForgotten(t, client.Open.SID)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	raw := f.webSocket(t)
	poller, _ := f.connectPolling(t)
	pending := f.waitingPoll(t, poller)
	upgrading, _ := f.connectPolling(t)
	candidate := wiretest.Dial(t, upgrading.WebSocketURL())
	candidate.Send("2probe")
	candidate.Expect("3probe")
	upgrading.Expect("6") // the server now knows that the client may move

	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
		defer cancel()
		drained <- f.server.Drain(ctx)
	}()
	raw.expectClose(1001)
	raw.expectEnd()
	if got := wiretest.Receive(t, "the waiting poll", pending); got.Status != 200 || got.Body != "1" {
		t.Errorf("waiting poll: %+v", got)
	}
	for _, query := range []string{"?EIO=4&transport=polling", "?EIO=4&transport=websocket"} {
		header := http.Header(nil)
		if strings.Contains(query, "websocket") {
			header = upgradeHeader(nil)
		}
		f.dialRaw(t).request(http.MethodGet, query, header, nil).expect(t, http.StatusServiceUnavailable, stopping)
	}
	candidate.Send("5") // the client moves to the WebSocket in the middle of the drain, and is told there
	expectClose(t, candidate, 1001)
	candidate.Cut()
	if err := wiretest.Receive(t, "the end of Drain", drained); err != nil {
		t.Errorf("drain: %v", err)
	}
	for range 3 {
		f.root.expectGone(t, "server shutting down")
	}
}

// TestCloseDuringUpgrade ends the session between probe and upgrade, from either side.
func TestCloseDuringUpgrade(t *testing.T) {
	t.Parallel()
	probing := func(t *testing.T, f *fixture) (*wiretest.Poller, *wiretest.WebSocket, realtime.Socket) {
		poller, socket := f.connectPolling(t)
		webSocket := wiretest.Dial(t, poller.WebSocketURL())
		webSocket.Send("2probe")
		webSocket.Expect("3probe")
		poller.Expect("6") // the server now knows that the client may move
		return poller, webSocket, socket
	}
	t.Run("client closes over polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		poller, webSocket, _ := probing(t, f)
		poller.MustPost("1")
		f.root.expectGone(t, "transport close")
		webSocket.ReadClose()
		f.expectForgotten(t, poller.Open.SID)
	})
	t.Run("client closes on the WebSocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		poller, webSocket, socket := probing(t, f)
		webSocket.Send("1") // closes that transport, which is not the session's
		webSocket.ReadClose()
		if err := socket.Emit("still", "polling"); err != nil {
			t.Fatal(err)
		}
		expectPoll(t, poller, `42["still","polling"]`)
	})
	t.Run("server, the client still polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		poller, _, socket := probing(t, f)
		socket.Disconnect(true)
		poller.Expect("41\x1e1")
		f.root.expectGone(t, "server namespace disconnect")
	})
	t.Run("server, the client moving", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		_, webSocket, socket := probing(t, f)
		socket.Disconnect(true)
		webSocket.Send("5")
		webSocket.Expect("41")
		expectClose(t, webSocket, 1000)
		f.root.expectGone(t, "server namespace disconnect")
	})
}

// expectPoll polls until there is something else than a noop, which must be this.
func expectPoll(t *testing.T, client *wiretest.Poller, want string) {
	t.Helper()
	deadline := time.Now().Add(wiretest.Timeout)
	for time.Now().Before(deadline) {
		status, body := client.Get()
		if body == "6" {
			continue
		}
		if status != http.StatusOK || body != want {
			t.Fatalf("poll: %d %q, want %q", status, body, want)
		}
		return
	}
	t.Fatalf("polls had nothing but noops")
}
