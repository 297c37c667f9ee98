package native

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func TestHandshakeReachesTheHandler(t *testing.T) {
	h := newStub(t)
	seen := make(chan realtime.Handshake, 1)
	h.authenticate = func(_ context.Context, _ realtime.Socket, hs realtime.Handshake) error {
		seen <- hs
		return nil
	}
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket&a=b")
	client.Send(`40{"token":"<x>"}`)
	hs := wiretest.Receive(t, "Authenticate", seen)
	if string(hs.Auth) != `{"token":"<x>"}` || hs.Query().Get("a") != "b" || hs.UserAgent != "wiretest" ||
		hs.RemoteAddr != client.Conn().LocalAddr().String() {
		t.Errorf("handshake: %+v", hs)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse func() error
		want   string
		logged string
	}{
		{"refusal", func() error { return &realtime.Refusal{Message: "Invalid token", Code: "auth_invalid"} },
			`44{"data":{"code":"auth_invalid"},"message":"Invalid token"}`, ""},
		{"wrapped", func() error {
			return fmt.Errorf("because: %w", &realtime.Refusal{Message: "Token expired", Code: "auth_expired"})
		},
			`44{"data":{"code":"auth_expired"},"message":"Token expired"}`, ""},
		{"other error", func() error { return errors.New("database password wrong") },
			`44{"data":{"code":"unavailable"},"message":"Service unavailable"}`, "database password wrong"},
		{"panic", func() error { panic("ouch") },
			`44{"data":{"code":"unavailable"},"message":"Service unavailable"}`, "ouch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newStub(t)
			refuse := true
			h.authenticate = func(_ context.Context, conn realtime.Socket, _ realtime.Handshake) error {
				conn.Join("room")
				if refuse {
					refuse = false
					return tt.refuse()
				}
				return nil
			}
			f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
			client := f.dial()
			client.Send("40")
			client.Expect(tt.want)
			if n := f.server.SocketCount("room"); n != 0 {
				t.Errorf("%d sockets stand in the room", n)
			}
			if !strings.Contains(f.log.String(), tt.logged) || tt.logged == "" && f.log.String() != "" {
				t.Errorf("log: %s", f.log)
			}
			client.Send("40") // may try again on the same connection
			expectPrefix(t, client, "40{")
			if n := f.server.SocketCount("room"); n != 1 {
				t.Errorf("%d sockets stand in the room", n)
			}
		})
	}
}

func TestUnknownNamespace(t *testing.T) {
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/chat": newStub(t)})
	client := f.dial()
	for _, name := range []string{"", "/nope,", "/chat/x,"} {
		client.Send("40" + name)
		client.Expect("44" + name + `{"message":"Invalid namespace"}`)
	}
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
}

func TestProtocolViolationsCloseTheConnection(t *testing.T) {
	for name, packets := range map[string][]string{
		"event before CONNECT":      {`42["a"]`},
		"event elsewhere":           {"40", `42/chat,["a"]`},
		"second CONNECT":            {"40", "40"},
		"garbage":                   {"40", "4x"},
		"reserved event":            {"40", `42["disconnect"]`},
		"binary without a header":   {"40", "binary"},
		"text for an attachment":    {"40", `451-["a",{"_placeholder":true,"num":0}]`, `42["a"]`},
		"CONNECT_ERROR":             {"40", `44{"message":"x"}`},
		"disconnect before CONNECT": {"41"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newStub(t)
			h.event = func(realtime.Socket, realtime.Event) { t.Error("the handler got an event") }
			other := newStub(t)
			other.event = echo
			f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": newStub(t), "/other": other})
			bystander := f.dial()
			bystander.Send("40/other,")
			expectPrefix(t, bystander, "40/other,{")
			client := f.dial()
			for _, p := range packets {
				if p == "binary" {
					client.SendBinary([]byte{1})
					continue
				}
				client.Send(p)
				if p == "40" && packets[1] != "40" {
					expectPrefix(t, client, "40{")
				}
			}
			client.ReadClose()
			bystander.Send(`42/other,1["still here"]`)
			bystander.Expect("43/other,1[[]]")
		})
	}
}

