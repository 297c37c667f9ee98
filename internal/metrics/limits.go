package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"rolecall/internal/limit"
)

// The kinds of limits beside the rates of package limit.
const (
	handshakesPerAddress = "handshakes_per_ip"
	sessionsPerAddress   = "connections_per_ip"
	socketsPerUser       = "sockets_per_user"
)

// limits are counters by kind, all made at once: a kind that was never met is 0, not missing.
type limits struct{ hits map[string]prometheus.Counter }

func newLimits(registry prometheus.Registerer) limits {
	hits := counters(registry, "limit_hits_total", "What was refused for a limit: a rate by its kind, or a number of sockets or connections.", "kind")
	l := limits{hits: make(map[string]prometheus.Counter)}
	kinds := []string{handshakesPerAddress, sessionsPerAddress, socketsPerUser}
	for kind := range maps.Keys(limit.Defaults()) {
		kinds = append(kinds, string(kind))
	}
	for _, kind := range slices.Sorted(slices.Values(kinds)) {
		l.hits[kind] = hits.WithLabelValues(kind)
	}
	return l
}

// of is the counter of a kind that is known.
func (l limits) of(kind string) prometheus.Counter { return l.hits[kind] }

// LimitHit counts a request that found no token of its kind.
func (m *Metrics) LimitHit(kind limit.Kind) {
	if counter, known := m.limits.hits[string(kind)]; known {
		counter.Inc()
	}
}

// HandshakeLimited counts a handshake beyond the rate of its address.
func (m *Metrics) HandshakeLimited() {
	m.limits.of(handshakesPerAddress).Inc()
	m.HandshakeRefused("too_many_handshakes")
}

// SessionLimited counts a connection beyond what its address may have open.
func (m *Metrics) SessionLimited() {
	m.limits.of(sessionsPerAddress).Inc()
	m.HandshakeRefused("too_many_connections")
}
