package native

import "sync/atomic"

// counters are what is counted for one namespace.
type counters struct {
	sockets    atomic.Int64
	deliveries atomic.Int64
	queued     atomic.Int64
	slow       atomic.Int64
}

// Metrics are figures of a Server. Those that only grow say so.
type Metrics struct {
	Connections  int   // open ones
	QueuedBytes  int64 // what waits for clients to read it, over all connections, with some overhead
	Replaced     int64 // grows: messages whose values took the place of older ones that had not been read
	Delayed      int64 // grows: packets behind which nothing was read for a while, since they came too fast
	DecodeErrors int64 // grows: packets that were not Socket.IO; such a packet need not name a namespace
	Namespaces   map[string]NamespaceMetrics
}

// NamespaceMetrics are figures of one namespace.
type NamespaceMetrics struct {
	Sockets         int64 // connected ones, and those being connected
	Deliveries      int64 // grows: events handed to sockets by emitters, each socket counted
	QueuedBytes     int64 // events and acks that wait for clients to read them
	SlowDisconnects int64 // grows: sockets ended because their client did not read
}

// Metrics returns the figures of now.
func (s *Server) Metrics() Metrics {
	stats := s.engine.Stats()
	m := Metrics{
		Connections: s.engine.Len(), QueuedBytes: stats.QueuedBytes, Replaced: stats.Replaced, Delayed: stats.Delayed,
		DecodeErrors: s.decodeErrors.Load(), Namespaces: make(map[string]NamespaceMetrics),
	}
	for _, n := range s.allNamespaces() {
		m.Namespaces[n.name] = NamespaceMetrics{
			Sockets: n.counters.sockets.Load(), Deliveries: n.counters.deliveries.Load(),
			QueuedBytes: n.counters.queued.Load(), SlowDisconnects: n.counters.slow.Load(),
		}
	}
	return m
}
