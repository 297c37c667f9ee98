package soak_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/realtime"
)

const (
	slowReaders, healthyReaders = 100, 10
	// maxNews is what is sent in 30 s, at 2,000 events a second.
	maxNews = 60_000
	// newsBytes is the size of an event's text.
	newsBytes = 500
	// newsAhead is how many events may be on their way to a healthy reader, so that a machine which has other things
	// to do makes nobody slow: a fraction of what may be queued.
	newsAhead = 500
	// maxQueued is how much may wait for one reader, in bytes: Options.MaxQueuedBytes, and the message on top.
	maxQueued = 1<<20 + 1<<10
	// maxGrowth is how much memory the process may take for slow readers, in bytes.
	maxGrowth = 64 << 20
)

// TestSlowReaders sends to a room in which many do not read. Each of them is cut off, the process hardly grows, and
// the others hear everything in order.
func TestSlowReaders(t *testing.T) {
	h := &newsroom{}
	h.unexpected = func(reason string) { t.Errorf("a socket ended: %s", reason) }
	var wrap func(net.Listener) net.Listener
	if scaled(0, 1) == 0 {
		wrap = smallBuffers
	}
	f := serve(t, realtime.Options{PingInterval: 4 * patience}, h, wrap)
	slow := make([]*client, slowReaders)
	for i := range slow {
		slow[i] = subscribe(t, f, "slow")
	}
	readers := make([]*newsReader, healthyReaders)
	var group sync.WaitGroup
	for i := range readers {
		readers[i] = &newsReader{client: subscribe(t, f, "healthy")}
		group.Go(func() { _ = readers[i].read(t) }) // until it is cut
	}
	settleMemory()
	before := residentBytes(t)
	sent, peak := spreadNews(t, f, h, readers)
	eventually(t, "the healthy have heard everything", func() bool { return slowest(readers) == sent })
	if got := h.slowEnded.Load(); got != slowReaders {
		t.Errorf("%d of %d slow readers were cut off by %d events", got, slowReaders, sent)
	}
	if growth := peak - before; growth > maxGrowth {
		t.Errorf("the process grew by %d KiB from %d KiB", growth>>10, before>>10)
	}
	eventually(t, "only healthy connections are open", func() bool { return f.server.Connections() == healthyReaders })
	if got := f.server.SocketCount("news"); got != healthyReaders {
		t.Errorf("%d sockets are in the room, want %d", got, healthyReaders)
	}
	for _, c := range slow {
		if err := c.readToEnd(); err != nil {
			t.Errorf("a slow reader that reads again: %v", err)
		}
	}
	checkSlowMetrics(t, f)
	h.ending.Store(true)
	for _, r := range readers {
		r.cut()
	}
	group.Wait()
	t.Logf("%d events; %d KiB, at most %d KiB more; logged %v", sent, before>>10, (peak-before)>>10, f.log.all())
}

// checkSlowMetrics checks what the server says of slow readers that are all gone.
func checkSlowMetrics(t *testing.T, f *fixture) {
	t.Helper()
	m := f.server.Metrics().Namespaces["/"]
	if m.SlowDisconnects != slowReaders || m.Sockets != healthyReaders {
		t.Errorf("metrics: %d slow disconnects and %d sockets, want %d and %d",
			m.SlowDisconnects, m.Sockets, slowReaders, healthyReaders)
	}
	eventually(t, "nothing waits for anybody", func() bool { return f.server.Metrics().QueuedBytes == 0 })
}

// spreadNews sends events to the room until every slow reader is cut off, and returns their number and the most
// memory the process has taken meanwhile.
func spreadNews(t *testing.T, f *fixture, h *newsroom, readers []*newsReader) (sent, peak int64) {
	t.Helper()
	emitter := f.server.Emitter("/")
	filling := strings.Repeat("x", newsBytes)
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for sent < maxNews && h.slowEnded.Load() < slowReaders && !t.Failed() {
		<-pace.C
		for range 10 {
			sent++
			emitter.Emit("news", []any{sent, filling}, []string{"news"}, nil)
		}
		eventually(t, "the healthy keep up", func() bool { return sent-slowest(readers) <= newsAhead || t.Failed() })
		peak = max(peak, residentBytes(t))
		if queued := f.server.Metrics().QueuedBytes; queued > (slowReaders+healthyReaders)*maxQueued {
			t.Errorf("%d bytes wait to be read", queued)
		}
	}
	return sent, peak
}

// subscribe connects a socket, which says what it is.
func subscribe(t *testing.T, f *fixture, what string) *client {
	t.Helper()
	c, err := connected(f.address, fmt.Sprintf(`40{"reader":%q}`, what), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.cut)
	return c
}

// newsReader reads everything, and sees to it that nothing is missing.
type newsReader struct {
	*client
	heard atomic.Int64
}

func slowest(readers []*newsReader) int64 {
	heard := readers[0].heard.Load()
	for _, r := range readers[1:] {
		heard = min(heard, r.heard.Load())
	}
	return heard
}

// read reads until the connection ends, and returns why it did; what is missing shows in heard.
func (r *newsReader) read(t *testing.T) error {
	const prefix = `42["news",[`
	for {
		message, err := r.next()
		if err != nil {
			return err
		}
		if string(message) == "41" {
			continue // the connection is about to end
		}
		number, _, _ := bytes.Cut(message[min(len(prefix), len(message)):], []byte(","))
		got, err := strconv.ParseInt(string(number), 10, 64)
		if want := r.heard.Load() + 1; err != nil || got != want || !bytes.HasPrefix(message, []byte(prefix)) {
			t.Errorf("got %.40q, want news %d", message, want)
			return fmt.Errorf("not news %d: %.40q", want, message)
		}
		r.heard.Store(got)
	}
}

// newsroom is a realtime.Handler that knows why slow readers end.
type newsroom struct {
	rooms
	slowEnded atomic.Int64
}

// Authenticate is part of realtime.Handler.
func (h *newsroom) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	socket.SetData(strings.Contains(string(hs.Auth), "slow"))
	socket.Join("news")
	return nil
}

// Disconnected is part of realtime.Handler.
func (h *newsroom) Disconnected(socket realtime.Socket, reason string) {
	switch slow := socket.Data().(bool); {
	case slow && (reason == "slow reader" || reason == "transport error"): // by its queue, or by the time a write took
		h.slowEnded.Add(1)
	case !h.ending.Load():
		h.unexpected(fmt.Sprintf("slow: %v, %s", slow, reason))
	}
}

// smallBuffers lets the system take little for a connection, so that it soon shows who does not read.
func smallBuffers(l net.Listener) net.Listener { return &smallBufferListener{l} }

type smallBufferListener struct{ net.Listener }

// Accept is part of net.Listener.
func (l *smallBufferListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetWriteBuffer(64 << 10)
	}
	return conn, err // itself, since a connection in wrapping is written to in another way
}