func TestConnectTimeout(t *testing.T) {
	f := start(t, realtime.Options{ConnectTimeout: 20 * time.Millisecond}, map[string]realtime.Handler{"/": newStub(t)})
	f.dial().ReadClose()
	wiretest.Eventually(t, "the connection is gone", func() bool { return f.server.Connections() == 0 })
}

func TestOtherPathsAreNotFound(t *testing.T) {
	f := start(t, realtime.Options{Path: "/live"}, nil)
	for path, want := range map[string]int{
		"/live/": 200, "/live": 200, "/socket.io/": 404, "/live/x": 404, "/": 404,
	} {
		status, _ := wiretest.Do(t, http.MethodGet, f.http.URL+path+"?EIO=4&transport=polling", "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

// TestFastConnects has clients say CONNECT and more before they have heard
// anything. A server that listens too late loses one in a thousand.
func TestFastConnects(t *testing.T) {
	const clients = 2000
	h := newStub(t)
	h.authenticate = joins("room")
	h.connected = func(conn realtime.Socket) {
		if err := conn.Emit("hello", 1); err != nil {
			t.Error(err)
		}
	}
	h.event = echo
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
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

// TestLeavingDuringConnect has clients go away at every moment of a CONNECT. None
// may stay behind in a room, and none may be disconnected that was not connected.
func TestLeavingDuringConnect(t *testing.T) {
	const clients = 2000
	h := newStub(t)
	h.authenticate = joins("room")
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": h})
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

// TestNothingIsDeliveredBeforeTheAnswer broadcasts without pause to a room that
// sockets join while they are authenticated.
func TestNothingIsDeliveredBeforeTheAnswer(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := start(t, realtime.Options{MaxQueuedBytes: 1 << 30}, map[string]realtime.Handler{"/": h})
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

func TestClientLeavesDuringAuthentication(t *testing.T) {
	h := newStub(t)
	entered, left := make(chan realtime.Socket, 1), make(chan struct{})
	h.authenticate = func(ctx context.Context, conn realtime.Socket, _ realtime.Handshake) error {
		conn.Join("room")
		entered <- conn
		waitFor(t, "the context's end", ctx.Done())
		close(left)
		return nil
	}
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	conn := wiretest.Receive(t, "Authenticate", entered)
	if n := f.server.SocketCount("room"); n != 1 {
		t.Errorf("%d sockets stand in the room", n)
	}
	if err := conn.Emit("early", 1); !errors.Is(err, realtime.ErrNotConnected) {
		t.Errorf("emit before CONNECT is answered: %v", err)
	}
	client.Cut()
	waitFor(t, "Authenticate's end", left)
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("room") == 0 })
	if h.connects.Load() != 0 || h.disconnects.Load() != 0 {
		t.Error("the handler heard of a socket that never connected")
	}
	conn.Join("room")
	if n := f.server.SocketCount("room"); n != 0 {
		t.Error("a socket that has gone could join a room")
	}
}

func TestSlowAuthenticationDelaysNobody(t *testing.T) {
	slow, quick := newStub(t), newStub(t)
	release := make(chan struct{})
	slow.authenticate = func(context.Context, realtime.Socket, realtime.Handshake) error {
		<-release
		return nil
	}
	quick.event = echo
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/slow": slow, "/": quick})
	client := f.dial()
	client.Send("40/slow,")
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Send(`421["e"]`)
	client.Expect("431[[]]")
	close(release)
	expectPrefix(t, client, "40/slow,{")
}

func TestConnectingAnew(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := start(t, realtime.Options{MaxConnects: 1000}, map[string]realtime.Handler{"/": h, "/chat": newStub(t)})
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

func TestEventsOnTheWayWhenTheServerDisconnects(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	chat.event = echo
	f := start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat})
	client, conn := f.connect(h)
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
	conn.Disconnect(false)
	client.Send(`42["late"]`)
	client.Send("41")
	client.Expect("41")
	client.Send(`42/chat,1["e"]`)
	client.Expect("43/chat,1[[]]") // the other namespace lives on
}

// TestTooManyConnects: a client that keeps entering a namespace is sent away.
func TestTooManyConnects(t *testing.T) {
	h := newStub(t)
	f := start(t, realtime.Options{MaxConnects: 10}, map[string]realtime.Handler{"/": h})
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
