package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// counters are what Stats tells.
type counters struct {
	published, dropped, received, receivedBytes, beacons, refused, overflowed atomic.Int64
	lost, subscribes, unanswered, publishNanos                                atomic.Int64
}

// Stats is what a bus has done since its start.
type Stats struct {
	// Published counts copies of messages, one for each topic; Dropped those that were given up.
	Published, Dropped int64
	// Received counts messages of other nodes, each once; Beacons are their signs of life, one a beat. ReceivedBytes is
	// everything that came, this node's own signs of life among it.
	Received, Beacons, ReceivedBytes int64
	// Refused counts what came and was no message, of another version, broken, or of an unknown kind; Overflowed what came
	// faster than it could be told.
	Refused, Overflowed int64
	// Lost counts how often something may have been missed; Unanswered the questions that a node left unanswered.
	Lost, Unanswered int64
	// Subscribes counts commands; Topics are rooms that are heard.
	Subscribes, Topics int64
	// PublishTime is how long the last batch took to be published.
	PublishTime time.Duration
	// Peers are the other nodes that are heard.
	Peers int
	// Healthy: Redis delivers.
	Healthy bool
}

// Stats tells what the bus has done.
func (b *Bus) Stats() Stats {
	c := &b.counters
	s := Stats{
		Published: c.published.Load(), Dropped: c.dropped.Load(), Received: c.received.Load(), Beacons: c.beacons.Load(),
		ReceivedBytes: c.receivedBytes.Load(), Refused: c.refused.Load(), Overflowed: c.overflowed.Load(), Lost: c.lost.Load(),
		Unanswered: c.unanswered.Load(), Subscribes: c.subscribes.Load(), PublishTime: time.Duration(c.publishNanos.Load()),
		Peers: b.peers.heard(), Healthy: b.healthy(),
	}
	for _, l := range b.lanes {
		s.Topics += int64(l.topics.number())
	}
	return s
}

// healthy says that what is published is delivered, as far as is known.
func (b *Bus) healthy() bool {
	now := time.Now()
	for _, l := range b.lanes {
		if !l.up.Load() || l.silent(now) > b.options.Lease {
			return false
		}
	}
	return true
}

// errDegraded says what works and what does not.
var errDegraded = errors.New("redis delivers nothing: other nodes hear nothing of this one, and this one nothing of them")

// Degraded returns an error while Redis delivers nothing. Everything else works on.
func (b *Bus) Degraded() error {
	if b.healthy() {
		return nil
	}
	return errDegraded
}

// Run keeps the bus going until ctx ends. Before anybody is let in Await should have returned.
func (b *Bus) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, l := range b.lanes {
		all.Go(func() { l.run(ctx) })
		all.Go(func() { l.outbox.run(ctx) })
		all.Go(func() { l.beats(ctx) })
		all.Go(func() { l.presence.arrivals(ctx) })
	}
	all.Go(func() { b.dispatch(ctx) })
	all.Go(func() { b.missed.run(ctx, b.guard) })
	<-ctx.Done()
	stopping := time.AfterFunc(b.options.Patience, b.link.cut)
	all.Wait()
	b.answering.Wait()
	stopping.Stop()
}

// Close lets go of all connections. Run must have returned.
func (b *Bus) Close() {
	if client := b.link.ready(); client != nil && b.healthyOnce() {
		ctx, cancel := context.WithTimeout(context.Background(), b.options.Patience)
		defer cancel()
		for _, l := range b.lanes {
			if err := l.presence.leave(ctx, client); err != nil {
				b.log.Warn("the lease of this node is left to end", "error", err)
			}
		}
	}
	b.link.close()
}

// healthyOnce says that Redis has delivered lately: after Run nothing listens any more.
func (b *Bus) healthyOnce() bool {
	now := time.Now()
	for _, l := range b.lanes {
		if l.silent(now) > b.options.Lease {
			return false
		}
	}
	return true
}

// Await waits until this node hears all others that there are and is heard by them, or for as long as is reasonable: a node
// whose Redis is away serves all the same.
func (b *Bus) Await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	for !b.met() && ctx.Err() == nil {
		pause(ctx, b.options.Beat/50)
	}
}

// met says that all nodes with a lease have been heard.
func (b *Bus) met() bool {
	for _, l := range b.lanes {
		session, others := l.presence.current()
		if !l.up.Load() || session == "" {
			return false
		}
		for _, other := range others {
			if node, _, _ := cutSession(other); !b.peers.knows(node) {
				return false
			}
		}
	}
	return true
}

// beats says once a beat that this node is here, to the nodes and to Redis.
func (l *lane) beats(ctx context.Context) {
	ticker := time.NewTicker(l.bus.options.Beat)
	defer ticker.Stop()
	for {
		if l.up.Load() {
			l.beat(ctx)
		}
		if l.index == 0 {
			_, others := l.presence.current()
			l.bus.peers.forget(time.Now(), len(others), l.bus.healthy())
		}
		if session, _ := l.presence.current(); session == "" && ctx.Err() == nil {
			pause(ctx, l.bus.options.Beat/20)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-l.early:
		}
	}
}

func (l *lane) beat(ctx context.Context) {
	l.sendBeacon()
	client := l.bus.link.ready()
	if client == nil {
		return
	}
	if l.bus.healthy() && l.bus.unsettled.CompareAndSwap(true, false) {
		for _, each := range l.bus.lanes {
			each.presence.renewAll()
		}
	}
	limited, cancel := context.WithTimeout(ctx, l.bus.options.Patience)
	defer cancel()
	if err := l.presence.beat(limited, client); err != nil && ctx.Err() == nil {
		l.bus.log.WarnContext(ctx, "the lease of this node was not renewed", "lane", l.index, "error", err)
	}
}
