package conformance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// patient is a ping timeout that even a very busy machine keeps.
const patient = 2 * time.Second

func TestPingComesAfterTheInterval(t *testing.T) {
	t.Parallel()
	const interval = 100 * time.Millisecond
	f := start(t, realtime.Options{PingInterval: interval, PingTimeout: patient})
	t.Run("websocket", func(t *testing.T) {
		before := time.Now()
		client := f.dial(t)
		for beat := range 3 {
			data, binary, err := client.TryRead()
			if data != "2" || binary || err != nil {
				t.Fatalf("read %q (binary %v), %v; want a ping", data, binary, err)
			}
			if passed := time.Since(before); passed < interval {
				t.Errorf("ping %d came after %v", beat, passed)
			}
			before = time.Now()
			client.Send("3")
		}
	})
	t.Run("polling", func(t *testing.T) {
		before := time.Now()
		client := f.poll(t)
		for beat := range 3 {
			client.Expect("2")
			if passed := time.Since(before); passed < interval {
				t.Errorf("ping %d came after %v", beat, passed)
			}
			before = time.Now()
			client.MustPost("3")
		}
	})
}

// TestPongKeepsTheSessionAlive answers pings for longer than one pong may take.
func TestPongKeepsTheSessionAlive(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{PingInterval: quick, PingTimeout: patient})
	webSocket, socket := f.connect(t)
	poller, polled := f.connectPolling(t)
	for began := time.Now(); time.Since(began) < patient+20*quick; {
		if data, _, err := webSocket.TryRead(); data != "2" || err != nil {
			t.Fatalf("read %q, %v; want a ping", data, err)
		}
		webSocket.Send("3")
		poller.Expect("2")
		poller.MustPost("3")
	}
	for _, c := range []realtime.Socket{socket, polled} {
		if err := c.Emit("still", "here"); err != nil {
			t.Error(err)
		}
	}
	webSocket.Expect(`42["still","here"]`)
	if n := f.root.disconnects.Load(); n != 0 {
		t.Errorf("%d sockets were disconnected", n)
	}
}

func TestNoPongEndsTheSession(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: quick, PingTimeout: 300 * time.Millisecond})
		s := f.dialRaw(t)
		if got := s.request(http.MethodGet, "?EIO=4&transport=websocket", upgradeHeader(nil), text("40")); got.status != 101 {
			t.Fatalf("opening handshake: %d %s", got.status, got.body)
		}
		pings := 0
		for {
			frame, err := s.readFrame()
			// Who does not answer a ping is hardly there to answer a Close frame: the connection may just end.
			if err != nil || frame.Header.OpCode == ws.OpClose {
				break
			}
			if string(frame.Payload) == "2" {
				pings++
			}
		}
		if pings != 1 {
			t.Errorf("%d pings", pings)
		}
		f.root.expectGone(t, "ping timeout")
	})
	t.Run("waiting poll", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: quick, PingTimeout: 300 * time.Millisecond})
		client := f.poll(t)
		client.MustPost("40")
		var packets []string
		for !slices.Contains(packets, "1") { // the last poll waits until the session is given up
			status, body := client.Get()
			if status != http.StatusOK {
				t.Fatalf("poll: %d %s, behind %q", status, body, packets)
			}
			packets = append(packets, strings.Split(body, "\x1e")...)
		}
		slices.Sort(packets)
		if len(packets) != 3 || packets[0] != "1" || packets[1] != "2" || !strings.HasPrefix(packets[2], "40{") {
			t.Errorf("polls had %q", packets)
		}
		f.root.expectGone(t, "ping timeout")
		f.expectForgotten(t, client.Open.SID)
	})
	t.Run("no poll", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: quick, PingTimeout: quick})
		client := f.poll(t)
		f.expectForgotten(t, client.Open.SID)
		f.do(t, http.MethodGet, "?EIO=4&transport=polling&sid="+client.Open.SID, nil, "").expect(t, 400, unknownSession)
	})
	t.Run("no namespace", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: quick, PingTimeout: quick})
		f.dial(t).ReadClose()
	})
}

// TestOnlyPongsCount: messages do not stand in for the pong.
func TestOnlyPongsCount(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{PingInterval: quick, PingTimeout: 200 * time.Millisecond})
	client, _ := f.connect(t)
	for {
		client.Send(`42["` + areYouThere + `"]`)
		client.Send("6")
		client.SendFrame(ws.NewPongFrame(nil))
		client.SendFrame(ws.NewPingFrame(nil))
		if _, _, err := client.TryRead(); err != nil {
			break
		}
	}
	f.root.expectGone(t, "ping timeout")
}

// TestUnaskedPongs: a pong that answers no ping neither harms nor counts for the ping to come.
func TestUnaskedPongs(t *testing.T) {
	t.Parallel()
	t.Run("harmless", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		webSocket, _ := f.connect(t)
		for range 5 {
			webSocket.Send("3")
			webSocket.Send("3probe")
			webSocket.SendFrame(ws.NewPongFrame([]byte("nobody asked")))
		}
		expectAlive(t, webSocket)
		poller, _ := f.connectPolling(t)
		poller.MustPost("3\x1e3\x1e3probe")
		poller.MustPost(`421["e"]`)
		poller.Expect(`431[[]]`)
	})
	t.Run("postpones no ping", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: 200 * time.Millisecond, PingTimeout: patient})
		client := f.dial(t)
		for began := time.Now(); ; {
			client.Send("3")
			client.SendFrame(ws.NewPingFrame([]byte("in step")))
			data, _, err := client.TryRead()
			if data == "2" {
				break
			}
			if err != nil || time.Since(began) > wiretest.Timeout {
				t.Fatalf("no ping: read %q, %v", data, err)
			}
		}
	})
	t.Run("not counted", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{PingInterval: 300 * time.Millisecond, PingTimeout: quick})
		client, _ := f.connect(t)
		client.Send("3")
		client.ReadClose()
		f.root.expectGone(t, "ping timeout")
	})
}

// TestWebSocketPing: a Ping frame is answered by a Pong frame with the same payload (RFC 6455, section 5.5.2), also
// between the fragments of a message.
func TestWebSocketPing(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.webSocket(t)
	longest := string(make([]byte, 125))
	for _, payload := range []string{"", "now", "\xff\x00", longest} {
		s.write(masked(ws.NewPingFrame([]byte(payload))))
		s.expectFrame(ws.OpPong, payload)
	}
	s.write(masked(ws.NewFrame(ws.OpText, false, []byte(`421["a`))))
	s.write(masked(ws.NewPingFrame([]byte("between"))))
	s.expectFrame(ws.OpPong, "between")
	s.write(masked(ws.NewFrame(ws.OpContinuation, true, []byte(`b"]`))))
	s.expectFrame(ws.OpText, `431[[]]`)
	f.root.expectEvent(t, "ab")
}

// TestPingFromTheClient: only the server pings; a client does so for the probe of an upgrade alone.
func TestPingFromTheClient(t *testing.T) {
	t.Parallel()
	for _, packet := range []string{"2", "2probe"} {
		t.Run("websocket "+packet, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client, _ := f.connect(t)
			client.Send(packet)
			expectClose(t, client, 1002)
			f.root.expectGone(t, "parse error")
		})
		t.Run("polling "+packet, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client, _ := f.connectPolling(t)
			status, body := client.Post(packet)
			answer{status: status, body: body}.expect(t, 400, badRequest)
			f.root.expectGone(t, "parse error")
		})
	}
}
