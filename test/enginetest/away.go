package enginetest

import (
	"context"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// testClose: all sockets of the connection end, behind what has been sent, and no packet tells the client to stay away.
func (s suite) testClose(t *testing.T) {
	for by, run := range map[string]func(t *testing.T, f *fixture, h, chat *stub){"websocket": closeWebSocket, "polling": closePolling} {
		s.run(t, "Close by "+by, func(t *testing.T) {
			h, chat := newStub(t), newStub(t)
			h.event = func(socket realtime.Socket, _ realtime.Event) {
				if err := socket.Emit("last", "words"); err != nil {
					t.Error(err)
				}
				socket.Close()
				socket.Close()
			}
			run(t, s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat}), h, chat)
			wiretest.Eventually(t, "both sockets are gone", func() bool {
				return h.disconnects.Load() == 1 && chat.disconnects.Load() == 1
			})
		})
	}
}

func closeWebSocket(t *testing.T, f *fixture, h, _ *stub) {
	client, _ := f.connect(h)
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
	client.Send(`42["e"]`)
	client.Expect(`42["last","words"]`)
	if data, _, err := client.TryRead(); err == nil {
		t.Errorf("behind the last words: %q", data)
	}
}

func closePolling(t *testing.T, f *fixture, h, chat *stub) {
	client := wiretest.OpenPolling(t, f.endpoint)
	client.MustPost("40\x1e40/chat,")
	wiretest.Receive(t, "Connected", h.conns)
	wiretest.Receive(t, "Connected to /chat", chat.conns)
	client.Get()
	client.MustPost(`42["e"]`)
	got := wiretest.Receive(t, "the last poll", client.GetLater())
	if got.Status != 200 || got.Body != "42[\"last\",\"words\"]\x1e1" {
		t.Errorf("the last poll: %+v", got)
	}
}

// testCloseWhileAuthenticating: a socket that has not been let in goes as well.
func (s suite) testCloseWhileAuthenticating(t *testing.T) {
	h := newStub(t)
	gone := make(chan struct{})
	h.authenticate = func(ctx context.Context, socket realtime.Socket, _ realtime.Handshake) error {
		socket.Close()
		<-ctx.Done()
		close(gone)
		return nil
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	if data, _, err := client.TryRead(); err == nil {
		t.Errorf("read %q", data)
	}
	waitFor(t, "the end of the socket's context", gone)
}

// testSilent: a client is silent from a ping to its answer.
func (s suite) testSilent(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{PingInterval: 300 * time.Millisecond, PingTimeout: wiretest.Timeout}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	for range 2 {
		if socket.Silence() != 0 {
			t.Fatal("silent though nothing has been asked of it")
		}
		if ping, _, err := client.TryRead(); ping != "2" || err != nil {
			t.Fatalf("read %q, %v", ping, err)
		}
		wiretest.Eventually(t, "it is silent", func() bool { return socket.Silence() > time.Millisecond })
		client.Send(`42["e"]`) // is no answer
		client.Send("3")
		wiretest.Eventually(t, "it is silent no more", func() bool { return socket.Silence() == 0 })
	}
}

// testPingBeforeItsTime: one more ping is sent, and none beside an unanswered one.
func (s suite) testPingBeforeItsTime(t *testing.T) {
	h := newStub(t)
	h.event = echo
	f := s.start(t, realtime.Options{PingInterval: time.Hour, PingTimeout: time.Hour}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	for range 3 {
		socket.Ping()
		socket.Ping()
		if socket.Silence() == 0 {
			t.Error("a client that owes an answer is not silent")
		}
		if ping, _, err := client.TryRead(); ping != "2" || err != nil {
			t.Fatalf("read %q, %v", ping, err)
		}
		client.Send("3")
		client.Send(`421["e"]`)
		if ack, _, err := client.TryRead(); ack != "431[[]]" || err != nil {
			t.Fatalf("read %q, %v", ack, err)
		}
		if socket.Silence() != 0 {
			t.Error("a client that has answered is silent")
		}
	}
}
