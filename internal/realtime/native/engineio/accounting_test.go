package engineio_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

// drained checks that the server gives up all its sessions, and counts nothing as queued any more.
func (f *fixture) drained(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	if err := f.server.Drain(ctx); err != nil {
		t.Errorf("a session is still there: %v", err)
	}
	if queued := f.server.Stats().QueuedBytes; queued != 0 {
		t.Errorf("%d bytes are counted as queued and no session is left", queued)
	}
}

// TestReaderBehindFailedWrites: the goroutine that writes finds the connection broken before the session has ended; the
// reader then comes to a Close frame, and must not wait for an answer to it that nobody can write.
func TestReaderBehindFailedWrites(t *testing.T) {
	flooded := make(chan struct{})
	f := start(t, config(func(c *engineio.Config) { c.MaxQueuedBytes = 64 << 20 }), onAccept(func(p *peer) {
		p.onMessage = func([]byte, bool) error {
			for range 16 {
				_ = p.Send(engineio.TextMessage(bytes.Repeat([]byte("x"), 1<<20)))
			}
			close(flooded)
			wiretest.Eventually(t, "the session has ended", func() bool { return !p.IsOpen() })
			return nil
		}
	}))
	client, session := f.webSocket()
	client.SendRaw(append(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4go")))),
		ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, ""))))...))
	<-flooded
	if tcp, ok := client.Conn().(*net.TCPConn); !ok || tcp.SetLinger(0) != nil {
		t.Fatal("the connection cannot be reset")
	}
	client.Cut()
	wiretest.Receive(t, "the end of the session", session.closed)
	f.drained(t)
}

// TestNothingIsCountedForWhoNeverPollsAgain: what waits for a polling client goes with its session, however that ends.
func TestNothingIsCountedForWhoNeverPollsAgain(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"close": func(p *peer) { p.Close(engineio.ReasonForcedClose) },
		"shed":  func(p *peer) { p.Shed(engineio.TextMessage([]byte("too slow"))) },
		"abort": func(p *peer) { p.Abort(engineio.ReasonForcedClose) },
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, config(func(c *engineio.Config) { c.CloseTimeout = 20 * time.Millisecond }))
			_, session := f.polling()
			session.send(t, strings.Repeat("x", 1000))
			end(session)
			f.drained(t)
		})
	}
}

// TestLatestStaysBehindOtherMessages: newer values are not merged past a message in between.
func TestLatestStaysBehindOtherMessages(t *testing.T) {
	f := start(t)
	client, session := f.polling()
	for _, m := range []*engineio.Message{
		position("dora", 1), position("dora", 2), engineio.TextMessage([]byte("snapshot")), position("dora", 3), position("dora", 4),
	} {
		if err := session.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	client.Expect("4positions dora:2\x1e4snapshot\x1e4positions dora:4")
}

// TestShedKeepsPacketsWhole: the farewell does not stand between a packet and its attachments.
func TestShedKeepsPacketsWhole(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.CloseTimeout = wiretest.Timeout }))
	client, session := f.webSocket()
	packet := []*engineio.Message{
		engineio.TextMessage([]byte("two attachments")),
		engineio.BinaryMessage(bytes.Repeat([]byte("a"), 16<<20)), engineio.BinaryMessage(bytes.Repeat([]byte("b"), 1<<20)),
	}
	if err := session.Send(packet...); err != nil {
		t.Fatal(err)
	}
	session.Shed(engineio.TextMessage([]byte("too slow")))
	client.Expect("4two attachments")
	for _, size := range []int{16 << 20, 1 << 20} {
		if data, binary, err := client.TryRead(); len(data) != size || !binary || err != nil {
			t.Fatalf("%d bytes, binary %v, %v", len(data), binary, err)
		}
	}
	client.Expect("4too slow")
}

// TestStrangersSendLittle: as long as nobody has called the client known, its messages are bounded tightly.
func TestStrangersSendLittle(t *testing.T) {
	large := "4" + strings.Repeat("x", 100_000)
	f := start(t, config(func(c *engineio.Config) { c.MaxPayload = 1 << 20 }))
	stranger, _ := f.webSocket()
	stranger.Send(large)
	if code := stranger.ReadClose(); code != ws.StatusMessageTooBig {
		t.Errorf("close code %d", code)
	}
	friend, session := f.webSocket()
	session.Known()
	friend.Send(large)
	session.expect(t, large[1:], false)
}
