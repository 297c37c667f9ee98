package enginetest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// testSendAway: nobody new comes, one client goes at once, and those whose turn has not come go on as before.
func (s suite) testSendAway(t *testing.T) {
	h := newStub(t)
	h.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	clients := make([]*wiretest.WebSocket, 5)
	for i := range clients {
		clients[i], _ = f.connect(h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	returned := make(chan struct{})
	go func() { f.server.SendAway(ctx, time.Hour); close(returned) }()
	wiretest.Eventually(t, "the first is told", func() bool { return h.disconnects.Load() == 1 })
	status, body := wiretest.Do(t, http.MethodGet, f.endpoint+"?EIO=4&transport=polling", "")
	if status != http.StatusServiceUnavailable || strings.TrimSpace(body) != `{"code":3,"message":"Server is stopping"}` {
		t.Errorf("a newcomer who polls: %d %s", status, body)
	}
	if client, err := wiretest.TryDial(t, f.endpoint+"?EIO=4&transport=websocket"); err == nil {
		t.Errorf("a newcomer was let in: %v", client)
	}
	stay := 0
	for _, client := range clients {
		client.Send(`421["e",1]`)
		if data, _, err := client.TryRead(); err == nil && strings.HasPrefix(data, "431[") {
			stay++
		}
	}
	if stay != len(clients)-1 {
		t.Errorf("%d of %d clients are here", stay, len(clients))
	}
	cancel()
	waitFor(t, "SendAway", returned)
}

// testSendAwayWithinThePeriod: all are closed without a DISCONNECT, after which clients would not come back by themselves.
func (s suite) testSendAwayWithinThePeriod(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	clients := make([]*wiretest.WebSocket, 20)
	for i := range clients {
		clients[i], _ = f.connect(h)
	}
	poller := wiretest.OpenPolling(t, f.endpoint)
	poll := poller.GetLater()
	begun := time.Now()
	f.server.SendAway(t.Context(), 400*time.Millisecond)
	if took := time.Since(begun); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	for _, client := range clients {
		data, _, err := client.TryRead()
		closed, ok := err.(*wiretest.CloseError) //nolint:errorlint // TryRead returns it as it is
		if data != "" || ok && closed.Code != ws.StatusGoingAway && closed.Code != ws.StatusNormalClosure {
			t.Errorf("the last words are %q, %v", data, err)
		}
	}
	if answer := wiretest.Receive(t, "the poll", poll); answer.Body != "1" && answer.Body != "6\x1e1" {
		t.Errorf("the poll is answered with %+v", answer)
	}
}
