package engineio_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/realtime/engineio"
	"rolecall/internal/realtime/wiretest"
)

func TestUpgrade(t *testing.T) {
	f := start(t)
	poller, session := f.polling()
	pending := poller.GetLater()
	wiretest.Eventually(t, "the poll waits", func() bool { return session.Waiting() })

	socket := wiretest.Dial(t, poller.WebSocketURL())
	socket.Send("2probe")
	socket.Expect("3probe")
	if got := wiretest.Receive(t, "the pending poll", pending); got.Body != "6" {
		t.Errorf("pending poll: %+v", got)
	}
	if _, err := wiretest.TryDial(t, poller.WebSocketURL()); err == nil {
		t.Error("a second WebSocket was let in")
	}
	session.send(t, "between") // polling is still the transport
	poller.Expect("4between")
	poller.Expect("6")
	poller.MustPost("4before")
	socket.Send("5")
	socket.Send("4after")
	session.expect(t, "before", false)
	session.expect(t, "after", false)
	session.send(t, "there")
	socket.Expect("4there")

	if status, body := poller.Get(); status != 400 || body != `{"code":3,"message":"Bad request"}` {
		t.Errorf("poll after the upgrade: %d %s", status, body)
	}
	if status, _ := poller.Post("4x"); status != 400 {
		t.Errorf("post after the upgrade: %d", status)
	}
	if _, err := wiretest.TryDial(t, poller.WebSocketURL()); err == nil {
		t.Error("another WebSocket was let in after the upgrade")
	}
	if f.server.Len() != 1 {
		t.Errorf("%d sessions", f.server.Len())
	}
	socket.Cut()
	session.expectClosed(t, engineio.ReasonTransportClose)
}

func TestPollInFlightWhenTheUpgradeComes(t *testing.T) {
	f := start(t)
	poller, session := f.polling()
	socket := wiretest.Dial(t, poller.WebSocketURL())
	socket.Send("2probe")
	socket.Expect("3probe")
	socket.Send("5")
	session.send(t, "x")
	socket.Expect("4x")
}

func TestFailedUpgradesLeaveTheSessionPolling(t *testing.T) {
	for _, tt := range []struct {
		name    string
		attempt func(*wiretest.Socket)
	}{
		{"cut before the probe", func(s *wiretest.Socket) { s.Cut() }},
		{"no probe", func(s *wiretest.Socket) { s.Send("4hello"); s.ReadClose() }},
		{"upgrade without probe", func(s *wiretest.Socket) { s.Send("5"); s.ReadClose() }},
		{"cut after the probe", func(s *wiretest.Socket) { s.Send("2probe"); s.Expect("3probe"); s.Cut() }},
		{"message after the probe", func(s *wiretest.Socket) { s.Send("2probe"); s.Expect("3probe"); s.Send("4hello"); s.ReadClose() }},
		{"silence", func(s *wiretest.Socket) { s.ReadClose() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, config(func(c *engineio.Config) { c.UpgradeTimeout = 200 * time.Millisecond }))
			poller, session := f.polling()
			tt.attempt(wiretest.Dial(t, poller.WebSocketURL()))
			wiretest.Eventually(t, "the upgrade is given up", func() bool { return !session.Upgrading() })
			pending := poller.GetLater()
			wiretest.Eventually(t, "the poll waits", func() bool { return session.Waiting() })
			session.send(t, "still here")
			if got := wiretest.Receive(t, "the poll", pending); got.Body != "4still here" {
				t.Errorf("poll: %+v", got)
			}
			if len(session.messages) != 0 {
				t.Error("a message came through an unfinished upgrade")
			}
			again := wiretest.Dial(t, poller.WebSocketURL()) // and a later attempt may work
			again.Send("2probe")
			again.Expect("3probe")
			again.Send("5")
			session.send(t, "upgraded")
			again.Expect("4upgraded")
		})
	}
}

func TestSessionEndsDuringUpgrade(t *testing.T) {
	f := start(t)
	poller, session := f.polling()
	socket := wiretest.Dial(t, poller.WebSocketURL())
	socket.Send("2probe")
	socket.Expect("3probe")
	session.Close(engineio.ReasonForcedClose)
	socket.Send("5")
	socket.ReadClose()
	session.expectClosed(t, engineio.ReasonForcedClose)
}

// TestUpgradeUnderTraffic upgrades while both sides send, and looks for messages
// lost, doubled or out of order.
func TestUpgradeUnderTraffic(t *testing.T) {
	const messages = 2000
	for run := range 5 {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			f := start(t, config(func(c *engineio.Config) { c.MaxPayload = 100_000 }))
			poller, session := f.polling()
			var sending sync.WaitGroup
			sending.Go(func() {
				for i := range messages {
					if err := session.Send(engineio.TextMessage(fmt.Append(nil, i))); err != nil {
						t.Errorf("send: %v", err)
						return
					}
				}
			})
			client := &upgradingClient{t: t, poller: poller}
			client.run(messages)
			sending.Wait()
			for i := range messages {
				session.expect(t, fmt.Sprint(i), false)
			}
		})
	}
}

// upgradingClient behaves as the official client does: it goes on polling until
// the probe is answered and the poll under way has returned, then says upgrade.
type upgradingClient struct {
	t      *testing.T
	poller *wiretest.Poller
	sent   int
	got    int
}

func (c *upgradingClient) run(messages int) {
	c.t.Helper()
	socket := wiretest.Dial(c.t, c.poller.WebSocketURL())
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		socket.Send("2probe")
		socket.Expect("3probe")
	}()
	for paused := false; !paused; {
		select {
		case <-probed:
			paused = true
		default:
		}
		c.post()
		_, body := c.poller.Get()
		c.take(strings.Split(body, "\x1e"))
	}
	socket.Send("5")
	for c.sent < messages {
		socket.Send(fmt.Sprintf("4%d", c.sent))
		c.sent++
	}
	for c.got < messages {
		c.take([]string{socket.Read()})
	}
}

func (c *upgradingClient) post() {
	body := make([]string, 10)
	for i := range body {
		body[i] = fmt.Sprintf("4%d", c.sent)
		c.sent++
	}
	c.poller.MustPost(strings.Join(body, "\x1e"))
}

func (c *upgradingClient) take(packets []string) {
	c.t.Helper()
	for _, p := range packets {
		if p == "6" {
			continue
		}
		if want := fmt.Sprintf("4%d", c.got); p != want {
			c.t.Fatalf("received %q, want %q", p, want)
		}
		c.got++
	}
}
