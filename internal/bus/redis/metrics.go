package redis

import "rolecall/internal/bus"

// Metrics implements bus.Measured.
func (b *Bus) Metrics() bus.Metrics {
	s := b.Stats()
	return bus.Metrics{
		Connected: s.Healthy, Nodes: s.Peers + 1, Lag: s.PublishTime, Published: s.Published, Received: s.Received,
		Lost: s.Dropped + s.Overflowed + s.Lost, Rejected: s.Refused, Resyncs: s.Lost,
	}
}
