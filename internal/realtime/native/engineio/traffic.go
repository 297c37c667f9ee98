package engineio

import (
	"maps"
	"sync"
	"sync/atomic"
)

// traffic counts what comes and goes, while somebody wants to know.
type traffic struct {
	counting atomic.Bool
	polling  atomic.Int64 // open sessions without a WebSocket, whether anybody wants to know or not

	opens, packetsIn, packetsOut, bytesIn, bytesOut atomic.Int64

	mu     sync.Mutex
	closes map[Reason]int64
}

// Traffic is what has come and gone while it was counted, and which sessions poll as of now.
type Traffic struct {
	Polling                                          int
	Opened, PacketsIn, PacketsOut, BytesIn, BytesOut int64
	Closed                                           map[Reason]int64
}

// CountTraffic begins to count, or ends that. What has been counted stays.
func (s *Server) CountTraffic(on bool) { s.traffic.counting.Store(on) }

// Traffic returns the figures of now.
func (s *Server) Traffic() Traffic {
	t := &s.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	return Traffic{
		Polling: int(max(t.polling.Load(), 0)), Opened: t.opens.Load(), PacketsIn: t.packetsIn.Load(), PacketsOut: t.packetsOut.Load(),
		BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(), Closed: maps.Clone(t.closes),
	}
}

// opened notes a new session.
func (t *traffic) opened(polls bool) {
	if polls {
		t.polling.Add(1)
	}
	if t.counting.Load() {
		t.opens.Add(1)
	}
}

// upgraded notes that a session polls no longer.
func (t *traffic) upgraded() { t.polling.Add(-1) }

// closed notes the end of a session, which polled to the last or did not.
func (t *traffic) closed(reason Reason, polled bool) {
	if polled {
		t.polling.Add(-1)
	}
	if !t.counting.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closes == nil {
		t.closes = make(map[Reason]int64)
	}
	t.closes[reason]++
}

func (t *traffic) received(bytes int) {
	if t.counting.Load() {
		t.packetsIn.Add(1)
		t.bytesIn.Add(int64(bytes))
	}
}

// sent notes messages that are on their way to a client. Newest values may still be merged before they are written.
func (t *traffic) sent(messages []*Message) {
	if !t.counting.Load() {
		return
	}
	packets, bytes := int64(0), int64(0)
	for _, m := range messages {
		switch {
		case m.binary:
			bytes += int64(len(m.payload()))
		case m.isContent():
			bytes += int64(len(m.Text()))
		default:
			continue
		}
		packets++
	}
	if packets > 0 {
		t.packetsOut.Add(packets)
		t.bytesOut.Add(bytes)
	}
}
