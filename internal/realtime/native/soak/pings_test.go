package soak_test

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/realtime"
)

// TestPings answers many pings at once. No connection may be closed: not by a timer that was set for a pong which
// had come already. The run is longer than PingTimeout, so that such a timer would have its say.
func TestPings(t *testing.T) {
	options := realtime.Options{PingInterval: 100 * time.Millisecond, PingTimeout: 3 * time.Second}
	connections, pings := 200, 50
	if scaled(0, 1) == 1 {
		options.PingInterval = time.Second
		options.PingTimeout = 20 * time.Second
		connections, pings = 2000, 50
	}
	pingPong(t, options, connections, pings, nil)
}

// TestPongBeforeThePingIsWritten holds each write of a ping until the server has read the answer to it and reads on.
func TestPongBeforeThePingIsWritten(t *testing.T) {
	options := realtime.Options{PingInterval: 50 * time.Millisecond, PingTimeout: 2 * time.Second}
	held := &atomic.Int64{}
	pingPong(t, options, 20, scaled(60, 200), func(l net.Listener) net.Listener { return &holdingListener{l, held} })
	if held.Load() == 0 {
		t.Error("no write was held until the pong had come")
	}
	t.Logf("%d writes returned after the pong had been read", held.Load())
}

// pingPong opens connections, answers so many pings on each, and then finds them open.
func pingPong(t *testing.T, options realtime.Options, connections, pings int, wrap func(net.Listener) net.Listener) {
	t.Helper()
	h := &rooms{names: []string{"room"}, unexpected: func(reason string) { t.Errorf("a socket ended: %s", reason) }}
	f := serve(t, options, h, wrap)
	clients := make([]*client, connections)
	for i := range clients {
		c, err := connected(f.address, "40", i%2 == 0)
		if err != nil {
			t.Fatal(err)
		}
		defer c.cut()
		clients[i] = c
	}
	var group sync.WaitGroup
	failed := make(chan error, connections)
	for _, c := range clients {
		group.Go(func() {
			if err := c.answerPings(pings); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if got := f.server.Connections(); got != connections {
		t.Errorf("%d connections are open, want %d", got, connections)
	}
	if got := f.server.SocketCount("room"); got != connections {
		t.Errorf("%d sockets are in the room, want %d", got, connections)
	}
	h.ending.Store(true)
	t.Logf("%d pings answered", connections*pings)
}

// answerPings answers so many pings.
func (c *client) answerPings(pings int) error {
	for n := range pings {
		c.expectBy(patience)
		op, payload, err := c.frame()
		if err != nil {
			return fmt.Errorf("waiting for ping %d: %w", n, err)
		}
		if op != opText || string(payload) != "2" {
			return fmt.Errorf("waiting for ping %d: op code %d, %q", n, op, payload)
		}
		c.send("3")
	}
	return nil
}

// holdingListener makes connections whose writes of pings return late. They show no descriptor, so that the server
// must write through them.
type holdingListener struct {
	net.Listener
	held *atomic.Int64
}

// Accept is part of net.Listener.
func (l *holdingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &holdingConn{Conn: conn, held: l.held, reading: make(chan struct{}, 1)}, nil
}

type holdingConn struct {
	net.Conn
	held *atomic.Int64

	mu      sync.Mutex
	reads   int           // that have begun
	reading chan struct{} // told when one begins
}

// Read is part of net.Conn.
func (c *holdingConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reads++
	c.mu.Unlock()
	select {
	case c.reading <- struct{}{}:
	default:
	}
	return c.Conn.Read(p)
}

func (c *holdingConn) begun() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// holdLimit is how long a write is held at most, should the server not read on while it writes.
const holdLimit = 20 * time.Millisecond

// Write is part of net.Conn. Behind a ping it waits until the read that was waiting when the ping left has returned,
// with the pong, and the server has come back to read more.
func (c *holdingConn) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte{0x81, 1, '2'}) {
		return c.Conn.Write(p)
	}
	before := c.begun()
	n, err := c.Conn.Write(p)
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	for c.begun() == before {
		select {
		case <-c.reading:
		case <-limit.C:
			return n, err
		}
	}
	c.held.Add(1)
	return n, err
}
