package redis

import (
	"context"
	"hash/fnv"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/bus/redis/wire"
)

// clusterLanes is how many lanes there are in a cluster.
const clusterLanes = 16

// lane is a share of all rooms and users: its keys and channels are in one slot of a cluster, so that one connection listens
// to all of them and one script reads them at once. There is one lane where the server is no cluster.
type lane struct {
	bus   *Bus
	index int
	// base begins the lane's keys and channels.
	base     string
	topics   *topics
	outbox   *outbox
	presence *presence

	early   chan struct{} // holds a token while there is reason to beat before it is time to
	telling sync.Mutex    // held while a beacon is numbered and queued
	beacons uint64        // sent
	echo    atomic.Int64  // when a beacon of this node's own came back last, Unix nanoseconds
	up      atomic.Bool   // it listens to all that it is to
}

func newLanes(b *Bus) []*lane {
	number := 1
	if b.link.cluster {
		number = clusterLanes
	}
	lanes := make([]*lane, number)
	for i := range lanes {
		l := &lane{bus: b, index: i, early: make(chan struct{}, 1), base: b.options.Prefix + ":{" + strconv.Itoa(i) + "}:"}
		l.topics = newTopics(l)
		l.outbox = newOutbox(l)
		l.presence = newPresence(l)
		lanes[i] = l
	}
	return lanes
}

// laneOf is the lane of a room or user.
func (b *Bus) laneOf(name string) *lane {
	if len(b.lanes) == 1 {
		return b.lanes[0]
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // it never fails
	return b.lanes[hash.Sum32()%uint32(len(b.lanes))]
}

// The channels of a lane: of a room, of all nodes, and of one.
func (l *lane) topic(room string) string { return l.base + "room:" + room }
func (l *lane) everyone() string         { return l.base + "all" }
func (l *lane) own(node string) string   { return l.base + "node:" + node }

// publishing is the command that publishes a message. In a cluster a message stays in its shard.
func (l *lane) publishing(client rueidis.Client, channel string, message []byte) rueidis.Completed {
	if l.bus.link.cluster {
		return client.B().Spublish().Channel(channel).Message(rueidis.BinaryString(message)).Build()
	}
	return client.B().Publish().Channel(channel).Message(rueidis.BinaryString(message)).Build()
}

func (l *lane) subscribing(client rueidis.DedicatedClient, channels []string) rueidis.Completed {
	if l.bus.link.cluster {
		return client.B().Ssubscribe().Channel(channels...).Build()
	}
	return client.B().Subscribe().Channel(channels...).Build()
}

func (l *lane) unsubscribing(client rueidis.DedicatedClient, channels []string) rueidis.Completed {
	if l.bus.link.cluster {
		return client.B().Sunsubscribe().Channel(channels...).Build()
	}
	return client.B().Unsubscribe().Channel(channels...).Build()
}

// sendBeacon tells all nodes that this one is here. It comes back to this one as well, which shows that what is published is
// delivered.
func (l *lane) sendBeacon() {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.beacons++
	envelope := wire.Envelope{Kind: kindBeacon, Body: beacon{lane: l.index, count: l.beacons}.encode()}
	message := l.bus.seal(&envelope, 0, nil)
	l.outbox.put(outgoing{message: message, channel: l.everyone()})
}

// silent is for how long nothing has come back.
func (l *lane) silent(now time.Time) time.Duration { return now.Sub(time.Unix(0, l.echo.Load())) }

// run keeps the lane listening until ctx ends.
func (l *lane) run(ctx context.Context) {
	first := true
	for ctx.Err() == nil {
		err := l.listen(ctx, first)
		wasUp := l.up.Swap(false)
		l.topics.down()
		if ctx.Err() == nil {
			l.presence.retire()
		}
		if ctx.Err() != nil {
			return
		}
		if wasUp || first {
			l.bus.log.WarnContext(ctx, "redis is not heard", "lane", l.index, "error", err)
		}
		first = false
		pause(ctx, l.bus.options.Beat/4)
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
