package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// handshakeOptions differ from the defaults, so that the open packet cannot show the defaults by accident.
func handshakeOptions() realtime.Options {
	return realtime.Options{PingInterval: 31 * time.Second, PingTimeout: 17 * time.Second, MaxPayload: 12_345}
}

func checkOpenPacket(t *testing.T, packet string, upgrades []any) (sid string) {
	t.Helper()
	if !strings.HasPrefix(packet, "0") {
		t.Fatalf("open packet: %q", packet)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(packet[1:]), &got); err != nil {
		t.Fatalf("open packet: %v", err)
	}
	sid, _ = got["sid"].(string)
	if len(sid) < 20 {
		t.Errorf("the session id %q is short for a secret", sid)
	}
	want := map[string]any{
		"sid": sid, "upgrades": upgrades, "pingInterval": 31_000.0, "pingTimeout": 17_000.0, "maxPayload": 12_345.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	return sid
}

func TestHandshakeOverPolling(t *testing.T) {
	t.Parallel()
	f := start(t, handshakeOptions())
	got := f.do(t, http.MethodGet, "?EIO=4&transport=polling", nil, "")
	if got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	sid := checkOpenPacket(t, got.body, []any{"websocket"})
	if kind := got.header.Get("Content-Type"); kind != "text/plain; charset=UTF-8" {
		t.Errorf("Content-Type %q", kind)
	}
	if cache := got.header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control %q", cache)
	}
	f.do(t, http.MethodPost, "?EIO=4&transport=polling&sid="+sid, nil, "1").expect(t, 200, "ok")
}

func TestHandshakeOverWebSocket(t *testing.T) {
	t.Parallel()
	f := start(t, handshakeOptions())
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	checkOpenPacket(t, client.Read(), []any{})
}

// TestHandshakeWithForeignParameters: clients add parameters of their own, such as t against caches.
func TestHandshakeWithForeignParameters(t *testing.T) {
	t.Parallel()
	f := start(t, handshakeOptions())
	got := f.do(t, http.MethodGet, "?EIO=4&transport=polling&t=Pabc&b64=1&j=0&token=x&sid=", nil, "")
	sid := checkOpenPacket(t, got.body, []any{"websocket"})
	f.do(t, http.MethodPost, "?EIO=4&transport=polling&sid="+sid, nil, "1").expect(t, 200, "ok")
}

