package conformance_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// What is too long for a client's queue reaches it in parts, each sent when there is room for it.
func TestAwaitRoom(t *testing.T) {
	t.Parallel()
	const parts = 40
	f := start(t, realtime.Options{MaxQueuedBytes: 400_000})
	f.root.onEvent = func(socket realtime.Socket, ev realtime.Event) {
		part := strings.Repeat("x", 200_000)
		for range parts {
			if err := socket.AwaitRoom(socket.Context()); err != nil {
				t.Errorf("await room: %v", err)
			}
			if err := socket.Emit("part", part); err != nil {
				t.Errorf("emit: %v", err)
			}
		}
		ev.Ack("all")
	}
	client, _ := f.connect(t)
	client.Send(`421["go"]`)
	for range parts {
		if got := client.Read(); !strings.HasPrefix(got, `42["part","xxx`) {
			t.Fatalf("read %.40s", got)
		}
	}
	client.Expect(`431["all"]`)
	poller, _ := f.connectPolling(t)
	poller.PostLater(`421["go"]`)
	for read := 0; read < parts; {
		_, body := poller.Get()
		read += strings.Count(body, `42["part"`)
	}
}

// Whoever waits for room is told when there will be none.
func TestAwaitRoomInVain(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxQueuedBytes: 100_000})
	fill := func(socket realtime.Socket) {
		for context.Cause(socket.Context()) == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := socket.AwaitRoom(ctx)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				return
			}
			_ = socket.Emit("x", strings.Repeat("x", 50_000)) // fails with the socket
		}
		t.Error("the client went before it was full")
	}
	for name, end := range map[string]func(client *wiretest.WebSocket, socket realtime.Socket){
		"the client goes":          func(client *wiretest.WebSocket, _ realtime.Socket) { client.Cut() },
		"the socket is put out":    func(_ *wiretest.WebSocket, socket realtime.Socket) { socket.Disconnect(false) },
		"the connection is closed": func(_ *wiretest.WebSocket, socket realtime.Socket) { socket.Disconnect(true) },
	} {
		t.Run(name, func(t *testing.T) {
			client, socket := f.connect(t)
			fill(socket)
			waited := make(chan error, 1)
			go func() { waited <- socket.AwaitRoom(context.Background()) }()
			end(client, socket)
			if err := wiretest.Receive(t, "the end of the wait", waited); !errors.Is(err, realtime.ErrNotConnected) {
				t.Errorf("%v", err)
			}
			if err := socket.AwaitRoom(t.Context()); !errors.Is(err, realtime.ErrNotConnected) {
				t.Errorf("afterwards: %v", err)
			}
			client.Cut()
		})
	}
}
