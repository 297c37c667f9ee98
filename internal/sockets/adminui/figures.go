package adminui

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"time"

	"rolecall/internal/realtime"
)

// serverStats are the figures of one server, in the form of the page.
type serverStats struct {
	ServerID string `json:"serverId"`
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
	// Uptime is in seconds.
	Uptime float64 `json:"uptime"`
	// ClientsCount is of open connections, PollingClientsCount of those among them without a WebSocket.
	ClientsCount        int              `json:"clientsCount"`
	PollingClientsCount int              `json:"pollingClientsCount"`
	Namespaces          []namespaceCount `json:"namespaces"`
	// AggregatedEvents are since the figures before these.
	AggregatedEvents []aggregatedEvent `json:"aggregatedEvents"`
}

type namespaceCount struct {
	Name         string `json:"name"`
	SocketsCount int    `json:"socketsCount"`
}

// aggregatedEvent is how much of something there was.
type aggregatedEvent struct {
	// Timestamp is a whole second, in Unix milliseconds.
	Timestamp int64  `json:"timestamp"`
	Type      string `json:"type"`
	// SubType is why connections were closed.
	SubType string `json:"subType,omitempty"`
	Count   int64  `json:"count"`
}

// figures makes those of this server. It is the loop's own.
type figures struct {
	engine  realtime.Engine
	server  serverStats // what does not change
	started time.Time
	last    realtime.Traffic
}

func newFigures(o Options) figures {
	return figures{
		engine: o.Engine, started: o.Now(),
		server: serverStats{ServerID: serverID(o.NodeName), Hostname: hostname(), PID: os.Getpid()},
	}
}

// begin has what passes counted from now on.
func (f *figures) begin() { f.last = f.engine.Traffic() }

// now are the figures of now, without what has passed.
func (f *figures) now(at time.Time) serverStats { return f.of(f.engine.Traffic(), at) }

// next are the figures of now, with what has passed since the last.
func (f *figures) next(at time.Time) serverStats {
	traffic := f.engine.Traffic()
	told := f.of(traffic, at)
	second := at.Truncate(time.Second).UnixMilli()
	add := func(kind, subType string, count int64) {
		if count > 0 {
			told.AggregatedEvents = append(told.AggregatedEvents, aggregatedEvent{second, kind, subType, count})
		}
	}
	add("rawConnection", "", traffic.Opened-f.last.Opened)
	for _, reason := range slices.Sorted(maps.Keys(traffic.Closed)) {
		add("rawDisconnection", reason, traffic.Closed[reason]-f.last.Closed[reason])
	}
	add("packetsIn", "", traffic.PacketsIn-f.last.PacketsIn)
	add("packetsOut", "", traffic.PacketsOut-f.last.PacketsOut)
	add("bytesIn", "", traffic.BytesIn-f.last.BytesIn)
	add("bytesOut", "", traffic.BytesOut-f.last.BytesOut)
	f.last = traffic
	return told
}

func (f *figures) of(traffic realtime.Traffic, at time.Time) serverStats {
	told := f.server
	told.Uptime = at.Sub(f.started).Seconds()
	told.ClientsCount, told.PollingClientsCount = traffic.Connections, traffic.Polling
	told.AggregatedEvents = []aggregatedEvent{}
	told.Namespaces = make([]namespaceCount, 0, len(traffic.Sockets))
	for name, count := range traffic.Sockets {
		told.Namespaces = append(told.Namespaces, namespaceCount{name, count})
	}
	slices.SortFunc(told.Namespaces, func(a, b namespaceCount) int { return cmp.Compare(a.Name, b.Name) })
	return told
}
