package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// testFastConnects has clients say CONNECT and more before they have heard
// anything. A server that listens too late loses one in a thousand.
func (s suite) testFastConnects(t *testing.T) {
	const clients = 2000
	h := newStub(t)
	h.authenticate = joins("room")
	h.connected = func(socket realtime.Socket) {
		if err := socket.Emit("hello", 1); err != nil {
			t.Error(err)
		}
	}
	h.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	inParallel(clients, func(i int) {
		client, err := wiretest.TryDial(t, f.endpoint+"?EIO=4&transport=websocket")
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		defer client.Cut()
		client.Send("40") // glued to the opening handshake
		answers := []string{"0{", "40{", `42["hello",1]`, fmt.Sprintf("43%d[[%d]]", i, i)}
		for step, want := range answers {
			got, _, err := client.TryRead()
			if err != nil || !strings.HasPrefix(got, want) {
				t.Errorf("client %d read %q, %v; want %s", i, got, err, want)
				return
			}
			if step == 1 {
				client.Send(fmt.Sprintf(`42%d["e",%d]`, i, i)) // in the instant of the answer
			}
		}
	})
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	if n := h.connects.Load(); n != clients {
		t.Errorf("%d sockets connected", n)
	}
}

// testLeavingDuringConnect has clients go away at every moment of a CONNECT. None
// may stay behind in a room, and none may be disconnected that was not connected.
func (s suite) testLeavingDuringConnect(t *testing.T) {
	const clients = 2000
	h := newStub(t)
	h.authenticate = joins("room")
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": h})
	inParallel(clients, func(i int) {
		client, err := wiretest.TryDial(t, f.endpoint+"?EIO=4&transport=websocket")
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		defer client.Cut()
		client.Send("40")
		client.Send("40/chat,")
		switch i % 4 {
		case 0: // cut at once
		case 1:
			client.Send("41")
		case 2:
			_, _, _ = client.TryRead() // the open packet
		case 3:
			_, _, _ = client.TryRead()
			_, _, _ = client.TryRead() // the first answer
		}
	})
	wiretest.Eventually(t, "connections are gone", func() bool { return f.server.Connections() == 0 })
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	wiretest.Eventually(t, "as many have left as came", func() bool { return h.connects.Load() == h.disconnects.Load() })
}

func inParallel(n int, do func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range 32 {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// testNothingIsDeliveredBeforeTheAnswer broadcasts without pause to a room that
// sockets join while they are authenticated.
func (s suite) testNothingIsDeliveredBeforeTheAnswer(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := s.start(t, realtime.Options{MaxQueuedBytes: 1 << 30}, map[string]realtime.Handler{"/": h})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		emitter := f.server.Emitter("/")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				emitter.Emit("tick", i, []string{"room"}, nil)
				time.Sleep(10 * time.Microsecond) // leaves the processors to the clients
			}
		}
	}()
	inParallel(300, func(int) {
		client, err := wiretest.TryDial(t, f.endpoint+"?EIO=4&transport=websocket")
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		defer client.Cut()
		client.Send("40")
		for _, want := range []string{"0{", "40{", `42["tick",`} {
			if got, _, err := client.TryRead(); err != nil || !strings.HasPrefix(got, want) {
				t.Errorf("read %q, %v; want %s", got, err, want)
			}
		}
	})
	close(stop)
	<-stopped
}

func (s suite) testClientLeavesDuringAuthentication(t *testing.T) {
	h := newStub(t)
	entered, left := make(chan realtime.Socket, 1), make(chan struct{})
	h.authenticate = func(ctx context.Context, socket realtime.Socket, _ realtime.Handshake) error {
		socket.Join("room")
		entered <- socket
		waitFor(t, "the context's end", ctx.Done())
		close(left)
		return nil
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	socket := wiretest.Receive(t, "Authenticate", entered)
	if n := f.server.SocketCount("room"); n != 1 {
		t.Errorf("%d sockets stand in the room", n)
	}
	if err := socket.Emit("early", 1); !errors.Is(err, realtime.ErrNotConnected) {
		t.Errorf("emit before CONNECT is answered: %v", err)
	}
	client.Cut()
	waitFor(t, "Authenticate's end", left)
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	if h.connects.Load() != 0 || h.disconnects.Load() != 0 {
		t.Error("the handler heard of a socket that never connected")
	}
	socket.Join("room")
	if n := f.server.SocketCount("room"); n != 0 {
		t.Error("a socket that has gone could join a room")
	}
}

func (s suite) testSlowAuthenticationDelaysNobody(t *testing.T) {
	slow, quick := newStub(t), newStub(t)
	release := make(chan struct{})
	slow.authenticate = func(context.Context, realtime.Socket, realtime.Handshake) error {
		<-release
		return nil
	}
	quick.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/slow": slow, "/": quick})
	client := f.dial()
	client.Send("40/slow,")
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Send(`421["e"]`)
	client.Expect("431[[]]")
	close(release)
	expectPrefix(t, client, "40/slow,{")
}

func (s suite) testConnectingAnew(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := s.start(t, realtime.Options{MaxConnects: 1000}, map[string]realtime.Handler{"/": h, "/chat": newStub(t)})
	client := f.dial()
	client.Send("40/chat,") // keeps the connection in use
	expectPrefix(t, client, "40/chat,{")
	for range 100 {
		client.Send("40")
		expectPrefix(t, client, "40{")
		client.Send("41") // and at once CONNECT again
	}
	client.Send("42/chat,[\"e\"]")
	wiretest.Eventually(t, "all have left", func() bool { return h.disconnects.Load() == 100 })
	if n := f.server.SocketCount("room"); n != 0 {
		t.Errorf("%d sockets stand in the room", n)
	}
	if f.server.Connections() != 1 {
		t.Error("the connection was closed")
	}
}

func (s suite) testEventsOnTheWayWhenTheServerDisconnects(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	chat.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat})
	client, socket := f.connect(h)
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
	socket.Disconnect(false)
	client.Send(`42["late"]`)
	client.Send("41")
	client.Expect("41")
	client.Send(`42/chat,1["e"]`)
	client.Expect("43/chat,1[[]]") // the other namespace lives on
}

// testTooManyConnects: a client that keeps entering a namespace is sent away.
func (s suite) testTooManyConnects(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{MaxConnects: 10}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	for range 10 {
		client.Send("40")
		expectPrefix(t, client, "40{")
		client.Send("41")
	}
	client.Send("40")
	client.ReadClose()
	wiretest.Eventually(t, "all have left", func() bool { return h.disconnects.Load() == 10 })

	stranger := f.dial() // namespaces that there are not count as well
	for range 10 {
		stranger.Send("40/none,")
		expectPrefix(t, stranger, `44/none,{"message":"Invalid namespace"`)
	}
	stranger.Send("40/none,")
	stranger.ReadClose()
}
