package redis

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/bus/redis/wire"
)

const (
	// maxOutbox bounds what waits to be published, in bytes. Beyond it what comes last is given up.
	maxOutbox = 8 << 20
	// maxPublish and maxPublishBytes bound what is published at a time.
	maxPublish      = 512
	maxPublishBytes = 1 << 20
)

// outgoing is a message for a channel, or a command for which what stands before it is published.
type outgoing struct {
	message []byte
	channel string
	after   func()
}

// outbox is what waits to be published in a lane.
type outbox struct {
	lane *lane
	wake chan struct{}

	mu      sync.Mutex
	waiting []outgoing
	bytes   int
}

func newOutbox(l *lane) *outbox { return &outbox{lane: l, wake: make(chan struct{}, 1)} }

// put queues what is to be published. What there is no room for is given up.
func (o *outbox) put(all ...outgoing) {
	given := 0
	o.mu.Lock()
	for _, one := range all {
		if o.bytes+len(one.message) > maxOutbox && one.after == nil {
			given++
			continue
		}
		o.waiting = append(o.waiting, one)
		o.bytes += len(one.message)
	}
	o.mu.Unlock()
	if given > 0 {
		o.lane.bus.giveUp(given)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns what is to be published next.
func (o *outbox) take() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	number, size := 0, 0
	for number < min(len(o.waiting), maxPublish) && (number == 0 || size+len(o.waiting[number].message) <= maxPublishBytes) {
		size += len(o.waiting[number].message)
		number++
	}
	taken := o.waiting[:number:number]
	if o.waiting = o.waiting[number:]; len(o.waiting) == 0 {
		o.waiting = nil
	}
	o.bytes -= size
	return taken
}

// run publishes until ctx ends; what waits then is published as well, if that is quick.
func (o *outbox) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.lane.bus.options.Patience)
			defer cancel()
			o.empty(last)
			return
		case <-o.wake:
			o.empty(ctx)
		}
	}
}

func (o *outbox) empty(ctx context.Context) {
	for {
		batch := o.take()
		if len(batch) == 0 {
			return
		}
		o.publish(ctx, batch)
	}
}

// publish sends a batch. What fails is not tried again, since it may have come all the same, and would come out of order: it
// is given up, and the others are told of that.
func (o *outbox) publish(ctx context.Context, batch []outgoing) {
	bus := o.lane.bus
	client := bus.link.ready()
	if client == nil {
		bus.giveUp(len(batch))
		return
	}
	commands := make([]rueidis.Completed, 0, len(batch))
	for _, one := range batch {
		if one.after == nil {
			commands = append(commands, o.lane.publishing(client, one.channel, one.message))
		}
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.options.Patience)
	failed := 0
	var reason error
	for _, result := range client.DoMulti(limited, commands...) {
		if err := result.Error(); err != nil {
			failed++
			reason = err
		}
	}
	cancel()
	bus.counters.published.Add(int64(len(commands) - failed))
	bus.counters.publishNanos.Store(int64(time.Since(began)))
	if failed > 0 {
		bus.log.WarnContext(ctx, "messages to other nodes were lost", "error", reason, "messages", failed)
		bus.giveUp(failed)
	}
	for _, one := range batch {
		if one.after != nil {
			one.after()
		}
	}
}

// giveUp counts messages that others will miss: they see it in the next that comes.
func (b *Bus) giveUp(messages int) {
	b.losses.Add(1)
	b.counters.dropped.Add(int64(messages))
}

// publish sends a message whose body is in the envelope, to the nodes in its rooms, or to all.
func (b *Bus) publish(e *wire.Envelope) {
	if !b.peers.alone() {
		b.send(e, 0, nil)
	}
}

// manyRooms is from how many rooms on a message goes to all nodes, unless there are more of those than rooms: the members of a
// group, each with a room. A copy for each topic would cost Redis and whoever listens to several of them more than a message
// in vain costs the others.
const manyRooms = 8

// send publishes a message to the topics of its rooms, once a topic, or to all nodes where it has none or many. The rest of the
// body is appended by body, which takes so many bytes.
func (b *Bus) send(e *wire.Envelope, size int, body func(dst []byte) []byte) {
	message := b.seal(e, size, body)
	if len(e.Rooms) == 0 {
		b.lanes[0].outbox.put(outgoing{message: message, channel: b.lanes[0].everyone()})
		return
	}
	if len(e.Rooms) >= manyRooms && len(e.Rooms) > b.peers.heard() {
		l := b.laneOf(e.Rooms[0])
		l.outbox.put(outgoing{message: message, channel: l.everyone()})
		return
	}
	if len(e.Rooms) == 1 || len(b.lanes) == 1 {
		l := b.laneOf(e.Rooms[0])
		all := make([]outgoing, len(e.Rooms))
		for i, room := range e.Rooms {
			all[i] = outgoing{message: message, channel: l.topic(room)}
		}
		l.outbox.put(all...)
		return
	}
	for _, room := range e.Rooms {
		l := b.laneOf(room)
		l.outbox.put(outgoing{message: message, channel: l.topic(room)})
	}
}

// seal is the message that other nodes are sent.
func (b *Bus) seal(e *wire.Envelope, size int, body func(dst []byte) []byte) []byte {
	e.Sender = b.node
	message := wire.Append(make([]byte, 0, e.Size()+size), e)
	if body != nil {
		message = body(message)
	}
	wire.Seal(message, b.numbers.Add(1), b.losses.Load())
	return message
}
