package realtime

import (
	"context"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime/engineio"
	"rolecall/internal/realtime/wiretest"
)

// The library connects a socket in steps: it joins the socket's own room, writes
// the answer to CONNECT, records the socket, and reports it. These tests step in
// between, where load and luck would otherwise have to.

// whenCalledConnected calls do when the library has begun to call a socket
// connected and has not written the answer yet.
func whenCalledConnected(f *fixture, do func()) {
	_ = f.server.io.Sockets().Adapter().On("join-room", func(args ...any) {
		room, _ := args[0].(socket.Room)
		id, _ := args[1].(socket.SocketId)
		if string(room) == string(id) {
			do()
		}
	})
}

func TestDeliveryBetweenConnectedAndAnswered(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	h.connected = func(conn *Conn) {
		if err := conn.Emit("hello", 1); err != nil {
			t.Error(err)
		}
	}
	f := start(t, Options{}, map[string]Handler{"/": h})
	whenCalledConnected(f, func() { f.server.Emitter("/").Emit("news", 1, []string{"room"}, nil) })
	client := f.dial()
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Expect(`42["news",1]`)
	client.Expect(`42["hello",1]`)
}

func TestEventBeforeTheSocketIsRecorded(t *testing.T) {
	h := newStub(t)
	h.event = echo
	f := start(t, Options{}, map[string]Handler{"/": h})
	// The library's own "connect" comes just before the "connection" on which the
	// answer is let go. A client that had the answer by now would have its event
	// refused and the connection closed.
	_ = f.server.io.Sockets().On("connect", func(args ...any) {
		s, _ := args[0].(*socket.Socket)
		until := time.After(50 * time.Millisecond)
		for s.Conn().ReadyState() == "open" {
			select {
			case <-until:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	client := f.dial()
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Send(`421["quick"]`)
	client.Expect("431[[]]")
}

func TestConnectionEndsBeforeTheSocketIsRecorded(t *testing.T) {
	h := newStub(t)
	conns := make(chan *Conn, 1)
	h.authenticate = func(_ context.Context, conn *Conn, _ Handshake) error {
		conn.Join("room")
		conns <- conn
		return nil
	}
	f := start(t, Options{}, map[string]Handler{"/": h})
	ended := make(chan struct{})
	whenCalledConnected(f, func() {
		conn := <-conns
		conn.connection.session.Abort(engineio.ReasonTransportClose)
		close(ended)
	})
	client := f.dial()
	client.Send("40")
	client.ReadClose()
	waitFor(t, "the connection's end", ended)
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	wiretest.Eventually(t, "the library forgets the socket", func() bool { return f.server.io.Sockets().Sockets().Len() == 0 })
	if h.connects.Load() != 0 {
		t.Error("the handler heard of a socket whose connection had ended")
	}
}

// TestConnectionIsEndingWhileTheSocketIsRecorded holds the end of a connection
// where the library has ended the sockets that it knew, and lets it then record
// one more.
func TestConnectionIsEndingWhileTheSocketIsRecorded(t *testing.T) {
	h := newStub(t)
	conns := make(chan *Conn, 1)
	h.authenticate = func(_ context.Context, conn *Conn, _ Handshake) error {
		conn.Join("room")
		conns <- conn
		return nil
	}
	f := start(t, Options{}, map[string]Handler{"/": h})
	sockets := f.server.io.Sockets()
	recorded, ending, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	whenCalledConnected(f, func() {
		conn := <-conns
		_ = conn.connection.On("close", func(...any) { // after the library's own listener
			close(ending)
			<-recorded
		})
		go func() {
			defer close(ended)
			conn.connection.session.Abort(engineio.ReasonTransportClose)
		}()
		<-ending
	})
	client := f.dial()
	client.Send("40")
	waitFor(t, "the end begins", ending)
	wiretest.Eventually(t, "the library has made up its mind", func() bool {
		return sockets.Sockets().Len() == 0 || h.connects.Load() > 0
	})
	close(recorded)
	waitFor(t, "the connection's end", ended)
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	if h.connects.Load() != 0 {
		t.Error("the handler heard of a socket whose connection had ended")
	}
}
