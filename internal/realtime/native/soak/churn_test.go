package soak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/realtime"
)

const (
	// churnWorkers is how many clients come and go at once.
	churnWorkers = 8
	// heapSlack and heapPerCycle are how many bytes the live heap may have grown after so many cycles: a session that
	// is not let go of takes more than a kilobyte.
	heapSlack    = 512 << 10
	heapPerCycle = 48
)

// cycle is one client that comes and goes.
type cycle func(ctx context.Context, f *fixture, n int) error

// TestChurn lets clients come and go in every way, good and bad, and then takes stock: nothing may be left of them.
func TestChurn(t *testing.T) {
	h := &rooms{names: []string{"churn", "everybody"}}
	f := serve(t, realtime.Options{
		// Abandoned polls end after these two; clients that are there answer in time.
		PingInterval: time.Second / 2,
		PingTimeout:  3 * time.Second,
	}, h, nil)
	cycles := []cycle{leaveDuringConnect, cutWithoutClose, abandonPolling, leaveOrderly, leaveOrderly}
	churn(t, f, cycles, scaled(500, 2000)) // fills caches, and warms up what is made once
	before := takeStock()
	count := scaled(5000, 50_000)
	churn(t, f, cycles, count)
	var after holdings
	bound := before.heap + heapSlack + heapPerCycle*int64(count)
	if !within(patience, func() bool {
		after = takeStock()
		return after.goroutines <= before.goroutines && after.files <= before.files && after.heap <= bound
	}) {
		t.Errorf("after %d cycles %v, before them %v", count, after, before)
	}
	if connects, disconnects := h.connects.Load(), h.disconnects.Load(); connects != disconnects {
		t.Errorf("Connected was called %d times, Disconnected %d times", connects, disconnects)
	}
	t.Logf("%d cycles, %d sockets; before: %v; after: %v (%.1f bytes a cycle)", count, h.connects.Load(), before, after,
		float64(after.heap-before.heap)/float64(count))
}

// churn runs so many cycles, the kinds in turn, and waits until the server has seen the last of them.
func churn(t *testing.T, f *fixture, cycles []cycle, count int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var next atomic.Int64
	work := func() {
		for n := int(next.Add(1)); n <= count && ctx.Err() == nil; n = int(next.Add(1)) {
			if err := cycles[n%len(cycles)](ctx, f, n/len(cycles)); err != nil {
				t.Errorf("cycle %d of kind %d: %v", n, n%len(cycles), err)
				cancel()
			}
		}
	}
	workers := make([]func(), churnWorkers)
	for i := range workers {
		workers[i] = work
	}
	together(workers...)
	eventually(t, "no connection is left", func() bool { return f.server.Connections() == 0 })
	eventually(t, "nobody is left in a room", func() bool {
		return f.server.SocketCount("churn") == 0 && f.server.SocketCount("everybody") == 0
	})
	eventually(t, "nothing waits for anybody, and nobody is counted", func() bool {
		m := f.server.Metrics()
		return m.QueuedBytes == 0 && m.Namespaces["/"].QueuedBytes == 0 && m.Namespaces["/"].Sockets == 0
	})
}

// leaveDuringConnect sends CONNECT and does not wait for the answer.
func leaveDuringConnect(_ context.Context, f *fixture, n int) error {
	var early []string
	if n%2 == 0 {
		early = []string{"40"}
	}
	c, err := dial(f.address, early...)
	if err != nil {
		return err
	}
	defer c.cut()
	if n%2 == 1 {
		if err := c.expect("0{"); err != nil {
			return err
		}
		c.send("40")
	}
	switch n / 2 % 4 {
	case 0:
		c.reset()
	case 1:
		c.send("41") // before the answer this is a breach; behind it the connection would stay
	case 2:
		c.sendClose()
		return c.readToEnd()
	}
	return nil
}

// cutWithoutClose ends the TCP connection under a connected socket.
func cutWithoutClose(_ context.Context, f *fixture, n int) error {
	c, err := connected(f.address, "40", n%2 == 0)
	if err != nil {
		return err
	}
	if n%3 == 0 {
		c.reset()
	}
	c.cut()
	return nil
}

// leaveOrderly says goodbye, in one of the ways there are, and waits for the end.
func leaveOrderly(_ context.Context, f *fixture, n int) error {
	c, err := connected(f.address, "40", n%2 == 0)
	if err != nil {
		return err
	}
	switch n / 2 % 3 {
	case 0:
		c.sendClose()
	case 1:
		c.send("1")
	case 2:
		c.send("41", "1")
	}
	return c.readToEnd()
}

// abandonPolling opens a session by polling and forgets it: at once, after CONNECT, or with a poll that it cuts.
func abandonPolling(ctx context.Context, f *fixture, n int) error {
	url := "http://" + f.address + "/socket.io/?EIO=4&transport=polling"
	body, err := request(ctx, http.MethodGet, url, "")
	if err != nil {
		return err
	}
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &open); err != nil {
		return fmt.Errorf("open packet %q: %w", body, err)
	}
	url += "&sid=" + open.SID
	if n%3 == 0 {
		return nil
	}
	if _, err := request(ctx, http.MethodPost, url, "40"); err != nil {
		return err
	}
	if n%3 == 1 {
		return nil
	}
	if body, err = request(ctx, http.MethodGet, url, ""); err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimPrefix(body, "2\x1e"), "40{") { // a ping may come first
		return fmt.Errorf("the answer to CONNECT is %q", body)
	}
	return cutPoll(ctx, f.address, open.SID)
}

// cutPoll sends a poll and ends the connection.
func cutPoll(ctx context.Context, address, sid string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: soak\r\n\r\n", sid)
	return errors.Join(err, conn.Close())
}

// request makes a request over a connection of its own.
func request(ctx context.Context, method, url, body string) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return string(text), err
}

// rooms is a realtime.Handler that puts every socket into rooms and acks every event.
type rooms struct {
	names                 []string
	connects, disconnects atomic.Int64
	// unexpected is told why each socket ended that had no reason to, until ending is true; it may be nil.
	unexpected func(reason string)
	ending     atomic.Bool
}

// Authenticate is part of realtime.Handler.
func (h *rooms) Authenticate(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
	socket.Join(h.names...)
	return nil
}

// Connected is part of realtime.Handler.
func (h *rooms) Connected(realtime.Socket) { h.connects.Add(1) }

// Event is part of realtime.Handler.
func (h *rooms) Event(_ realtime.Socket, ev realtime.Event) {
	if ev.Ack != nil {
		ev.Ack(ev.Args)
	}
}

// Disconnected is part of realtime.Handler.
func (h *rooms) Disconnected(_ realtime.Socket, reason string) {
	h.disconnects.Add(1)
	if h.unexpected != nil && !h.ending.Load() {
		h.unexpected(reason)
	}
}
