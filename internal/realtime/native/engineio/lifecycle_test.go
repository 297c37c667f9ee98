package engineio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

func quickPings(timeout time.Duration) option {
	return config(func(c *engineio.Config) { c.PingInterval, c.PingTimeout = 10*time.Millisecond, timeout })
}

func TestHeartbeatKeepsAnsweringClients(t *testing.T) {
	f := start(t, quickPings(300*time.Millisecond))
	client, session := f.webSocket()
	for range 50 { // several times the timeout in all
		data, _, err := client.TryRead()
		if err != nil || data != "2" {
			t.Fatalf("read %q, %v; want a ping", data, err)
		}
		client.Send("3")
	}
	if !session.IsOpen() {
		t.Error("the session has ended")
	}
}

func TestHeartbeatOverPolling(t *testing.T) {
	f := start(t, quickPings(300*time.Millisecond))
	client, session := f.polling()
	for range 20 {
		client.Expect("2")
		client.MustPost("3")
	}
	if !session.IsOpen() {
		t.Error("the session has ended")
	}
}

func TestPingTimeout(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		f := start(t, quickPings(20*time.Millisecond))
		client, session := f.webSocket()
		client.ReadClose() // reads the ping and does not answer
		session.expectClosed(t, engineio.ReasonPingTimeout)
	})
	t.Run("polling", func(t *testing.T) {
		f := start(t, quickPings(20*time.Millisecond))
		client, session := f.polling()
		client.Expect("2")
		if _, body := client.Get(); body != "1" && !strings.Contains(body, "unknown") {
			t.Errorf("pending poll: %q", body)
		}
		session.expectClosed(t, engineio.ReasonPingTimeout)
	})
	t.Run("unsolicited pongs do not count", func(t *testing.T) {
		f := start(t, quickPings(50*time.Millisecond))
		client, session := f.webSocket()
		client.Send("3")
		client.ReadClose()
		session.expectClosed(t, engineio.ReasonPingTimeout)
	})
}

func TestSlowReceiverIsNoPingTimeout(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := start(t, quickPings(30*time.Millisecond), onAccept(func(p *peer) {
		p.onMessage = func([]byte, bool) error {
			entered <- struct{}{}
			<-release
			return nil
		}
	}))
	client, session := f.webSocket()
	client.Send("4work")
	wiretest.Receive(t, "the message", entered)
	client.Send("3") // behind the message
	if data, _, err := client.TryRead(); data != "2" || err != nil {
		t.Fatalf("read %q, %v", data, err)
	}
	client.Send("3")
	select {
	case reason := <-session.closed:
		t.Errorf("closed: %s", reason)
	case <-time.After(60 * time.Millisecond): // two timeouts
	}
	close(release)
}

// TestReceiverThatNeverReturns does not keep its client for ever.
func TestReceiverThatNeverReturns(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	f := start(t, quickPings(20*time.Millisecond), onAccept(func(p *peer) {
		p.onMessage = func([]byte, bool) error {
			<-release
			return nil
		}
	}))
	client, session := f.webSocket()
	client.Send("4work")
	session.expectClosed(t, engineio.ReasonPingTimeout)
}

func TestDuplicatePollEndsTheSession(t *testing.T) {
	f := start(t)
	client, session := f.polling()
	first, second := client.GetLater(), client.GetLater()
	answers := map[int]string{}
	for range 2 {
		var got wiretest.Answer
		select {
		case got = <-first:
			first = nil
		case got = <-second:
			second = nil
		case <-time.After(wiretest.Timeout):
			t.Fatal("a poll was never answered")
		}
		answers[got.Status] = got.Body
	}
	if answers[http.StatusOK] != "1" || answers[http.StatusBadRequest] == "" {
		t.Errorf("answers: %v", answers)
	}
	session.expectClosed(t, engineio.ReasonTransportError)
	if status, _ := client.Get(); status != http.StatusBadRequest {
		t.Errorf("poll after the end: %d", status)
	}
}

