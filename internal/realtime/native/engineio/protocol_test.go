package engineio_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

func TestRefusedRequests(t *testing.T) {
	f := start(t)
	session, _ := f.polling()
	sid := session.Open.SID
	for _, tt := range []struct {
		name, method, query string
		status              int
		body                string
	}{
		{"no transport", "GET", "?EIO=4", 400, `{"code":0,"message":"Transport unknown"}`},
		{"unknown transport", "GET", "?EIO=4&transport=abc", 400, `{"code":0,"message":"Transport unknown"}`},
		{"unknown session", "GET", "?EIO=4&transport=polling&sid=abc", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"unknown session, POST", "POST", "?EIO=4&transport=polling&sid=abc", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"unknown session, WebSocket", "GET", "?EIO=4&transport=websocket&sid=abc", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"handshake by POST", "POST", "?EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		{"handshake by PUT", "PUT", "?EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		{"WebSocket without upgrade", "GET", "?EIO=4&transport=websocket", 400, `{"code":3,"message":"Bad request"}`},
		{"upgrade without upgrade", "GET", "?EIO=4&transport=websocket&sid=" + sid, 400, `{"code":3,"message":"Bad request"}`},
		{"wrong method in session", "DELETE", "?EIO=4&transport=polling&sid=" + sid, 400, `{"code":3,"message":"Bad request"}`},
		{"version 3", "GET", "?EIO=3&transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"no version", "GET", "?transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := wiretest.Do(t, tt.method, f.endpoint+tt.query, "")
			if status != tt.status || body != tt.body {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.body)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	own, friends := start(t), start(t, config(func(c *engineio.Config) {
		c.AllowOrigin = func(r *http.Request) bool { return r.Header.Get("Origin") == "https://friend.example" }
	}))
	for _, tt := range []struct {
		f                          *fixture
		name, method, origin, host string
		status                     int
		allowed                    string // Access-Control-Allow-Origin
	}{
		{own, "no origin", "GET", "", "", 200, ""},
		{own, "same origin", "GET", "http://app.example", "app.example", 200, "http://app.example"},
		{own, "same origin behind TLS proxy", "GET", "https://app.example", "app.example:443", 200, "https://app.example"},
		{own, "same name, other port", "GET", "http://app.example:81", "app.example", 403, ""},
		{friends, "allowed", "GET", "https://friend.example", "", 200, "https://friend.example"},
		{friends, "allowed preflight", "OPTIONS", "https://friend.example", "", 204, "https://friend.example"},
		{friends, "foreign", "GET", "https://foe.example", "", 403, ""},
		{friends, "foreign preflight", "OPTIONS", "https://foe.example", "", 403, ""},
		{own, "opaque", "GET", "null", "", 403, ""},
		{own, "garbage", "GET", "::", "", 403, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), tt.method, tt.f.endpoint+"?EIO=4&transport=polling", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = tt.host
			if tt.origin != "" {
				request.Header.Set("Origin", tt.origin)
			}
			request.Header.Set("Access-Control-Request-Headers", "authorization")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != tt.status {
				t.Errorf("status %d, want %d", response.StatusCode, tt.status)
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.allowed {
				t.Errorf("allowed origin %q, want %q", got, tt.allowed)
			}
			if got := response.Header.Get("Access-Control-Allow-Headers"); tt.status == 204 && got != "authorization" {
				t.Errorf("allowed headers %q", got)
			}
		})
	}
}

func TestOpenPacket(t *testing.T) {
	f := start(t)
	client, session := f.polling()
	want := wiretest.Open{
		SID: session.ID(), Upgrades: []string{"websocket"}, PingInterval: 60_000, PingTimeout: 60_000, MaxPayload: 10_000,
	}
	if diff := cmp.Diff(want, client.Open); diff != "" {
		t.Error(diff)
	}
	if f.server.Len() != 1 {
		t.Errorf("%d sessions", f.server.Len())
	}
}

func TestPollingBothWays(t *testing.T) {
	f := start(t)
	client, session := f.polling()
	client.MustPost("4hello\x1e4wörld\x1ebAQIDBA==\x1e6")
	session.expect(t, "hello", false)
	session.expect(t, "wörld", false)
	session.expect(t, "\x01\x02\x03\x04", true)

	pending := client.GetLater()
	session.send(t, "one")
	got := wiretest.Receive(t, "a poll", pending)
	if got.Body != "4one" {
		t.Fatalf("poll: %+v", got)
	}
	if err := session.Send(engineio.TextMessage([]byte("two")), engineio.BinaryMessage([]byte{1, 2, 3, 4})); err != nil {
		t.Fatal(err)
	}
	client.Expect("4two\x1ebAQIDBA==")
	client.MustPost("1")
	session.expectClosed(t, engineio.ReasonTransportClose)
	if status, _ := client.Get(); status != http.StatusBadRequest {
		t.Errorf("poll after the end: %d", status)
	}
}

func TestBrokenPosts(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		reason     engineio.Reason
	}{
		{"empty", "", 400, engineio.ReasonParseError},
		{"unknown type", "abc", 400, engineio.ReasonParseError},
		{"empty record", "4a\x1e", 400, engineio.ReasonParseError},
		{"not base64", "b!!", 400, engineio.ReasonParseError},
		{"not UTF-8", "4\xff", 400, engineio.ReasonParseError},
		{"ping from the client", "2", 400, engineio.ReasonParseError},
		{"upgrade without probe", "5", 400, engineio.ReasonParseError},
		{"refused by the receiver", "4refuse me", 400, engineio.ReasonParseError},
		{"too large", strings.Repeat("4", 10_001), 413, engineio.ReasonTransportError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			client, session := f.polling()
			pending := client.GetLater()
			if status, _ := client.Post(tt.body); status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			session.expectClosed(t, tt.reason)
			// The poll may have come before or after the end.
			if got := wiretest.Receive(t, "the poll's answer", pending); got.Status == 200 && got.Body != "1" {
				t.Errorf("pending poll: %+v", got)
			}
			if status, body := client.Get(); status != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
				t.Errorf("poll after the end: %d %s", status, body)
			}
		})
	}
}

