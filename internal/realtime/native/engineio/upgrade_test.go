package engineio_test

import (
	"testing"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

// expectSentAway: a WebSocket that comes too late is accepted and closed, whatever it says.
func expectSentAway(t *testing.T, poller *wiretest.Poller) {
	t.Helper()
	late := wiretest.Dial(t, poller.WebSocketURL())
	late.Send("2probe")
	late.SendFrame(ws.NewPingFrame(nil))
	if code := late.ReadClose(); code != ws.StatusNormalClosure {
		t.Errorf("a second WebSocket was closed with %d", code)
	}
}

// TestFewSentAwayAtATime: those that do not say goodbye hold up others, and none of them the session.
func TestFewSentAwayAtATime(t *testing.T) {
	f := start(t)
	client, session := f.webSocket()
	url := f.endpoint + "?EIO=4&transport=websocket&sid=" + session.ID()
	var silent *wiretest.WebSocket
	for range 4 {
		silent = wiretest.Dial(t, url) // reads no Close frame, so answers none
	}
	if _, err := wiretest.TryDial(t, url); err == nil {
		t.Error("a fifth one was taken as well")
	}
	client.Send("4still here")
	session.expect(t, "still here", false)
	silent.Cut()
	wiretest.Eventually(t, "another is taken", func() bool {
		late, err := wiretest.TryDial(t, url)
		return err == nil && late.ReadClose() == ws.StatusNormalClosure
	})
}

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
	expectSentAway(t, poller)
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
	expectSentAway(t, poller)
	expectSentAway(t, poller)
	if f.server.Len() != 1 {
		t.Errorf("%d sessions", f.server.Len())
	}
	webSocket.Cut()
	session.expectClosed(t, engineio.ReasonTransportClose)
}
