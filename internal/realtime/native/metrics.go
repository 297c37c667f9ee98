package native

import (
	"sync/atomic"

	"rolecall/internal/realtime"
)

var _ realtime.Measured = (*Server)(nil)

// counters are what is counted for one namespace.
type counters struct {
	sockets    atomic.Int64
	deliveries atomic.Int64
	queued     atomic.Int64
	slow       atomic.Int64
}

// Metrics implements realtime.Measured.
func (s *Server) Metrics() realtime.Metrics {
	stats := s.engine.Stats()
	m := realtime.Metrics{
		Connections: s.engine.Len(), QueuedBytes: stats.QueuedBytes, Replaced: stats.Replaced, Delayed: stats.Delayed,
		DecodeErrors: s.decodeErrors.Load(), Namespaces: make(map[string]realtime.NamespaceMetrics),
	}
	for _, n := range s.allNamespaces() {
		m.Namespaces[n.name] = realtime.NamespaceMetrics{
			Sockets: n.counters.sockets.Load(), Deliveries: n.counters.deliveries.Load(),
			QueuedBytes: n.counters.queued.Load(), SlowDisconnects: n.counters.slow.Load(),
		}
	}
	return m
}