func TestWebSocketBothWays(t *testing.T) {
	f := start(t)
	client, session := f.webSocket()
	client.Send("4hello")
	client.SendBinary([]byte{1, 2, 3})
	session.expect(t, "hello", false)
	session.expect(t, "\x01\x02\x03", true)

	long := strings.Repeat("x", 70_000) // needs the eight-byte length
	session.send(t, long)
	client.Expect("4" + long)
	if err := session.Send(engineio.BinaryMessage([]byte{9})); err != nil {
		t.Fatal(err)
	}
	if data, binary, err := client.TryRead(); data != "\x09" || !binary || err != nil {
		t.Fatalf("read %q %v %v", data, binary, err)
	}

	fragment := ws.NewFrame(ws.OpText, false, []byte("4frag"))
	client.SendFrame(fragment)
	client.SendFrame(ws.NewPingFrame([]byte("now")))
	client.SendFrame(ws.NewFrame(ws.OpContinuation, true, []byte("mented")))
	client.Expect("now") // the pong
	session.expect(t, "fragmented", false)

	client.SendFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	if code := client.ReadClose(); code != ws.StatusNormalClosure {
		t.Errorf("close code %d", code)
	}
	session.expectClosed(t, engineio.ReasonTransportClose)
}

func TestBrokenWebSockets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		send   func(*wiretest.WebSocket)
		code   ws.StatusCode
		reason engineio.Reason
	}{
		{"unknown type", func(s *wiretest.WebSocket) { s.Send("abc") }, 1002, engineio.ReasonParseError},
		{"empty", func(s *wiretest.WebSocket) { s.Send("") }, 1002, engineio.ReasonParseError},
		{"ping from the client", func(s *wiretest.WebSocket) { s.Send("2") }, 1002, engineio.ReasonParseError},
		{"upgrade", func(s *wiretest.WebSocket) { s.Send("5") }, 1002, engineio.ReasonParseError},
		{"refused by the receiver", func(s *wiretest.WebSocket) { s.Send("4refuse me") }, 1002, engineio.ReasonParseError},
		{"not UTF-8", func(s *wiretest.WebSocket) { s.Send("4\xff") }, 1007, engineio.ReasonParseError},
		{"too big", func(s *wiretest.WebSocket) { s.Send("4" + strings.Repeat("x", 10_000)) }, 1009, engineio.ReasonTransportError},
		{"announced too big", func(s *wiretest.WebSocket) {
			s.SendRaw([]byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4})
		}, 1009, engineio.ReasonTransportError},
		{"too big in fragments", func(s *wiretest.WebSocket) {
			s.SendFrame(ws.NewFrame(ws.OpText, false, []byte("4"+strings.Repeat("x", 9_000))))
			s.SendFrame(ws.NewFrame(ws.OpContinuation, true, []byte(strings.Repeat("x", 9_000))))
		}, 1009, engineio.ReasonTransportError},
		{"not masked", func(s *wiretest.WebSocket) { s.SendRaw([]byte{0x81, 1, '6'}) }, 1002, engineio.ReasonParseError},
		{"reserved bits", func(s *wiretest.WebSocket) { s.SendRaw([]byte{0xc1, 0x81, 0, 0, 0, 0, '6'}) }, 1002, engineio.ReasonParseError},
		{"reserved opcode", func(s *wiretest.WebSocket) { s.SendRaw([]byte{0x83, 0x80, 0, 0, 0, 0}) }, 1002, engineio.ReasonParseError},
		{"length with top bit", func(s *wiretest.WebSocket) {
			s.SendRaw([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
		}, 1002, engineio.ReasonParseError},
		{"continuation of nothing", func(s *wiretest.WebSocket) {
			s.SendFrame(ws.NewFrame(ws.OpContinuation, true, []byte("6")))
		}, 1002, engineio.ReasonParseError},
		{"close packet", func(s *wiretest.WebSocket) { s.Send("1") }, 1000, engineio.ReasonTransportClose},
		{"cut", func(s *wiretest.WebSocket) { s.Cut() }, 0, engineio.ReasonTransportClose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			client, session := f.webSocket()
			tt.send(client)
			if code := client.ReadClose(); code != tt.code {
				t.Errorf("close code %d, want %d", code, tt.code)
			}
			session.expectClosed(t, tt.reason)
			if len(session.closed) != 0 {
				t.Error("closed twice")
			}
		})
	}
}

func TestWebSocketOverTLS(t *testing.T) {
	f := start(t, func(_ *engineio.Config, s *setup) { s.tls = true })
	client, session := f.webSocket()
	client.Send("4secret")
	session.expect(t, "secret", false)
	session.send(t, "kept")
	client.Expect("4kept")
}

func TestMessagesBehindTheHandshakeAreNotLost(t *testing.T) {
	f := start(t, onAccept(func(p *peer) {
		if err := p.Send(engineio.TextMessage([]byte("first"))); err != nil {
			t.Error(err)
		}
	}))
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	client.Send("4early")
	if open := client.Read(); open[0] != '0' {
		t.Errorf("open packet: %q", open)
	}
	client.Expect("4first")
	wiretest.Receive(t, "a session", f.peers).expect(t, "early", false)
}
