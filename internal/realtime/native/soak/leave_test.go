package soak_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/realtime"
)

// TestNothingBehindDisconnect takes a socket out of the namespace while broadcasts go to its room. The connection
// stays open, and between DISCONNECT and the answer to another CONNECT there is no socket that could hear anything.
func TestNothingBehindDisconnect(t *testing.T) {
	behind, _ := leaveAmidBroadcasts(t, scaled(500, 5000))
	if behind > 0 {
		t.Errorf("%d events came behind DISCONNECT", behind)
	}
}

// TestNothingForTheSocketBefore lets a client that the server has taken out of the namespace connect anew over the
// same connection, this time without the room. What was sent to the room is not for this socket, which may not even
// be of the same user.
func TestNothingForTheSocketBefore(t *testing.T) {
	_, inherited := leaveAmidBroadcasts(t, scaled(2000, 10_000))
	if inherited > 0 {
		t.Errorf("%d events for the socket before reached a socket that has been in no room", inherited)
	}
}

// leaveAmidBroadcasts lets a socket leave its room's namespace and return without the room, so many times. It counts
// the events between DISCONNECT and the answer to CONNECT, and those that came to the socket without a room.
func leaveAmidBroadcasts(t *testing.T, rounds int) (behind, inherited int) {
	const emitters, beats = 32, 5 // so many wait for each other, and some for long
	h := &guests{conns: make(chan realtime.Socket, 2), left: make(chan struct{}, 2)}
	f := serve(t, realtime.Options{}, h, nil)
	c, err := connected(f.address, `40{"guest":true}`, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.cut()
	<-h.conns
	c.send("41")
	<-h.left
	emitter := f.server.Emitter("/")
	for range rounds {
		c.send("40")
		if err := c.expect("40{"); err != nil {
			t.Fatal(err)
		}
		socket := <-h.conns
		beating := make(chan struct{})
		go func() {
			defer close(beating)
			together(slices.Repeat([]func(){func() {
				for range beats {
					emitter.Emit("beat", nil, []string{"room"}, nil)
				}
			}}, emitters)...)
		}()
		socket.Disconnect(false)
		readUntil(t, c, "41")
		<-h.left
		c.send(`40{"guest":true}`)
		behind += readUntil(t, c, "40{")
		<-beating
		guest := <-h.conns
		if err := guest.Emit("report", nil); err != nil {
			t.Fatal(err)
		}
		inherited += readUntil(t, c, `42["report"`)
		c.send("41")
		<-h.left
	}
	return behind, inherited
}

// readUntil reads until a message comes that begins with the prefix, and counts those before.
func readUntil(t *testing.T, c *client, prefix string) (before int) {
	t.Helper()
	c.expectBy(patience)
	for {
		message, err := c.next()
		if err != nil {
			t.Fatalf("waiting for %q: %v", prefix, err)
		}
		if strings.HasPrefix(string(message), prefix) {
			return before
		}
		before++
	}
}

// guests puts sockets into the room, but those that present themselves as guests.
type guests struct {
	conns chan realtime.Socket
	left  chan struct{}
}

// Authenticate is part of realtime.Handler.
func (h *guests) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	if !strings.Contains(string(hs.Auth), "guest") {
		socket.Join("room")
	}
	return nil
}

// Connected is part of realtime.Handler.
func (h *guests) Connected(socket realtime.Socket) { h.conns <- socket }

// Event is part of realtime.Handler.
func (h *guests) Event(realtime.Socket, realtime.Event) {}

// Disconnected is part of realtime.Handler.
func (h *guests) Disconnected(realtime.Socket, string) { h.left <- struct{}{} }

// TestNothingLostAtDisconnect ends connections whose clients have not read for a while. What was sent before the end
// still reaches them, in order, and then the Close frame.
func TestNothingLostAtDisconnect(t *testing.T) {
	h := &guests{conns: make(chan realtime.Socket, 1), left: make(chan struct{}, 1)}
	f := serve(t, realtime.Options{PingInterval: 4 * patience}, h, smallBuffers)
	filling := strings.Repeat("x", newsBytes)
	for range scaled(20, 200) {
		c, err := connected(f.address, "40", false)
		if err != nil {
			t.Fatal(err)
		}
		socket, sent := <-h.conns, int64(0)
		for f.server.Metrics().QueuedBytes < 100<<10 { // the system takes no more, and much waits behind that
			sent++
			if err := socket.Emit("news", []any{sent, filling}); err != nil {
				t.Fatal(err)
			}
		}
		socket.Disconnect(true)
		r := &newsReader{client: c}
		r.expectBy(patience)
		var closed *closedError
		if err := r.read(t); !errors.As(err, &closed) {
			t.Errorf("the connection ended without a Close frame: %v", err)
		}
		if heard := r.heard.Load(); heard != sent {
			t.Errorf("%d of %d events came", heard, sent)
		}
		c.cut()
		<-h.left
		eventually(t, "nothing waits", func() bool { return f.server.Metrics().QueuedBytes == 0 })
	}
}
