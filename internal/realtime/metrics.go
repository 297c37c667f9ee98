package realtime

// Measured is an Engine that counts what it does.
type Measured interface {
	// Metrics returns the figures of now.
	Metrics() Metrics
}

// Metrics are figures of an Engine. Those that only grow say so.
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
