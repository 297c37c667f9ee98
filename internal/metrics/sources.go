package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rolecall/internal/bus"
	"rolecall/internal/disk"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// askPatience is how long a source may take to answer.
const askPatience = 3 * time.Second

// Sources are the parts of the program that know figures by themselves. They are asked at each scrape, and must be quick. A
// nil one has no figures.
type Sources struct {
	// Connections is how many are open.
	Connections func() int
	// Engine are the figures of the Socket.IO server.
	Engine func() realtime.Metrics
	// Online is how many people are, by role.
	Online func() map[roles.Role]int
	// Drivers is how many there are of each status.
	Drivers func() map[string]int
	// Bus are the figures of the bus.
	Bus func() bus.Metrics
	// Disk is the room where the data are.
	Disk func() (disk.Space, error)
	// DatabaseSize is how many bytes the database takes.
	DatabaseSize func(ctx context.Context) (int64, error)
	// Stored returns nil while the database can be read and written.
	Stored func(ctx context.Context) error
	// Ready returns nil while the server takes traffic.
	Ready func(ctx context.Context) error
}

// Watch has sources asked from now on. It is called once.
func (m *Metrics) Watch(s Sources) {
	m.registry.MustRegister(&collector{sources: s, figures: newFigures()})
}

// figures are the descriptions of what sources know.
type figures struct {
	connections, deliveries, queued, slow, replaced, delayed, undecodable *prometheus.Desc
	online, drivers                                                       *prometheus.Desc
	connected, nodes, lag, published, received, lost, rejected, resyncs   *prometheus.Desc
	free, size, database, stored, ready                                   *prometheus.Desc
}

func newFigures() figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return figures{
		connections: desc("connections", "Open connections, each of which may have a socket in several namespaces."),
		deliveries:  desc("deliveries_total", "Events handed to sockets of rooms, each socket counted, by namespace.", "namespace"),
		queued:      desc("queued_bytes", "What waits for clients to read it, over all connections, with some overhead."),
		slow:        desc("slow_disconnects_total", "Sockets that were ended because their client did not read, by namespace.", "namespace"),
		replaced:    desc("replaced_messages_total", "Messages of positions that took the place of older ones which had not been read."),
		delayed:     desc("delayed_packets_total", "Packets behind which nothing was read for a while, since they came too fast."),
		undecodable: desc("undecodable_packets_total", "Packets that were not Socket.IO; each ends its connection."),

		online:  desc("online_users", "People with an open socket on this node, by role, as others were last told.", "role"),
		drivers: desc("drivers", "Drivers that this node knows, by status: online, stale, offline.", "status"),

		connected: desc("bus_connected", "1 while other nodes can be reached, or there are none; else 0."),
		nodes:     desc("bus_nodes", "Nodes that this one knows to be there, itself among them."),
		lag:       desc("bus_lag_seconds", "Time until the last messages to other nodes were taken."),
		published: desc("bus_published_total", "Messages told to other nodes."),
		received:  desc("bus_received_total", "Messages heard from other nodes."),
		lost:      desc("bus_lost_total", "Messages between nodes that were given up, and times that others may have been missed."),
		rejected:  desc("bus_rejected_total", "Messages from outside that were not understood, or not allowed."),
		resyncs:   desc("bus_resyncs_total", "How often what lasts was read again since messages may have been missed."),

		free:     desc("disk_free_bytes", "What can still be written where the data folder is."),
		size:     desc("disk_size_bytes", "The size of the file system that holds the data folder."),
		database: desc("database_size_bytes", "What the database takes on its disk."),
		stored:   desc("database_up", "1 while the database can be read and written, else 0."),
		ready:    desc("ready", "1 while the server takes traffic, as /readyz says, else 0."),
	}
}

// collector asks the sources at each scrape.
type collector struct {
	sources Sources
	figures
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		c.connections, c.deliveries, c.queued, c.slow, c.replaced, c.delayed, c.undecodable, c.online, c.drivers,
		c.connected, c.nodes, c.lag, c.published, c.received, c.lost, c.rejected, c.resyncs,
		c.free, c.size, c.database, c.stored, c.ready,
	} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := figuresOut(to)
	if c.sources.Connections != nil {
		out.gauge(c.connections, float64(c.sources.Connections()))
	}
	c.collectEngine(out)
	c.collectPeople(out)
	c.collectBus(out)
	c.collectDisk(out)
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	if c.sources.DatabaseSize != nil {
		bytes, err := c.sources.DatabaseSize(ctx)
		out.measured(c.database, float64(bytes), err)
	}
	if c.sources.Stored != nil {
		out.flag(c.stored, c.sources.Stored(ctx) == nil)
	}
	if c.sources.Ready != nil {
		out.flag(c.ready, c.sources.Ready(ctx) == nil)
	}
}

func (c *collector) collectEngine(out figuresOut) {
	if c.sources.Engine == nil {
		return
	}
	engine := c.sources.Engine()
	out.gauge(c.queued, float64(engine.QueuedBytes))
	out.counter(c.replaced, engine.Replaced)
	out.counter(c.delayed, engine.Delayed)
	out.counter(c.undecodable, engine.DecodeErrors)
	for name, of := range engine.Namespaces {
		out.counter(c.deliveries, of.Deliveries, name)
		out.counter(c.slow, of.SlowDisconnects, name)
	}
}

func (c *collector) collectPeople(out figuresOut) {
	if c.sources.Online != nil {
		online := c.sources.Online()
		for _, role := range roles.All() {
			out.gauge(c.online, float64(online[role]), string(role))
		}
	}
	if c.sources.Drivers != nil {
		for status, count := range c.sources.Drivers() {
			out.gauge(c.drivers, float64(count), status)
		}
	}
}

func (c *collector) collectBus(out figuresOut) {
	if c.sources.Bus == nil {
		return
	}
	figures := c.sources.Bus()
	out.flag(c.connected, figures.Connected)
	out.gauge(c.nodes, float64(figures.Nodes))
	out.gauge(c.lag, figures.Lag.Seconds())
	out.counter(c.published, figures.Published)
	out.counter(c.received, figures.Received)
	out.counter(c.lost, figures.Lost)
	out.counter(c.rejected, figures.Rejected)
	out.counter(c.resyncs, figures.Resyncs)
}

func (c *collector) collectDisk(out figuresOut) {
	if c.sources.Disk == nil {
		return
	}
	space, err := c.sources.Disk()
	if errors.Is(err, disk.ErrUnknown) {
		return
	}
	out.measured(c.free, float64(space.Free), err)
	out.measured(c.size, float64(space.Size), err)
}

// figuresOut is where a collector's figures go.
type figuresOut chan<- prometheus.Metric

func (out figuresOut) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (out figuresOut) counter(desc *prometheus.Desc, value int64, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

func (out figuresOut) flag(desc *prometheus.Desc, holds bool) {
	value := 0.0
	if holds {
		value = 1
	}
	out.gauge(desc, value)
}

// measured is a gauge that could not be found out where err is not nil: the scrape goes on without it.
func (out figuresOut) measured(desc *prometheus.Desc, value float64, err error) {
	if err != nil {
		out <- prometheus.NewInvalidMetric(desc, err)
		return
	}
	out.gauge(desc, value)
}