func TestSessionIDsAreUnique(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	seen := make(map[string]bool)
	for range 50 {
		client := f.poll(t)
		if seen[client.Open.SID] {
			t.Fatalf("%s was given twice", client.Open.SID)
		}
		seen[client.Open.SID] = true
	}
	webSocket := f.dial(t)
	webSocket.Send("40")
	var connected struct{ SID string }
	if err := json.Unmarshal([]byte(expectPrefix(t, webSocket, "40")[2:]), &connected); err != nil {
		t.Fatal(err)
	}
	if connected.SID == "" || seen[connected.SID] {
		t.Errorf("the socket's id is %q", connected.SID)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for _, tt := range []struct {
		name, method, query string
		body                string
	}{
		{"no query", "GET", "", unknownTransport},
		{"no transport", "GET", "?EIO=4", unknownTransport},
		{"empty transport", "GET", "?EIO=4&transport=", unknownTransport},
		{"unknown transport", "GET", "?EIO=4&transport=abc", unknownTransport},
		{"transport in capitals", "GET", "?EIO=4&transport=Polling", unknownTransport},
		{"WebSocket in capitals", "GET", "?EIO=4&transport=WebSocket", unknownTransport},
		{"transport key in capitals", "GET", "?EIO=4&Transport=polling", unknownTransport},
		{"WebTransport", "GET", "?EIO=4&transport=webtransport", unknownTransport},
		{"name of a method", "GET", "?EIO=4&transport=constructor", unknownTransport},
		{"no version", "GET", "?transport=polling", badVersion},
		{"empty version", "GET", "?EIO=&transport=polling", badVersion},
		{"version 3", "GET", "?EIO=3&transport=polling", badVersion},
		{"version 5", "GET", "?EIO=5&transport=polling", badVersion},
		{"version 4.0", "GET", "?EIO=4.0&transport=polling", badVersion},
		{"version abc", "GET", "?EIO=abc&transport=polling", badVersion},
		{"version key in small letters", "GET", "?eio=4&transport=polling", badVersion},
		{"version 3 over WebSocket", "GET", "?EIO=3&transport=websocket", badVersion},
		{"POST", "POST", "?EIO=4&transport=polling", badMethod},
		{"PUT", "PUT", "?EIO=4&transport=polling", badMethod},
		{"PATCH", "PATCH", "?EIO=4&transport=polling", badMethod},
		{"DELETE", "DELETE", "?EIO=4&transport=polling", badMethod},
		{"POST to WebSocket", "POST", "?EIO=4&transport=websocket", badMethod},
		{"unknown method", "BREW", "?EIO=4&transport=polling", badMethod},
		{"WebSocket without upgrade", "GET", "?EIO=4&transport=websocket", badRequest},
		{"unknown session, GET", "GET", "?EIO=4&transport=polling&sid=nobody", unknownSession},
		{"unknown session, POST", "POST", "?EIO=4&transport=polling&sid=nobody", unknownSession},
		{"unknown session, PUT", "PUT", "?EIO=4&transport=polling&sid=nobody", unknownSession},
		{"unknown session, WebSocket", "GET", "?EIO=4&transport=websocket&sid=nobody", unknownSession},
		{"unknown session, no version", "GET", "?transport=polling&sid=nobody", unknownSession},
		{"unknown session, no transport", "GET", "?EIO=4&sid=nobody", unknownTransport},
		{"absurd session", "GET", "?EIO=4&transport=polling&sid=" + strings.Repeat("x", 5000), unknownSession},
		{"session with odd bytes", "GET", "?EIO=4&transport=polling&sid=%00%ff%0d%0a", unknownSession},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.do(t, tt.method, tt.query, nil, "")
			got.expect(t, http.StatusBadRequest, tt.body)
			if kind := got.header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("Content-Type %q", kind)
			}
		})
	}
	if n := f.server.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestOptionsAndHead(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	got := f.do(t, http.MethodOptions, "?EIO=4&transport=polling", nil, "")
	got.expect(t, http.StatusNoContent, "")
	if methods := got.header.Get("Access-Control-Allow-Methods"); methods != "GET, POST, OPTIONS" {
		t.Errorf("allowed methods: %q", methods)
	}
	if origin, ok := got.header["Access-Control-Allow-Origin"]; ok {
		t.Errorf("allowed origin %q without Origin", origin)
	}
	if got := f.do(t, http.MethodHead, "?EIO=4&transport=polling", nil, ""); got.status != http.StatusBadRequest {
		t.Errorf("HEAD: %d", got.status)
	}
	if n := f.server.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestWrongMethodsInASession(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "HEAD", "BREW"} {
		got := f.do(t, method, "?EIO=4&transport=polling&sid="+client.Open.SID, nil, "41")
		if got.status != http.StatusBadRequest || method != "HEAD" && got.body != badRequest {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	if err := socket.Emit("unharmed", true); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["unharmed",true]`)
}

// TestClosedSessionIsUnknown asks for a session after its end, in every way.
func TestClosedSessionIsUnknown(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	polling := f.poll(t)
	polling.MustPost("1")
	webSocket := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	var open wiretest.Open
	if err := json.Unmarshal([]byte(webSocket.Read()[1:]), &open); err != nil {
		t.Fatal(err)
	}
	webSocket.Send("1")
	expectClose(t, webSocket, 1000)
	for name, sid := range map[string]string{"polling": polling.Open.SID, "websocket": open.SID} {
		f.expectForgotten(t, sid)
		f.do(t, "GET", "?EIO=4&transport=polling&sid="+sid, nil, "").expect(t, 400, unknownSession)
		f.do(t, "POST", "?EIO=4&transport=polling&sid="+sid, nil, "40").expect(t, 400, unknownSession)
		got := f.dialRaw(t).request("GET", "?EIO=4&transport=websocket&sid="+sid, upgradeHeader(nil), nil)
		if got.status != 400 || got.body != unknownSession {
			t.Errorf("WebSocket to a closed %s session: %d %s", name, got.status, got.body)
		}
	}
}

// TestSessionThatBeganOnWebSocket has no business with polling, nor with a second WebSocket.
func TestSessionThatBeganOnWebSocket(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	webSocket := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	var open wiretest.Open
	if err := json.Unmarshal([]byte(webSocket.Read()[1:]), &open); err != nil {
		t.Fatal(err)
	}
	webSocket.Send("40")
	expectPrefix(t, webSocket, `40{"sid":"`)
	f.do(t, "GET", "?EIO=4&transport=polling&sid="+open.SID, nil, "").expect(t, 400, badRequest)
	f.do(t, "POST", "?EIO=4&transport=polling&sid="+open.SID, nil, `42["e"]`).expect(t, 400, badRequest)
	expectClose(t, wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket&sid="+open.SID), 1000)
	expectAlive(t, webSocket) // which none of that has harmed
	if len(f.root.events) != 0 {
		t.Error("a refused POST was taken")
	}
}

// TestOpeningHandshakes sends WebSocket requests with right and wrong headers (RFC 6455, section 4.2.1).
func TestOpeningHandshakes(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for _, tt := range []struct {
		name    string
		changes map[string]string
		status  int
	}{
		{"correct", nil, 101},
		{"list of connection options", map[string]string{"Connection": "keep-alive, Upgrade"}, 101},
		{"other capitals", map[string]string{"Connection": "uPGRADE", "Upgrade": "WebSocket"}, 101},
		{"extension and protocol offered", map[string]string{
			"Sec-Websocket-Extensions": "permessage-deflate", "Sec-Websocket-Protocol": "v1",
		}, 101},
		{"no Connection", map[string]string{"Connection": ""}, 400},
		{"Connection without upgrade", map[string]string{"Connection": "keep-alive"}, 400},
		{"no Upgrade", map[string]string{"Upgrade": ""}, 400},
		{"Upgrade to something else", map[string]string{"Upgrade": "h2c"}, 400},
		{"token that only begins so", map[string]string{"Upgrade": "websocket2"}, 400},
		{"no version", map[string]string{"Sec-Websocket-Version": ""}, 400},
		{"version 8", map[string]string{"Sec-Websocket-Version": "8"}, 400},
		{"version 14", map[string]string{"Sec-Websocket-Version": "14"}, 400},
		{"version abc", map[string]string{"Sec-Websocket-Version": "abc"}, 400},
		{"no key", map[string]string{"Sec-Websocket-Key": ""}, 400},
		{"key that is no base64", map[string]string{"Sec-Websocket-Key": "!!!!!!!!!!!!!!!!!!!!!!=="}, 400},
		{"key of 15 bytes", map[string]string{"Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAA"}, 400},
		{"key of 17 bytes", map[string]string{"Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAAA="}, 400},
		{"key without padding", map[string]string{"Sec-Websocket-Key": strings.TrimRight(sampleKey, "=")}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := f.dialRaw(t)
			got := s.request("GET", "?EIO=4&transport=websocket", upgradeHeader(tt.changes), nil)
			if got.status != tt.status {
				t.Fatalf("status %d, want %d", got.status, tt.status)
			}
			if tt.status != 101 {
				got.expect(t, 400, badRequest)
				return
			}
			if accept := got.header.Get("Sec-Websocket-Accept"); accept != acceptOf(sampleKey) {
				t.Errorf("Sec-WebSocket-Accept %q", accept)
			}
			for name, want := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Extensions": "",
				"Sec-Websocket-Protocol": tt.changes["Sec-Websocket-Protocol"], // a client that offers one must be given one
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s: %q, want %q", name, value, want)
				}
			}
			if open := string(s.frame().Payload); !strings.HasPrefix(open, `0{"sid":"`) {
				t.Errorf("open packet: %q", open)
			}
		})
	}
}

// TestVersionIsNamed: a server that refuses a version names the one it speaks (RFC 6455, section 4.4).
func TestVersionIsNamed(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	got := f.dialRaw(t).request("GET", "?EIO=4&transport=websocket",
		upgradeHeader(map[string]string{"Sec-Websocket-Version": "7"}), nil)
	if version := got.header.Get("Sec-Websocket-Version"); got.status != 400 || version != "13" {
		t.Errorf("answer %d, Sec-WebSocket-Version %q", got.status, version)
	}
}

// TestRefusedUpgradeOfASession: bad WebSocket requests leave the session where it is.
func TestRefusedUpgradeOfASession(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	for name, changes := range map[string]map[string]string{
		"no Upgrade": {"Upgrade": ""}, "no key": {"Sec-Websocket-Key": ""}, "version": {"Sec-Websocket-Version": "12"},
	} {
		got := f.dialRaw(t).request("GET", "?EIO=4&transport=websocket&sid="+client.Open.SID, upgradeHeader(changes), nil)
		if got.status != 400 || got.body != badRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if err := socket.Emit("unharmed", true); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["unharmed",true]`)
	webSocket := wiretest.Dial(t, client.WebSocketURL()) // and a correct one is still welcome
	webSocket.Send("2probe")
	webSocket.Expect("3probe")
}

// TestPacketsGluedToTheHandshake: the first packets may come in one piece with the request.
func TestPacketsGluedToTheHandshake(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.dialRaw(t)
	glued := append(text("40"), text(`40/chat,`)...)
	if got := s.request("GET", "?EIO=4&transport=websocket", upgradeHeader(nil), glued); got.status != 101 {
		t.Fatalf("status %d", got.status)
	}
	seen := make(map[string]bool)
	for range 3 {
		packet, _, _ := strings.Cut(string(s.frame().Payload), "{")
		seen[packet] = true
	}
	if diff := cmp.Diff(map[string]bool{"0": true, "40": true, "40/chat,": true}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	f := startServer(t, realtime.Options{}, (*httptest.Server).StartTLS)
	webSocket, socket := f.connect(t)
	expectAlive(t, webSocket)
	if err := socket.Emit("hello", "over TLS"); err != nil {
		t.Fatal(err)
	}
	webSocket.Expect(`42["hello","over TLS"]`)

	var open wiretest.Open
	got := f.do(t, http.MethodGet, "?EIO=4&transport=polling", nil, "")
	if err := json.Unmarshal([]byte(got.body[1:]), &open); err != nil {
		t.Fatal(err)
	}
	session := "?EIO=4&transport=polling&sid=" + open.SID
	f.do(t, http.MethodPost, session, nil, "40").expect(t, 200, "ok")
	if got := f.do(t, http.MethodGet, session, nil, ""); !strings.HasPrefix(got.body, `40{"sid":"`) {
		t.Errorf("answer to CONNECT: %d %s", got.status, got.body)
	}
	f.do(t, http.MethodPost, session, nil, "1").expect(t, 200, "ok")
}

// TestAdmission: a connection that is not admitted is refused before there is one, and what was granted for another is
// given back once, when it has ended.
func TestAdmission(t *testing.T) {
	t.Parallel()
	places := make(chan struct{}, 2)
	released := make(chan struct{}, 10)
	f := start(t, realtime.Options{Admit: func(*http.Request) (func(), bool) {
		select {
		case places <- struct{}{}:
			return func() { <-places; released <- struct{}{} }, true
		default:
			return nil, false
		}
	}})
	poller, webSocket := f.poll(t), f.dial(t)
	for range 3 {
		f.do(t, http.MethodGet, "?EIO=4&transport=polling", nil, "").expect(t, http.StatusTooManyRequests, tooMany)
		got := f.dialRaw(t).request(http.MethodGet, "?EIO=4&transport=websocket", upgradeHeader(nil), nil)
		got.expect(t, http.StatusTooManyRequests, tooMany)
	}
	upgraded := probe(t, poller) // an upgrade is no new connection
	upgraded.Send("5")
	webSocket.Cut()
	wiretest.Receive(t, "the place", released)
	f.dial(t)
	if len(released) != 0 {
		t.Error("a place was given back twice")
	}
}
