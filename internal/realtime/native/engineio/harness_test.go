package engineio_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// incoming is a message as a receiver got it.
type incoming struct {
	text   string
	binary bool
}

// peer is the server's side of one session.
type peer struct {
	*engineio.Session
	messages chan incoming
	closed   chan engineio.Reason
	// onMessage, when set, is called instead of queueing the message.
	onMessage func(data []byte, binary bool) error
}

func (p *peer) Message(data []byte, binary bool) error {
	if p.onMessage != nil {
		return p.onMessage(data, binary)
	}
	if string(data) == "refuse me" {
		return errors.New("refused")
	}
	p.messages <- incoming{string(data), binary}
	return nil
}

func (p *peer) Closed(reason engineio.Reason) { p.closed <- reason }

// fixture is a server with what it accepted.
type fixture struct {
	t        *testing.T
	server   *engineio.Server
	http     *httptest.Server
	endpoint string
	peers    chan *peer
}

type option func(*engineio.Config, *setup)

type setup struct {
	tls    bool
	accept func(*peer)
}

func config(change func(*engineio.Config)) option {
	return func(c *engineio.Config, _ *setup) { change(c) }
}

func onAccept(do func(*peer)) option { return func(_ *engineio.Config, s *setup) { s.accept = do } }

func start(t *testing.T, options ...option) *fixture {
	t.Helper()
	f := &fixture{t: t, peers: make(chan *peer, 100)}
	var with setup
	c := engineio.Config{
		PingInterval:   time.Minute,
		PingTimeout:    time.Minute,
		UpgradeTimeout: wiretest.Timeout,
		WriteTimeout:   wiretest.Timeout,
		CloseTimeout:   time.Second,
		PollGrace:      time.Second,
		MaxPayload:     10_000,
		MaxQueuedBytes: 1 << 20,
		MaxQueuedTotal: 1 << 28,
		Accept: func(s *engineio.Session) engineio.Receiver {
			p := &peer{Session: s, messages: make(chan incoming, 10_000), closed: make(chan engineio.Reason, 2)}
			if with.accept != nil {
				with.accept(p)
			}
			f.peers <- p
			return p
		},
	}
	for _, o := range options {
		o(&c, &with)
	}
	f.server = engineio.NewServer(c)
	f.http = httptest.NewUnstartedServer(f.server)
	if with.tls {
		f.http.StartTLS()
	} else {
		f.http.Start()
	}
	f.endpoint = f.http.URL + "/socket.io/"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
		defer cancel()
		if err := f.server.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		if n := f.server.Len(); n != 0 {
			t.Errorf("%d sessions are open after Drain", n)
		}
		http.DefaultClient.CloseIdleConnections()
		f.http.Close()
	})
	return f
}

func (f *fixture) polling() (*wiretest.Poller, *peer) {
	f.t.Helper()
	client := wiretest.OpenPolling(f.t, f.endpoint)
	return client, wiretest.Receive(f.t, "a session", f.peers)
}

func (f *fixture) webSocket() (*wiretest.WebSocket, *peer) {
	f.t.Helper()
	client := wiretest.Dial(f.t, f.endpoint+"?EIO=4&transport=websocket")
	if open := client.Read(); open[0] != '0' {
		f.t.Fatalf("open packet: %q", open)
	}
	return client, wiretest.Receive(f.t, "a session", f.peers)
}

func (p *peer) send(t *testing.T, text string) {
	t.Helper()
	if err := p.Send(engineio.TextMessage([]byte(text))); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func (p *peer) expect(t *testing.T, text string, binary bool) {
	t.Helper()
	got := wiretest.Receive(t, "a message", p.messages)
	if got.text != text || got.binary != binary {
		t.Fatalf("received %q (binary %v), want %q (binary %v)", got.text, got.binary, text, binary)
	}
}

func (p *peer) expectClosed(t *testing.T, want engineio.Reason) {
	t.Helper()
	if got := wiretest.Receive(t, "the end of the session", p.closed); got != want {
		t.Fatalf("closed because of %q, want %q", got, want)
	}
	if p.IsOpen() {
		t.Fatal("the session says it is open")
	}
}