func TestOverlappingPostEndsTheSession(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := start(t, onAccept(func(p *peer) {
		p.onMessage = func([]byte, bool) error {
			entered <- struct{}{}
			<-release
			return nil
		}
	}))
	client, session := f.polling()
	first := client.PostLater("4a")
	wiretest.Receive(t, "the first message", entered)
	if status, _ := client.Post("4b"); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	session.expectClosed(t, engineio.ReasonTransportError)
	close(release)
	wiretest.Receive(t, "the first answer", first)
}

func TestAbandonedPollEndsTheSession(t *testing.T) {
	f := start(t)
	client, session := f.polling()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.Replace(client.WebSocketURL(), "websocket", "polling", 1), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			t.Error("the poll was answered")
		}
	}()
	// The second poll would be refused as a duplicate if the first had not come; a
	// message tells that it has.
	wiretest.Eventually(t, "the poll waits", func() bool { return session.Waiting() })
	cancel()
	<-done
	session.expectClosed(t, engineio.ReasonTransportClose)
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		f := start(t)
		client, session := f.webSocket()
		for i := range 1000 {
			session.send(t, fmt.Sprint(i))
		}
		session.Close(engineio.ReasonForcedClose)
		session.expectClosed(t, engineio.ReasonForcedClose)
		for i := range 1000 {
			client.Expect(fmt.Sprintf("4%d", i))
		}
		if code := client.ReadClose(); code != ws.StatusNormalClosure {
			t.Errorf("close code %d", code)
		}
		if err := session.Send(engineio.TextMessage(nil)); !errors.Is(err, engineio.ErrClosed) {
			t.Errorf("send after the end: %v", err)
		}
	})
	t.Run("waiting poll", func(t *testing.T) {
		f := start(t)
		client, session := f.polling()
		pending := client.GetLater()
		wiretest.Eventually(t, "the poll waits", func() bool { return session.Waiting() })
		session.Close(engineio.ReasonForcedClose)
		if got := wiretest.Receive(t, "the poll", pending); got.Body != "1" {
			t.Errorf("poll: %+v", got)
		}
	})
	t.Run("next poll", func(t *testing.T) {
		f := start(t)
		client, session := f.polling()
		session.send(t, "last words")
		session.Close(engineio.ReasonForcedClose)
		client.Expect("4last words\x1e1")
		if status, _ := client.Get(); status != http.StatusBadRequest {
			t.Errorf("poll after the end: %d", status)
		}
	})
}

func TestClosedDuringAccept(t *testing.T) {
	f := start(t, onAccept(func(p *peer) {
		p.Close(engineio.ReasonForcedClose)
		if len(p.closed) != 0 {
			t.Error("Closed was called before Accept had returned")
		}
	}))
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket")
	client.Send("4early")
	client.ReadClose()
	session := wiretest.Receive(t, "a session", f.peers)
	session.expectClosed(t, engineio.ReasonForcedClose)
	if len(session.messages) != 0 {
		t.Error("a closed session got a message")
	}
}

func TestSlowReaderIsBounded(t *testing.T) {
	const bound = 200_000
	f := start(t, config(func(c *engineio.Config) { c.MaxQueuedBytes = bound }))
	for _, transport := range []string{"websocket", "polling"} {
		t.Run(transport, func(t *testing.T) {
			var session *peer
			if transport == "websocket" {
				_, session = f.webSocket() // reads no more
			} else {
				_, session = f.polling() // polls no more
			}
			message := engineio.TextMessage([]byte(strings.Repeat("x", 1000)))
			var err error
			for sent := 0; err == nil; sent++ {
				if err = session.Send(message); sent > 100_000 {
					t.Fatal("the queue has no bound") // 100 MB, far more than a connection's buffers
				}
				if queued := session.Queued(); queued > bound {
					t.Fatalf("%d bytes are queued", queued)
				}
			}
			if !errors.Is(err, engineio.ErrQueueFull) {
				t.Fatalf("send: %v", err)
			}
			session.Abort(engineio.ReasonSlowReader)
			session.expectClosed(t, engineio.ReasonSlowReader)
		})
	}
}

