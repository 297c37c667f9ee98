package conformance_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// Tests in this file state what the documents ask for and the server does not do yet. Each is skipped with its reason;
// who mends the server takes the Skip out.

// TestMovedClientIsLetGoAtOnce: when both sides have sent a Close frame, the server ends the TCP connection immediately
// (RFC 6455, section 5.5.1). Behind an upgrade of a session that has ended meanwhile it leaves that to the client and
// waits for up to five seconds, and Drain with it.
func TestMovedClientIsLetGoAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	webSocket := probe(t, client)
	client.Expect("6")
	socket.Disconnect(true)
	webSocket.Send("5")
	webSocket.Expect("41")
	expectClose(t, webSocket, 1000) // which answers with a Close frame
	closed := time.Now()
	if _, _, err := webSocket.TryRead(); err == nil {
		t.Error("a message behind the Close frame")
	}
	if passed := time.Since(closed); passed > 3*time.Second {
		t.Errorf("the connection ended after %v", passed)
	}
}

// TestMalformedCloseFramesAreErrors: a Close frame with one byte, a code that must not be sent or a reason that is not
// UTF-8 breaks the protocol (RFC 6455, sections 5.5.1, 7.4 and 8.1). The server takes it for a correct one.
func TestMalformedCloseFramesAreErrors(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for name, tt := range malformedCloseFrames() {
		t.Run(name, func(t *testing.T) {
			s := f.webSocket(t)
			s.write(closeWith(tt.body))
			s.expectClose(tt.code)
			f.root.expectGone(t, "parse error")
		})
	}
}

// TestLargePacketIsTooBig: docs/realtime.md promises 1009 to whoever sends more than MaxPayload, and that attachments
// count as part of their event. For attachments that are too large together it is 1002.
func TestLargePacketIsTooBig(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxPayload: smallPayload})
	client, _ := f.connect(t)
	client.Send(`452-["file",` + placeholder(0) + `,` + placeholder(1) + `]`)
	client.SendBinary(make([]byte, smallPayload/2))
	client.SendBinary(make([]byte, smallPayload/2))
	expectClose(t, client, 1009)
}

// TestLeavingTheLastNamespace: Options.ConnectTimeout says how long a client may be in no namespace. It does not hold
// for a client that has left all it was in.
func TestLeavingTheLastNamespace(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{ConnectTimeout: time.Second})
	client, _ := f.connect(t)
	client.Send("41")
	f.root.expectGone(t, "client namespace disconnect")
	wiretest.Eventually(t, "the connection is closed", func() bool { return f.server.Connections() == 0 })
}

// TestEndInTheInstantOfTheProbe: a client whose probe has been answered may stop polling and move to the WebSocket. When
// the session ends just behind that answer, the server may not know yet that it has probed, and cuts the WebSocket
// without what it had to say. This happened to 5 of 100 clients.
func TestEndInTheInstantOfTheProbe(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for range 200 {
		client, socket := f.connectPolling(t)
		webSocket := probe(t, client)
		socket.Disconnect(true)
		webSocket.Send("5")
		if data, _, err := webSocket.TryRead(); data != "41" || err != nil {
			t.Fatalf("read %q, %v; want the DISCONNECT packet", data, err)
		}
		webSocket.Cut()
	}
}

// TestPollingOnAFreshWebSocketSession: whoever knows a session's id may send any request at any moment and gets an
// answer. A client of a WebSocket knows the id from its open packet, which is written before the session has its
// WebSocket and its receiver: for about 1 in 100 clients that are quick, a GET waits for ever, and a POST makes the
// server's goroutine panic.
func TestPollingOnAFreshWebSocketSession(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for range 300 {
		for method, body := range map[string]string{http.MethodPost: "40", http.MethodGet: ""} {
			webSocket := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
			var open wiretest.Open
			if err := json.Unmarshal([]byte(webSocket.Read()[1:]), &open); err != nil {
				t.Fatal(err)
			}
			f.do(t, method, "?EIO=4&transport=polling&sid="+open.SID, nil, body).expect(t, 400, badRequest)
			webSocket.Cut()
		}
	}
}
