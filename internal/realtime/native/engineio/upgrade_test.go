package engineio_test

import (
	"testing"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

// TestUpgrade is the usual course of an upgrade. How one fails, and what becomes of messages on their way, is tested in
// package conformance.
func TestUpgrade(t *testing.T) {
	f := start(t)
	poller, session := f.polling()
	pending := poller.GetLater()
	wiretest.Eventually(t, "the poll waits", func() bool { return session.Waiting() })

	webSocket := wiretest.Dial(t, poller.WebSocketURL())
	webSocket.Send("2probe")
	webSocket.Expect("3probe")
	if got := wiretest.Receive(t, "the pending poll", pending); got.Body != "6" {
		t.Errorf("pending poll: %+v", got)
	}
	if _, err := wiretest.TryDial(t, poller.WebSocketURL()); err == nil {
		t.Error("a second WebSocket was let in")
	}
	session.send(t, "between") // polling is still the transport
	poller.Expect("4between")
	poller.Expect("6")
	poller.MustPost("4before")
	webSocket.Send("5")
	webSocket.Send("4after")
	session.expect(t, "before", false)
	session.expect(t, "after", false)
	session.send(t, "there")
	webSocket.Expect("4there")

	if status, body := poller.Get(); status != 400 || body != `{"code":3,"message":"Bad request"}` {
		t.Errorf("poll after the upgrade: %d %s", status, body)
	}
	if status, _ := poller.Post("4x"); status != 400 {
		t.Errorf("post after the upgrade: %d", status)
	}
	if _, err := wiretest.TryDial(t, poller.WebSocketURL()); err == nil {
		t.Error("another WebSocket was let in after the upgrade")
	}
	if f.server.Len() != 1 {
		t.Errorf("%d sessions", f.server.Len())
	}
	webSocket.Cut()
	session.expectClosed(t, engineio.ReasonTransportClose)
}
