package conformance_test

import (
	"strings"
	"testing"

	"rolecall/internal/realtime"
)

// TestDisconnectPacket leaves one namespace; the connection and the others go on, and the namespace may be entered anew.
func TestDisconnectPacket(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connect(t)
		client.Send("40/chat,")
		first := expectPrefix(t, client, `40/chat,{"sid":"`)
		for _, packet := range []string{"41/chat,", "41/chat"} {
			client.Send(packet)
			f.chat.expectGone(t, "client namespace disconnect")
			expectAlive(t, client)
			client.Send("40/chat,")
			again := expectPrefix(t, client, `40/chat,{"sid":"`)
			if again == first {
				t.Error("the new socket has the old one's id")
			}
			first = again
			client.Send(`42/chat,1["e"]`)
			client.Expect(`43/chat,1[[]]`)
		}
		if n := f.root.disconnects.Load(); n != 0 {
			t.Error("the main namespace was left as well")
		}
	})
	t.Run("only namespace", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connect(t)
		client.Send("41")
		f.root.expectGone(t, "client namespace disconnect")
		client.Send("40")
		expectPrefix(t, client, `40{"sid":"`)
		expectAlive(t, client)
	})
	t.Run("in one breath", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{MaxConnects: 1000})
		client, _ := f.connect(t)
		for range 50 {
			client.Send("41")
			client.Send("40")
			expectPrefix(t, client, `40{"sid":"`)
		}
		expectAlive(t, client)
		for range 50 {
			f.root.expectGone(t, "client namespace disconnect")
		}
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connectPolling(t)
		client.MustPost("41\x1e40")
		f.root.expectGone(t, "client namespace disconnect")
		if _, body := client.Get(); !strings.HasPrefix(body, `40{"sid":"`) {
			t.Errorf("poll: %q", body)
		}
	})
	t.Run("event behind it", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{})
		client, _ := f.connect(t)
		client.Send("41")
		client.Send(`42["late"]`) // dropped, or a breach: the documents say neither
		f.root.expectGone(t, "client namespace disconnect")
		client.Send("1")
		client.ReadClose()
		if len(f.root.events) != 0 {
			t.Error("an event came through")
		}
	})
}
