package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

type sockets struct {
	open      *prometheus.GaugeVec
	connected *prometheus.HistogramVec
}

func newSockets(registry prometheus.Registerer) sockets {
	return sockets{
		open: gauges(registry, "sockets", "Sockets whose connect has been answered, by namespace and role.", "namespace", "role"),
		connected: histograms(registry, "connect_duration_seconds",
			"Time that it took to let a socket in: its token, its limits, its rooms. Refused ones are not in it.", latency(), "namespace"),
	}
}

// Namespace is the figures of one namespace's sockets.
type Namespace struct {
	open      map[roles.Role]prometheus.Gauge
	connected prometheus.Observer
	refused   *prometheus.CounterVec
	crowded   prometheus.Counter
}

// Namespace returns the figures of the sockets of one namespace.
func (m *Metrics) Namespace(name string) *Namespace {
	n := &Namespace{
		open: make(map[roles.Role]prometheus.Gauge), connected: m.sockets.connected.WithLabelValues(name),
		refused: m.refusals.MustCurryWith(prometheus.Labels{"door": "connect"}), crowded: m.limits.of(socketsPerUser),
	}
	for _, role := range roles.All() {
		n.open[role] = m.sockets.open.WithLabelValues(name, string(role))
	}
	return n
}

// LetIn hears how long it took to let a socket in.
func (n *Namespace) LetIn(took time.Duration) { n.connected.Observe(took.Seconds()) }

// Refused counts a connect that was refused with a code.
func (n *Namespace) Refused(code string) {
	n.refused.WithLabelValues(code).Inc()
	if code == string(fault.TooManyConnections) {
		n.crowded.Inc()
	}
}

// Opened counts a socket of somebody of the role, Closed that it has ended.
func (n *Namespace) Opened(role roles.Role) { n.open[role].Inc() }

// Closed is the end of what Opened has counted.
func (n *Namespace) Closed(role roles.Role) { n.open[role].Dec() }

// HandshakeRefused counts a request for a session that was refused at the outermost door: too_many_handshakes,
// too_many_connections of an address, origin.
func (m *Metrics) HandshakeRefused(code string) {
	m.refusals.WithLabelValues("handshake", code).Inc()
}