func TestDrain(t *testing.T) {
	f := start(t)
	webSocket, onWebSocket := f.webSocket()
	poller, onPoll := f.polling()
	_, idle := f.polling() // never polls again
	pending := poller.GetLater()
	wiretest.Eventually(t, "the poll waits", func() bool { return onPoll.Waiting() })
	drained := make(chan error, 1)
	go func() { drained <- f.server.Drain(t.Context()) }()
	if code := webSocket.ReadClose(); code != ws.StatusGoingAway {
		t.Errorf("close code %d", code)
	}
	if got := wiretest.Receive(t, "the poll", pending); got.Body != "1" {
		t.Errorf("poll: %+v", got)
	}
	for _, session := range []*peer{onWebSocket, onPoll, idle} {
		session.expectClosed(t, engineio.ReasonStopping)
	}
	if err := wiretest.Receive(t, "the end of Drain", drained); err != nil {
		t.Errorf("drain: %v", err)
	}
	if status, _ := wiretest.Do(t, http.MethodGet, f.endpoint+"?EIO=4&transport=polling", ""); status != http.StatusServiceUnavailable {
		t.Errorf("handshake while stopping: %d", status)
	}
}

// TestDrainWaitsLittleForPolls: who does not poll any more holds nothing up, also where the session had ended before.
func TestDrainWaitsLittleForPolls(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.CloseTimeout, c.PollGrace = time.Hour, 20*time.Millisecond }))
	_, session := f.polling()
	client, ended := f.polling()
	ended.Close(engineio.ReasonForcedClose)
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	if err := f.server.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
	session.expectClosed(t, engineio.ReasonStopping)
	ended.expectClosed(t, engineio.ReasonForcedClose)
	if status, _ := client.Get(); status != http.StatusBadRequest {
		t.Errorf("poll after the end: %d", status)
	}
}

// TestDrainAnswersTheNextPoll, with what was queued, and then waits for nothing else.
func TestDrainAnswersTheNextPoll(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.CloseTimeout, c.PollGrace = time.Hour, time.Hour }))
	client, session := f.polling()
	session.send(t, "last words")
	drained := make(chan error, 1)
	go func() { drained <- f.server.Drain(t.Context()) }()
	session.expectClosed(t, engineio.ReasonStopping)
	client.Expect("4last words\x1e1")
	if err := wiretest.Receive(t, "the end of Drain", drained); err != nil {
		t.Errorf("drain: %v", err)
	}
}

// slowAnswer is the answer to a request of a client that reads nothing until it is told to.
type slowAnswer struct {
	*httptest.ResponseRecorder
	begun, read chan struct{}
}

func (a *slowAnswer) Write(p []byte) (int, error) {
	close(a.begun)
	<-a.read
	return a.ResponseRecorder.Write(p)
}

// TestDrainLetsSlowClientsRead: the wait for a client's next poll begins when it has read the answer to the one before.
func TestDrainLetsSlowClientsRead(t *testing.T) {
	const grace = 500 * time.Millisecond
	f := start(t, config(func(c *engineio.Config) { c.CloseTimeout, c.PollGrace = time.Hour, grace }))
	client, session := f.polling()
	session.send(t, "first")
	answer := &slowAnswer{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	address := strings.Replace(client.WebSocketURL(), "transport=websocket", "transport=polling", 1)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		f.server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, address, nil))
	}()
	wiretest.Receive(t, "the answer to the poll", answer.begun)
	session.send(t, "last words")
	drained := make(chan error, 1)
	go func() { drained <- f.server.Drain(t.Context()) }()
	session.expectClosed(t, engineio.ReasonStopping)

	other := start(t, config(func(c *engineio.Config) { c.CloseTimeout, c.PollGrace = time.Hour, grace }))
	other.polling()
	if err := other.server.Drain(t.Context()); err != nil { // takes as long as the grace
		t.Errorf("drain of the other server: %v", err)
	}
	close(answer.read)
	wiretest.Receive(t, "the end of the answer", answered)
	client.Expect("4last words\x1e1")
	if err := wiretest.Receive(t, "the end of Drain", drained); err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.CloseTimeout = time.Hour }))
	silent, session := f.webSocket() // does not answer the Close frame
	defer runtime.KeepAlive(silent)  // a collected connection would be closed, and so answer after all
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.server.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain: %v", err)
	}
	session.expectClosed(t, engineio.ReasonStopping)
}
