package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// slowly is a pace that a test meets soon, and is through with soon.
var slowly = limit.Rate{Requests: 100, Period: time.Second, Burst: 20}

// Whatever a client sends is counted, also what nobody answers: from one that sends too fast nothing is read for a while.
// Nothing is lost, and nobody is sent away.
func TestEverythingThatArrivesIsCounted(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(client *wiretest.WebSocket){
		"acks that nobody asked for":  func(client *wiretest.WebSocket) { client.Send(`431["x"]`) },
		"pongs that nobody asked for": func(client *wiretest.WebSocket) { client.Send("3") },
		"noop packets":                func(client *wiretest.WebSocket) { client.Send("6") },
		"WebSocket pings":             func(client *wiretest.WebSocket) { client.SendFrame(ws.NewPingFrame(nil)) },
		"WebSocket pongs":             func(client *wiretest.WebSocket) { client.SendFrame(ws.NewPongFrame(nil)) },
		"events to a namespace left":  func(client *wiretest.WebSocket) { client.Send(`42/chat,["x"]`) },
		"events":                      func(client *wiretest.WebSocket) { client.Send(`42["x"]`) },
		"frames of one message": func(client *wiretest.WebSocket) {
			client.SendFrame(ws.NewFrame(ws.OpText, false, []byte(`42["x`)))
			client.SendFrame(ws.NewFrame(ws.OpContinuation, false, nil))
			client.SendFrame(ws.NewFrame(ws.OpContinuation, true, []byte(`"]`)))
		},
		"bytes": func(client *wiretest.WebSocket) { client.Send(`42["x","` + strings.Repeat("x", 8<<10) + `"]`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{Packets: slowly})
			client, _ := f.connect(t)
			client.Send("40/chat,")
			expectPrefix(t, client, `40/chat,{"sid":"`)
			client.Send("41/chat,")
			if delayed := f.server.Metrics().Delayed; delayed != 0 {
				t.Fatalf("%d packets were too many before the first", delayed)
			}
			for range 30 {
				send(client)
			}
			client.Send(`42999["` + areYouThere + `"]`)
			for client.Read() != `43999[[]]` { // pongs, to WebSocket pings, are skipped
			}
			if f.server.Metrics().Delayed == 0 {
				t.Error("nobody has counted them")
			}
		})
	}
}

// Polls and posts are counted as well, and who asks for very many at once is sent away.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{Packets: limit.Rate{Requests: 40, Period: time.Second, Burst: 20}})
	client, _ := f.connectPolling(t)
	for range 5 {
		client.MustPost("6")
	}
	if f.server.Metrics().Delayed == 0 {
		t.Error("nobody has counted them")
	}
	for range 60 { // 300 packets and more at 40 a second, which nobody waits for
		client.PostLater("6")
	}
	f.root.expectGone(t, "transport error")
}

// What the handler charges counts as what has arrived.
func TestCharge(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{Packets: slowly})
	f.root.onEvent = func(socket realtime.Socket, ev realtime.Event) {
		socket.Charge(slowly.Burst)
		ev.Ack("done")
	}
	client, _ := f.connect(t)
	for range 2 {
		client.Send(`421["x"]`)
		client.Expect(`431["done"]`)
	}
	if f.server.Metrics().Delayed == 0 {
		t.Error("nobody has counted it")
	}
}

// A client that sends too fast is there: that its pong waits behind what it has sent does not end it.
func TestWhoSendsTooFastIsAlive(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	f := start(t, realtime.Options{PingInterval: quick, PingTimeout: timeout, Packets: limit.Rate{Requests: 25, Period: time.Second, Burst: 20}})
	client, _ := f.connect(t)
	for range 70 { // which are read for two seconds
		client.Send("6")
	}
	client.Send(`421["x"]`)
	for {
		switch got := client.Read(); got {
		case "2":
			client.Send("3")
			continue
		case `431[[]]`:
			return
		default:
			t.Fatalf("read %q", got)
		}
	}
}

// Connections that share a rate are counted together, for as long as there is one of them.
func TestSharedRate(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{SharedPackets: slowly})
	f.root.onConnected = func(socket realtime.Socket) {
		socket.ShareRate("amy")
		socket.ShareRate("ben") // too late
	}
	clients := make([]*wiretest.WebSocket, 4)
	for i := range clients {
		clients[i], _ = f.connect(t)
	}
	for _, client := range clients {
		for range 10 {
			client.Send("6")
		}
		expectAlive(t, client)
	}
	if f.server.Metrics().Delayed == 0 {
		t.Error("each is counted by itself")
	}
}
