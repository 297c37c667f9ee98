package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// What is held of long messages while they are coming in has a bound over all clients: whoever comes beyond it is told
// that the message is too big, until others have finished with theirs. Short messages are always taken.
func TestLongMessagesShareABudget(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxPayload: 1_000_000, MaxIncoming: 600_000})
	long := strings.Repeat("x", 400_000)
	taken := func(t *testing.T) {
		t.Helper()
		client, _ := f.connect(t)
		client.Send(`421["long","` + long + `"]`)
		client.Expect(`431[["` + long + `"]]`)
		f.root.expectEvent(t, "long", `"`+long+`"`)
		expectAlive(t, client) // and so has read on
		client.Cut()
	}
	refused := func(t *testing.T) {
		t.Helper()
		client, _ := f.connect(t)
		client.Send(`421["short","` + long[:100_000] + `"]`)
		client.Expect(`431[["` + long[:100_000] + `"]]`)
		f.root.expectEvent(t, "short", `"`+long[:100_000]+`"`)
		client.Send(`42["long","` + long + `"]`)
		expectClose(t, client, 1009)
	}
	taken(t)
	for name, begin := range map[string]func(t *testing.T) (end func()){
		"a message of which the end is to come": func(t *testing.T) func() {
			client, _ := f.connect(t)
			client.SendFrame(ws.NewFrame(ws.OpText, false, []byte(`42["begun","`+long)))
			client.SendFrame(ws.NewPingFrame(nil))
			client.Expect("") // the pong: all of it has been read
			return func() {
				client.SendFrame(ws.NewFrame(ws.OpContinuation, true, []byte(`"]`)))
				f.root.expectEvent(t, "begun", `"`+long+`"`)
				client.Send(`42["next"]`)
				f.root.expectEvent(t, "next")
			}
		},
		"an event of which an attachment is to come": func(t *testing.T) func() {
			client, _ := f.connect(t)
			client.Send(`452-["begun",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
			client.SendBinary([]byte(long))
			client.SendFrame(ws.NewPingFrame(nil))
			client.Expect("")
			return func() {
				client.SendBinary([]byte{1})
				f.root.expectEvent(t, "begun", `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`)
			}
		},
		"a client that goes in the middle of one": func(t *testing.T) func() {
			client, _ := f.connect(t)
			client.Send(`452-["begun",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
			client.SendBinary([]byte(long))
			client.SendFrame(ws.NewPingFrame(nil))
			client.Expect("")
			return func() {
				client.Cut()
				wiretest.Eventually(t, "the client has gone", func() bool { return f.server.Connections() == 0 })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			end := begin(t)
			refused(t)
			end()
			taken(t)
		})
	}
	t.Run("a request", func(t *testing.T) {
		client, _ := f.connect(t)
		client.SendFrame(ws.NewFrame(ws.OpText, false, []byte(`42["begun","`+long)))
		client.SendFrame(ws.NewPingFrame(nil))
		client.Expect("")
		poller, _ := f.connectPolling(t)
		if status, _ := poller.Post(`42["long","` + long + `"]`); status != http.StatusRequestEntityTooLarge {
			t.Errorf("posted: %d", status)
		}
	})
}
