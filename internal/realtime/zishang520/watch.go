package zishang520

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"

	"rolecall/internal/realtime"
)

// Watch implements realtime.Engine.
func (e *Engine) Watch(watcher realtime.Watcher) {
	e.watch.Set(watcher)
	e.traffic.counting.Store(watcher != nil)
}

// Traffic implements realtime.Engine. It looks at every connection.
func (e *Engine) Traffic() realtime.Traffic {
	t := e.traffic.figures()
	for _, connection := range e.io.Engine().Clients().Values() {
		t.Connections++
		if connection.Transport().Name() == "polling" {
			t.Polling++
		}
	}
	t.Sockets = make(map[string]int)
	for _, n := range e.all() {
		t.Sockets[n.name] = n.sockets.Len()
	}
	return t
}

// one yields a single socket.
func one(socket *Socket) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) { yield(socket) }
}

// open yields the open sockets in any of the rooms to and in none of except. The library tells nobody to whom an event has
// gone, so they are those that are there now.
func (n *namespace) open(to, except []string) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) {
		for i, room := range to {
			for _, id := range n.members(room) {
				s, known := n.sockets.Load(id)
				switch {
				case !known || !s.io.Connected():
				case slices.ContainsFunc(except, s.standsIn) || slices.ContainsFunc(to[:i], s.standsIn):
				case !yield(s):
					return
				}
			}
		}
	}
}

// traffic counts what comes and goes, while somebody wants to know.
type traffic struct {
	counting atomic.Bool

	opens, packetsIn, packetsOut, bytesIn, bytesOut atomic.Int64

	mu     sync.Mutex
	closes map[string]int64
}

func (t *traffic) figures() realtime.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	figures := realtime.Traffic{
		Opened: t.opens.Load(), PacketsIn: t.packetsIn.Load(), PacketsOut: t.packetsOut.Load(),
		BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(), Closed: make(map[string]int64, len(t.closes)),
	}
	maps.Copy(figures.Closed, t.closes)
	return figures
}

func (t *traffic) opened() {
	if t.counting.Load() {
		t.opens.Add(1)
	}
}

func (t *traffic) closed(args []any) {
	if !t.counting.Load() || len(args) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closes == nil {
		t.closes = make(map[string]int64)
	}
	t.closes[fmt.Sprint(args[0])]++
}

func (t *traffic) received(args []any) { t.count(args, &t.packetsIn, &t.bytesIn) }
func (t *traffic) sent(args []any)     { t.count(args, &t.packetsOut, &t.bytesOut) }

// count counts a packet that is a message. Its data are not read, which would take them away.
func (t *traffic) count(args []any, packets, bytes *atomic.Int64) {
	if !t.counting.Load() || len(args) == 0 {
		return
	}
	p, ok := args[0].(*packet.Packet)
	if !ok || p.Type != packet.MESSAGE {
		return
	}
	packets.Add(1)
	if sized, ok := p.Data.(interface{ Len() int }); ok {
		bytes.Add(int64(sized.Len()))
	}
}
