package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// BridgeFigures are those of what shares rooms with servers of other kinds. All but Connected only grow.
type BridgeFigures struct {
	Connected                      bool
	Published, Received, Delivered int64
	Requests, Dropped, Overflowed  int64
	Unanswered                     int64
	Refused                        map[string]int64 // by the reason
}

// WatchBridge has these figures asked for from now on. It is called once, where there is a bridge.
func (m *Metrics) WatchBridge(figures func() BridgeFigures) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "bridge", name), help, labels, nil)
	}
	m.registry.MustRegister(&bridgeCollector{
		figures:    figures,
		connected:  desc("connected", "1 while other servers of Socket.IO can be reached through Redis, else 0."),
		published:  desc("published_total", "Messages sent to other servers of Socket.IO."),
		received:   desc("received_total", "Events of other servers of Socket.IO that may concern sockets here."),
		delivered:  desc("delivered_total", "Events of other servers of Socket.IO that were sent to sockets here."),
		requests:   desc("requests_total", "What other servers of Socket.IO have asked."),
		lost:       desc("lost_total", "Messages for which there was no connection in time or no room, by direction: in, out.", "direction"),
		unanswered: desc("unanswered_total", "Answers of clients that other servers of Socket.IO wanted and that did not come in time."),
		refused:    desc("refused_total", "What other servers of Socket.IO have sent and was not done, by reason.", "reason"),
	})
}

// bridgeCollector asks for the figures at each scrape.
type bridgeCollector struct {
	figures                                                                        func() BridgeFigures
	connected, published, received, delivered, requests, lost, unanswered, refused *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *bridgeCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		c.connected, c.published, c.received, c.delivered, c.requests, c.lost, c.unanswered, c.refused,
	} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *bridgeCollector) Collect(to chan<- prometheus.Metric) {
	out := figuresOut(to)
	f := c.figures()
	out.flag(c.connected, f.Connected)
	out.counter(c.published, f.Published)
	out.counter(c.received, f.Received)
	out.counter(c.delivered, f.Delivered)
	out.counter(c.requests, f.Requests)
	out.counter(c.lost, f.Overflowed, "in")
	out.counter(c.lost, f.Dropped, "out")
	out.counter(c.unanswered, f.Unanswered)
	for reason, count := range f.Refused {
		out.counter(c.refused, count, reason)
	}
}
