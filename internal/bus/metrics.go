package bus

import "time"

// Measured is a Bus that counts what it does.
type Measured interface {
	// Metrics returns the figures of now.
	Metrics() Metrics
}

// Metrics are figures of a Bus, as this node sees it. Those that only grow say so.
type Metrics struct {
	// Connected: what this node tells reaches others, and what they tell reaches it.
	Connected bool
	// Nodes is how many there are, this one among them.
	Nodes int
	// Lag is how long the last messages took until they were taken for the other nodes.
	Lag time.Duration
	// Published and Received grow: messages to other nodes, and from them.
	Published, Received int64
	// Lost grows: messages that were given up, and times that others may have been missed.
	Lost int64
	// Rejected grows: messages that were not understood, or not allowed.
	Rejected int64
	// Resyncs grows: how often what lasts was read again since something may have been missed.
	Resyncs int64
}
