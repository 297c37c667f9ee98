package bridge

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Metrics are figures of a Bridge. Those that only grow say so.
type Metrics struct {
	// Connected: what other servers send comes, and what is sent goes.
	Connected bool
	// Published grows: messages to other servers. Received grows: events of others for rooms that have sockets here, or for
	// several or none. Delivered grows: those that were sent to sockets.
	Published, Received, Delivered int64
	// Requests grows: what others have asked. Dropped grows: messages that were not sent, for want of a connection or of room.
	// Overflowed grows: those that had come and were not looked at, for want of room.
	Requests, Dropped, Overflowed int64
	// Unanswered grows: acks of clients that others wanted and that did not come in time.
	Unanswered int64
	// Refused grows: what others have sent and was not done, by the reason.
	Refused map[string]int64
}

// counters are what Metrics tells.
type counters struct {
	published, received, delivered, requests, dropped, overflowed, unanswered atomic.Int64

	mu      sync.Mutex
	refused map[string]int64 // by reason, of which all are there from the beginning
}

// init has every reason told.
func (c *counters) init() {
	c.refused = make(map[string]int64)
	for _, reason := range reasons() {
		c.refused[reason.Error()] = 0
	}
}

func (c *counters) refuse(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason.Error()]++
}

// Metrics returns the figures of now.
func (b *Bridge) Metrics() Metrics {
	c := &b.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	return Metrics{
		Connected: b.up.Load(), Published: c.published.Load(), Received: c.received.Load(), Delivered: c.delivered.Load(),
		Requests: c.requests.Load(), Dropped: c.dropped.Load(), Overflowed: c.overflowed.Load(),
		Unanswered: c.unanswered.Load(), Refused: maps.Clone(c.refused),
	}
}
